//! Centroids: seeded spherical k-means on the tile kernel, and the assignment of rows to them.

use super::sort_into_lists;
use crate::cpu::{self, Supported};
use crate::dot::{ensure_finite, row_span};
use crate::kernel::{self, SCRATCH_MIN, Sink, Span, TILE_BYTES};
use crate::matrix::{Element, Matrix};
use crate::random::Random;
use crate::status::{Error, Result, Status, ensure};
use crate::topk::bits;
use core::ops::Range;

const TOO_SMALL: Error = Error { status: Status::Capacity, argument: "scratch" };

/// Words per sample row: its score, its list, its place in the order of the lists.
const ROW_WORDS: usize = 3;

/// Bytes of [`coarse_train`] beside what the tiles take.
fn train_bytes(rows: usize, lists: usize, dim: usize) -> usize {
    let words = rows.saturating_mul(ROW_WORDS).saturating_add(lists).saturating_add(dim).saturating_add(2);
    words.saturating_mul(4)
}

/// Recommended bytes of scratch of [`coarse_train`]: 12 per sample row, 4 per list and per element of a row, and 640 KiB. `usize::MAX` when not
/// representable.
pub fn coarse_train_scratch(rows: usize, lists: usize, dim: usize) -> usize {
    train_bytes(rows, lists, dim).saturating_add(TILE_BYTES)
}

/// The least scratch of [`coarse_train`]: 4 KiB in place of the 640.
pub fn coarse_train_scratch_min(rows: usize, lists: usize, dim: usize) -> usize {
    train_bytes(rows, lists, dim).saturating_add(SCRATCH_MIN)
}

/// Finds `lists` centroids of unit length in a sample of the rows: seeded spherical k-means.
///
/// It begins with `lists` rows of the sample drawn at random; in each iteration rows go to the centroid with the largest inner product
/// (the first of equals), and each centroid becomes the direction of the sum of its rows. A centroid without rows takes over the worst
/// served row of the largest list. Some 8 iterations and 50 to 250 sample rows per list are usual; lists near the square root of the
/// rows make probing cheapest.
///
/// `centroids`: `lists` x dim, dense. The same sample and seed give the same bits on every instruction set with fused multiply-add.
/// O(iterations * rows * lists * dim). `scratch`: [`coarse_train_scratch`].
///
/// # Errors
/// `K` (`lists` is 0 or above the sample's rows), `Overflow`, `Capacity` (`scratch` below [`coarse_train_scratch_min`], `centroids`), `Value` (NaN
/// or infinity in the sample).
pub fn coarse_train(
    sample: &Matrix<f32>,
    lists: usize,
    iterations: usize,
    seed: u64,
    scratch: &mut [u8],
    centroids: &mut [f32],
) -> Result<()> {
    let (rows, dim) = (sample.rows(), sample.dim());
    ensure(lists > 0 && lists <= rows, Status::K, "lists")?;
    let len = lists.checked_mul(dim).filter(|len| *len <= isize::MAX as usize / 4);
    ensure(len.is_some(), Status::Overflow, "lists")?;
    ensure(scratch.len() >= coarse_train_scratch_min(rows, lists, dim), Status::Capacity, "scratch")?;
    let centroids = centroids.get_mut(..len.unwrap_or(0)).ok_or(Error { status: Status::Capacity, argument: "centroids" })?;
    let isa = cpu::active();
    ensure_finite(isa, sample, Span::new(0, rows), "sample")?;

    let (own, tiles) = scratch.split_at_mut_checked(train_bytes(rows, lists, dim)).ok_or(TOO_SMALL)?;
    let words = kernel::u32_part(own);
    let (scores, words) = words.split_at_mut_checked(rows).ok_or(TOO_SMALL)?;
    let (list_of, words) = words.split_at_mut_checked(rows).ok_or(TOO_SMALL)?;
    let (order, words) = words.split_at_mut_checked(rows).ok_or(TOO_SMALL)?;
    let (offsets, sum) = words.split_at_mut_checked(lists + 1).ok_or(TOO_SMALL)?;
    let (scores, sum) = (kernel::as_f32_mut(scores), kernel::as_f32_mut(sum).get_mut(..dim).ok_or(TOO_SMALL)?);

    draw(isa, sample, seed, centroids);
    for _ in 0..iterations {
        let view = Matrix::new(centroids, lists, dim)?;
        nearest(isa, sample, Span::new(0, rows), &view, tiles, scores, list_of)?;
        fill_empty_lists(scores, list_of, lists, offsets);
        sort_into_lists(list_of.iter().map(|list| Some(*list)), offsets, order);
        for (list, centroid) in centroids.chunks_exact_mut(dim).enumerate() {
            let (Some(&from), Some(&to)) = (offsets.get(list), offsets.get(list + 1)) else { continue };
            sum.fill(0.0);
            for &row in order.get(from as usize..to as usize).unwrap_or_default() {
                let row = sample.row(row as usize).unwrap_or_default();
                sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
            }
            direction(isa, sum, centroid);
        }
    }
    Ok(())
}

/// The direction of a vector; of one without, or with a length that overflows, nothing is written.
fn direction(isa: Supported, vector: &[f32], out: &mut [f32]) {
    let norm = libm::sqrt(kernel::sum_of_squares(isa, vector));
    if norm > 0.0 && norm.is_finite() {
        kernel::scale_row(isa, vector, out, 1.0 / norm);
    }
}

/// Draws as many rows as there are centroids, without replacement, and makes centroids of them.
fn draw(isa: Supported, sample: &Matrix<f32>, seed: u64, centroids: &mut [f32]) {
    let mut random = Random::new(seed);
    let mut centroids = centroids.chunks_exact_mut(sample.dim());
    for row in 0..sample.rows() {
        // Selection sampling: with the chance (still wanted / still to come).
        if random.below(sample.rows() - row) < centroids.len()
            && let (Some(centroid), Some(row)) = (centroids.next(), sample.row(row))
        {
            centroid.copy_from_slice(row);
            direction(isa, row, centroid);
        }
    }
}

/// Gives every list that no row has chosen the worst served row of the list that is then the largest. `counts` is work memory.
fn fill_empty_lists(scores: &mut [f32], list_of: &mut [u32], lists: usize, counts: &mut [u32]) {
    counts.fill(0);
    for list in list_of.iter() {
        if let Some(count) = counts.get_mut(*list as usize) {
            *count = count.wrapping_add(1);
        }
    }
    for empty in 0..lists {
        if counts.get(empty) != Some(&0) {
            continue;
        }
        let (largest, count) =
            counts.iter().enumerate().fold((0, 0), |most, (list, count)| if *count > most.1 { (list, *count) } else { most });
        if count < 2 {
            return;
        }
        let of_largest = scores.iter_mut().zip(list_of.iter_mut()).filter(|(_, list)| **list as usize == largest);
        let worst = of_largest.reduce(|worst, other| if *other.0 < *worst.0 { other } else { worst });
        if let Some((score, list)) = worst {
            // It is its own centroid now, and nobody else's worst.
            (*score, *list) = (f32::INFINITY, empty as u32);
        }
        for (list, change) in [(largest, u32::MAX), (empty, 1)] {
            if let Some(count) = counts.get_mut(list) {
                *count = count.wrapping_add(change);
            }
        }
    }
}

/// Assigns rows of a range to the centroids with the largest inner products (the first of equals): `list_of[i]` is that of row
/// `rows.start + i`. Ranges may go to any thread.
///
/// `centroids`: those of [`coarse_train`], or for codes their codes. O(rows * centroids * dim). `scratch`:
/// [`neighbors_scratch`](crate::neighbors_scratch) of k = 1; down to 8,192 bytes, slower.
///
/// # Errors
/// `Dim`, `K` (no centroids), `Range`, `Capacity` (`scratch`, `list_of`), `Value` (NaN or infinity in the range or the centroids).
pub fn coarse_assign<T: Element>(
    rows: &Matrix<T>,
    centroids: &Matrix<T>,
    range: Range<usize>,
    scratch: &mut [u8],
    list_of: &mut [u32],
) -> Result<()> {
    ensure(rows.dim() == centroids.dim(), Status::Dim, "centroids")?;
    ensure(centroids.rows() > 0, Status::K, "centroids")?;
    let span = row_span(&range, rows.rows())?;
    ensure(scratch.len() >= ASSIGN_MIN, Status::Capacity, "scratch")?;
    let list_of = list_of.get_mut(..span.count).ok_or(Error { status: Status::Capacity, argument: "list_of" })?;
    let isa = cpu::active();
    ensure_finite(isa, rows, span, "rows")?;
    ensure_finite(isa, centroids, Span::new(0, centroids.rows()), "centroids")?;
    let (own, tiles) = scratch.split_at_mut_checked(scratch.len() / 4).ok_or(TOO_SMALL)?;
    let scores = kernel::f32_part(own);
    let mut first = span.first;
    for list_of in list_of.chunks_mut(scores.len().max(1)) {
        nearest(isa, rows, Span::new(first, list_of.len()), centroids, tiles, scores, list_of)?;
        first += list_of.len();
    }
    Ok(())
}

/// Least scratch of [`coarse_assign`]: a quarter of it is for scores, the rest for the tiles.
pub(crate) const ASSIGN_MIN: usize = 2 * SCRATCH_MIN;

/// The best centroid of each row, and its score.
fn nearest<T: Element>(
    isa: Supported,
    rows: &Matrix<T>,
    span: Span,
    centroids: &Matrix<T>,
    tiles: &mut [u8],
    scores: &mut [f32],
    lists: &mut [u32],
) -> Result<()> {
    scores.fill(f32::NEG_INFINITY);
    lists.fill(0);
    kernel::tile_pass(isa, rows, span, centroids, tiles, &mut Nearest { scores, lists }).ok_or(TOO_SMALL)
}

/// Keeps the best of each row. Panels come in an order that depends on the tile, so that of equals the first has to be found by its number.
struct Nearest<'a> {
    scores: &'a mut [f32],
    lists: &'a mut [u32],
}

impl Sink for Nearest<'_> {
    fn limit(&mut self, row: usize) -> f32 {
        self.scores.get(row).map_or(f32::INFINITY, |score| score.next_down())
    }

    fn take(&mut self, row: usize, first: usize, scores: &[f32], mask: u64) {
        let (Some(best), Some(list)) = (self.scores.get_mut(row), self.lists.get_mut(row)) else { return };
        for at in bits(mask) {
            let (Some(&score), id) = (scores.get(at), (first + at) as u32) else { continue };
            if score.is_finite() && (score > *best || (score == *best && id < *list)) {
                (*best, *list) = (score, id);
            }
        }
    }
}

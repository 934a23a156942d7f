//! Centroids: seeded spherical k-means on the tile kernel, and the assignment of rows to them.

use super::lists::{counting_sort, list};
use crate::cpu::{self, Supported};
use crate::dot::{ensure_finite, row_span};
use crate::kernel::{self, SCRATCH_MIN, Sink, Span, TILE_BYTES, words_as};
use crate::matrix::{Matrix, span};
use crate::random::Random;
use crate::status::{Error, Result, Status, ensure};
use crate::topk::bits;
use core::num::NonZeroUsize;
use core::ops::Range;

/// Least scratch of [`coarse_assign`]: that of the tiles, and one row's score at any alignment.
pub(crate) const ASSIGN_MIN: usize = SCRATCH_MIN + 8;

const TOO_SMALL: Error = Error { status: Status::Capacity, argument: "scratch" };

/// The list of each row of a range: the centroid with the largest inner product, ties by the lower list; `assigned[i]` is that of row
/// `rows.start + i`. A row without a finite similarity goes to list 0. Rows can be assigned in any ranges, by any threads, and new rows
/// later: the bits are the same; then [`coarse_lists`](crate::coarse_lists) anew, O(rows).
///
/// O(rows * lists * dim). Memory: `scratch` of [`neighbors_scratch`](crate::neighbors_scratch) bytes (down to 4,104, slower).
///
/// # Errors
/// `Dim`, `K` (no centroids), `Range`, `Capacity` (`scratch`, `assigned`), `Value` (NaN or infinity in the range or the centroids).
pub fn coarse_assign(
    m: &Matrix<f32>,
    centroids: &Matrix<f32>,
    rows: Range<usize>,
    scratch: &mut [u8],
    assigned: &mut [u32],
) -> Result<()> {
    ensure(m.dim() == centroids.dim(), Status::Dim, "centroids")?;
    ensure(centroids.rows() > 0, Status::K, "centroids")?;
    let span = row_span(&rows, m.rows())?;
    ensure(scratch.len() >= ASSIGN_MIN, Status::Capacity, "scratch")?;
    ensure(assigned.len() >= span.count, Status::Capacity, "assigned")?;
    let isa = cpu::active();
    ensure_finite(isa, m, span, "rows")?;
    ensure_finite(isa, centroids, Span::new(0, centroids.rows()), "centroids")?;
    let words = kernel::u32_part(scratch);
    let tiles = kernel::tile_bytes::<f32>(isa, m.dim(), centroids.rows()) / 4 + 16;
    let scores = words.len().saturating_sub(tiles).max(words.len().saturating_sub(SCRATCH_MIN / 4) / 2).clamp(1, 16_384);
    let (scores, tiles) = words.split_at_mut_checked(scores).ok_or(TOO_SMALL)?;
    for chunk in span.parts(scores.len()) {
        let part = assigned.get_mut(chunk.first - span.first..).and_then(|a| a.get_mut(..chunk.count)).unwrap_or_default();
        let scores = words_as::<f32>(scores).get_mut(..chunk.count).unwrap_or_default();
        assign(isa, m, chunk, centroids, words_as(tiles), part, scores).ok_or(TOO_SMALL)?;
    }
    Ok(())
}

fn assign(
    isa: Supported,
    m: &Matrix<f32>,
    rows: Span,
    centroids: &Matrix<f32>,
    tiles: &mut [u8],
    lists: &mut [u32],
    scores: &mut [f32],
) -> Option<()> {
    lists.fill(0);
    scores.fill(f32::NEG_INFINITY);
    kernel::tile_pass(isa, m, rows, centroids, tiles, &mut Best { lists, scores })
}

/// The best centroid of each row.
struct Best<'a> {
    lists: &'a mut [u32],
    scores: &'a mut [f32],
}

impl Sink for Best<'_> {
    fn limit(&mut self, row: usize) -> f32 {
        // Of equal similarities the first list is taken, and lists come in any order.
        self.scores.get(row).map_or(f32::INFINITY, |best| best.next_down())
    }

    fn take(&mut self, row: usize, first: usize, scores: &[f32], mask: u64) {
        let (Some(best), Some(list)) = (self.scores.get_mut(row), self.lists.get_mut(row)) else { return };
        for at in bits(mask) {
            let l = (first + at) as u32;
            if let Some(&score) = scores.get(at)
                && score < f32::INFINITY
                && (score > *best || (score == *best && l < *list))
            {
                (*best, *list) = (score, l);
            }
        }
    }
}

/// Bytes that [`coarse_train`] can do without, slower.
pub(crate) const SPARE: usize = TILE_BYTES - SCRATCH_MIN;

/// Recommended bytes of scratch of [`coarse_train`] for a sample of so many rows: 12 bytes a row, 4 a list, 8 a dim, and the tiles'
/// 640 KiB. `usize::MAX` when that is not representable. 651,264 bytes less work too, slower.
pub fn coarse_train_scratch(rows: usize, lists: usize, dim: usize) -> usize {
    let words = rows.checked_mul(3).and_then(|n| n.checked_add(lists)?.checked_add(dim.checked_mul(2)?));
    words.and_then(|n| n.checked_mul(4)?.checked_add(TILE_BYTES + 80)).unwrap_or(usize::MAX)
}

/// Centroids of a sample: `lists` rows of unit length, `centroids[l * dim..]`, by spherical k-means: `rounds` times each row is assigned
/// to the centroid with the largest inner product, and each centroid becomes the mean of its rows, scaled to unit length (Dhillon and
/// Modha, "Concept decompositions for large sparse text data", 2001). It starts from one row of each of `lists` equal stretches of the
/// sample, drawn by `seed`. A centroid without rows takes the worst-fitting row of the largest list.
///
/// About sqrt(rows to be indexed) lists, up to four times as many, from a sample of 50 rows or more a list, are a good start.
/// The same bits on every instruction set with fused multiply-add. Lists may stay empty where the sample has fewer distinct rows.
///
/// O(rounds * rows * lists * dim). Memory: `scratch` of [`coarse_train_scratch`] bytes (down to 651,264 less, slower).
///
/// # Errors
/// `K` (no lists, no rows in the sample, more than 2^32 - 2 lists), `Overflow`, `Capacity` (`scratch`, `centroids`), `Value` (NaN or
/// infinity in the sample).
pub fn coarse_train(
    sample: &Matrix<f32>,
    lists: usize,
    rounds: usize,
    seed: u64,
    scratch: &mut [u8],
    centroids: &mut [f32],
) -> Result<()> {
    let (rows, dim) = (sample.rows(), sample.dim());
    ensure(lists > 0 && rows > 0 && lists < u32::MAX as usize, Status::K, "lists")?;
    let len = span::<f32>(lists, dim, dim, "lists")?;
    ensure(scratch.len() >= coarse_train_scratch(rows, lists, dim) - SPARE, Status::Capacity, "scratch")?;
    let centroids = centroids.get_mut(..len);
    ensure(centroids.is_some(), Status::Capacity, "centroids")?;
    let centroids = centroids.unwrap_or_default();
    let isa = cpu::active();
    ensure_finite(isa, sample, Span::new(0, rows), "sample")?;

    let (sum, words) = kernel::f64_part(scratch).split_at_mut_checked(dim).ok_or(TOO_SMALL)?;
    let words = kernel::words_of(words);
    let (assigned, words) = words.split_at_mut_checked(rows).ok_or(TOO_SMALL)?;
    let (scores, words) = words.split_at_mut_checked(rows).ok_or(TOO_SMALL)?;
    let (ids, words) = words.split_at_mut_checked(rows).ok_or(TOO_SMALL)?;
    let (offsets, tiles) = words.split_at_mut_checked(lists + 1).ok_or(TOO_SMALL)?;
    let (scores, tiles) = (words_as::<f32>(scores), words_as::<u8>(tiles));

    let mut random = Random::new(seed);
    for (l, centroid) in centroids.chunks_exact_mut(dim.max(1)).enumerate() {
        let (first, end) = (stretch(l, lists, rows), stretch(l + 1, lists, rows));
        let row = (first + (random.next() % (end.saturating_sub(first).max(1)) as u64) as usize).min(rows - 1);
        set_unit(isa, centroid, sample.row(row).unwrap_or_default());
    }
    for _ in 0..rounds {
        let view = Matrix::new(&*centroids, lists, dim)?;
        assign(isa, sample, Span::new(0, rows), &view, tiles, assigned, scores).ok_or(TOO_SMALL)?;
        counting_sort(assigned, offsets, ids);
        for (l, centroid) in centroids.chunks_exact_mut(dim.max(1)).enumerate() {
            let Span { first, count } = list(offsets, l);
            sum.fill(0.0);
            for id in ids.iter().skip(first).take(count) {
                let row = sample.row(*id as usize).unwrap_or_default();
                sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += f64::from(*x));
            }
            set_direction(centroid, sum);
        }
        fill_empty(isa, sample, centroids, offsets, ids, scores);
    }
    Ok(())
}

/// Where stretch `l` of `lists` begins.
fn stretch(l: usize, lists: usize, rows: usize) -> usize {
    let lists = NonZeroUsize::new(lists).unwrap_or(NonZeroUsize::MIN);
    l * (rows / lists) + l.min(rows % lists)
}

/// The row, scaled to unit length; zeros stay.
fn set_unit(isa: Supported, centroid: &mut [f32], row: &[f32]) {
    let squares = kernel::sum_of_squares(isa, row);
    kernel::scale_row(isa, row, centroid, if squares > 0.0 { 1.0 / libm::sqrt(squares) } else { 1.0 });
}

/// The direction of a sum; a sum without one leaves the centroid as it is.
fn set_direction(centroid: &mut [f32], sum: &[f64]) {
    // In index order: the bits do not depend on the instruction set.
    let squares: f64 = sum.iter().map(|x| x * x).sum();
    if squares > 0.0 {
        let factor = 1.0 / libm::sqrt(squares);
        centroid.iter_mut().zip(sum).for_each(|(c, x)| *c = (x * factor) as f32);
    }
}

/// Splits the largest list for each that is empty: its centroid becomes the row that fits its own worst. A row is used once.
fn fill_empty(isa: Supported, sample: &Matrix<f32>, centroids: &mut [f32], offsets: &[u32], ids: &[u32], scores: &mut [f32]) {
    let lists = offsets.len() - 1;
    // Empty lists are split off the largest, then the next: all from the largest would leave it with many of its outliers.
    let mut above = (u32::MAX, 0);
    for (l, centroid) in centroids.chunks_exact_mut(sample.dim().max(1)).enumerate() {
        if list(offsets, l).count > 0 {
            continue;
        }
        // Lists by (size descending, list ascending), one after the other, and around again.
        let size = |l: usize| list(offsets, l).count as u32;
        let below = |above: (u32, usize)| {
            (0..lists)
                .map(|l| (size(l), l))
                .filter(|(n, l)| *n > 1 && (*n < above.0 || (*n == above.0 && *l > above.1)))
                .reduce(|a, b| if b.0 > a.0 { b } else { a })
        };
        let Some(donor) = below(above).or_else(|| below((u32::MAX, 0))) else { return };
        above = donor;
        let Span { first, count } = list(offsets, donor.1);
        let members = ids.iter().skip(first).take(count);
        let worst = members.min_by(|a, b| {
            let score = |id: &u32| scores.get(*id as usize).copied().unwrap_or(f32::INFINITY);
            score(a).total_cmp(&score(b)).then(a.cmp(b))
        });
        if let Some(worst) = worst
            && let Some(row) = sample.row(*worst as usize)
        {
            set_unit(isa, centroid, row);
            if let Some(score) = scores.get_mut(*worst as usize) {
                *score = f32::INFINITY;
            }
        }
    }
}

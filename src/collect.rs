//! Collecting each gallery row's k best similarities over the bank: into a neighbour table, or straight into biases.
//!
//! Three ways to keep the k best, chosen by size: newcomers inserted one by one into a sorted row (k small, a small bank, or little
//! scratch); short lists in the scratch, compacted when full, for the larger k, a chunk of gallery rows at a time; and for very
//! large k without room for lists, the newcomers of a strip sorted and merged together. All give the same bits: what is kept is a
//! multiset of values, and it is stored sorted.
#![forbid(unsafe_code)]

use crate::cpu::{MICROCONTROLLER, Supported};
use crate::kernel::{self, STRIP, Sink, Span};
use crate::matrix::{Element, Matrix};
use crate::neighbors::{mean_bias, row_bias};
use crate::shortlist::{Lists, sort_descending};
use crate::status::{Error, Result, Status};
use crate::topk::{bits, insert, merge_batch, sort_batch};
use core::num::NonZeroUsize;
use core::ops::Range;

/// Largest k for which inserting one by one is faster than a short list.
const INSERT_MAX: usize = if MICROCONTROLLER { usize::MAX } else { 32 };

/// Scratch that the tiles get at most beside short lists.
pub(crate) const LIST_TILE_BYTES: usize = 352 * 1024;

/// Largest k for which newcomers are inserted one by one when there is no short list.
const MERGE_MIN: usize = if MICROCONTROLLER { usize::MAX } else { 4096 };

/// Where the k best of the rows go.
pub(crate) enum Target<'a> {
    /// Added to a table of k columns.
    Table(&'a mut [f32]),
    /// Made into biases.
    Bias { out: &'a mut [f32], alpha: f32 },
    /// Nowhere: only finds out whether every row has a bias, and whether one of them overflows f32.
    Check { alpha: f32, overflow: &'a mut bool },
}

impl Target<'_> {
    /// The target of `count` rows from `first` on.
    pub(crate) fn part(&mut self, first: usize, count: usize, k: usize) -> Target<'_> {
        let part = |all: &mut [f32], columns: usize| -> Range<usize> {
            let end = (first + count).wrapping_mul(columns).min(all.len());
            first.wrapping_mul(columns).min(end)..end
        };
        match self {
            Target::Table(table) => {
                let range = part(table, k);
                Target::Table(table.get_mut(range).unwrap_or_default())
            }
            Target::Bias { out, alpha } => {
                let range = part(out, 1);
                Target::Bias { out: out.get_mut(range).unwrap_or_default(), alpha: *alpha }
            }
            Target::Check { alpha, overflow } => Target::Check { alpha: *alpha, overflow },
        }
    }

    /// The values that row `i` starts with.
    pub(crate) fn seed(&self, i: usize, k: usize) -> &[f32] {
        match self {
            Target::Table(table) => table.get(i.wrapping_mul(k)..).and_then(|t| t.get(..k)).unwrap_or_default(),
            _ => &[],
        }
    }

    /// Takes the k best of row `i`, padded, in any order; `work` is memory for as many.
    pub(crate) fn take_unsorted(&mut self, isa: Supported, i: usize, best: &mut [f32], work: &mut [f32]) -> Result<()> {
        // The sum of a bias is taken best first, which mostly makes no difference.
        let sum = if matches!(self, Target::Table(_)) { None } else { kernel::sum_if_exact(isa, best) };
        if sum.is_none() {
            sort_descending(isa, best, work);
        }
        self.take(i, best, sum)
    }

    /// Takes the k best of row `i`, sorted and padded, or (but not into a table) in any order with their sum.
    pub(crate) fn take(&mut self, i: usize, best: &[f32], sum: Option<f64>) -> Result<()> {
        let k = best.len();
        let sum = sum.filter(|_| !MICROCONTROLLER); // which has one way only
        let bias_of = |alpha| match sum {
            Some(sum) => Ok(mean_bias(sum, k, alpha)),
            None => row_bias(best, k, alpha).ok_or(Error { status: Status::K, argument: "k" }),
        };
        match self {
            Target::Table(table) => {
                if let Some(row) = table.get_mut(i.wrapping_mul(k)..).and_then(|t| t.get_mut(..k)) {
                    row.iter_mut().zip(best).for_each(|(to, from)| *to = *from);
                }
            }
            Target::Bias { out, alpha } => {
                let bias = bias_of(*alpha)? as f32 + 0.0;
                if let Some(slot) = out.get_mut(i) {
                    *slot = bias;
                }
            }
            Target::Check { alpha, overflow } => **overflow |= !(bias_of(*alpha)? as f32).is_finite(),
        }
        Ok(())
    }
}

/// Runs the bank pass into a target. All arguments are valid; the scratch has `SCRATCH_MIN` bytes, and 4 k more for a bias.
// One frame less on the stack of a microcontroller.
#[cfg_attr(all(target_os = "none", target_pointer_width = "32"), inline(always))]
pub(crate) fn collect<T: Element>(
    isa: Supported,
    gallery: &Matrix<T>,
    rows: Span,
    bank: &Matrix<T>,
    scratch: &mut [u8],
    k: usize,
    mut target: Target,
) -> Result<()> {
    const TOO_SMALL: Error = Error { status: Status::Capacity, argument: "scratch" };
    // The tiles get what they need for full speed, or three quarters of a smaller scratch; the rest is for the rows' best. The
    // bank is packed anew for every chunk of rows, so where lists are long the tiles leave them more.
    let tiles = kernel::tile_bytes::<T>(isa, gallery.dim(), bank.rows());
    let spare = |tiles: usize| scratch.len().saturating_sub(tiles).max(scratch.len() / 4);
    let list_bytes = spare(tiles.min(LIST_TILE_BYTES));
    let lists = if k > INSERT_MAX && bank.rows() / 4 >= k { Lists::rows_in(list_bytes, k) } else { 0 };
    let use_lists = lists >= rows.count.clamp(1, 8);
    let spare = if use_lists { list_bytes } else { spare(tiles) };
    if !use_lists && let Target::Table(table) = &mut target {
        return kernel::tile_pass(isa, gallery, rows, bank, scratch, &mut Rows { isa, table, k }).ok_or(TOO_SMALL);
    }
    let bytes = if use_lists { spare } else { spare.max(4 * k + 3) };
    if use_lists {
        // Packing the bank anew for every chunk of rows costs most where there are few of them: then it is the chunk that is packed,
        // and the bank that streams past it.
        if let Some(most) = exchanged_rows::<T>(isa, gallery.dim(), k, rows.count, scratch.len()) {
            return collect_exchanged(isa, gallery, rows, bank, scratch, k, target, most).ok_or(TOO_SMALL)?;
        }
        let (spare, tiles) = scratch.split_at_mut_checked(bytes).ok_or(TOO_SMALL)?;
        let mut lists = Lists::new(spare, k).ok_or(TOO_SMALL)?;
        for chunk in rows.parts(Lists::rows_in(bytes, k)) {
            let first = chunk.first - rows.first;
            for i in 0..chunk.count {
                lists.row(i).ok_or(TOO_SMALL)?.begin(target.seed(first + i, k));
            }
            kernel::tile_pass(isa, gallery, chunk, bank, tiles, &mut Listed { isa, lists: &mut lists, k }).ok_or(TOO_SMALL)?;
            for i in 0..chunk.count {
                let mut list = lists.row(i).ok_or(TOO_SMALL)?;
                let (best, work) = list.finish(isa, k);
                target.take_unsorted(isa, first + i, best, work)?;
            }
        }
    } else {
        let (spare, tiles) = scratch.split_at_mut_checked(bytes).ok_or(TOO_SMALL)?;
        let best = kernel::f32_part(spare);
        let columns = NonZeroUsize::new(k).ok_or(TOO_SMALL)?;
        for chunk in rows.parts(best.len() / columns) {
            best.fill(f32::NEG_INFINITY);
            kernel::tile_pass(isa, gallery, chunk, bank, tiles, &mut Rows { isa, table: best, k }).ok_or(TOO_SMALL)?;
            for (i, best) in best.chunks_exact(columns.get()).take(chunk.count).enumerate() {
                target.take(chunk.first - rows.first + i, best, None)?;
            }
        }
    }
    Ok(())
}

/// Gallery rows of a chunk that is packed while the bank streams past it, or `None` where that is not worth it: a multiple of the
/// panel width, the largest whose panels and lists fit, but not so large that the last chunk would be mostly empty.
fn exchanged_rows<T: Element>(isa: Supported, dim: usize, k: usize, rows: usize, bytes: usize) -> Option<usize> {
    const PANELS_MAX: usize = 64;
    let panel = T::tile_shape(isa).width();
    let width = panel.get();
    let fits =
        |&most: &usize| kernel::tile_bytes::<T>(isa, dim, most).saturating_add(Lists::bytes(most, k)).saturating_add(64) <= bytes;
    let most = (2..PANELS_MAX).map(|panels| panels * width).take_while(fits).last().filter(|_| rows >= width)?;
    let chunks = NonZeroUsize::new(rows.div_ceil(NonZeroUsize::new(most)?.get()))?;
    Some(rows.div_ceil(chunks.get()).div_ceil(panel.get()) * width)
}

/// [`collect`] with the sides exchanged, in lists.
#[allow(clippy::too_many_arguments)] // those of `collect`, and how it is cut
fn collect_exchanged<T: Element>(
    isa: Supported,
    gallery: &Matrix<T>,
    rows: Span,
    bank: &Matrix<T>,
    scratch: &mut [u8],
    k: usize,
    mut target: Target,
    most: usize,
) -> Option<Result<()>> {
    let (lists, tiles) = scratch.split_at_mut_checked(Lists::bytes(most, k) + 3)?;
    let mut lists = Lists::new(lists, k)?;
    for chunk in rows.parts(most) {
        let first = chunk.first - rows.first;
        for i in 0..most {
            lists.row(i)?.begin(if i < chunk.count { target.seed(first + i, k) } else { &[] });
            if i >= chunk.count {
                lists.close(i);
            }
        }
        let mut sink = Exchanged { isa, lists: &mut lists, k };
        kernel::tile_pass(isa, bank, Span::new(0, bank.rows()), &gallery.part(chunk), tiles, &mut sink)?;
        for i in 0..chunk.count {
            let mut list = lists.row(i)?;
            let (best, work) = list.finish(isa, k);
            if let Err(error) = target.take_unsorted(isa, first + i, best, work) {
                return Some(Err(error));
            }
        }
    }
    Some(Ok(()))
}

/// Short lists, one for each column.
struct Exchanged<'a, 'b> {
    isa: Supported,
    lists: &'a mut Lists<'b>,
    k: usize,
}

impl Sink for Exchanged<'_, '_> {
    fn limit(&mut self, _: usize) -> f32 {
        f32::INFINITY
    }

    fn column_limits(&self) -> Option<&[f32]> {
        Some(self.lists.cuts())
    }

    fn take(&mut self, _: usize, first: usize, scores: &[f32], mask: u64) {
        for at in bits(mask) {
            if let Some(&score) = scores.get(at) {
                self.lists.push(self.isa, first + at, score, self.k);
            }
        }
    }
}

/// Short lists.
struct Listed<'a, 'b> {
    isa: Supported,
    lists: &'a mut Lists<'b>,
    k: usize,
}

impl Sink for Listed<'_, '_> {
    fn limit(&mut self, row: usize) -> f32 {
        self.lists.cut(row)
    }

    fn take(&mut self, row: usize, _: usize, scores: &[f32], mask: u64) {
        if let Some(mut list) = self.lists.row(row) {
            list.add(self.isa, scores, mask, self.k);
        }
    }
}

/// The rows of a table, newcomers inserted one by one.
struct Rows<'a> {
    isa: Supported,
    table: &'a mut [f32],
    k: usize,
}

impl Sink for Rows<'_> {
    fn limit(&mut self, row: usize) -> f32 {
        // A row that is not there wants nothing.
        self.table.get(row.wrapping_mul(self.k)..).and_then(|t| t.get(self.k - 1)).copied().unwrap_or(f32::INFINITY)
    }

    fn take(&mut self, row: usize, _: usize, scores: &[f32], mask: u64) {
        if let Some(best) = self.table.get_mut(row.wrapping_mul(self.k)..).and_then(|t| t.get_mut(..self.k)) {
            // The limit was that of before the block: at first everything is above it.
            add(self.isa, best, scores, mask);
        }
    }
}

/// Adds the scores whose bit is set to a sorted row; NaN and infinities are left out. At most [`STRIP`] scores.
pub(crate) fn add(isa: Supported, best: &mut [f32], scores: &[f32], mask: u64) {
    if best.len() <= INSERT_MAX && !MICROCONTROLLER {
        return kernel::insert_above(isa, best, scores, mask);
    }
    let Some(&last) = best.last() else { return };
    let mask = mask & kernel::above(isa, scores, last);
    // One zero: -0 becomes +0, so that equal similarities have equal bits whatever the order they came in.
    let newcomers = bits(mask).filter_map(|at| scores.get(at).map(|score| score + 0.0)).filter(|&score| score < f32::INFINITY);
    if best.len() <= MERGE_MIN {
        newcomers.for_each(|score| insert(best, score));
    } else {
        merge_strip(best, newcomers);
    }
}

fn merge_strip(best: &mut [f32], newcomers: impl Iterator<Item = f32>) {
    let mut batch = [0f32; STRIP];
    let mut len = 0;
    for (slot, score) in batch.iter_mut().zip(newcomers) {
        *slot = score;
        len += 1;
    }
    let batch = batch.get_mut(..len).unwrap_or_default();
    sort_batch(batch);
    merge_batch(best, best.len(), batch);
}

#[cfg(test)]
mod tests {
    use crate::{Matrix, Neighbors};
    use std::vec;
    use std::vec::Vec;

    /// Similarities drawn from few values (many ties, zeros of both signs) or from many.
    fn matrix(rows: usize, dim: usize, levels: u32, seed: u32) -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((state >> 8) % levels) as f32 / levels as f32 - 0.5
        };
        (0..rows * dim).map(|_| next()).collect()
    }

    #[test]
    fn every_way_of_keeping_the_best_gives_the_same_bits() {
        for (k, bank_rows, levels) in [
            (33, 140, 3),
            (33, 1000, 1 << 20),
            (64, 900, 2),
            (100, 1500, 1 << 20),
            (256, 2000, 5),
            (256, 1100, 1 << 20),
            (300, 5000, 3),
        ] {
            let (dim, rows) = (5, 9);
            let (gallery, bank) = (matrix(rows, dim, levels, 1), matrix(bank_rows, dim, levels, 2));
            let (gallery, bank) = (Matrix::new(&gallery, rows, dim).unwrap(), Matrix::new(&bank, bank_rows, dim).unwrap());
            let run = |scratch: usize, pieces: usize| {
                let mut table = vec![0.0; rows * k];
                let mut neighbors = Neighbors::init(&mut table, rows, k).unwrap();
                for piece in 0..pieces {
                    let (from, to) = (bank_rows * piece / pieces, bank_rows * (piece + 1) / pieces);
                    let data: Vec<f32> = (from..to).flat_map(|i| bank.row(i).unwrap().to_vec()).collect();
                    let part = Matrix::new(&data, to - from, dim).unwrap();
                    neighbors.update(&gallery, &part, 0..rows, &mut vec![0; scratch]).unwrap();
                }
                table.iter().map(|x| x.to_bits()).collect::<Vec<_>>()
            };
            let inserted = run(4096, 1);
            for (scratch, pieces) in [(1 << 20, 1), (1 << 20, 2), (1 << 18, 1), (1 << 16, 3), (1 << 20, 40)] {
                assert!(run(scratch, pieces) == inserted, "k {k} bank {bank_rows} scratch {scratch} pieces {pieces}");
            }
            let mut bias = vec![0.0; rows];
            crate::bias(&gallery, &bank, k, 0.5, 0..rows, &mut vec![0; 1 << 20], &mut bias).unwrap();
            let mut small = vec![0.0; rows];
            crate::bias(&gallery, &bank, k, 0.5, 0..rows, &mut vec![0; 4096 + 4 * k], &mut small).unwrap();
            assert_eq!(bias, small);
        }
    }
}

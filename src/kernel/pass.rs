//! The bank pass: every gallery row of a range against the whole bank, in blocks that live in the caches, with all work memory
//! from the caller. Scores that exceed the limit of their gallery row go to a *sink*; no M x N matrix ever exists.
//!
//! ```text
//! for each bank block (packed into panels, second cache level)
//!   for each chunk of gallery rows
//!     for each depth part of the block           one part, and chunk = group, unless the dimension is very large
//!       for each group of gallery rows
//!         for each depth run: copy the group's words, multiply with all panels, add to the sums
//!         with the last one: ask the sink for limits, give it the panels with scores above them
//! ```

use super::direct::direct_pass;
use super::tile::{A_STRIDE, DEPTH_BLOCK, GROUP_MAX};
use super::{Dtype, Group, Last, Limits, STRIP, Span, TileShape, pack_panel};
use crate::cpu::{MICROCONTROLLER, Supported};
use crate::matrix::{Element, Matrix};
use crate::topk::Hit;
use core::num::NonZeroUsize;

/// Least scratch of a pass, in bytes: enough for one gallery row against one panel of short depth on every instruction set.
pub(crate) const SCRATCH_MIN: usize = 4096;

/// Scratch with which a pass runs at full speed for every dimension, element type and instruction set.
pub(crate) const TILE_BYTES: usize = 640 * 1024;

/// Most bank rows of a block: their sums for one gallery group stay in the first cache level.
const BLOCK_MAX: usize = 512;

/// Words a packed block should not exceed: half of a common second cache level.
const PACKED_MAX: usize = 512 * 1024 / 4;

/// Words of depth of a block when the whole depth is too much, and gallery rows whose sums are then kept.
const DEPTH_PART: usize = 1024;
const CHUNK_MAX: usize = 128;

/// Gallery rows that a pass takes one after the other.
const RUN: usize = 128;

/// Who takes the scores of a pass.
pub(crate) trait Sink {
    /// Whether all scores are of interest: then limits are NaN, and [`take_all`](Self::take_all) gets them.
    const ALL: bool = false;
    /// What a score of the gallery row (relative to the pass) has to exceed to be of interest.
    fn limit(&mut self, row: usize) -> f32;
    /// Where the sides are exchanged, so that the "bank" is a chunk of the gallery: what a score with each of its rows has to exceed,
    /// for as many rows as it has, up to a multiple of the panel width. Scales are then multiplied in the exchanged order.
    fn column_limits(&self) -> Option<&[f32]> {
        None
    }
    /// Scores of the gallery row with the bank rows `first..`. Those without their bit in the mask are not above the limit, and
    /// undefined. Limits may have risen since they were asked for. Bank rows, and gallery rows, come in any order.
    fn take(&mut self, row: usize, first: usize, scores: &[f32], mask: u64);
    /// Where all are of interest: the scores of the gallery row with a block of bank rows.
    fn take_all(&mut self, row: usize, first: usize, scores: &[f32]) {
        for (i, part) in scores.chunks(STRIP).enumerate() {
            self.take(row, first + i * STRIP, part, u64::MAX >> (64 - part.len().clamp(1, 64)));
        }
    }
}

/// How a pass cuts its work and its scratch.
#[derive(Clone, Copy)]
struct Plan {
    shape: TileShape,
    /// Words of depth in all, per block part, per run of the tile.
    steps: usize,
    part: usize,
    run: usize,
    /// Bank rows per block: a multiple of the panel width.
    block: usize,
    /// Gallery rows per tile group, and per chunk.
    group: usize,
    chunk: usize,
    /// Words for the copied gallery group.
    copied: usize,
}

impl Plan {
    fn new(shape: TileShape, dim: usize, bank_rows: usize, words: usize) -> Option<Plan> {
        let width = shape.width.get();
        let steps = shape.steps(dim);
        let panels = |rows: usize| rows / shape.width * width;
        let wanted = bank_rows.min(BLOCK_MAX).div_ceil(width) * width;
        let copied = shape.rows * A_STRIDE;
        // Per bank row of a block: its packed words, its initial sum and scale, a column of the sums, a share of the masks.
        let rest = words.saturating_sub(copied + 1);
        let own = 2 + 2 * shape.rows.div_ceil(width);
        let fits = rest / (NonZeroUsize::MIN.saturating_add(steps + shape.rows + own));
        let cached = PACKED_MAX.checked_div(steps)?.max(width);
        let whole = panels(fits.min(cached).min(wanted));
        let plan = Plan { shape, steps, part: steps, run: DEPTH_BLOCK, block: whole, group: shape.rows, chunk: shape.rows, copied };
        if whole >= wanted.min(2 * width) {
            return Some(plan);
        }
        let part = steps.min(DEPTH_PART);
        let split = panels((rest / (NonZeroUsize::MIN.saturating_add(part + CHUNK_MAX + own))).min(wanted));
        if split > 0 {
            return Some(Plan { part, block: split, chunk: CHUNK_MAX, ..plan });
        }
        // One gallery row at a time against one panel, as much depth as there is room for.
        let shared = shape.shared.get();
        let part = (words.checked_sub(3 * width + 3)? / shape.width.saturating_add(shared)).min(steps).min(DEPTH_BLOCK);
        let part = part / shape.depth * shape.depth.get();
        (part > 0).then_some(Plan { part, run: part, block: width, group: 1, chunk: 1, copied: part * shared, ..plan })
    }
}

/// Bytes of scratch with which a pass over matrices of this shape runs at full speed; at most [`TILE_BYTES`].
pub(crate) fn tile_bytes<T: Element>(isa: Supported, dim: usize, bank_rows: usize) -> usize {
    let shape = <T as Dtype>::tile_shape(isa);
    let steps = shape.steps(dim);
    let rows = bank_rows.clamp(1, BLOCK_MAX).min((PACKED_MAX / steps.max(1)).max(shape.width.get())) + shape.width.get();
    let words = shape.rows * A_STRIDE + rows * (steps + shape.rows + 3 + 2 * shape.rows.div_ceil(shape.width.get()));
    (4 * words + 64).min(TILE_BYTES)
}

/// Runs the pass. `None`: the scratch is below [`SCRATCH_MIN`], nothing was done.
#[cfg_attr(all(target_os = "none", target_pointer_width = "32"), inline(always))] // as `collect`
pub(crate) fn tile_pass<T: Element, S: Sink>(
    isa: Supported,
    gallery: &Matrix<T>,
    rows: Span,
    bank: &Matrix<T>,
    scratch: &mut [u8],
    sink: &mut S,
) -> Option<()> {
    if MICROCONTROLLER {
        return direct_pass(isa, gallery, rows, bank, scratch, sink);
    }
    let words = aligned_words(scratch);
    let shape = <T as Dtype>::tile_shape(isa);
    let plan = Plan::new(shape, gallery.dim(), bank.rows().max(1), words.len())?;
    let (copied, words) = words.split_at_mut_checked(plan.copied)?;
    let (scales, words) = words.split_at_mut_checked(plan.block)?;
    let scales = as_f32_mut(scales);
    let (init, words) = words.split_at_mut_checked(plan.block)?;
    let (sums, words) = words.split_at_mut_checked(plan.chunk * plan.block)?;
    let (packed, words) = words.split_at_mut_checked(plan.block * plan.part)?;
    let masks = u64_part(words).get_mut(..plan.group * (plan.block / shape.width))?;

    for bank_span in scattered(Span::new(0, bank.rows()), plan.block) {
        for (i, (init, scale)) in init.iter_mut().zip(scales.iter_mut()).enumerate() {
            let row = if i < bank_span.count { bank.row(bank_span.first + i) } else { None };
            *init = row.map_or(0, |row| T::tile_init(isa, row));
            *scale = bank.scale(bank_span.first + i);
        }
        let mut packed_part = None;
        // Rows that follow each other in memory for as long as that helps to fetch them.
        let run = (RUN / plan.chunk.max(1)).max(1) * plan.chunk;
        for chunk in scattered(rows, run).flat_map(|run| run.parts(plan.chunk)) {
            let mut start = 0;
            while start < plan.steps {
                let depth = Span::new(start, plan.part.min(plan.steps - start));
                if packed_part != Some(start) {
                    pack(isa, shape, bank, bank_span, depth, packed)?;
                    packed_part = Some(start);
                }
                let block = Block { bank: bank_span, depth, init, scales, packed };
                multiply(isa, &plan, gallery, chunk, chunk.first - rows.first, &block, copied, sums, masks, sink)?;
                start += depth.count;
            }
        }
    }
    Some(())
}

/// The parts of a span (of `most` rows, the last perhaps of fewer) in the order of their reversed numbers: the first, that from the
/// middle, from the quarters, ... A bank that is sorted by similarity, either way, is met with its best rows spread over the pass, so
/// that few rows beat the limits of their time.
fn scattered(span: Span, most: usize) -> impl Iterator<Item = Span> {
    let most = most.max(1);
    let parts = span.count.div_ceil(most);
    let bits = usize::BITS - parts.saturating_sub(1).leading_zeros();
    let reversed = move |i: usize| i.reverse_bits().checked_shr(usize::BITS - bits).unwrap_or(0);
    let part = move |i: usize| Span::new(span.first + i * most, most.min(span.count - i * most));
    (0..1usize.checked_shl(bits).unwrap_or(usize::MAX)).map(reversed).filter(move |&i| i < parts).map(part)
}

/// A packed part of a bank block.
struct Block<'a> {
    bank: Span,
    depth: Span,
    init: &'a [u32],
    scales: &'a [f32],
    packed: &'a [u32],
}

/// All groups of a chunk, whose first row is row `chunk_row` of the pass, against a packed part of a bank block.
#[allow(clippy::too_many_arguments)] // the state of the pass, split so that the borrows are visible
fn multiply<T: Element, S: Sink>(
    isa: Supported,
    plan: &Plan,
    gallery: &Matrix<T>,
    chunk: Span,
    chunk_row: usize,
    block: &Block,
    copied: &mut [u32],
    sums: &mut [u32],
    masks: &mut [u64],
    sink: &mut S,
) -> Option<()> {
    let Plan { shape, .. } = *plan;
    let Block { bank, depth, .. } = *block;
    let panel_count = NonZeroUsize::new(bank.count.div_ceil(shape.width.get()))?;
    let group_sums = NonZeroUsize::new(plan.group * plan.block)?;
    let shared = shape.shared.get();
    let shared_words = NonZeroUsize::new((A_STRIDE * shared).min(plan.copied))?;
    // Runs of equal length: a short one at the end would cost as much as it computes.
    let runs = NonZeroUsize::new(depth.count.div_ceil(plan.run.max(1)))?;
    let even = depth.count.div_ceil(runs.get()).next_multiple_of(shape.depth.get());
    for (g, sums) in sums.chunks_mut(group_sums.get()).enumerate() {
        let first = g * plan.group;
        if first >= chunk.count {
            break;
        }
        let rows = plan.group.min(chunk.count - first);
        let mut run = 0;
        while run < depth.count {
            let steps = even.min(depth.count - run);
            let at = depth.first + run;
            for (i, words) in copied.chunks_mut(shared_words.get()).take(rows.div_ceil(shared)).enumerate() {
                let (words, done) = (words.get_mut(..steps * shared)?, i * shared);
                if shared == 1 {
                    let row = gallery.row(chunk.first + first + i)?.get(at * shape.codes.get()..)?;
                    T::copy_words(isa, row, words);
                } else {
                    let columns = Span::new(chunk.first + first + done, shared.min(rows - done));
                    pack_panel(isa, TileShape { width: shape.shared, ..shape }, gallery, columns, at, words);
                }
            }
            let (mut limits, mut row_scales) = ([0f32; GROUP_MAX], [0f32; GROUP_MAX]);
            let last = at + steps == plan.steps;
            if last {
                for (i, (limit, scale)) in limits.iter_mut().zip(&mut row_scales).take(rows).enumerate() {
                    *limit = sink.limit(chunk_row + first + i);
                    *scale = gallery.scale(chunk.first + first + i);
                }
            }
            let limits = match sink.column_limits() {
                Some(limits) => Limits::Columns(limits.get(bank.first..)?),
                None => Limits::Rows(&limits),
            };
            let group = Group {
                a: copied,
                rows,
                steps,
                panels: block.packed.get(run * shape.width.get()..)?,
                panel_count: panel_count.get(),
                panel_stride: depth.count * shape.width.get(),
                init: (at == 0).then_some(block.init),
                sums_stride: plan.block,
                last: last.then_some(Last { scales: block.scales, row_scales: &row_scales, limits, masks }),
                next: if last {
                    next_rows(gallery, chunk.first + first + rows, plan.group)
                } else {
                    (gallery.row_ptr(0).cast(), 0)
                },
            };
            T::group(isa, group, sums);
            run += steps;
        }
        if depth.first + depth.count == plan.steps {
            for i in 0..rows {
                let masks = masks.get(i * panel_count.get()..)?.get(..panel_count.get())?;
                let (row, scores) = (chunk_row + first + i, as_f32(sums.get(i * plan.block..)?).get(..bank.count)?);
                if S::ALL {
                    sink.take_all(row, bank.first, scores);
                } else {
                    give(shape, row, bank, scores, masks, sink);
                }
            }
        }
    }
    Some(())
}

/// Gives the panels of a row that have a score of interest to the sink.
fn give(shape: TileShape, row: usize, bank: Span, scores: &[f32], masks: &[u64], sink: &mut impl Sink) {
    let width = shape.width.get();
    // Backwards: in a bank in ascending order of similarity the first panel raises the limit past the others.
    for (p, mask) in masks.iter().enumerate().rev() {
        if *mask != 0
            && let Some(scores) = scores.get(p * width..)
        {
            let scores = scores.get(..width).unwrap_or(scores);
            // Columns past the bank's end have no row.
            let mask = *mask & (u64::MAX >> (64 - scores.len().clamp(1, 64)));
            if mask != 0 {
                sink.take(row, bank.first + p * width, scores, mask);
            }
        }
    }
}

/// The memory of the group that follows, where there is one.
fn next_rows<T: Element>(gallery: &Matrix<T>, first: usize, rows: usize) -> (*const u8, usize) {
    let rows = rows.min(gallery.rows().saturating_sub(first));
    (gallery.row_ptr(first).cast(), rows * gallery.stride() * size_of::<T>())
}

/// Packs `depth` words of the bank rows into panels.
fn pack<T: Element>(isa: Supported, shape: TileShape, bank: &Matrix<T>, rows: Span, depth: Span, packed: &mut [u32]) -> Option<()> {
    let width = shape.width.get();
    let panel_words = NonZeroUsize::new(depth.count * width)?;
    let panels = packed.chunks_exact_mut(panel_words.get());
    for (p, panel) in panels.take(rows.count.div_ceil(width)).enumerate() {
        let done = p * width;
        let columns = Span::new(rows.first + done, width.min(rows.count - done));
        pack_panel(isa, shape, bank, columns, depth.first, panel);
    }
    Some(())
}

/// The part of the scratch that is aligned to a cache line, as words.
fn aligned_words(scratch: &mut [u8]) -> &mut [u32] {
    let skip = scratch.as_ptr().align_offset(64).min(scratch.len());
    // SAFETY: `u32` has no invalid bit patterns, and `align_to_mut` keeps alignment and bounds.
    unsafe { scratch.get_mut(skip..).unwrap_or_default().align_to_mut::<u32>().1 }
}

/// The part of a buffer that is aligned for f32, as f32.
pub(crate) fn f32_part(bytes: &mut [u8]) -> &mut [f32] {
    // SAFETY: `f32` has no invalid bit patterns, and `align_to_mut` keeps alignment and bounds.
    unsafe { bytes.align_to_mut::<f32>().1 }
}

/// The part of a buffer that is aligned for u32, as u32.
pub(crate) fn u32_part(bytes: &mut [u8]) -> &mut [u32] {
    // SAFETY: `u32` has no invalid bit patterns, and `align_to_mut` keeps alignment and bounds.
    unsafe { bytes.align_to_mut::<u32>().1 }
}

/// Types of which every bit pattern is a value, so that work memory can hold them.
///
/// # Safety
/// No padding, no invalid bit patterns, an alignment of at most 4.
pub unsafe trait Plain: Copy {}
// SAFETY: numbers.
unsafe impl Plain for i8 {}
// SAFETY: numbers.
unsafe impl Plain for u8 {}
// SAFETY: numbers.
unsafe impl Plain for f32 {}
// SAFETY: two numbers of four bytes, next to each other.
unsafe impl Plain for Hit {}

/// The same words as elements of another type.
pub(crate) fn words_as<T: Plain>(words: &mut [u32]) -> &mut [T] {
    const { assert!(align_of::<T>() <= align_of::<u32>()) };
    // SAFETY: every bit pattern is a `T`, and `align_to_mut` keeps alignment and bounds.
    unsafe { words.align_to_mut::<T>().1 }
}

/// The part of a buffer that is aligned for f64, as f64.
pub(crate) fn f64_part(bytes: &mut [u8]) -> &mut [f64] {
    // SAFETY: `f64` has no invalid bit patterns, and `align_to_mut` keeps alignment and bounds.
    unsafe { bytes.align_to_mut::<f64>().1 }
}

/// The same numbers as words.
pub(crate) fn words_of(numbers: &mut [f64]) -> &mut [u32] {
    // SAFETY: `u32` has no invalid bit patterns, and `align_to_mut` keeps alignment and bounds.
    unsafe { numbers.align_to_mut::<u32>().1 }
}

/// The same words as f32.
pub(crate) fn as_f32_mut(words: &mut [u32]) -> &mut [f32] {
    // SAFETY: u32 and f32 have the same size and alignment, and every bit pattern is valid for both.
    unsafe { core::slice::from_raw_parts_mut(words.as_mut_ptr().cast(), words.len()) }
}

/// Words as u64, as far as they are aligned.
fn u64_part(words: &mut [u32]) -> &mut [u64] {
    // SAFETY: `u64` has no invalid bit patterns, and `align_to_mut` keeps alignment and bounds.
    unsafe { words.align_to_mut::<u64>().1 }
}

/// The same words as f32.
fn as_f32(words: &[u32]) -> &[f32] {
    // SAFETY: u32 and f32 have the same size and alignment, and every bit pattern is an f32.
    unsafe { core::slice::from_raw_parts(words.as_ptr().cast(), words.len()) }
}

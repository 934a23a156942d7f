//! The bank pass: every gallery row of a range against the whole bank, in blocks that live in the caches, with all work memory
//! from the caller. The scores of one gallery row with one bank block at a time go to a *sink*; no M x N matrix ever exists.
//!
//! ```text
//! for each bank block (packed into panels, second cache level)
//!   for each chunk of gallery rows
//!     for each depth part of the block           one part, and chunk = group, unless the dimension is very large
//!       for each group of gallery rows
//!         for each depth run: copy the group's words, multiply with all panels, add to the sums
//!     give the sums of each row of the chunk to the sink
//! ```

use super::tile::{A_STRIDE, DEPTH_BLOCK};
use super::{Dtype, Group, Span, TileShape, pack_panel};
use crate::cpu::Supported;
use crate::matrix::{Element, Matrix};
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
        // Per bank row of a block: its packed words, its initial sum, a column of the sums.
        let rest = words.saturating_sub(copied);
        let fits = rest / (NonZeroUsize::MIN.saturating_add(steps + shape.rows));
        let cached = PACKED_MAX.checked_div(steps)?.max(width);
        let whole = panels(fits.min(cached).min(wanted));
        let plan = Plan { shape, steps, part: steps, run: DEPTH_BLOCK, block: whole, group: shape.rows, chunk: shape.rows, copied };
        if whole >= wanted.min(2 * width) {
            return Some(plan);
        }
        let part = steps.min(DEPTH_PART);
        let split = panels((rest / (NonZeroUsize::MIN.saturating_add(part + CHUNK_MAX))).min(wanted));
        if split > 0 {
            return Some(Plan { part, block: split, chunk: CHUNK_MAX, ..plan });
        }
        // One gallery row at a time against one panel, as much depth as there is room for.
        let shared = shape.shared.get();
        let part = (words.checked_sub(2 * width)? / shape.width.saturating_add(shared)).min(steps).min(DEPTH_BLOCK);
        let part = part / shape.depth * shape.depth.get();
        (part > 0).then_some(Plan { part, run: part, block: width, group: 1, chunk: 1, copied: part * shared, ..plan })
    }
}

/// Bytes of scratch with which a pass over matrices of this shape runs at full speed; at most [`TILE_BYTES`].
pub(crate) fn tile_bytes<T: Element>(isa: Supported, dim: usize, bank_rows: usize) -> usize {
    let shape = <T as Dtype>::tile_shape(isa);
    let steps = shape.steps(dim);
    let rows = bank_rows.clamp(1, BLOCK_MAX).min((PACKED_MAX / steps.max(1)).max(shape.width.get())) + shape.width.get();
    let words = shape.rows * A_STRIDE + rows * (steps + 1 + shape.rows);
    (4 * words + 64).min(TILE_BYTES)
}

/// Runs the pass. The sink gets the gallery row (relative to `rows.first`), the first bank row and the scores with the bank rows
/// from there on; bank rows ascend for each gallery row. `None`: the scratch is below [`SCRATCH_MIN`], nothing was done.
pub(crate) fn tile_pass<T: Element>(
    isa: Supported,
    gallery: &Matrix<T>,
    rows: Span,
    bank: &Matrix<T>,
    scratch: &mut [u8],
    mut sink: impl FnMut(usize, usize, &[f32]),
) -> Option<()> {
    let words = aligned_words(scratch);
    let shape = <T as Dtype>::tile_shape(isa);
    let plan = Plan::new(shape, gallery.dim(), bank.rows().max(1), words.len())?;
    let (copied, words) = words.split_at_mut_checked(plan.copied)?;
    let (init, words) = words.split_at_mut_checked(plan.block)?;
    let (sums, words) = words.split_at_mut_checked(plan.chunk * plan.block)?;
    let packed = words.get_mut(..plan.block * plan.part)?;
    let block = NonZeroUsize::new(plan.block)?;

    let mut bank_first = 0;
    while bank_first < bank.rows() {
        let bank_span = Span::new(bank_first, plan.block.min(bank.rows() - bank_first));
        for (i, slot) in init.iter_mut().enumerate() {
            let row = if i < bank_span.count { bank.row(bank_first + i) } else { None };
            *slot = row.map_or(0, |row| T::tile_init(isa, row));
        }
        let mut packed_part = None;
        let mut row = 0;
        while row < rows.count {
            let chunk = Span::new(rows.first + row, plan.chunk.min(rows.count - row));
            let mut start = 0;
            while start < plan.steps {
                let depth = Span::new(start, plan.part.min(plan.steps - start));
                if packed_part != Some(start) {
                    pack(isa, shape, bank, bank_span, depth, packed)?;
                    packed_part = Some(start);
                }
                multiply(isa, &plan, gallery, chunk, bank_span, depth, init, packed, copied, sums)?;
                start += depth.count;
            }
            for (i, sums) in sums.chunks_exact_mut(block.get()).take(chunk.count).enumerate() {
                let sums = sums.get_mut(..bank_span.count)?;
                T::finish(isa, bank, bank_first, gallery.scale(chunk.first + i), sums);
                sink(row + i, bank_first, as_f32(sums));
            }
            row += chunk.count;
        }
        bank_first += bank_span.count;
    }
    Some(())
}

/// All groups of a chunk against a packed part of a bank block.
#[allow(clippy::too_many_arguments)] // the state of the pass, split so that the borrows are visible
fn multiply<T: Element>(
    isa: Supported,
    plan: &Plan,
    gallery: &Matrix<T>,
    chunk: Span,
    bank: Span,
    depth: Span,
    init: &[u32],
    packed: &[u32],
    copied: &mut [u32],
    sums: &mut [u32],
) -> Option<()> {
    let Plan { shape, .. } = *plan;
    let group_sums = NonZeroUsize::new(plan.group * plan.block)?;
    let shared = shape.shared.get();
    let shared_words = NonZeroUsize::new((A_STRIDE * shared).min(plan.copied))?;
    for (g, sums) in sums.chunks_mut(group_sums.get()).enumerate() {
        let first = g * plan.group;
        if first >= chunk.count {
            break;
        }
        let rows = plan.group.min(chunk.count - first);
        let mut run = 0;
        while run < depth.count {
            let steps = plan.run.min(depth.count - run);
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
            let group = Group {
                a: copied,
                rows,
                steps,
                panels: packed.get(run * shape.width.get()..)?,
                panel_count: bank.count.div_ceil(shape.width.get()),
                panel_stride: depth.count * shape.width.get(),
                init: (at == 0).then_some(init),
                sums_stride: plan.block,
                next: if at + steps == plan.steps {
                    next_rows(gallery, chunk.first + first + rows, plan.group)
                } else {
                    (gallery.row_ptr(0).cast(), 0)
                },
            };
            T::group(isa, &group, sums);
            run += steps;
        }
    }
    Some(())
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

/// The same words as f32.
pub(crate) fn as_f32_mut(words: &mut [u32]) -> &mut [f32] {
    // SAFETY: u32 and f32 have the same size and alignment, and every bit pattern is valid for both.
    unsafe { core::slice::from_raw_parts_mut(words.as_mut_ptr().cast(), words.len()) }
}

/// The same words as f32.
fn as_f32(words: &[u32]) -> &[f32] {
    // SAFETY: u32 and f32 have the same size and alignment, and every bit pattern is an f32.
    unsafe { core::slice::from_raw_parts(words.as_ptr().cast(), words.len()) }
}

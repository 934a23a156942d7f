//! What a microcontroller runs in place of the tiles and of the grids of codes.
//!
//! The bank pass: one gallery row at a time against the bank where it lies, in flash. Nothing is packed: a camera
//! adds one row now and then, and for one row packing the bank would cost more than the tile saves. The sums have the tile's
//! order, hence its bits.

use super::pass::{Sink, f32_part};
use super::{STRIP, Span};
use crate::cpu::Supported;
use crate::matrix::{Element, Matrix};

/// As [`tile_pass`](super::tile_pass); `None`: the scratch does not hold a strip of scores.
#[inline(always)] // as `collect`
pub(super) fn direct_pass<T: Element, S: Sink>(
    isa: Supported,
    gallery: &Matrix<T>,
    rows: Span,
    bank: &Matrix<T>,
    scratch: &mut [u8],
    sink: &mut S,
) -> Option<()> {
    let strip = f32_part(scratch).get_mut(..STRIP)?;
    let bank_rows = bank.rows();
    for row in 0..rows.count {
        let mut first = 0;
        while first < bank_rows {
            let span = Span::new(first, STRIP.min(bank_rows - first));
            let scores = strip.get_mut(..span.count)?;
            T::column(isa, gallery, rows.first + row, bank, span, scores);
            if S::ALL {
                sink.take_all(row, first, scores);
                first += span.count;
                continue;
            }
            let limit = sink.limit(row);
            let mut mask = 0;
            for (i, score) in scores.iter().enumerate() {
                let limit = sink.column_limits().map_or(limit, |limits| limits.get(first + i).copied().unwrap_or(f32::INFINITY));
                mask |= u64::from(*score > limit) << i;
            }
            sink.take(row, first, scores, mask);
            first += span.count;
        }
    }
    Some(())
}

/// All pairs of a grid of codes, four at a time along its longer side; past the last row it is taken again, its sums dropped.
///
/// # Safety
/// Every row of the grid is valid for `dim` reads, every output position for a write; there is a row.
#[cfg(all(target_os = "none", target_pointer_width = "32"))]
pub(super) unsafe fn grid_i8(g: &super::Grid<i8, u32>) {
    // Sides (rows, stride, count, step in the output) in either order: the product does not care.
    let (one, one_stride, ones, one_step, rows, stride, count, step) = if g.row_count == 1 {
        (g.rows, g.row_stride, g.row_count, 1, g.queries, g.query_stride, g.query_count, g.out_stride)
    } else {
        (g.queries, g.query_stride, g.query_count, g.out_stride, g.rows, g.row_stride, g.row_count, 1)
    };
    for q in 0..ones {
        let mut r = 0;
        while r < count {
            // SAFETY: all indexes stay below the grid's counts.
            unsafe {
                let row = |i: usize| rows.add((r + i).min(count - 1) * stride);
                let sums = crate::simd::micro::four(one.add(q * one_stride), [row(0), row(1), row(2), row(3)], g.dim);
                for sum in sums {
                    if r < count {
                        *g.out.add(q * one_step + r * step) = sum as u32;
                    }
                    r += 1;
                }
            }
        }
    }
}

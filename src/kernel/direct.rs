//! The bank pass of a microcontroller: one gallery row at a time against the bank where it lies, in flash. Nothing is packed: a camera
//! adds one row now and then, and for one row packing the bank would cost more than the tile saves. The sums have the tile's
//! order, hence its bits.

use super::pass::{as_f32, u32_part};
use super::{STRIP, Span};
use crate::cpu::Supported;
use crate::matrix::{Element, Matrix};

/// As [`tile_pass`](super::tile_pass); `None`: the scratch does not hold a strip of scores.
pub(super) fn direct_pass<T: Element>(
    isa: Supported,
    gallery: &Matrix<T>,
    rows: Span,
    bank: &Matrix<T>,
    scratch: &mut [u8],
    mut sink: impl FnMut(usize, usize, &[f32]),
) -> Option<()> {
    let strip = u32_part(scratch).get_mut(..STRIP)?;
    for row in 0..rows.count {
        let mut first = 0;
        while first < bank.rows() {
            let span = Span::new(first, STRIP.min(bank.rows() - first));
            let sums = strip.get_mut(..span.count)?;
            T::column(isa, gallery, rows.first + row, bank, span, sums);
            T::finish(isa, bank, first, gallery.scale(rows.first + row), sums);
            sink(row, first, as_f32(sums));
            first += span.count;
        }
    }
    Some(())
}

//! NNN biases in one call: the k best of each row live in the scratch, a chunk of rows at a time.
//!
//! Source: Chowdhury et al., EMNLP 2024, equation 2.
#![forbid(unsafe_code)]

use crate::collect::{Target, collect};
use crate::cpu;
use crate::dot::{ensure_finite, row_span};
use crate::kernel::{self, Span};
use crate::matrix::{Element, Matrix};
use crate::status::{Result, Status, ensure};
use core::ops::Range;

/// Biases of the gallery rows of a range: `out[i] = alpha * mean of the k largest <bank row, gallery row (rows.start + i)>`.
///
/// The same bits as a [`Neighbors`](crate::Neighbors) table of the same k over the whole bank. O(rows * bank * dim); no memory but
/// `scratch` of [`neighbors_scratch(k, dim)`](crate::neighbors_scratch) bytes (down to 4,096 + 4 k, slower). The finite check
/// reads range and bank once per call, about 1 % of the time at ranges of 1,024 rows.
///
/// # Errors
/// `Dim`, `K` (0, above the bank's rows, or a row has fewer than k finite similarities), `Range`, `Capacity` (`scratch`, `out`),
/// `Value` (NaN or infinity in range, bank or alpha, or a bias that overflows f32). Nothing is written then.
pub fn bias<T: Element>(
    gallery: &Matrix<T>,
    bank: &Matrix<T>,
    k: usize,
    alpha: f32,
    rows: Range<usize>,
    scratch: &mut [u8],
    out: &mut [f32],
) -> Result<()> {
    ensure(gallery.dim() == bank.dim(), Status::Dim, "bank")?;
    ensure(k > 0 && k <= bank.rows(), Status::K, "k")?;
    let span = row_span(&rows, gallery.rows())?;
    let least = k.checked_mul(4).and_then(|table| table.checked_add(kernel::SCRATCH_MIN));
    ensure(least.is_some_and(|least| scratch.len() >= least), Status::Capacity, "scratch")?;
    ensure(out.len() >= span.count, Status::Capacity, "out")?;
    let isa = cpu::active();
    let gallery_max = ensure_finite(isa, gallery, span, "gallery")?;
    let bank_max = ensure_finite(isa, bank, Span::new(0, bank.rows()), "bank")?;
    ensure(alpha.is_finite(), Status::Value, "alpha")?;

    // Products that overflow f32 are no neighbours, so a row may turn out to have fewer than k. Where the magnitudes allow that,
    // a first run finds out before anything is written.
    let bound = T::score_bound(gallery.dim(), gallery_max, bank_max);
    let out = out.get_mut(..span.count).unwrap_or_default();
    let safe = bound.is_finite() && (bound * alpha).is_finite();
    let mut check = !safe;
    loop {
        let mut overflow = false;
        let target = if check { Target::Check { alpha, overflow: &mut overflow } } else { Target::Bias { out, alpha } };
        collect(isa, gallery, span, bank, scratch, k, target)?;
        ensure(!overflow, Status::Value, "alpha")?;
        if !check {
            return Ok(());
        }
        check = false;
    }
}

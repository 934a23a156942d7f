//! Passes over rows and scores as safe functions.

use super::shells::f32_isa;
use super::tile::ChainJob;
use super::{STRIP, Terms};
#[cfg(not(all(target_os = "none", target_pointer_width = "32")))]
use crate::cpu::Isa;
use crate::cpu::Supported;
use crate::matrix::Matrix;

/// Bit `i` says whether `scores[i]` is greater than `threshold`, for the first [`STRIP`] scores.
pub(crate) fn above(isa: Supported, scores: &[f32], threshold: f32) -> u64 {
    // SAFETY: `isa` was detected; the slice holds what is read.
    with_f32_shells!(isa, shell => unsafe { shell::above(scores.as_ptr(), scores.len(), threshold) })
}

/// Room that [`append`] needs.
pub(crate) const APPEND_ROOM: usize = STRIP + 16;

/// Appends the scores whose bit is set, that are above `cut` and finite to `to`, -0 as +0; returns how many. Nothing happens with
/// more than [`STRIP`] scores, or less than [`APPEND_ROOM`].
pub(crate) fn append(isa: Supported, scores: &[f32], mask: u64, cut: f32, to: &mut [f32]) -> usize {
    if scores.len() > STRIP || to.len() < APPEND_ROOM {
        return 0;
    }
    // SAFETY: `isa` was detected; both slices hold what is read and written, no vector being longer than 16.
    with_f32_shells!(isa, shell => unsafe { shell::append(scores.as_ptr(), scores.len(), mask, cut, to.as_mut_ptr()) })
}

/// Inserts those of the scores (at most [`STRIP`]) whose bit is set that beat the last of a row sorted best first; infinities are
/// left out, -0 becomes +0.
pub(crate) fn insert_above(isa: Supported, best: &mut [f32], scores: &[f32], mask: u64) {
    // SAFETY: `isa` was detected.
    with_f32_shells!(isa, shell => unsafe { shell::insert_above(best, scores, mask) })
}

/// Moves the scores above `value` to the front, in order; returns how many there are.
pub(crate) fn retain_above(isa: Supported, scores: &mut [f32], value: f32) -> usize {
    // SAFETY: `isa` was detected.
    with_f32_shells!(isa, shell => unsafe { shell::retain_above(scores, value) })
}

/// As [`retain_above`], with as many ids moved along.
pub(crate) fn retain_pairs_above(isa: Supported, scores: &mut [f32], ids: &mut [u32], value: f32) -> usize {
    let n = scores.len().min(ids.len());
    match (scores.get_mut(..n), ids.get_mut(..n)) {
        // SAFETY: `isa` was detected; both slices have the same length.
        (Some(scores), Some(ids)) => with_f32_shells!(isa, shell => unsafe { shell::retain_pairs_above(scores, ids, value) }),
        _ => 0,
    }
}

/// Sorts scores without NaN, best first, by comparing all with all; `work` has room for them.
pub(crate) fn sort_by_rank(isa: Supported, scores: &mut [f32], work: &mut [f32]) {
    // SAFETY: `isa` was detected.
    with_f32_shells!(isa, shell => unsafe { shell::sort_by_rank(scores, work) })
}

/// The sum in f64, if it does not depend on the order.
pub(crate) fn sum_if_exact(isa: Supported, values: &[f32]) -> Option<f64> {
    // SAFETY: `isa` was detected.
    with_f32_shells!(isa, shell => unsafe { shell::sum_if_exact(values) })
}

/// `scores[i] -= bias[i]`, where there are biases; whether any is then greater than `threshold`.
pub(crate) fn debias(isa: Supported, scores: &mut [f32], bias: Option<&[f32]>, threshold: f32) -> bool {
    // SAFETY: `isa` was detected.
    with_f32_shells!(isa, shell => unsafe { shell::debias(scores, bias, threshold) })
}

/// Largest magnitude as bits; not less than `f32::INFINITY`'s when a value is not finite.
pub(crate) fn max_abs_bits(isa: Supported, values: &[f32]) -> u32 {
    // SAFETY: `isa` was detected.
    with_f32_shells!(isa, shell => unsafe { shell::max_abs_bits(values) })
}

/// How many scores are greater than `value`.
pub(crate) fn count_above(isa: Supported, scores: &[f32], value: f32) -> usize {
    // SAFETY: `isa` was detected.
    with_f32_shells!(isa, shell => unsafe { shell::count_above(scores, value) })
}

/// How many of the finite `scores[i] - bias[i]` (no bias: `scores[i]`) are greater than `value`.
pub(crate) fn count_better(isa: Supported, scores: &[f32], bias: Option<&[f32]>, value: f32) -> usize {
    // SAFETY: `isa` was detected.
    with_f32_shells!(isa, shell => unsafe { shell::count_better(scores, bias, value) })
}

/// Least and greatest order-preserving integer of scores without NaN.
pub(crate) fn min_max(isa: Supported, scores: &[f32]) -> (i32, i32) {
    // SAFETY: `isa` was detected.
    with_f32_shells!(isa, shell => unsafe { shell::min_max(scores) })
}

/// Dots of a row with the rows `ids` of a matrix, each one fused chain in index order as in the tiles; ids outside are ignored.
pub(crate) fn chains(isa: Supported, row: &[f32], m: &Matrix<f32>, ids: &[u32], sums: &mut [f32]) {
    if row.len() != m.dim() || ids.iter().any(|&id| id as usize >= m.rows()) {
        return;
    }
    let job = ChainJob { row: row.as_ptr(), dim: m.dim(), rows: m.row_ptr(0), row_stride: m.stride(), ids };
    // SAFETY: `isa` was detected; the row has the matrix' dim and the ids are rows of it.
    with_f32_shells!(isa, shell => unsafe { shell::chains(job, sums) })
}

/// `|row - scale * codes|^2` in f64.
pub(crate) fn squared_residual(isa: Supported, row: &[f32], codes: &[i8], scale: f32) -> f64 {
    // SAFETY: `isa` was detected.
    with_f32_shells!(isa, shell => unsafe { shell::squared_residual(row, codes, scale) })
}

/// Orthonormal Walsh-Hadamard transform of a power of two of elements; returns the roundings an element goes through.
pub(crate) fn hadamard(isa: Supported, row: &mut [f32]) -> f64 {
    // SAFETY: `isa` was detected.
    with_f32_shells!(isa, shell => unsafe { shell::hadamard(row) })
}

/// Sum of squares in f64.
pub(crate) fn sum_of_squares(isa: Supported, row: &[f32]) -> f64 {
    // SAFETY: `isa` was detected.
    with_f32_shells!(isa, shell => unsafe { shell::sum_of_squares(row) })
}

/// `dst = src * factor`, rounded once.
pub(crate) fn scale_row(isa: Supported, src: &[f32], dst: &mut [f32], factor: f64) {
    // SAFETY: `isa` was detected.
    with_f32_shells!(isa, shell => unsafe { shell::scale_row(src, dst, factor) })
}

/// `dst *= factor`, rounded once.
pub(crate) fn scale_row_in_place(isa: Supported, dst: &mut [f32], factor: f64) {
    // SAFETY: `isa` was detected.
    with_f32_shells!(isa, shell => unsafe { shell::scale_row_in_place(dst, factor) })
}

/// Codes of a row for its scale.
pub(crate) fn quantize_row(isa: Supported, src: &[f32], dst: &mut [i8], scale: f32) {
    // SAFETY: `isa` was detected.
    with_f32_shells!(isa, shell => unsafe { shell::quantize_row(src, dst, scale) })
}

/// Terms of `2^(factor * score)`, times `e^weight` where there are weights, for at most [`TERMS`](super::TERMS) scores; every exponent is within
/// [`T_MAX`](super::T_MAX).
pub(crate) fn exp2_terms(isa: Supported, scores: &[f32], weights: Option<&[f32]>, factor: f32, terms: &mut Terms) {
    let n = weights.map_or(scores.len(), |weights| scores.len().min(weights.len()));
    let weights = weights.map_or(core::ptr::null(), <[f32]>::as_ptr);
    // SAFETY: `isa` was detected; both slices hold `n` elements.
    with_f32_shells!(isa, shell => unsafe { shell::exp2_terms(scores.as_ptr(), weights, n, factor, terms) })
}

/// Least and greatest bin of the first `n` terms.
pub(crate) fn term_bins(isa: Supported, terms: &Terms, n: usize) -> (i32, i32) {
    // SAFETY: `isa` was detected.
    with_f32_shells!(isa, shell => unsafe { shell::term_bins(terms, n) })
}

/// Sum of the first `n` terms, all in `bin`.
pub(crate) fn sum_terms(isa: Supported, terms: &Terms, n: usize, bin: i32) -> u64 {
    // SAFETY: `isa` was detected.
    with_f32_shells!(isa, shell => unsafe { shell::sum_terms(terms, n, bin) })
}

/// Sum of those of the first `n` terms that are in `bin`.
pub(crate) fn sum_terms_in(isa: Supported, terms: &Terms, n: usize, bin: i32) -> u64 {
    // SAFETY: `isa` was detected.
    with_f32_shells!(isa, shell => unsafe { shell::sum_terms_in(terms, n, bin) })
}

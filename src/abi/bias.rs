//! NNN biases in one call.

use super::check::{Described, Facts, Memory, View, judge, judged, output, pair, range};
use super::*;
use crate::kernel::SCRATCH_MIN;
use core::ffi::c_void;

/// Biases of the gallery rows first..first + count in one call, without a table of the caller's: bias[i] = alpha * mean of the k
/// largest <bank row, gallery row first + i>. The bits of nnn_neighbors_init, _update and _bias with the same k.
///
/// bias: count floats. scratch: scratch_len bytes of any content.
///
/// O(count * bank rows * dim) plus one read of the range and of the bank for the finite check (about 1 % at 1,024 rows). Errors:
/// NULL, DIM, K (0, or above the bank's rows), STRIDE, OVERFLOW, RANGE, ALIGN, CAPACITY (scratch below
/// NNN_BIAS_SCRATCH_MIN_BYTES(k)), ALIAS, VALUE (NaN or infinity in the range, the bank or alpha), and what only the sums can tell:
/// K (a row has fewer than k finite similarities), VALUE (a bias beyond the range of float).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_bias_f32(
    gallery: *const MatF32,
    bank: *const MatF32,
    k: usize,
    alpha: f32,
    first: usize,
    count: usize,
    scratch: *mut c_void,
    scratch_len: usize,
    bias: *mut f32,
) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    let judged = unsafe { judge_bias(gallery, bank, k, first, count, scratch.cast(), scratch_len, bias) };
    if judged != NNN_OK {
        return judged;
    }
    // SAFETY: judged.
    unsafe { bias_of(gallery, bank, k, alpha, first, count, scratch.cast(), scratch_len, bias) }
}

/// As nnn_bias_f32, of codes: similarities are ((float)dot * scale of the bank row) * scale of the gallery row, each step rounded
/// once. VALUE is about the scales of the range and the bank, and alpha.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_bias_i8(
    gallery: *const MatI8,
    bank: *const MatI8,
    k: usize,
    alpha: f32,
    first: usize,
    count: usize,
    scratch: *mut c_void,
    scratch_len: usize,
    bias: *mut f32,
) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    let judged = unsafe { judge_bias(gallery, bank, k, first, count, scratch.cast(), scratch_len, bias) };
    if judged != NNN_OK {
        return judged;
    }
    // SAFETY: judged.
    unsafe { bias_of(gallery, bank, k, alpha, first, count, scratch.cast(), scratch_len, bias) }
}

/// The bias itself, of judged arguments.
///
/// # Safety
/// [`judge_bias`] accepted the arguments.
#[allow(clippy::too_many_arguments)] // those of the C function
#[inline(never)]
unsafe fn bias_of<M: Described>(
    gallery: *const M,
    bank: *const M,
    k: usize,
    alpha: f32,
    first: usize,
    count: usize,
    scratch: *mut u8,
    scratch_len: usize,
    bias: *mut f32,
) -> StatusCode {
    // SAFETY: judged.
    let (Some(gallery), Some(bank)) = (unsafe { (judged(gallery), judged(bank)) }) else { return NNN_ERR_NULL };
    // SAFETY: judged.
    let (scratch, bias) = unsafe { (output(scratch, scratch_len), output(bias, count)) };
    code(crate::bias(&gallery, &bank, k, alpha, range(first, count), scratch, bias))
}

/// The checks of a bias call. A function of its own, whose stack is free again when the pass runs.
///
/// # Safety
/// The caller promises what the header asks of its pointers.
#[allow(clippy::too_many_arguments)] // those of the C function
#[inline(never)]
unsafe fn judge_bias<M: Described>(
    gallery: *const M,
    bank: *const M,
    k: usize,
    first: usize,
    count: usize,
    scratch: *mut u8,
    scratch_len: usize,
    bias: *mut f32,
) -> StatusCode {
    // SAFETY: the caller's promise.
    let (Ok(gallery), Ok(bank)) = (unsafe { (View::load(gallery), View::load(bank)) }) else { return NNN_ERR_NULL };
    let shape = pair(&gallery, &bank);
    let least = k.checked_mul(size_of::<f32>()).and_then(|table| table.checked_add(SCRATCH_MIN));
    let facts = Facts {
        k: k > 0 && k <= bank.rows,
        range: shape.range && gallery.holds(first, count),
        capacity: least.is_some_and(|least| scratch_len >= least),
        ..shape
    };
    // Of a count past the end only RANGE is reported, not what would follow from it.
    let len = count.min(gallery.rows);
    let written = [Memory::write(scratch, Some(scratch_len)), Memory::write(bias, Some(len))];
    let (gallery, bank) = (gallery.memory, bank.memory); // the rest of the views need not be in memory
    code(judge(facts, &[&gallery, &bank, &written]))
}

//! The neighbour table.

use super::check::{Described, Facts, Memory, View, input, judge, output, pair, range, rows_fit};
use super::*;
use crate::kernel::SCRATCH_MIN;
use crate::neighbors::{Neighbors, table_bias};
use core::ffi::c_void;

/// ======== Neighbour table ========
///
/// For each gallery row its k largest similarities with the bank, best first, -inf where fewer were seen: rows x k floats, row
/// after row. It is the one state behind the biases of every k up to its own and every alpha. Tables of bank shards merge exactly,
/// tables of gallery shards are concatenated.
///
/// nnn_neighbors_init makes an empty table: all -inf.
///
/// O(rows * k). Errors: NULL, K (0), OVERFLOW, RANGE, ALIGN.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_neighbors_init(table: *mut f32, rows: usize, k: usize) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { init(table, rows, k) })
}

unsafe fn init(table: *mut f32, rows: usize, k: usize) -> Result<()> {
    let len = rows.checked_mul(k);
    judge(table_facts(rows, k), &[&[Memory::write(table, len)]])?;
    // SAFETY: judged.
    let table = unsafe { output(table, len.unwrap_or(0)) };
    Neighbors::init(table, rows, k).map(|_| ())
}

fn table_facts(rows: usize, k: usize) -> Facts {
    Facts { k: k > 0, range: rows_fit(rows), ..Facts::GOOD }
}

/// Recommended bytes of scratch of nnn_neighbors_update_* and nnn_bias_*, good for both element types and every instruction set:
/// 1 MiB, and above k = 98,304 640 KiB + 4 k. SIZE_MAX when that is not representable. NNN_NEIGHBORS_SCRATCH_BYTES(k, dim) is the
/// same as a constant. Less works too, slower: down to NNN_NEIGHBORS_SCRATCH_MIN_BYTES for an update, NNN_BIAS_SCRATCH_MIN_BYTES(k)
/// for a bias.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nnn_neighbors_scratch(k: usize, dim: usize) -> usize {
    crate::neighbors_scratch(k, dim)
}

/// Adds all rows of the bank to what the table rows of the gallery rows first..first + count have seen. Exact, in any order: shards
/// of a bank one after the other give the bits of one update with all of it. An empty bank adds nothing.
///
/// table: count x k floats, the first of them of gallery row `first`, made by nnn_neighbors_init. scratch: scratch_len bytes of any
/// content.
///
/// O(count * bank rows * dim) plus one read of the range and of the bank for the finite check (about 1 % at 1,024 rows). Errors:
/// NULL, DIM, K (0), STRIDE, OVERFLOW, RANGE, ALIGN, CAPACITY (scratch below NNN_NEIGHBORS_SCRATCH_MIN_BYTES), ALIAS, VALUE (NaN or
/// infinity in the range or the bank; table rows that are not in order).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_neighbors_update_f32(
    gallery: *const MatF32,
    bank: *const MatF32,
    k: usize,
    first: usize,
    count: usize,
    scratch: *mut c_void,
    scratch_len: usize,
    table: *mut f32,
) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { update(gallery, bank, k, first, count, scratch.cast(), scratch_len, table) })
}

/// As nnn_neighbors_update_f32, of codes: similarities are ((float)dot * scale of the bank row) * scale of the gallery row, each
/// step rounded once. VALUE is about the scales of the range and the bank, and the table.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_neighbors_update_i8(
    gallery: *const MatI8,
    bank: *const MatI8,
    k: usize,
    first: usize,
    count: usize,
    scratch: *mut c_void,
    scratch_len: usize,
    table: *mut f32,
) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { update(gallery, bank, k, first, count, scratch.cast(), scratch_len, table) })
}

#[allow(clippy::too_many_arguments)] // those of the C function
unsafe fn update<M: Described>(
    gallery: *const M,
    bank: *const M,
    k: usize,
    first: usize,
    count: usize,
    scratch: *mut u8,
    scratch_len: usize,
    table: *mut f32,
) -> Result<()> {
    // SAFETY: the caller's promise.
    let (gallery, bank) = unsafe { (View::load(gallery)?, View::load(bank)?) };
    let shape = pair(&gallery, &bank);
    let facts =
        Facts { k: k > 0, range: shape.range && gallery.holds(first, count), capacity: scratch_len >= SCRATCH_MIN, ..shape };
    // Of a count past the end only RANGE is reported, not what would follow from it.
    let len = count.min(gallery.rows).checked_mul(k);
    let written = [Memory::write(scratch, Some(scratch_len)), Memory::write(table, len)];
    judge(facts, &[&gallery.memory, &bank.memory, &written])?;
    // SAFETY: judged.
    let (gallery, bank) = unsafe { (gallery.matrix()?, bank.matrix()?) };
    // SAFETY: judged.
    let (scratch, table) = unsafe { (output(scratch, scratch_len), output(table, len.unwrap_or(0))) };
    Neighbors::from_table(table, count, k)?.update(&gallery, &bank, range(first, count), scratch)
}

/// Merges a table of the same gallery rows built on other bank rows: `into` keeps the k largest of both. Associative and commutative
/// in every bit.
///
/// into, from: rows x k floats. O(rows * k), no work memory. Errors: NULL, K (0), OVERFLOW, RANGE, ALIGN, ALIAS, VALUE (rows that
/// are not in order, NaN, +inf).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_neighbors_merge(into: *mut f32, from: *const f32, rows: usize, k: usize) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { merge(into, from, rows, k) })
}

unsafe fn merge(into: *mut f32, from: *const f32, rows: usize, k: usize) -> Result<()> {
    let len = rows.checked_mul(k);
    judge(table_facts(rows, k), &[&[Memory::write(into, len), Memory::read(from, len)]])?;
    let len = len.unwrap_or(0);
    // SAFETY: judged.
    let (into, from) = unsafe { (output(into, len), input(from, len)) };
    Neighbors::from_table(into, rows, k)?.merge(from)
}

/// ======== Bias ========
///
/// The biases of a table's rows: bias[r] = alpha * mean of the first k floats of row r, summed best first in double, divided by k,
/// multiplied by alpha, rounded once; -0 becomes +0.
///
/// table: rows x table_k floats, of which the first k <= table_k of each row are read. bias: rows floats.
///
/// O(rows * k), no work memory. Errors: NULL, K (k is 0 or above table_k, or a row has seen fewer than k bank rows), OVERFLOW,
/// RANGE, ALIGN, ALIAS, VALUE (alpha not finite, rows not in order, a bias beyond the range of float).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_neighbors_bias(
    table: *const f32,
    rows: usize,
    table_k: usize,
    k: usize,
    alpha: f32,
    bias: *mut f32,
) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { neighbors_bias(table, rows, table_k, k, alpha, bias) })
}

unsafe fn neighbors_bias(table: *const f32, rows: usize, table_k: usize, k: usize, alpha: f32, bias: *mut f32) -> Result<()> {
    let facts = Facts { k: k > 0 && k <= table_k, ..table_facts(rows, table_k) };
    let len = rows.checked_mul(table_k);
    judge(facts, &[&[Memory::read(table, len), Memory::write(bias, Some(rows))]])?;
    // SAFETY: judged.
    let (table, bias) = unsafe { (input(table, len.unwrap_or(0)), output(bias, rows)) };
    table_bias(table, table_k, k, alpha, bias)
}

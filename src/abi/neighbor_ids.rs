//! The neighbour table with ids.

use super::check::{Described, Facts, Memory, View, input, input_if_given, judge, output, pair, range, rows_fit};
use super::*;
use crate::kernel::SCRATCH_MIN;
use crate::neighbor_ids::{NeighborIds, ids_bias, ids_fit};
use core::ffi::c_void;

/// The id of padding in a table with ids.
pub const NNN_NO_NEIGHBOR: u32 = u32::MAX;

const _: () = assert!(NNN_NO_NEIGHBOR == crate::NO_NEIGHBOR);

/// ======== Neighbour table with ids: banks whose rows expire, galleries that change ========
///
/// rows x k hits instead of floats; ids are those of bank rows. The known neighbours of a row come first, in the order of hits, the rest
/// is padding: id NNN_NO_NEIGHBOR, and as its score a floor that no unknown neighbour is above (-inf: there is none). Known neighbours
/// are exact at all times; a row with k of them has the bias of the whole bank.
///
/// A bank that changes: add rows (update), expire rows (below), recompute the rows that this lists. Keep some columns more than k and
/// few are. alpha changes by nnn_neighbor_ids_bias anew (rows * k), without a bank pass.
///
/// A gallery that changes needs no function: the state of a row is its vector, its table row and its bias, and rows do not depend on
/// each other. To add rows, append the three (the table by init and update of the new range). To remove row r, clear its bit in `allow`
/// of nnn_search_*, or copy the last row's three over it, whose id then is r.
///
/// nnn_neighbor_ids_init makes an empty table. O(rows * k). Errors: NULL, K (0), OVERFLOW, RANGE, ALIGN.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_neighbor_ids_init(table: *mut Hit, rows: usize, k: usize) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { init(table, rows, k) })
}

unsafe fn init(table: *mut Hit, rows: usize, k: usize) -> Result<()> {
    let len = rows.checked_mul(k);
    judge(table_facts(rows, k), &[&[Memory::write(table, len)]])?;
    // SAFETY: judged.
    NeighborIds::init(unsafe { output(table, len.unwrap_or(0)) }, rows, k).map(|_| ())
}

fn table_facts(rows: usize, k: usize) -> Facts {
    Facts { k: k > 0, range: rows_fit(rows), ..Facts::GOOD }
}

/// Adds rows of the bank, row j with the id first_id + j, to what the table rows of the gallery rows first..first + count have seen:
/// nnn_neighbors_update_f32 with ids, in the same bits. Of equal similarities at the end of a row it depends on the order of updates
/// whose id is kept.
///
/// live: one bit per bank row (bit j % 64 of word j / 64), rows without it are left out; or NULL: all. table: count x k hits.
///
/// O(count * bank rows * dim). Errors: NULL, DIM, K (0), STRIDE, OVERFLOW, RANGE (also an id of 2^32 - 1 or above), ALIGN, CAPACITY
/// (scratch below NNN_NEIGHBORS_SCRATCH_MIN_BYTES), ALIAS, VALUE (NaN or infinity in the range or the bank; rows of another table).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_neighbor_ids_update_f32(
    gallery: *const MatF32,
    bank: *const MatF32,
    live: *const u64,
    first_id: usize,
    k: usize,
    first: usize,
    count: usize,
    scratch: *mut c_void,
    scratch_len: usize,
    table: *mut Hit,
) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { update(gallery, bank, live, first_id, k, first, count, scratch.cast(), scratch_len, table) })
}

/// As nnn_neighbor_ids_update_f32, of codes; similarities as nnn_neighbors_update_i8.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_neighbor_ids_update_i8(
    gallery: *const MatI8,
    bank: *const MatI8,
    live: *const u64,
    first_id: usize,
    k: usize,
    first: usize,
    count: usize,
    scratch: *mut c_void,
    scratch_len: usize,
    table: *mut Hit,
) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { update(gallery, bank, live, first_id, k, first, count, scratch.cast(), scratch_len, table) })
}

#[allow(clippy::too_many_arguments)] // those of the C function
unsafe fn update<M: Described>(
    gallery: *const M,
    bank: *const M,
    live: *const u64,
    first_id: usize,
    k: usize,
    first: usize,
    count: usize,
    scratch: *mut u8,
    scratch_len: usize,
    table: *mut Hit,
) -> Result<()> {
    // SAFETY: the caller's promise.
    let (gallery, bank) = unsafe { (View::load(gallery)?, View::load(bank)?) };
    let shape = pair(&gallery, &bank);
    let range_fits = shape.range && gallery.holds(first, count) && ids_fit(first_id, bank.rows);
    let facts = Facts { k: k > 0, range: range_fits, capacity: scratch_len >= SCRATCH_MIN, ..shape };
    // Of a count past the end only RANGE is reported, not what would follow from it.
    let len = count.min(gallery.rows).checked_mul(k);
    let words = bank.rows.div_ceil(64);
    let live_bits = Memory::read_if_given(live, Some(words));
    let written = [Memory::write(scratch, Some(scratch_len)), Memory::write(table, len)];
    judge(facts, &[&gallery.memory, &bank.memory, &[live_bits], &written])?;
    // SAFETY: judged.
    let (gallery, bank, live) = unsafe { (gallery.matrix()?, bank.matrix()?, input_if_given(live, words)) };
    // SAFETY: judged.
    let (scratch, table) = unsafe { (output(scratch, scratch_len), output(table, len.unwrap_or(0))) };
    NeighborIds::from_table(table, count, k)?.update(&gallery, &bank, live, first_id, range(first, count), scratch)
}

/// Merges a table of the same gallery rows built on other bank rows.
///
/// into, from: rows x k hits. O(rows * k), no work memory. Errors: NULL, K (0), OVERFLOW, RANGE, ALIGN, ALIAS, VALUE (no such table).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_neighbor_ids_merge(into: *mut Hit, from: *const Hit, rows: usize, k: usize) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { merge(into, from, rows, k) })
}

unsafe fn merge(into: *mut Hit, from: *const Hit, rows: usize, k: usize) -> Result<()> {
    let len = rows.checked_mul(k);
    judge(table_facts(rows, k), &[&[Memory::write(into, len), Memory::read(from, len)]])?;
    let len = len.unwrap_or(0);
    // SAFETY: judged.
    let (into, from) = unsafe { (output(into, len), input(from, len)) };
    NeighborIds::from_table(into, rows, k)?.merge(from)
}

/// Removes the neighbours that are not live any more, and lists the table rows that then know fewer than k neighbours although more
/// bank rows are live: recompute those (init, then update with the whole bank) before their bias is taken.
///
/// table: rows x table_k hits that have seen every live bank row. live: one bit per id, `ids` of them. short_rows: room for rows
/// numbers, of which *short_count are written, ascending (table rows, from 0).
///
/// O(rows * table_k + ids / 64), no work memory. Errors: NULL, K (k is 0 or above table_k), OVERFLOW, RANGE (an id in the table of ids
/// or above; ids above 2^32 - 1), ALIGN, ALIAS, VALUE (no such table).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_neighbor_ids_expire(
    table: *mut Hit,
    rows: usize,
    table_k: usize,
    k: usize,
    live: *const u64,
    ids: usize,
    short_rows: *mut u32,
    short_count: *mut usize,
) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { expire(table, rows, table_k, k, live, ids, short_rows, short_count) })
}

#[allow(clippy::too_many_arguments)] // those of the C function
unsafe fn expire(
    table: *mut Hit,
    rows: usize,
    table_k: usize,
    k: usize,
    live: *const u64,
    ids: usize,
    short_rows: *mut u32,
    short_count: *mut usize,
) -> Result<()> {
    let facts = Facts { k: k > 0 && k <= table_k, range: rows_fit(rows) && rows_fit(ids), ..Facts::GOOD };
    let len = rows.checked_mul(table_k);
    let words = ids.div_ceil(64);
    let written = [Memory::write(short_rows, Some(rows)), Memory::write(short_count, Some(1))];
    judge(facts, &[&[Memory::write(table, len), Memory::read(live, Some(words))], &written])?;
    // SAFETY: judged.
    let (table, live) = unsafe { (output(table, len.unwrap_or(0)), input(live, words)) };
    // SAFETY: judged; `short_count` is not NULL, aligned and apart from the rest.
    let (short, count) = unsafe { (output(short_rows, rows), &mut *short_count) };
    NeighborIds::shaped(table, rows, table_k)?.expire(k, live, ids, short, count)
}

/// The biases of a table's rows, in the bits of nnn_neighbors_bias.
///
/// table: rows x table_k hits. bias: rows floats. O(rows * table_k), no work memory. Errors: NULL, K (k is 0 or above table_k, or a row
/// knows fewer than k neighbours), OVERFLOW, RANGE, ALIGN, ALIAS, VALUE (alpha not finite, no such table, a bias beyond the range of
/// float).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_neighbor_ids_bias(
    table: *const Hit,
    rows: usize,
    table_k: usize,
    k: usize,
    alpha: f32,
    bias: *mut f32,
) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { bias_of(table, rows, table_k, k, alpha, bias) })
}

unsafe fn bias_of(table: *const Hit, rows: usize, table_k: usize, k: usize, alpha: f32, bias: *mut f32) -> Result<()> {
    let facts = Facts { k: k > 0 && k <= table_k, range: rows_fit(rows), ..Facts::GOOD };
    let len = rows.checked_mul(table_k);
    judge(facts, &[&[Memory::read(table, len), Memory::write(bias, Some(rows))]])?;
    // SAFETY: judged.
    let (table, bias) = unsafe { (input(table, len.unwrap_or(0)), output(bias, rows)) };
    ids_bias(table, table_k, k, alpha, bias)
}

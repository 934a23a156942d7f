//! The coarse index.

use super::check::{Described, Facts, Memory, View, input, input_if_given, judge, output, pair, range, refused, rows_fit, span};
use super::*;
use crate::coarse::{ASSIGN_MIN, SPARE};
use crate::{Matrix, Neighbors};
use core::ffi::c_void;

/// ======== Coarse index ========
///
/// Inverted lists over centroids: biases and debiased search that look at a part of the bank or the gallery only. Rows belong to the
/// list of the centroid with the largest inner product and are laid out list by list; a pass probes the lists of the best centroids.
/// What is scored is scored exactly: with all lists probed the bits are those of the exact pass. An index is plain arrays of the
/// caller, to be kept in any file:
///
///   centroids   lists x dim floats, stride dim: a matrix of one row a list
///   offsets     lists + 1 numbers: list l holds the places offsets[l] to offsets[l + 1] - 1
///   ids         rows numbers: the original row at each place, ascending within a list
///
///   nnn_coarse_train(&sample, lists, 10, seed, scratch, scratch_len, centroids);
///   nnn_coarse_assign(&bank, &c, 0, bank.rows, scratch, scratch_len, assigned);       any ranges, any threads
///   nnn_coarse_lists(assigned, bank.rows, lists, offsets, ids);
///   nnn_coarse_gather_f32(&bank, ids, bank.rows, listed_rows, dim);                   the rows in list order: `listed`
///   nnn_coarse_neighbors_f32(&gallery, &listed, &c, offsets, probes, k, 0, gallery.rows, scratch, scratch_len, table, &pairs);
///   nnn_coarse_bias(table, gallery.rows, k, k, 0.75f, bias, &short_rows);
///
/// New rows: assign them, then nnn_coarse_lists and gather anew, O(rows); the centroids stay. Any content of these arrays is safe;
/// nnn_coarse_check tells whether it is an index.
///
/// Recommended bytes of scratch of nnn_coarse_train: 12 a row, 4 a list, 8 a dim, and 640 KiB. SIZE_MAX when that is not representable.
/// 651,264 less work too, slower. NNN_COARSE_TRAIN_SCRATCH_BYTES(rows, lists, dim) is the same as a constant.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nnn_coarse_train_scratch(rows: usize, lists: usize, dim: usize) -> usize {
    crate::coarse_train_scratch(rows, lists, dim)
}

/// Recommended bytes of scratch of nnn_coarse_neighbors_* for so many gallery rows, and of nnn_coarse_search_* for so many queries:
/// 8 for each of up to 8,192 rows and each of its probes, about 1.2 MiB (256 a probe where those are thousands), and 4 a list. SIZE_MAX
/// when that is not representable. Less works too, slower, down to that of one row.
/// NNN_COARSE_SCRATCH_BYTES(rows, lists, probes, dim) is the same as a constant.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nnn_coarse_scratch(rows: usize, lists: usize, probes: usize, dim: usize) -> usize {
    crate::coarse_scratch(rows, lists, probes, dim)
}

/// Centroids of a sample: lists rows of unit length, dim floats each, by spherical k-means: `rounds` times each row is assigned to the
/// centroid with the largest inner product, and each centroid becomes the mean of its rows, scaled to unit length (Dhillon and Modha,
/// 2001). It starts from one row of each of `lists` equal stretches of the sample, drawn by seed. A centroid without rows takes the
/// worst-fitting row of the largest list. The same bits on every instruction set with fused multiply-add. With fewer distinct rows
/// than lists some lists stay empty.
///
/// Between sqrt(rows to be indexed) and four times as many lists, from 50 sampled rows or more a list, in 10 rounds, are a good start.
///
/// centroids: lists x dim floats. O(rounds * rows * lists * dim). Errors: NULL, DIM, K (no lists, or no rows), STRIDE, OVERFLOW, RANGE,
/// ALIGN, CAPACITY (scratch more than 651,264 bytes below nnn_coarse_train_scratch), ALIAS, VALUE (NaN or infinity in the sample).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_coarse_train(
    sample: *const MatF32,
    lists: usize,
    rounds: usize,
    seed: u64,
    scratch: *mut c_void,
    scratch_len: usize,
    centroids: *mut f32,
) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { train(sample, lists, rounds, seed, scratch.cast(), scratch_len, centroids) })
}

unsafe fn train(
    sample: *const MatF32,
    lists: usize,
    rounds: usize,
    seed: u64,
    scratch: *mut u8,
    scratch_len: usize,
    centroids: *mut f32,
) -> Result<()> {
    // SAFETY: the caller's promise.
    let sample = unsafe { View::load(sample)? };
    let facts = Facts {
        dim: sample.dim_fits(),
        k: lists > 0 && sample.rows > 0,
        stride: sample.stride_fits(),
        range: sample.rows_fit() && rows_fit(lists.saturating_add(1)),
        capacity: scratch_len >= crate::coarse_train_scratch(sample.rows, lists, sample.dim) - SPARE,
    };
    let len = lists.checked_mul(sample.dim);
    let written = [Memory::write(scratch, Some(scratch_len)), Memory::write(centroids, len)];
    judge(facts, &[&sample.memory, &written])?;
    // SAFETY: judged.
    let (sample, scratch, centroids) =
        unsafe { (sample.matrix()?, output(scratch, scratch_len), output(centroids, len.unwrap_or(0))) };
    crate::coarse_train(&sample, lists, rounds, seed, scratch, centroids)
}

/// The list of each row of first..first + count: the centroid with the largest inner product, ties by the lower list; a row without a
/// finite similarity goes to list 0. Ranges in any order and by any threads give the bits of one call.
///
/// assigned: count numbers. scratch: as nnn_neighbors_scratch, less is slower. O(count * lists * dim). Errors: NULL, DIM, K (no
/// centroids), STRIDE, OVERFLOW, RANGE, ALIGN, CAPACITY (scratch below NNN_COARSE_ASSIGN_SCRATCH_MIN_BYTES), ALIAS, VALUE (NaN or
/// infinity in the range or the centroids).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_coarse_assign(
    rows: *const MatF32,
    centroids: *const MatF32,
    first: usize,
    count: usize,
    scratch: *mut c_void,
    scratch_len: usize,
    assigned: *mut u32,
) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { assign(rows, centroids, first, count, scratch.cast(), scratch_len, assigned) })
}

unsafe fn assign(
    rows: *const MatF32,
    centroids: *const MatF32,
    first: usize,
    count: usize,
    scratch: *mut u8,
    scratch_len: usize,
    assigned: *mut u32,
) -> Result<()> {
    // SAFETY: the caller's promise.
    let (rows, centroids) = unsafe { (View::load(rows)?, View::load(centroids)?) };
    let shape = pair(&rows, &centroids);
    let facts = Facts {
        k: centroids.rows > 0,
        range: shape.range && rows.holds(first, count),
        capacity: scratch_len >= ASSIGN_MIN,
        ..shape
    };
    let len = count.min(rows.rows);
    let written = [Memory::write(scratch, Some(scratch_len)), Memory::write(assigned, Some(len))];
    judge(facts, &[&rows.memory, &centroids.memory, &written])?;
    // SAFETY: judged.
    let (rows, centroids) = unsafe { (rows.matrix()?, centroids.matrix()?) };
    // SAFETY: judged.
    let (scratch, assigned) = unsafe { (output(scratch, scratch_len), output(assigned, len)) };
    crate::coarse_assign(&rows, &centroids, range(first, count), scratch, assigned)
}

/// From the list of each row to the lists, by a counting sort.
///
/// assigned: rows numbers below lists. offsets: lists + 1 numbers. ids: rows numbers. O(rows + lists), no work memory. Errors: NULL,
/// OVERFLOW, RANGE (more than 2^32 - 1 rows or 2^32 - 2 lists), ALIGN, ALIAS, VALUE (a list that is not there).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_coarse_lists(
    assigned: *const u32,
    rows: usize,
    lists: usize,
    offsets: *mut u32,
    ids: *mut u32,
) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { make_lists(assigned, rows, lists, offsets, ids) })
}

unsafe fn make_lists(assigned: *const u32, rows: usize, lists: usize, offsets: *mut u32, ids: *mut u32) -> Result<()> {
    let facts = Facts { range: rows_fit(rows) && rows_fit(lists.saturating_add(1)), ..Facts::GOOD };
    let ends = lists.checked_add(1);
    let memory = [Memory::read(assigned, Some(rows)), Memory::write(offsets, ends), Memory::write(ids, Some(rows))];
    judge(facts, &[&memory])?;
    // SAFETY: judged.
    let (assigned, offsets, ids) = unsafe { (input(assigned, rows), output(offsets, ends.unwrap_or(0)), output(ids, rows)) };
    crate::coarse_lists(assigned, offsets, ids)
}

/// Whether offsets and ids are those of an index over so many rows: NNN_OK, or VALUE. Reads all of it, once.
///
/// offsets: lists + 1 numbers. ids: rows numbers. scratch: NNN_COARSE_CHECK_SCRATCH_BYTES(rows), that is rows / 8, rounded up.
/// O(rows + lists). Errors: NULL, OVERFLOW, RANGE (more than 2^32 - 1 rows or 2^32 - 2 lists), ALIGN, CAPACITY (scratch), ALIAS, VALUE
/// (offsets do not ascend from 0 to rows; a row is missing, there twice or not ascending in its list).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_coarse_check(
    rows: usize,
    lists: usize,
    offsets: *const u32,
    ids: *const u32,
    scratch: *mut c_void,
    scratch_len: usize,
) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { check(rows, lists, offsets, ids, scratch.cast(), scratch_len) })
}

unsafe fn check(
    rows: usize,
    lists: usize,
    offsets: *const u32,
    ids: *const u32,
    scratch: *mut u8,
    scratch_len: usize,
) -> Result<()> {
    let facts = Facts {
        range: rows_fit(rows) && rows_fit(lists.saturating_add(1)),
        capacity: scratch_len >= rows.div_ceil(8),
        ..Facts::GOOD
    };
    let ends = lists.checked_add(1);
    let memory = [Memory::read(offsets, ends), Memory::read(ids, Some(rows)), Memory::write(scratch, Some(scratch_len))];
    judge(facts, &[&memory])?;
    // SAFETY: judged.
    let (offsets, ids, scratch) = unsafe { (input(offsets, ends.unwrap_or(0)), input(ids, rows), output(scratch, scratch_len)) };
    crate::coarse_check(rows, offsets, ids, scratch)
}

/// Copies rows in the order of ids: row i of dst is row ids[i] of src. With the ids of nnn_coarse_lists: the rows in list order.
///
/// ids: count numbers. dst: count rows of src->dim floats, dst_stride apart. O(count * dim). Errors: NULL, DIM, STRIDE (of src;
/// dst_stride below the dim), OVERFLOW, RANGE (an id that is no row), ALIGN, ALIAS.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_coarse_gather_f32(
    src: *const MatF32,
    ids: *const u32,
    count: usize,
    dst: *mut f32,
    dst_stride: usize,
) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { gather_f32(src, ids, count, dst, dst_stride) })
}

unsafe fn gather_f32(src: *const MatF32, ids: *const u32, count: usize, dst: *mut f32, dst_stride: usize) -> Result<()> {
    // SAFETY: the caller's promise.
    let src = unsafe { View::load(src)? };
    let len = span(count, src.dim, dst_stride);
    let memory = [Memory::read(ids, Some(count)), Memory::write(dst, len)];
    judge(gather_facts(&src, count, dst_stride), &[&src.memory, &memory])?;
    // SAFETY: judged.
    let (src, ids, dst) = unsafe { (src.matrix()?, input(ids, count), output(dst, len.unwrap_or(0))) };
    crate::coarse_gather(&src, ids, dst, dst_stride)
}

/// As nnn_coarse_gather_f32, of codes. scale: count floats, 1 where src has no scales.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_coarse_gather_i8(
    src: *const MatI8,
    ids: *const u32,
    count: usize,
    dst: *mut i8,
    dst_stride: usize,
    scale: *mut f32,
) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { gather_i8(src, ids, count, dst, dst_stride, scale) })
}

unsafe fn gather_i8(
    src: *const MatI8,
    ids: *const u32,
    count: usize,
    dst: *mut i8,
    dst_stride: usize,
    scale: *mut f32,
) -> Result<()> {
    // SAFETY: the caller's promise.
    let src = unsafe { View::load(src)? };
    let len = span(count, src.dim, dst_stride);
    let memory = [Memory::read(ids, Some(count)), Memory::write(dst, len), Memory::write(scale, Some(count))];
    judge(gather_facts(&src, count, dst_stride), &[&src.memory, &memory])?;
    // SAFETY: judged.
    let (src, ids) = unsafe { (src.matrix()?, input(ids, count)) };
    // SAFETY: judged.
    let (dst, scale) = unsafe { (output(dst, len.unwrap_or(0)), output(scale, count)) };
    crate::coarse_gather_i8(&src, ids, dst, dst_stride, scale)
}

fn gather_facts<M: Described>(src: &View<M>, count: usize, dst_stride: usize) -> Facts {
    let stride = src.stride_fits() && dst_stride >= src.dim;
    Facts { dim: src.dim_fits(), stride, range: src.rows_fit() && rows_fit(count), ..Facts::GOOD }
}

/// Adds to the table rows of the gallery rows first..first + count what their `probes` best lists of the bank hold.
///
/// bank: in list order. The lists of a row are those with the largest inner product of row (codes: code * scale) and centroid, ties by
/// the lower list, empty ones left out. probes = lists, or more, gives the bits of nnn_neighbors_update_*. A row that finds no finite
/// similarity in them goes on with the other lists, in order, until it finds one. table: count x k floats, made by
/// nnn_neighbors_init. *pairs: how many pairs of rows were scored.
///
/// O(count * (lists + probed bank rows) * dim); nothing depends on the size of the bank: its values are not checked, a similarity that
/// is not finite is no neighbour. Errors: NULL, DIM, K (k or probes is 0), STRIDE, OVERFLOW, RANGE, ALIGN, CAPACITY (scratch below
/// nnn_coarse_scratch of one row), ALIAS, VALUE (NaN or infinity in the range or the centroids; offsets that do not ascend from 0 to
/// the bank's rows; table rows that are not in order).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_coarse_neighbors_f32(
    gallery: *const MatF32,
    bank: *const MatF32,
    centroids: *const MatF32,
    offsets: *const u32,
    probes: usize,
    k: usize,
    first: usize,
    count: usize,
    scratch: *mut c_void,
    scratch_len: usize,
    table: *mut f32,
    pairs: *mut u64,
) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe {
        neighbors(gallery, bank, centroids, offsets, probes, k, first, count, scratch.cast(), scratch_len, table, pairs)
    })
}

/// As nnn_coarse_neighbors_f32, of codes; the centroids are floats.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_coarse_neighbors_i8(
    gallery: *const MatI8,
    bank: *const MatI8,
    centroids: *const MatF32,
    offsets: *const u32,
    probes: usize,
    k: usize,
    first: usize,
    count: usize,
    scratch: *mut c_void,
    scratch_len: usize,
    table: *mut f32,
    pairs: *mut u64,
) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe {
        neighbors(gallery, bank, centroids, offsets, probes, k, first, count, scratch.cast(), scratch_len, table, pairs)
    })
}

/// Facts about two matrices and centroids of one dim.
fn indexed<M: Described>(a: &View<M>, b: &View<M>, centroids: &View<MatF32>) -> Facts {
    let (shape, coarse) = (pair(a, b), pair(a, centroids));
    Facts {
        dim: shape.dim && coarse.dim,
        stride: shape.stride && coarse.stride,
        range: shape.range && rows_fit(centroids.rows.saturating_add(1)),
        ..Facts::GOOD
    }
}

#[allow(clippy::too_many_arguments)] // those of the C function
unsafe fn neighbors<M: Described>(
    gallery: *const M,
    bank: *const M,
    centroids: *const MatF32,
    offsets: *const u32,
    probes: usize,
    k: usize,
    first: usize,
    count: usize,
    scratch: *mut u8,
    scratch_len: usize,
    table: *mut f32,
    pairs: *mut u64,
) -> Result<()> {
    // SAFETY: the caller's promise.
    let (gallery, bank, centroids) = unsafe { (View::load(gallery)?, View::load(bank)?, View::load(centroids)?) };
    let shape = indexed(&gallery, &bank, &centroids);
    let facts = Facts {
        k: probes > 0 && k > 0,
        range: shape.range && gallery.holds(first, count),
        capacity: scratch_len >= crate::coarse_scratch(1, centroids.rows, probes, gallery.dim),
        ..shape
    };
    let (ends, len) = (centroids.rows.checked_add(1), count.min(gallery.rows).checked_mul(k));
    let read = [Memory::read(offsets, ends)];
    let written = [Memory::write(scratch, Some(scratch_len)), Memory::write(table, len), Memory::write(pairs, Some(1))];
    judge(facts, &[&gallery.memory, &bank.memory, &centroids.memory, &read, &written])?;
    // SAFETY: judged.
    let (gallery, bank, centroids) = unsafe { (gallery.matrix()?, bank.matrix()?, centroids.matrix()?) };
    // SAFETY: judged.
    let (offsets, scratch) = unsafe { (input(offsets, ends.unwrap_or(0)), output(scratch, scratch_len)) };
    // SAFETY: judged; `pairs` is not NULL, aligned and apart from the rest.
    let (table, pairs) = unsafe { (output(table, len.unwrap_or(0)), &mut *pairs) };
    let mut table = Neighbors::from_table(table, count, k)?;
    crate::coarse_neighbors(&mut table, &gallery, &bank, &centroids, offsets, probes, range(first, count), scratch, pairs)
}

/// As nnn_neighbors_bias, but a row that has seen fewer than k bank rows has alpha times the mean of what it has seen. *short_rows:
/// how many rows those are; many of them mean that more probes are needed.
///
/// O(rows * k), no work memory. Errors: NULL, K (k is 0 or above table_k, or a row has seen none), OVERFLOW, RANGE, ALIGN, ALIAS, VALUE
/// (alpha not finite, rows not in order, a bias beyond the range of float).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_coarse_bias(
    table: *const f32,
    rows: usize,
    table_k: usize,
    k: usize,
    alpha: f32,
    bias: *mut f32,
    short_rows: *mut usize,
) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { coarse_bias(table, rows, table_k, k, alpha, bias, short_rows) })
}

unsafe fn coarse_bias(
    table: *const f32,
    rows: usize,
    table_k: usize,
    k: usize,
    alpha: f32,
    bias: *mut f32,
    short_rows: *mut usize,
) -> Result<()> {
    let facts = Facts { k: k > 0 && k <= table_k, range: rows_fit(rows), ..Facts::GOOD };
    let len = rows.checked_mul(table_k);
    let memory = [Memory::read(table, len), Memory::write(bias, Some(rows)), Memory::write(short_rows, Some(1))];
    judge(facts, &[&memory])?;
    // SAFETY: judged; `short_rows` is not NULL, aligned and apart from the rest.
    let (table, bias, short_rows) = unsafe { (input(table, len.unwrap_or(0)), output(bias, rows), &mut *short_rows) };
    *short_rows = crate::coarse_bias(table, rows, table_k, k, alpha, bias)?;
    Ok(())
}

/// For each query the k rows with the largest <query, row> - bias[row] among those in its `probes` best lists, best first.
///
/// gallery: in list order. ids: gallery->rows numbers. bias, allow and the hits' ids are in terms of the original rows, as in
/// nnn_search_*. The lists of a query are those with the largest inner product of query (codes: code * scale) and centroid, ties by
/// the lower list, empty ones left out. probes = lists, or more, gives the bits of nnn_search_*. *pairs: how many pairs of query and
/// row were scored.
///
/// O(queries * (lists + probed rows) * dim); nothing depends on the size of the gallery: neither its values nor the biases are checked,
/// a row whose debiased score is not finite is no hit, nor is one whose id has no bias. Errors: NULL, DIM, K (k or probes is 0), STRIDE,
/// OVERFLOW, RANGE, ALIGN, CAPACITY (scratch below nnn_coarse_scratch of one row), ALIAS, VALUE (NaN or infinity in the queries or the
/// centroids; offsets that do not ascend from 0 to the gallery's rows).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_coarse_search_f32(
    queries: *const MatF32,
    gallery: *const MatF32,
    centroids: *const MatF32,
    offsets: *const u32,
    ids: *const u32,
    bias: *const f32,
    allow: *const u64,
    probes: usize,
    k: usize,
    scratch: *mut c_void,
    scratch_len: usize,
    hits: *mut Hit,
    found: *mut u32,
    pairs: *mut u64,
) -> StatusCode {
    let index = (centroids, offsets, ids);
    let out = (hits, found, pairs);
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { search(queries, gallery, index, bias, allow, probes, k, scratch.cast(), scratch_len, out) })
}

/// As nnn_coarse_search_f32, of codes; the centroids are floats.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_coarse_search_i8(
    queries: *const MatI8,
    gallery: *const MatI8,
    centroids: *const MatF32,
    offsets: *const u32,
    ids: *const u32,
    bias: *const f32,
    allow: *const u64,
    probes: usize,
    k: usize,
    scratch: *mut c_void,
    scratch_len: usize,
    hits: *mut Hit,
    found: *mut u32,
    pairs: *mut u64,
) -> StatusCode {
    let index = (centroids, offsets, ids);
    let out = (hits, found, pairs);
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { search(queries, gallery, index, bias, allow, probes, k, scratch.cast(), scratch_len, out) })
}

#[allow(clippy::too_many_arguments)] // those of the C function
unsafe fn search<M: Described>(
    queries: *const M,
    gallery: *const M,
    (centroids, offsets, ids): (*const MatF32, *const u32, *const u32),
    bias: *const f32,
    allow: *const u64,
    probes: usize,
    k: usize,
    scratch: *mut u8,
    scratch_len: usize,
    (hits, found, pairs): (*mut Hit, *mut u32, *mut u64),
) -> Result<()> {
    // SAFETY: the caller's promise.
    let (queries, gallery, centroids) = unsafe { (View::load(queries)?, View::load(gallery)?, View::load(centroids)?) };
    let facts = Facts {
        k: probes > 0 && k > 0,
        capacity: scratch_len >= crate::coarse_scratch(1, centroids.rows, probes, queries.dim),
        ..indexed(&queries, &gallery, &centroids)
    };
    let (ends, total, words) = (centroids.rows.checked_add(1), queries.rows.checked_mul(k), gallery.rows.div_ceil(64));
    let read = [Memory::read(offsets, ends), Memory::read(ids, Some(gallery.rows))];
    let optional = [Memory::read_if_given(bias, Some(gallery.rows)), Memory::read_if_given(allow, Some(words))];
    let found_memory = Memory::write(found, Some(queries.rows));
    let written =
        [Memory::write(scratch, Some(scratch_len)), Memory::write(hits, total), found_memory, Memory::write(pairs, Some(1))];
    judge(facts, &[&queries.memory, &gallery.memory, &centroids.memory, &read, &optional, &written])?;
    // SAFETY: judged.
    let (queries, gallery, centroids): (Matrix<_>, Matrix<_>, Matrix<_>) =
        unsafe { (queries.matrix()?, gallery.matrix()?, centroids.matrix()?) };
    // SAFETY: judged.
    let (offsets, ids) = unsafe { (input(offsets, ends.unwrap_or(0)), input(ids, gallery.rows())) };
    // SAFETY: judged.
    let (bias, allow) = unsafe { (input_if_given(bias, gallery.rows()), input_if_given(allow, words)) };
    // SAFETY: judged.
    let (scratch, hits, found) =
        unsafe { (output(scratch, scratch_len), output(hits, total.unwrap_or(0)), output(found, queries.rows())) };
    // SAFETY: judged: not NULL, aligned and apart from the rest.
    let pairs = unsafe { &mut *pairs };
    crate::coarse_search(&queries, &gallery, &centroids, offsets, ids, bias, allow, probes, k, scratch, hits, found, pairs)
}

/// How far biases are from the exact ones, on all rows or a sample: mean and maximum of |bias[i] - exact[i]|, summed in double.
///
/// exact, bias: rows floats. O(rows). Errors: NULL, OVERFLOW, RANGE, ALIGN, ALIAS, VALUE (NaN or infinity).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_bias_error(exact: *const f32, bias: *const f32, rows: usize, error: *mut BiasError) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { bias_error(exact, bias, rows, error) })
}

unsafe fn bias_error(exact: *const f32, bias: *const f32, rows: usize, error: *mut BiasError) -> Result<()> {
    let memory = [Memory::read(exact, Some(rows)), Memory::read(bias, Some(rows)), Memory::write(error, Some(1))];
    judge(Facts { range: rows_fit(rows), ..Facts::GOOD }, &[&memory])?;
    // SAFETY: judged; `error` is not NULL, aligned and apart from the rest.
    let (exact, bias, error) = unsafe { (input(exact, rows), input(bias, rows), &mut *error) };
    *error = crate::bias_error(exact, bias)?;
    Ok(())
}

/// Recall at k of hits against exact ones: the share of the exact hits that are among the hits, over all queries; 1 where there are no
/// exact hits.
///
/// exact, hits: queries x k hits as a search writes them. exact_found, found: queries counts. O(queries * k^2). Errors: NULL, K (0),
/// OVERFLOW, RANGE (a count above k), ALIGN, ALIAS.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_hits_recall(
    exact: *const Hit,
    exact_found: *const u32,
    hits: *const Hit,
    found: *const u32,
    queries: usize,
    k: usize,
    recall: *mut f64,
) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { hits_recall(exact, exact_found, hits, found, queries, k, recall) })
}

unsafe fn hits_recall(
    exact: *const Hit,
    exact_found: *const u32,
    hits: *const Hit,
    found: *const u32,
    queries: usize,
    k: usize,
    recall: *mut f64,
) -> Result<()> {
    let facts = Facts { k: k > 0, range: rows_fit(queries), ..Facts::GOOD };
    let total = queries.checked_mul(k);
    let counts = [Memory::read(exact_found, Some(queries)), Memory::read(found, Some(queries))];
    let lists = [Memory::read(exact, total), Memory::read(hits, total), Memory::write(recall, Some(1))];
    judge(facts, &[&counts, &lists])?;
    let total = total.ok_or(refused(Status::Overflow))?;
    // SAFETY: judged.
    let (exact, hits) = unsafe { (input(exact, total), input(hits, total)) };
    // SAFETY: judged; `recall` is not NULL, aligned and apart from the rest.
    let (exact_found, found, recall) = unsafe { (input(exact_found, queries), input(found, queries), &mut *recall) };
    *recall = crate::hits_recall(exact, exact_found, hits, found, k)?;
    Ok(())
}

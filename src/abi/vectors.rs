//! Rows and matrices: finite check, dot, scores, normalise, quantise.

use super::check::{Described, Facts, Memory, View, input, judge, output, pair, range, span};
use super::*;
use crate::cpu::{self, MICROCONTROLLER};
use crate::matrix::{Element, MAX_DIM};

/// ======== Kernels: dot products and scores ========
///
/// *out = <a, b> of two rows of dim floats, in the order of summation of the scores. The values are not looked at: NaN in, NaN out.
///
/// O(dim). Errors: NULL, DIM, ALIGN, ALIAS.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_dot_f32(a: *const f32, b: *const f32, dim: usize, out: *mut f32) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    unsafe { dot(a, b, dim, out) }
}

/// *out = <a, b> of two rows of dim codes, exact for every code and every dim up to NNN_MAX_DIM.
///
/// O(dim). Errors: NULL, DIM, ALIGN, ALIAS.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_dot_i8(a: *const i8, b: *const i8, dim: usize, out: *mut i32) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    unsafe { dot(a, b, dim, out) }
}

/// Four dot products at once, each with the bits of nnn_dot_f32: out[i] = <query, row i>. What a graph index asks for at every step,
/// in less time than four calls; the rows lie anywhere.
///
/// query, row0 .. row3: dim floats each. out: 4 floats. O(dim). Errors: NULL, DIM, ALIGN, ALIAS.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_dot4_f32(
    query: *const f32,
    row0: *const f32,
    row1: *const f32,
    row2: *const f32,
    row3: *const f32,
    dim: usize,
    out: *mut f32,
) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    unsafe { dot4(query, [row0, row1, row2, row3], dim, out) }
}

/// As nnn_dot4_f32, of codes: exact, as nnn_dot_i8. out: 4 integers.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_dot4_i8(
    query: *const i8,
    row0: *const i8,
    row1: *const i8,
    row2: *const i8,
    row3: *const i8,
    dim: usize,
    out: *mut i32,
) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    unsafe { dot4(query, [row0, row1, row2, row3], dim, out) }
}

// A short pair takes little longer than its call, so what nearly all calls need comes first, in a function that keeps few registers;
// the other calls start anew in the second one.
unsafe fn dot<T: Element>(a: *const T, b: *const T, dim: usize, out: *mut T::Dot) -> StatusCode {
    match cpu::chosen() {
        Some(isa) if surely_good([a, b], dim, out, 1) => {
            // SAFETY: what `surely_good` tests is what `judge_rows` asks.
            unsafe { out.write(T::pair(isa, input(a, dim), input(b, dim))) };
            NNN_OK
        }
        // SAFETY: the caller's promise.
        _ => unsafe { dot_judged(a, b, dim, out) },
    }
}

#[cfg_attr(not(all(target_os = "none", target_pointer_width = "32")), cold, inline(never))]
unsafe fn dot_judged<T: Element>(a: *const T, b: *const T, dim: usize, out: *mut T::Dot) -> StatusCode {
    code(judge_rows([a, b], dim, out, 1).and_then(|()| {
        // SAFETY: judged: not NULL, aligned, apart.
        unsafe { out.write(crate::dot(input(a, dim), input(b, dim))?) };
        Ok(())
    }))
}

unsafe fn dot4<T: Element>(query: *const T, rows: [*const T; 4], dim: usize, out: *mut T::Dot) -> StatusCode {
    let [row0, row1, row2, row3] = rows;
    match cpu::chosen() {
        Some(isa) if surely_good([query, row0, row1, row2, row3], dim, out, 4) => {
            // SAFETY: as in `dot`.
            unsafe { out.cast::<[T::Dot; 4]>().write(T::quad(isa, input(query, dim), rows.map(|row| input(row, dim)))) };
            NNN_OK
        }
        // SAFETY: the caller's promise.
        _ => unsafe { dot4_judged(query, rows, dim, out) },
    }
}

#[cfg_attr(not(all(target_os = "none", target_pointer_width = "32")), cold, inline(never))]
unsafe fn dot4_judged<T: Element>(query: *const T, rows: [*const T; 4], dim: usize, out: *mut T::Dot) -> StatusCode {
    let [row0, row1, row2, row3] = rows;
    code(judge_rows([query, row0, row1, row2, row3], dim, out, 4).and_then(|()| {
        // SAFETY: judged: not NULL, aligned, apart.
        unsafe { out.cast::<[T::Dot; 4]>().write(crate::dot4(input(query, dim), rows.map(|row| input(row, dim)))?) };
        Ok(())
    }))
}

/// Whether [`judge_rows`] is certain to accept: its facts in one test, since a pair takes little longer than the judgement.
#[inline(always)]
fn surely_good<T: Element, const N: usize>(rows: [*const T; N], dim: usize, out: *mut T::Dot, len: usize) -> bool {
    if MICROCONTROLLER {
        return false; // flash is dearer than time
    }
    let (bytes, out_bytes) = (dim.wrapping_mul(size_of::<T>()), len * size_of::<T::Dot>());
    let good = dim.wrapping_sub(1) < MAX_DIM && !out.is_null() && out.addr() & (align_of::<T::Dot>() - 1) == 0;
    rows.iter().fold(good, |good, row| {
        // From `out_bytes` before the row's start to its end, an output would share a byte with it.
        let apart = out.addr().wrapping_sub(row.addr()).wrapping_add(out_bytes - 1) >= bytes.wrapping_add(out_bytes - 1);
        good & !row.is_null() & (row.addr() & (align_of::<T>() - 1) == 0) & apart
    })
}

fn judge_rows<T: Element, const N: usize>(rows: [*const T; N], dim: usize, out: *mut T::Dot, len: usize) -> Result<()> {
    let facts = Facts { dim: dim != 0 && dim <= MAX_DIM, ..Facts::GOOD };
    judge(facts, &[&rows.map(|row| Memory::read(row, Some(dim))), &[Memory::write(out, Some(len))]])
}

/// Scores of all queries with the gallery rows first..first + count: out[q * out_stride + j] = <query q, row first + j>.
///
/// out: queries->rows x count floats, rows out_stride elements apart (out_stride >= count); what lies between rows is not written.
/// The gallery's values are not checked: a row with NaN scores NaN.
///
/// O(queries * count * dim), no work memory. Errors: NULL, DIM, STRIDE, OVERFLOW, RANGE, ALIGN, ALIAS, VALUE (NaN or infinity in
/// the queries).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_scores_f32(
    queries: *const MatF32,
    gallery: *const MatF32,
    first: usize,
    count: usize,
    out: *mut f32,
    out_stride: usize,
) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { scores(queries, gallery, first, count, out, out_stride) })
}

/// As nnn_scores_f32, of codes: ((float)dot * scale of the query) * scale of the row, each step rounded once. VALUE is about the
/// scales of the queries.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_scores_i8(
    queries: *const MatI8,
    gallery: *const MatI8,
    first: usize,
    count: usize,
    out: *mut f32,
    out_stride: usize,
) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { scores(queries, gallery, first, count, out, out_stride) })
}

unsafe fn scores<M: Described>(
    queries: *const M,
    gallery: *const M,
    first: usize,
    count: usize,
    out: *mut f32,
    out_stride: usize,
) -> Result<()> {
    // SAFETY: the caller's promise.
    let (queries, gallery) = unsafe { (View::load(queries)?, View::load(gallery)?) };
    let shape = pair(&queries, &gallery);
    // Of a count past the end only RANGE is reported, not what would follow from it.
    let columns = count.min(gallery.rows);
    let facts = Facts { stride: shape.stride && out_stride >= columns, range: shape.range && gallery.holds(first, count), ..shape };
    let len = if columns == 0 { Some(0) } else { span(queries.rows, columns, out_stride) };
    judge(facts, &[&queries.memory, &gallery.memory, &[Memory::write(out, len)]])?;
    // SAFETY: judged.
    let (queries, gallery, out) = unsafe { (queries.matrix()?, gallery.matrix()?, output(out, len.unwrap_or(0))) };
    crate::scores(&queries, &gallery, range(first, count), out, out_stride)
}

/// ======== Rows: find bad values, normalise, quantise ========
///
/// Looks for a value that is NaN or infinite. NNN_OK when there is none (row and col are not written then); otherwise
/// NNN_ERR_VALUE, and the first such place, row by row, is written to *row and *col.
///
/// O(rows * dim). Errors: NULL, DIM, STRIDE, OVERFLOW, RANGE, ALIGN, ALIAS (nothing is written), VALUE (see above).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_find_nonfinite_f32(m: *const MatF32, row: *mut usize, col: *mut usize) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { find_nonfinite(m, row, col) })
}

unsafe fn find_nonfinite(m: *const MatF32, row: *mut usize, col: *mut usize) -> Result<()> {
    // SAFETY: the caller's promise.
    let m = unsafe { View::load(m)? };
    let facts = Facts { dim: m.dim_fits(), stride: m.stride_fits(), range: m.rows_fit(), ..Facts::GOOD };
    judge(facts, &[&m.memory, &[Memory::write(row, Some(1)), Memory::write(col, Some(1))]])?;
    // SAFETY: judged.
    let matrix = unsafe { m.matrix()? };
    match crate::find_nonfinite(&matrix) {
        None => Ok(()),
        Some((i, j)) => {
            // SAFETY: judged not NULL and aligned.
            unsafe {
                row.write(i);
                col.write(j);
            }
            Err(refused(Status::Value))
        }
    }
}

/// Scales every row to unit length: dst row = src row / |src row|, the length summed in double, each element rounded once. A row of
/// zeros stays zero. No other function normalises.
///
/// dst: src->rows x src->dim floats, rows dst_stride elements apart; what lies between rows is not written. In place: dst ==
/// src->data with dst_stride == src->stride; any other overlap is refused.
///
/// O(rows * dim), no work memory. Errors: NULL, DIM, STRIDE (dst_stride < dim too), OVERFLOW, RANGE, ALIGN, ALIAS, VALUE (NaN or
/// infinity in src).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_normalize_f32(src: *const MatF32, dst: *mut f32, dst_stride: usize) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { normalize(src, dst, dst_stride) })
}

unsafe fn normalize(src: *const MatF32, dst: *mut f32, dst_stride: usize) -> Result<()> {
    // SAFETY: the caller's promise.
    let src = unsafe { View::load(src)? };
    let facts =
        Facts { dim: src.dim_fits(), stride: src.stride_fits() && dst_stride >= src.dim, range: src.rows_fit(), ..Facts::GOOD };
    let len = span(src.rows, src.dim, dst_stride);
    let written = Memory::write(dst, len);
    let [argument, data, scale] = src.memory;
    let in_place = dst.cast_const() == src.data() && dst_stride == src.stride;
    if in_place {
        judge(facts, &[&[argument, written]])?;
        // SAFETY: judged; in place there is no view of `src` beside this one.
        let data = unsafe { output(dst, len.unwrap_or(0)) };
        crate::normalize_in_place(data, src.rows, src.dim, src.stride)
    } else {
        judge(facts, &[&[argument, data, scale, written]])?;
        // SAFETY: judged.
        let (src, dst) = unsafe { (src.matrix()?, output(dst, len.unwrap_or(0))) };
        crate::normalize(&src, dst, dst_stride)
    }
}

/// Symmetric int8 codes with one scale per row: scale = max|x| / 127, code = x / scale rounded to nearest, ties to even, in
/// [-127, 127]. A row of zeros has codes 0 and scale 1. Where max|x| / 127 is below the smallest normal float, the scale is the
/// next float above it.
///
/// dst: src->rows x src->dim codes, rows dst_stride codes apart; what lies between rows is not written. scale: src->rows floats.
///
/// O(rows * dim), no work memory. Errors: NULL, DIM, STRIDE (dst_stride < dim too), OVERFLOW, RANGE, ALIGN, ALIAS, VALUE (NaN or
/// infinity in src).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_quantize_i8(src: *const MatF32, dst: *mut i8, dst_stride: usize, scale: *mut f32) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { quantize(src, dst, dst_stride, scale) })
}

unsafe fn quantize(src: *const MatF32, dst: *mut i8, dst_stride: usize, scale: *mut f32) -> Result<()> {
    // SAFETY: the caller's promise.
    let src = unsafe { View::load(src)? };
    let facts =
        Facts { dim: src.dim_fits(), stride: src.stride_fits() && dst_stride >= src.dim, range: src.rows_fit(), ..Facts::GOOD };
    let len = span(src.rows, src.dim, dst_stride);
    judge(facts, &[&src.memory, &[Memory::write(dst, len), Memory::write(scale, Some(src.rows))]])?;
    // SAFETY: judged.
    let (matrix, dst, scale) = unsafe { (src.matrix()?, output(dst, len.unwrap_or(0)), output(scale, src.rows)) };
    crate::quantize(&matrix, dst, dst_stride, scale)
}

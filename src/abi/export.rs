//! Export to ANN engines, and metric functions for them.

use super::check::{Described, Facts, Memory, View, input, judge, output, range, refused, rows_fit};
use super::*;
use crate::export::{ExportLimits, Form};
use crate::matrix::MAX_DIM;
use core::ffi::c_void;

/// Form of vectors for an index by inner product.
pub const NNN_FORM_INNER_PRODUCT: u32 = 0;
/// Form of vectors for an index by squared or plain Euclidean distance.
pub const NNN_FORM_L2: u32 = 1;
/// Form of vectors for an index by cosine. Cosines divide by the lengths: vectors of the inner-product form are wrong there.
pub const NNN_FORM_COSINE: u32 = 2;

const _: () = {
    assert!(NNN_FORM_INNER_PRODUCT == Form::InnerProduct as u32 && NNN_FORM_L2 == Form::L2 as u32);
    assert!(NNN_FORM_COSINE == Form::Cosine as u32);
    assert!(size_of::<ExportLimits>() == 16);
};

/// ======== Export to ANN engines ========
///
/// Debiased search in an engine that knows inner products, squared distances or cosines only: the bias b of a row r becomes one or two
/// further elements. Exact for rows and queries q of any length (unit length keeps the elements small, which graph indexes like):
///
///   form           row                                                query            score back
///   inner product  [r, b - c]                                         [q, -alpha]      ip - alpha c
///   L2             [r, sqrt(n - r.r + 2 (b - bias_min))]              [q, 0]           (q.q + n - 2 bias_min - d2) / 2
///   cosine         [r, b - c, sqrt(n - r.r + h^2 - (b - c)^2)]        [q, -alpha, 0]   cos * sqrt((n + h^2) (q.q + alpha^2)) - alpha c
///
/// n: the largest r.r. c, h: middle and half width of the biases' range. alpha: 1; or rows carry means (biases of alpha 1) and every
/// query its own alpha, without a new index, but for L2. Never put the inner-product form into a cosine index: it divides by the
/// lengths, and the ranking is wrong without any error.
///
/// Floats of a vector of that form (NNN_FORM_*) for rows of dim floats, rounded up to a multiple of `multiple` (0 counts as 1): the dim
/// of the index, and the out_stride of the writers. SIZE_MAX for an unknown form, or when it is not representable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nnn_export_dim(dim: usize, form: u32, multiple: usize) -> usize {
    Form::from_code(form).map_or(usize::MAX, |form| crate::export_dim(dim, form, multiple))
}

/// Bytes of a vector of codes (nnn_export_rows_i8): dim codes, zeros up to a multiple of 4, scale, bias. SIZE_MAX when that is not
/// representable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nnn_export_bytes(dim: usize) -> usize {
    crate::export_bytes(dim)
}

/// *limits = what the gallery rows first..first + count and their biases lie within; of no rows: limits that any others replace in a
/// merge.
///
/// For rows to come, widen the fields by hand: a row outside is refused by the writers. All rows of an index are written with the same
/// limits, which its scores need too: store them with it. bias: gallery->rows floats.
///
/// O(count * dim), no work memory. Errors: NULL, DIM, STRIDE, OVERFLOW, RANGE, ALIGN, ALIAS, VALUE (NaN or infinity in the range or its
/// biases).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_export_limits_f32(
    gallery: *const MatF32,
    bias: *const f32,
    first: usize,
    count: usize,
    limits: *mut ExportLimits,
) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { limits_of(gallery, bias, first, count, limits) })
}

/// As nnn_export_limits_f32, of codes and their scales.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_export_limits_i8(
    gallery: *const MatI8,
    bias: *const f32,
    first: usize,
    count: usize,
    limits: *mut ExportLimits,
) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { limits_of(gallery, bias, first, count, limits) })
}

unsafe fn limits_of<M: Described>(
    gallery: *const M,
    bias: *const f32,
    first: usize,
    count: usize,
    limits: *mut ExportLimits,
) -> Result<()> {
    // SAFETY: the caller's promise.
    let gallery = unsafe { View::load(gallery)? };
    let bias_memory = [Memory::read(bias, Some(gallery.rows)), Memory::write(limits, Some(1))];
    judge(of_range(&gallery, first, count), &[&gallery.memory, &bias_memory])?;
    // SAFETY: judged.
    let (gallery, bias) = unsafe { (gallery.matrix()?, input(bias, gallery.rows)) };
    let found = crate::export_limits(&gallery, bias, range(first, count))?;
    // SAFETY: judged not NULL and aligned.
    unsafe { limits.write(found) };
    Ok(())
}

/// Widens limits by those of other rows. Any order of merging gives the same.
///
/// O(1). Errors: NULL, ALIGN, ALIAS.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_export_limits_merge(into: *mut ExportLimits, from: *const ExportLimits) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { merge(into, from) })
}

unsafe fn merge(into: *mut ExportLimits, from: *const ExportLimits) -> Result<()> {
    judge(Facts::GOOD, &[&[Memory::write(into, Some(1)), Memory::read(from, Some(1))]])?;
    // SAFETY: judged not NULL, aligned and apart.
    unsafe { (*into).merge(&*from) };
    Ok(())
}

/// Facts about a range of a matrix.
fn of_range<M: Described>(gallery: &View<M>, first: usize, count: usize) -> Facts {
    Facts {
        dim: gallery.dim_fits(),
        stride: gallery.stride_fits(),
        range: gallery.rows_fit() && gallery.holds(first, count),
        ..Facts::GOOD
    }
}

/// Writes the vectors of the gallery rows first..first + count, out_stride floats each: the row, the form's last elements, zeros up to
/// the stride (of the last vector too).
///
/// bias: gallery->rows floats. limits: those of the whole index. form: NNN_FORM_*. out: count * out_stride floats; out_stride >=
/// nnn_export_dim(dim, form, 1).
///
/// O(count * out_stride), no work memory. Errors: NULL, DIM, STRIDE, OVERFLOW, RANGE (also a row outside of the limits), ALIGN, ALIAS,
/// VALUE (NaN or infinity in the range or its biases; an unknown form; limits of no rows or too large for float).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_export_rows_f32(
    gallery: *const MatF32,
    bias: *const f32,
    limits: *const ExportLimits,
    form: u32,
    first: usize,
    count: usize,
    out: *mut f32,
    out_stride: usize,
) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { rows_f32(gallery, bias, limits, form, first, count, out, out_stride) })
}

#[allow(clippy::too_many_arguments)] // those of the C function
unsafe fn rows_f32(
    gallery: *const MatF32,
    bias: *const f32,
    limits: *const ExportLimits,
    form: u32,
    first: usize,
    count: usize,
    out: *mut f32,
    out_stride: usize,
) -> Result<()> {
    let form = Form::from_code(form);
    let width = |dim| crate::export_dim(dim, form.unwrap_or(Form::Cosine), 1);
    // SAFETY: the caller's promise, passed on.
    unsafe {
        write_rows(gallery, bias, limits, first, count, out, out_stride, width, |gallery, bias, limits, out| {
            let form = form.ok_or(refused(Status::Value))?;
            crate::export_rows(gallery, bias, limits, form, range(first, count), out, out_stride)
        })
    }
}

/// Checks and slices of the writers of rows.
#[allow(clippy::too_many_arguments)] // those of the C function
unsafe fn write_rows<M: Described, T>(
    gallery: *const M,
    bias: *const f32,
    limits: *const ExportLimits,
    first: usize,
    count: usize,
    out: *mut T,
    out_stride: usize,
    width: impl Fn(usize) -> usize,
    write: impl FnOnce(&Matrix<M::Element>, &[f32], &ExportLimits, &mut [T]) -> Result<()>,
) -> Result<()> {
    // SAFETY: the caller's promise.
    let gallery = unsafe { View::load(gallery)? };
    let facts = of_range(&gallery, first, count);
    let facts = Facts { stride: facts.stride && out_stride >= width(gallery.dim), ..facts };
    // Of a count past the end only RANGE is reported, not what would follow from it.
    let len = count.min(gallery.rows).checked_mul(out_stride);
    let read = [Memory::read(bias, Some(gallery.rows)), Memory::read(limits, Some(1))];
    judge(facts, &[&gallery.memory, &read, &[Memory::write(out, len)]])?;
    // SAFETY: judged.
    let (gallery, bias, limits) = unsafe { (gallery.matrix()?, input(bias, gallery.rows), &*limits) };
    // SAFETY: judged.
    write(&gallery, bias, limits, unsafe { output(out, len.unwrap_or(0)) })
}

/// Writes rows of codes with scale and bias beside them, out_stride bytes each, for nnn_metric_i8: dim codes, zeros up to a multiple of
/// 4, the scale and b - c as floats, zeros up to the stride (>= nnn_export_bytes(dim)). Limits with bias_min = -bias_max keep b as it
/// is (c = 0).
///
/// O(count * out_stride), no work memory. Errors: as nnn_export_rows_f32.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_export_rows_i8(
    gallery: *const MatI8,
    bias: *const f32,
    limits: *const ExportLimits,
    first: usize,
    count: usize,
    out: *mut c_void,
    out_stride: usize,
) -> StatusCode {
    let write = |gallery: &Matrix<i8>, bias: &[f32], limits: &ExportLimits, out: &mut [i8]| {
        crate::export_codes(gallery, bias, limits, range(first, count), out, out_stride)
    };
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { write_rows(gallery, bias, limits, first, count, out.cast(), out_stride, crate::export_bytes, write) })
}

/// Writes the vectors of queries, as nnn_export_rows_f32 those of rows. alpha: 1, or where rows carry means what their biases shall be
/// multiplied by.
///
/// O(queries * out_stride), no work memory. Errors: NULL, DIM, STRIDE, OVERFLOW, RANGE, ALIGN, ALIAS, VALUE (NaN or infinity in the
/// queries, an unknown form, alpha not finite, or not 1 for L2).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_export_queries_f32(
    queries: *const MatF32,
    form: u32,
    alpha: f32,
    out: *mut f32,
    out_stride: usize,
) -> StatusCode {
    let form = Form::from_code(form);
    let width = |dim| crate::export_dim(dim, form.unwrap_or(Form::Cosine), 1);
    let write = |queries: &Matrix<f32>, out: &mut [f32]| {
        crate::export_queries(queries, form.ok_or(refused(Status::Value))?, alpha, out, out_stride)
    };
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { write_queries(queries, out, out_stride, width, write) })
}

/// As nnn_export_queries_f32, of codes for nnn_metric_i8, out_stride bytes each.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_export_queries_i8(
    queries: *const MatI8,
    alpha: f32,
    out: *mut c_void,
    out_stride: usize,
) -> StatusCode {
    let write = |queries: &Matrix<i8>, out: &mut [i8]| crate::export_query_codes(queries, alpha, out, out_stride);
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { write_queries(queries, out.cast(), out_stride, crate::export_bytes, write) })
}

/// Checks and slices of the writers of queries.
unsafe fn write_queries<M: Described, T>(
    queries: *const M,
    out: *mut T,
    out_stride: usize,
    width: impl Fn(usize) -> usize,
    write: impl FnOnce(&Matrix<M::Element>, &mut [T]) -> Result<()>,
) -> Result<()> {
    // SAFETY: the caller's promise.
    let queries = unsafe { View::load(queries)? };
    let facts = of_range(&queries, 0, 0);
    let facts = Facts { stride: facts.stride && out_stride >= width(queries.dim), ..facts };
    let len = queries.rows.checked_mul(out_stride);
    judge(facts, &[&queries.memory, &[Memory::write(out, len)]])?;
    // SAFETY: judged.
    let (queries, out) = unsafe { (queries.matrix()?, output(out, len.unwrap_or(0))) };
    write(&queries, out)
}

/// Makes what an engine answered for one query into debiased scores, in place: len inner products, squared distances (of an engine that
/// takes the root: square them) or cosines. For engines that answer 1 - x, subtract from 1 first; for nnn_metric_*, negate.
///
/// query: dim floats, as they were before the export. Computed in double, rounded once. With u = 2^-24, e the error of the engine's
/// value and s the score, the error is at most (up to 2^-50 of the terms)
///
///   inner product  e + u (|s| + |alpha (b - c)|)
///   L2             e / 2 + u (|s| + n - r.r + 2 (b - bias_min))
///   cosine         e sqrt((n + h^2) (q.q + alpha^2)) + u (|s| + |alpha (b - c)| + |q.r - alpha (b - c)|)
///
/// O(dim + len). Errors: NULL, DIM, OVERFLOW, RANGE (len above 2^32 - 1), ALIGN, ALIAS, VALUE (NaN or infinity in the query or the
/// values, form and alpha as in nnn_export_queries_f32, limits of no rows).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_export_scores(
    limits: *const ExportLimits,
    form: u32,
    query: *const f32,
    dim: usize,
    alpha: f32,
    values: *mut f32,
    len: usize,
) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { scores(limits, form, query, dim, alpha, values, len) })
}

unsafe fn scores(
    limits: *const ExportLimits,
    form: u32,
    query: *const f32,
    dim: usize,
    alpha: f32,
    values: *mut f32,
    len: usize,
) -> Result<()> {
    let facts = Facts { dim: dim != 0 && dim <= MAX_DIM, range: rows_fit(len), ..Facts::GOOD };
    let memory = [Memory::read(limits, Some(1)), Memory::read(query, Some(dim)), Memory::write(values, Some(len))];
    judge(facts, &[&memory])?;
    let form = Form::from_code(form).ok_or(refused(Status::Value))?;
    // SAFETY: judged.
    let (limits, query, values) = unsafe { (&*limits, input(query, dim), output(values, len)) };
    crate::export_scores(limits, form, query, alpha, values)
}

/// Distance of two vectors of the inner-product form for engines that take a function: hnswlib's DISTFUNC<float>, and USearch's metric
/// of kind array-array-state. `state`: a const size_t with the dim of the rows (without the bias) that outlives the index; a and b: dim + 1 floats.
///
/// Minus the inner product: -(score + alpha c); where c = 0 and alpha = 1, minus the score of nnn_search_f32, bit for bit. Symmetric,
/// as graph builds need. +inf where that is not finite, or an argument is NULL, misaligned or a dim out of range: never NaN.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nnn_metric_f32(a: *const c_void, b: *const c_void, state: *const c_void) -> f32 {
    // SAFETY: the caller's promise.
    let Some(dim) = (unsafe { dim_of(state) }) else { return f32::INFINITY };
    let memory = [Memory::read(a.cast::<f32>(), Some(dim + 1)), Memory::read(b.cast::<f32>(), Some(dim + 1))];
    if judge(Facts::GOOD, &[&memory]).is_err() {
        return f32::INFINITY;
    }
    // SAFETY: judged not NULL and aligned; readable by the caller's promise.
    let (a, b) = unsafe { (input(a.cast(), dim + 1), input(b.cast(), dim + 1)) };
    crate::metric(a, b, dim)
}

/// As nnn_metric_f32, of two vectors of nnn_export_rows_i8 or nnn_export_queries_i8 at any address; a is the query, where there is one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nnn_metric_i8(a: *const c_void, b: *const c_void, state: *const c_void) -> f32 {
    // SAFETY: the caller's promise.
    let Some(dim) = (unsafe { dim_of(state) }) else { return f32::INFINITY };
    if a.is_null() || b.is_null() {
        return f32::INFINITY;
    }
    let bytes = crate::export_bytes(dim);
    // SAFETY: not NULL; readable by the caller's promise.
    let (a, b) = unsafe { (input(a.cast(), bytes), input(b.cast(), bytes)) };
    crate::metric_codes(a, b, dim)
}

/// The dim behind a metric's state.
///
/// # Safety
/// `state` is NULL or readable as a size.
unsafe fn dim_of(state: *const c_void) -> Option<usize> {
    let state: *const usize = state.cast();
    if state.is_null() || !state.is_aligned() {
        return None;
    }
    // SAFETY: not NULL, aligned; readable by the caller's promise.
    Some(unsafe { state.read() }).filter(|dim| *dim != 0 && *dim <= MAX_DIM)
}

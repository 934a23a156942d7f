//! Exact results at int8 speed: encoding, and the certified calls.

use super::check::{Facts, Memory, View, input, input_if_given, judge, output, range, span};
use super::*;
use crate::certified::{Encoded, scratch_min};
use crate::encode::Side;
use crate::neighbors::Neighbors;
use core::ffi::c_void;

/// Rows with their codes and bounds, as nnn_encode_f32 makes them. The codes of rows that were changed since give wrong results.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct EncodedC {
    /// The rows as they are.
    pub rows: MatF32,
    /// Their codes, in the same number and dim.
    pub codes: MatI8,
    /// What the codes lose: one bound per row.
    pub bounds: *const Bound,
}

/// nnn_encode_f32: the rows are retrieved.
pub const NNN_SIDE_GALLERY: u32 = 0;
/// nnn_encode_f32: the rows are queries, live or of the bank.
pub const NNN_SIDE_QUERY: u32 = 1;

const _: () = {
    assert!(size_of::<Bound>() == 16 && align_of::<Bound>() == 4);
    assert!(size_of::<Certificate>() == 16);
    assert!(size_of::<EncodedC>() == 10 * size_of::<usize>());
};

/// ======== Certified: exact float results at int8 speed ========
///
/// The mean of the rows of m, for nnn_encode_f32: out[j] = mean of m's column j, added up in float.
///
/// out: m->dim floats. O(rows * dim), no work memory. Errors: NULL, DIM, STRIDE, OVERFLOW, RANGE, ALIGN, ALIAS, VALUE (NaN or
/// infinity in m, or values so large that the sum might overflow).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_mean_f32(m: *const MatF32, out: *mut f32) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { mean(m, out) })
}

unsafe fn mean(m: *const MatF32, out: *mut f32) -> Result<()> {
    // SAFETY: the caller's promise.
    let m = unsafe { View::load(m)? };
    let facts = Facts { dim: m.dim_fits(), stride: m.stride_fits(), range: m.rows_fit(), ..Facts::GOOD };
    judge(facts, &[&m.memory, &[Memory::write(out, Some(m.dim))]])?;
    // SAFETY: judged.
    let (matrix, out) = unsafe { (m.matrix()?, output(out, m.dim)) };
    crate::mean(&matrix, out)
}

/// Encodes rows for the certified calls: int8 codes, one scale and one bound per row.
///
/// With q' = R(q - mean), r' = R r and the codes' images q^, r^ of a query q and a gallery row r, where R is an orthonormal
/// transform named by the seed (0: none),
///   |<q, r> - <q^, r^> - <mean, r>| <= |q' - q^| |r'| + |q^| |r' - r^|
/// so the norms in the bounds limit the error of every score. The bounds hold for every mean and seed, which only decide how small
/// they are: moving and rotating tame the few huge dimensions of CLIP-like embeddings. Both sides need the same mean and seed.
///
/// mean: src->dim floats, best nnn_mean_f32 of the bank, or NULL. side: NNN_SIDE_GALLERY or NNN_SIDE_QUERY (live queries, bank).
/// work: src->dim floats. codes: src->rows x src->dim, rows codes_stride apart. scale, bounds: src->rows each.
///
/// O(rows * dim * log dim). Errors: NULL, DIM, STRIDE (codes_stride < dim too), OVERFLOW, RANGE, ALIGN, ALIAS, VALUE (NaN or
/// infinity in src or mean; another side).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_encode_f32(
    src: *const MatF32,
    mean: *const f32,
    side: u32,
    seed: u64,
    work: *mut f32,
    codes: *mut i8,
    codes_stride: usize,
    scale: *mut f32,
    bounds: *mut Bound,
) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { encode(src, mean, side, seed, work, codes, codes_stride, scale, bounds) })
}

#[allow(clippy::too_many_arguments)] // those of the C function
unsafe fn encode(
    src: *const MatF32,
    mean: *const f32,
    side: u32,
    seed: u64,
    work: *mut f32,
    codes: *mut i8,
    codes_stride: usize,
    scale: *mut f32,
    bounds: *mut Bound,
) -> Result<()> {
    // SAFETY: the caller's promise.
    let src = unsafe { View::load(src)? };
    let facts =
        Facts { dim: src.dim_fits(), stride: src.stride_fits() && codes_stride >= src.dim, range: src.rows_fit(), ..Facts::GOOD };
    let len = span(src.rows, src.dim, codes_stride);
    let written = [
        Memory::write(work, Some(src.dim)),
        Memory::write(codes, len),
        Memory::write(scale, Some(src.rows)),
        Memory::write(bounds, Some(src.rows)),
    ];
    judge(facts, &[&src.memory, &[Memory::read_if_given(mean, Some(src.dim))], &written])?;
    let side = match side {
        NNN_SIDE_GALLERY => Side::Gallery,
        NNN_SIDE_QUERY => Side::Query,
        _ => return Err(refused(Status::Value)),
    };
    // SAFETY: judged.
    let (matrix, mean) = unsafe { (src.matrix()?, input_if_given(mean, src.dim)) };
    // SAFETY: judged.
    let (work, codes) = unsafe { (output(work, src.dim), output(codes, len.unwrap_or(0))) };
    // SAFETY: judged.
    let (scale, bounds) = unsafe { (output(scale, src.rows), output(bounds, src.rows)) };
    crate::encode(&matrix, mean, side, seed, work, codes, codes_stride, scale, bounds)
}

/// Recommended bytes of scratch of the certified calls, good for every instruction set: 1 MiB, and above k = 12,125 646 KiB + 32 k.
/// SIZE_MAX when that is not representable. NNN_CERTIFIED_SCRATCH_BYTES(k, dim) is the same as a constant. Less works too, slower,
/// down to NNN_CERTIFIED_SCRATCH_MIN_BYTES(k).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nnn_certified_scratch(k: usize, dim: usize) -> usize {
    crate::certified_scratch(k, dim)
}

/// nnn_neighbors_update_f32 of the rows, bit for bit, by their codes: an int8 pass finds for each gallery row a short list that
/// provably holds its k nearest of the bank, and only that is computed in float. A list that is not short (many near-ties) is given
/// to the float pass.
///
/// table: count x k floats as for nnn_neighbors_update_f32. certificate: what was done, or NULL.
///
/// O(count * bank rows * dim) of int8 work, on real embeddings about 2 k pairs a row of float work. Errors: as
/// nnn_neighbors_update_f32; CAPACITY is scratch below NNN_CERTIFIED_SCRATCH_MIN_BYTES(k).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_neighbors_update_certified(
    gallery: *const EncodedC,
    bank: *const EncodedC,
    k: usize,
    first: usize,
    count: usize,
    scratch: *mut c_void,
    scratch_len: usize,
    table: *mut f32,
    certificate: *mut Certificate,
) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { update(gallery, bank, k, first, count, scratch.cast(), scratch_len, table, certificate) })
}

/// nnn_bias_f32 of the rows, bit for bit, by their codes; as nnn_neighbors_update_certified.
///
/// bias: count floats. certificate: what was done, or NULL. Errors: as nnn_bias_f32; CAPACITY is scratch below
/// NNN_CERTIFIED_SCRATCH_MIN_BYTES(k).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_bias_certified(
    gallery: *const EncodedC,
    bank: *const EncodedC,
    k: usize,
    alpha: f32,
    first: usize,
    count: usize,
    scratch: *mut c_void,
    scratch_len: usize,
    bias: *mut f32,
    certificate: *mut Certificate,
) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { bias_of(gallery, bank, k, alpha, first, count, scratch.cast(), scratch_len, bias, certificate) })
}

/// nnn_search_f32 of the rows, bit for bit, by their codes: a quarter of the memory traffic. Queries are encoded with
/// NNN_SIDE_QUERY and the mean and seed of the gallery.
///
/// bias, allow, hits, found: as for nnn_search_f32. certificate: what was done, or NULL. Errors: as nnn_search_f32, and CAPACITY
/// (scratch below NNN_CERTIFIED_SCRATCH_MIN_BYTES(k)).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_search_certified(
    queries: *const EncodedC,
    gallery: *const EncodedC,
    bias: *const f32,
    allow: *const u64,
    k: usize,
    first: usize,
    count: usize,
    scratch: *mut c_void,
    scratch_len: usize,
    hits: *mut Hit,
    found: *mut u32,
    certificate: *mut Certificate,
) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { search(queries, gallery, bias, allow, k, first, count, scratch.cast(), scratch_len, hits, found, certificate) })
}

/// An encoded argument before it is judged.
struct EncodedView {
    rows: View<MatF32>,
    codes: View<MatI8>,
    bounds: *const Bound,
    /// The struct, the rows' elements, the codes, their scales, the bounds.
    memory: [Memory; 5],
}

impl EncodedView {
    /// # Safety
    /// `encoded` is NULL or valid for reads.
    unsafe fn load(encoded: *const EncodedC) -> Result<EncodedView> {
        let argument = Memory::read(encoded, Some(1));
        if encoded.is_null() {
            return Err(refused(Status::Null));
        }
        // SAFETY: not NULL, so readable by this function's contract; it may be misaligned, which is judged later.
        let parts = unsafe { encoded.read_unaligned() };
        // SAFETY: both structs are on this stack.
        let (rows, codes) = unsafe { (View::load(&parts.rows)?, View::load(&parts.codes)?) };
        let bounds = Memory::read(parts.bounds, Some(rows.rows));
        let memory = [argument, rows.memory[1], codes.memory[1], codes.memory[2], bounds];
        Ok(EncodedView { rows, codes, bounds: parts.bounds, memory })
    }

    fn facts(&self) -> Facts {
        Facts {
            dim: self.rows.dim_fits() && self.codes.dim == self.rows.dim,
            stride: self.rows.stride_fits() && self.codes.stride_fits(),
            range: self.rows.rows_fit() && self.codes.rows == self.rows.rows,
            ..Facts::GOOD
        }
    }

    /// # Safety
    /// As [`View::matrix`].
    unsafe fn encoded<'a>(&self) -> Result<Encoded<'a>> {
        // SAFETY: this function's contract.
        let (rows, codes, bounds) = unsafe { (self.rows.matrix()?, self.codes.matrix()?, input(self.bounds, self.rows.rows)) };
        Encoded::new(rows, codes, bounds)
    }
}

/// Facts that hold of two encoded arguments with a common dim.
fn pair(a: &EncodedView, b: &EncodedView) -> Facts {
    let (x, y) = (a.facts(), b.facts());
    Facts {
        dim: x.dim && y.dim && a.rows.dim == b.rows.dim,
        stride: x.stride && y.stride,
        range: x.range && y.range,
        ..Facts::GOOD
    }
}

/// The certificate's memory; it may be absent.
fn certificate_memory(certificate: *mut Certificate) -> Memory {
    Memory::write(certificate, Some(usize::from(!certificate.is_null())))
}

/// # Safety
/// `certificate` is NULL, or judged.
unsafe fn report(certificate: *mut Certificate, done: Certificate) {
    if !certificate.is_null() {
        // SAFETY: judged aligned and writable.
        unsafe { certificate.write(done) };
    }
}

#[allow(clippy::too_many_arguments)] // those of the C function
unsafe fn update(
    gallery: *const EncodedC,
    bank: *const EncodedC,
    k: usize,
    first: usize,
    count: usize,
    scratch: *mut u8,
    scratch_len: usize,
    table: *mut f32,
    certificate: *mut Certificate,
) -> Result<()> {
    // SAFETY: the caller's promise.
    let (gallery, bank) = unsafe { (EncodedView::load(gallery)?, EncodedView::load(bank)?) };
    let shape = pair(&gallery, &bank);
    let range_fits = shape.range && gallery.rows.holds(first, count);
    let facts = Facts { k: k > 0, range: range_fits, capacity: scratch_len >= scratch_min(k), ..shape };
    let len = count.min(gallery.rows.rows).checked_mul(k);
    let written = [Memory::write(scratch, Some(scratch_len)), Memory::write(table, len), certificate_memory(certificate)];
    judge(facts, &[&gallery.memory, &bank.memory, &written])?;
    // SAFETY: judged.
    let (gallery, bank) = unsafe { (gallery.encoded()?, bank.encoded()?) };
    // SAFETY: judged.
    let (scratch, table) = unsafe { (output(scratch, scratch_len), output(table, len.unwrap_or(0))) };
    let done = Neighbors::from_table(table, count, k)?.update_certified(&gallery, &bank, range(first, count), scratch)?;
    // SAFETY: judged.
    unsafe { report(certificate, done) };
    Ok(())
}

#[allow(clippy::too_many_arguments)] // those of the C function
unsafe fn bias_of(
    gallery: *const EncodedC,
    bank: *const EncodedC,
    k: usize,
    alpha: f32,
    first: usize,
    count: usize,
    scratch: *mut u8,
    scratch_len: usize,
    bias: *mut f32,
    certificate: *mut Certificate,
) -> Result<()> {
    // SAFETY: the caller's promise.
    let (gallery, bank) = unsafe { (EncodedView::load(gallery)?, EncodedView::load(bank)?) };
    let shape = pair(&gallery, &bank);
    let facts = Facts {
        k: k > 0 && k <= bank.rows.rows,
        range: shape.range && gallery.rows.holds(first, count),
        capacity: scratch_len >= scratch_min(k),
        ..shape
    };
    let len = count.min(gallery.rows.rows);
    let written = [Memory::write(scratch, Some(scratch_len)), Memory::write(bias, Some(len)), certificate_memory(certificate)];
    judge(facts, &[&gallery.memory, &bank.memory, &written])?;
    // SAFETY: judged.
    let (gallery, bank) = unsafe { (gallery.encoded()?, bank.encoded()?) };
    // SAFETY: judged.
    let (scratch, bias) = unsafe { (output(scratch, scratch_len), output(bias, len)) };
    let done = crate::bias_certified(&gallery, &bank, k, alpha, range(first, count), scratch, bias)?;
    // SAFETY: judged.
    unsafe { report(certificate, done) };
    Ok(())
}

#[allow(clippy::too_many_arguments)] // those of the C function
unsafe fn search(
    queries: *const EncodedC,
    gallery: *const EncodedC,
    bias: *const f32,
    allow: *const u64,
    k: usize,
    first: usize,
    count: usize,
    scratch: *mut u8,
    scratch_len: usize,
    hits: *mut Hit,
    found: *mut u32,
    certificate: *mut Certificate,
) -> Result<()> {
    // SAFETY: the caller's promise.
    let (queries, gallery) = unsafe { (EncodedView::load(queries)?, EncodedView::load(gallery)?) };
    let shape = pair(&queries, &gallery);
    let range_fits = shape.range && gallery.rows.holds(first, count);
    let facts = Facts { k: k > 0, range: range_fits, capacity: scratch_len >= scratch_min(k), ..shape };
    let (query_count, row_count) = (queries.rows.rows, gallery.rows.rows);
    let (len, words) = (query_count.checked_mul(k), row_count.div_ceil(64));
    let optional = [Memory::read_if_given(bias, Some(row_count)), Memory::read_if_given(allow, Some(words))];
    let written = [
        Memory::write(scratch, Some(scratch_len)),
        Memory::write(hits, len),
        Memory::write(found, Some(query_count)),
        certificate_memory(certificate),
    ];
    judge(facts, &[&queries.memory, &gallery.memory, &optional, &written])?;
    // SAFETY: judged.
    let (bias, allow) = unsafe { (input_if_given(bias, row_count), input_if_given(allow, words)) };
    // SAFETY: judged.
    let (hits, found) = unsafe { (output(hits, len.unwrap_or(0)), output(found, query_count)) };
    // SAFETY: judged.
    let (queries, gallery, scratch) = unsafe { (queries.encoded()?, gallery.encoded()?, output(scratch, scratch_len)) };
    let done = crate::search_certified(&queries, &gallery, bias, allow, k, range(first, count), scratch, hits, found)?;
    // SAFETY: judged.
    unsafe { report(certificate, done) };
    Ok(())
}

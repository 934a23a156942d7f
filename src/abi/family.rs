//! The other estimators of the family: softmax, DN, Sinkhorn, and grids of NNN biases.

use super::check::{Described, Facts, Memory, View, input, input_if_given, judge, output, pair, range, rows_fit};
use super::*;
use crate::bias::{ColumnSums, LogSums, column_mean, is_beta, softmax_bias};
use crate::kernel::SCRATCH_MIN;
use crate::neighbors::table_grid;
use core::ffi::c_void;

const _: () = {
    assert!(size_of::<LogSum>() == 40 && align_of::<LogSum>() == align_of::<u64>());
    assert!(size_of::<ExactSum>() == 40 && align_of::<ExactSum>() == align_of::<u64>());
};

/// The biases of a grid of parameters from one table: biases[(j * ks_len + i) * rows + r] is that of row r for ks[i] and alphas[j],
/// with the bits of nnn_neighbors_bias, for one walk along each row. What nnn_ranks_* compares.
///
/// table: rows x table_k floats. ks: ascending. biases: ks_len * alphas_len * rows floats.
///
/// O(rows * (largest k + ks_len * alphas_len)), no work memory. Errors: NULL, K (a k is 0, above table_k or not above the one before,
/// or a row has seen fewer bank rows), OVERFLOW, RANGE, ALIGN, ALIAS, VALUE (an alpha is not finite, rows not in order, a bias beyond
/// the range of float).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_neighbors_grid(
    table: *const f32,
    rows: usize,
    table_k: usize,
    ks: *const usize,
    ks_len: usize,
    alphas: *const f32,
    alphas_len: usize,
    biases: *mut f32,
) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { grid(table, rows, table_k, ks, ks_len, alphas, alphas_len, biases) })
}

#[allow(clippy::too_many_arguments)] // those of the C function
unsafe fn grid(
    table: *const f32,
    rows: usize,
    table_k: usize,
    ks: *const usize,
    ks_len: usize,
    alphas: *const f32,
    alphas_len: usize,
    biases: *mut f32,
) -> Result<()> {
    let len = rows.checked_mul(table_k);
    let out = ks_len.checked_mul(alphas_len).and_then(|n| n.checked_mul(rows));
    let facts = Facts { k: table_k > 0, range: rows_fit(rows), ..Facts::GOOD };
    let read = [Memory::read(table, len), Memory::read(ks, Some(ks_len)), Memory::read(alphas, Some(alphas_len))];
    judge(facts, &[&read, &[Memory::write(biases, out)]])?;
    // SAFETY: judged.
    let (table, ks, alphas) = unsafe { (input(table, len.unwrap_or(0)), input(ks, ks_len), input(alphas, alphas_len)) };
    // SAFETY: judged.
    table_grid(table, table_k, ks, alphas, unsafe { output(biases, out.unwrap_or(0)) })
}

/// ======== Softmax family ========
///
/// The inverted softmax and its kin as biases, from one sum of e^(beta * similarity) over the bank per gallery row: 40 bytes a row,
/// whatever the bank and beta. As the neighbour table: bank shards update or merge in any order, gallery ranges go to any thread, and
/// the bits are those of one call. The sums carry an exponent of their own: no beta overflows. Their content is opaque.
///
/// nnn_logsum_init makes rows empty sums.
///
/// O(rows). Errors: NULL, OVERFLOW, RANGE, ALIGN.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_logsum_init(sums: *mut LogSum, rows: usize) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { logsum_init(sums, rows) })
}

unsafe fn logsum_init(sums: *mut LogSum, rows: usize) -> Result<()> {
    judge(Facts { range: rows_fit(rows), ..Facts::GOOD }, &[&[Memory::write(sums, Some(rows))]])?;
    // SAFETY: judged.
    unsafe { output(sums, rows) }.fill(LogSum::EMPTY);
    Ok(())
}

/// Adds e^(beta * similarity) of all rows of the bank, e^log_weights[j] times for row j, to the sums of the gallery rows
/// first..first + count. Exact, in any order. Similarities beyond the range of float are left out.
///
/// log_weights: bank->rows floats, or NULL: all 0. scratch: as of nnn_neighbors_update_*. sums: count of them, the first of gallery row
/// `first`, made by nnn_logsum_init and only ever used with this beta. A term is within 9e-7 of its
/// value; log_weights, and instruction sets without fused multiply-add, add 2^-23 of the exponent beta * similarity + log_weight.
///
/// O(count * bank rows * dim), the exponentials some per cent on top; 4.2 KiB of stack. Errors: NULL, DIM, STRIDE, OVERFLOW, RANGE,
/// ALIGN, CAPACITY (scratch below NNN_NEIGHBORS_SCRATCH_MIN_BYTES), ALIAS, VALUE (NaN or infinity in the range, the bank or the
/// weights; beta not finite or not above 0, or so large that beta times the largest possible similarity reaches 2^35).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_logsum_update_f32(
    gallery: *const MatF32,
    bank: *const MatF32,
    log_weights: *const f32,
    beta: f32,
    first: usize,
    count: usize,
    scratch: *mut c_void,
    scratch_len: usize,
    sums: *mut LogSum,
) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { logsum_update(gallery, bank, log_weights, beta, first, count, scratch.cast(), scratch_len, sums) })
}

/// As nnn_logsum_update_f32, of codes. VALUE is about the scales of the range and the bank, the weights and beta.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_logsum_update_i8(
    gallery: *const MatI8,
    bank: *const MatI8,
    log_weights: *const f32,
    beta: f32,
    first: usize,
    count: usize,
    scratch: *mut c_void,
    scratch_len: usize,
    sums: *mut LogSum,
) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { logsum_update(gallery, bank, log_weights, beta, first, count, scratch.cast(), scratch_len, sums) })
}

#[allow(clippy::too_many_arguments)] // those of the C function
unsafe fn logsum_update<M: Described>(
    gallery: *const M,
    bank: *const M,
    log_weights: *const f32,
    beta: f32,
    first: usize,
    count: usize,
    scratch: *mut u8,
    scratch_len: usize,
    sums: *mut LogSum,
) -> Result<()> {
    // SAFETY: the caller's promise.
    let (gallery, bank) = unsafe { (View::load(gallery)?, View::load(bank)?) };
    let shape = pair(&gallery, &bank);
    let facts = Facts { range: shape.range && gallery.holds(first, count), capacity: scratch_len >= SCRATCH_MIN, ..shape };
    let weights = Memory::read_if_given(log_weights, Some(bank.rows));
    // Of a count past the end only RANGE is reported, not what would follow from it.
    let len = count.min(gallery.rows);
    let written = [Memory::write(scratch, Some(scratch_len)), Memory::write(sums, Some(len))];
    judge(facts, &[&gallery.memory, &bank.memory, &[weights], &written])?;
    // SAFETY: judged.
    let (weights, gallery, bank) = unsafe { (input_if_given(log_weights, bank.rows), gallery.matrix()?, bank.matrix()?) };
    // SAFETY: judged.
    let (scratch, sums) = unsafe { (output(scratch, scratch_len), output(sums, len)) };
    let mut sums = LogSums::from_sums(sums, beta)?;
    match weights {
        Some(weights) => sums.update_weighted(&gallery, &bank, weights, range(first, count), scratch),
        None => sums.update(&gallery, &bank, range(first, count), scratch),
    }
}

/// Adds the sums of the same gallery rows over other bank rows, made with the same beta. Associative and commutative in every bit.
///
/// into, from: rows of them. O(rows), no work memory. Errors: NULL, OVERFLOW, RANGE, ALIGN, ALIAS.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_logsum_merge(into: *mut LogSum, from: *const LogSum, rows: usize) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { logsum_merge(into, from, rows) })
}

unsafe fn logsum_merge(into: *mut LogSum, from: *const LogSum, rows: usize) -> Result<()> {
    let facts = Facts { range: rows_fit(rows), ..Facts::GOOD };
    judge(facts, &[&[Memory::write(into, Some(rows)), Memory::read(from, Some(rows))]])?;
    // SAFETY: judged.
    let (into, from) = unsafe { (output(into, rows), input(from, rows)) };
    LogSums::from_sums(into, 1.0)?.merge(from)
}

/// Natural logarithms of sums: ln[r], -infinity of a row that has seen nothing. What a Sinkhorn iteration that is shared out among threads
/// or machines needs: ln u = ln(1 / rows) - ln of the sums weighted by ln v (nnn_sinkhorn_bias_* says how), with the bits of one call.
///
/// sums: rows of them. ln: rows doubles. O(rows), no work memory. Errors: NULL, OVERFLOW, RANGE, ALIGN, ALIAS.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_logsum_ln(sums: *const LogSum, rows: usize, ln: *mut f64) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { logsum_ln(sums, rows, ln) })
}

unsafe fn logsum_ln(sums: *const LogSum, rows: usize, ln: *mut f64) -> Result<()> {
    let facts = Facts { range: rows_fit(rows), ..Facts::GOOD };
    judge(facts, &[&[Memory::read(sums, Some(rows)), Memory::write(ln, Some(rows))]])?;
    // SAFETY: judged.
    let (sums, ln) = unsafe { (input(sums, rows), output(ln, rows)) };
    ln.iter_mut().zip(sums).for_each(|(ln, sum)| *ln = sum.ln());
    Ok(())
}

/// The inverted softmax as a bias: bias[r] = ln(sum r) / beta, rounded once. score - bias is 1 / beta times the logarithm of the inverted
/// softmax, so it ranks as that does. As beta tends to 0 it tends to ln(bank rows) / beta plus the mean, and the constant leaves float too
/// few digits for the rest: below beta = 0.01 use nnn_mean_bias_*.
///
/// sums: rows of them; beta: that of their updates. bias: rows floats. O(rows), no work memory. Errors: NULL, K (a row has seen no
/// similarity), OVERFLOW, RANGE, ALIGN, ALIAS, VALUE (beta not finite or not above 0, a bias beyond the range of float).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_logsum_bias(sums: *const LogSum, rows: usize, beta: f32, bias: *mut f32) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { logsum_bias(&[(sums, beta)], rows, bias) })
}

/// DualIS: bias[r] = (ln(sum r) + ln(gallery_sum r)) / (beta + gallery_beta), from sums over a bank of queries and sums of the same rows
/// over a bank of gallery items.
///
/// As nnn_logsum_bias.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_logsum_dual_bias(
    sums: *const LogSum,
    beta: f32,
    gallery_sums: *const LogSum,
    gallery_beta: f32,
    rows: usize,
    bias: *mut f32,
) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { logsum_bias(&[(sums, beta), (gallery_sums, gallery_beta)], rows, bias) })
}

unsafe fn logsum_bias<const N: usize>(banks: &[(*const LogSum, f32); N], rows: usize, bias: *mut f32) -> Result<()> {
    let facts = Facts { range: rows_fit(rows), ..Facts::GOOD };
    judge(facts, &[&banks.map(|(sums, _)| Memory::read(sums, Some(rows))), &[Memory::write(bias, Some(rows))]])?;
    // SAFETY: judged.
    let (banks, bias) = unsafe { (banks.map(|(sums, beta)| (input(sums, rows), beta)), output(bias, rows)) };
    if banks.iter().any(|(_, beta)| !is_beta(*beta)) {
        return Err(refused(Status::Value));
    }
    softmax_bias(&banks, bias)
}

/// ======== Distribution normalisation ========
///
/// DN(lambda): bias[r] = lambda * <mean of the bank, row r>, which is the NNN bias of alpha = lambda and k = the whole bank for one dot a
/// row. The mean comes from exact column sums, so that bank shards in any order, or merged, give the same bits: nnn_columns_init,
/// nnn_columns_update_*, nnn_columns_merge, nnn_columns_mean, then nnn_mean_bias_*.
///
/// nnn_columns_init makes dim zeros. O(dim). Errors: NULL, DIM, ALIGN.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_columns_init(sums: *mut ExactSum, dim: usize) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { columns_init(sums, dim) })
}

unsafe fn columns_init(sums: *mut ExactSum, dim: usize) -> Result<()> {
    judge(Facts { dim: dim_fits(dim), ..Facts::GOOD }, &[&[Memory::write(sums, Some(dim.min(NNN_MAX_DIM)))]])?;
    // SAFETY: judged.
    ColumnSums::init(unsafe { output(sums, dim) });
    Ok(())
}

fn dim_fits(dim: usize) -> bool {
    dim != 0 && dim <= NNN_MAX_DIM
}

/// Adds the rows of a bank to its column sums.
///
/// sums: bank->dim of them. O(rows * dim), no work memory. Errors: NULL, DIM, STRIDE, OVERFLOW, RANGE, ALIGN, ALIAS, VALUE (NaN or
/// infinity in the bank).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_columns_update_f32(bank: *const MatF32, sums: *mut ExactSum) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { columns_update(bank, sums) })
}

/// As nnn_columns_update_f32, of codes times their scale. VALUE is about the scales.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_columns_update_i8(bank: *const MatI8, sums: *mut ExactSum) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { columns_update(bank, sums) })
}

unsafe fn columns_update<M: Described>(bank: *const M, sums: *mut ExactSum) -> Result<()> {
    // SAFETY: the caller's promise.
    let bank = unsafe { View::load(bank)? };
    let facts = Facts { dim: bank.dim_fits(), stride: bank.stride_fits(), range: bank.rows_fit(), ..Facts::GOOD };
    judge(facts, &[&bank.memory, &[Memory::write(sums, Some(bank.dim))]])?;
    // SAFETY: judged.
    let (matrix, sums) = unsafe { (bank.matrix()?, output(sums, bank.dim)) };
    ColumnSums::from_sums(sums).update(&matrix)
}

/// Adds the column sums of another shard of the bank. Associative and commutative in every bit.
///
/// into, from: dim of them. O(dim), no work memory. Errors: NULL, DIM, ALIGN, ALIAS.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_columns_merge(into: *mut ExactSum, from: *const ExactSum, dim: usize) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { columns_merge(into, from, dim) })
}

unsafe fn columns_merge(into: *mut ExactSum, from: *const ExactSum, dim: usize) -> Result<()> {
    let len = Some(dim.min(NNN_MAX_DIM));
    judge(Facts { dim: dim_fits(dim), ..Facts::GOOD }, &[&[Memory::write(into, len), Memory::read(from, len)]])?;
    // SAFETY: judged.
    let (into, from) = unsafe { (output(into, dim), input(from, dim)) };
    ColumnSums::from_sums(into).merge(from)
}

/// mean[j] = sum j / rows, rows being how many bank rows were added.
///
/// sums: dim of them. mean: dim floats. O(dim), no work memory. Errors: NULL, DIM, K (rows is 0), ALIGN, ALIAS, VALUE (a mean beyond the
/// range of float).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_columns_mean(sums: *const ExactSum, dim: usize, rows: usize, mean: *mut f32) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { columns_mean(sums, dim, rows, mean) })
}

unsafe fn columns_mean(sums: *const ExactSum, dim: usize, rows: usize, mean: *mut f32) -> Result<()> {
    let len = Some(dim.min(NNN_MAX_DIM));
    let facts = Facts { dim: dim_fits(dim), k: rows > 0, ..Facts::GOOD };
    judge(facts, &[&[Memory::read(sums, len), Memory::write(mean, len)]])?;
    // SAFETY: judged.
    let (sums, mean) = unsafe { (input(sums, dim), output(mean, dim)) };
    column_mean(sums, rows, mean)
}

/// The DN biases of the gallery rows first..first + count: bias[i] = lambda * <mean, gallery row first + i>, summed in double, rounded
/// once: the same bits on every machine.
///
/// mean: gallery->dim floats. bias: count floats. O(count * dim), no work memory. Errors: NULL, DIM, STRIDE, OVERFLOW, RANGE, ALIGN,
/// ALIAS, VALUE (NaN or infinity in the range, the mean or lambda, a bias beyond the range of float).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_mean_bias_f32(
    gallery: *const MatF32,
    mean: *const f32,
    lambda: f32,
    first: usize,
    count: usize,
    bias: *mut f32,
) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { mean_bias(gallery, mean, lambda, first, count, bias) })
}

/// As nnn_mean_bias_f32, of codes times their scale. VALUE is about the scales of the range, the mean and lambda.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_mean_bias_i8(
    gallery: *const MatI8,
    mean: *const f32,
    lambda: f32,
    first: usize,
    count: usize,
    bias: *mut f32,
) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { mean_bias(gallery, mean, lambda, first, count, bias) })
}

unsafe fn mean_bias<M: Described>(
    gallery: *const M,
    mean: *const f32,
    lambda: f32,
    first: usize,
    count: usize,
    bias: *mut f32,
) -> Result<()> {
    // SAFETY: the caller's promise.
    let gallery = unsafe { View::load(gallery)? };
    let facts = Facts {
        dim: gallery.dim_fits(),
        stride: gallery.stride_fits(),
        range: gallery.rows_fit() && gallery.holds(first, count),
        ..Facts::GOOD
    };
    let len = count.min(gallery.rows);
    let rest = [Memory::read(mean, Some(gallery.dim)), Memory::write(bias, Some(len))];
    judge(facts, &[&gallery.memory, &rest])?;
    // SAFETY: judged.
    let (mean, bias) = unsafe { (input(mean, gallery.dim), output(bias, len)) };
    // SAFETY: judged.
    crate::mean_bias(&unsafe { gallery.matrix()? }, mean, lambda, range(first, count), bias)
}

/// ======== Sinkhorn ========
///
/// SN and DBSN: bias[r] = -tau * ln u[r] of all gallery rows, where u and v start uniform and are set in turns, `iterations` times, to
/// v[j] = (1 / bank rows) / sum over the targets i of K[i][j] u[i], u[i] = (1 / targets) / sum over j of K[i][j] v[j], with K[i][j] =
/// e^((<target i, bank row j> - 1) / tau). Targets are the gallery rows and, unless gallery_bank is NULL, its rows after them.
///
/// K is never stored: each iteration computes all similarities twice. The authors use tau = 0.01 and 10 iterations. sums: sums_len of
/// any content, at least the largest of the numbers of rows; potentials: potentials_len floats of any content, at least the sum of
/// them. scratch: as of nnn_neighbors_update_*. bias: gallery->rows floats. Callers with threads run the same steps by
/// nnn_logsum_update_* with weights, ranges of rows apart: with the same bits.
///
/// O(2 * iterations * targets * bank rows * dim). Errors: NULL, DIM, K (no gallery row, an empty bank), STRIDE, OVERFLOW, RANGE, ALIGN,
/// CAPACITY (sums, potentials, scratch), ALIAS, VALUE (NaN or infinity in a matrix; tau not above 0, not finite or too small;
/// iterations = 0).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_sinkhorn_bias_f32(
    gallery: *const MatF32,
    gallery_bank: *const MatF32,
    bank: *const MatF32,
    tau: f32,
    iterations: usize,
    sums: *mut LogSum,
    sums_len: usize,
    potentials: *mut f32,
    potentials_len: usize,
    scratch: *mut c_void,
    scratch_len: usize,
    bias: *mut f32,
) -> StatusCode {
    let work = (sums, sums_len, potentials, potentials_len, scratch.cast(), scratch_len);
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { sinkhorn(gallery, gallery_bank, bank, tau, iterations, work, bias) })
}

/// As nnn_sinkhorn_bias_f32, of codes. VALUE is about the scales, tau and iterations.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_sinkhorn_bias_i8(
    gallery: *const MatI8,
    gallery_bank: *const MatI8,
    bank: *const MatI8,
    tau: f32,
    iterations: usize,
    sums: *mut LogSum,
    sums_len: usize,
    potentials: *mut f32,
    potentials_len: usize,
    scratch: *mut c_void,
    scratch_len: usize,
    bias: *mut f32,
) -> StatusCode {
    let work = (sums, sums_len, potentials, potentials_len, scratch.cast(), scratch_len);
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { sinkhorn(gallery, gallery_bank, bank, tau, iterations, work, bias) })
}

unsafe fn sinkhorn<M: Described>(
    gallery: *const M,
    gallery_bank: *const M,
    bank: *const M,
    tau: f32,
    iterations: usize,
    (sums, sums_len, potentials, potentials_len, scratch, scratch_len): (*mut LogSum, usize, *mut f32, usize, *mut u8, usize),
    bias: *mut f32,
) -> Result<()> {
    // SAFETY: the caller's promise.
    let (gallery, bank) = unsafe { (View::load(gallery)?, View::load(bank)?) };
    let extra = match gallery_bank.is_null() {
        true => None,
        // SAFETY: not NULL, and the caller's promise.
        false => Some(unsafe { View::load(gallery_bank)? }),
    };
    let shape = pair(&gallery, &bank);
    let with_extra = extra.as_ref().map_or(shape, |extra| pair(&gallery, extra));
    let rows = [gallery.rows, extra.as_ref().map_or(0, |extra| extra.rows), bank.rows];
    let total = rows.iter().try_fold(0usize, |sum, rows| sum.checked_add(*rows));
    let facts = Facts {
        dim: shape.dim && with_extra.dim,
        k: gallery.rows > 0 && bank.rows > 0,
        stride: shape.stride && with_extra.stride,
        range: shape.range && with_extra.range,
        capacity: scratch_len >= SCRATCH_MIN
            && rows.iter().all(|rows| *rows <= sums_len)
            && total.is_some_and(|total| total <= potentials_len),
    };
    let written = [
        Memory::write(sums, Some(sums_len)),
        Memory::write(potentials, Some(potentials_len)),
        Memory::write(scratch, Some(scratch_len)),
        Memory::write(bias, Some(gallery.rows)),
    ];
    let extra_memory = extra.as_ref().map(|extra| extra.memory);
    let extra_memory: &[Memory] = extra_memory.as_ref().map_or(&[], |memory| memory);
    judge(facts, &[&gallery.memory, extra_memory, &bank.memory, &written])?;
    // SAFETY: judged.
    let (sums, potentials) = unsafe { (output(sums, sums_len), output(potentials, potentials_len)) };
    // SAFETY: judged.
    let (scratch, bias) = unsafe { (output(scratch, scratch_len), output(bias, gallery.rows)) };
    // SAFETY: judged.
    let (gallery, bank, extra) = unsafe { (gallery.matrix()?, bank.matrix()?, extra.map(|extra| extra.matrix()).transpose()?) };
    crate::sinkhorn_bias(&gallery, extra.as_ref(), &bank, tau, iterations, sums, potentials, scratch, bias)
}

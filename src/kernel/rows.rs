//! Passes over one row or one strip of scores, written as plain loops that the compiler vectorises for the shell they run in.

use crate::simd::DepthF32;

/// Scores a strip at most holds: one bit each in a `u64`, and one word of an allow bitmap.
pub(crate) const STRIP: usize = 64;

/// Bit `i` says whether `scores[i] > threshold`, for at most [`STRIP`] scores; false for NaN.
///
/// # Safety
/// As [`DepthF32`]; `scores` is valid for `n` reads.
#[inline(always)]
pub(super) unsafe fn above<L: DepthF32>(scores: *const f32, n: usize, threshold: f32) -> u64 {
    let n = n.min(STRIP);
    let mut mask = 0u64;
    let mut i = 0;
    // SAFETY: vectors start at `i` with `i + LANES <= n`, the part at the end has `n - i` elements.
    unsafe {
        let limit = L::splat(threshold);
        while i + L::LANES <= n {
            mask |= u64::from(L::greater(L::load(scores.add(i)), limit)) << i;
            i += L::LANES;
        }
        if i < n {
            // Elements past the end read as zero, which may be above the threshold.
            let part = u64::from(L::greater(L::load_part(scores.add(i), n - i), limit)) & ((1 << (n - i)) - 1);
            mask |= part << i;
        }
    }
    mask
}

/// `scores[i] -= bias[i]`; whether any is then greater than `threshold`. Without biases only the latter.
#[inline(always)]
pub(super) fn debias(scores: &mut [f32], bias: Option<&[f32]>, threshold: f32) -> bool {
    let Some(bias) = bias else { return count_above(scores, threshold) > 0 };
    let mut above = 0u32; // as wide as the scores
    for (score, bias) in scores.iter_mut().zip(bias) {
        *score -= bias;
        above += u32::from(*score > threshold);
    }
    above > 0
}

/// Turns exact dots (i32 bits) into scores: `((f32)dot * scale_query) * scale_row`, each step rounded.
#[inline(always)]
pub(super) fn scale_dots(dots: &mut [u32], scale_query: Option<&[f32]>, scale_row: f32) {
    match scale_query {
        Some(scale) => {
            for (dot, scale) in dots.iter_mut().zip(scale) {
                *dot = ((*dot as i32 as f32 * scale) * scale_row).to_bits();
            }
        }
        None => {
            for dot in dots {
                *dot = ((*dot as i32 as f32) * scale_row).to_bits();
            }
        }
    }
}

/// As [`scale_dots`], of one query with many rows.
#[inline(always)]
pub(super) fn scale_scores(dots: &mut [f32], scale_query: f32, scale_rows: Option<&[f32]>) {
    match scale_rows {
        Some(scales) => {
            for (dot, scale) in dots.iter_mut().zip(scales) {
                *dot = (dot.to_bits() as i32 as f32 * scale_query) * scale;
            }
        }
        None => {
            for dot in dots {
                *dot = dot.to_bits() as i32 as f32 * scale_query;
            }
        }
    }
}

/// Largest absolute value of a row as bits: the order of the bits is that of the values, NaN above infinity.
#[inline(always)]
pub(super) fn max_abs_bits(row: &[f32]) -> u32 {
    row.iter().fold(0, |max, x| max.max(x.to_bits() & 0x7FFF_FFFF))
}

/// Sum of squares in f64, lane by lane: every square of an f32 is exact there, so fused or not gives the same bits.
#[inline(always)]
pub(super) fn sum_of_squares(row: &[f32]) -> f64 {
    const LANES: usize = 16;
    let mut lanes = [0f64; LANES];
    let (chunks, tail) = row.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane += f64::from(*x) * f64::from(*x);
        }
    }
    for (lane, x) in lanes.iter_mut().zip(tail) {
        *lane += f64::from(*x) * f64::from(*x);
    }
    let mut n = LANES;
    while n > 1 {
        n /= 2;
        for i in 0..n {
            lanes[i] += lanes[i + n];
        }
    }
    lanes[0]
}

/// `dst[i] = src[i] * factor`, the product in f64, rounded once.
#[inline(always)]
pub(super) fn scale_row(src: &[f32], dst: &mut [f32], factor: f64) {
    for (dst, src) in dst.iter_mut().zip(src) {
        *dst = (f64::from(*src) * factor) as f32;
    }
}

/// `dst[i] = dst[i] * factor`, as [`scale_row`].
#[inline(always)]
pub(super) fn scale_row_in_place(dst: &mut [f32], factor: f64) {
    for x in dst {
        *x = (f64::from(*x) * factor) as f32;
    }
}

/// `dst[i] = src[i] / scale` rounded to the nearest integer, ties to even. The quotients are at most 127 in magnitude.
#[inline(always)]
pub(super) fn quantize_row(src: &[f32], dst: &mut [i8], scale: f32) {
    // Adding and subtracting 1.5 * 2^23 leaves the integer nearest to a small f32, ties to even, without a rounding instruction.
    const ROUND: f32 = 12_582_912.0;
    for (dst, src) in dst.iter_mut().zip(src) {
        let code = ((src / scale) + ROUND) - ROUND;
        // The low bits of the biased sum are the integer: as exact as a conversion, and vectorised everywhere.
        *dst = ((code + ROUND).to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32) as i8;
    }
}

/// How many scores are greater than `value`.
#[inline(always)]
pub(super) fn count_above(scores: &[f32], value: f32) -> usize {
    // A 32-bit count keeps the lanes as wide as the scores; a list is never that long.
    scores.iter().fold(0u32, |count, &score| count + u32::from(score > value)) as usize
}

/// Order-preserving integer of a float that is not NaN.
#[inline(always)]
fn key(x: f32) -> i32 {
    let bits = x.to_bits() as i32;
    bits ^ ((bits >> 31) as u32 >> 1) as i32
}

/// Least and greatest key of the scores, none of which is NaN. (Integers: a float minimum cannot be taken lane by lane.)
#[inline(always)]
pub(super) fn min_max(scores: &[f32]) -> (i32, i32) {
    scores.iter().fold((i32::MAX, i32::MIN), |(least, most), &score| (least.min(key(score)), most.max(key(score))))
}

/// `|row - scale * codes|^2` in f64. A code times its scale is exact there, so the difference has one rounding.
#[inline(always)]
pub(super) fn squared_residual(row: &[f32], codes: &[i8], scale: f32) -> f64 {
    const LANES: usize = 8;
    let mut lanes = [0f64; LANES];
    let scale = f64::from(scale);
    let (rows, row_tail) = row.as_chunks::<LANES>();
    let (code_chunks, code_tail) = codes.as_chunks::<LANES>();
    for (row, codes) in rows.iter().zip(code_chunks) {
        for ((lane, x), code) in lanes.iter_mut().zip(row).zip(codes) {
            let lost = f64::from(*x) - f64::from(*code) * scale;
            *lane += lost * lost;
        }
    }
    for ((lane, x), code) in lanes.iter_mut().zip(row_tail).zip(code_tail) {
        let lost = f64::from(*x) - f64::from(*code) * scale;
        *lane += lost * lost;
    }
    lanes.iter().sum()
}

/// Orthonormal Walsh-Hadamard transform of a power of two of elements. Returns how many roundings each element goes through: one
/// a level, and two for the factor that keeps the norm.
#[inline(always)]
pub(super) fn hadamard(row: &mut [f32]) -> f64 {
    let mut half = 1;
    let mut levels = 0;
    while half < row.len() {
        for pair in row.chunks_exact_mut(2 * half) {
            if let Some((low, high)) = pair.split_at_mut_checked(half) {
                for (a, b) in low.iter_mut().zip(high) {
                    (*a, *b) = (*a + *b, *a - *b);
                }
            }
        }
        half *= 2;
        levels += 1;
    }
    let factor = libm::sqrtf(1.0 / row.len() as f32); // exact for an even number of levels, else rounded
    for x in row.iter_mut() {
        *x *= factor;
    }
    f64::from(levels) + 2.0
}

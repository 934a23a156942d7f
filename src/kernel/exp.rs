//! Exponentials of scores as integers on an absolute grid, so that their sums are exact and no order of adding matters.
//!
//! `2^t` is `term * 2^exponent` with an integer exponent and a term in [0.7, 1.42] that is rounded to a multiple of 2^-20. Exponents
//! are grouped in bins of [`BIN`] octaves; within a bin every term is an integer multiple of one unit and below 2^52 of them, so a
//! bin's sum over a strip is an integer of 64 bits.

use crate::simd::DepthF32;

/// Scores whose exponentials are computed together: those of one row with one bank block.
pub(crate) const TERMS: usize = 512;

/// Octaves of a bin, as a power of two.
const BIN_BITS: u32 = 5;
const BIN: i32 = 1 << BIN_BITS;

/// Bin 0 begins at 2^-8: with the usual similarities and `beta` of 20 or so all terms share it.
const FIRST: i32 = -8;

/// Binary digits of a term after the point.
const DIGITS: i32 = 20;

/// Largest |t| that is split by adding a number of this size.
pub(crate) const T_MAX: f64 = 2_097_152.0;
/// 1.5 * 2^23: adding it rounds to an integer, which is then in the low bits.
const ROUND: f32 = 12_582_912.0;
/// 1.5 * 2^3: adding it rounds to a multiple of 2^-20.
const GRID: f32 = 12.0;

/// Minimax polynomial of 2^f over [-0.5, 0.5], constant term 1: relative error below 1.5e-7, so with the rounding to the grid a
/// term is within 9e-7.
const POLYNOMIAL: [f32; 5] = [0.693_146_94, 0.240_221_2, 0.055_507_135, 0.009_675_541, 0.001_327_647_2];

/// Terms and exponents of a strip. An exponent is stored as the bits of `1.5 * 2^23 - exponent`.
pub(crate) struct Terms {
    terms: [f32; TERMS],
    exponents: [f32; TERMS],
}

impl Terms {
    pub(crate) const fn new() -> Terms {
        Terms { terms: [0.0; TERMS], exponents: [0.0; TERMS] }
    }
}

/// The bin of an exponent.
#[inline(always)]
fn bin_of(exponent: i64) -> i64 {
    (exponent - FIRST as i64) >> BIN_BITS
}

/// log2 of the unit of a bin's sums.
pub(crate) fn unit_exponent(bin: i32) -> f64 {
    f64::from(bin) * f64::from(BIN) + f64::from(FIRST - DIGITS)
}

/// The integer of a term in its bin, and the bin, of `2^t` for any t: what [`fill`] and [`sum`] do for small ones.
pub(crate) fn large_term(t: f64) -> (i64, u64) {
    let exponent = libm::rint(t);
    let term = libm::rint(libm::exp2(t - exponent + f64::from(DIGITS))) as u64;
    let exponent = exponent as i64;
    let bin = bin_of(exponent);
    let shift = exponent - ((bin << BIN_BITS) + i64::from(FIRST));
    (bin, term << (shift & i64::from(BIN - 1)))
}

/// Terms and exponents of `2^(factor * scores[i])`, times `e^weights[i]` unless there are none; every |t| is at most [`T_MAX`].
///
/// # Safety
/// As [`DepthF32`]; `scores`, and `weights` unless NULL, are valid for `n` reads, `n <= TERMS`.
#[inline(always)]
pub(super) unsafe fn fill<L: DepthF32>(scores: *const f32, weights: *const f32, n: usize, factor: f32, out: &mut Terms) {
    const { assert!(TERMS.is_multiple_of(L::LANES)) }
    let n = n.min(TERMS);
    let (terms, exponents) = (out.terms.as_mut_ptr(), out.exponents.as_mut_ptr());
    // SAFETY: vectors start at `i` with `i + LANES <= n` or are the part that is left; the stores end at the next multiple of
    // LANES, which `TERMS` is.
    unsafe {
        let mut i = 0;
        if weights.is_null() {
            let (c, minus_c) = (L::splat(factor), L::splat(-factor));
            while i + L::LANES <= n {
                split::<L>(L::load(scores.add(i)), c, minus_c, terms.add(i), exponents.add(i));
                i += L::LANES;
            }
            if i < n {
                split::<L>(L::load_part(scores.add(i), n - i), c, minus_c, terms.add(i), exponents.add(i));
            }
        } else {
            let (c, one, minus_one) = (L::splat(factor), L::splat(1.0), L::splat(-1.0));
            let log2_e = L::splat(core::f32::consts::LOG2_E);
            while i + L::LANES <= n {
                let weight = L::mul_add(L::zero(), L::load(weights.add(i)), log2_e);
                let t = L::mul_add(weight, L::load(scores.add(i)), c);
                split::<L>(t, one, minus_one, terms.add(i), exponents.add(i));
                i += L::LANES;
            }
            if i < n {
                let weight = L::mul_add(L::zero(), L::load_part(weights.add(i), n - i), log2_e);
                let t = L::mul_add(weight, L::load_part(scores.add(i), n - i), c);
                split::<L>(t, one, minus_one, terms.add(i), exponents.add(i));
            }
        }
    }
}

/// A vector of terms and exponents of `2^(c x)`.
///
/// # Safety
/// As [`DepthF32`]; both pointers are valid for writes of a full vector.
#[inline(always)]
unsafe fn split<L: DepthF32>(x: L::V, c: L::V, minus_c: L::V, term: *mut f32, exponent: *mut f32) {
    let [c1, c2, c3, c4, c5] = POLYNOMIAL;
    // SAFETY: the caller's promise.
    unsafe {
        let minus_rounded = L::mul_add(L::splat(ROUND), x, minus_c);
        let f = L::mul_add(L::add(minus_rounded, L::splat(-ROUND)), x, c);
        let p = L::mul_add(L::splat(c4), f, L::splat(c5));
        let p = L::mul_add(L::splat(c3), f, p);
        let p = L::mul_add(L::splat(c2), f, p);
        let p = L::mul_add(L::splat(c1), f, p);
        let p = L::add(L::mul_add(L::splat(1.0 + GRID), f, p), L::splat(-GRID));
        L::store(term, p);
        L::store(exponent, minus_rounded);
    }
}

/// Least and greatest bin of the first `n` terms.
#[inline(always)]
pub(super) fn bins(terms: &Terms, n: usize) -> (i32, i32) {
    let exponents = terms.exponents.get(..n).unwrap_or_default();
    let (least, most) = exponents.iter().fold((i32::MAX, i32::MIN), |(least, most), x| {
        let minus = x.to_bits() as i32;
        (least.min(minus), most.max(minus))
    });
    let bin = |minus: i32| ((ROUND.to_bits() as i32).wrapping_sub(minus).wrapping_sub(FIRST)) >> BIN_BITS;
    (bin(most), bin(least))
}

/// 2^52: added to an integer below it, the low bits of the sum are the integer.
const INTEGER: f64 = 4_503_599_627_370_496.0;

/// Sum of all of the first `n` terms, which are in `bin`, in units of the bin.
#[inline(always)]
pub(super) fn sum(terms: &Terms, n: usize, bin: i32) -> u64 {
    sum_of::<false>(terms, n, bin)
}

/// Sum of those of the first `n` terms that are in `bin`, in units of the bin.
#[inline(always)]
pub(super) fn sum_in(terms: &Terms, n: usize, bin: i32) -> u64 {
    sum_of::<true>(terms, n, bin)
}

#[inline(always)]
fn sum_of<const SOME: bool>(terms: &Terms, n: usize, bin: i32) -> u64 {
    let first = bin.wrapping_mul(BIN).wrapping_add(FIRST);
    // Exponent within the bin, plus the digits that make the term an integer.
    let shift = (ROUND.to_bits() as i32).wrapping_sub(first);
    let terms = terms.terms.get(..n).unwrap_or_default().iter().zip(&terms.exponents);
    let sum = terms.fold(0u64, |sum, (term, exponent)| {
        let within = shift.wrapping_sub(exponent.to_bits() as i32);
        let bits = (term.to_bits() as i32).wrapping_add(within.wrapping_add(DIGITS) << 23);
        let x = if !SOME || (within as u32) < BIN as u32 { f32::from_bits(bits as u32) } else { 0.0 };
        sum.wrapping_add((f64::from(x) + INTEGER).to_bits())
    });
    sum.wrapping_sub(INTEGER.to_bits().wrapping_mul(n.min(TERMS) as u64))
}

//! AVX2 with FMA: 8 f32 lanes; int8 widened to 16 bits for the signed multiply-add, exact for every code.
//!
//! Not used: `maddubs` (saturates on pairs of products beyond 16 bits; `sign_epi8` is wrong for -128).

use super::{DepthF32, DepthI8, TileLanes, Transpose, Words};
use core::arch::x86_64::*;
use core::mem::transmute;

pub(crate) struct Avx2;

/// The first `n <= 4` of four lanes, by loads that touch nothing else. (Masked loads would do on a processor, but emulators have
/// been seen to read the lanes that are masked off, and to fault at the end of a page.)
#[inline(always)]
unsafe fn load_part4(p: *const f32, n: usize) -> __m128 {
    // SAFETY: `n` elements are valid by the caller's contract, and each arm loads just as many.
    unsafe {
        let two = |p: *const f32| _mm_castpd_ps(_mm_load_sd(p.cast()));
        match n {
            0 => _mm_setzero_ps(),
            1 => _mm_load_ss(p),
            2 => two(p),
            3 => _mm_movelh_ps(two(p), _mm_load_ss(p.add(2))),
            _ => _mm_loadu_ps(p),
        }
    }
}

impl DepthF32 for Avx2 {
    const LANES: usize = 8;
    type V = __m256;
    #[inline(always)]
    unsafe fn zero() -> __m256 {
        // SAFETY: AVX2 is the contract of the trait.
        unsafe { _mm256_setzero_ps() }
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> __m256 {
        // SAFETY: valid for 8 elements by contract; unaligned load.
        unsafe { _mm256_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn load_part(p: *const f32, n: usize) -> __m256 {
        // SAFETY: `n` elements are valid by contract; the second half starts where the first ends.
        unsafe { _mm256_set_m128(load_part4(p.wrapping_add(4), n.saturating_sub(4)), load_part4(p, n.min(4))) }
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: __m256) {
        // SAFETY: valid for 8 elements by contract; unaligned store.
        unsafe { _mm256_storeu_ps(p, v) }
    }
    #[inline(always)]
    unsafe fn mul_add(acc: __m256, a: __m256, b: __m256) -> __m256 {
        // SAFETY: FMA is the contract of the trait.
        unsafe { _mm256_fmadd_ps(a, b, acc) }
    }
    #[inline(always)]
    unsafe fn add(a: __m256, b: __m256) -> __m256 {
        // SAFETY: AVX2 is the contract of the trait.
        unsafe { _mm256_add_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn mul(a: __m256, b: __m256) -> __m256 {
        // SAFETY: AVX2 is the contract of the trait.
        unsafe { _mm256_mul_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn max(a: __m256, b: __m256) -> __m256 {
        // SAFETY: AVX2 is the contract of the trait.
        unsafe { _mm256_max_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn min(a: __m256, b: __m256) -> __m256 {
        // SAFETY: AVX2 is the contract of the trait.
        unsafe { _mm256_min_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn splat(x: f32) -> __m256 {
        // SAFETY: AVX2 is the contract of the trait.
        unsafe { _mm256_set1_ps(x) }
    }
    #[inline(always)]
    unsafe fn greater(a: __m256, b: __m256) -> u32 {
        // SAFETY: AVX2 is the contract of the trait.
        unsafe { _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_GT_OQ>(a, b)) as u32 }
    }
    const SHIFTS: bool = true;
    #[inline(always)]
    unsafe fn shift_in(before: __m256, v: __m256) -> __m256 {
        // SAFETY: AVX2 is the contract of the trait.
        unsafe {
            // The halves between: the second of `before`, the first of `v`; then each half moves by a lane of its own.
            let (before, v) = (_mm256_castps_si256(before), _mm256_castps_si256(v));
            let between = _mm256_permute2x128_si256::<0x21>(before, v);
            _mm256_castsi256_ps(_mm256_alignr_epi8::<12>(v, between))
        }
    }
    #[inline(always)]
    unsafe fn sum(v: __m256) -> f32 {
        // SAFETY: AVX2 is the contract of the trait.
        unsafe {
            let v = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
            let v = _mm_add_ps(v, _mm_movehl_ps(v, v));
            _mm_cvtss_f32(_mm_add_ss(v, _mm_shuffle_ps::<0b01>(v, v)))
        }
    }
    #[inline(always)]
    unsafe fn sum4(v: [__m256; 4]) -> [f32; 4] {
        // SAFETY: AVX2 is the contract of the trait; the array holds four floats.
        unsafe {
            // Lane i + lane i + 4, two pairs to a register; then i + i + 2 and i + i + 1 across all four by transposing.
            let fold = |a, b| _mm256_add_ps(_mm256_permute2f128_ps::<0x20>(a, b), _mm256_permute2f128_ps::<0x31>(a, b));
            let (ab, cd) = (fold(v[0], v[1]), fold(v[2], v[3])); // [a | b], [c | d]
            let pairs = _mm256_add_ps(_mm256_unpacklo_ps(ab, cd), _mm256_unpackhi_ps(ab, cd)); // [a02 c02 a13 c13 | b d ..]
            let sums = _mm256_add_ps(pairs, _mm256_permute_ps::<0b1110>(pairs)); // [a c .. | b d ..]
            let low = _mm256_castps256_ps128(sums);
            let sums = _mm_unpacklo_ps(low, _mm256_extractf128_ps::<1>(sums)); // a b c d
            let mut out = [0f32; 4];
            _mm_storeu_ps(out.as_mut_ptr(), sums);
            out
        }
    }
}

/// 16 codes as 16-bit lanes, the first `n` of which are loaded.
#[inline(always)]
unsafe fn load_part_codes(p: *const i8, n: usize) -> __m256i {
    let mut codes = [0i8; 16];
    // SAFETY: `n <= 16` elements are valid by contract; AVX2 is the contract of the trait.
    unsafe {
        core::ptr::copy_nonoverlapping(p, codes.as_mut_ptr(), n);
        load_codes(codes.as_ptr())
    }
}

#[inline(always)]
unsafe fn load_codes(p: *const i8) -> __m256i {
    // SAFETY: valid for 16 elements by contract.
    unsafe { _mm256_cvtepi8_epi16(_mm_loadu_si128(p.cast())) }
}

impl DepthI8 for Avx2 {
    const CODES: usize = 16;
    const OFFSET: bool = false;
    type Query = __m256i;
    type Row = __m256i;
    type Acc = __m256i;
    #[inline(always)]
    unsafe fn zero() -> __m256i {
        // SAFETY: AVX2 is the contract of the trait.
        unsafe { _mm256_setzero_si256() }
    }
    #[inline(always)]
    unsafe fn load_query(p: *const i8) -> __m256i {
        // SAFETY: the caller's promise.
        unsafe { load_codes(p) }
    }
    #[inline(always)]
    unsafe fn load_part_query(p: *const i8, n: usize) -> __m256i {
        // SAFETY: the caller's promise.
        unsafe { load_part_codes(p, n) }
    }
    #[inline(always)]
    unsafe fn load_row(p: *const i8) -> __m256i {
        // SAFETY: the caller's promise.
        unsafe { load_codes(p) }
    }
    #[inline(always)]
    unsafe fn load_part_row(p: *const i8, n: usize) -> __m256i {
        // SAFETY: the caller's promise.
        unsafe { load_part_codes(p, n) }
    }
    #[inline(always)]
    unsafe fn mul_add(acc: __m256i, query: __m256i, row: __m256i) -> __m256i {
        // SAFETY: AVX2 is the contract of the trait. A pair of products is at most 2 * 128 * 128.
        unsafe { _mm256_add_epi32(acc, _mm256_madd_epi16(query, row)) }
    }
    #[inline(always)]
    unsafe fn add(a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: AVX2 is the contract of the trait.
        unsafe { _mm256_add_epi32(a, b) }
    }
    #[inline(always)]
    unsafe fn sub(a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: AVX2 is the contract of the trait.
        unsafe { _mm256_sub_epi32(a, b) }
    }
    #[inline(always)]
    unsafe fn sum(acc: __m256i) -> i32 {
        // SAFETY: AVX2 is the contract of the trait.
        unsafe { sum_i32(_mm_add_epi32(_mm256_castsi256_si128(acc), _mm256_extracti128_si256::<1>(acc))) }
    }
    #[inline(always)]
    unsafe fn sum4(v: [__m256i; 4]) -> [i32; 4] {
        // SAFETY: AVX2 is the contract of the trait.
        unsafe { sum4_i32(v) }
    }
}

/// Sums of the lanes of four vectors, by transposing.
#[inline(always)]
pub(super) unsafe fn sum4_i32(v: [__m256i; 4]) -> [i32; 4] {
    // SAFETY: AVX2 is the contract of the callers' traits; the array holds four numbers.
    unsafe {
        let ab = _mm256_add_epi32(_mm256_unpacklo_epi32(v[0], v[1]), _mm256_unpackhi_epi32(v[0], v[1]));
        let cd = _mm256_add_epi32(_mm256_unpacklo_epi32(v[2], v[3]), _mm256_unpackhi_epi32(v[2], v[3]));
        let abcd = _mm256_add_epi32(_mm256_unpacklo_epi64(ab, cd), _mm256_unpackhi_epi64(ab, cd));
        let sums = _mm_add_epi32(_mm256_castsi256_si128(abcd), _mm256_extracti128_si256::<1>(abcd));
        let mut out = [0; 4];
        _mm_storeu_si128(out.as_mut_ptr().cast(), sums);
        out
    }
}

/// Sum of four 32-bit lanes.
#[inline(always)]
pub(super) unsafe fn sum_i32(v: __m128i) -> i32 {
    // SAFETY: SSE2 is part of every instruction set of this file's users.
    unsafe {
        let v = _mm_add_epi32(v, _mm_shuffle_epi32::<0b1110>(v));
        _mm_cvtsi128_si32(_mm_add_epi32(v, _mm_shuffle_epi32::<0b01>(v)))
    }
}

impl Words for __m256 {
    const LANES: usize = 8;
    #[inline(always)]
    unsafe fn load(p: *const u32) -> __m256 {
        // SAFETY: valid for 8 words by contract; unaligned load.
        unsafe { _mm256_loadu_ps(p.cast()) }
    }
    #[inline(always)]
    unsafe fn splat(p: *const u32) -> __m256 {
        // SAFETY: valid for one word by contract.
        unsafe { _mm256_set1_ps(*p.cast()) }
    }
    #[inline(always)]
    unsafe fn store(p: *mut u32, v: __m256) {
        // SAFETY: valid for 8 words by contract; unaligned store.
        unsafe { _mm256_storeu_ps(p.cast(), v) }
    }
    #[inline(always)]
    unsafe fn zero() -> __m256 {
        // SAFETY: the instruction set is the contract of the trait.
        unsafe { _mm256_setzero_ps() }
    }
}

/// f32 words.
impl TileLanes for Avx2 {
    type V = __m256;
    #[inline(always)]
    unsafe fn mul_add(acc: __m256, a: __m256, b: __m256) -> __m256 {
        // SAFETY: FMA is the contract of the trait.
        unsafe { _mm256_fmadd_ps(a, b, acc) }
    }
    type Scores = Self;
    const SCALED: bool = false;
    #[inline(always)]
    unsafe fn floats(sums: __m256) -> __m256 {
        sums
    }
}

impl Words for __m256i {
    const LANES: usize = 8;
    #[inline(always)]
    unsafe fn load(p: *const u32) -> __m256i {
        // SAFETY: valid for 8 words by contract; unaligned load.
        unsafe { _mm256_loadu_si256(p.cast()) }
    }
    #[inline(always)]
    unsafe fn splat(p: *const u32) -> __m256i {
        // SAFETY: valid for one word by contract.
        unsafe { _mm256_set1_epi32(*p.cast()) }
    }
    #[inline(always)]
    unsafe fn store(p: *mut u32, v: __m256i) {
        // SAFETY: valid for 8 words by contract; unaligned store.
        unsafe { _mm256_storeu_si256(p.cast(), v) }
    }
    #[inline(always)]
    unsafe fn zero() -> __m256i {
        // SAFETY: the instruction set is the contract of the trait.
        unsafe { _mm256_setzero_si256() }
    }
}

/// int8 words of two codes ([`WordLayout::Wide2`](super::WordLayout::Wide2)).
pub(crate) struct Avx2Codes;

impl TileLanes for Avx2Codes {
    type V = __m256i;
    #[inline(always)]
    unsafe fn mul_add(acc: __m256i, a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: AVX2 is the contract of the trait.
        unsafe { _mm256_add_epi32(acc, _mm256_madd_epi16(a, b)) }
    }
    type Scores = Avx2;
    const SCALED: bool = true;
    #[inline(always)]
    unsafe fn floats(sums: __m256i) -> __m256 {
        // SAFETY: AVX2 is the contract of the trait.
        unsafe { _mm256_cvtepi32_ps(sums) }
    }
}

/// 8 x 8 words: pairs, quads, then halves.
#[inline(always)]
pub(super) unsafe fn transpose(r: [__m256; 8]) -> [__m256; 8] {
    // SAFETY: AVX2 is the contract of the callers' traits.
    unsafe {
        let pair = |a, b| (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
        let quad = |a, b| (_mm256_shuffle_ps::<0b0100_0100>(a, b), _mm256_shuffle_ps::<0b1110_1110>(a, b));
        let half = |a, b| (_mm256_permute2f128_ps::<0x20>(a, b), _mm256_permute2f128_ps::<0x31>(a, b));
        let ((a0, a1), (b0, b1), (c0, c1), (d0, d1)) = (pair(r[0], r[1]), pair(r[2], r[3]), pair(r[4], r[5]), pair(r[6], r[7]));
        let ((e0, e1), (e2, e3)) = (quad(a0, b0), quad(a1, b1)); // words 0..4 of rows 0..4 in the low half, 4..8 in the high one
        let ((f0, f1), (f2, f3)) = (quad(c0, d0), quad(c1, d1));
        let ((g0, g4), (g1, g5), (g2, g6), (g3, g7)) = (half(e0, f0), half(e1, f1), half(e2, f2), half(e3, f3));
        [g0, g1, g2, g3, g4, g5, g6, g7]
    }
}

/// [`transpose`] of integers.
#[inline(always)]
pub(super) unsafe fn transpose_words(rows: [__m256i; 8]) -> [__m256i; 8] {
    // SAFETY: the caller's promise; both are vectors of as many words of any bits. (A closure for `map` would not have the
    // instruction set, and stay a function.)
    unsafe { transmute::<[__m256; 8], [__m256i; 8]>(transpose(transmute::<[__m256i; 8], [__m256; 8]>(rows))) }
}

impl Transpose<8> for Avx2 {
    const ELEMENTS: usize = 8;
    type Element = f32;
    #[inline(always)]
    unsafe fn load_row_words(p: *const f32) -> __m256 {
        // SAFETY: valid for 8 elements by contract; unaligned load.
        unsafe { _mm256_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn transpose(rows: [__m256; 8]) -> [__m256; 8] {
        // SAFETY: the instruction set is the contract of the trait.
        unsafe { transpose(rows) }
    }
}

impl Transpose<8> for Avx2Codes {
    const ELEMENTS: usize = 16;
    type Element = i8;
    #[inline(always)]
    unsafe fn load_row_words(p: *const i8) -> __m256i {
        // SAFETY: valid for 16 elements by contract; unaligned load.
        unsafe { load_codes(p) }
    }
    #[inline(always)]
    unsafe fn transpose(rows: [__m256i; 8]) -> [__m256i; 8] {
        // SAFETY: the instruction set is the contract of the trait.
        unsafe { transpose_words(rows) }
    }
}

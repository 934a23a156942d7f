//! AVX-512 F, BW, DQ and VL: 16 f32 lanes; int8 widened to 16 bits for the signed multiply-add, exact for every code.

use super::{DepthF32, DepthI8, TileLanes, Transpose, Words};
use core::arch::x86_64::*;
use core::mem::transmute;

pub(crate) struct Avx512;

impl DepthF32 for Avx512 {
    const LANES: usize = 16;
    type V = __m512;
    #[inline(always)]
    unsafe fn zero() -> __m512 {
        // SAFETY: AVX-512 is the contract of the trait.
        unsafe { _mm512_setzero_ps() }
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> __m512 {
        // SAFETY: valid for 16 elements by contract; unaligned load.
        unsafe { _mm512_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn load_part(p: *const f32, n: usize) -> __m512 {
        // SAFETY: the mask covers the `n` valid elements; masked lanes are not accessed.
        unsafe { _mm512_maskz_loadu_ps(((1u32 << n) - 1) as __mmask16, p) }
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: __m512) {
        // SAFETY: valid for 16 elements by contract; unaligned store.
        unsafe { _mm512_storeu_ps(p, v) }
    }
    #[inline(always)]
    unsafe fn mul_add(acc: __m512, a: __m512, b: __m512) -> __m512 {
        // SAFETY: AVX-512 is the contract of the trait.
        unsafe { _mm512_fmadd_ps(a, b, acc) }
    }
    #[inline(always)]
    unsafe fn add(a: __m512, b: __m512) -> __m512 {
        // SAFETY: AVX-512 is the contract of the trait.
        unsafe { _mm512_add_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn mul(a: __m512, b: __m512) -> __m512 {
        // SAFETY: AVX-512 is the contract of the trait.
        unsafe { _mm512_mul_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn max(a: __m512, b: __m512) -> __m512 {
        // SAFETY: AVX-512 is the contract of the trait.
        unsafe { _mm512_max_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn min(a: __m512, b: __m512) -> __m512 {
        // SAFETY: AVX-512 is the contract of the trait.
        unsafe { _mm512_min_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn splat(x: f32) -> __m512 {
        // SAFETY: AVX-512 is the contract of the trait.
        unsafe { _mm512_set1_ps(x) }
    }
    #[inline(always)]
    unsafe fn greater(a: __m512, b: __m512) -> u32 {
        // SAFETY: AVX-512 is the contract of the trait.
        unsafe { _mm512_cmp_ps_mask::<_CMP_GT_OQ>(a, b).into() }
    }
    const COMPRESSES: bool = true;
    #[inline(always)]
    unsafe fn compress(v: __m512, mask: u32) -> __m512 {
        // SAFETY: AVX-512 is the contract of the trait.
        unsafe { _mm512_maskz_compress_ps(mask as __mmask16, v) }
    }
    const SHIFTS: bool = true;
    #[inline(always)]
    unsafe fn shift_in(before: __m512, v: __m512) -> __m512 {
        // SAFETY: AVX-512 is the contract of the trait.
        unsafe { _mm512_castsi512_ps(_mm512_alignr_epi32::<15>(_mm512_castps_si512(v), _mm512_castps_si512(before))) }
    }
    #[inline(always)]
    unsafe fn store_part(p: *mut f32, v: __m512, n: usize) {
        // SAFETY: the mask covers the `n` valid elements; masked lanes are not accessed.
        unsafe { _mm512_mask_storeu_ps(p, ((1u32 << n) - 1) as __mmask16, v) }
    }
    #[inline(always)]
    unsafe fn sum(v: __m512) -> f32 {
        // SAFETY: AVX-512 is the contract of the trait.
        unsafe {
            let v = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps::<1>(v));
            let v = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
            let v = _mm_add_ps(v, _mm_movehl_ps(v, v));
            _mm_cvtss_f32(_mm_add_ss(v, _mm_shuffle_ps::<0b01>(v, v)))
        }
    }
    #[inline(always)]
    unsafe fn sum4(v: [__m512; 4]) -> [f32; 4] {
        // SAFETY: AVX-512 is the contract of the trait; the array holds four floats.
        unsafe {
            // Lane i + lane i + 8, two pairs to a register; i + 4, all four to a register; then within each quarter.
            let fold8 = |a, b| _mm512_add_ps(_mm512_shuffle_f32x4::<0b0100_0100>(a, b), _mm512_shuffle_f32x4::<0b1110_1110>(a, b));
            let (ab, cd) = (fold8(v[0], v[1]), fold8(v[2], v[3]));
            let abcd = _mm512_add_ps(_mm512_shuffle_f32x4::<0b1000_1000>(ab, cd), _mm512_shuffle_f32x4::<0b1101_1101>(ab, cd));
            let pairs = _mm512_add_ps(abcd, _mm512_permute_ps::<0b1110>(abcd));
            let sums = _mm512_add_ps(pairs, _mm512_permute_ps::<0b01>(pairs));
            // Lane 0 of each quarter.
            let sums = _mm512_maskz_compress_ps(0x1111, sums);
            let mut out = [0f32; 4];
            _mm_storeu_ps(out.as_mut_ptr(), _mm512_castps512_ps128(sums));
            out
        }
    }
}

impl DepthI8 for Avx512 {
    const CODES: usize = 32;
    const OFFSET: bool = false;
    type Query = __m512i;
    type Row = __m512i;
    type Acc = __m512i;
    #[inline(always)]
    unsafe fn zero() -> __m512i {
        // SAFETY: AVX-512 is the contract of the trait.
        unsafe { _mm512_setzero_si512() }
    }
    #[inline(always)]
    unsafe fn load_query(p: *const i8) -> __m512i {
        // SAFETY: valid for 32 elements by contract.
        unsafe { _mm512_cvtepi8_epi16(_mm256_loadu_si256(p.cast())) }
    }
    #[inline(always)]
    unsafe fn load_part_query(p: *const i8, n: usize) -> __m512i {
        // SAFETY: the mask covers the `n < 32` valid elements; masked lanes are not accessed.
        unsafe { _mm512_cvtepi8_epi16(_mm256_maskz_loadu_epi8((1u32 << n) - 1, p)) }
    }
    #[inline(always)]
    unsafe fn load_row(p: *const i8) -> __m512i {
        // SAFETY: the caller's promise.
        unsafe { Self::load_query(p) }
    }
    #[inline(always)]
    unsafe fn load_part_row(p: *const i8, n: usize) -> __m512i {
        // SAFETY: the caller's promise.
        unsafe { Self::load_part_query(p, n) }
    }
    #[inline(always)]
    unsafe fn mul_add(acc: __m512i, query: __m512i, row: __m512i) -> __m512i {
        // SAFETY: AVX-512 is the contract of the trait. A pair of products is at most 2 * 128 * 128.
        unsafe { _mm512_add_epi32(acc, _mm512_madd_epi16(query, row)) }
    }
    #[inline(always)]
    unsafe fn add(a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: AVX-512 is the contract of the trait.
        unsafe { _mm512_add_epi32(a, b) }
    }
    #[inline(always)]
    unsafe fn sub(a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: AVX-512 is the contract of the trait.
        unsafe { _mm512_sub_epi32(a, b) }
    }
    #[inline(always)]
    unsafe fn sum(acc: __m512i) -> i32 {
        // SAFETY: AVX-512 is the contract of the trait.
        unsafe { _mm512_reduce_add_epi32(acc) }
    }
    #[inline(always)]
    unsafe fn sum4(v: [__m512i; 4]) -> [i32; 4] {
        // SAFETY: AVX-512 is the contract of the trait.
        unsafe { sum4_i32(v) }
    }
}

/// Sums of the lanes of four vectors, by transposing.
#[inline(always)]
pub(super) unsafe fn sum4_i32(v: [__m512i; 4]) -> [i32; 4] {
    // SAFETY: AVX-512 is the contract of the callers' traits; the array holds four numbers.
    unsafe {
        let ab = _mm512_add_epi32(_mm512_unpacklo_epi32(v[0], v[1]), _mm512_unpackhi_epi32(v[0], v[1]));
        let cd = _mm512_add_epi32(_mm512_unpacklo_epi32(v[2], v[3]), _mm512_unpackhi_epi32(v[2], v[3]));
        let abcd = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
        let halves = _mm256_add_epi32(_mm512_castsi512_si256(abcd), _mm512_extracti64x4_epi64::<1>(abcd));
        let sums = _mm_add_epi32(_mm256_castsi256_si128(halves), _mm256_extracti128_si256::<1>(halves));
        let mut out = [0; 4];
        _mm_storeu_si128(out.as_mut_ptr().cast(), sums);
        out
    }
}

impl Words for __m512 {
    const LANES: usize = 16;
    #[inline(always)]
    unsafe fn load(p: *const u32) -> __m512 {
        // SAFETY: valid for 16 words by contract; unaligned load.
        unsafe { _mm512_loadu_ps(p.cast()) }
    }
    #[inline(always)]
    unsafe fn splat(p: *const u32) -> __m512 {
        // SAFETY: valid for one word by contract.
        unsafe { _mm512_set1_ps(*p.cast()) }
    }
    #[inline(always)]
    unsafe fn store(p: *mut u32, v: __m512) {
        // SAFETY: valid for 16 words by contract; unaligned store.
        unsafe { _mm512_storeu_ps(p.cast(), v) }
    }
    #[inline(always)]
    unsafe fn zero() -> __m512 {
        // SAFETY: the instruction set is the contract of the trait.
        unsafe { _mm512_setzero_ps() }
    }
}

/// f32 words.
impl TileLanes for Avx512 {
    type V = __m512;
    #[inline(always)]
    unsafe fn mul_add(acc: __m512, a: __m512, b: __m512) -> __m512 {
        // SAFETY: AVX-512 is the contract of the trait.
        unsafe { _mm512_fmadd_ps(a, b, acc) }
    }
    type Scores = Self;
    const SCALED: bool = false;
    #[inline(always)]
    unsafe fn floats(sums: __m512) -> __m512 {
        sums
    }
}

impl Words for __m512i {
    const LANES: usize = 16;
    #[inline(always)]
    unsafe fn load(p: *const u32) -> __m512i {
        // SAFETY: valid for 16 words by contract; unaligned load.
        unsafe { _mm512_loadu_si512(p.cast()) }
    }
    #[inline(always)]
    unsafe fn splat(p: *const u32) -> __m512i {
        // SAFETY: valid for one word by contract.
        unsafe { _mm512_set1_epi32(*p.cast()) }
    }
    #[inline(always)]
    unsafe fn store(p: *mut u32, v: __m512i) {
        // SAFETY: valid for 16 words by contract; unaligned store.
        unsafe { _mm512_storeu_si512(p.cast(), v) }
    }
    #[inline(always)]
    unsafe fn zero() -> __m512i {
        // SAFETY: the instruction set is the contract of the trait.
        unsafe { _mm512_setzero_si512() }
    }
}

/// int8 words of two codes ([`WordLayout::Wide2`](super::WordLayout::Wide2)).
pub(crate) struct Avx512Codes;

impl TileLanes for Avx512Codes {
    type V = __m512i;
    #[inline(always)]
    unsafe fn mul_add(acc: __m512i, a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: AVX-512 is the contract of the trait.
        unsafe { _mm512_add_epi32(acc, _mm512_madd_epi16(a, b)) }
    }
    type Scores = Avx512;
    const SCALED: bool = true;
    #[inline(always)]
    unsafe fn floats(sums: __m512i) -> __m512 {
        // SAFETY: AVX-512 is the contract of the trait.
        unsafe { _mm512_cvtepi32_ps(sums) }
    }
}

/// 16 x 16 words: pairs, quads, then quarters twice.
#[inline(always)]
pub(super) unsafe fn transpose(rows: [__m512; 16]) -> [__m512; 16] {
    // SAFETY: AVX-512 is the contract of the callers' traits.
    unsafe {
        let mut quads = [_mm512_setzero_ps(); 16]; // quads[4 g + i]: in quarter q word 4 q + i of rows 4 g .. 4 g + 4
        for g in 0..4 {
            let r = &rows[4 * g..4 * g + 4];
            let (a0, a1) = (_mm512_unpacklo_ps(r[0], r[1]), _mm512_unpackhi_ps(r[0], r[1]));
            let (b0, b1) = (_mm512_unpacklo_ps(r[2], r[3]), _mm512_unpackhi_ps(r[2], r[3]));
            quads[4 * g] = _mm512_shuffle_ps::<0b0100_0100>(a0, b0);
            quads[4 * g + 1] = _mm512_shuffle_ps::<0b1110_1110>(a0, b0);
            quads[4 * g + 2] = _mm512_shuffle_ps::<0b0100_0100>(a1, b1);
            quads[4 * g + 3] = _mm512_shuffle_ps::<0b1110_1110>(a1, b1);
        }
        let mut out = [_mm512_setzero_ps(); 16];
        for i in 0..4 {
            let even = |a, b| _mm512_shuffle_f32x4::<0b1000_1000>(a, b); // quarters 0 and 2 of both
            let odd = |a, b| _mm512_shuffle_f32x4::<0b1101_1101>(a, b);
            let (low02, low13) = (even(quads[i], quads[4 + i]), odd(quads[i], quads[4 + i]));
            let (high02, high13) = (even(quads[8 + i], quads[12 + i]), odd(quads[8 + i], quads[12 + i]));
            out[i] = even(low02, high02);
            out[4 + i] = even(low13, high13);
            out[8 + i] = odd(low02, high02);
            out[12 + i] = odd(low13, high13);
        }
        out
    }
}

/// [`transpose`] of integers.
#[inline(always)]
pub(super) unsafe fn transpose_words(rows: [__m512i; 16]) -> [__m512i; 16] {
    // SAFETY: the caller's promise; both are vectors of as many words of any bits. (A closure for `map` would not have the
    // instruction set, and stay a function.)
    unsafe { transmute::<[__m512; 16], [__m512i; 16]>(transpose(transmute::<[__m512i; 16], [__m512; 16]>(rows))) }
}

impl Transpose<16> for Avx512 {
    const ELEMENTS: usize = 16;
    type Element = f32;
    #[inline(always)]
    unsafe fn load_row_words(p: *const f32) -> __m512 {
        // SAFETY: valid for 16 elements by contract; unaligned load.
        unsafe { _mm512_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn transpose(rows: [__m512; 16]) -> [__m512; 16] {
        // SAFETY: the instruction set is the contract of the trait.
        unsafe { transpose(rows) }
    }
}

impl Transpose<16> for Avx512Codes {
    const ELEMENTS: usize = 32;
    type Element = i8;
    #[inline(always)]
    unsafe fn load_row_words(p: *const i8) -> __m512i {
        // SAFETY: valid for 32 elements by contract; unaligned load.
        unsafe { <Avx512 as DepthI8>::load_row(p) }
    }
    #[inline(always)]
    unsafe fn transpose(rows: [__m512i; 16]) -> [__m512i; 16] {
        // SAFETY: the instruction set is the contract of the trait.
        unsafe { transpose_words(rows) }
    }
}

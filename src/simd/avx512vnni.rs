//! AVX-512 VNNI: four int8 products a lane and instruction.
//!
//! `vpdpbusd` multiplies unsigned by signed codes, so one side carries an offset of 128 that is taken off the sum. The sums wrap;
//! only the true sum has to fit, and it does up to [`MAX_DIM`](crate::MAX_DIM).

use super::avx512::{Avx512, sum4_i32, transpose_words};
use super::{DepthI8, TileLanes, Transpose};
use core::arch::x86_64::*;

pub(crate) struct Avx512Vnni;

/// Signed codes to unsigned ones, 128 larger.
#[inline(always)]
unsafe fn offset(codes: __m512i) -> __m512i {
    // SAFETY: AVX-512 is the contract of the trait.
    unsafe { _mm512_xor_si512(codes, _mm512_set1_epi8(-128)) }
}

impl DepthI8 for Avx512Vnni {
    const CODES: usize = 64;
    const OFFSET: bool = true;
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
        // SAFETY: valid for 64 elements by contract.
        unsafe { _mm512_loadu_si512(p.cast()) }
    }
    #[inline(always)]
    unsafe fn load_part_query(p: *const i8, n: usize) -> __m512i {
        // SAFETY: the mask covers the `n < 64` valid elements; masked lanes are not accessed.
        unsafe { _mm512_maskz_loadu_epi8((1u64 << n) - 1, p) }
    }
    #[inline(always)]
    unsafe fn load_row(p: *const i8) -> __m512i {
        // SAFETY: the caller's promise.
        unsafe { offset(Self::load_query(p)) }
    }
    #[inline(always)]
    unsafe fn load_part_row(p: *const i8, n: usize) -> __m512i {
        // SAFETY: the caller's promise. Past the row the query's codes are zero, whatever the offset leaves here.
        unsafe { offset(Self::load_part_query(p, n)) }
    }
    #[inline(always)]
    unsafe fn mul_add(acc: __m512i, query: __m512i, row: __m512i) -> __m512i {
        // SAFETY: AVX-512 VNNI is the contract of the trait.
        unsafe { _mm512_dpbusd_epi32(acc, row, query) }
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

/// int8 words of four codes, the splat side unsigned ([`WordLayout::Offset4`](super::WordLayout::Offset4)).
impl TileLanes for Avx512Vnni {
    type V = __m512i;
    #[inline(always)]
    unsafe fn mul_add(acc: __m512i, a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: AVX-512 VNNI is the contract of the trait.
        unsafe { _mm512_dpbusd_epi32(acc, a, b) }
    }
    type Scores = Avx512;
    const SCALED: bool = true;
    #[inline(always)]
    unsafe fn floats(sums: __m512i) -> __m512 {
        // SAFETY: AVX-512 is the contract of the trait.
        unsafe { _mm512_cvtepi32_ps(sums) }
    }
}

impl Transpose<16> for Avx512Vnni {
    const ELEMENTS: usize = 64;
    type Element = i8;
    #[inline(always)]
    unsafe fn load_row_words(p: *const i8) -> __m512i {
        // SAFETY: valid for 64 elements by contract; unaligned load.
        unsafe { _mm512_loadu_si512(p.cast()) }
    }
    #[inline(always)]
    unsafe fn transpose(rows: [__m512i; 16]) -> [__m512i; 16] {
        // SAFETY: the instruction set is the contract of the trait.
        unsafe { transpose_words(rows) }
    }
}

//! AVX-VNNI (the VEX encoding): four int8 products a lane and instruction.
//!
//! `vpdpbusd` multiplies unsigned by signed codes, so one side carries an offset of 128 that is taken off the sum. The sums wrap;
//! only the true sum has to fit, and it does up to [`MAX_DIM`](crate::MAX_DIM).

use super::avx2::{Avx2, sum_i32, sum4_i32, transpose_words};
use super::{DepthI8, TileLanes, Transpose};
use core::arch::x86_64::*;

pub(crate) struct AvxVnni;

/// Signed codes to unsigned ones, 128 larger.
#[inline(always)]
unsafe fn offset(codes: __m256i) -> __m256i {
    // SAFETY: AVX2 is the contract of the trait.
    unsafe { _mm256_xor_si256(codes, _mm256_set1_epi8(-128)) }
}

impl DepthI8 for AvxVnni {
    const CODES: usize = 32;
    const OFFSET: bool = true;
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
        // SAFETY: valid for 32 elements by contract.
        unsafe { _mm256_loadu_si256(p.cast()) }
    }
    #[inline(always)]
    unsafe fn load_part_query(p: *const i8, n: usize) -> __m256i {
        let mut codes = [0i8; 32];
        // SAFETY: `n < 32` elements are valid by contract; the copy holds a full vector.
        unsafe {
            core::ptr::copy_nonoverlapping(p, codes.as_mut_ptr(), n);
            Self::load_query(codes.as_ptr())
        }
    }
    #[inline(always)]
    unsafe fn load_row(p: *const i8) -> __m256i {
        // SAFETY: the caller's promise.
        unsafe { offset(Self::load_query(p)) }
    }
    #[inline(always)]
    unsafe fn load_part_row(p: *const i8, n: usize) -> __m256i {
        // SAFETY: the caller's promise. Past the row the query's codes are zero, whatever the offset leaves here.
        unsafe { offset(Self::load_part_query(p, n)) }
    }
    #[inline(always)]
    unsafe fn mul_add(acc: __m256i, query: __m256i, row: __m256i) -> __m256i {
        // SAFETY: AVX-VNNI is the contract of the trait.
        unsafe { _mm256_dpbusd_avx_epi32(acc, row, query) }
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

/// int8 words of four codes, the splat side unsigned ([`WordLayout::Offset4`](super::WordLayout::Offset4)).
impl TileLanes for AvxVnni {
    type V = __m256i;
    #[inline(always)]
    unsafe fn mul_add(acc: __m256i, a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: AVX-VNNI is the contract of the trait.
        unsafe { _mm256_dpbusd_avx_epi32(acc, a, b) }
    }
    type Scores = Avx2;
    const SCALED: bool = true;
    #[inline(always)]
    unsafe fn floats(sums: __m256i) -> __m256 {
        // SAFETY: AVX2 is the contract of the trait.
        unsafe { _mm256_cvtepi32_ps(sums) }
    }
}

impl Transpose<8> for AvxVnni {
    const ELEMENTS: usize = 32;
    type Element = i8;
    #[inline(always)]
    unsafe fn load_row_words(p: *const i8) -> __m256i {
        // SAFETY: valid for 32 elements by contract; unaligned load.
        unsafe { _mm256_loadu_si256(p.cast()) }
    }
    #[inline(always)]
    unsafe fn transpose(rows: [__m256i; 8]) -> [__m256i; 8] {
        // SAFETY: the instruction set is the contract of the trait.
        unsafe { transpose_words(rows) }
    }
}

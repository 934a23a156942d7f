//! NEON with the int8 matrix multiply: `smmla` multiplies two rows of eight codes by two rows of eight, and adds the four sums of
//! eight products to its four lanes, exact for every code: twice the products of `sdot` per instruction.
//!
//! Only the tile uses it. Along the depth of two single rows half of the products would be of no use, so `neon_dotprod` does that.

use super::neon::load_words;
use super::{TileLanes, Transpose};
use core::arch::aarch64::*;
use core::arch::asm;

pub(crate) struct NeonI8mm;

/// int8 words of four codes ([`WordLayout::Signed4`](super::WordLayout::Signed4)), two of each of two rows in a vector.
impl TileLanes for NeonI8mm {
    const LANES: usize = 4;
    const ROWS: usize = 2;
    const DEPTH: usize = 2;
    const SHARED: usize = 4;
    type V = int32x4_t;
    #[inline(always)]
    unsafe fn load(p: *const u32) -> int32x4_t {
        // SAFETY: valid for 4 words by contract; unaligned load.
        unsafe { vld1q_s32(p.cast()) }
    }
    #[inline(always)]
    unsafe fn splat(p: *const u32) -> int32x4_t {
        // SAFETY: valid for one word by contract.
        unsafe { vld1q_dup_s32(p.cast()) }
    }
    #[inline(always)]
    unsafe fn load_gallery(p: *const u32) -> int32x4_t {
        // SAFETY: the caller's promise.
        unsafe { Self::load(p) }
    }
    #[inline(always)]
    unsafe fn store(p: *mut u32, v: int32x4_t) {
        // SAFETY: valid for 4 words by contract; unaligned store.
        unsafe { vst1q_s32(p.cast(), v) }
    }
    #[inline(always)]
    unsafe fn mul_add(mut acc: int32x4_t, gallery: int32x4_t, bank: int32x4_t) -> int32x4_t {
        // SAFETY: i8mm is the contract of the trait; the instruction touches registers only.
        unsafe {
            asm!("smmla {acc:v}.4s, {a:v}.16b, {b:v}.16b", acc = inout(vreg) acc, a = in(vreg) gallery, b = in(vreg) bank,
                options(pure, nomem, nostack, preserves_flags));
        }
        acc
    }
    #[inline(always)]
    unsafe fn load_sums(p: *const u32, stride: usize) -> int32x4_t {
        // SAFETY: valid for two words of each of two rows by contract; unaligned loads.
        unsafe { vcombine_s32(vld1_s32(p.cast()), vld1_s32(p.add(stride).cast())) }
    }
    /// A register holds the sums of two rows with two.
    #[inline(always)]
    unsafe fn row_sums<const NV: usize>(sums: &[int32x4_t; NV], row: usize, v: usize) -> int32x4_t {
        // SAFETY: NEON is the contract of the trait.
        unsafe {
            let (a, b) = (vreinterpretq_s64_s32(sums[2 * v]), vreinterpretq_s64_s32(sums[2 * v + 1]));
            vreinterpretq_s32_s64(if row == 0 { vzip1q_s64(a, b) } else { vzip2q_s64(a, b) })
        }
    }
}

impl Transpose<4> for NeonI8mm {
    const ELEMENTS: usize = 16;
    type Element = i8;
    #[inline(always)]
    unsafe fn load_row_words(p: *const i8) -> int32x4_t {
        // SAFETY: the caller's promise.
        unsafe { load_words(p) }
    }
    /// Words 0 and 1 of rows 0 and 1, then of rows 2 and 3; then words 2 and 3 of both.
    #[inline(always)]
    unsafe fn transpose(rows: [int32x4_t; 4]) -> [int32x4_t; 4] {
        // SAFETY: NEON is the contract of the trait.
        unsafe {
            let [a, b, c, d] = rows.map(|row| vreinterpretq_s64_s32(row));
            [vzip1q_s64(a, b), vzip1q_s64(c, d), vzip2q_s64(a, b), vzip2q_s64(c, d)].map(|v| vreinterpretq_s32_s64(v))
        }
    }
    #[inline(always)]
    unsafe fn zero_words() -> int32x4_t {
        // SAFETY: NEON is the contract of the trait.
        unsafe { vdupq_n_s32(0) }
    }
}

//! NEON with the int8 matrix multiply: `smmla` multiplies two rows of eight codes by two rows of eight, and adds the four sums of
//! eight products to its four lanes, exact for every code: twice the products of `sdot` per instruction.
//!
//! Only the tile uses it. Along the depth of two single rows half of the products would be of no use, so `neon_dotprod` does that.

use super::neon::{Neon, load_words};
use super::{TileLanes, Transpose, Words};
use core::arch::aarch64::*;
use core::arch::asm;

pub(crate) struct NeonI8mm;

/// int8 words of four codes ([`WordLayout::Signed4`](super::WordLayout::Signed4)), two of each of two rows in a vector.
impl TileLanes for NeonI8mm {
    const ROWS: usize = 2;
    const DEPTH: usize = 2;
    const SHARED: usize = 4;
    type V = int32x4_t;
    #[inline(always)]
    unsafe fn load_gallery(p: *const u32) -> int32x4_t {
        // SAFETY: the caller's promise.
        unsafe { int32x4_t::load(p) }
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
    type Scores = Neon;
    const SCALED: bool = true;
    #[inline(always)]
    unsafe fn floats(sums: int32x4_t) -> float32x4_t {
        // SAFETY: NEON is the contract of the trait.
        unsafe { vcvtq_f32_s32(sums) }
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
}

//! NEON with dotprod: `sdot` adds four signed products to each 32-bit lane, exact for every code.
//!
//! Rust's intrinsics for it are unstable, hence `asm!`. It is assembled as part of the shell that it is inlined into, which has the
//! feature; anywhere else the assembler refuses it.

use super::neon::{Neon, load_alone, load_part_codes, load_words, transpose};
use super::{DepthI8, TileLanes, Transpose, Words};
use core::arch::aarch64::*;
use core::arch::asm;

pub(crate) struct NeonDotprod;

impl DepthI8 for NeonDotprod {
    const CODES: usize = 16;
    const OFFSET: bool = false;
    type Query = int8x16_t;
    type Row = int8x16_t;
    type Acc = int32x4_t;
    #[inline(always)]
    unsafe fn zero() -> int32x4_t {
        // SAFETY: NEON is the contract of the trait.
        unsafe { vdupq_n_s32(0) }
    }
    #[inline(always)]
    unsafe fn load_query(p: *const i8) -> int8x16_t {
        // SAFETY: valid for 16 elements by contract; unaligned load.
        unsafe { vld1q_s8(p) }
    }
    #[inline(always)]
    unsafe fn load_part_query(p: *const i8, n: usize) -> int8x16_t {
        // SAFETY: the caller's promise.
        unsafe { load_part_codes(p, n) }
    }
    #[inline(always)]
    unsafe fn load_row(p: *const i8) -> int8x16_t {
        // SAFETY: the caller's promise.
        unsafe { Self::load_query(p) }
    }
    #[inline(always)]
    unsafe fn load_part_row(p: *const i8, n: usize) -> int8x16_t {
        // SAFETY: the caller's promise.
        unsafe { load_part_codes(p, n) }
    }
    #[inline(always)]
    unsafe fn mul_add(mut acc: int32x4_t, query: int8x16_t, row: int8x16_t) -> int32x4_t {
        // SAFETY: dotprod is the contract of the trait; the instruction touches registers only.
        unsafe {
            asm!("sdot {acc:v}.4s, {a:v}.16b, {b:v}.16b", acc = inout(vreg) acc, a = in(vreg) query, b = in(vreg) row,
                options(pure, nomem, nostack, preserves_flags));
        }
        acc
    }
    #[inline(always)]
    unsafe fn add(a: int32x4_t, b: int32x4_t) -> int32x4_t {
        // SAFETY: NEON is the contract of the trait.
        unsafe { vaddq_s32(a, b) }
    }
    #[inline(always)]
    unsafe fn sub(a: int32x4_t, b: int32x4_t) -> int32x4_t {
        // SAFETY: NEON is the contract of the trait.
        unsafe { vsubq_s32(a, b) }
    }
    #[inline(always)]
    unsafe fn sum(acc: int32x4_t) -> i32 {
        // SAFETY: NEON is the contract of the trait.
        unsafe { vaddvq_s32(acc) }
    }
}

/// int8 words of four codes ([`WordLayout::Signed4`](super::WordLayout::Signed4)); a vector of the gallery side holds a word of each of
/// four rows, and `sdot` broadcasts one of them.
impl TileLanes for NeonDotprod {
    const SHARED: usize = 4;
    type V = int32x4_t;
    #[inline(always)]
    unsafe fn load_bank(p: *const u32, i: usize) -> int32x4_t {
        // SAFETY: the caller's promise.
        unsafe { load_alone(p, i) }
    }
    #[inline(always)]
    unsafe fn mul_add(acc: int32x4_t, gallery: int32x4_t, bank: int32x4_t) -> int32x4_t {
        // SAFETY: dotprod is the contract of the trait.
        unsafe { <Self as DepthI8>::mul_add(acc, vreinterpretq_s8_s32(gallery), vreinterpretq_s8_s32(bank)) }
    }
    #[inline(always)]
    unsafe fn load_gallery(p: *const u32) -> int32x4_t {
        // SAFETY: the caller's promise.
        unsafe { int32x4_t::load(p) }
    }
    #[inline(always)]
    unsafe fn step<const NV: usize>(sums: &mut [[int32x4_t; NV]], gallery: int32x4_t, bank: &[int32x4_t; NV]) {
        let [sums0, sums1, sums2, sums3] = sums else { return };
        // SAFETY: dotprod is the contract of the trait.
        unsafe {
            by_lane::<0, NV>(sums0, gallery, bank);
            by_lane::<1, NV>(sums1, gallery, bank);
            by_lane::<2, NV>(sums2, gallery, bank);
            by_lane::<3, NV>(sums3, gallery, bank);
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

/// Adds the products of word `LANE` with each word of the bank side.
#[inline(always)]
unsafe fn by_lane<const LANE: usize, const NV: usize>(sums: &mut [int32x4_t; NV], gallery: int32x4_t, bank: &[int32x4_t; NV]) {
    for (sum, bank) in sums.iter_mut().zip(bank) {
        // SAFETY: dotprod is the contract of the caller; the instruction touches registers only.
        unsafe {
            asm!("sdot {sum:v}.4s, {b:v}.16b, {a:v}.4b[{lane}]", sum = inout(vreg) *sum, a = in(vreg) gallery, b = in(vreg) *bank,
                lane = const LANE, options(pure, nomem, nostack, preserves_flags));
        }
    }
}

impl Transpose<4> for NeonDotprod {
    const ELEMENTS: usize = 16;
    type Element = i8;
    #[inline(always)]
    unsafe fn load_row_words(p: *const i8) -> int32x4_t {
        // SAFETY: the caller's promise.
        unsafe { load_words(p) }
    }
    #[inline(always)]
    unsafe fn transpose(rows: [int32x4_t; 4]) -> [int32x4_t; 4] {
        // SAFETY: NEON is the contract of the trait.
        unsafe { transpose(rows) }
    }
}

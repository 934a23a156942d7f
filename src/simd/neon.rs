//! AArch64 baseline NEON: 4 f32 lanes with fused multiply-add; int8 by widening products that are added up in 32 bits at once.
//!
//! Not used: adding a second product in 16 bits (`smlal`), which two products of -128 * -128 overflow; the same with 16-bit codes
//! and `smlal` by element, which needs the one multiplier pipe of the cores without dotprod twice as often.

use super::{DepthF32, DepthI8, TileLanes, Transpose, Words};
use core::arch::aarch64::*;
use core::arch::asm;
use core::mem::transmute;

pub(crate) struct Neon;

impl DepthF32 for Neon {
    const LANES: usize = 4;
    type V = float32x4_t;
    #[inline(always)]
    unsafe fn zero() -> float32x4_t {
        // SAFETY: NEON is the contract of the trait.
        unsafe { vdupq_n_f32(0.0) }
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> float32x4_t {
        // SAFETY: valid for 4 elements by contract; unaligned load.
        unsafe { vld1q_f32(p) }
    }
    #[inline(always)]
    unsafe fn load_part(p: *const f32, n: usize) -> float32x4_t {
        // SAFETY: each arm reads the first `n` elements, which are valid by contract, and no others.
        unsafe {
            let zero = vdupq_n_f32(0.0);
            match n {
                0 => zero,
                1 => vld1q_lane_f32::<0>(p, zero),
                2 => vcombine_f32(vld1_f32(p), vdup_n_f32(0.0)),
                3 => vld1q_lane_f32::<2>(p.add(2), vcombine_f32(vld1_f32(p), vdup_n_f32(0.0))),
                _ => vld1q_f32(p),
            }
        }
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: float32x4_t) {
        // SAFETY: valid for 4 elements by contract.
        unsafe { vst1q_f32(p, v) }
    }
    #[inline(always)]
    unsafe fn mul_add(acc: float32x4_t, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: NEON is the contract of the trait.
        unsafe { vfmaq_f32(acc, a, b) }
    }
    #[inline(always)]
    unsafe fn add(a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: NEON is the contract of the trait.
        unsafe { vaddq_f32(a, b) }
    }
    #[inline(always)]
    unsafe fn mul(a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: NEON is the contract of the trait.
        unsafe { vmulq_f32(a, b) }
    }
    #[inline(always)]
    unsafe fn max(a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: NEON is the contract of the trait.
        unsafe { vmaxq_f32(a, b) }
    }
    #[inline(always)]
    unsafe fn min(a: float32x4_t, b: float32x4_t) -> float32x4_t {
        // SAFETY: NEON is the contract of the trait.
        unsafe { vminq_f32(a, b) }
    }
    #[inline(always)]
    unsafe fn splat(x: f32) -> float32x4_t {
        // SAFETY: NEON is the contract of the trait.
        unsafe { vdupq_n_f32(x) }
    }
    #[inline(always)]
    unsafe fn greater(a: float32x4_t, b: float32x4_t) -> u32 {
        static BITS: [u32; 4] = [1, 2, 4, 8];
        // SAFETY: NEON is the contract of the trait; the table holds four words.
        unsafe { vaddvq_u32(vandq_u32(vcgtq_f32(a, b), vld1q_u32(BITS.as_ptr()))) }
    }
    const SHIFTS: bool = true;
    #[inline(always)]
    unsafe fn shift_in(before: float32x4_t, v: float32x4_t) -> float32x4_t {
        // SAFETY: NEON is the contract of the trait.
        unsafe { vextq_f32::<3>(before, v) }
    }
    #[inline(always)]
    unsafe fn sum(v: float32x4_t) -> f32 {
        // SAFETY: NEON is the contract of the trait.
        unsafe { vpadds_f32(vadd_f32(vget_low_f32(v), vget_high_f32(v))) }
    }
    #[inline(always)]
    unsafe fn sum4(v: [float32x4_t; 4]) -> [f32; 4] {
        // SAFETY: NEON is the contract of the trait; the array holds four floats.
        unsafe {
            let halves = |v| vreinterpretq_f64_f32(v);
            // Lane i + lane i + 2, two vectors to a register; then neighbours.
            let fold = |a, b| {
                let low = vreinterpretq_f32_f64(vtrn1q_f64(halves(a), halves(b)));
                vaddq_f32(low, vreinterpretq_f32_f64(vtrn2q_f64(halves(a), halves(b))))
            };
            let mut out = [0f32; 4];
            vst1q_f32(out.as_mut_ptr(), vpaddq_f32(fold(v[0], v[1]), fold(v[2], v[3])));
            out
        }
    }
}

/// The first `n <= 8` bytes at `p` as a number, zeros above them.
///
/// # Safety
/// `p` is valid for `n` reads.
#[inline(always)]
unsafe fn part_of_8(p: *const i8, n: usize) -> u64 {
    // SAFETY: every read ends at byte `n` at most. Where two reads overlap they bring the same bytes to the same places.
    unsafe {
        let byte = |i: usize| u64::from(*p.add(i) as u8) << (8 * i);
        match n {
            0 => 0,
            1..4 => byte(0) | byte(n / 2) | byte(n - 1),
            4..8 => {
                let word = |i: usize| u64::from(p.add(i).cast::<u32>().read_unaligned()) << (8 * i);
                word(0) | word(n - 4)
            }
            _ => p.cast::<u64>().read_unaligned(),
        }
    }
}

/// The first `n <= 16` codes at `p`, zeros after them.
///
/// # Safety
/// NEON, and `p` is valid for `n` reads.
#[inline(always)]
pub(super) unsafe fn load_part_codes(p: *const i8, n: usize) -> int8x16_t {
    // SAFETY: the two parts are the first `n` bytes, in the order of this little-endian machine.
    unsafe {
        let low = part_of_8(p, n.min(8));
        let high = part_of_8(p.wrapping_add(8), n.saturating_sub(8));
        vcombine_s8(vcreate_s8(low), vcreate_s8(high))
    }
}

/// Products of the low eight codes. A product fits 16 bits; the sum of two may not, so pairs are added up in 32 bits.
#[inline(always)]
unsafe fn low_products(a: int8x16_t, b: int8x16_t) -> int16x8_t {
    // SAFETY: NEON is the contract of the callers' traits.
    unsafe { vmull_s8(vget_low_s8(a), vget_low_s8(b)) }
}

/// Products of the high eight codes.
#[inline(always)]
unsafe fn high_products(a: int8x16_t, b: int8x16_t) -> int16x8_t {
    // SAFETY: NEON is the contract of the callers' traits.
    unsafe { vmull_high_s8(a, b) }
}

impl DepthI8 for Neon {
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
    unsafe fn mul_add(acc: int32x4_t, query: int8x16_t, row: int8x16_t) -> int32x4_t {
        // SAFETY: NEON is the contract of the trait.
        unsafe { vpadalq_s16(vpadalq_s16(acc, low_products(query, row)), high_products(query, row)) }
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

impl Words for float32x4_t {
    const LANES: usize = 4;
    #[inline(always)]
    unsafe fn load(p: *const u32) -> float32x4_t {
        // SAFETY: valid for 4 words by contract; unaligned load.
        unsafe { vld1q_f32(p.cast()) }
    }
    #[inline(always)]
    unsafe fn splat(p: *const u32) -> float32x4_t {
        // SAFETY: valid for one word by contract.
        unsafe { vdupq_n_f32(*p.cast()) }
    }
    #[inline(always)]
    unsafe fn store(p: *mut u32, v: float32x4_t) {
        // SAFETY: valid for 4 words by contract; unaligned store.
        unsafe { vst1q_f32(p.cast(), v) }
    }
    #[inline(always)]
    unsafe fn zero() -> float32x4_t {
        // SAFETY: NEON is the contract of the trait.
        unsafe { vdupq_n_f32(0.0) }
    }
}

/// f32 words; a vector of the gallery side holds a word of each of four rows, and the multiplication broadcasts one of them: a
/// broadcasting load would take a vector pipe beside that of the load.
impl TileLanes for Neon {
    const SHARED: usize = 4;
    type V = float32x4_t;
    #[inline(always)]
    unsafe fn load_bank(p: *const u32, i: usize) -> float32x4_t {
        // SAFETY: the caller's promise.
        unsafe { vreinterpretq_f32_s32(load_alone(p, i)) }
    }
    #[inline(always)]
    unsafe fn mul_add(acc: float32x4_t, gallery: float32x4_t, bank: float32x4_t) -> float32x4_t {
        // SAFETY: NEON is the contract of the trait.
        unsafe { vfmaq_f32(acc, gallery, bank) }
    }
    type Scores = Self;
    const SCALED: bool = false;
    #[inline(always)]
    unsafe fn floats(sums: float32x4_t) -> float32x4_t {
        sums
    }
    #[inline(always)]
    unsafe fn load_gallery(p: *const u32) -> float32x4_t {
        // SAFETY: the caller's promise.
        unsafe { float32x4_t::load(p) }
    }
    #[inline(always)]
    unsafe fn step<const NV: usize>(sums: &mut [[float32x4_t; NV]], gallery: float32x4_t, bank: &[float32x4_t; NV]) {
        let [sums0, sums1, sums2, sums3] = sums else { return };
        // SAFETY: NEON is the contract of the trait.
        unsafe {
            by_lane::<0, NV>(sums0, gallery, bank);
            by_lane::<1, NV>(sums1, gallery, bank);
            by_lane::<2, NV>(sums2, gallery, bank);
            by_lane::<3, NV>(sums3, gallery, bank);
        }
    }
}

/// Vector `i` from `p` on, loaded by itself: the compiler would load two as a pair, which holds the one load pipe of a Cortex-A55 for
/// longer than two loads do, six cycles against two. An address of two registers, because such a load can start together with the
/// multiplication before it (it does not end sooner, which an in-order core forbids). By llvm-mca's model; other cores do not care.
///
/// # Safety
/// NEON, and vector `i` is valid for reads.
#[inline(always)]
pub(super) unsafe fn load_alone(p: *const u32, i: usize) -> int32x4_t {
    let v;
    // SAFETY: reads the 16 bytes that the caller promises.
    unsafe {
        asm!("ldr {v:q}, [{p}, {offset}]", v = lateout(vreg) v, p = in(reg) p, offset = in(reg) 16 * i,
            options(pure, readonly, nostack, preserves_flags));
    }
    v
}

/// Adds the products of word `LANE` with each word of the bank side.
#[inline(always)]
unsafe fn by_lane<const LANE: i32, const NV: usize>(sums: &mut [float32x4_t; NV], gallery: float32x4_t, bank: &[float32x4_t; NV]) {
    for (sum, bank) in sums.iter_mut().zip(bank) {
        // SAFETY: NEON is the contract of the caller.
        *sum = unsafe { vfmaq_laneq_f32::<LANE>(*sum, *bank, gallery) };
    }
}

impl Words for int32x4_t {
    const LANES: usize = 4;
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
    unsafe fn store(p: *mut u32, v: int32x4_t) {
        // SAFETY: valid for 4 words by contract; unaligned store.
        unsafe { vst1q_s32(p.cast(), v) }
    }
    #[inline(always)]
    unsafe fn zero() -> int32x4_t {
        // SAFETY: NEON is the contract of the trait.
        unsafe { vdupq_n_s32(0) }
    }
}

/// int8 words of four codes ([`WordLayout::Signed4`](super::WordLayout::Signed4)), four of each row at a time: a register sums one
/// pair of rows in four parts, which are added up when it is stored. A sum of four pairs would need each of the gallery's words
/// twice in a register.
pub(crate) struct NeonCodes;

impl TileLanes for NeonCodes {
    const DEPTH: usize = 4;
    type V = int32x4_t;
    #[inline(always)]
    unsafe fn load_bank(p: *const u32, i: usize) -> int32x4_t {
        // SAFETY: the caller's promise.
        unsafe { load_alone(p, i) }
    }
    #[inline(always)]
    unsafe fn mul_add(acc: int32x4_t, gallery: int32x4_t, bank: int32x4_t) -> int32x4_t {
        // SAFETY: NEON is the contract of the trait.
        unsafe { <Neon as DepthI8>::mul_add(acc, vreinterpretq_s8_s32(gallery), vreinterpretq_s8_s32(bank)) }
    }
    #[inline(always)]
    unsafe fn load_gallery(p: *const u32) -> int32x4_t {
        // SAFETY: the caller's promise.
        unsafe { int32x4_t::load(p) }
    }
    #[inline(always)]
    unsafe fn load_sums(p: *const u32, _stride: usize) -> int32x4_t {
        // SAFETY: valid for one word, the sum of a row with one other, by contract.
        unsafe { vsetq_lane_s32::<0>(*p.cast(), vdupq_n_s32(0)) }
    }
    #[inline(always)]
    unsafe fn row_sums<const NV: usize>(sums: &[int32x4_t; NV], _row: usize, v: usize) -> int32x4_t {
        // SAFETY: NEON is the contract of the trait.
        unsafe {
            let pairs = |i: usize| vpaddq_s32(sums[4 * v + i], sums[4 * v + i + 1]);
            vpaddq_s32(pairs(0), pairs(2))
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

/// Four words of codes.
///
/// # Safety
/// NEON, and `p` is valid for 16 reads.
#[inline(always)]
pub(super) unsafe fn load_words(p: *const i8) -> int32x4_t {
    // SAFETY: the caller's promise.
    unsafe { vreinterpretq_s32_s8(vld1q_s8(p)) }
}

/// 4 x 4 words: pairs, then halves.
#[inline(always)]
pub(super) unsafe fn transpose(r: [int32x4_t; 4]) -> [int32x4_t; 4] {
    // SAFETY: NEON is the contract of the callers' traits.
    unsafe {
        let even = |a, b| vreinterpretq_s64_s32(vtrn1q_s32(a, b)); // words 0 and 2 of both
        let odd = |a, b| vreinterpretq_s64_s32(vtrn2q_s32(a, b));
        let (a0, a1, b0, b1) = (even(r[0], r[1]), odd(r[0], r[1]), even(r[2], r[3]), odd(r[2], r[3]));
        let words = |v| vreinterpretq_s32_s64(v);
        [words(vtrn1q_s64(a0, b0)), words(vtrn1q_s64(a1, b1)), words(vtrn2q_s64(a0, b0)), words(vtrn2q_s64(a1, b1))]
    }
}

impl Transpose<4> for Neon {
    const ELEMENTS: usize = 4;
    type Element = f32;
    #[inline(always)]
    unsafe fn load_row_words(p: *const f32) -> float32x4_t {
        // SAFETY: valid for 4 elements by contract; unaligned load.
        unsafe { vld1q_f32(p) }
    }
    #[inline(always)]
    unsafe fn transpose(rows: [float32x4_t; 4]) -> [float32x4_t; 4] {
        // SAFETY: NEON is the contract of the trait; both are vectors of four words of any bits.
        unsafe { transmute::<[int32x4_t; 4], [float32x4_t; 4]>(transpose(transmute::<[float32x4_t; 4], [int32x4_t; 4]>(rows))) }
    }
}

impl Transpose<4> for NeonCodes {
    const ELEMENTS: usize = 16;
    type Element = i8;
    #[inline(always)]
    unsafe fn load_row_words(p: *const i8) -> int32x4_t {
        // SAFETY: the caller's promise.
        unsafe { load_words(p) }
    }
    /// As they are: the four words of a step are those of one row.
    #[inline(always)]
    unsafe fn transpose(rows: [int32x4_t; 4]) -> [int32x4_t; 4] {
        rows
    }
}

//! Scalar tier: every target. Where the processor fuses multiply and add in one instruction, as every Cortex-M with an FPU does, so
//! does this tier, and f32 results have the bits of the other fused tiers. Elsewhere they are separate roundings (fused would be a
//! slow library call), and results keep the error bound only.

use super::{DepthF32, DepthI8, TileLanes, Transpose, Words};

pub(crate) struct Scalar;

/// Whether multiply and add are fused.
pub(crate) const FUSED: bool =
    cfg!(all(target_arch = "arm", target_os = "none", target_abi = "eabihf", not(target_has_atomic = "64")));

/// `acc + a * b`.
#[inline(always)]
fn mul_add(acc: f32, a: f32, b: f32) -> f32 {
    #[cfg(all(target_arch = "arm", target_os = "none", target_abi = "eabihf", not(target_has_atomic = "64")))]
    return super::fpv4::mul_add(acc, a, b);
    #[cfg(not(all(target_arch = "arm", target_os = "none", target_abi = "eabihf", not(target_has_atomic = "64"))))]
    return acc + a * b;
}

impl DepthF32 for Scalar {
    const LANES: usize = 1;
    type V = f32;
    #[inline(always)]
    unsafe fn zero() -> f32 {
        0.0
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> f32 {
        // SAFETY: valid for one element by contract.
        unsafe { *p }
    }
    #[inline(always)]
    unsafe fn load_part(p: *const f32, n: usize) -> f32 {
        // SAFETY: valid for `n` elements by contract.
        if n == 0 { 0.0 } else { unsafe { *p } }
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: f32) {
        // SAFETY: valid for one element by contract.
        unsafe { *p = v }
    }
    #[inline(always)]
    unsafe fn mul_add(acc: f32, a: f32, b: f32) -> f32 {
        mul_add(acc, a, b)
    }
    #[cfg(all(target_arch = "arm", target_os = "none", target_abi = "eabihf", not(target_has_atomic = "64")))]
    #[inline(always)]
    unsafe fn lanes<const U: usize>(acc: &mut [f32; U], a: *const f32, b: *const f32, chunks: usize) {
        for (i, eight) in acc.as_chunks_mut::<8>().0.iter_mut().enumerate() {
            // SAFETY: the caller's promise, `8 * i` lanes further.
            unsafe { super::fpv4::lanes(eight, a.wrapping_add(8 * i), b.wrapping_add(8 * i), chunks) }
        }
    }
    #[inline(always)]
    unsafe fn add(a: f32, b: f32) -> f32 {
        a + b
    }
    #[inline(always)]
    unsafe fn mul(a: f32, b: f32) -> f32 {
        a * b
    }
    #[inline(always)]
    unsafe fn max(a: f32, b: f32) -> f32 {
        if a > b { a } else { b }
    }
    #[inline(always)]
    unsafe fn min(a: f32, b: f32) -> f32 {
        if a < b { a } else { b }
    }
    #[inline(always)]
    unsafe fn splat(x: f32) -> f32 {
        x
    }
    #[inline(always)]
    unsafe fn greater(a: f32, b: f32) -> u32 {
        u32::from(a > b)
    }
    #[inline(always)]
    unsafe fn sum(v: f32) -> f32 {
        v
    }
}

impl DepthI8 for Scalar {
    const CODES: usize = 1;
    const OFFSET: bool = false;
    type Query = i32;
    type Row = i32;
    type Acc = i32;
    #[inline(always)]
    unsafe fn zero() -> i32 {
        0
    }
    #[inline(always)]
    unsafe fn load_query(p: *const i8) -> i32 {
        // SAFETY: valid for one element by contract.
        i32::from(unsafe { *p })
    }
    #[inline(always)]
    unsafe fn load_part_query(p: *const i8, n: usize) -> i32 {
        // SAFETY: valid for `n` elements by contract.
        if n == 0 { 0 } else { i32::from(unsafe { *p }) }
    }
    #[inline(always)]
    unsafe fn load_row(p: *const i8) -> i32 {
        // SAFETY: as for the query.
        unsafe { Self::load_query(p) }
    }
    #[inline(always)]
    unsafe fn load_part_row(p: *const i8, n: usize) -> i32 {
        // SAFETY: as for the query.
        unsafe { Self::load_part_query(p, n) }
    }
    #[inline(always)]
    unsafe fn mul_add(acc: i32, query: i32, row: i32) -> i32 {
        acc.wrapping_add(query * row)
    }
    #[inline(always)]
    unsafe fn add(a: i32, b: i32) -> i32 {
        a.wrapping_add(b)
    }
    #[inline(always)]
    unsafe fn sub(a: i32, b: i32) -> i32 {
        a.wrapping_sub(b)
    }
    #[inline(always)]
    unsafe fn sum(acc: i32) -> i32 {
        acc
    }
}

impl Words for f32 {
    const LANES: usize = 1;
    #[inline(always)]
    unsafe fn load(p: *const u32) -> f32 {
        // SAFETY: valid for one word by contract.
        f32::from_bits(unsafe { *p })
    }
    #[inline(always)]
    unsafe fn splat(p: *const u32) -> f32 {
        // SAFETY: valid for one word by contract.
        f32::from_bits(unsafe { *p })
    }
    #[inline(always)]
    unsafe fn store(p: *mut u32, v: f32) {
        // SAFETY: valid for one word by contract.
        unsafe { *p = v.to_bits() }
    }
    #[inline(always)]
    unsafe fn zero() -> f32 {
        0.0
    }
}

/// f32 words.
impl TileLanes for Scalar {
    type V = f32;
    #[inline(always)]
    unsafe fn mul_add(acc: f32, a: f32, b: f32) -> f32 {
        mul_add(acc, a, b)
    }
    type Scores = Self;
    const SCALED: bool = false;
    #[inline(always)]
    unsafe fn floats(sums: f32) -> f32 {
        sums
    }
}

impl Words for u32 {
    const LANES: usize = 1;
    #[inline(always)]
    unsafe fn load(p: *const u32) -> u32 {
        // SAFETY: valid for one word by contract.
        unsafe { *p }
    }
    #[inline(always)]
    unsafe fn splat(p: *const u32) -> u32 {
        // SAFETY: valid for one word by contract.
        unsafe { *p }
    }
    #[inline(always)]
    unsafe fn store(p: *mut u32, v: u32) {
        // SAFETY: valid for one word by contract.
        unsafe { *p = v }
    }
    #[inline(always)]
    unsafe fn zero() -> u32 {
        0
    }
}

/// int8 words of two codes ([`WordLayout::Wide2`](super::WordLayout::Wide2)).
pub(crate) struct ScalarCodes;

impl TileLanes for ScalarCodes {
    type V = u32;
    #[inline(always)]
    unsafe fn mul_add(acc: u32, a: u32, b: u32) -> u32 {
        let low = i32::from(a as i16) * i32::from(b as i16);
        let high = i32::from((a >> 16) as i16) * i32::from((b >> 16) as i16);
        acc.wrapping_add(low as u32).wrapping_add(high as u32)
    }
    type Scores = Scalar;
    const SCALED: bool = true;
    #[inline(always)]
    unsafe fn floats(sums: u32) -> f32 {
        sums as i32 as f32
    }
}

impl Transpose<1> for Scalar {
    const ELEMENTS: usize = 1;
    type Element = f32;
    #[inline(always)]
    unsafe fn load_row_words(p: *const f32) -> f32 {
        // SAFETY: valid for one element by contract.
        unsafe { *p }
    }
    #[inline(always)]
    unsafe fn transpose(rows: [f32; 1]) -> [f32; 1] {
        rows
    }
}

impl Transpose<1> for ScalarCodes {
    const ELEMENTS: usize = 2;
    type Element = i8;
    #[inline(always)]
    unsafe fn load_row_words(p: *const i8) -> u32 {
        // SAFETY: valid for two elements by contract.
        let [low, high] = unsafe { *p.cast::<[i8; 2]>() };
        u32::from(i16::from(low) as u16) | u32::from(i16::from(high) as u16) << 16
    }
    #[inline(always)]
    unsafe fn transpose(rows: [u32; 1]) -> [u32; 1] {
        rows
    }
}

//! Scalar tier: every target. Multiply and add are separate roundings (a fused one would be a slow library call on cores without
//! it), so f32 results keep the error bound but not the bits of the fused tiers.

use super::{DepthF32, DepthI8, TileLanes, Transpose};

pub(crate) struct Scalar;

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
    unsafe fn mul_add(acc: f32, a: f32, b: f32) -> f32 {
        acc + a * b
    }
    #[inline(always)]
    unsafe fn add(a: f32, b: f32) -> f32 {
        a + b
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

/// f32 words.
impl TileLanes for Scalar {
    const LANES: usize = 1;
    type V = f32;
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
    unsafe fn mul_add(acc: f32, a: f32, b: f32) -> f32 {
        acc + a * b
    }
}

/// int8 words of two codes ([`WordLayout::Wide2`](super::WordLayout::Wide2)).
pub(crate) struct ScalarCodes;

impl TileLanes for ScalarCodes {
    const LANES: usize = 1;
    type V = u32;
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
    unsafe fn mul_add(acc: u32, a: u32, b: u32) -> u32 {
        let low = i32::from(a as i16) * i32::from(b as i16);
        let high = i32::from((a >> 16) as i16) * i32::from((b >> 16) as i16);
        acc.wrapping_add(low as u32).wrapping_add(high as u32)
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
    #[inline(always)]
    unsafe fn zero_words() -> f32 {
        0.0
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
    #[inline(always)]
    unsafe fn zero_words() -> u32 {
        0
    }
}

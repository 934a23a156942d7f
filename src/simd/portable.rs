//! Portable tier: 128-bit lanes of the baseline that the crate was compiled for, by the crate `wide`.
//!
//! `wide` chooses its instructions when it is compiled, so this tier must never be wrapped in a target feature. Where the baseline
//! has no fused multiply-add, f32 results keep the error bound but not the bits of the fused tiers.

use super::{DepthF32, DepthI8, TileLanes, Transpose, Words};
use wide::{f32x4, i16x8, i32x4};

pub(crate) struct Portable;

impl DepthF32 for Portable {
    const LANES: usize = 4;
    type V = f32x4;
    #[inline(always)]
    unsafe fn zero() -> f32x4 {
        f32x4::ZERO
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> f32x4 {
        // SAFETY: valid for 4 elements by contract; the array has an element's alignment.
        f32x4::new(unsafe { *p.cast::<[f32; 4]>() })
    }
    #[inline(always)]
    unsafe fn load_part(p: *const f32, n: usize) -> f32x4 {
        let mut part = [0f32; 4];
        // SAFETY: `n <= 4` elements are valid by contract.
        unsafe { core::ptr::copy_nonoverlapping(p, part.as_mut_ptr(), n) };
        f32x4::new(part)
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: f32x4) {
        // SAFETY: valid for 4 elements by contract; the array has an element's alignment.
        unsafe { *p.cast::<[f32; 4]>() = v.to_array() }
    }
    #[inline(always)]
    unsafe fn mul_add(acc: f32x4, a: f32x4, b: f32x4) -> f32x4 {
        a.mul_add(b, acc)
    }
    #[inline(always)]
    unsafe fn add(a: f32x4, b: f32x4) -> f32x4 {
        a + b
    }
    #[inline(always)]
    unsafe fn mul(a: f32x4, b: f32x4) -> f32x4 {
        a * b
    }
    #[inline(always)]
    unsafe fn max(a: f32x4, b: f32x4) -> f32x4 {
        a.fast_max(b)
    }
    #[inline(always)]
    unsafe fn min(a: f32x4, b: f32x4) -> f32x4 {
        a.fast_min(b)
    }
    #[inline(always)]
    unsafe fn splat(x: f32) -> f32x4 {
        f32x4::splat(x)
    }
    #[inline(always)]
    unsafe fn greater(a: f32x4, b: f32x4) -> u32 {
        a.simd_gt(b).to_bitmask()
    }
    #[inline(always)]
    unsafe fn sum(v: f32x4) -> f32 {
        let [a, b, c, d] = v.to_array();
        (a + c) + (b + d)
    }
}

#[inline(always)]
unsafe fn load_part_codes(p: *const i8, n: usize) -> i16x8 {
    let mut part = [0i8; 8];
    // SAFETY: `n <= 8` elements are valid by contract.
    unsafe { core::ptr::copy_nonoverlapping(p, part.as_mut_ptr(), n) };
    i16x8::new(part.map(i16::from))
}

#[inline(always)]
unsafe fn load_codes(p: *const i8) -> i16x8 {
    // SAFETY: valid for 8 elements by contract.
    i16x8::new(unsafe { *p.cast::<[i8; 8]>() }.map(i16::from))
}

impl DepthI8 for Portable {
    const CODES: usize = 8;
    const OFFSET: bool = false;
    type Query = i16x8;
    type Row = i16x8;
    type Acc = i32x4;
    #[inline(always)]
    unsafe fn zero() -> i32x4 {
        i32x4::ZERO
    }
    #[inline(always)]
    unsafe fn load_query(p: *const i8) -> i16x8 {
        // SAFETY: the caller's promise.
        unsafe { load_codes(p) }
    }
    #[inline(always)]
    unsafe fn load_part_query(p: *const i8, n: usize) -> i16x8 {
        // SAFETY: the caller's promise.
        unsafe { load_part_codes(p, n) }
    }
    #[inline(always)]
    unsafe fn load_row(p: *const i8) -> i16x8 {
        // SAFETY: the caller's promise.
        unsafe { load_codes(p) }
    }
    #[inline(always)]
    unsafe fn load_part_row(p: *const i8, n: usize) -> i16x8 {
        // SAFETY: the caller's promise.
        unsafe { load_part_codes(p, n) }
    }
    #[inline(always)]
    unsafe fn mul_add(acc: i32x4, query: i16x8, row: i16x8) -> i32x4 {
        acc + query.dot(row)
    }
    #[inline(always)]
    unsafe fn add(a: i32x4, b: i32x4) -> i32x4 {
        a + b
    }
    #[inline(always)]
    unsafe fn sub(a: i32x4, b: i32x4) -> i32x4 {
        a - b
    }
    #[inline(always)]
    unsafe fn sum(acc: i32x4) -> i32 {
        acc.to_array().into_iter().fold(0, i32::wrapping_add)
    }
}

impl Words for f32x4 {
    const LANES: usize = 4;
    #[inline(always)]
    unsafe fn load(p: *const u32) -> f32x4 {
        // SAFETY: valid for 4 words by contract.
        unsafe { <Portable as DepthF32>::load(p.cast()) }
    }
    #[inline(always)]
    unsafe fn splat(p: *const u32) -> f32x4 {
        // SAFETY: valid for one word by contract.
        f32x4::splat(unsafe { *p.cast() })
    }
    #[inline(always)]
    unsafe fn store(p: *mut u32, v: f32x4) {
        // SAFETY: valid for 4 words by contract; the array has a word's alignment.
        unsafe { *p.cast::<[f32; 4]>() = v.to_array() }
    }
    #[inline(always)]
    unsafe fn zero() -> f32x4 {
        f32x4::ZERO
    }
}

/// f32 words.
impl TileLanes for Portable {
    type V = f32x4;
    #[inline(always)]
    unsafe fn mul_add(acc: f32x4, a: f32x4, b: f32x4) -> f32x4 {
        a.mul_add(b, acc)
    }
    type Scores = Self;
    const SCALED: bool = false;
    #[inline(always)]
    unsafe fn floats(sums: f32x4) -> f32x4 {
        sums
    }
}

impl Words for i32x4 {
    const LANES: usize = 4;
    #[inline(always)]
    unsafe fn load(p: *const u32) -> i32x4 {
        // SAFETY: valid for 4 words by contract; the array has a word's alignment.
        i32x4::new(unsafe { *p.cast::<[i32; 4]>() })
    }
    #[inline(always)]
    unsafe fn splat(p: *const u32) -> i32x4 {
        // SAFETY: valid for one word by contract.
        i32x4::splat(unsafe { *p.cast() })
    }
    #[inline(always)]
    unsafe fn store(p: *mut u32, v: i32x4) {
        // SAFETY: valid for 4 words by contract; the array has a word's alignment.
        unsafe { *p.cast::<[i32; 4]>() = v.to_array() }
    }
    #[inline(always)]
    unsafe fn zero() -> i32x4 {
        i32x4::ZERO
    }
}

/// int8 words of two codes ([`WordLayout::Wide2`](super::WordLayout::Wide2)); a word's halves are told apart by value, so the
/// byte order of the machine does not matter.
pub(crate) struct PortableCodes;

impl TileLanes for PortableCodes {
    type V = i32x4;
    #[inline(always)]
    unsafe fn mul_add(acc: i32x4, a: i32x4, b: i32x4) -> i32x4 {
        let (a, b): (i16x8, i16x8) = (halves(a), halves(b));
        acc + a.dot(b)
    }
    type Scores = Portable;
    const SCALED: bool = true;
    #[inline(always)]
    unsafe fn floats(sums: i32x4) -> f32x4 {
        sums.round_float()
    }
}

/// The eight 16-bit halves of four words, in an order that is the same for both operands of a product.
#[inline(always)]
fn halves(words: i32x4) -> i16x8 {
    // SAFETY: both types are 16 bytes without invalid bit patterns.
    unsafe { core::mem::transmute::<i32x4, i16x8>(words) }
}

impl Transpose<4> for Portable {
    const ELEMENTS: usize = 4;
    type Element = f32;
    #[inline(always)]
    unsafe fn load_row_words(p: *const f32) -> f32x4 {
        // SAFETY: the caller's promise.
        unsafe { <Self as DepthF32>::load(p) }
    }
    #[inline(always)]
    unsafe fn transpose(rows: [f32x4; 4]) -> [f32x4; 4] {
        let rows = rows.map(f32x4::to_array);
        core::array::from_fn(|i| f32x4::new([rows[0][i], rows[1][i], rows[2][i], rows[3][i]]))
    }
}

impl Transpose<4> for PortableCodes {
    const ELEMENTS: usize = 8;
    type Element = i8;
    #[inline(always)]
    unsafe fn load_row_words(p: *const i8) -> i32x4 {
        // SAFETY: valid for 8 elements by contract.
        let codes = unsafe { *p.cast::<[i8; 8]>() }.map(i16::from);
        i32x4::new(core::array::from_fn(|i| (u32::from(codes[2 * i] as u16) | u32::from(codes[2 * i + 1] as u16) << 16) as i32))
    }
    #[inline(always)]
    unsafe fn transpose(rows: [i32x4; 4]) -> [i32x4; 4] {
        let rows = rows.map(i32x4::to_array);
        core::array::from_fn(|i| i32x4::new([rows[0][i], rows[1][i], rows[2][i], rows[3][i]]))
    }
}

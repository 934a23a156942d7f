//! The lane traits: the few vector operations that the kernels are written in, and one thin file per instruction set that
//! implements them. Nothing here loops over a matrix or knows what a gallery is.
//!
//! A type that implements one of these traits is a name only; all functions are `#[inline(always)]` without a target feature, so
//! that they become part of the `#[target_feature]` shell that calls them (see `kernel`). Calling them elsewhere would be
//! undefined behaviour on a machine without the instructions, hence `unsafe`.
//!
//! # Safety (all functions of all traits)
//! * The machine has the instruction set of the implementing type.
//! * `load*(p)`: `p` is valid for reads of a full vector, at any alignment; `load_part*(p, n)`: for the first `n` elements only,
//!   `n` at most a vector; elements past `n` read as zero.
//! * `splat(p)`: valid for reads of one word; `store(p, _)`: valid for writes of a full vector, at any alignment;
//!   `store_part(p, _, n)`: of the first `n` elements only.

use core::num::NonZeroUsize;

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512vnni;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avxvnni;
// A Cortex-M with an FPU. Stable Rust shows no target feature of 32-bit Arm; of its bare hard-float targets, those without 64-bit
// atomics are the M profile, Cortex-M4F and later.
#[cfg(all(target_arch = "arm", target_os = "none", target_abi = "eabihf", not(target_has_atomic = "64")))]
mod fpv4;
#[cfg(all(target_os = "none", target_pointer_width = "32"))]
pub(crate) mod micro;
#[cfg(all(target_arch = "aarch64", target_feature = "neon", target_endian = "little"))]
pub(crate) mod neon;
#[cfg(all(target_arch = "aarch64", target_feature = "neon", target_endian = "little"))]
pub(crate) mod neon_dotprod;
#[cfg(all(target_arch = "aarch64", target_feature = "neon", target_endian = "little"))]
pub(crate) mod neon_i8mm;
#[cfg(not(all(target_os = "none", target_pointer_width = "32")))]
pub(crate) mod portable;
pub(crate) mod scalar;

/// f32 lanes along the depth of two rows.
///
/// The canonical order has 32 virtual lanes: element `i` belongs to lane `i % 32`; rows are continued with zeros to a multiple of
/// 32; each lane fuses multiply and add in index order; the lanes are summed by halving (lane `i` + lane `i + 16`, then 8, 4, 2, 1).
/// `LANES` divides 32.
pub(crate) trait DepthF32 {
    const LANES: usize;
    type V: Copy;
    unsafe fn zero() -> Self::V;
    unsafe fn load(p: *const f32) -> Self::V;
    unsafe fn load_part(p: *const f32, n: usize) -> Self::V;
    unsafe fn store(p: *mut f32, v: Self::V);
    /// `acc + a * b`, fused where the set has it.
    unsafe fn mul_add(acc: Self::V, a: Self::V, b: Self::V) -> Self::V;
    /// `U` vectors of neighbouring lanes through all whole chunks: `acc[u]` takes the products at `32 c + u * LANES` for `c` in order.
    ///
    /// # Safety
    /// `a` and `b` are valid for reads of `U` vectors at every `32 c`, `c < chunks`.
    #[cfg(all(target_arch = "arm", target_os = "none", target_abi = "eabihf", not(target_has_atomic = "64")))]
    unsafe fn lanes<const U: usize>(acc: &mut [Self::V; U], a: *const f32, b: *const f32, chunks: usize);
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V;
    /// The greater and the lesser of two numbers.
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn min(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn splat(x: f32) -> Self::V;
    /// Bit `i` says whether lane `i` of `a` is greater than that of `b`; false for NaN.
    unsafe fn greater(a: Self::V, b: Self::V) -> u32;
    /// Whether [`compress`](Self::compress) is one instruction.
    const COMPRESSES: bool = false;
    /// The lanes whose bit is set side by side, then anything. Only where `COMPRESSES`.
    #[inline(always)]
    unsafe fn compress(v: Self::V, mask: u32) -> Self::V {
        let _ = mask;
        v
    }
    /// Whether there is [`shift_in`](Self::shift_in).
    const SHIFTS: bool = false;
    /// The last lane of `before`, then all lanes of `v` but the last. Only where `SHIFTS`.
    #[inline(always)]
    unsafe fn shift_in(before: Self::V, v: Self::V) -> Self::V {
        let _ = before;
        v
    }
    #[inline(always)]
    unsafe fn store_part(p: *mut f32, v: Self::V, n: usize) {
        const { assert!(Self::LANES <= 16) };
        let mut all = [0f32; 16];
        // SAFETY: no vector has more than 16 lanes; `n` elements are valid by contract.
        unsafe { Self::store(all.as_mut_ptr(), v) };
        for (i, x) in all.iter().enumerate().take(n) {
            // SAFETY: `i < n`.
            unsafe { *p.add(i) = *x };
        }
    }
    /// Sum of the lanes by halving.
    unsafe fn sum(v: Self::V) -> f32;
    /// Four sums at once; each as [`sum`](Self::sum).
    #[inline(always)]
    unsafe fn sum4(v: [Self::V; 4]) -> [f32; 4] {
        // SAFETY: the caller's promise is the same.
        unsafe { [Self::sum(v[0]), Self::sum(v[1]), Self::sum(v[2]), Self::sum(v[3])] }
    }
}

/// int8 codes along the depth of two rows; sums are exact, so their order is free.
pub(crate) trait DepthI8 {
    /// Codes per step.
    const CODES: usize;
    /// Whether [`load_row`](Self::load_row) adds a number to every code, because the instruction takes unsigned rows; a sum is then
    /// too large by the query's product with a row of zeros.
    const OFFSET: bool;
    type Query: Copy;
    type Row: Copy;
    type Acc: Copy;
    unsafe fn zero() -> Self::Acc;
    unsafe fn load_query(p: *const i8) -> Self::Query;
    unsafe fn load_part_query(p: *const i8, n: usize) -> Self::Query;
    unsafe fn load_row(p: *const i8) -> Self::Row;
    unsafe fn load_part_row(p: *const i8, n: usize) -> Self::Row;
    unsafe fn mul_add(acc: Self::Acc, query: Self::Query, row: Self::Row) -> Self::Acc;
    /// Lane by lane, wrapping.
    unsafe fn add(a: Self::Acc, b: Self::Acc) -> Self::Acc;
    /// Lane by lane, wrapping.
    unsafe fn sub(a: Self::Acc, b: Self::Acc) -> Self::Acc;
    /// Wrapping sum of all lanes.
    unsafe fn sum(acc: Self::Acc) -> i32;
    /// Four sums at once.
    #[inline(always)]
    unsafe fn sum4(v: [Self::Acc; 4]) -> [i32; 4] {
        // SAFETY: the caller's promise is the same.
        unsafe { [Self::sum(v[0]), Self::sum(v[1]), Self::sum(v[2]), Self::sum(v[3])] }
    }
}

/// A vector of 32-bit words in memory, whatever they are; as many words valid as it has, at any alignment of a word.
pub(crate) trait Words: Copy {
    const LANES: usize;
    unsafe fn load(p: *const u32) -> Self;
    /// One word in every lane.
    unsafe fn splat(p: *const u32) -> Self;
    unsafe fn store(p: *mut u32, v: Self);
    unsafe fn zero() -> Self;
}

/// Lanes of 32-bit words where one lane is one pair of rows: the outer-product tile. A word holds one f32, or as many int8 codes
/// as the multiply-add consumes per lane.
///
/// A step adds to a register of sums the products of `ROWS` gallery rows with `LANES / DEPTH` bank rows, `DEPTH` words of each. Most
/// sets take one word, of one gallery row.
pub(crate) trait TileLanes {
    const LANES: usize = <Self::V as Words>::LANES;
    const ROWS: usize = 1;
    const DEPTH: usize = 1;
    /// Gallery rows that are copied as a panel of their own: 1 (none), or `LANES`, where a vector of the gallery side holds words of
    /// several rows.
    const SHARED: usize = 1;
    type V: Words;
    /// Vector `i` of those of the bank side from `p` on.
    #[inline(always)]
    unsafe fn load_bank(p: *const u32, i: usize) -> Self::V {
        // SAFETY: the caller's promise.
        unsafe { Self::V::load(p.add(i * Self::LANES)) }
    }
    /// Per lane: `acc + gallery * bank` over the word, fused for f32 where the set has it.
    unsafe fn mul_add(acc: Self::V, gallery: Self::V, bank: Self::V) -> Self::V;
    /// Words of the gallery side; reads `DEPTH` words, or `LANES` where rows are shared.
    #[inline(always)]
    unsafe fn load_gallery(p: *const u32) -> Self::V {
        // SAFETY: the caller's promise.
        unsafe { Self::V::splat(p) }
    }
    /// One step of the registers of rows that a vector of the gallery side serves: one, or one for each of its words.
    #[inline(always)]
    unsafe fn step<const NV: usize>(sums: &mut [[Self::V; NV]], gallery: Self::V, bank: &[Self::V; NV]) {
        for sums in sums {
            for (sum, bank) in sums.iter_mut().zip(bank) {
                // SAFETY: the caller's promise.
                *sum = unsafe { Self::mul_add(*sum, gallery, *bank) };
            }
        }
    }
    /// Sums of `ROWS` gallery rows, `stride` words apart, with `LANES / DEPTH` bank rows.
    #[inline(always)]
    unsafe fn load_sums(p: *const u32, _stride: usize) -> Self::V {
        // SAFETY: the caller's promise: one row of full length.
        unsafe { Self::V::load(p) }
    }
    /// Vector `v` of the sums of gallery row `row` of the `ROWS`, a lane for each bank row, from the registers of all its bank rows.
    #[inline(always)]
    unsafe fn row_sums<const NV: usize>(sums: &[Self::V; NV], _row: usize, v: usize) -> Self::V {
        sums[v]
    }
    /// Lanes of the scores that sums become.
    type Scores: DepthF32;
    /// Whether a score is a sum times two scales.
    const SCALED: bool;
    /// Sums, a lane for a pair, as floats, rounded once.
    unsafe fn floats(sums: Self::V) -> <Self::Scores as DepthF32>::V;
}

/// Packing a panel: `W` = `LANES` rows x `W` words at a time, turned so that a vector holds the words of one step: `DEPTH` of each of
/// the first `LANES / DEPTH` rows, then of the next, and so on; then those of the next step.
pub(crate) trait Transpose<const W: usize>: TileLanes {
    /// Row elements in a full vector of words.
    const ELEMENTS: usize;
    type Element;
    /// The next `W` words of a bank row; valid for `ELEMENTS` reads.
    unsafe fn load_row_words(p: *const Self::Element) -> Self::V;
    unsafe fn transpose(rows: [Self::V; W]) -> [Self::V; W];
}

/// Asks for the cache line at `p` to be brought to the second level. A hint: no address is invalid, nothing is read.
#[inline(always)]
pub(crate) fn prefetch(p: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch never faults; SSE is part of x86-64.
    unsafe {
        core::arch::x86_64::_mm_prefetch::<{ core::arch::x86_64::_MM_HINT_T1 }>(p.cast());
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: a prefetch never faults and changes no state that the compiler knows of.
    unsafe {
        core::arch::asm!("prfm pldl2keep, [{}]", in(reg) p, options(nostack, preserves_flags, readonly));
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = p;
}

/// How codes are laid out in the words of a tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WordLayout {
    /// Two codes, each widened to 16 bits (exact with a signed 16-bit multiply-add for every code).
    Wide2,
    /// Four signed codes on both sides.
    #[cfg_attr(not(target_arch = "aarch64"), allow(dead_code))]
    Signed4,
    /// Four codes; the gallery side carries an offset of 128 and is unsigned, so a sum is too large by `128 * sum(bank codes)`.
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
    Offset4,
}

impl WordLayout {
    /// Codes per word.
    pub(crate) const fn codes(self) -> NonZeroUsize {
        const TWO: NonZeroUsize = NonZeroUsize::new(2).unwrap();
        const FOUR: NonZeroUsize = NonZeroUsize::new(4).unwrap();
        match self {
            WordLayout::Wide2 => TWO,
            WordLayout::Signed4 | WordLayout::Offset4 => FOUR,
        }
    }
}

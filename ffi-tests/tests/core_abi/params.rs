//! The parameters that many functions share, with what is wrong of each.

use ffi_tests::contract::{Elements, Function, Param, wrong, wrong_for};
use nnn::Hit;
use nnn::abi::*;
use std::ops::RangeInclusive;

/// The closure of a [`Function`]: a C function with raw arguments.
macro_rules! call {
    (|$arguments:ident| $body:expr) => {
        |$arguments: &[usize]| {
            // SAFETY: `contract`, the only caller, passes addresses of its own live memory in the layout that the parameters describe, or
            // addresses and sizes that the function's documentation allows it to refuse.
            unsafe { $body }
        }
    };
}
pub(crate) use call;

pub const DIM: usize = 5;
pub const GALLERY: usize = 7;
pub const BANK: usize = 6;
pub const QUERIES: usize = 3;
pub const FIRST: usize = 2;
pub const COUNT: usize = 3;
pub const RANGE: RangeInclusive<usize> = FIRST..=FIRST + COUNT - 1;
pub const K: usize = 2;
pub const STRIDE: usize = 8;
pub const HUGE: usize = usize::MAX;
pub const NO_HIT: Hit = Hit { score: -77.0, id: 99 };

pub fn mat(rows: usize, refuses: Option<RangeInclusive<usize>>) -> Param {
    Param::Mat { rows, dim: DIM, refuses }
}

pub fn codes(rows: usize, refuses: Option<RangeInclusive<usize>>) -> Param {
    Param::Codes { rows, dim: DIM, refuses }
}

/// `first` and `count`, of the gallery that is parameter `gallery`.
pub fn range_of(gallery: usize) -> [Param; 2] {
    let late = |value| wrong_for(gallery, value, NNN_ERR_RANGE);
    [
        Param::Size(FIRST, vec![late(GALLERY - COUNT + 1), late(GALLERY + 1), late(HUGE)]),
        Param::Size(COUNT, vec![late(GALLERY - FIRST + 1), late(GALLERY + 1), late(HUGE)]),
    ]
}

pub fn stride(code_of_huge: i32) -> Param {
    Param::Size(STRIDE, vec![wrong(0, NNN_ERR_STRIDE), wrong(2, NNN_ERR_STRIDE), wrong(HUGE, code_of_huge)])
}

pub fn k(code_of_huge: i32) -> Param {
    Param::Size(K, vec![wrong(0, NNN_ERR_K), wrong(HUGE, code_of_huge)])
}

/// k of a bias from the bank that is parameter 1.
pub fn k_of_bank() -> Param {
    Param::Size(K, vec![wrong(0, NNN_ERR_K), wrong_for(1, BANK + 1, NNN_ERR_K), wrong_for(1, HUGE, NNN_ERR_K)])
}

pub fn out<T>(n: usize) -> Param {
    Param::Out(Elements::blank::<T>(n))
}

pub fn table(rows: usize) -> Elements {
    Elements::floats(&[0.5, -0.25].repeat(rows))
}

pub fn biases(rows: usize) -> Elements {
    Elements::floats(&vec![0.125; rows])
}

pub fn function(name: &'static str, params: impl IntoIterator<Item = Param>, call: fn(&[usize]) -> i32) -> Function {
    Function { name, params: params.into_iter().collect(), call, reports: None }
}

/// Above 0 and finite.
pub fn positive(good: f32) -> Param {
    let bad = [0.0, -1.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
    Param::Size(good.to_bits() as usize, bad.iter().map(|bad| wrong(bad.to_bits() as usize, NNN_ERR_VALUE)).collect())
}

pub fn float(bits: usize) -> f32 {
    f32::from_bits(bits as u32)
}

/// A number of rows, queries or elements that are not those of a matrix.
pub fn number(good: usize) -> Param {
    #[allow(unused_mut)]
    let mut bad = vec![wrong(HUGE, NNN_ERR_OVERFLOW)];
    #[cfg(target_pointer_width = "64")]
    bad.push(wrong(1 << 32, NNN_ERR_RANGE));
    Param::Size(good, bad)
}

/// A count that is only a length.
pub fn length(good: usize) -> Param {
    Param::Size(good, vec![wrong(HUGE, NNN_ERR_OVERFLOW)])
}

pub fn dim() -> Param {
    Param::Size(DIM, vec![wrong(0, NNN_ERR_DIM), wrong(nnn::MAX_DIM + 1, NNN_ERR_DIM), wrong(HUGE, NNN_ERR_DIM)])
}

pub fn least_scratch() -> Param {
    Param::Scratch { bytes: 5000, least: NNN_NEIGHBORS_SCRATCH_MIN_BYTES }
}

/// Sums of one similarity each.
pub fn log_sums(n: usize) -> Elements {
    let one = [1u64 << 20, 0, 0, 0, 0];
    Elements::numbers(&one.repeat(n))
}

/// The words of an empty sum.
pub fn empty_sum() -> [u64; 5] {
    let mut words = [0u64; 5];
    // Three words, three half words, the bin.
    words[4] = if cfg!(target_endian = "big") { 0x8000_0000 } else { 0x8000_0000 << 32 };
    words
}

/// Hits of three queries, K apart.
pub fn hits_of_lists() -> Elements {
    let hits = Elements::hits(&[(0.5, 1), (0.25, 6), (0.75, 3), (0.5, 2), (0.125, 0), (0.0, 5)]);
    hits.refusing(2, Elements::hits(&[(0.75, GALLERY as u32)]), NNN_ERR_RANGE)
}

pub fn counts_of_lists() -> Elements {
    Elements::numbers(&[2u32, 2, 1]).refusing(1, Elements::one(K as u32 + 1), NNN_ERR_RANGE)
}

/// n of k.
pub fn first_hits() -> Param {
    Param::Size(1, vec![wrong(0, NNN_ERR_K), wrong_for(3, K + 1, NNN_ERR_K)])
}

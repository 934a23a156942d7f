//! What the kernels have to compute, written the slow and obvious way, and the data they are fed with.

use super::super::f32_shells;
use crate::cpu::{Isa, Supported};
use std::vec;
use std::vec::Vec;

/// Longest row of the exhaustive tests.
pub const LONGEST: usize = 1040;

/// Every instruction set that this machine can run, or those that `NNN_TEST_ISAS` names: runs on several emulated processors share
/// the work.
pub fn isas() -> Vec<Supported> {
    let mut isas: Vec<_> = Isa::ALL.into_iter().filter_map(Supported::new).collect();
    assert!(isas.len() >= 2, "the scalar and the portable tier run everywhere");
    if let Ok(names) = std::env::var("NNN_TEST_ISAS") {
        isas.retain(|isa| names.split_whitespace().any(|name| name == isa.get().name()));
        assert_eq!(isas.len(), names.split_whitespace().count(), "NNN_TEST_ISAS names a set that is not there: {names}");
    }
    isas
}

/// Those of [`isas`] whose f32 kernels no set before them has, since the others would do again what was done; where that is none, the
/// last, so that no test is without one.
pub fn float_isas() -> Vec<Supported> {
    let all: Vec<_> = Isa::ALL.into_iter().filter_map(Supported::new).collect();
    let first = |isa: &Supported| all.iter().find(|other| f32_shells(**other) == f32_shells(*isa)).map(|other| other.get());
    let own: Vec<_> = isas().into_iter().filter(|isa| first(isa) == Some(isa.get())).collect();
    if own.is_empty() { isas().split_off(isas().len() - 1) } else { own }
}

/// The canonical f32 order of [`DepthF32`](crate::simd::DepthF32): 32 lanes, rows continued with zeros, fused multiply-add in
/// index order, then halving.
pub fn canonical(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0f32; 32];
    for i in 0..a.len().next_multiple_of(32) {
        let at = |row: &[f32]| row.get(i).copied().unwrap_or(0.0);
        lanes[i % 32] = at(a).mul_add(at(b), lanes[i % 32]);
    }
    for half in [16, 8, 4, 2, 1] {
        for i in 0..half {
            lanes[i] += lanes[i + half];
        }
    }
    lanes[0]
}

/// One chain of fused multiply-adds in index order.
pub fn chain(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).fold(0.0, |sum, (a, b)| a.mul_add(*b, sum))
}

pub fn dot_i64(a: &[i8], b: &[i8]) -> i64 {
    a.iter().zip(b).map(|(a, b)| i64::from(*a) * i64::from(*b)).sum()
}

/// What an f32 kernel may answer: on fused instruction sets these bits, on the others anything within twice the bound.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    pub fused: f32,
    sum: f64,
    bound: f64,
}

impl Expected {
    /// In the canonical order; its bound is that of the crate documentation.
    pub fn canonical(a: &[f32], b: &[f32]) -> Expected {
        Expected::new(canonical(a, b), a, b, a.len().div_ceil(32) + 6)
    }

    /// In the order of the tile.
    pub fn chain(a: &[f32], b: &[f32]) -> Expected {
        Expected::new(chain(a, b), a, b, a.len() + 1)
    }

    fn new(fused: f32, a: &[f32], b: &[f32], roundings: usize) -> Expected {
        let products = || a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b));
        let bound = roundings as f64 * f64::from(f32::EPSILON / 2.0) * products().map(f64::abs).sum::<f64>();
        Expected { fused, sum: products().sum(), bound }
    }

    /// Panics unless `got` is a right answer on `isa`.
    #[track_caller]
    pub fn check(&self, isa: Supported, got: f32, what: impl FnOnce() -> std::string::String) {
        let isa = isa.get();
        let error = (f64::from(got) - self.sum).abs();
        let allowed = if isa.has_fma() { self.bound } else { 2.0 * self.bound };
        let right = error <= allowed && (!isa.has_fma() || got.to_bits() == self.fused.to_bits());
        assert!(right, "{isa:?} {}: got {got:e}, expected {self:?}", what());
    }
}

/// A reproducible stream of numbers (splitmix64).
pub struct Random(pub u64);

impl Random {
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ z >> 31
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.bits() % n as u64) as usize
    }

    /// Any of the 256 codes.
    pub fn code(&mut self) -> i8 {
        self.bits() as i8
    }

    /// In [-1, 1), a multiple of 2^-23.
    pub fn float(&mut self) -> f32 {
        (self.bits() >> 40) as f32 * 2f32.powi(-23) - 1.0
    }

    /// Like [`float`](Self::float), with a magnitude anywhere between 2^-20 and 2^20.
    pub fn wide_float(&mut self) -> f32 {
        self.float() * 2f32.powi(self.below(41) as i32 - 20)
    }
}

/// Row pairs that the exhaustive tests of codes run on; each is [`LONGEST`] codes long.
pub fn code_pairs() -> Vec<(&'static str, Vec<i8>, Vec<i8>)> {
    let mut random = Random(1);
    let all = |code: i8| vec![code; LONGEST];
    let ramp = |start: usize| (0..LONGEST).map(|i| ((i + start) % 251) as u8 as i8).collect::<Vec<_>>();
    let mut codes = || (0..LONGEST).map(|_| random.code()).collect::<Vec<_>>();
    vec![
        ("random", codes(), codes()),
        ("ramp", ramp(0), ramp(100)),
        ("all -127", all(-127), all(-127)),
        ("all 127", all(127), all(127)),
        ("all -128", all(-128), all(-128)), // saturates pairwise 16-bit sums; breaks negation
        ("-128 x 127", all(-128), all(127)),
        ("127 x -128", all(127), all(-128)),
        ("-128 x random", all(-128), codes()),
    ]
}

/// The same for f32.
pub fn float_pairs() -> Vec<(&'static str, Vec<f32>, Vec<f32>)> {
    let mut random = Random(2);
    let all = |x: f32| vec![x; LONGEST];
    let ramp = |start: usize| (0..LONGEST).map(|i| ((i + start) % 251) as f32).collect::<Vec<_>>();
    let floats: Vec<f32> = (0..2 * LONGEST).map(|_| random.float()).collect();
    let wide: Vec<f32> = (0..2 * LONGEST).map(|_| random.wide_float()).collect();
    vec![
        ("random", floats[..LONGEST].to_vec(), floats[LONGEST..].to_vec()),
        ("random magnitudes", wide[..LONGEST].to_vec(), wide[LONGEST..].to_vec()),
        ("ramp", ramp(0), ramp(100)),
        ("all -127", all(-127.0), all(-127.0)),
        ("all 127", all(127.0), all(127.0)),
        ("all -128", all(-128.0), all(-128.0)),
        ("all 1/3", all(1.0 / 3.0), all(-1.0 / 3.0)),
    ]
}

/// Memory whose start is aligned to a cache line, so that an offset in it is a misalignment.
pub struct Aligned<T> {
    data: Vec<T>,
    start: usize,
}

impl<T: Copy> Aligned<T> {
    pub fn new(len: usize, fill: T) -> Aligned<T> {
        let data = vec![fill; len + 64 / size_of::<T>()];
        let start = data.as_ptr().align_offset(64);
        Aligned { data, start }
    }

    /// The memory from `offset` elements behind the aligned start on.
    pub fn from(&mut self, offset: usize) -> &mut [T] {
        &mut self.data[self.start + offset..]
    }

    /// `values`, copied to `offset`.
    pub fn place(&mut self, offset: usize, values: &[T]) -> &[T] {
        let place = &mut self.from(offset)[..values.len()];
        place.copy_from_slice(values);
        place
    }
}

/// Lays rows out `stride` elements apart, with `gap` between them.
pub fn strided<T: Copy>(rows: &[Vec<T>], stride: usize, gap: T) -> Vec<T> {
    let mut data = vec![gap; rows.len() * stride];
    for (place, row) in data.chunks_mut(stride).zip(rows) {
        place[..row.len()].copy_from_slice(row);
    }
    data
}

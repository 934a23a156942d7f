//! Sums of exponentials that no order of adding changes: the state of the softmax family.
//!
//! Every term is an integer on the absolute grid of [`kernel::exp`](crate::kernel), in a bin of 32 octaves that depends on nothing
//! but the term. A sum keeps the highest bin that was seen and the two below it, each as an exact integer of 96 bits. What lies
//! lower is at most 2^-64 of the greatest term each and is left out, whenever it comes: so the bits of a sum are a function of the
//! set of its terms.
#![forbid(unsafe_code)]

use crate::cpu::Supported;
use crate::kernel::{self, T_MAX, TERMS, Terms, unit_exponent};

/// Bins kept: the length of the arrays, written out for the C header.
const BINS: usize = 3;

/// `sum of e^(beta * similarity)` of one gallery row over the bank rows it has seen; 40 bytes, whatever the bank.
///
/// The content is opaque. It is the same bits for the same set of bank rows, in whatever shards and order they came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct LogSum {
    low: [u64; 3],
    high: [u32; 3],
    /// The highest bin; of an empty sum the least number.
    bin: i32,
}

impl LogSum {
    /// The sum of nothing.
    pub const EMPTY: LogSum = LogSum { low: [0; BINS], high: [0; BINS], bin: i32::MIN };

    /// Natural logarithm of the sum; -inf of nothing.
    pub fn ln(&self) -> f64 {
        self.log2() * core::f64::consts::LN_2
    }

    pub(crate) fn log2(&self) -> f64 {
        const BIN: f64 = 4_294_967_296.0;
        let bins = self.low.iter().zip(&self.high).map(|(low, high)| *low as f64 + f64::from(*high) * (BIN * BIN));
        let (sum, _) = bins.fold((0.0, 1.0), |(sum, unit), bin| (sum + bin * unit, unit / BIN));
        if sum > 0.0 { libm::log2(sum) + unit_exponent(self.bin) } else { f64::NEG_INFINITY }
    }

    /// Adds an integer to a bin.
    fn add(&mut self, bin: i32, low: u64, high: u32) {
        let mut below = i64::from(self.bin) - i64::from(bin);
        if below < 0 {
            // A new highest bin: the others move down.
            let old = *self;
            *self = LogSum { bin, ..LogSum::EMPTY };
            for i in 0..BINS {
                let from = i.checked_sub(below.unsigned_abs().try_into().unwrap_or(BINS));
                if let Some(from) = from
                    && let (Some(to_low), Some(to_high)) = (self.low.get_mut(i), self.high.get_mut(i))
                {
                    *to_low = old.low.get(from).copied().unwrap_or(0);
                    *to_high = old.high.get(from).copied().unwrap_or(0);
                }
            }
            below = 0;
        }
        let at = usize::try_from(below).unwrap_or(BINS);
        if let (Some(to_low), Some(to_high)) = (self.low.get_mut(at), self.high.get_mut(at)) {
            let (sum, carry) = to_low.overflowing_add(low);
            *to_low = sum;
            *to_high = to_high.wrapping_add(high).wrapping_add(u32::from(carry));
        }
    }

    /// Adds the terms of another sum.
    pub(crate) fn merge(&mut self, from: &LogSum) {
        for (below, (low, high)) in (0..).zip(from.low.iter().zip(&from.high)) {
            if (*low, *high) != (0, 0) {
                self.add(from.bin.saturating_sub(below), *low, *high);
            }
        }
    }

    /// Adds `2^(factor * score + weight)` of every finite score.
    pub(crate) fn add_scores(
        &mut self,
        isa: Supported,
        job: &Exponent,
        scores: &[f32],
        weights: Option<&[f32]>,
        terms: &mut Terms,
    ) {
        if job.small {
            let mut first = 0;
            for scores in scores.chunks(TERMS) {
                let weights = weights.and_then(|w| w.get(first..)?.get(..scores.len()));
                self.add_small(isa, job.factor, scores, weights, terms);
                first += scores.len();
            }
        } else {
            for (i, score) in scores.iter().enumerate().filter(|(_, score)| score.is_finite()) {
                let weight = weights.and_then(|w| w.get(i));
                let weight_log2 = weight.map_or(0.0, |w| f64::from(*w) * core::f64::consts::LOG2_E);
                let t = f64::from(*score) * f64::from(job.factor) + weight_log2;
                if f64::from(score.abs()) * f64::from(job.factor) + weight_log2.abs() < T_MAX {
                    let weight = weight.map(core::slice::from_ref);
                    self.add_small(isa, job.factor, core::slice::from_ref(score), weight, terms);
                } else {
                    let (bin, term) = kernel::large_term(t);
                    self.add(bin as i32, term, 0);
                }
            }
        }
    }

    fn add_small(&mut self, isa: Supported, factor: f32, scores: &[f32], weights: Option<&[f32]>, terms: &mut Terms) {
        let n = scores.len();
        kernel::exp2_terms(isa, scores, weights, factor, terms);
        let (least, most) = kernel::term_bins(isa, terms, n);
        if least == most {
            return self.add(most, kernel::sum_terms(isa, terms, n, most), 0);
        }
        // Bins that are kept, from the top.
        let top = most.max(self.bin);
        let lowest = least.max(top.saturating_sub(BINS as i32 - 1));
        for bin in (lowest..=most).rev() {
            let sum = kernel::sum_terms_in(isa, terms, n, bin);
            if sum > 0 {
                self.add(bin, sum, 0);
            }
        }
    }
}

/// What is done to scores before they are summed.
#[derive(Clone, Copy)]
pub(crate) struct Exponent {
    factor: f32,
    /// Whether no exponent exceeds [`T_MAX`].
    small: bool,
}

impl Exponent {
    /// `e^(beta * score)` of scores up to `largest`, and weights up to `weight` (natural logarithms); `None`: exponents beyond any use.
    pub(crate) fn new(beta: f32, largest: f64, weight: f32) -> Option<Exponent> {
        const MOST: f64 = 34_359_738_368.0; // 2^35: a bin's number fits 32 bits
        let factor = factor(beta);
        let most = largest * f64::from(factor) + f64::from(weight) * core::f64::consts::LOG2_E;
        // Scores that overflow f32 are left out, which only the careful way does.
        let small = most < T_MAX && largest < f64::from(f32::MAX);
        (most < MOST).then_some(Exponent { factor, small })
    }
}

/// Factor of a score in the exponent of 2.
pub(crate) fn factor(beta: f32) -> f32 {
    (f64::from(beta) * core::f64::consts::LOG2_E) as f32
}

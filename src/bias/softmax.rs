//! The softmax family: inverted softmax (IS) and its form with two banks (DualIS), from one streaming log-sum-exp per gallery row.
//!
//! Sources: inverted softmax: Smith et al., "Offline bilingual word vectors, orthogonal transformations and the inverted softmax",
//! ICLR 2017; in retrieval: Bogolin et al. (QBNorm), CVPR 2022; DualIS: Wang et al. (DBNorm), EMNLP 2023. All in the log domain.
#![forbid(unsafe_code)]

use crate::cpu::{self, Supported};
use crate::dot::{ensure_finite, row_span};
use crate::kernel::{self, Sink, Span, Terms};
use crate::logsum::{Exponent, LogSum, factor};
use crate::matrix::{Element, Matrix};
use crate::status::{Error, Result, Status, ensure};
use core::ops::Range;

/// The sums `sum over the bank of e^(beta * <bank row, gallery row>)` of some gallery rows, in the caller's memory.
///
/// The counterpart of the neighbour table for the softmax family: 40 bytes a row whatever the bank and `beta`; bank shards update or
/// merge in any order and gallery ranges go to any thread, and the bits stay those of one call. No `beta` overflows: the sums are
/// kept with an exponent of their own.
///
/// ```
/// use nnn::{LogSum, LogSums, Matrix};
/// let gallery = Matrix::new(&[1.0f32, 0.0, 0.0, 1.0], 2, 2)?;
/// let bank = Matrix::new(&[0.6f32, 0.8, 0.8, 0.6], 2, 2)?;
/// let mut memory = [LogSum::EMPTY; 2];
/// let mut sums = LogSums::init(&mut memory, 20.0)?;
/// sums.update(&gallery, &bank, 0..2, &mut [0; 4096])?;
/// let mut bias = [0.0; 2];
/// sums.bias(&mut bias)?; // subtracted from raw scores, this ranks as the inverted softmax does
/// let expected = f32::ln((20.0f32 * 0.6).exp() + (20.0f32 * 0.8).exp()) / 20.0;
/// assert!((bias[0] - expected).abs() < 1e-6);
/// # Ok::<(), nnn::Error>(())
/// ```
///
/// Accuracy: a term is within 9e-7 of `2^(f32(beta * log2(e)) * similarity)` and sums are exact but for terms below 2^-64 of the
/// largest, so a bias is within `9e-7 / beta` of that of the similarities as they are in f32. Weights, and instruction sets without fused
/// multiply-add, add 2^-23 of the exponent `beta * similarity + weight` to a term's error.
#[derive(Debug)]
pub struct LogSums<'a> {
    sums: &'a mut [LogSum],
    beta: f32,
}

impl<'a> LogSums<'a> {
    /// Empty sums, one per gallery row.
    ///
    /// # Errors
    /// `Value`: `beta` is not finite, or not above 0.
    pub fn init(sums: &'a mut [LogSum], beta: f32) -> Result<Self> {
        let sums = Self::from_sums(sums, beta)?;
        sums.sums.fill(LogSum::EMPTY);
        Ok(sums)
    }

    /// Sums made earlier with the same `beta`, to go on with.
    ///
    /// # Errors
    /// As [`init`](Self::init).
    pub fn from_sums(sums: &'a mut [LogSum], beta: f32) -> Result<Self> {
        ensure(is_beta(beta), Status::Value, "beta")?;
        Ok(LogSums { sums, beta })
    }

    /// Gallery rows.
    pub fn rows(&self) -> usize {
        self.sums.len()
    }

    /// The inverse temperature.
    pub fn beta(&self) -> f32 {
        self.beta
    }

    /// The sums, row by row.
    pub fn as_slice(&self) -> &[LogSum] {
        self.sums
    }

    /// Adds the bank's rows to what the sums have seen; sum 0 belongs to gallery row `rows.start`. Exact and order-independent.
    ///
    /// O(rows * bank * dim), no memory but `scratch` ([`neighbors_scratch`](crate::neighbors_scratch) of k = 1; down to 4,096
    /// bytes, slower) and 4.2 KiB of stack. A similarity that overflows f32 is left out.
    ///
    /// # Errors
    /// `Dim`, `Range` (of rows, or there are not as many sums), `Capacity` (scratch below 4,096 bytes), `Value` (a NaN or infinity in
    /// the range or the bank; `beta` times the largest possible similarity is 2^35 or more).
    pub fn update<T: Element>(
        &mut self,
        gallery: &Matrix<T>,
        bank: &Matrix<T>,
        rows: Range<usize>,
        scratch: &mut [u8],
    ) -> Result<()> {
        self.add(gallery, bank, None, rows, scratch)
    }

    /// As [`update`](Self::update), each bank row counting `e^weight` times: a bank that stands for another distribution (its
    /// attributes balanced, say), or a Sinkhorn step. `log_weights`: one per bank row.
    ///
    /// # Errors
    /// As [`update`](Self::update), and `Capacity` (fewer weights than bank rows), `Value` (a weight is not finite).
    pub fn update_weighted<T: Element>(
        &mut self,
        gallery: &Matrix<T>,
        bank: &Matrix<T>,
        log_weights: &[f32],
        rows: Range<usize>,
        scratch: &mut [u8],
    ) -> Result<()> {
        self.add(gallery, bank, Some(log_weights), rows, scratch)
    }

    fn add<T: Element>(
        &mut self,
        gallery: &Matrix<T>,
        bank: &Matrix<T>,
        weights: Option<&[f32]>,
        rows: Range<usize>,
        scratch: &mut [u8],
    ) -> Result<()> {
        ensure(gallery.dim() == bank.dim(), Status::Dim, "bank")?;
        let span = row_span(&rows, gallery.rows())?;
        ensure(span.count == self.sums.len(), Status::Range, "rows")?;
        ensure(weights.is_none_or(|w| w.len() >= bank.rows()), Status::Capacity, "log_weights")?;
        ensure(scratch.len() >= kernel::SCRATCH_MIN, Status::Capacity, "scratch")?;
        let isa = cpu::active();
        let gallery_max = ensure_finite(isa, gallery, span, "gallery")?;
        let bank_max = ensure_finite(isa, bank, Span::new(0, bank.rows()), "bank")?;
        let weights = weights.and_then(|w| w.get(..bank.rows()));
        let weight_max = f32::from_bits(kernel::max_abs_bits(isa, weights.unwrap_or_default()));
        ensure(weight_max.is_finite(), Status::Value, "log_weights")?;
        let exponent = Exponent::new(self.beta, T::score_bound(gallery.dim(), gallery_max, bank_max), weight_max);
        let Some(exponent) = exponent else { return ensure(false, Status::Value, "beta") };

        let mut sink = Summed { isa, exponent, weights, sums: self.sums, terms: Terms::new() };
        kernel::tile_pass(isa, gallery, span, bank, scratch, &mut sink)
            .ok_or(Error { status: Status::Capacity, argument: "scratch" })
    }

    /// Adds sums of the same rows over other bank rows. Associative and commutative in every bit. O(rows).
    ///
    /// # Errors
    /// `Range`: there are not as many.
    pub fn merge(&mut self, from: &[LogSum]) -> Result<()> {
        ensure(from.len() == self.sums.len(), Status::Range, "from")?;
        self.sums.iter_mut().zip(from).for_each(|(into, from)| into.merge(from));
        Ok(())
    }

    /// The inverted softmax as a bias: `(1 / beta) * ln(sum)` of every row, rounded once; -0 becomes +0. O(rows).
    ///
    /// `score - bias` is `1 / beta` times the logarithm of the inverted softmax, so it ranks the rows of a query as that does; as
    /// `beta` grows it tends to the NNN bias of k = 1 and alpha = 1; as `beta` tends to 0, to `ln(bank rows) / beta` plus the mean, where
    /// the constant leaves f32 too few digits for the rest: below 0.01 use [`mean_bias`](crate::mean_bias).
    ///
    /// # Errors
    /// `K` (a row has seen no similarity), `Capacity` (`out` shorter than the rows), `Value` (a bias overflows f32).
    pub fn bias(&self, out: &mut [f32]) -> Result<()> {
        softmax_bias(&[(self.sums, self.beta)], out)
    }

    /// DualIS: the bias from these sums over a bank of queries and `gallery`, sums of the same rows over a bank of gallery items:
    /// `(ln(sum) + ln(sum')) / (beta + beta')`. O(rows).
    ///
    /// # Errors
    /// `K` (a row has seen no similarity), `Range` (`gallery` has another number of rows), `Capacity`, `Value` (a bias overflows f32).
    pub fn dual_bias(&self, gallery: &LogSums, out: &mut [f32]) -> Result<()> {
        softmax_bias(&[(self.sums, self.beta), (gallery.sums, gallery.beta)], out)
    }
}

/// Adds every score of a row to its sum.
struct Summed<'a> {
    isa: Supported,
    exponent: Exponent,
    /// One per bank row.
    weights: Option<&'a [f32]>,
    sums: &'a mut [LogSum],
    terms: Terms,
}

impl Sink for Summed<'_> {
    const ALL: bool = true;

    fn limit(&mut self, _: usize) -> f32 {
        f32::NAN
    }

    fn take(&mut self, row: usize, first: usize, scores: &[f32], _: u64) {
        self.take_all(row, first, scores);
    }

    fn take_all(&mut self, row: usize, first: usize, scores: &[f32]) {
        if let Some(sum) = self.sums.get_mut(row) {
            let weights = self.weights.and_then(|w| w.get(first..)?.get(..scores.len()));
            sum.add_scores(self.isa, &self.exponent, scores, weights, &mut self.terms);
        }
    }
}

/// A legal inverse temperature.
pub(crate) fn is_beta(beta: f32) -> bool {
    beta > 0.0 && beta.is_finite()
}

/// `sum of ln(sums) / sum of betas` of the rows of one or two banks.
pub(crate) fn softmax_bias(banks: &[(&[LogSum], f32)], out: &mut [f32]) -> Result<()> {
    let rows = banks.first().map_or(0, |(sums, _)| sums.len());
    let all = || banks.iter().flat_map(|(sums, _)| sums.iter());
    ensure(banks.iter().all(|(sums, _)| sums.len() == rows), Status::Range, "gallery")?;
    ensure(out.len() >= rows, Status::Capacity, "out")?;
    ensure(all().all(|sum| *sum != LogSum::EMPTY), Status::K, "sums")?;
    // ln(sum) / beta = log2(sum) / factor, with the factor that the terms were made with.
    let factors: f64 = banks.iter().map(|(_, beta)| f64::from(factor(*beta))).sum();
    let bias = |row: usize| {
        let log2 = |(sums, _): &(&[LogSum], f32)| sums.get(row).map_or(f64::NAN, LogSum::log2);
        ((banks.iter().map(log2).sum::<f64>() / factors) as f32) + 0.0
    };
    ensure((0..rows).all(|row| bias(row).is_finite()), Status::Value, "sums")?;
    for (row, out) in out.iter_mut().enumerate().take(rows) {
        *out = bias(row);
    }
    Ok(())
}

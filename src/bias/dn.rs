//! Distribution normalisation (DN): the mean of the bank, and one dot with it per gallery row.
//!
//! Source: Zhou et al., "Test-Time Distribution Normalization for Contrastively Learned Vision-language Models", NeurIPS 2023. Within
//! one query, `<q - lambda m, r - lambda m'>` ranks as `<q, r> - lambda <m, r>`, m the mean of the bank: the other terms are the same
//! for every row.
#![forbid(unsafe_code)]

use crate::cpu;
use crate::dot::{ensure_finite, row_span};
use crate::kernel::Span;
use crate::matrix::{Element, Matrix};
use crate::status::{Result, Status, ensure};
use core::ops::Range;

/// Words of an exact sum: 320 bits from 2^-149, the least f32, up.
const WORDS: usize = 5;
/// log2 of the unit.
const UNIT: i32 = -149;

/// A sum of float values without any rounding: an integer of 320 bits in units of 2^-149. Opaque; 40 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct ExactSum {
    words: [u64; 5],
}

impl ExactSum {
    /// The sum of nothing.
    pub const ZERO: ExactSum = ExactSum { words: [0; WORDS] };

    /// Adds `integer * 2^shift` units, `integer` below 2^63 in magnitude.
    fn add(&mut self, integer: i64, shift: u32) {
        let wide = i128::from(integer) << (shift % 64);
        let mut carry = false;
        for (at, word) in (0..).zip(&mut self.words) {
            let part = match at - (shift / 64) as i32 {
                ..0 => continue,
                0 => wide as u64,
                1 => (wide >> 64) as u64,
                _ => (wide >> 127) as u64,
            };
            let (sum, first) = word.overflowing_add(part);
            let (sum, second) = sum.overflowing_add(u64::from(carry));
            (*word, carry) = (sum, first || second);
        }
    }

    fn merge(&mut self, from: &ExactSum) {
        let mut carry = false;
        for (word, from) in self.words.iter_mut().zip(&from.words) {
            let (sum, first) = word.overflowing_add(*from);
            let (sum, second) = sum.overflowing_add(u64::from(carry));
            (*word, carry) = (sum, first || second);
        }
    }

    /// The sum as f64, within one part in 2^51.
    pub fn value(&self) -> f64 {
        let negative = self.words.last().is_some_and(|word| *word >> 63 == 1);
        let mut magnitude = self.words;
        if negative {
            // Two's complement.
            let mut carry = true;
            for word in &mut magnitude {
                (*word, carry) = (!*word).overflowing_add(u64::from(carry));
            }
        }
        let sum = (0..).zip(&magnitude).map(|(at, word)| libm::scalbn(*word as f64, UNIT + 64 * at)).sum::<f64>();
        if negative { -sum } else { sum }
    }
}

/// The column sums of a bank, exact: bank shards in any order, or merged, give the same bits. 40 bytes per column.
///
/// ```
/// use nnn::{ColumnSums, ExactSum, Matrix};
/// let gallery = Matrix::new(&[1.0f32, 0.0, 0.0, 1.0], 2, 2)?;
/// let bank = Matrix::new(&[0.75f32, 0.5, 0.25, 0.0], 2, 2)?;
/// let mut memory = [ExactSum::ZERO; 2];
/// let mut sums = ColumnSums::init(&mut memory);
/// sums.update(&bank)?;
/// let (mut mean, mut bias) = ([0.0; 2], [0.0; 2]);
/// sums.mean(bank.rows(), &mut mean)?;
/// nnn::mean_bias(&gallery, &mean, 0.5, 0..2, &mut bias)?;
/// assert_eq!((mean, bias), ([0.5, 0.25], [0.25, 0.125]));
/// # Ok::<(), nnn::Error>(())
/// ```
#[derive(Debug)]
pub struct ColumnSums<'a> {
    sums: &'a mut [ExactSum],
}

impl<'a> ColumnSums<'a> {
    /// Zeros, one per column.
    pub fn init(sums: &'a mut [ExactSum]) -> Self {
        sums.fill(ExactSum::ZERO);
        ColumnSums { sums }
    }

    /// Sums made earlier, to go on with.
    pub fn from_sums(sums: &'a mut [ExactSum]) -> Self {
        ColumnSums { sums }
    }

    /// The sums, column by column.
    pub fn as_slice(&self) -> &[ExactSum] {
        self.sums
    }

    /// Adds the rows of a bank (codes times their scale). O(rows * dim).
    ///
    /// # Errors
    /// `Dim` (not as many columns), `Value` (NaN or infinity in the bank).
    pub fn update<T: Element>(&mut self, bank: &Matrix<T>) -> Result<()> {
        ensure(bank.dim() == self.sums.len(), Status::Dim, "bank")?;
        ensure_finite(cpu::active(), bank, Span::new(0, bank.rows()), "bank")?;
        for (row, scale) in (0..bank.rows()).filter_map(|i| Some((bank.row(i)?, bank.scale(i)))) {
            for (sum, x) in self.sums.iter_mut().zip(row) {
                // Exact: at most 24 digits of the scale times 8 of a code.
                let x = x.to_f64() * f64::from(scale);
                let bits = x.abs().to_bits();
                if bits == 0 {
                    continue;
                }
                // x is a multiple of 2^-149 and normal in f64: 53 digits, of which the low ones that the unit cuts off are zero.
                let digits = (bits & ((1 << 52) - 1) | 1 << 52) as i64;
                let shift = (bits >> 52) as i32 - 1023 - 52 - UNIT;
                let digits = if shift < 0 { digits >> -shift } else { digits };
                sum.add(if x < 0.0 { -digits } else { digits }, shift.max(0) as u32);
            }
        }
        Ok(())
    }

    /// Adds the sums of another shard. Associative and commutative in every bit.
    ///
    /// # Errors
    /// `Dim`: there are not as many columns.
    pub fn merge(&mut self, from: &[ExactSum]) -> Result<()> {
        ensure(from.len() == self.sums.len(), Status::Dim, "from")?;
        self.sums.iter_mut().zip(from).for_each(|(into, from)| into.merge(from));
        Ok(())
    }

    /// The mean of the `rows` bank rows that were added: sum / rows, rounded once to f32 after f64. O(dim).
    ///
    /// # Errors
    /// `K` (`rows` is 0), `Capacity` (`out` shorter than the columns), `Value` (a mean that overflows f32).
    pub fn mean(&self, rows: usize, out: &mut [f32]) -> Result<()> {
        column_mean(self.sums, rows, out)
    }
}

/// [`ColumnSums::mean`] over shared sums.
pub(crate) fn column_mean(sums: &[ExactSum], rows: usize, out: &mut [f32]) -> Result<()> {
    ensure(rows > 0, Status::K, "rows")?;
    ensure(out.len() >= sums.len(), Status::Capacity, "out")?;
    let mean = |sum: &ExactSum| (sum.value() / rows as f64) as f32 + 0.0;
    ensure(sums.iter().all(|sum| mean(sum).is_finite()), Status::Value, "sums")?;
    out.iter_mut().zip(sums).for_each(|(out, sum)| *out = mean(sum));
    Ok(())
}

/// The DN biases of the gallery rows of a range: `out[i] = lambda * <mean, gallery row (rows.start + i)>`, summed in f64, rounded once.
///
/// `mean`: that of the bank, of [`ColumnSums::mean`]. The same bits on every instruction set and in every range. O(rows * dim).
///
/// # Errors
/// `Dim` (`mean` is not as long as a row), `Range`, `Capacity` (`out`), `Value` (NaN or infinity in range, mean or lambda, or a bias
/// that overflows f32).
pub fn mean_bias<T: Element>(gallery: &Matrix<T>, mean: &[f32], lambda: f32, rows: Range<usize>, out: &mut [f32]) -> Result<()> {
    ensure(mean.len() == gallery.dim(), Status::Dim, "mean")?;
    let span = row_span(&rows, gallery.rows())?;
    ensure(out.len() >= span.count, Status::Capacity, "out")?;
    ensure_finite(cpu::active(), gallery, span, "gallery")?;
    ensure(mean.iter().all(|x| x.is_finite()), Status::Value, "mean")?;
    ensure(lambda.is_finite(), Status::Value, "lambda")?;
    let bias = |i: usize| {
        let row = gallery.row(i).unwrap_or_default();
        (dot_f64(mean, row) * f64::from(gallery.scale(i)) * f64::from(lambda)) as f32 + 0.0
    };
    ensure(rows.clone().all(|i| bias(i).is_finite()), Status::Value, "lambda")?;
    for (out, i) in out.iter_mut().zip(rows) {
        *out = bias(i);
    }
    Ok(())
}

/// In eight lanes: products are exact in f64.
fn dot_f64<T: Element>(a: &[f32], b: &[T]) -> f64 {
    const LANES: usize = 8;
    let mut lanes = [0f64; LANES];
    for (a, b) in a.chunks(LANES).zip(b.chunks(LANES)) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += f64::from(*a) * b.to_f64();
        }
    }
    lanes.iter().sum()
}

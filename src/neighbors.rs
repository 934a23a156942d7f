//! The neighbour table: for each gallery row its k largest similarities with the bank, best first, padded with -inf. It is the one
//! state behind the NNN biases of every k up to its own and every alpha, and the unit of distribution: tables of bank shards merge
//! exactly, tables of gallery shards are concatenated.
#![forbid(unsafe_code)]

use crate::collect::{Target, collect};
use crate::cpu;
use crate::dot::{ensure_finite, row_span};
use crate::kernel::{self, Span, TILE_BYTES};
use crate::matrix::{Element, Matrix};
use crate::status::{Result, Status, ensure};
use crate::topk::merge_batch;
use core::ops::Range;

/// Bytes of table rows in the recommended scratch of [`bias`](crate::bias()).
const TABLE_BYTES: usize = 384 * 1024;

/// Recommended bytes of scratch of [`Neighbors::update`] and [`bias`](crate::bias()), good for every element type, instruction set
/// and dim: 1 MiB, and above k = 98,304 `640 KiB + 4 k`. `usize::MAX` when that is not representable.
///
/// Smaller scratch works, slower, down to 4,096 bytes (`bias`: 4,096 + 4 k).
pub fn neighbors_scratch(k: usize, dim: usize) -> usize {
    let _ = dim; // the blocks are cut to the caches, whatever the dim
    k.checked_mul(4).and_then(|table| table.max(TABLE_BYTES).checked_add(TILE_BYTES)).unwrap_or(usize::MAX)
}

/// A neighbour table over the caller's memory: `rows` x `k` floats, each row best first, `-inf` where fewer were seen.
///
/// ```
/// use nnn::{Matrix, Neighbors};
/// let gallery = Matrix::new(&[1.0f32, 0.0], 1, 2)?;
/// let bank = Matrix::new(&[0.5f32, 0.0, 0.25, 9.0], 2, 2)?;
/// let mut memory = [0.0; 2];
/// let mut table = Neighbors::init(&mut memory, 1, 2)?;
/// table.update(&gallery, &bank, 0..1, &mut [0; 4096])?;
/// let mut bias = [0.0];
/// table.bias(2, 1.0, &mut bias)?;
/// assert_eq!((memory, bias), ([0.5, 0.25], [0.375]));
/// # Ok::<(), nnn::Error>(())
/// ```
#[derive(Debug)]
pub struct Neighbors<'a> {
    table: &'a mut [f32],
    k: usize,
}

impl<'a> Neighbors<'a> {
    /// An empty table: all `-inf`. O(rows * k).
    ///
    /// # Errors
    /// `K` (k = 0), `Overflow`, `Capacity` (fewer than `rows * k` floats).
    pub fn init(table: &'a mut [f32], rows: usize, k: usize) -> Result<Self> {
        let neighbors = Self::shaped(table, rows, k)?;
        neighbors.table.fill(f32::NEG_INFINITY);
        Ok(neighbors)
    }

    /// A table made earlier, to go on with. O(rows * k).
    ///
    /// # Errors
    /// As [`init`](Self::init), and `Value` when a row is not in descending order or holds NaN or +inf.
    pub fn from_table(table: &'a mut [f32], rows: usize, k: usize) -> Result<Self> {
        let neighbors = Self::shaped(table, rows, k)?;
        ensure(is_table(neighbors.table, k), Status::Value, "table")?;
        Ok(neighbors)
    }

    fn shaped(table: &'a mut [f32], rows: usize, k: usize) -> Result<Self> {
        ensure(k > 0, Status::K, "k")?;
        let len = table_len(rows, k)?;
        let table = table.get_mut(..len);
        ensure(table.is_some(), Status::Capacity, "table")?;
        Ok(Neighbors { table: table.unwrap_or_default(), k })
    }

    /// Rows of the table.
    pub fn rows(&self) -> usize {
        self.table.len().checked_div(self.k).unwrap_or(0)
    }

    /// Neighbours kept per row.
    pub fn k(&self) -> usize {
        self.k
    }

    /// The floats, row by row.
    pub fn as_slice(&self) -> &[f32] {
        self.table
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [f32] {
        self.table
    }

    /// Adds the bank's rows to what the table has seen; table row 0 belongs to gallery row `rows.start`. Exact and
    /// order-independent: updating with shards of a bank one after the other gives the bits of one update with all of it.
    ///
    /// O(rows * bank * dim), no memory but `scratch` (see [`neighbors_scratch`]).
    ///
    /// # Errors
    /// `Dim`, `Range` (of rows, or the table's row count differs), `Capacity` (scratch below 4,096 bytes), `Value` (a NaN or
    /// infinity in the range or the bank).
    pub fn update<T: Element>(
        &mut self,
        gallery: &Matrix<T>,
        bank: &Matrix<T>,
        rows: Range<usize>,
        scratch: &mut [u8],
    ) -> Result<()> {
        ensure(gallery.dim() == bank.dim(), Status::Dim, "bank")?;
        let span = row_span(&rows, gallery.rows())?;
        ensure(span.count == self.rows(), Status::Range, "rows")?;
        ensure(scratch.len() >= kernel::SCRATCH_MIN, Status::Capacity, "scratch")?;
        let isa = cpu::active();
        ensure_finite(isa, gallery, span, "gallery")?;
        ensure_finite(isa, bank, Span::new(0, bank.rows()), "bank")?;
        collect(isa, gallery, span, bank, scratch, self.k, Target::Table(self.table))
    }

    /// Merges a table of the same rows built on other bank rows: the k largest of both. Associative and commutative in every bit.
    /// O(rows * k).
    ///
    /// # Errors
    /// `Range`: `from` has another size; `Value`: `from` is no table.
    pub fn merge(&mut self, from: &[f32]) -> Result<()> {
        ensure(from.len() == self.table.len(), Status::Range, "from")?;
        ensure(is_table(from, self.k), Status::Value, "from")?;
        let k = self.k.max(1);
        for (into, from) in self.table.chunks_exact_mut(k).zip(from.chunks_exact(k)) {
            merge_batch(into, into.len(), from);
        }
        Ok(())
    }

    /// The biases `alpha * mean of the first k neighbours` of every row: summed best first in f64, divided by k, multiplied by
    /// alpha, rounded once; -0 becomes +0. O(rows * k).
    ///
    /// # Errors
    /// `K` (k is 0, above the table's, or a row has seen fewer), `Capacity` (`out` shorter than the rows), `Value` (alpha is not
    /// finite, or a bias overflows f32).
    pub fn bias(&self, k: usize, alpha: f32, out: &mut [f32]) -> Result<()> {
        table_bias(self.table, self.k, k, alpha, out)
    }

    /// The biases of a whole grid of parameters: `out[(j * ks.len() + i) * rows + r]` is the bias of row `r` for `alphas[j]` and
    /// `ks[i]`, with the bits of [`bias`](Self::bias), for one walk along each row. What [`ranks`](crate::ranks()) compares.
    ///
    /// O(rows * (k + ks * alphas)).
    ///
    /// # Errors
    /// `K` (a k is 0, above the table's or not above the one before, or a row has seen fewer), `Overflow`, `Capacity` (`out`),
    /// `Value` (an alpha is not finite, or a bias overflows f32).
    pub fn grid(&self, ks: &[usize], alphas: &[f32], out: &mut [f32]) -> Result<()> {
        table_grid(self.table, self.k, ks, alphas, out)
    }
}

/// Floats of a table.
pub(crate) fn table_len(rows: usize, k: usize) -> Result<usize> {
    let len = rows.checked_mul(k).filter(|&n| n <= isize::MAX as usize / 4);
    ensure(len.is_some(), Status::Overflow, "rows")?;
    Ok(len.unwrap_or(0))
}

/// Whether rows of `k` are in descending order without NaN and +inf.
pub(crate) fn is_table(table: &[f32], k: usize) -> bool {
    table
        .chunks_exact(k.max(1))
        .all(|row| row.iter().try_fold(f32::MAX, |above, &x| if x <= above { Some(x) } else { None }).is_some())
}

/// The bias of one table row, in f64 before the one rounding; `None` when it has seen fewer than k.
#[inline]
pub(crate) fn row_bias(row: &[f32], k: usize, alpha: f32) -> Option<f64> {
    let mut sum = 0f64;
    for &x in row.get(..k)? {
        if x == f32::NEG_INFINITY {
            return None;
        }
        sum += f64::from(x);
    }
    Some(mean_bias(sum, k, alpha))
}

/// The bias of k neighbours with this sum.
pub(crate) fn mean_bias(sum: f64, k: usize, alpha: f32) -> f64 {
    sum / k as f64 * f64::from(alpha)
}

/// [`Neighbors::bias`] over a shared table, of which nothing is known but its size.
pub(crate) fn table_bias(table: &[f32], table_k: usize, k: usize, alpha: f32, out: &mut [f32]) -> Result<()> {
    ensure(k > 0 && k <= table_k, Status::K, "k")?;
    ensure(out.len() >= table.len() / table_k.max(1), Status::Capacity, "bias")?;
    let parts = || table.chunks_exact(table_k.max(1)).filter_map(|row| row.get(..k));
    let biases = || parts().map(|part| row_bias(part, k, alpha));
    let ordered = parts().all(|part| is_table(part, k));
    ensure(biases().all(|bias| bias.is_some()), Status::K, "table")?;
    ensure(ordered, Status::Value, "table")?;
    ensure(alpha.is_finite(), Status::Value, "alpha")?;
    ensure(biases().flatten().all(|bias| (bias as f32).is_finite()), Status::Value, "alpha")?;
    for (out, bias) in out.iter_mut().zip(biases().flatten()) {
        *out = bias as f32 + 0.0;
    }
    Ok(())
}

/// [`Neighbors::grid`] over a shared table, of which nothing is known but its size.
pub(crate) fn table_grid(table: &[f32], table_k: usize, ks: &[usize], alphas: &[f32], out: &mut [f32]) -> Result<()> {
    let rows = table.len().checked_div(table_k).unwrap_or(0);
    let k_max = ks.last().copied().unwrap_or(0);
    ensure(ks.first().is_none_or(|k| *k > 0) && ks.is_sorted_by(|a, b| a < b) && k_max <= table_k, Status::K, "ks")?;
    let len = ks.len().checked_mul(alphas.len()).and_then(|n| n.checked_mul(rows));
    ensure(len.is_some(), Status::Overflow, "ks")?;
    ensure(len.is_some_and(|len| out.len() >= len), Status::Capacity, "out")?;
    let parts = || table.chunks_exact(table_k.max(1)).filter_map(|row| row.get(..k_max));
    ensure(parts().all(|part| part.last() != Some(&f32::NEG_INFINITY)), Status::K, "table")?;
    ensure(parts().all(|part| is_table(part, k_max.max(1))), Status::Value, "table")?;
    ensure(alphas.iter().all(|alpha| alpha.is_finite()), Status::Value, "alphas")?;
    let largest = parts().flatten().fold(0f32, |max, x| max.max(x.abs()));
    let alpha = alphas.iter().fold(0f32, |max, x| max.max(x.abs()));
    ensure(((f64::from(largest) * f64::from(alpha)) as f32).is_finite(), Status::Value, "alphas")?;
    for (r, row) in parts().enumerate() {
        let (mut sum, mut seen) = (0f64, 0);
        for (i, &k) in ks.iter().enumerate() {
            // The order of `row_bias`.
            sum = row.get(seen..k).unwrap_or_default().iter().fold(sum, |sum, x| sum + f64::from(*x));
            seen = k;
            for (j, alpha) in alphas.iter().enumerate() {
                if let Some(slot) = out.get_mut((j * ks.len() + i).wrapping_mul(rows).wrapping_add(r)) {
                    *slot = (sum / k as f64 * f64::from(*alpha)) as f32 + 0.0;
                }
            }
        }
    }
    Ok(())
}

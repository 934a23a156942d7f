//! Over the bank: neighbour tables from the nearest lists only.

use super::Coarse;
use super::plan::{Parts, TOO_SMALL, probe_scratch_min};
use crate::collect::{add, chunks};
use crate::cpu::{self, Supported};
use crate::dot::{ensure_finite, row_span};
use crate::kernel::{self, Sink, Span};
use crate::matrix::{Element, Matrix};
use crate::neighbors::{Neighbors, mean_bias};
use crate::status::{Result, Status, ensure};
use core::ops::Range;

impl Neighbors<'_> {
    /// [`update`](Self::update) with the part of the bank that lies in the `probes` lists nearest to each gallery row: those whose
    /// centroids have the largest inner products with it. Returns how many pairs of a gallery and a bank row were scored.
    ///
    /// `bank`: the rows of `coarse` in the order of its lists. Empty lists are passed over for the next. With `probes` as many as the lists
    /// the table has the bits of `update`. A row may have found fewer than k: [`bias_found`](Self::bias_found).
    ///
    /// O(rows * lists * dim + pairs * dim), and one read of the bank for the finite check. `scratch`: [`probe_scratch`](crate::probe_scratch).
    ///
    /// # Errors
    /// `Dim`, `K` (`probes` is 0), `Range` (of rows, the table's row count differs, or `bank` has not the rows of `coarse`), `Capacity`
    /// (scratch below [`probe_scratch_min`]), `Value` (NaN or infinity in the range, the bank or the centroids).
    pub fn probe<T: Element>(
        &mut self,
        gallery: &Matrix<T>,
        coarse: &Coarse<T>,
        bank: &Matrix<T>,
        probes: usize,
        rows: Range<usize>,
        scratch: &mut [u8],
    ) -> Result<u64> {
        coarse.check_dims(gallery, bank)?;
        ensure(probes > 0, Status::K, "probes")?;
        let span = row_span(&rows, gallery.rows())?;
        coarse.check_rows(bank)?;
        ensure(span.count == self.rows(), Status::Range, "rows")?;
        let least = probe_scratch_min(coarse.lists(), probes, gallery.dim());
        ensure(scratch.len() >= least, TOO_SMALL.status, TOO_SMALL.argument)?;
        let isa = cpu::active();
        ensure_finite(isa, gallery, span, "gallery")?;
        ensure_finite(isa, bank, Span::new(0, bank.rows()), "bank")?;
        coarse.check_values(isa)?;

        let k = self.k();
        let mut parts = Parts::new(scratch, span.count, coarse, probes)?;
        let mut pairs = 0;
        for chunk in chunks(span, parts.rows()) {
            let table = self.as_mut_slice().get_mut((chunk.first - span.first) * k..).unwrap_or_default();
            let mut planned = parts.plan(isa, coarse, gallery, chunk)?;
            pairs += planned.for_each_list(coarse, gallery, |list, rows, numbers, tiles| {
                let mut sink = Visited { isa, table, k, numbers };
                kernel::tile_pass(isa, rows, Span::new(0, numbers.len()), &bank.part(list), tiles, &mut sink)
            })?;
        }
        Ok(pairs)
    }

    /// [`bias`](Self::bias) of a table that may be incomplete: `alpha` times the mean of the first k neighbours, or of those that were found
    /// where they are fewer. Returns how many rows had fewer. O(rows * k).
    ///
    /// # Errors
    /// As [`bias`](Self::bias), but `K` only for a row that has found none.
    pub fn bias_found(&self, k: usize, alpha: f32, out: &mut [f32]) -> Result<usize> {
        ensure(k > 0 && k <= self.k(), Status::K, "k")?;
        ensure(out.len() >= self.rows(), Status::Capacity, "bias")?;
        let rows = || self.as_slice().chunks_exact(self.k().max(1)).filter_map(|row| row.get(..k));
        ensure(rows().all(|row| row.first() != Some(&f32::NEG_INFINITY)), Status::K, "table")?;
        ensure(alpha.is_finite(), Status::Value, "alpha")?;
        let bias = |row: &[f32]| {
            let found = row.partition_point(|x| *x > f32::NEG_INFINITY);
            let sum = row.iter().take(found).fold(0f64, |sum, x| sum + f64::from(*x));
            (mean_bias(sum, found.max(1), alpha) as f32 + 0.0, found < k)
        };
        ensure(rows().all(|row| bias(row).0.is_finite()), Status::Value, "alpha")?;
        let mut short = 0;
        for (out, row) in out.iter_mut().zip(rows()) {
            let (bias, is_short) = bias(row);
            *out = bias;
            short += usize::from(is_short);
        }
        Ok(short)
    }
}

/// Rows of a table that are not next to each other.
struct Visited<'a> {
    isa: Supported,
    table: &'a mut [f32],
    k: usize,
    numbers: &'a [u32],
}

impl Visited<'_> {
    fn best(&mut self, row: usize) -> Option<&mut [f32]> {
        let first = (*self.numbers.get(row)? as usize).wrapping_mul(self.k);
        self.table.get_mut(first..)?.get_mut(..self.k)
    }
}

impl Sink for Visited<'_> {
    fn limit(&mut self, row: usize) -> f32 {
        self.best(row).and_then(|best| best.last().copied()).unwrap_or(f32::INFINITY)
    }

    fn take(&mut self, row: usize, _: usize, scores: &[f32], mask: u64) {
        let isa = self.isa;
        if let Some(best) = self.best(row) {
            add(isa, best, scores, mask);
        }
    }
}

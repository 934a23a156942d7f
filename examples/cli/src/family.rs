//! What the members of the family need from a bank, by threads over ranges of gallery rows: neighbour tables, log-sum-exp sums,
//! Sinkhorn potentials, activation sets.

use crate::failure::{Result, fail};
use crate::passes;
use crate::source::{Source, Whole};
use crate::work::{Progress, for_each, lock, part_rows};
use nnn::{ColumnSums, ExactSum, LogSum, LogSums, Matrix, Neighbors};
use std::ops::Range;
use std::sync::Mutex;

/// Most rows of a part, and bank rows between two steps of the progress bar.
const PART_ROWS: usize = 2048;
const BANK_ROWS: usize = 16_384;

/// Adds the rows of a bank to a table of the `k` largest similarities of every gallery row.
pub fn add_neighbors(table: &mut [f32], gallery: &Whole, bank: &Whole, k: usize, threads: usize) -> Result<()> {
    over_rows("neighbours", gallery, bank, (table, k), threads, |job| {
        let count = job.rows.len();
        Ok(Neighbors::from_table(job.state, count, k)?.update(job.of, job.bank, job.rows, job.scratch)?)
    })
}

/// The biases of a table of `k` neighbours.
pub fn table_bias(table: &mut [f32], gallery: &Whole, k: usize, alpha: f32) -> Result<Vec<f32>> {
    let mut bias = vec![0.0; gallery.rows()];
    let table = Neighbors::from_table(table, gallery.rows(), k)?;
    table.bias(k, alpha, &mut bias).or_else(|_| passes::no_bias(&gallery.name(), 0, table.as_slice(), k))?;
    Ok(bias)
}

/// The biases of a whole grid, for each alpha all `ks` (ascending), one after the other: one pass over the bank. The table of a part
/// of the gallery is gone before the next part's, so that a row takes 4 bytes per bias, not 4 per neighbour.
pub fn grid_biases(gallery: &Whole, bank: &Whole, ks: &[usize], alphas: &[f32], threads: usize) -> Result<Vec<f32>> {
    let (rows, biases, k) = (gallery.rows(), ks.len() * alphas.len(), ks.last().copied().unwrap_or(1));
    let (matrix, part) = (gallery.matrix()?, part_rows(rows, threads, PART_ROWS));
    let grid = Mutex::new(vec![0.0; biases * rows]);
    let progress = Progress::new("neighbours", rows as u64 * bank.rows() as u64);
    let state = || (vec![0; nnn::neighbors_scratch(k, gallery.dim())], vec![0.0; part * k], vec![0.0; part * biases]);
    for_each(threads, rows.div_ceil(part), state, |(scratch, table, own), item| {
        let range = item * part..rows.min((item + 1) * part);
        let count = range.len();
        let mut table = Neighbors::init(table, count, k)?;
        for first in (0..bank.rows()).step_by(BANK_ROWS) {
            let block = bank.range(first..bank.rows().min(first + BANK_ROWS))?;
            table.update(&matrix, &block, range.clone(), scratch)?;
            progress.add(count as u64 * block.rows() as u64);
        }
        table.grid(ks, alphas, own).or_else(|_| passes::no_bias(&gallery.name(), range.start, table.as_slice(), k))?;
        let mut grid = lock(&grid);
        for (own, of_all) in own.chunks_exact(count).zip(grid.chunks_exact_mut(rows)) {
            of_all[range.clone()].copy_from_slice(own);
        }
        Ok(())
    })?;
    Ok(grid.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
}

/// DN: `lambda` times the dot of every row with the bank's mean.
pub fn mean_bias(gallery: &Whole, bank: &Whole, lambda: f32) -> Result<Vec<f32>> {
    let mut sums = vec![ExactSum::ZERO; bank.dim()];
    let mut sums = ColumnSums::init(&mut sums);
    sums.update(&bank.matrix()?)?;
    let (mut mean, mut bias) = (vec![0.0; bank.dim()], vec![0.0; gallery.rows()]);
    sums.mean(bank.rows(), &mut mean)?;
    nnn::mean_bias(&gallery.matrix()?, &mean, lambda, 0..gallery.rows(), &mut bias)?;
    Ok(bias)
}

/// Adds the rows of a bank, each times e^weight if there are weights, to the sums of every row of `of`.
pub fn add_log_sums(
    sums: &mut [LogSum],
    of: &Whole,
    bank: &Whole,
    beta: f32,
    weights: Option<&[f32]>,
    threads: usize,
) -> Result<()> {
    over_rows("softmax sums", of, bank, (sums, 1), threads, |job| {
        let mut sums = LogSums::from_sums(job.state, beta)?;
        match weights {
            None => sums.update(job.of, job.bank, job.rows, job.scratch),
            Some(weights) => sums.update_weighted(job.of, job.bank, &weights[job.first..], job.rows, job.scratch),
        }
        .or_else(|error| match error.argument {
            "beta" => fail(format!(
                "beta (or 1 / tau) = {beta} times the largest similarity is beyond 2^35; lower it, or scale the rows with --normalize"
            )),
            _ => Err(error.into()),
        })
    })
}

/// The sums of a whole bank.
pub fn log_sums(of: &Whole, bank: &Whole, beta: f32, threads: usize) -> Result<Vec<LogSum>> {
    let mut sums = vec![LogSum::EMPTY; of.rows()];
    add_log_sums(&mut sums, of, bank, beta, None, threads)?;
    Ok(sums)
}

/// The inverted softmax as a bias.
pub fn softmax_bias(sums: &mut [LogSum], beta: f32) -> Result<Vec<f32>> {
    let mut bias = vec![0.0; sums.len()];
    LogSums::from_sums(sums, beta)?.bias(&mut bias)?;
    Ok(bias)
}

/// DualIS: the sums of the same rows over two banks, with their betas.
pub fn dual_bias(query_bank: (&mut [LogSum], f32), gallery_bank: (&mut [LogSum], f32)) -> Result<Vec<f32>> {
    let mut bias = vec![0.0; query_bank.0.len()];
    let gallery_bank = LogSums::from_sums(gallery_bank.0, gallery_bank.1)?;
    LogSums::from_sums(query_bank.0, query_bank.1)?.dual_bias(&gallery_bank, &mut bias)?;
    Ok(bias)
}

/// The Sinkhorn biases by the steps of [`nnn::sinkhorn_bias`], with threads.
pub fn sinkhorn_bias(
    gallery: &Whole,
    gallery_bank: Option<&Whole>,
    bank: &Whole,
    tau: f32,
    iterations: usize,
    threads: usize,
) -> Result<Vec<f32>> {
    let beta = 1.0 / tau;
    let targets = (gallery.rows() + gallery_bank.map_or(0, Whole::rows)) as f64;
    let progress = Progress::new("Sinkhorn", iterations as u64);
    let half_step = |of: &Whole, n: f64, parts: &[(&Whole, &[f32])]| -> Result<Vec<f32>> {
        let mut sums = vec![LogSum::EMPTY; of.rows()];
        for (bank, weights) in parts {
            add_log_sums(&mut sums, of, bank, beta, Some(weights), threads)?;
        }
        Ok(sums.iter().map(|sum| (f64::from(beta) - n.ln() - sum.ln()) as f32).collect())
    };
    let uniform = -targets.ln() as f32;
    let mut ln_u = vec![uniform; gallery.rows()];
    let mut ln_u_extra = vec![uniform; gallery_bank.map_or(0, Whole::rows)];
    for iteration in 0..iterations {
        let mut parts = vec![(gallery, &ln_u[..])];
        parts.extend(gallery_bank.map(|extra| (extra, &ln_u_extra[..])));
        let ln_v = half_step(bank, bank.rows() as f64, &parts)?;
        ln_u = half_step(gallery, targets, &[(bank, &ln_v)])?;
        // The last potentials of the gallery bank are nobody's.
        if let Some(extra) = gallery_bank.filter(|_| iteration + 1 < iterations) {
            ln_u_extra = half_step(extra, targets, &[(bank, &ln_v)])?;
        }
        progress.add(1);
    }
    Ok(ln_u.iter().map(|ln_u| -tau * ln_u + 0.0).collect())
}

/// The gallery rows that are among the `n` best of at least one bank row, one bit each.
pub fn activation_set(gallery: &Whole, bank: &Whole, n: usize, threads: usize) -> Result<Vec<u64>> {
    let hits = passes::search(bank, gallery, None, n, threads)?;
    let mut set = vec![0; gallery.rows().div_ceil(64)];
    nnn::activation_set(&hits.hits, &hits.found, hits.k, hits.k, gallery.rows(), &mut set)?;
    Ok(set)
}

/// One step over a range of rows and a block of the bank.
struct Job<'a, S> {
    of: &'a Matrix<'a, f32>,
    rows: Range<usize>,
    bank: &'a Matrix<'a, f32>,
    /// The block's first row in the bank.
    first: usize,
    state: &'a mut [S],
    scratch: &'a mut [u8],
}

/// Passes over the bank with every row of `of`; each row has `width` elements of state.
fn over_rows<S: Send>(
    label: &'static str,
    of: &Whole,
    bank: &Whole,
    (state, width): (&mut [S], usize),
    threads: usize,
    step: impl Fn(Job<S>) -> Result<()> + Sync,
) -> Result<()> {
    let (rows, matrix) = (of.rows(), of.matrix()?);
    let part = part_rows(rows, threads, PART_ROWS);
    let parts: Vec<Mutex<&mut [S]>> = state.chunks_mut(part * width).map(Mutex::new).collect();
    let progress = Progress::new(label, rows as u64 * bank.rows() as u64);
    let scratch = || vec![0; nnn::neighbors_scratch(width, of.dim())];
    for_each(threads, parts.len(), scratch, |scratch, item| {
        let rows = item * part..rows.min((item + 1) * part);
        let mut state = lock(&parts[item]);
        for first in (0..bank.rows()).step_by(BANK_ROWS) {
            let block = bank.range(first..bank.rows().min(first + BANK_ROWS))?;
            step(Job { of: &matrix, rows: rows.clone(), bank: &block, first, state: &mut state, scratch })?;
            progress.add(rows.len() as u64 * block.rows() as u64);
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vectors(rows: usize, dim: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 24) as f32 - 0.5
        };
        let mut data: Vec<f32> = (0..rows * dim).map(|_| next()).collect();
        nnn::normalize_in_place(&mut data, rows, dim, dim).unwrap();
        data
    }

    #[test]
    fn sinkhorn_is_that_of_the_library_on_any_number_of_threads() {
        let dim = 7;
        let [gallery, extra, bank] = [(41, 1), (23, 2), (57, 3)].map(|(rows, seed)| vectors(rows, dim, seed));
        let [gallery, extra, bank] = [&gallery, &extra, &bank].map(|data| Whole::dense(data, dim));
        for extra in [None, Some(&extra)] {
            let mut expected = vec![0.0; gallery.rows()];
            nnn::sinkhorn_bias(
                &gallery.matrix().unwrap(),
                extra.map(|extra| extra.matrix().unwrap()).as_ref(),
                &bank.matrix().unwrap(),
                0.05,
                4,
                &mut vec![LogSum::EMPTY; 64],
                &mut vec![0.0; 200],
                &mut vec![0; 1 << 16],
                &mut expected,
            )
            .unwrap();
            let found = sinkhorn_bias(&gallery, extra, &bank, 0.05, 4, 1).unwrap();
            for (found, expected) in found.iter().zip(&expected) {
                assert!((found - expected).abs() <= 1e-6 * expected.abs(), "{found}, expected {expected}"); // `ln` of another library
            }
            assert_eq!(sinkhorn_bias(&gallery, extra, &bank, 0.05, 4, 3).unwrap(), found);
        }
    }
}

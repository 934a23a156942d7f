//! Sinkhorn normalisation (SN) and its form with two banks (DBSN): the dual potentials of entropic optimal transport between the
//! bank's queries and the gallery.
//!
//! Source: "Dual Bank Sinkhorn Normalization", ACM MM 2025, arXiv 2508.02538; iterations: Cuturi, 2013, in the log domain.
#![forbid(unsafe_code)]

use super::softmax::{LogSums, is_beta};
use crate::cpu;
use crate::dot::ensure_finite;
use crate::kernel::{SCRATCH_MIN, Span};
use crate::logsum::{Exponent, LogSum};
use crate::matrix::{Element, Matrix};
use crate::status::{Result, Status, ensure};

/// The Sinkhorn biases of all gallery rows: `-tau * ln u`, where `u` and `v` start uniform and are set in turns, `iterations` times, to
/// `v[j] = (1 / bank) / sum over targets i of K[i][j] u[i]` and `u[i] = (1 / targets) / sum over j of K[i][j] v[j]`, with
/// `K[i][j] = e^((<target i, bank row j> - 1) / tau)`. Targets are the gallery rows (SN), and those of a gallery bank after them (DBSN).
///
/// K is never stored: **each iteration computes all similarities twice**, so the cost is `2 * iterations` bank passes over the targets.
/// The authors use tau = 0.01 and 10 iterations. `sums`: as many as the largest of gallery, gallery bank and bank has rows;
/// `potentials`: one f32 per row of all three. `scratch`: as of [`LogSums::update`]. A caller with threads runs the same steps by
/// [`LogSums::update_weighted`], a range of rows per thread: the bits are the same.
///
/// # Errors
/// `Dim`, `K` (no gallery row, or an empty bank), `Capacity` (`sums`, `potentials`, `scratch`, `out`), `Value` (NaN or infinity in a
/// matrix; `tau` not above 0, not finite or too small for the similarities; no iterations).
#[allow(clippy::too_many_arguments)] // what it says above
pub fn sinkhorn_bias<T: Element>(
    gallery: &Matrix<T>,
    gallery_bank: Option<&Matrix<T>>,
    bank: &Matrix<T>,
    tau: f32,
    iterations: usize,
    sums: &mut [LogSum],
    potentials: &mut [f32],
    scratch: &mut [u8],
    out: &mut [f32],
) -> Result<()> {
    let extra_rows = gallery_bank.map_or(0, Matrix::rows);
    let (rows, bank_rows) = (gallery.rows(), bank.rows());
    ensure(gallery_bank.is_none_or(|extra| extra.dim() == gallery.dim()), Status::Dim, "gallery_bank")?;
    ensure(bank.dim() == gallery.dim(), Status::Dim, "bank")?;
    ensure(rows > 0, Status::K, "gallery")?;
    ensure(bank_rows > 0, Status::K, "bank")?;
    ensure(sums.len() >= rows.max(extra_rows).max(bank_rows), Status::Capacity, "sums")?;
    let targets = rows.checked_add(extra_rows);
    let needed = targets.and_then(|n| n.checked_add(bank_rows));
    ensure(needed.is_some_and(|n| potentials.len() >= n), Status::Capacity, "potentials")?;
    ensure(scratch.len() >= SCRATCH_MIN, Status::Capacity, "scratch")?;
    ensure(out.len() >= rows, Status::Capacity, "out")?;
    let beta = 1.0 / tau;
    ensure(is_beta(tau) && is_beta(beta), Status::Value, "tau")?;
    ensure(iterations > 0, Status::Value, "iterations")?;
    let isa = cpu::active();
    let largest = |m: &Matrix<T>, name| ensure_finite(isa, m, Span::new(0, m.rows()), name);
    let of_targets = largest(gallery, "gallery")?.max(gallery_bank.map_or(Ok(0.0), |extra| largest(extra, "gallery_bank"))?);
    // A potential stays within a few times the largest exponent, so that no step below is refused.
    let most = 16.0 * T::score_bound(gallery.dim(), of_targets, largest(bank, "bank")?).max(1.0);
    ensure(Exponent::new(beta, most, 0.0).is_some(), Status::Value, "tau")?;

    let targets = targets.unwrap_or(0) as f64;
    let (ln_u, rest) = potentials.split_at_mut_checked(rows).unwrap_or_default();
    let (ln_u_extra, ln_v) = rest.split_at_mut_checked(extra_rows).unwrap_or_default();
    let ln_v = ln_v.get_mut(..bank_rows).unwrap_or_default();
    let uniform = -libm::log(targets) as f32;
    ln_u.fill(uniform);
    ln_u_extra.fill(uniform);
    // ln of (1 / n) / sum of K w, where K is e^(beta s) up to the constant.
    let potential = |sum: &LogSum, n: f64| (f64::from(beta) - libm::log(n) - sum.ln()) as f32;
    let mut half_step = |of: &Matrix<T>, n: f64, parts: &[(&Matrix<T>, &[f32])], ln_w: &mut [f32]| -> Result<()> {
        let mut sums = LogSums::init(sums.get_mut(..of.rows()).unwrap_or_default(), beta)?;
        for (bank, weights) in parts {
            sums.update_weighted(of, bank, weights, 0..of.rows(), scratch)?;
        }
        for (ln_w, sum) in ln_w.iter_mut().zip(sums.as_slice()) {
            *ln_w = potential(sum, n);
        }
        Ok(())
    };
    for iteration in 0..iterations {
        match gallery_bank {
            Some(extra) => half_step(bank, bank_rows as f64, &[(gallery, ln_u), (extra, ln_u_extra)], ln_v)?,
            None => half_step(bank, bank_rows as f64, &[(gallery, ln_u)], ln_v)?,
        }
        half_step(gallery, targets, &[(bank, ln_v)], ln_u)?;
        // The last potentials of the gallery bank are nobody's.
        if let Some(extra) = gallery_bank.filter(|_| iteration + 1 < iterations) {
            half_step(extra, targets, &[(bank, ln_v)], ln_u_extra)?;
        }
    }
    for (out, ln_u) in out.iter_mut().zip(ln_u.iter()) {
        *out = -tau * *ln_u + 0.0;
    }
    Ok(())
}

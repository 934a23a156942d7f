//! What the probes leave out, measured on a sample: the dial by which their number is chosen.

use crate::status::{Result, Status, ensure};
use crate::topk::Hit;

/// How far biases are from the exact ones.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
pub struct BiasError {
    /// Mean of `|bias - exact|`.
    pub mean: f64,
    /// Its maximum.
    pub max: f64,
}

/// Mean and maximum of `|bias[i] - exact[i]|`, summed in f64 in order. Both 0 where there are none. O(rows).
///
/// ```
/// assert_eq!(nnn::bias_error(&[0.5, 1.0], &[0.5, 0.5])?, nnn::BiasError { mean: 0.25, max: 0.5 });
/// # Ok::<(), nnn::Error>(())
/// ```
///
/// # Errors
/// `Range` (different lengths), `Value` (NaN or infinity).
pub fn bias_error(exact: &[f32], bias: &[f32]) -> Result<BiasError> {
    ensure(exact.len() == bias.len(), Status::Range, "bias")?;
    ensure(exact.iter().all(|x| x.is_finite()), Status::Value, "exact")?;
    ensure(bias.iter().all(|x| x.is_finite()), Status::Value, "bias")?;
    let (mut sum, mut max) = (0f64, 0f64);
    for (a, b) in exact.iter().zip(bias) {
        let error = (f64::from(*a) - f64::from(*b)).abs();
        sum += error;
        max = max.max(error);
    }
    Ok(BiasError { mean: sum / exact.len().max(1) as f64, max })
}

/// Recall at k: the share of the exact hits that are among the hits, over all queries; 1 where there are no exact hits. Hits of query
/// `q` start at `q * k`, `found` says how many there are, as [`search`](crate::search()) writes them. O(queries * k^2).
///
/// # Errors
/// `K` (k = 0), `Overflow`, `Range` (a count above k; counts of different numbers of queries), `Capacity` (hits shorter than the counts).
pub fn hits_recall(exact: &[Hit], exact_found: &[u32], hits: &[Hit], found: &[u32], k: usize) -> Result<f64> {
    ensure(k > 0, Status::K, "k")?;
    let total = exact_found.len().checked_mul(k);
    ensure(total.is_some(), Status::Overflow, "k")?;
    ensure(exact_found.len() == found.len(), Status::Range, "found")?;
    ensure(exact_found.iter().all(|n| *n as usize <= k), Status::Range, "exact_found")?;
    ensure(found.iter().all(|n| *n as usize <= k), Status::Range, "found")?;
    ensure(total.is_some_and(|total| exact.len() >= total), Status::Capacity, "exact")?;
    ensure(total.is_some_and(|total| hits.len() >= total), Status::Capacity, "hits")?;
    let lists = |hits, found| {
        core::iter::zip(<[Hit]>::chunks_exact(hits, k.max(1)), found)
            .map(|(hits, n): (&[Hit], &u32)| hits.get(..*n as usize).unwrap_or_default())
    };
    let (mut kept, mut all) = (0u64, 0u64);
    for (exact, hits) in lists(exact, exact_found).zip(lists(hits, found)) {
        kept += exact.iter().filter(|hit| hits.iter().any(|other| other.id == hit.id)).count() as u64;
        all += exact.len() as u64;
    }
    Ok(if all == 0 { 1.0 } else { kept as f64 / all as f64 })
}

//! Evaluation: does the correction help on this data? Ranks and recall, hubness, the confidence in a difference, the choice of
//! parameters, fairness. Everything works on ranks, hits and labels in the caller's memory.
#![forbid(unsafe_code)]

mod bootstrap;
mod fairness;
mod hubness;
mod ranks;

pub use bootstrap::{Choice, Interval, bootstrap, choose};
pub use fairness::{Fairness, attribute_bias, balanced_sample};
pub use hubness::{Hubness, count_occurrences, hubness};
pub(crate) use ranks::ranks_scratch_min;
pub use ranks::{NOT_RANKED, Positives, best_ranks, median_rank, ranks, ranks_scratch, recall};

use crate::status::{Result, Status, ensure};
use crate::topk::Hit;

/// The first `n` hits of each query's list of `k`.
pub(crate) fn lists<'a>(
    hits: &'a [Hit],
    found: &'a [u32],
    k: usize,
    n: usize,
) -> Result<impl Iterator<Item = &'a [Hit]> + Clone + use<'a>> {
    let total = found.len().checked_mul(k);
    ensure(total.is_some(), Status::Overflow, "k")?;
    ensure(found.iter().all(|&len| len as usize <= k), Status::Range, "found")?;
    ensure(total.is_some_and(|total| total <= hits.len()), Status::Capacity, "hits")?;
    Ok(found
        .iter()
        .enumerate()
        .map(move |(q, &len)| hits.get(q.wrapping_mul(k)..).and_then(|list| list.get(..n.min(len as usize))).unwrap_or_default()))
}

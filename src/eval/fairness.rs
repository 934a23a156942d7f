//! Attribute bias of rankings: does a query about people retrieve one group more than the other?
//!
//! Source: Chowdhury et al., EMNLP 2024, section 3.3.

use super::lists;
use crate::random::Random;
use crate::status::{Result, Status, ensure};
use crate::topk::Hit;

/// Attribute bias over queries.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[repr(C)]
pub struct Fairness {
    /// Mean of the signed biases: opposite biases of different queries cancel here.
    pub mean: f64,
    /// Mean of their magnitudes: here they do not.
    pub mean_abs: f64,
}

/// The attribute bias of each query's first `n` hits, `(number of A - number of B) / n`, and the means over the queries.
///
/// `labels`: one per gallery row: 1 for attribute A, -1 for B, 0 for neither. A query with fewer than n hits is divided by those it
/// has; one without hits has bias 0. `out`: one f32 per query. O(queries * n).
///
/// # Errors
/// `K` (k = 0; n = 0 or above k), `Overflow`, `Range` (`found` above k, an id without a label), `Capacity` (`hits`, `out`), `Value`
/// (no queries; a label that is none; labels that do not hold both attributes).
pub fn attribute_bias(hits: &[Hit], found: &[u32], k: usize, n: usize, labels: &[i8], out: &mut [f32]) -> Result<Fairness> {
    ensure(k > 0, Status::K, "k")?;
    ensure(n > 0 && n <= k, Status::K, "n")?;
    let lists = lists(hits, found, k, n)?;
    ensure(lists.clone().flatten().all(|hit| (hit.id as usize) < labels.len()), Status::Range, "hits")?;
    ensure(out.len() >= found.len(), Status::Capacity, "out")?;
    ensure(!found.is_empty(), Status::Value, "found")?;
    ensure(labels.iter().all(|label| (-1..=1).contains(label)), Status::Value, "labels")?;
    ensure(labels.contains(&1) && labels.contains(&-1), Status::Value, "labels")?;
    let queries = found.len() as f64;
    let mut fairness = Fairness::default();
    for (list, out) in lists.zip(out) {
        let sum: i64 = list.iter().filter_map(|hit| labels.get(hit.id as usize)).map(|label| i64::from(*label)).sum();
        let bias = sum as f64 / list.len().max(1) as f64;
        *out = bias as f32;
        fairness.mean += bias / queries;
        fairness.mean_abs += bias.abs() / queries;
    }
    Ok(fairness)
}

/// Draws a bank in which every group is equally large: as many rows of each as the smallest has, without replacement, in ascending
/// order. Returns how many were drawn in all.
///
/// `groups`: one number per bank row, 0 for rows that belong to no group (never drawn). `out`: room for the rows drawn; bank rows at
/// most. The same seed draws the same rows everywhere. O(bank rows), 2 KiB of stack.
///
/// # Errors
/// `Range` (more than `u32::MAX` rows), `Capacity` (`out`), `Value` (fewer than two groups).
pub fn balanced_sample(groups: &[u8], seed: u64, out: &mut [u32]) -> Result<usize> {
    ensure(u32::try_from(groups.len()).is_ok(), Status::Range, "groups")?;
    let mut left = [0u32; 256];
    for group in groups {
        left[usize::from(*group)] += 1;
    }
    left[0] = 0;
    let sizes = || left.iter().filter(|size| **size > 0);
    let each = sizes().copied().min().unwrap_or(0);
    let drawn = each as usize * sizes().count();
    ensure(out.len() >= drawn, Status::Capacity, "out")?;
    ensure(sizes().count() > 1, Status::Value, "groups")?;
    // Selection sampling: a row is drawn with the chance (still wanted / still to come) of its group.
    let mut wanted = [0u32; 256];
    wanted.iter_mut().zip(&left).for_each(|(wanted, size)| *wanted = each.min(*size));
    let mut random = Random::new(seed);
    let mut slots = out.iter_mut();
    for (row, group) in (0u32..).zip(groups) {
        let group = usize::from(*group);
        if group == 0 {
            continue;
        }
        if random.below(left[group] as usize) < wanted[group] as usize
            && let Some(slot) = slots.next()
        {
            *slot = row;
            wanted[group] = wanted[group].wrapping_sub(1);
        }
        left[group] = left[group].wrapping_sub(1);
    }
    Ok(drawn)
}

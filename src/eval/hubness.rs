//! How unevenly queries reach the gallery: the k-occurrence and its distribution.
//!
//! Sources: Radovanovic et al., "Hubs in Space", JMLR 2010 (k-occurrence, skewness); Feldbauer et al., 2018 (Robin Hood index).

use super::lists;
use crate::status::{Result, Status, ensure};
use crate::topk::Hit;

/// Adds to each gallery row's k-occurrence: in how many queries' first `n` hits it is. `counts`: one per gallery row, zeroed before
/// the first call. O(queries * n).
///
/// # Errors
/// `K` (k = 0; n = 0 or above k), `Overflow`, `Range` (`found` above k, an id without a count, a count beyond u32), `Capacity` (`hits`).
pub fn count_occurrences(hits: &[Hit], found: &[u32], k: usize, n: usize, counts: &mut [u32]) -> Result<()> {
    ensure(k > 0, Status::K, "k")?;
    ensure(n > 0 && n <= k, Status::K, "n")?;
    let lists = lists(hits, found, k, n)?;
    ensure(lists.clone().flatten().all(|hit| (hit.id as usize) < counts.len()), Status::Range, "hits")?;
    let most = counts.iter().copied().max().unwrap_or(0);
    ensure(u32::try_from(found.len().saturating_add(most as usize)).is_ok(), Status::Range, "counts")?;
    for hit in lists.flatten() {
        if let Some(count) = counts.get_mut(hit.id as usize) {
            *count = count.saturating_add(1);
        }
    }
    Ok(())
}

/// The distribution of k-occurrences over the gallery.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[repr(C)]
pub struct Hubness {
    /// Third standardised moment: 0 for even retrieval, above 1 means hubs. 0 when all counts are equal.
    pub skewness: f64,
    /// Fourth standardised moment less 3. 0 when all counts are equal.
    pub kurtosis: f64,
    /// Share of all hits that would have to move for all rows to have the same count: 0 even, near 1 all hits on few rows.
    pub robin_hood: f64,
    /// Share of rows that no query retrieves.
    pub never: f64,
    /// The greatest count.
    pub maximum: u32,
    /// The first row that has it.
    pub row: u32,
}

/// Summarises k-occurrences: see [`Hubness`]. Population moments (divided by the number of rows). O(rows).
///
/// # Errors
/// `Value`: no counts, or all of them are 0.
pub fn hubness(counts: &[u32]) -> Result<Hubness> {
    let total: u64 = counts.iter().map(|count| u64::from(*count)).sum();
    ensure(total > 0, Status::Value, "counts")?;
    let rows = counts.len() as f64;
    let mean = total as f64 / rows;
    let moments = counts.iter().fold([0f64; 4], |[absolute, second, third, fourth], count| {
        let d = f64::from(*count) - mean;
        [absolute + d.abs(), second + d * d, third + d * d * d, fourth + d * d * d * d]
    });
    let [absolute, second, third, fourth] = moments.map(|sum| sum / rows);
    let maximum = counts.iter().copied().max().unwrap_or(0);
    let spread = second > 0.0;
    Ok(Hubness {
        skewness: if spread { third / (second * libm::sqrt(second)) } else { 0.0 },
        kurtosis: if spread { fourth / (second * second) - 3.0 } else { 0.0 },
        robin_hood: absolute / mean / 2.0,
        never: counts.iter().filter(|count| **count == 0).count() as f64 / rows,
        maximum,
        row: counts.iter().position(|count| *count == maximum).unwrap_or(0) as u32,
    })
}

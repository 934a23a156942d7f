//! How sure a difference is: the paired bootstrap over queries, and the choice of a correction that does no harm.
//!
//! Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993 (percentile interval, paired differences).

use super::ranks::{is_hit, nth};
use crate::status::{Result, Status, ensure};

/// A gain in recall and its confidence interval.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[repr(C)]
pub struct Interval {
    /// Recall after minus recall before, on all queries.
    pub gain: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// A reproducible stream of numbers: splitmix64.
pub(super) struct Random(pub u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ z >> 31
    }

    /// In 0..n, n > 0: each within one part in 2^32 of equally likely for n up to 2^32.
    pub(super) fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }
}

/// Paired bootstrap of the difference in recall at k between two runs over the same queries.
///
/// `before`, `after`: the ranks of the same queries ([`ranks`](super::ranks()) or [`best_ranks`](super::best_ranks)). Each of the resamples
/// draws as many queries, with replacement, and takes the difference on them; the interval holds the middle `confidence` of these
/// differences. The same seed gives the same interval everywhere. `work`: one u32 per resample, 1,000 at least for an interval of 95
/// per cent. O(resamples * queries).
///
/// # Errors
/// `K` (k = 0), `Range` (`after` is not as long as `before`, or 2^31 queries), `Capacity` (no `work`), `Value` (no ranks; `confidence` not between 0
/// and 1).
pub fn bootstrap(before: &[u32], after: &[u32], k: usize, confidence: f64, seed: u64, work: &mut [u32]) -> Result<Interval> {
    ensure(k > 0, Status::K, "k")?;
    // Shifted differences reach twice the queries.
    let fits = u32::try_from(before.len().saturating_mul(2)).is_ok();
    ensure(after.len() == before.len() && fits, Status::Range, "after")?;
    ensure(!work.is_empty(), Status::Capacity, "work")?;
    ensure(!before.is_empty(), Status::Value, "before")?;
    ensure(confidence > 0.0 && confidence < 1.0, Status::Value, "confidence")?;
    let queries = before.len();
    let change = |q: usize| {
        let hit = |ranks: &[u32]| ranks.get(q).is_some_and(|rank| is_hit(*rank, k));
        i64::from(hit(after)) - i64::from(hit(before))
    };
    let gain: i64 = (0..queries).map(change).sum();
    let mut random = Random(seed);
    // Differences are kept shifted by the number of queries, so that none is negative.
    let share = |shifted: u32| (f64::from(shifted) - queries as f64) / queries as f64;
    for difference in work.iter_mut() {
        let sum: i64 = (0..queries).map(|_| change(random.below(queries))).sum();
        *difference = (sum + queries as i64) as u32;
    }
    let outside = ((1.0 - confidence) / 2.0 * work.len() as f64) as usize;
    let low = share(nth(work, outside));
    let high = share(nth(work, (work.len() - 1).saturating_sub(outside)));
    Ok(Interval { gain: gain as f64 / queries as f64, low, high })
}

/// What [`choose`] proposes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice {
    /// The bias with the best recall; `None`: no correction, because the interval of its gain does not exclude 0.
    pub bias: Option<usize>,
    /// The bias with the best recall on these queries, proposed or not.
    pub best: usize,
    /// Its gain over plain search.
    pub gain: Interval,
}

/// Chooses among biases by recall at k on held-out queries, and proposes none unless it is sure to help: the paired interval of the
/// best one's gain over plain search has to lie above 0.
///
/// `ranks`: those of [`ranks`](super::ranks()), plain first; of equally good biases the first is taken, so list the mildest first. The
/// winner among many looks a little better than it is: judge it on queries that took no part in the choice. `work`, `confidence`,
/// `seed`: as in [`bootstrap`].
///
/// # Errors
/// As [`bootstrap`], and `Range` (`ranks` is no multiple of the queries, or holds no bias).
pub fn choose(ranks: &[u32], queries: usize, k: usize, confidence: f64, seed: u64, work: &mut [u32]) -> Result<Choice> {
    ensure(k > 0, Status::K, "k")?;
    let biases = ranks.len().checked_div(queries).unwrap_or(0).saturating_sub(1);
    ensure(queries == 0 || (biases > 0 && ranks.len().is_multiple_of(queries)), Status::Range, "ranks")?;
    let of = |run: usize| ranks.get(run.wrapping_mul(queries)..).and_then(|r| r.get(..queries)).unwrap_or_default();
    let hits = |run: usize| of(run).iter().filter(|rank| is_hit(**rank, k)).count();
    let (best, _) = (1..biases + 1).fold((1, 0), |(best, most), run| {
        let hits = hits(run);
        if hits > most || run == 1 { (run, hits) } else { (best, most) }
    });
    let gain = bootstrap(of(0), of(best), k, confidence, seed, work)?;
    Ok(Choice { bias: (gain.low > 0.0).then_some(best - 1), best: best - 1, gain })
}

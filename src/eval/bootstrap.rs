//! How sure a difference is: the paired bootstrap over queries, and the choice of a correction that does no harm.
//!
//! Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993 (percentile interval, paired differences).

use super::ranks::{is_hit, nth};
use crate::random::Random;
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
    let mut random = Random::new(seed);
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
    /// The bias with the best recall; `None`: no correction, because its gain may be chance.
    pub bias: Option<usize>,
    /// The bias with the best recall on these queries, proposed or not.
    pub best: usize,
    /// Its gain over plain search.
    pub gain: Interval,
}

/// Chooses among biases by recall at k on held-out queries, and proposes none unless it is sure to help.
///
/// The best of many biases gains something by chance alone, and a poor bank may leave no more than that. So the winner has to pass two
/// tests: the paired interval of its gain over plain search lies above 0, and its gain in standard deviations, `(won - lost) /
/// sqrt(won + lost)` queries, is reached by the *largest* of all biases in fewer than `1 - confidence` of the cases in which a correction
/// is as likely to lose a query as to win it; so where nothing helps, something is proposed in at most that share of all data sets. These
/// cases are sign flips: for each query, plain and corrected are swapped in
/// all runs together at random, which keeps how the biases resemble each other. With two `work` numbers per flip, fewer than
/// `2 / (1 - confidence)` of them propose nothing.
///
/// `ranks`: those of [`ranks`](super::ranks()), plain first; of equally good biases the first is taken, so list the mildest first, as
/// [`Neighbors::grid`](crate::Neighbors::grid) does. The interval is that of the winner and looks a little better than it is: judge it
/// on queries that took no part in the choice. `work`, `confidence`, `seed`: as in [`bootstrap`].
/// O(biases * queries * (1 + work / 64)).
///
/// Source: Westfall and Young, "Resampling-Based Multiple Testing", 1993 (the largest statistic under joint sign flips).
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
    let runs = (1..biases + 1).map(of);
    let sure = gain.low > 0.0 && luck(of(0), runs, of(best), k, seed, work) < 1.0 - confidence;
    Ok(Choice { bias: sure.then_some(best - 1), best: best - 1, gain })
}

/// How often one of the `runs` gains as many standard deviations over `plain` as `best` when the signs of each query's changes are
/// flipped at random, in all runs together.
fn luck<'a>(plain: &[u32], runs: impl Iterator<Item = &'a [u32]>, best: &[u32], k: usize, seed: u64, work: &mut [u32]) -> f64 {
    let flips = work.len() / 2;
    let (sums, largest) = work.split_at_mut(flips);
    let words = plain.len().div_ceil(64);
    // Sums are kept shifted by the number of queries, so that none is negative: 2^32 - 1 at most, as `bootstrap` has checked.
    let shift = plain.len() as u32;
    largest.fill(0);
    for run in runs {
        sums.fill(shift);
        let mut changed = 0;
        for (word, [won, lost]) in changes(plain, run, k).enumerate() {
            changed += (won | lost).count_ones();
            if won | lost == 0 {
                continue;
            }
            // Flip `f` takes numbers f * words.. of the stream, for every run the same.
            for (flip, sum) in sums.iter_mut().enumerate() {
                let signs = Random::at(!seed, (flip * words + word) as u64).next();
                let up = (won & signs | lost & !signs).count_ones();
                let down = (won & !signs | lost & signs).count_ones();
                *sum = sum.wrapping_add(up).wrapping_sub(down);
            }
        }
        for (largest, sum) in largest.iter_mut().zip(&*sums) {
            *largest = (*largest).max(deviations(i64::from(*sum) - i64::from(shift), changed));
        }
    }
    let (won, lost) = changes(plain, best, k).fold((0, 0), |(won, lost), [w, l]| (won + w.count_ones(), lost + l.count_ones()));
    let observed = deviations(i64::from(won) - i64::from(lost), won + lost);
    let reached = largest.iter().take(flips).filter(|largest| **largest >= observed).count();
    // What was observed is one of the flips (Phipson and Smyth, 2010).
    (reached + 1) as f64 / (flips + 1) as f64
}

/// Queries won and lost by a run, 64 in a word.
fn changes(plain: &[u32], run: &[u32], k: usize) -> impl Iterator<Item = [u64; 2]> {
    plain.chunks(64).zip(run.chunks(64)).map(move |(plain, run)| {
        let (mut won, mut lost) = (0u64, 0u64);
        for (bit, (plain, run)) in plain.iter().zip(run).enumerate() {
            let (before, after) = (is_hit(*plain, k), is_hit(*run, k));
            won |= u64::from(after && !before) << bit;
            lost |= u64::from(before && !after) << bit;
        }
        [won, lost]
    })
}

/// A gain in standard deviations of as many coin tosses, as the bits of an f32, which ascend with it; 0 for a loss.
fn deviations(gained: i64, changed: u32) -> u32 {
    if gained <= 0 {
        return 0;
    }
    ((gained as f64 / libm::sqrt(f64::from(changed))) as f32).to_bits()
}

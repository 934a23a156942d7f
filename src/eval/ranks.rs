//! Ranks of the right answers, and what is made of them: recall and the median rank.

use super::lists;
use crate::cpu::{self, Supported};
use crate::dot::ensure_finite;
use crate::kernel::{self, Span};
use crate::matrix::{Element, Matrix};
use crate::shortlist::from_key;
use crate::status::{Result, Status, ensure};
use crate::topk::Hit;
use core::num::NonZeroUsize;

/// The rank of an answer that is not among the hits, or whose score is not finite.
pub const NOT_RANKED: u32 = u32::MAX;

/// The right answers of each query: query `q` has the gallery rows `ids[offsets[q]..offsets[q + 1]]`, one or more.
///
/// A part of the queries has a part of the offsets, with the same ids.
#[derive(Clone, Copy, Debug)]
pub struct Positives<'a> {
    offsets: &'a [usize],
    ids: &'a [u32],
}

impl<'a> Positives<'a> {
    /// Of as many queries as there are offsets, less one.
    ///
    /// # Errors
    /// `Range` (offsets descend or end past the ids), `Capacity` (no offset), `Value` (a query without an answer).
    pub fn new(offsets: &'a [usize], ids: &'a [u32]) -> Result<Self> {
        let positives = Self::shaped(offsets, ids)?;
        positives.check_values()?;
        Ok(positives)
    }

    /// As [`new`](Self::new), but that `Value` is left to the function that takes them: other errors come before it.
    pub(crate) fn shaped(offsets: &'a [usize], ids: &'a [u32]) -> Result<Self> {
        let pairs = || offsets.iter().zip(offsets.iter().skip(1));
        let ends = offsets.last().is_none_or(|end| *end <= ids.len());
        ensure(ends && pairs().all(|(from, to)| from <= to), Status::Range, "offsets")?;
        ensure(!offsets.is_empty(), Status::Capacity, "offsets")?;
        Ok(Positives { offsets, ids })
    }

    pub(crate) fn check_values(&self) -> Result<()> {
        let mut pairs = self.offsets.iter().zip(self.offsets.iter().skip(1));
        ensure(pairs.all(|(from, to)| from < to), Status::Value, "offsets")
    }

    /// Number of queries.
    pub fn queries(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// The answers of a query; none past the last.
    pub fn of(&self, query: usize) -> &'a [u32] {
        let end = query.checked_add(1).and_then(|next| self.offsets.get(next));
        let (Some(&from), Some(&to)) = (self.offsets.get(query), end) else { return &[] };
        self.ids.get(from..to).unwrap_or_default()
    }

    /// Whether all answers are rows of such a gallery.
    pub(crate) fn inside(&self, rows: usize) -> bool {
        (0..self.queries()).all(|q| self.of(q).iter().all(|id| (*id as usize) < rows))
    }
}

/// The rank of each query's best answer among its hits, from 1; [`NOT_RANKED`] when none is there. O(hits * answers).
///
/// # Errors
/// `K` (k = 0), `Overflow`, `Range` (as many answers as `found`, each at most k), `Capacity` (`hits`, `out`).
pub fn best_ranks(hits: &[Hit], found: &[u32], k: usize, positives: &Positives, out: &mut [u32]) -> Result<()> {
    ensure(k > 0, Status::K, "k")?;
    let lists = lists(hits, found, k, k)?;
    ensure(positives.queries() == found.len(), Status::Range, "positives")?;
    ensure(out.len() >= found.len(), Status::Capacity, "out")?;
    positives.check_values()?;
    for (q, (list, out)) in lists.zip(out).enumerate() {
        let answers = positives.of(q);
        let at = list.iter().position(|hit| answers.contains(&hit.id));
        *out = at.map_or(NOT_RANKED, |at| at as u32 + 1);
    }
    Ok(())
}

/// Recall at k: the share of queries whose best answer has a rank of at most k.
///
/// # Errors
/// `K` (k = 0), `Value` (no ranks).
pub fn recall(ranks: &[u32], k: usize) -> Result<f64> {
    ensure(k > 0, Status::K, "k")?;
    ensure(!ranks.is_empty(), Status::Value, "ranks")?;
    let hits = ranks.iter().filter(|rank| is_hit(**rank, k)).count();
    Ok(hits as f64 / ranks.len() as f64)
}

pub(super) fn is_hit(rank: u32, k: usize) -> bool {
    rank != NOT_RANKED && rank as usize <= k
}

/// The median of ranks, the mean of the two in the middle when they are even in number; infinite when the middle is not ranked.
/// O(32 * ranks), no memory.
///
/// # Errors
/// `Value` (no ranks).
pub fn median_rank(ranks: &[u32]) -> Result<f64> {
    ensure(!ranks.is_empty(), Status::Value, "ranks")?;
    let value = |at: usize| match nth(ranks, at) {
        NOT_RANKED => f64::INFINITY,
        rank => f64::from(rank),
    };
    let half = ranks.len() / 2;
    Ok(if ranks.len().is_multiple_of(2) { (value(half - 1) + value(half)) / 2.0 } else { value(half) })
}

/// The n-th smallest, from 0, by bisection over the values.
pub(super) fn nth(values: &[u32], n: usize) -> u32 {
    let (mut least, mut most) = (0u32, u32::MAX);
    while least < most {
        let middle = least + (most - least) / 2;
        if values.iter().filter(|value| **value <= middle).count() > n {
            most = middle;
        } else {
            least = middle + 1;
        }
    }
    least
}

/// Gallery rows whose scores are looked at together.
const CHUNK: usize = 256;
/// Queries that pass over a chunk together.
const QUERIES: usize = 16;

/// Recommended bytes of scratch of [`ranks`] for that many biases: 16 KiB and 128 (1 + biases). The least is a sixteenth: slower.
pub fn ranks_scratch(biases: usize) -> usize {
    biases.saturating_add(1).saturating_mul(8).saturating_add(4 * CHUNK).saturating_mul(QUERIES).saturating_add(64)
}

/// The least scratch of [`ranks`].
pub(crate) fn ranks_scratch_min(biases: usize) -> usize {
    (ranks_scratch(biases).saturating_sub(64) / QUERIES).saturating_add(8)
}

/// The exact rank of each query's best answer in the whole gallery, by plain scores and by each of several biases, from 1.
///
/// `biases`: any number of them, one after the other, each one f32 per gallery row: those of a grid of parameters
/// ([`Neighbors::grid`](crate::Neighbors::grid)), or of several methods. The plain rank of query `q` goes to `out[q]`, that with bias
/// `b` to `out[(1 + b) * queries + q]`: just that which [`search`](crate::search()) would give it. All biases share the dots of one
/// search, so a grid of a hundred costs little more than one; a part of the queries with its part of the positives is as good as all.
///
/// O(queries * rows * (dim + biases)). `scratch`: [`ranks_scratch`].
///
/// # Errors
/// `Dim`, `Overflow`, `Range` (not as many positives as queries, an answer that is no gallery row, biases that are no multiple of the
/// rows), `Capacity` (`scratch`, `out`), `Value` (NaN or infinity in queries or biases).
pub fn ranks<T: Element>(
    queries: &Matrix<T>,
    gallery: &Matrix<T>,
    biases: &[f32],
    positives: &Positives,
    scratch: &mut [u8],
    out: &mut [u32],
) -> Result<()> {
    ensure(queries.dim() == gallery.dim(), Status::Dim, "gallery")?;
    let rows = gallery.rows();
    let candidates = biases.len().checked_div(rows).unwrap_or(0);
    let total = queries.rows().checked_mul(candidates + 1);
    ensure(total.is_some(), Status::Overflow, "queries")?;
    ensure(candidates * rows == biases.len(), Status::Range, "biases")?;
    ensure(positives.queries() == queries.rows() && positives.inside(rows), Status::Range, "positives")?;
    ensure(scratch.len() >= ranks_scratch_min(candidates), Status::Capacity, "scratch")?;
    ensure(total.is_some_and(|total| out.len() >= total), Status::Capacity, "out")?;
    let isa = cpu::active();
    ensure_finite(isa, queries, Span::new(0, queries.rows()), "queries")?;
    ensure(kernel::max_abs_bits(isa, biases) < f32::INFINITY.to_bits(), Status::Value, "biases")?;
    positives.check_values()?;

    let runs = NonZeroUsize::MIN.saturating_add(candidates).get();
    let query_bytes = NonZeroUsize::MIN.saturating_add(ranks_scratch_min(candidates).saturating_sub(9));
    let block = (scratch.len().saturating_sub(8) / query_bytes).clamp(1, QUERIES);
    let words = kernel::u32_part(scratch);
    let (scores, words) = words.split_at_mut_checked(block * CHUNK).unwrap_or_default();
    let scores = kernel::as_f32_mut(scores);
    let (values, ids) = words.split_at_mut_checked(block * runs).unwrap_or_default();
    let ids = ids.get_mut(..block * runs).unwrap_or_default();
    let values = kernel::as_f32_mut(values);
    let bias_of = |candidate: usize| match candidate.checked_sub(1) {
        Some(at) => biases.get(at.wrapping_mul(rows)..).and_then(|b| b.get(..rows)),
        None => None,
    };

    let mut q = 0;
    while q < queries.rows() {
        let group = Span::new(q, block.min(queries.rows() - q));
        // The best answer of each query by each run: nothing is better than one that is not ranked.
        values.fill(f32::INFINITY);
        ids.fill(NOT_RANKED);
        for i in 0..group.count {
            for &id in positives.of(q + i) {
                let mut score = [0f32];
                T::grid(isa, queries, Span::new(q + i, 1), gallery, Span::new(id as usize, 1), &mut score, 1);
                let best = values.iter_mut().zip(ids.iter_mut()).skip(i).step_by(block);
                for (c, (value, best)) in best.enumerate() {
                    let bias = bias_of(c).and_then(|b| b.get(id as usize).copied());
                    let score = bias.map_or(score[0], |bias| score[0] - bias);
                    if score.is_finite() && (*best == NOT_RANKED || score > *value || (score == *value && id < *best)) {
                        (*value, *best) = (score, id);
                    }
                }
            }
        }
        for (c, ids) in ids.chunks_exact(block).enumerate() {
            let ranks = out.get_mut(c * queries.rows() + q..).unwrap_or_default();
            for (rank, id) in ranks.iter_mut().zip(ids).take(group.count) {
                *rank = if *id == NOT_RANKED { NOT_RANKED } else { 1 };
            }
        }
        let mut first = 0;
        while first < rows {
            let chunk = Span::new(first, CHUNK.min(rows - first));
            grid(isa, queries, group, gallery, chunk, scores);
            let mut greatest = [f32::NAN; QUERIES];
            for (greatest, scores) in greatest.iter_mut().zip(scores.chunks_exact(CHUNK)).take(group.count) {
                *greatest = from_key(kernel::min_max(isa, scores.get(..chunk.count).unwrap_or_default()).1);
            }
            // A bias stays in the first cache level while all queries pass over it.
            // (Two chunked slices in one zip would divide by their size, which a build for size does not see to be above 0.)
            for (c, values) in values.chunks_exact(block).enumerate() {
                let ids = ids.get(c * block..).unwrap_or_default();
                let bias = bias_of(c).and_then(|b| b.get(first..)?.get(..chunk.count));
                let least = bias.map_or(0.0, |bias| from_key(kernel::min_max(isa, bias).0));
                let ranks = out.get_mut(c * queries.rows() + q..).unwrap_or_default();
                let runs = ranks.iter_mut().take(group.count).zip(scores.chunks_exact(CHUNK)).zip(&greatest);
                for (((rank, scores), greatest), (value, id)) in runs.zip(values.iter().zip(ids)) {
                    // Mostly the best score of the chunk would not be good enough with its least bias. (Of NaN that is not known.)
                    if greatest - least < *value || *id == NOT_RANKED {
                        continue;
                    }
                    let scores = scores.get(..chunk.count).unwrap_or_default();
                    *rank += better(isa, scores, bias, *value, (*id as usize).saturating_sub(first)) as u32;
                }
            }
            first += chunk.count;
        }
        q += group.count;
    }
    Ok(())
}

/// How many of the scores, less their biases, rank before an answer of such a value: of those before `own`, its place, also equal ones.
fn better(isa: Supported, scores: &[f32], bias: Option<&[f32]>, value: f32, own: usize) -> usize {
    let own = own.min(scores.len());
    let (low, high) = scores.split_at_checked(own).unwrap_or_default();
    let (low_bias, high_bias) = bias.and_then(|b| b.split_at_checked(own)).unzip();
    let count = |scores: &[f32], bias, value| if scores.is_empty() { 0 } else { kernel::count_better(isa, scores, bias, value) };
    count(low, low_bias, value.next_down()) + count(high, high_bias, value)
}

/// Scores of a chunk, a strip of rows at a time as in `search`.
fn grid<T: Element>(isa: Supported, queries: &Matrix<T>, group: Span, gallery: &Matrix<T>, chunk: Span, scores: &mut [f32]) {
    let mut done = 0;
    while done < chunk.count {
        let strip = Span::new(chunk.first + done, kernel::STRIP.min(chunk.count - done));
        T::grid(isa, queries, group, gallery, strip, scores.get_mut(done..).unwrap_or_default(), CHUNK);
        done += strip.count;
    }
}

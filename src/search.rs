//! Serving: the k best rows by score minus bias, merging hits of shards, reranking hits of another engine.
#![forbid(unsafe_code)]

use crate::blocks::{BLOCK_ROWS, Strip, allowed, block_rows, blocks, strips};
use crate::cpu::{self, MICROCONTROLLER, Supported};
use crate::dot::{ensure_finite, row_span};
use crate::kernel::{self, STRIP, Span};
use crate::matrix::{Element, Matrix};
use crate::status::{Result, Status, ensure};
use crate::topk::{Hit, merge_batch, sort_batch};
use core::cmp::Ordering;
use core::num::NonZeroUsize;
use core::ops::Range;

/// Queries whose scores with a block of rows are kept at once.
const QUERY_BLOCK: usize = 16;

/// Newcomers of a strip that are sorted and merged together.
const BATCH: usize = if MICROCONTROLLER { 8 } else { STRIP };

/// Recommended bytes of scratch of [`search`]: at most 16,384 + 64. With less, down to none, fewer queries and rows go together: the
/// same hits, slower.
pub fn search_scratch(queries: usize, k: usize, dim: usize) -> usize {
    let _ = (k, dim); // the scores of a block of queries are all that is kept, whatever k and dim
    queries.min(QUERY_BLOCK) * BLOCK_ROWS * 4 + 64 * usize::from(queries > 0)
}

/// The `k` rows of a range with the largest `<query, row> - bias[row]` for each query, best first.
///
/// `bias`: one f32 per gallery row, or `None` for plain scores. `allow`: one bit per gallery row (bit `r % 64` of word `r / 64`), or
/// `None` for all rows; a filter, or the tombstones of removed rows. Hits of query `q` start at `hits[q * k]`; `found[q]` is how many
/// there are: min(k, allowed rows of the range with a finite score); what lies past them is not touched.
///
/// O(queries * rows * dim). Memory: `scratch` of [`search_scratch`] bytes or less, and 1 KiB of stack (microcontrollers: 512 bytes).
///
/// # Errors
/// `Dim`, `K` (k = 0), `Overflow`, `Range`, `Capacity` (`bias`, `allow`, `hits`, `found`), `Value` (NaN or infinity in queries or
/// the range's biases). The gallery's values are not checked: a row whose score is not finite is no hit.
#[allow(clippy::too_many_arguments)] // the C signature, argument for argument
pub fn search<T: Element>(
    queries: &Matrix<T>,
    gallery: &Matrix<T>,
    bias: Option<&[f32]>,
    allow: Option<&[u64]>,
    k: usize,
    rows: Range<usize>,
    scratch: &mut [u8],
    hits: &mut [Hit],
    found: &mut [u32],
) -> Result<()> {
    let isa = cpu::active();
    let span = check_shape(queries, gallery, bias, allow, k, &rows, hits, found)?;
    check_values(isa, queries, bias, &rows)?;

    found.get_mut(..queries.rows()).unwrap_or_default().fill(0);
    scan(isa, queries, gallery, span, allow, scratch, |q, block, scores| {
        let Some((best, count)) = list_of(hits, found, q, k) else { return };
        let bias = bias.and_then(|b| b.get(block.first..)?.get(..block.count));
        if kernel::debias(isa, scores, bias, threshold(best, *count)) {
            add_block(isa, best, count, block, scores, allow);
        }
    });
    Ok(())
}

/// The hits of query `q`, and their number.
pub(crate) fn list_of<'a>(hits: &'a mut [Hit], found: &'a mut [u32], q: usize, k: usize) -> Option<(&'a mut [Hit], &'a mut u32)> {
    Some((hits.get_mut(q.wrapping_mul(k)..)?.get_mut(..k)?, found.get_mut(q)?))
}

/// Computes the scores of all queries with the blocks of a range that hold an allowed row, and gives them away, a query and a block
/// at a time, blocks ascending.
pub(crate) fn scan<T: Element>(
    isa: Supported,
    queries: &Matrix<T>,
    gallery: &Matrix<T>,
    span: Span,
    allow: Option<&[u64]>,
    scratch: &mut [u8],
    mut give: impl FnMut(usize, Span, &mut [f32]),
) {
    if MICROCONTROLLER {
        // Memory is flash, and there is no cache: nothing is gained by queries that go together.
        let mut own = [0f32; STRIP];
        let (mut first, end) = (span.first, span.first + span.count);
        while first < end {
            let rows = Span::new(first, (STRIP - first % STRIP).min(end - first));
            first += rows.count;
            for q in 0..queries.rows() {
                let scores = own.get_mut(..rows.count).unwrap_or_default();
                T::grid(isa, queries, Span::new(q, 1), gallery, rows, scores, STRIP);
                give(q, rows, scores);
            }
        }
        return;
    }
    let mut own = [0f32; STRIP];
    let scores = kernel::f32_part(scratch);
    let scores = if scores.len() < STRIP { &mut own } else { scores };
    let share = scores.len() / queries.rows().clamp(1, QUERY_BLOCK);
    let block_rows = NonZeroUsize::MIN.saturating_add(block_rows(size_of::<T>() * gallery.dim(), share.max(STRIP)) - 1);
    let query_block = NonZeroUsize::MIN.saturating_add((scores.len() / block_rows).clamp(1, QUERY_BLOCK) - 1);
    for block in blocks(span, block_rows.get(), allow) {
        let mut q = 0;
        while q < queries.rows() {
            // Groups of nearly equal size.
            let left = queries.rows() - q;
            let groups = NonZeroUsize::MIN.saturating_add((left - 1) / query_block);
            let group = Span::new(q, (left - 1) / groups + 1);
            T::grid(isa, queries, group, gallery, block, scores, block_rows.get());
            for (i, scores) in scores.chunks_exact_mut(block_rows.get()).take(group.count).enumerate() {
                give(q + i, block, scores.get_mut(..block.count).unwrap_or_default());
            }
            q += group.count;
        }
    }
}

/// Adds the allowed scores of a block to a query's hits.
pub(crate) fn add_block(isa: Supported, best: &mut [Hit], count: &mut u32, block: Span, scores: &[f32], allow: Option<&[u64]>) {
    if MICROCONTROLLER {
        return add_scores(isa, best, count, scores, block.first, allowed(block, allow));
    }
    for Strip { rows, allowed } in strips(block, allow) {
        let scores = scores.get(rows.first - block.first..).and_then(|s| s.get(..rows.count)).unwrap_or_default();
        add_scores(isa, best, count, scores, rows.first, allowed);
    }
}

/// The checks of a search but those of values, in the documented order.
#[allow(clippy::too_many_arguments)] // those of the search
pub(crate) fn check_shape<T: Element>(
    queries: &Matrix<T>,
    gallery: &Matrix<T>,
    bias: Option<&[f32]>,
    allow: Option<&[u64]>,
    k: usize,
    rows: &Range<usize>,
    hits: &[Hit],
    found: &[u32],
) -> Result<Span> {
    ensure(queries.dim() == gallery.dim(), Status::Dim, "gallery")?;
    ensure(k > 0, Status::K, "k")?;
    let total = queries.rows().checked_mul(k);
    ensure(total.is_some(), Status::Overflow, "k")?;
    let span = row_span(rows, gallery.rows())?;
    ensure(bias.is_none_or(|b| b.len() >= gallery.rows()), Status::Capacity, "bias")?;
    ensure(allow.is_none_or(|a| a.len() >= gallery.rows().div_ceil(64)), Status::Capacity, "allow")?;
    ensure(total.is_some_and(|total| hits.len() >= total), Status::Capacity, "hits")?;
    ensure(found.len() >= queries.rows(), Status::Capacity, "found")?;
    Ok(span)
}

/// The last of them: `Value`, of the queries and of the biases of a range.
pub(crate) fn check_values<T: Element>(
    isa: Supported,
    queries: &Matrix<T>,
    bias: Option<&[f32]>,
    rows: &Range<usize>,
) -> Result<()> {
    ensure_finite(isa, queries, Span::new(0, queries.rows()), "queries")?;
    let biases = bias.and_then(|b| b.get(rows.clone())).unwrap_or(&[]);
    ensure(kernel::max_abs_bits(isa, biases) < f32::INFINITY.to_bits(), Status::Value, "bias")
}

/// What a score must be greater than to be among the best.
fn threshold(best: &[Hit], count: u32) -> f32 {
    if count as usize == best.len() { best.last().map_or(f32::INFINITY, |hit| hit.score) } else { f32::NEG_INFINITY }
}

/// Adds the allowed scores of the rows `first..` to a query's hits. Rows ascend from call to call, so of equal scores the one that
/// is held already has the lower id, and only a greater score beats the threshold.
fn add_scores(isa: Supported, best: &mut [Hit], count: &mut u32, scores: &[f32], first: usize, allowed: u64) {
    let held = *count as usize;
    let mut mask = kernel::above(isa, scores, threshold(best, *count)) & allowed;
    if mask == 0 {
        return;
    }
    let mut held = held;
    while mask != 0 {
        let mut batch = [Hit { score: 0.0, id: 0 }; BATCH];
        let mut len = 0;
        while mask != 0 && len < BATCH {
            let at = mask.trailing_zeros() as usize;
            mask &= mask - 1;
            if let (Some(&score), Some(slot)) = (scores.get(at), batch.get_mut(len))
                && score < f32::INFINITY
            {
                // One zero: -0 becomes +0, so that equal scores have equal bits.
                *slot = Hit { score: score + 0.0, id: (first + at) as u32 };
                len += 1;
            }
        }
        let batch = batch.get_mut(..len).unwrap_or_default();
        sort_batch(batch);
        held = merge_batch(best, held, batch);
    }
    *count = held as u32;
}

/// Merges `b` into `a`: the `k` best of both in the order of hits. `a` holds `a_len` hits and has room for `k`; ids of shards have
/// been made absolute by the caller and are disjoint. O(k + b). Associative and commutative: any order of merging gives the same.
///
/// # Errors
/// `K` (k = 0), `Capacity` (`a` shorter than k), `Range` (`a_len` above k, or a result above 2^32 - 1), `Value` (a list is not in hit order, or holds NaN).
pub fn merge_hits(a: &mut [Hit], a_len: &mut u32, b: &[Hit], k: usize) -> Result<()> {
    ensure(k > 0, Status::K, "k")?;
    ensure(*a_len as usize <= k, Status::Range, "a_len")?;
    ensure(u32::try_from(k.min(b.len().saturating_add(*a_len as usize))).is_ok(), Status::Range, "b")?;
    ensure(a.len() >= k, Status::Capacity, "a")?;
    let best = a.get_mut(..k).unwrap_or_default();
    ensure(in_order(best.get(..*a_len as usize).unwrap_or_default()), Status::Value, "a")?;
    ensure(in_order(b), Status::Value, "b")?;
    *a_len = merge_batch(best, *a_len as usize, b) as u32;
    Ok(())
}

fn in_order(hits: &[Hit]) -> bool {
    hits.iter().all(|hit| hit.score.is_finite()) && hits.is_sorted_by(|a, b| a.order(b) != Ordering::Greater)
}

/// Debiases hits of another engine: the `k` best of `candidates` by `score - bias[id]`, best first, to `hits`; `found` is how many.
///
/// Candidates are in any order; their scores are raw similarities; duplicates stay. A candidate whose debiased score is not finite
/// is no hit. O(len * k) at worst, O(len) for candidates that mostly do not rank.
///
/// # Errors
/// `K` (k = 0), `Range` (an id outside of `bias`, a result above 2^32 - 1), `Capacity` (`hits` shorter than min(k, candidates)), `Value` (NaN or infinity in
/// a candidate's score or its bias).
pub fn rerank(candidates: &[Hit], bias: &[f32], k: usize, hits: &mut [Hit], found: &mut u32) -> Result<()> {
    ensure(k > 0, Status::K, "k")?;
    ensure(candidates.iter().all(|hit| (hit.id as usize) < bias.len()), Status::Range, "candidates")?;
    let room = k.min(candidates.len());
    ensure(u32::try_from(room).is_ok(), Status::Range, "k")?;
    ensure(hits.len() >= room, Status::Capacity, "hits")?;
    ensure(candidates.iter().all(|hit| hit.score.is_finite()), Status::Value, "candidates")?;
    let bias_of = |hit: &Hit| bias.get(hit.id as usize).copied().unwrap_or(0.0);
    ensure(candidates.iter().all(|hit| bias_of(hit).is_finite()), Status::Value, "bias")?;

    let best = hits.get_mut(..room).unwrap_or_default();
    let mut count = 0;
    for candidate in candidates {
        let hit = Hit { score: candidate.score - bias_of(candidate) + 0.0, id: candidate.id };
        if hit.score.is_finite() {
            count = merge_batch(best, count, &[hit]);
        }
    }
    *found = count as u32;
    Ok(())
}

/// [`rerank`] of the best `candidates.len()` rows of a gallery by plain score, which also tells whether the hits are those of a search of
/// the whole gallery: then the result is 0, else how many candidates to ask the engine for next (twice as many, at most all).
///
/// Candidates: the exact best rows of an index over all `bias.len()` rows, each id once, in any order. `bias_min`: at most every bias
/// (their least, or that with room for rows to come). O(len * min(k, len)) at worst.
///
/// The proof: a row that is no candidate has a score of at most the least candidate's, s, and a bias of at least `bias_min`. Rounding is
/// monotone, so its debiased score is at most `s - bias_min`, rounded. If the k-th hit is strictly above that, the row neither beats nor
/// ties it. All rows are always proved. Of an approximate index' answer the certificate covers the rows that score at most s: it says
/// nothing about better rows that the index missed. "Score" is the engine's: its own rounding is not part of the proof.
///
/// ```
/// use nnn::Hit;
/// let bias = [0.5, 0.0, 0.25, 0.25];
/// let (mut hits, mut found) = ([Hit { score: 0.0, id: 0 }; 1], 0);
/// let mut best = vec![Hit { score: 0.9, id: 0 }, Hit { score: 0.875, id: 2 }];
/// assert_eq!(nnn::rerank_certified(&best, &bias, 0.0, 1, &mut hits, &mut found), Ok(4)); // row 1 or 3 may have up to 0.875
/// best.extend([Hit { score: 0.75, id: 1 }, Hit { score: 0.5, id: 3 }]);
/// assert_eq!(nnn::rerank_certified(&best, &bias, 0.0, 1, &mut hits, &mut found), Ok(0));
/// assert_eq!(hits, [Hit { score: 0.75, id: 1 }]);
/// ```
///
/// # Errors
/// Those of [`rerank`], `Range` also for more candidates than rows, and `Value` when a candidate's bias is below `bias_min` or that is
/// not finite.
pub fn rerank_certified(
    candidates: &[Hit],
    bias: &[f32],
    bias_min: f32,
    k: usize,
    hits: &mut [Hit],
    found: &mut u32,
) -> Result<usize> {
    ensure(k > 0, Status::K, "k")?;
    ensure(candidates.len() <= bias.len(), Status::Range, "candidates")?;
    let below = || candidates.iter().any(|hit| bias.get(hit.id as usize).is_some_and(|b| *b < bias_min));
    // The errors of rerank that come before it.
    let known = candidates.iter().all(|hit| (hit.id as usize) < bias.len());
    let bad = known && hits.len() >= k.min(candidates.len()) && (!bias_min.is_finite() || below());
    ensure(!bad, Status::Value, "bias_min")?;
    rerank(candidates, bias, k, hits, found)?;
    let least = candidates.iter().fold(f32::INFINITY, |least, hit| least.min(hit.score));
    let last = hits.get(k - 1).filter(|_| *found as usize == k);
    let proved = candidates.len() == bias.len() || last.is_some_and(|last| least - bias_min < last.score);
    Ok(if proved { 0 } else { candidates.len().max(k).saturating_mul(2).min(bias.len()) })
}

//! Debiased search in sublinear time: the bias is applied inside the probed lists, so that the ranking of what they hold is exact.

use super::groups::{Groups, coarse_scratch};
use super::lists::{check_offsets, list};
use crate::blocks::{BLOCK_ROWS, block_rows, blocks};
use crate::cpu::{self, Supported};
use crate::dot::ensure_finite;
use crate::kernel::{self, STRIP, Span};
use crate::matrix::{Element, Matrix};
use crate::search::list_of;
use crate::status::{Error, Result, Status, ensure};
use crate::topk::{Hit, bits, merge_batch, sort_batch};

/// Queries whose scores with a block of rows are kept at once.
const QUERY_BLOCK: usize = 16;

/// Words of their scores, and of the biases of the block.
const SCORES: usize = (QUERY_BLOCK + 1) * BLOCK_ROWS;

/// The `k` rows with the largest `<query, row> - bias[row]` among those in the `probes` best lists of each query, best first.
/// `gallery`: the rows in list order ([`coarse_gather`](crate::coarse_gather)), `offsets` and `ids` as
/// [`coarse_lists`](crate::coarse_lists) made them. Hits, `bias` and `allow` are in terms of the original rows. `pairs`: how many pairs
/// of query and row were scored.
///
/// The lists of a query are those with the largest inner product of query and centroid, ties by the lower list, empty ones left out.
/// With `probes` = all lists (or more) the hits have the bits of [`search`](crate::search()).
///
/// O(queries * (lists + probed rows) * dim). Nothing else depends on the size of the gallery: neither its values nor the biases are
/// checked, and a row whose debiased score is not finite is no hit, nor is one whose id has no bias. Memory: [`coarse_scratch`] bytes.
///
/// # Errors
/// `Dim`, `K` (k = 0, no probes), `Overflow`, `Capacity` (`ids`, `bias`, `allow`, `hits`, `found`; `scratch` below that of one row),
/// `Value` (NaN or infinity in queries or centroids; `offsets` are not those of the gallery).
#[allow(clippy::too_many_arguments)] // the C signature, argument for argument
pub fn coarse_search<T: Element>(
    queries: &Matrix<T>,
    gallery: &Matrix<T>,
    centroids: &Matrix<f32>,
    offsets: &[u32],
    ids: &[u32],
    bias: Option<&[f32]>,
    allow: Option<&[u64]>,
    probes: usize,
    k: usize,
    scratch: &mut [u8],
    hits: &mut [Hit],
    found: &mut [u32],
    pairs: &mut u64,
) -> Result<()> {
    const TOO_SMALL: Error = Error { status: Status::Capacity, argument: "scratch" };
    ensure(queries.dim() == gallery.dim(), Status::Dim, "gallery")?;
    ensure(queries.dim() == centroids.dim(), Status::Dim, "centroids")?;
    ensure(probes > 0, Status::K, "probes")?;
    ensure(k > 0, Status::K, "k")?;
    let total = queries.rows().checked_mul(k);
    ensure(total.is_some(), Status::Overflow, "k")?;
    let (lists, rows) = (centroids.rows(), gallery.rows());
    ensure(offsets.len() > lists, Status::Capacity, "offsets")?;
    ensure(ids.len() >= rows, Status::Capacity, "ids")?;
    ensure(bias.is_none_or(|b| b.len() >= rows), Status::Capacity, "bias")?;
    ensure(allow.is_none_or(|a| a.len() >= rows.div_ceil(64)), Status::Capacity, "allow")?;
    ensure(scratch.len() >= coarse_scratch(1, lists, probes, queries.dim()), Status::Capacity, "scratch")?;
    ensure(total.is_some_and(|total| hits.len() >= total), Status::Capacity, "hits")?;
    ensure(found.len() >= queries.rows(), Status::Capacity, "found")?;
    let isa = cpu::active();
    ensure_finite(isa, queries, Span::new(0, queries.rows()), "queries")?;
    ensure_finite(isa, centroids, Span::new(0, lists), "centroids")?;
    check_offsets(offsets, lists, rows)?;

    let mut groups = Groups::new(scratch, queries.rows(), lists, probes, queries.dim()).ok_or(TOO_SMALL)?;
    found.get_mut(..queries.rows()).unwrap_or_default().fill(0);
    let mut scored = 0;
    for chunk in Span::new(0, queries.rows()).parts(groups.rows()) {
        groups.choose(isa, queries, chunk, centroids, offsets).ok_or(TOO_SMALL)?;
        let give = |l: usize, members: &[u32], gathered: &Matrix<T>, work: &mut [u8]| {
            let span = list(offsets, l);
            scored += (span.count * members.len()) as u64;
            let mut own = [0f32; 2 * STRIP];
            let work = kernel::f32_part(work);
            let work = if work.len() < own.len() { &mut own } else { work };
            let most = (work.len() / 2).clamp(STRIP, BLOCK_ROWS);
            let (biases, scores) = work.split_at_mut_checked(most)?;
            for block in blocks(span, block_rows(size_of::<T>() * gallery.dim(), most), None) {
                let ids = ids.get(block.first..)?.get(..block.count)?;
                let biases = biases.get_mut(..block.count)?;
                if let Some(bias) = bias {
                    let bias_of = |id: &u32| bias.get(*id as usize).copied().unwrap_or(f32::NAN);
                    biases.iter_mut().zip(ids).for_each(|(slot, id)| *slot = bias_of(id));
                }
                let biases = bias.map(|_| &*biases);
                let group = (scores.len() / block.count.max(1)).clamp(1, QUERY_BLOCK);
                for (g, members) in members.chunks(group).enumerate() {
                    let span = Span::new(g * group, members.len());
                    T::grid(isa, gathered, span, gallery, block, scores, block.count);
                    for (q, scores) in members.iter().zip(scores.chunks_exact_mut(block.count.max(1))) {
                        let (best, held) = list_of(hits, found, chunk.first + *q as usize, k)?;
                        if kernel::debias(isa, scores, biases, beyond(best, *held)) {
                            add(isa, best, held, scores, ids, allow);
                        }
                    }
                }
            }
            Some(())
        };
        groups.each(queries, chunk, SCORES, give).ok_or(TOO_SMALL)?;
    }
    *pairs = scored;
    Ok(())
}

/// What a score must be greater than to be among the best: a tie with the last may have the lower id.
fn beyond(best: &[Hit], held: u32) -> f32 {
    match best.last() {
        Some(last) if held as usize == best.len() => last.score.next_down(),
        _ => f32::NEG_INFINITY,
    }
}

/// Adds the scores of rows with these ids, in any order, to a query's hits.
fn add(isa: Supported, best: &mut [Hit], held: &mut u32, scores: &[f32], ids: &[u32], allow: Option<&[u64]>) {
    let allowed = |id: u32| allow.is_none_or(|words| words.get(id as usize / 64).is_some_and(|word| word >> (id % 64) & 1 == 1));
    for (scores, ids) in scores.chunks(STRIP).zip(ids.chunks(STRIP)) {
        let mut batch = [Hit { score: 0.0, id: 0 }; STRIP];
        let mut len = 0;
        for at in bits(kernel::above(isa, scores, beyond(best, *held))) {
            if let (Some(&score), Some(&id), Some(slot)) = (scores.get(at), ids.get(at), batch.get_mut(len))
                && score < f32::INFINITY
                && allowed(id)
            {
                // One zero: -0 becomes +0, so that equal scores have equal bits.
                *slot = Hit { score: score + 0.0, id };
                len += 1;
            }
        }
        let batch = batch.get_mut(..len).unwrap_or_default();
        sort_batch(batch);
        *held = merge_batch(best, *held as usize, batch) as u32;
    }
}

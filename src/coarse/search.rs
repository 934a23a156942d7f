//! Over the gallery: debiased search in the nearest lists only.

use super::Coarse;
use super::plan::{Parts, TOO_SMALL, probe_scratch_min};
use crate::blocks::{Strip, strips};
use crate::collect::chunks;
use crate::cpu::{self, Supported};
use crate::dot::ensure_finite;
use crate::kernel::{self, Span};
use crate::matrix::{Element, Matrix};
use crate::search::{list_of, scan};
use crate::status::{Result, Status, ensure};
use crate::topk::{Hit, bits, merge_batch};

/// [`search`](crate::search()) in the `probes` lists nearest to each query. The bias is applied inside of the lists, so what is visited is
/// ranked exactly; with `probes` as many as the lists, hits are those of `search` in every bit. Returns how many pairs of a query and a
/// row were scored.
///
/// `gallery`: the rows of `coarse` in the order of its lists; `bias` and `allow` are in that order too. Hits carry the ids of `coarse`, of
/// equal scores the lower first. Biases are not checked, which would read all of them: a row whose score is not finite is no hit.
///
/// O(queries * lists * dim + pairs * dim). Queries that visit the same list go together: give batches. `scratch`:
/// [`probe_scratch`](crate::probe_scratch).
///
/// # Errors
/// `Dim`, `K` (k or `probes` is 0), `Overflow`, `Range` (`gallery` has not the rows of `coarse`), `Capacity` (`bias`, `allow`, scratch below
/// [`probe_scratch_min`], `hits`, `found`), `Value` (NaN or infinity in the queries or the centroids).
#[allow(clippy::too_many_arguments)] // those of `search`
pub fn search_probed<T: Element>(
    queries: &Matrix<T>,
    coarse: &Coarse<T>,
    gallery: &Matrix<T>,
    bias: Option<&[f32]>,
    allow: Option<&[u64]>,
    k: usize,
    probes: usize,
    scratch: &mut [u8],
    hits: &mut [Hit],
    found: &mut [u32],
) -> Result<u64> {
    coarse.check_dims(queries, gallery)?;
    ensure(k > 0, Status::K, "k")?;
    ensure(probes > 0, Status::K, "probes")?;
    let total = queries.rows().checked_mul(k);
    ensure(total.is_some(), Status::Overflow, "k")?;
    coarse.check_rows(gallery)?;
    ensure(bias.is_none_or(|b| b.len() >= gallery.rows()), Status::Capacity, "bias")?;
    ensure(allow.is_none_or(|a| a.len() >= gallery.rows().div_ceil(64)), Status::Capacity, "allow")?;
    let least = probe_scratch_min(coarse.lists(), probes, queries.dim());
    ensure(scratch.len() >= least, TOO_SMALL.status, TOO_SMALL.argument)?;
    ensure(total.is_some_and(|total| hits.len() >= total), Status::Capacity, "hits")?;
    ensure(found.len() >= queries.rows(), Status::Capacity, "found")?;
    let isa = cpu::active();
    let all = Span::new(0, queries.rows());
    ensure_finite(isa, queries, all, "queries")?;
    coarse.check_values(isa)?;

    found.get_mut(..queries.rows()).unwrap_or_default().fill(0);
    let mut parts = Parts::new(scratch, queries.rows(), coarse, probes)?;
    let mut pairs = 0;
    for chunk in chunks(all, parts.rows()) {
        let mut planned = parts.plan(isa, coarse, queries, chunk)?;
        pairs += planned.for_each_list(coarse, queries, |list, visitors, numbers, scratch| {
            scan(isa, visitors, gallery, list, allow, scratch, |i, block, scores| {
                let query = numbers.get(i).map_or(usize::MAX, |number| chunk.first + *number as usize);
                let Some((best, count)) = list_of(hits, found, query, k) else { return };
                let bias = bias.and_then(|b| b.get(block.first..)?.get(..block.count));
                if kernel::debias(isa, scores, bias, limit(best, *count)) {
                    add_block(isa, coarse, best, count, block, scores, allow);
                }
            });
            Some(())
        })?;
    }
    Ok(pairs)
}

/// What a score has to exceed: just less than the last hit's, for of equal scores the lower id wins, and lists are not visited in the order
/// of their ids.
fn limit(best: &[Hit], count: u32) -> f32 {
    if count as usize == best.len() { best.last().map_or(f32::INFINITY, |hit| hit.score.next_down()) } else { f32::NEG_INFINITY }
}

fn add_block<T: Element>(
    isa: Supported,
    coarse: &Coarse<T>,
    best: &mut [Hit],
    count: &mut u32,
    block: Span,
    scores: &[f32],
    allow: Option<&[u64]>,
) {
    for Strip { rows, allowed } in strips(block, allow) {
        let scores = scores.get(rows.first - block.first..).and_then(|s| s.get(..rows.count)).unwrap_or_default();
        for at in bits(kernel::above(isa, scores, limit(best, *count)) & allowed) {
            let (Some(&score), Some(id)) = (scores.get(at), coarse.id(rows.first + at)) else { continue };
            if score.is_finite() {
                *count = merge_batch(best, *count as usize, &[Hit { score: score + 0.0, id }]) as u32;
            }
        }
    }
}

//! Serving: search, merging hits, reranking.

use super::check::{Described, Facts, Memory, Reranked, View, input, input_if_given, judge, judged, output, pair, range, rows_fit};
use super::*;
use core::ffi::c_void;

/// ======== Search ========
///
/// Recommended bytes of scratch of nnn_search_*: at most 16,448. Less works too, down to none (scratch NULL,
/// length 0), with the same hits, slower. NNN_SEARCH_SCRATCH_BYTES(queries, k, dim) is the same as a
/// constant.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nnn_search_scratch(queries: usize, k: usize, dim: usize) -> usize {
    crate::search_scratch(queries, k, dim)
}

/// For each query the k gallery rows of first..first + count with the largest <query, row> - bias[row], best first.
///
/// bias: gallery->rows floats, or NULL: plain search. allow: one bit per gallery row, bit r % 64 of word r / 64 says whether row r
/// may be a hit (a filter, or the tombstones of removed rows), or NULL: all may. hits: queries->rows * k; those of query q start at
/// hits[q * k]. found: queries->rows counts; found[q] = min(k, allowed rows of the range with a finite score); hits past it are not
/// written.
///
/// The gallery's values are not checked: a row whose score is not finite is no hit.
///
/// O(queries * count * dim), no memory but scratch. Errors: NULL, DIM, K (0), STRIDE, OVERFLOW, RANGE, ALIGN, ALIAS, VALUE (NaN or
/// infinity in the queries or the range's biases).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_search_f32(
    queries: *const MatF32,
    gallery: *const MatF32,
    bias: *const f32,
    allow: *const u64,
    k: usize,
    first: usize,
    count: usize,
    scratch: *mut c_void,
    scratch_len: usize,
    hits: *mut Hit,
    found: *mut u32,
) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    let judged = unsafe { judge_search(queries, gallery, bias, allow, k, first, count, scratch.cast(), scratch_len, hits, found) };
    if judged != NNN_OK {
        return judged;
    }
    // SAFETY: judged.
    unsafe { search(queries, gallery, bias, allow, k, first, count, scratch.cast(), scratch_len, hits, found) }
}

/// As nnn_search_f32, of codes: ((float)dot * scale of the query) * scale of the row - bias, each step rounded once. VALUE is about
/// the scales of the queries and the range's biases.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_search_i8(
    queries: *const MatI8,
    gallery: *const MatI8,
    bias: *const f32,
    allow: *const u64,
    k: usize,
    first: usize,
    count: usize,
    scratch: *mut c_void,
    scratch_len: usize,
    hits: *mut Hit,
    found: *mut u32,
) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    let judged = unsafe { judge_search(queries, gallery, bias, allow, k, first, count, scratch.cast(), scratch_len, hits, found) };
    if judged != NNN_OK {
        return judged;
    }
    // SAFETY: judged.
    unsafe { search(queries, gallery, bias, allow, k, first, count, scratch.cast(), scratch_len, hits, found) }
}

/// The search itself, of judged arguments.
///
/// # Safety
/// [`judge_search`] accepted the arguments.
#[allow(clippy::too_many_arguments)] // those of the C function
#[inline(never)]
unsafe fn search<M: Described>(
    queries: *const M,
    gallery: *const M,
    bias: *const f32,
    allow: *const u64,
    k: usize,
    first: usize,
    count: usize,
    scratch: *mut u8,
    scratch_len: usize,
    hits: *mut Hit,
    found: *mut u32,
) -> StatusCode {
    // SAFETY: judged.
    let (Some(queries), Some(gallery)) = (unsafe { (judged(queries), judged(gallery)) }) else { return NNN_ERR_NULL };
    // SAFETY: judged.
    let (bias, allow) = unsafe { (input_if_given(bias, gallery.rows()), input_if_given(allow, gallery.rows().div_ceil(64))) };
    // SAFETY: judged.
    let (hits, found) = unsafe { (output(hits, queries.rows().saturating_mul(k)), output(found, queries.rows())) };
    // SAFETY: judged.
    let scratch = unsafe { output(scratch, scratch_len) };
    code(crate::search(&queries, &gallery, bias, allow, k, range(first, count), scratch, hits, found))
}

/// The checks of a search. A function of its own, whose stack is free again when the search runs.
///
/// # Safety
/// The caller promises what the header asks of its pointers.
#[allow(clippy::too_many_arguments)] // those of the C function
#[inline(never)]
unsafe fn judge_search<M: Described>(
    queries: *const M,
    gallery: *const M,
    bias: *const f32,
    allow: *const u64,
    k: usize,
    first: usize,
    count: usize,
    scratch: *mut u8,
    scratch_len: usize,
    hits: *mut Hit,
    found: *mut u32,
) -> StatusCode {
    // SAFETY: the caller's promise.
    let (Ok(queries), Ok(gallery)) = (unsafe { (View::load(queries), View::load(gallery)) }) else { return NNN_ERR_NULL };
    let shape = pair(&queries, &gallery);
    let facts = Facts { k: k > 0, range: shape.range && gallery.holds(first, count), ..shape };
    let words = gallery.rows.div_ceil(64);
    let optional = [Memory::read_if_given(bias, Some(gallery.rows)), Memory::read_if_given(allow, Some(words))];
    let hits = Memory::write(hits, queries.rows.checked_mul(k));
    let written = [Memory::write(scratch, Some(scratch_len)), hits, Memory::write(found, Some(queries.rows))];
    let (queries, gallery) = (queries.memory, gallery.memory); // the rest of the views need not be in memory
    code(judge(facts, &[&queries, &gallery, &optional, &written]))
}

/// Merges the hits of another part of the gallery: `a` keeps the k best of both, *a_len how many they are. Any order of merging
/// gives the same.
///
/// a: *a_len hits in the order of hits, with room for k. b: b_len hits in the order of hits, any number of them. Ids of shards have
/// been made absolute by the caller (base of the shard added) and are disjoint.
///
/// O(k + b_len), no work memory. Errors: NULL, K (0), OVERFLOW, RANGE (*a_len above k, or a result above 2^32 - 1), ALIGN, ALIAS,
/// VALUE (a list that is not in order, NaN, infinity).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_hits_merge(a: *mut Hit, a_len: *mut u32, b: *const Hit, b_len: u32, k: usize) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { hits_merge(a, a_len, b, b_len, k) })
}

unsafe fn hits_merge(a: *mut Hit, a_len: *mut u32, b: *const Hit, b_len: u32, k: usize) -> Result<()> {
    let room = Memory::write(a_len, Some(1));
    let b_len = b_len as usize;
    // Its value is a fact to be judged, so whether it can be read comes first; it may still be misaligned.
    judge(Facts::GOOD, &[&[Memory::read(a_len.cast::<u8>(), Some(1))]])?;
    // SAFETY: not NULL, so readable by the caller's promise.
    let held = unsafe { a_len.read_unaligned() } as usize;
    let facts = Facts { k: k > 0, range: held <= k && rows_fit(k.min(held.saturating_add(b_len))), ..Facts::GOOD };
    judge(facts, &[&[Memory::write(a, Some(k)), room, Memory::read(b, Some(b_len))]])?;
    // SAFETY: judged; `a_len` is not NULL, aligned and apart from the rest.
    let (a, a_len, b) = unsafe { (output(a, k), &mut *a_len, input(b, b_len)) };
    crate::merge_hits(a, a_len, b, k)
}

/// Debiases the hits of another engine: the k best of the candidates by score - bias[id], best first, to hits, their number to
/// *found.
///
/// candidates: len hits in any order, with raw similarities; duplicates stay. bias: bias_len floats, one per gallery row. hits: room
/// for min(k, len). *found = min(k, candidates whose debiased score is finite); hits past it are not written.
///
/// O(len * min(k, len)) at worst, O(len) when few candidates rank; no work memory. Errors: NULL, K (0), OVERFLOW, RANGE (an id >=
/// bias_len, len or bias_len above 2^32 - 1), ALIGN, ALIAS, VALUE (NaN or infinity in a candidate's score or its bias).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_rerank(
    candidates: *const Hit,
    len: usize,
    bias: *const f32,
    bias_len: usize,
    k: usize,
    hits: *mut Hit,
    found: *mut u32,
) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { rerank(Reranked { candidates, len, k, hits, found }, bias, bias_len) })
}

unsafe fn rerank(list: Reranked, bias: *const f32, bias_len: usize) -> Result<()> {
    judge(list.facts(bias_len), &[&list.memory(), &[Memory::read(bias, Some(bias_len))]])?;
    // SAFETY: judged.
    let (bias, (candidates, hits, found)) = unsafe { (input(bias, bias_len), list.slices()) };
    crate::rerank(candidates, bias, list.k, hits, found)
}

/// nnn_rerank of the best len rows of a gallery by plain score, which also tells whether the hits are those of a search of the whole
/// gallery: then *next = 0, else *next = how many candidates to ask the engine for next (twice as many, at most bias_len).
///
/// candidates: the exact best len rows of an index over all bias_len rows, each id once, in any order. bias_min: at most every bias.
/// hits: room for min(k, len).
///
/// The proof: a row that is no candidate scores at most the least candidate's s and has a bias of at least bias_min; rounding is
/// monotone, so its debiased score is at most s - bias_min, rounded. If the k-th hit is strictly above that, it neither beats nor ties
/// it. All rows are always proved. Of an approximate index' answer this covers only the rows that score at most s: it says nothing
/// about better rows that the index missed. Scores are the engine's: its own rounding is no part of the proof.
///
/// O(len * min(k, len)) at worst; no work memory. Errors: those of nnn_rerank; RANGE also for len above bias_len; VALUE also for a
/// bias_min that is not finite or above a candidate's bias.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_rerank_certified(
    candidates: *const Hit,
    len: usize,
    bias: *const f32,
    bias_len: usize,
    bias_min: f32,
    k: usize,
    hits: *mut Hit,
    found: *mut u32,
    next: *mut usize,
) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { rerank_certified(candidates, len, bias, bias_len, bias_min, k, hits, found, next) })
}

#[allow(clippy::too_many_arguments)] // those of the C function
unsafe fn rerank_certified(
    candidates: *const Hit,
    len: usize,
    bias: *const f32,
    bias_len: usize,
    bias_min: f32,
    k: usize,
    hits: *mut Hit,
    found: *mut u32,
    next: *mut usize,
) -> Result<()> {
    let facts = Facts { k: k > 0, range: rows_fit(len) && rows_fit(bias_len) && len <= bias_len, ..Facts::GOOD };
    let room = k.min(len);
    let read = [Memory::read(candidates, Some(len)), Memory::read(bias, Some(bias_len))];
    let written = [Memory::write(hits, Some(room)), Memory::write(found, Some(1)), Memory::write(next, Some(1))];
    judge(facts, &[&read, &written])?;
    // SAFETY: judged.
    let (candidates, bias) = unsafe { (input(candidates, len), input(bias, bias_len)) };
    // SAFETY: judged; `found` and `next` are not NULL, aligned and apart from the rest.
    let (hits, found, next) = unsafe { (output(hits, room), &mut *found, &mut *next) };
    *next = crate::rerank_certified(candidates, bias, bias_min, k, hits, found)?;
    Ok(())
}

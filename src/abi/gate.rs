//! Rankings that are gated per query, and dual softmax.

use super::check::{Described, Facts, Lists, Memory, Reranked, View, input, input_if_given, judge, output, pair, range, rows_fit};
use super::*;
use crate::gate::Gate;
use core::ffi::c_void;

/// A correction that applies to a query only if its best plain row is in the activation set.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct GateC {
    /// One float per gallery row: the inverted softmax (nnn_logsum_bias), or any other bias.
    pub bias: *const f32,
    /// The activation set: one bit per gallery row, bit r % 64 of word r / 64.
    pub active: *const u64,
    /// The beta of the bias: its weight beside another gate. Of a single gate it changes nothing.
    pub beta: f32,
}

const _: () = assert!(size_of::<GateC>() == 3 * size_of::<usize>());

/// ======== Gated search ========
///
/// Adds to an activation set the gallery rows that are among the n best of a bank query: those of the first n hits of each list.
///
/// hits, found: the plain hits of `queries` bank queries, k apart, as nnn_search_* gives them. set: one bit per gallery row, bit r % 64 of
/// word r / 64, zeroed before the first call; sets of bank shards are combined by |, hits of gallery shards merged first.
///
/// O(queries * n), no work memory. Errors: NULL, K (k is 0, n is 0 or above k), OVERFLOW, RANGE (a count above k, an id >= rows), ALIGN,
/// ALIAS.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_activation_set(
    hits: *const Hit,
    found: *const u32,
    queries: usize,
    k: usize,
    n: usize,
    rows: usize,
    set: *mut u64,
) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { activation_set(Lists { hits, found, queries, k }, n, rows, set) })
}

unsafe fn activation_set(lists: Lists, n: usize, rows: usize, set: *mut u64) -> Result<()> {
    let facts = lists.facts(n);
    let facts = Facts { range: facts.range && rows_fit(rows), ..facts };
    let words = rows.div_ceil(64);
    judge(facts, &[&lists.memory(), &[Memory::write(set, Some(words))]])?;
    // SAFETY: judged.
    let ((hits, found), set) = unsafe { (lists.slices(), output(set, words)) };
    crate::activation_set(hits, found, lists.k, n, rows, set)
}

/// nnn_search_f32 with corrections that open per query: QBNorm's dynamic inverted softmax with one gate, DBNorm's DualDIS with two (of a
/// query bank and of a gallery bank).
///
/// gates: one or two. winners: queries->rows gallery rows: the best row of each query by plain scores over the whole gallery (the first
/// hit of a plain search with k = 1), UINT32_MAX when there is none. A gate is open for the query if that row is in its set.
/// One gate, open: score - bias; closed: the plain score. Two gates, both open: score - (beta bias + beta' bias') / (beta + beta'), that
/// is DualIS; both closed: the plain score; one open: score - bias + ln(max(score, 2^-126)) / beta, the logarithm over beta of the
/// authors' product of the plain score and the inverted softmax. Where the score is not positive that product ranks by the wrong end;
/// here such rows follow the others, in the order of score - bias as far as float tells it beside 87 / beta.
///
/// Since winners come from outside, ranges and merges give the same bits as one call. All else is as in nnn_search_f32, at its cost; with
/// just one of two gates open a logarithm a row on top. Errors: those of nnn_search_f32, RANGE (not one or two gates, a winner that is
/// no row), VALUE (NaN or infinity in the range's biases, beta not finite or not above 0).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_search_gated_f32(
    queries: *const MatF32,
    gallery: *const MatF32,
    gates: *const GateC,
    gates_len: usize,
    winners: *const u32,
    allow: *const u64,
    k: usize,
    first: usize,
    count: usize,
    scratch: *mut c_void,
    scratch_len: usize,
    hits: *mut Hit,
    found: *mut u32,
) -> StatusCode {
    let part = (first, count);
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe {
        search_gated(queries, gallery, (gates, gates_len), winners, allow, k, part, (scratch.cast(), scratch_len), hits, found)
    })
}

/// As nnn_search_gated_f32, of codes.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_search_gated_i8(
    queries: *const MatI8,
    gallery: *const MatI8,
    gates: *const GateC,
    gates_len: usize,
    winners: *const u32,
    allow: *const u64,
    k: usize,
    first: usize,
    count: usize,
    scratch: *mut c_void,
    scratch_len: usize,
    hits: *mut Hit,
    found: *mut u32,
) -> StatusCode {
    let part = (first, count);
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe {
        search_gated(queries, gallery, (gates, gates_len), winners, allow, k, part, (scratch.cast(), scratch_len), hits, found)
    })
}

/// Gates before they are judged: the structs' content, and the memory that they name.
struct Gates {
    gates: [GateC; 2],
    len: usize,
    array: Memory,
    memory: [Memory; 4],
    rows: usize,
}

impl Gates {
    /// Reads the structs, which may be misaligned (that is judged later). A number of gates that is out of range reads none.
    ///
    /// # Safety
    /// `gates` is NULL or valid for reads of `len` gates.
    unsafe fn load(gates: *const GateC, len: usize, rows: usize) -> Result<Gates> {
        let array = Memory::read(gates, Some(len));
        judge(Facts::GOOD, &[&[Memory::read(gates.cast::<u8>(), Some(len.min(1)))]])?;
        let none = GateC { bias: core::ptr::null(), active: core::ptr::null(), beta: 1.0 };
        let mut read = [none; 2];
        let mut memory = [Memory::read_if_given(core::ptr::null::<u8>(), Some(0)); 4];
        if len <= 2 {
            for (i, (gate, memory)) in read.iter_mut().take(len).zip(memory.chunks_exact_mut(2)).enumerate() {
                // SAFETY: not NULL, so `len` gates are readable by this function's contract.
                *gate = unsafe { gates.wrapping_add(i).read_unaligned() };
                if let [bias, active] = memory {
                    *bias = Memory::read(gate.bias, Some(rows));
                    *active = Memory::read(gate.active, Some(rows.div_ceil(64)));
                }
            }
        }
        Ok(Gates { gates: read, len, array, memory, rows })
    }

    fn number_fits(&self) -> bool {
        self.len == 1 || self.len == 2
    }

    /// # Safety
    /// `judge` accepted the memory, and the number fits.
    unsafe fn views<'a>(&self) -> [Gate<'a>; 2] {
        let words = self.rows.div_ceil(64);
        let gate = |(i, gate): (usize, &GateC)| match i < self.len {
            // SAFETY: this function's contract.
            true => unsafe { Gate { bias: input(gate.bias, self.rows), beta: gate.beta, active: input(gate.active, words) } },
            false => Gate { bias: &[], beta: 1.0, active: &[] },
        };
        let [a, b] = &self.gates;
        [gate((0, a)), gate((1, b))]
    }
}

#[allow(clippy::too_many_arguments)] // those of the C function
unsafe fn search_gated<M: Described>(
    queries: *const M,
    gallery: *const M,
    (gates, gates_len): (*const GateC, usize),
    winners: *const u32,
    allow: *const u64,
    k: usize,
    (first, count): (usize, usize),
    (scratch, scratch_len): (*mut u8, usize),
    hits: *mut Hit,
    found: *mut u32,
) -> Result<()> {
    // SAFETY: the caller's promise.
    let (queries, gallery) = unsafe { (View::load(queries)?, View::load(gallery)?) };
    // SAFETY: the caller's promise.
    let gates = unsafe { Gates::load(gates, gates_len, gallery.rows)? };
    let shape = pair(&queries, &gallery);
    let range_fits = shape.range && gallery.holds(first, count) && gates.number_fits();
    let facts = Facts { k: k > 0, range: range_fits, ..shape };
    let len = queries.rows.checked_mul(k);
    let words = gallery.rows.div_ceil(64);
    let read = [gates.array, Memory::read(winners, Some(queries.rows)), Memory::read_if_given(allow, Some(words))];
    let written = [Memory::write(scratch, Some(scratch_len)), Memory::write(hits, len), Memory::write(found, Some(queries.rows))];
    judge(facts, &[&queries.memory, &gallery.memory, &read, &gates.memory, &written])?;
    // SAFETY: judged.
    let (views, winners, allow) = unsafe { (gates.views(), input(winners, queries.rows), input_if_given(allow, words)) };
    // SAFETY: judged.
    let (hits, found) = unsafe { (output(hits, len.unwrap_or(0)), output(found, queries.rows)) };
    // SAFETY: judged.
    let (queries, gallery, scratch) = unsafe { (queries.matrix()?, gallery.matrix()?, output(scratch, scratch_len)) };
    let views = views.get(..gates.len).unwrap_or_default();
    crate::search_gated(&queries, &gallery, views, winners, allow, k, range(first, count), scratch, hits, found)
}

/// nnn_rerank with corrections that open per query, as in nnn_search_gated_*; the winner is the best of the candidates.
///
/// candidates: len hits of one query in any order, with raw similarities. rows: of the gallery. hits: room for min(k, len).
///
/// O(len * min(k, len)) at worst, O(rows) for the finite check; no work memory. Errors: NULL, K (0), OVERFLOW, RANGE (not one or two
/// gates, an id >= rows, len or rows above 2^32 - 1), ALIGN, ALIAS, VALUE (NaN or infinity in a candidate's score or the biases, beta not
/// finite or not above 0).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_rerank_gated(
    candidates: *const Hit,
    len: usize,
    gates: *const GateC,
    gates_len: usize,
    rows: usize,
    k: usize,
    hits: *mut Hit,
    found: *mut u32,
) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { rerank_gated(Reranked { candidates, len, k, hits, found }, gates, gates_len, rows) })
}

unsafe fn rerank_gated(list: Reranked, gates: *const GateC, gates_len: usize, rows: usize) -> Result<()> {
    // SAFETY: the caller's promise.
    let gates = unsafe { Gates::load(gates, gates_len, rows)? };
    let facts = list.facts(rows);
    let facts = Facts { range: facts.range && gates.number_fits(), ..facts };
    judge(facts, &[&list.memory(), &[gates.array], &gates.memory])?;
    // SAFETY: judged.
    let (views, (candidates, hits, found)) = unsafe { (gates.views(), list.slices()) };
    crate::rerank_gated(candidates, views.get(..gates.len).unwrap_or_default(), rows, list.k, hits, found)
}

/// Dual softmax (DSL) over a batch of live queries: reranks one query's candidates by score * e^(beta * (score - bias)) * queries, in the
/// log domain: the new score is score - bias + ln(max(score, 2^-126) * queries) / beta. Of rows whose score is not positive the order
/// is that of score - bias.
///
/// bias: bias_len floats, the inverted softmax (nnn_logsum_bias) of every gallery row with the live batch itself as the bank; beta: that
/// of the bias, the inverse of the temperature; queries: how many the batch has.
///
/// Transductive: each query's ranking depends on the other queries of the batch. Figures obtained with it do not compare with those of
/// methods that see one query at a time, and a service that answers queries as they come cannot use it.
///
/// Otherwise as nnn_rerank. Errors: NULL, K (k or queries is 0), OVERFLOW, RANGE (an id >= bias_len, len or bias_len above 2^32 - 1),
/// ALIGN, ALIAS, VALUE (NaN or infinity in a candidate's score or its bias, beta not finite or not above 0).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_dual_softmax(
    candidates: *const Hit,
    len: usize,
    bias: *const f32,
    bias_len: usize,
    beta: f32,
    queries: usize,
    k: usize,
    hits: *mut Hit,
    found: *mut u32,
) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { dual_softmax(Reranked { candidates, len, k, hits, found }, bias, bias_len, beta, queries) })
}

unsafe fn dual_softmax(list: Reranked, bias: *const f32, bias_len: usize, beta: f32, queries: usize) -> Result<()> {
    let facts = list.facts(bias_len);
    let facts = Facts { k: facts.k && queries > 0, ..facts };
    judge(facts, &[&list.memory(), &[Memory::read(bias, Some(bias_len))]])?;
    // SAFETY: judged.
    let (bias, (candidates, hits, found)) = unsafe { (input(bias, bias_len), list.slices()) };
    crate::dual_softmax(candidates, bias, beta, queries, list.k, hits, found)
}

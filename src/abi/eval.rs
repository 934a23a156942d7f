//! Evaluation.

use super::check::{Described, Facts, Lists, Memory, View, input, judge, output, pair, rows_fit};
use super::*;
use crate::eval::Positives;
use core::ffi::c_void;

const _: () = {
    assert!(size_of::<Hubness>() == 40 && size_of::<Interval>() == 24 && size_of::<Fairness>() == 16);
};

/// The rank of an answer that is not among the hits, or whose score is not finite.
pub const NNN_NOT_RANKED: u32 = u32::MAX;

const _: () = assert!(NNN_NOT_RANKED == crate::eval::NOT_RANKED);

/// The right answers as arguments: offsets, ids.
struct Answers {
    offsets: *const usize,
    len: Option<usize>,
    ids: *const u32,
    ids_len: usize,
}

impl Answers {
    fn new(offsets: *const usize, queries: usize, ids: *const u32, ids_len: usize) -> Answers {
        Answers { offsets, len: queries.checked_add(1), ids, ids_len }
    }

    fn memory(&self) -> [Memory; 2] {
        [Memory::read(self.offsets, self.len), Memory::read(self.ids, Some(self.ids_len))]
    }

    /// # Safety
    /// `judge` accepted the memory.
    unsafe fn positives<'a>(&self) -> Result<Positives<'a>> {
        // SAFETY: this function's contract.
        unsafe { Positives::shaped(input(self.offsets, self.len.unwrap_or(0)), input(self.ids, self.ids_len)) }
    }
}

/// ======== Evaluation ========
///
/// Everything works on ranks, hits and labels in the caller's memory. The right answers of query q are the gallery rows
/// ids[offsets[q]] .. ids[offsets[q + 1] - 1], one or more: offsets has queries + 1 numbers.
///
/// The rank of each query's best answer among its hits, from 1; NNN_NOT_RANKED when none is there.
///
/// hits, found: as nnn_search_* gives them for k. ranks: queries numbers. O(hits * answers), no work memory. Errors: NULL, K (0),
/// OVERFLOW, RANGE (a count above k, offsets that descend or end past ids_len), ALIGN, ALIAS, VALUE (a query without an answer).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_best_ranks(
    hits: *const Hit,
    found: *const u32,
    queries: usize,
    k: usize,
    offsets: *const usize,
    ids: *const u32,
    ids_len: usize,
    ranks: *mut u32,
) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { best_ranks(Lists { hits, found, queries, k }, Answers::new(offsets, queries, ids, ids_len), ranks) })
}

unsafe fn best_ranks(lists: Lists, answers: Answers, ranks: *mut u32) -> Result<()> {
    let Lists { queries, k, .. } = lists;
    judge(lists.facts(k), &[&lists.memory(), &answers.memory(), &[Memory::write(ranks, Some(queries))]])?;
    // SAFETY: judged.
    let ((hits, found), positives, ranks) = unsafe { (lists.slices(), answers.positives()?, output(ranks, queries)) };
    crate::best_ranks(hits, found, k, &positives, ranks)
}

/// Recommended bytes of scratch of nnn_ranks_* for that many biases: 16 KiB and 128 (1 + biases). A sixteenth works too, slower.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn nnn_ranks_scratch(biases: usize) -> usize {
    crate::ranks_scratch(biases)
}

/// The exact rank of each query's best answer in the whole gallery, by plain scores and by each of several biases, from 1.
///
/// biases: biases_len of them one after the other, each gallery->rows floats: those of a grid (nnn_neighbors_grid), or of several methods.
/// ranks: (1 + biases_len) x queries->rows numbers, those by plain scores first; each just what nnn_search_* would give. All biases share
/// the dots of one search. NNN_NOT_RANKED where no answer's score is finite.
///
/// O(queries * rows * (dim + biases_len)). Errors: NULL, DIM, STRIDE, OVERFLOW, RANGE (an answer that is no gallery row, offsets that
/// descend or end past ids_len), ALIGN, CAPACITY (scratch below a sixteenth of nnn_ranks_scratch, and 8), ALIAS, VALUE (NaN or infinity
/// in queries or biases, a query without an answer).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_ranks_f32(
    queries: *const MatF32,
    gallery: *const MatF32,
    biases: *const f32,
    biases_len: usize,
    offsets: *const usize,
    ids: *const u32,
    ids_len: usize,
    scratch: *mut c_void,
    scratch_len: usize,
    ranks: *mut u32,
) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { ranks_of(queries, gallery, biases, biases_len, (offsets, ids, ids_len), scratch.cast(), scratch_len, ranks) })
}

/// As nnn_ranks_f32, of codes.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_ranks_i8(
    queries: *const MatI8,
    gallery: *const MatI8,
    biases: *const f32,
    biases_len: usize,
    offsets: *const usize,
    ids: *const u32,
    ids_len: usize,
    scratch: *mut c_void,
    scratch_len: usize,
    ranks: *mut u32,
) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { ranks_of(queries, gallery, biases, biases_len, (offsets, ids, ids_len), scratch.cast(), scratch_len, ranks) })
}

#[allow(clippy::too_many_arguments)] // those of the C function
unsafe fn ranks_of<M: Described>(
    queries: *const M,
    gallery: *const M,
    biases: *const f32,
    biases_len: usize,
    (offsets, ids, ids_len): (*const usize, *const u32, usize),
    scratch: *mut u8,
    scratch_len: usize,
    ranks: *mut u32,
) -> Result<()> {
    // SAFETY: the caller's promise.
    let (queries, gallery) = unsafe { (View::load(queries)?, View::load(gallery)?) };
    let answers = Answers::new(offsets, queries.rows, ids, ids_len);
    let len = biases_len.checked_mul(gallery.rows);
    let out = biases_len.checked_add(1).and_then(|n| n.checked_mul(queries.rows));
    let shape = pair(&queries, &gallery);
    let facts = Facts { capacity: scratch_len >= crate::eval::ranks_scratch_min(biases_len), ..shape };
    let written = [Memory::write(scratch, Some(scratch_len)), Memory::write(ranks, out)];
    judge(facts, &[&queries.memory, &gallery.memory, &[Memory::read(biases, len)], &answers.memory(), &written])?;
    if queries.rows == 0 || gallery.rows == 0 {
        // No bias has a row, so their number cannot be told from their length: there is nothing to rank, only answers to refuse.
        // SAFETY: judged.
        let positives = unsafe { answers.positives()? };
        crate::status::ensure(positives.inside(0), Status::Range, "ids")?;
        return positives.check_values();
    }
    // SAFETY: judged.
    let (positives, biases) = unsafe { (answers.positives()?, input(biases, len.unwrap_or(0))) };
    // SAFETY: judged.
    let (scratch, ranks) = unsafe { (output(scratch, scratch_len), output(ranks, out.unwrap_or(0))) };
    // SAFETY: judged.
    let (queries, gallery) = unsafe { (queries.matrix()?, gallery.matrix()?) };
    crate::ranks(&queries, &gallery, biases, &positives, scratch, ranks)
}

/// Recall at k: *share of the ranks are k or better.
///
/// Errors: NULL, K (0), OVERFLOW, ALIGN, ALIAS, VALUE (len is 0).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_recall(ranks: *const u32, len: usize, k: usize, share: *mut f64) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { of_ranks(ranks, len, k > 0, share, |ranks| crate::recall(ranks, k)) })
}

/// The median rank, the mean of the two in the middle when they are even in number; infinite when the middle is not ranked.
///
/// O(32 * len), no work memory. Errors: NULL, OVERFLOW, ALIGN, ALIAS, VALUE (len is 0).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_median_rank(ranks: *const u32, len: usize, median: *mut f64) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { of_ranks(ranks, len, true, median, crate::median_rank) })
}

unsafe fn of_ranks(
    ranks: *const u32,
    len: usize,
    k_fits: bool,
    out: *mut f64,
    of: impl FnOnce(&[u32]) -> Result<f64>,
) -> Result<()> {
    judge(Facts { k: k_fits, ..Facts::GOOD }, &[&[Memory::read(ranks, Some(len)), Memory::write(out, Some(1))]])?;
    // SAFETY: judged; `out` is not NULL, aligned and apart from the ranks.
    unsafe { *out = of(input(ranks, len))? };
    Ok(())
}

/// Paired bootstrap of the difference in recall at k between two runs over the same queries: *gain is after minus before, and the
/// interval that holds the middle `confidence` of the resampled differences.
///
/// before, after: the ranks of the same `queries` queries. work: work_len numbers, one per resample (1,000 at least for 95 per cent). The
/// same seed gives the same interval everywhere. O(work_len * queries). Errors: NULL, K (0), OVERFLOW, RANGE, ALIGN, CAPACITY (work_len
/// is 0), ALIAS, VALUE (queries is 0, confidence not between 0 and 1).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_bootstrap(
    before: *const u32,
    after: *const u32,
    queries: usize,
    k: usize,
    confidence: f64,
    seed: u64,
    work: *mut u32,
    work_len: usize,
    gain: *mut Interval,
) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { bootstrap(before, after, queries, k, (confidence, seed), work, work_len, gain) })
}

#[allow(clippy::too_many_arguments)] // those of the C function
unsafe fn bootstrap(
    before: *const u32,
    after: *const u32,
    queries: usize,
    k: usize,
    (confidence, seed): (f64, u64),
    work: *mut u32,
    work_len: usize,
    gain: *mut Interval,
) -> Result<()> {
    let facts = Facts { k: k > 0, range: rows_fit(queries), capacity: work_len > 0, ..Facts::GOOD };
    let read = [Memory::read(before, Some(queries)), Memory::read(after, Some(queries))];
    judge(facts, &[&read, &[Memory::write(work, Some(work_len)), Memory::write(gain, Some(1))]])?;
    // SAFETY: judged.
    let (before, after, work) = unsafe { (input(before, queries), input(after, queries), output(work, work_len)) };
    let interval = crate::bootstrap(before, after, k, confidence, seed, work)?;
    // SAFETY: judged: not NULL, aligned and apart from the rest.
    unsafe { *gain = interval };
    Ok(())
}

/// Chooses among biases by recall at k on held-out queries, and proposes none unless it is sure to help.
///
/// ranks: (1 + biases) x queries numbers as nnn_ranks_* gives them, plain first. *best: the bias with the best recall, from 0; of equally
/// good ones the first, so list the mildest first, as nnn_neighbors_grid does. *gain: its gain over plain search and the interval of
/// nnn_bootstrap. *helps: 1 when that interval lies above 0 and chance alone lets some bias gain as many standard deviations,
/// (won - lost) / sqrt(won + lost) queries, in fewer than 1 - confidence of random sign flips (plain and corrected swapped, per
/// query, in all runs together); else 0: serve without a correction. The interval of the winner looks a little better than it is: judge it on queries that took no part in the choice.
///
/// work, confidence, seed: as of nnn_bootstrap; two numbers per flip, so that fewer than 2 / (1 - confidence) never say 1.
/// O(biases * queries * (1 + work_len / 64)). Errors: NULL, K (k or biases is 0), OVERFLOW, RANGE, ALIGN, CAPACITY (work_len is 0),
/// ALIAS, VALUE (queries is 0, confidence not between 0 and 1).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_choose(
    ranks: *const u32,
    biases: usize,
    queries: usize,
    k: usize,
    confidence: f64,
    seed: u64,
    work: *mut u32,
    work_len: usize,
    best: *mut usize,
    helps: *mut u32,
    gain: *mut Interval,
) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { choose(ranks, biases, queries, k, (confidence, seed), work, work_len, (best, helps, gain)) })
}

#[allow(clippy::too_many_arguments)] // those of the C function
unsafe fn choose(
    ranks: *const u32,
    biases: usize,
    queries: usize,
    k: usize,
    (confidence, seed): (f64, u64),
    work: *mut u32,
    work_len: usize,
    (best, helps, gain): (*mut usize, *mut u32, *mut Interval),
) -> Result<()> {
    let len = biases.checked_add(1).and_then(|runs| runs.checked_mul(queries));
    let facts = Facts { k: k > 0 && biases > 0, range: rows_fit(queries), capacity: work_len > 0, ..Facts::GOOD };
    let results = [Memory::write(best, Some(1)), Memory::write(helps, Some(1)), Memory::write(gain, Some(1))];
    judge(facts, &[&[Memory::read(ranks, len), Memory::write(work, Some(work_len))], &results])?;
    // SAFETY: judged.
    let (ranks, work) = unsafe { (input(ranks, len.unwrap_or(0)), output(work, work_len)) };
    let choice = crate::choose(ranks, queries, k, confidence, seed, work)?;
    // SAFETY: judged: not NULL, aligned and apart from the rest.
    unsafe { (*best, *helps, *gain) = (choice.best, u32::from(choice.bias.is_some()), choice.gain) };
    Ok(())
}

/// Adds to each gallery row's k-occurrence: in how many queries' first n hits it is.
///
/// hits, found: as nnn_search_* gives them for k. counts: rows numbers, zeroed before the first call. O(queries * n), no work memory.
/// Errors: NULL, K (k is 0, n is 0 or above k), OVERFLOW, RANGE (a count above k, an id >= rows, a sum above 2^32 - 1), ALIGN, ALIAS.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_count_occurrences(
    hits: *const Hit,
    found: *const u32,
    queries: usize,
    k: usize,
    n: usize,
    counts: *mut u32,
    rows: usize,
) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { count_occurrences(Lists { hits, found, queries, k }, n, counts, rows) })
}

unsafe fn count_occurrences(lists: Lists, n: usize, counts: *mut u32, rows: usize) -> Result<()> {
    let facts = lists.facts(n);
    let facts = Facts { range: facts.range && rows_fit(rows), ..facts };
    judge(facts, &[&lists.memory(), &[Memory::write(counts, Some(rows))]])?;
    // SAFETY: judged.
    let ((hits, found), counts) = unsafe { (lists.slices(), output(counts, rows)) };
    crate::count_occurrences(hits, found, lists.k, n, counts)
}

/// How unevenly queries reach the gallery: the distribution of k-occurrences.
///
/// counts: rows numbers of nnn_count_occurrences. O(rows), no work memory. Errors: NULL, OVERFLOW, RANGE, ALIGN, ALIAS, VALUE (all counts
/// are 0).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_hubness(counts: *const u32, rows: usize, hubness: *mut Hubness) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { hubness_of(counts, rows, hubness) })
}

unsafe fn hubness_of(counts: *const u32, rows: usize, hubness: *mut Hubness) -> Result<()> {
    let facts = Facts { range: rows_fit(rows), ..Facts::GOOD };
    judge(facts, &[&[Memory::read(counts, Some(rows)), Memory::write(hubness, Some(1))]])?;
    // SAFETY: judged; `hubness` is not NULL, aligned and apart from the counts.
    unsafe { *hubness = crate::hubness(input(counts, rows))? };
    Ok(())
}

/// The attribute bias of each query's first n hits, (number of A - number of B) / n, and its means over the queries.
///
/// labels: rows of them, one per gallery row: 1 for attribute A, -1 for B, 0 for neither. biases: queries floats. A query with fewer than
/// n hits is divided by those it has; one without any has bias 0. O(queries * n), no work memory. Errors: NULL, K (k is 0, n is 0 or above
/// k), OVERFLOW, RANGE (a count above k, an id >= rows), ALIGN, ALIAS, VALUE (no queries, another label, labels that do not hold both
/// attributes).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_attribute_bias(
    hits: *const Hit,
    found: *const u32,
    queries: usize,
    k: usize,
    n: usize,
    labels: *const i8,
    rows: usize,
    biases: *mut f32,
    means: *mut Fairness,
) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { attribute_bias(Lists { hits, found, queries, k }, n, labels, rows, biases, means) })
}

unsafe fn attribute_bias(
    lists: Lists,
    n: usize,
    labels: *const i8,
    rows: usize,
    biases: *mut f32,
    means: *mut Fairness,
) -> Result<()> {
    let facts = lists.facts(n);
    let facts = Facts { range: facts.range && rows_fit(rows), ..facts };
    let biases_memory = Memory::write(biases, Some(lists.queries));
    judge(facts, &[&lists.memory(), &[Memory::read(labels, Some(rows)), biases_memory, Memory::write(means, Some(1))]])?;
    // SAFETY: judged.
    let ((hits, found), labels, biases) = unsafe { (lists.slices(), input(labels, rows), output(biases, lists.queries)) };
    let fairness = crate::attribute_bias(hits, found, lists.k, n, labels, biases)?;
    // SAFETY: judged: not NULL, aligned and apart from the rest.
    unsafe { *means = fairness };
    Ok(())
}

/// Draws a bank in which every group is equally large: as many rows of each as the smallest has, without replacement, ascending.
///
/// groups: one number per bank row, 0 for rows that are never drawn. sample: room for capacity rows; rows are always enough. *count: how
/// many were drawn. The same seed draws the same everywhere. O(rows), 2 KiB of stack. Errors: NULL, OVERFLOW, RANGE, ALIGN, ALIAS,
/// CAPACITY (fewer than what is drawn), VALUE (fewer than two groups).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn nnn_balanced_sample(
    groups: *const u8,
    rows: usize,
    seed: u64,
    sample: *mut u32,
    capacity: usize,
    count: *mut usize,
) -> StatusCode {
    // SAFETY: the caller promises what the header asks of its pointers.
    code(unsafe { balanced_sample(groups, rows, seed, sample, capacity, count) })
}

unsafe fn balanced_sample(
    groups: *const u8,
    rows: usize,
    seed: u64,
    sample: *mut u32,
    capacity: usize,
    count: *mut usize,
) -> Result<()> {
    let facts = Facts { range: rows_fit(rows), ..Facts::GOOD };
    let written = [Memory::write(sample, Some(capacity)), Memory::write(count, Some(1))];
    judge(facts, &[&[Memory::read(groups, Some(rows))], &written])?;
    // SAFETY: judged.
    let (groups, sample) = unsafe { (input(groups, rows), output(sample, capacity)) };
    let drawn = crate::balanced_sample(groups, seed, sample)?;
    // SAFETY: judged: not NULL, aligned and apart from the rest.
    unsafe { *count = drawn };
    Ok(())
}

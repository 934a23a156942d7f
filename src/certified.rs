//! Exact f32 results at int8 speed: an int8 pass with rigorous error bounds finds a short list that provably holds the exact top-k,
//! and only the short list is computed in f32. Results are bit-identical to the f32 functions.
//!
//! With the bounds of [`encode`](mod@crate::encode), u = 2^-24, and a score s computed in f32 by the kernels (canonical order or chain),
//!
//! ```text
//! |s - (s^ + offset_r)| <= E = residual_q norm_r + (norm_q + residual_q) residual_r + (dim + 64) u length_q length_r + 4 u |offset_r|
//!                              + (dim + 8) 2^-149 (1 + length_q + length_r)
//! ```
//! where s^ is the scaled int8 dot. The first two terms are what the codes lose, the third is the rounding of the f32 sum
//! ((dim + 1) u sum|a_i b_i|, and sum|a_i b_i| <= length_q length_r), of scaling and of <mean, r>, the last what all of these may lose
//! below the normal range. Rows are forgotten by two rules:
//! * if k rows have s^ >= t, then k scores are at least t - E, and a row with s^ < t - 2 E is not among the k best;
//! * if k scores of at least t have been computed in f32, a row with s^ < t - E is not among the k best.
//!
//! A search ranks s - b. The subtraction rounds in both paths, which adds 8 u max|b| to E (the scores' share is in the third term). E is
//! the largest of the rows seen so far: where it grows, the cuts made with the smaller one are lowered by the difference.
//!
//! The first keeps the list short while rows stream by, the second decides what of the list is computed: the k most promising
//! first, then only what may still beat them. A list that is full is computed at once. Where that happens so often that the f32
//! pass would be cheaper (many near-ties), the gallery row (or query) is given to the f32 pass: never wrong, never unbounded.
#![forbid(unsafe_code)]

use crate::blocks::{BLOCK_ROWS, Strip, block_rows, blocks, strips};
use crate::cpu::{self, Supported};
use crate::encode::{Bound, UNIT};
use crate::kernel::{self, Dtype, STRIP, Span, TILE_BYTES};
use crate::matrix::Matrix;
use crate::search::{check_shape, check_values, search};
use crate::shortlist::reached_by;
use crate::status::{Error, Result, Status, ensure};
use crate::topk::{Hit, bits, merge_batch};
use core::num::NonZeroUsize;
use core::ops::Range;

/// f32 rows with their codes and bounds, as [`encode`](fn@crate::encode) makes them. The codes of rows that were changed
/// since make wrong results, as any stale index does.
#[derive(Clone, Copy, Debug)]
pub struct Encoded<'a> {
    pub(crate) rows: Matrix<'a, f32>,
    pub(crate) codes: Matrix<'a, i8>,
    bounds: &'a [Bound],
}

impl<'a> Encoded<'a> {
    /// Puts the three parts together.
    ///
    /// # Errors
    /// `Dim` or `Range`: the codes have another shape than the rows; `Capacity`: fewer bounds than rows.
    pub fn new(rows: Matrix<'a, f32>, codes: Matrix<'a, i8>, bounds: &'a [Bound]) -> Result<Self> {
        ensure(rows.dim() == codes.dim(), Status::Dim, "codes")?;
        ensure(rows.rows() == codes.rows(), Status::Range, "codes")?;
        ensure(bounds.len() >= rows.rows(), Status::Capacity, "bounds")?;
        Ok(Encoded { rows, codes, bounds })
    }

    /// The f32 rows.
    pub fn rows(&self) -> &Matrix<'a, f32> {
        &self.rows
    }

    pub(crate) fn bound(&self, i: usize) -> Bound {
        self.bounds.get(i).copied().unwrap_or(UNKNOWN)
    }

    /// Adds the rows' `<mean, row>` to their approximate scores.
    fn add_offsets(&self, span: Span, worst: &Bound, scores: &mut [f32]) {
        if worst.offset != 0.0 {
            let bounds = self.bounds.get(span.first..).unwrap_or_default();
            scores.iter_mut().zip(bounds).for_each(|(score, bound)| *score += bound.offset);
        }
    }

    /// The largest of each bound in a span of rows.
    pub(crate) fn worst(&self, span: Span) -> Bound {
        let bounds = self.bounds.get(span.first..).and_then(|b| b.get(..span.count)).unwrap_or(&[UNKNOWN]);
        bounds.iter().fold(Bound::default(), |w, b| Bound {
            residual: worse(w.residual, b.residual),
            norm: worse(w.norm, b.norm),
            length: worse(w.length, b.length),
            offset: worse(w.offset, b.offset.abs()),
        })
    }
}

/// A bound that admits nothing but the f32 path.
const UNKNOWN: Bound = Bound { residual: f32::NAN, norm: f32::NAN, length: f32::NAN, offset: f32::NAN };

/// The larger; NaN where one is NaN, so that a row without a bound is not overlooked.
fn worse(a: f32, b: f32) -> f32 {
    if a >= b || a.is_nan() { a } else { b }
}

/// What a certified call did: how much of the f32 work was left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Certificate {
    /// Pairs whose score was computed in f32 because they were on a short list.
    pub rescored: u64,
    /// Gallery rows (bias side) or queries (search) whose list did not fit and that were computed in f32 throughout.
    pub exhausted: u64,
}

/// The error bound E of the module's documentation, rounded up; not finite where no bound holds.
pub(crate) fn error_bound(dim: usize, q: &Bound, r: &Bound) -> f64 {
    let [qe, qn, ql] = [q.residual, q.norm, q.length].map(f64::from);
    let [re, rn, rl, offset] = [r.residual, r.norm, r.length, r.offset.abs()].map(f64::from);
    let bound = qe * rn + (qn + qe) * re + (dim as f64 + 64.0) * UNIT * ql * rl + 4.0 * UNIT * offset;
    let underflow = (dim as f64 + 8.0) * f64::from(f32::from_bits(1)) * (1.0 + ql + rl);
    // Scores this large may overflow f32 on the way, which no bound of this kind covers.
    if ql * rl < f64::from(f32::MAX) / 16.0 { (bound + underflow) * (1.0 + 64.0 * UNIT) } else { f64::INFINITY }
}

/// A value not above `x`, as f32.
pub(crate) fn lower(x: f64) -> f32 {
    (x as f32).next_down()
}

/// The candidates of one gallery row or query: approximate scores above the cut, and their ids.
struct Candidates<'a> {
    scores: &'a mut [f32],
    ids: &'a mut [u32],
    /// How many are held; [`GIVEN_UP`] once the f32 pass has to do it.
    len: &'a mut u32,
    cut: &'a mut f32,
    /// Pairs computed in f32 so far.
    rescored: &'a mut u32,
}

const GIVEN_UP: u32 = u32::MAX;

/// Candidates that a list holds at most: real embeddings leave about 2 k.
fn capacity(k: usize) -> usize {
    k.saturating_mul(3).saturating_add(128) // two strips; the same on all targets, as sizes are
}

/// Words of a list for `k`, its k best exact scores included.
fn list_words(k: usize) -> usize {
    capacity(k).saturating_mul(2).saturating_add(k).saturating_add(3)
}

/// The candidate lists of a chunk, in the caller's scratch.
struct Lists<'a> {
    lens: &'a mut [u32],
    rescored: &'a mut [u32],
    ids: &'a mut [u32],
    cuts: &'a mut [f32],
    best: &'a mut [f32],
    scores: &'a mut [f32],
    capacity: NonZeroUsize,
    k: usize,
}

impl<'a> Lists<'a> {
    /// Lists that a scratch of that many bytes has room for.
    fn rows_in(bytes: usize, k: usize) -> usize {
        (bytes / 4).saturating_sub(1) / NonZeroUsize::MIN.saturating_add(list_words(k) - 1)
    }

    fn new(scratch: &'a mut [u8], k: usize) -> Option<Lists<'a>> {
        let (rows, capacity) = (Self::rows_in(scratch.len(), k), NonZeroUsize::new(capacity(k))?);
        let (lens, words) = kernel::u32_part(scratch).split_at_mut_checked(rows)?;
        let (rescored, words) = words.split_at_mut_checked(rows)?;
        let (ids, words) = words.split_at_mut_checked(rows.checked_mul(capacity.get())?)?;
        let (cuts, floats) = kernel::as_f32_mut(words).split_at_mut_checked(rows)?;
        let (best, scores) = floats.split_at_mut_checked(rows.checked_mul(k)?)?;
        Some(Lists { lens, rescored, ids, cuts, best, scores, capacity, k })
    }

    /// What a score of row `i` must be greater than.
    fn cut(&self, i: usize) -> f32 {
        self.cuts.get(i).copied().unwrap_or(f32::NEG_INFINITY)
    }

    /// Lowers the cut of row `i` by what the error has grown: both rules made it for rows whose error was smaller.
    fn widen(&mut self, i: usize, by: f64) {
        if let Some(cut) = self.cuts.get_mut(i)
            && by > 0.0
        {
            *cut = lower(f64::from(*cut) - by);
        }
    }

    /// The list of row `i`, and its k best exact scores.
    fn row(&mut self, i: usize) -> Option<(Candidates<'_>, &mut [f32])> {
        let capacity = self.capacity.get();
        let at = i.wrapping_mul(capacity);
        let candidates = Candidates {
            scores: self.scores.get_mut(at..)?.get_mut(..capacity)?,
            ids: self.ids.get_mut(at..)?.get_mut(..capacity)?,
            len: self.lens.get_mut(i)?,
            cut: self.cuts.get_mut(i)?,
            rescored: self.rescored.get_mut(i)?,
        };
        Some((candidates, self.best.get_mut(i.wrapping_mul(self.k)..)?.get_mut(..self.k)?))
    }
}

/// How candidates are judged.
struct Judge<F> {
    k: usize,
    /// Bounds the error of the approximate scores of all rows so far.
    error: f64,
    /// Exact scores are approximated by those of the list plus this.
    offset: f64,
    /// With more pairs than this computed one by one the f32 pass would be cheaper.
    most_rescored: usize,
    /// Computes and keeps the exact scores of the given rows (the floats are work memory, one each); returns the k-th best exact
    /// score so far, `-inf` where fewer are known.
    exact: F,
}

impl Candidates<'_> {
    /// Starts over: what is not above `cut` cannot be among the best. Without a bound the list is given up at once.
    fn begin(&mut self, cut: f64, error: f64) {
        *self.len = if error.is_finite() { 0 } else { GIVEN_UP };
        *self.cut = lower(cut);
        *self.rescored = 0;
    }

    fn free(&self) -> usize {
        self.scores.len().saturating_sub(*self.len as usize)
    }

    /// Adds the approximate scores of the rows `first..`; with a bitmap, those of the first strip that it allows.
    fn add(
        &mut self,
        isa: Supported,
        scores: &[f32],
        first: usize,
        allowed: u64,
        judge: &mut Judge<impl FnMut(&[u32], &mut [f32]) -> f32>,
    ) {
        for (s, strip) in scores.chunks(STRIP).enumerate() {
            let mut mask = kernel::above(isa, strip, *self.cut) & allowed;
            if mask == 0 || *self.len == GIVEN_UP {
                continue;
            }
            if self.free() < mask.count_ones() as usize {
                self.compact(isa, judge.k, judge.error);
                if self.free() < STRIP {
                    self.resolve(isa, judge);
                }
                mask = kernel::above(isa, strip, *self.cut) & allowed;
                if *self.len == GIVEN_UP {
                    continue;
                }
            }
            let len = *self.len as usize;
            let free = self.scores.get_mut(len..).unwrap_or_default().iter_mut().zip(self.ids.get_mut(len..).unwrap_or_default());
            for ((score, id), at) in free.zip(bits(mask)) {
                *score = strip.get(at).copied().unwrap_or(f32::NEG_INFINITY);
                *id = (first + s * STRIP + at) as u32;
            }
            *self.len += mask.count_ones();
        }
    }

    /// Drops what is more than twice the error below the k-th largest of the list.
    fn compact(&mut self, isa: Supported, k: usize, error: f64) {
        let len = *self.len as usize;
        if let Some(scores) = self.scores.get(..len).filter(|scores| scores.len() >= k) {
            // A few more than k may reach it: a cut that is a little too low costs less than finding the exact place.
            let reached = reached_by(isa, scores, k, k / 16);
            *self.cut = self.cut.max(lower(f64::from(reached) - 2.0 * error));
        }
        *self.len = self.move_front(0, len, *self.cut) as u32;
    }

    /// Moves the candidates above `cut` among `from..to` to its front; returns where they end.
    fn move_front(&mut self, from: usize, to: usize, cut: f32) -> usize {
        let mut kept = from;
        for i in from..to {
            let above = self.scores.get(i).is_some_and(|&score| score > cut);
            if i < self.scores.len() && i < self.ids.len() && kept <= i {
                self.scores.swap(kept, i);
                self.ids.swap(kept, i);
            }
            kept += usize::from(above);
        }
        kept
    }

    /// Computes in f32 what of the list may be among the k best, and empties it.
    fn resolve(&mut self, isa: Supported, judge: &mut Judge<impl FnMut(&[u32], &mut [f32]) -> f32>) {
        let len = *self.len as usize;
        // The k most promising first: with their exact scores most of the others need none.
        let promising = match self.scores.get(..len).filter(|scores| scores.len() > judge.k) {
            Some(scores) => {
                let reached = reached_by(isa, scores, judge.k, judge.k / 16);
                self.move_front(0, len, reached.next_down())
            }
            None => len,
        };
        let threshold = self.compute(0, promising, judge);
        self.raise(threshold, judge);
        let end = self.move_front(promising, len, *self.cut);
        let threshold = self.compute(promising, end, judge);
        self.raise(threshold, judge);
        *self.len = if *self.rescored as usize > judge.most_rescored { GIVEN_UP } else { 0 };
    }

    fn compute(&mut self, from: usize, to: usize, judge: &mut Judge<impl FnMut(&[u32], &mut [f32]) -> f32>) -> f32 {
        *self.rescored = self.rescored.saturating_add((to - from) as u32);
        let (ids, work) = (self.ids.get(from..to).unwrap_or_default(), self.scores.get_mut(from..to).unwrap_or_default());
        (judge.exact)(ids, work)
    }

    /// k exact scores reach the threshold: what is more than the error below it is out.
    fn raise<F>(&mut self, threshold: f32, judge: &Judge<F>) {
        *self.cut = self.cut.max(lower(f64::from(threshold) - judge.offset - judge.error));
    }
}

pub(crate) const TOO_SMALL: Error = Error { status: Status::Capacity, argument: "scratch" };

/// Least scratch of the certified calls: one list, and what a row needs that is given up.
pub(crate) fn scratch_min(k: usize) -> usize {
    k.saturating_mul(4).saturating_add(list_words(k).saturating_mul(4)).saturating_add(kernel::SCRATCH_MIN + 64)
}

/// Recommended bytes of scratch of the certified functions: 1 MiB, or more for k above 12,125. The least is
/// `32 k + 5,196`: slower.
pub fn certified_scratch(k: usize, dim: usize) -> usize {
    let _ = dim;
    scratch_min(k).saturating_add(TILE_BYTES).max(1 << 20)
}

/// Times dearer a pair computed alone is than one of the f32 pass.
pub(crate) const DEARER: usize = 8;

/// Queries whose lists are filled in one pass over the codes.
const QUERY_BLOCK: usize = 16;

/// [`search`](crate::search()) of f32 rows, bit for bit, by their codes: a quarter of the memory traffic.
///
/// `scratch`: [`certified_scratch`]. Queries are encoded with the mean and seed of the gallery.
///
/// # Errors
/// As [`search`](crate::search()), and `Capacity` for a scratch below the least of [`certified_scratch`].
#[allow(clippy::too_many_arguments)] // the C signature, argument for argument
pub fn search_certified(
    queries: &Encoded,
    gallery: &Encoded,
    bias: Option<&[f32]>,
    allow: Option<&[u64]>,
    k: usize,
    rows: Range<usize>,
    scratch: &mut [u8],
    hits: &mut [Hit],
    found: &mut [u32],
) -> Result<Certificate> {
    let isa = cpu::active();
    let span = check_shape(&queries.rows, &gallery.rows, bias, allow, k, &rows, hits, found)?;
    ensure(scratch.len() >= scratch_min(k), TOO_SMALL.status, TOO_SMALL.argument)?;
    check_values(isa, &queries.rows, bias, &rows)?;
    let dim = queries.rows.dim();
    // Large blocks of rows where they leave at least half of the scratch, and that is enough for the rest.
    let large = scratch.len() / 2 >= scratch_min(k).max(QUERY_BLOCK * BLOCK_ROWS * 4);
    let most_rows = if large { BLOCK_ROWS } else { STRIP };
    let (scores, list_bytes) = scratch.split_at_mut_checked(QUERY_BLOCK * most_rows * 4 + 3).ok_or(TOO_SMALL)?;
    let scores = kernel::f32_part(scores);
    let block_rows = block_rows(dim, most_rows);
    let query_block = Lists::rows_in(list_bytes.len(), k).min(QUERY_BLOCK);
    let mut lists = Lists::new(list_bytes, k).ok_or(TOO_SMALL)?;
    let mut done = Certificate::default();
    for group in Span::new(0, queries.rows.rows()).parts(query_block) {
        let mut errors = [0f64; QUERY_BLOCK];
        found.get_mut(group.first..).and_then(|f| f.get_mut(..group.count)).unwrap_or_default().fill(0);
        for i in 0..group.count {
            lists.row(i).ok_or(TOO_SMALL)?.0.begin(f64::NEG_INFINITY, 0.0);
        }
        let mut judge = |lists: &mut Lists, i: usize, error: f64, news: Option<(&Strip, &[f32])>| {
            let q = group.first + i;
            let best = hits.get_mut(q.wrapping_mul(k)..).and_then(|h| h.get_mut(..k));
            let (Some((mut list, _)), Some(query), Some(best), Some(count)) =
                (lists.row(i), queries.rows.row(q), best, found.get_mut(q))
            else {
                return;
            };
            let exact = |ids: &[u32], _: &mut [f32]| {
                rescore(isa, query, &gallery.rows, bias, ids, best, count);
                if *count as usize == k { best.last().map_or(f32::NEG_INFINITY, |hit| hit.score) } else { f32::NEG_INFINITY }
            };
            let mut judge = Judge { k, error, offset: 0.0, most_rescored: span.count / DEARER, exact };
            match news {
                Some((strip, scores)) if error.is_finite() => list.add(isa, scores, strip.rows.first, strip.allowed, &mut judge),
                Some(_) => *list.len = GIVEN_UP,
                None if *list.len != GIVEN_UP => {
                    list.compact(isa, k, error);
                    list.resolve(isa, &mut judge);
                    *list.len = 0; // resolved in full, however many there were
                    done.rescored += u64::from(*list.rescored);
                }
                None => {}
            }
        };
        for block in blocks(span, block_rows, allow) {
            <i8 as Dtype>::grid(isa, &queries.codes, group, &gallery.codes, block, scores, block_rows);
            let worst = gallery.worst(block);
            let bias = bias.and_then(|b| b.get(block.first..)?.get(..block.count));
            // The subtraction of the bias rounds here and in the f32 path; biases this large may make it overflow, which makes a row no
            // hit, however large its score.
            let largest = bias.map_or(0.0, |b| f32::from_bits(kernel::max_abs_bits(isa, b)));
            let rounding = if largest < f32::MAX / 16.0 { 8.0 * UNIT * f64::from(largest) } else { f64::INFINITY };
            for ((i, scores), error) in scores.chunks_exact_mut(block_rows).take(group.count).enumerate().zip(&mut errors) {
                let scores = scores.get_mut(..block.count).unwrap_or_default();
                gallery.add_offsets(block, &worst, scores);
                let wider = worse_f64(*error, error_bound(dim, &queries.bound(group.first + i), &worst) + rounding);
                lists.widen(i, wider - *error);
                *error = wider;
                let any = kernel::debias(isa, scores, bias, lists.cut(i));
                if !any && error.is_finite() {
                    continue;
                }
                for strip in strips(block, allow) {
                    let at = strip.rows.first - block.first;
                    let scores = scores.get(at..).and_then(|s| s.get(..strip.rows.count)).unwrap_or_default();
                    judge(&mut lists, i, *error, Some((&strip, scores)));
                }
            }
        }
        for (i, error) in (0..group.count).zip(errors) {
            judge(&mut lists, i, error, None);
        }
        for i in 0..group.count {
            let q = group.first + i;
            let best = hits.get_mut(q.wrapping_mul(k)..).and_then(|h| h.get_mut(..k));
            if let (Some(GIVEN_UP), Some(query), Some(best), Some(count)) =
                (lists.lens.get(i).copied(), queries.rows.row(q), best, found.get_mut(q))
            {
                let query = Matrix::new(query, 1, dim)?;
                search(&query, &gallery.rows, bias, allow, k, rows.clone(), &mut [], best, core::slice::from_mut(count))?;
                done.exhausted += 1;
            }
        }
    }
    Ok(done)
}

/// Computes the scores of candidates in f32 and keeps the best.
fn rescore(
    isa: Supported,
    query: &[f32],
    gallery: &Matrix<f32>,
    bias: Option<&[f32]>,
    ids: &[u32],
    best: &mut [Hit],
    count: &mut u32,
) {
    for &id in ids {
        let Some(row) = gallery.row(id as usize) else { continue };
        let bias = bias.and_then(|b| b.get(id as usize).copied());
        let score = <f32 as Dtype>::pair(isa, query, row);
        let score = bias.map_or(score, |bias| score - bias) + 0.0;
        if score.is_finite() {
            *count = merge_batch(best, *count as usize, &[Hit { score, id }]) as u32;
        }
    }
}

fn worse_f64(a: f64, b: f64) -> f64 {
    if a >= b || a.is_nan() { a } else { b }
}

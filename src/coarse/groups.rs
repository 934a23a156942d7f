//! Which lists a row probes, turned around: which rows probe a list. So a list is read once for all of them, however many.

use super::lists::{counting_sort, gather, list};
use crate::cpu::Supported;
use crate::kernel::{self, SCRATCH_MIN, STRIP, Span, TILE_BYTES, words_as};
use crate::matrix::{Element, Matrix};
use crate::search::scan;
use crate::shortlist::reached_by;
use crate::topk::bits;
use core::num::NonZeroUsize;

/// Rows whose lists are chosen together.
const CHOICE_ROWS: usize = 16;

/// Words of scores while they are.
const SCAN_WORDS: usize = CHOICE_ROWS * 256 + 16;

/// Words of the rows that are multiplied with a list at once, and most such rows.
const GATHERED_WORDS: usize = 128 * 1024;
pub(super) const GATHERED_MAX: usize = 256;

/// Rows with which every list has rows enough to be worth packing.
const ROWS: usize = 8192;

/// A row has memory for twice as many candidates as its probes and this: for its best, and a strip of scores at least.
const ROOM: usize = 64;
const _: () = assert!(2 * ROOM >= STRIP);

/// Words of the least tiles, aligned.
const TILES_MIN: usize = SCRATCH_MIN / 4 + 16;

/// Recommended bytes of scratch of [`coarse_neighbors`](crate::coarse_neighbors) for so many gallery rows, and of
/// [`coarse_search`](crate::coarse_search) for so many queries: 8 bytes for each of up to 8,192 rows and each of its probes, about
/// 1.2 MiB beside (256 bytes a probe where those are thousands), and 4 bytes a list. `usize::MAX` when that is not representable. Good
/// for every element type and instruction set.
///
/// Less works too, slower, down to that of one row.
pub fn coarse_scratch(rows: usize, lists: usize, probes: usize, dim: usize) -> usize {
    let probes = probes.min(lists);
    let rows = rows.clamp(1, ROWS);
    let work = if rows == 1 { Some(least_work(probes, dim)) } else { full_work(probes, dim) };
    let words = probes.checked_mul(2 * rows).and_then(|n| n.checked_add(lists)).and_then(|n| n.checked_add(work?));
    words.and_then(|n| n.checked_mul(4)?.checked_add(68)).unwrap_or(usize::MAX)
}

/// Words of work memory for one row at a time: its elements, its candidates; or its elements and the least tiles.
fn least_work(probes: usize, dim: usize) -> usize {
    dim.saturating_add(1).saturating_add(Candidates::words(probes).max(TILES_MIN))
}

/// Words of work memory for full speed.
fn full_work(probes: usize, dim: usize) -> Option<usize> {
    let choice = Candidates::words(probes).checked_add(dim)?.checked_mul(CHOICE_ROWS)?.checked_add(SCAN_WORDS)?;
    Some(choice.max(GATHERED_WORDS.max(dim.checked_add(1)?) + TILE_BYTES / 4 + 16))
}

/// The lists that a row may probe, with their scores: in ascending order, those above the cut; when there is no room for another
/// strip all but the best are dropped.
struct Candidates<'a> {
    len: &'a mut u32,
    /// Lists that come later have to score more.
    cut: &'a mut f32,
    scores: &'a mut [f32],
    lists: &'a mut [u32],
}

impl<'a> Candidates<'a> {
    /// Words of memory for a row.
    fn words(probes: usize) -> usize {
        probes.saturating_add(ROOM).saturating_mul(4).saturating_add(2)
    }

    /// Those in this memory.
    fn of(memory: &'a mut [u32]) -> Option<Candidates<'a>> {
        let (len, memory) = memory.split_first_mut()?;
        let (cut, memory) = memory.split_at_mut_checked(1)?;
        let (scores, lists) = memory.split_at_mut_checked(memory.len() / 2)?;
        Some(Candidates { len, cut: words_as(cut).first_mut()?, scores: words_as(scores), lists })
    }

    fn begin(&mut self) {
        (*self.len, *self.cut) = (0, f32::NEG_INFINITY);
    }

    /// Adds a block of scores; NaN and infinities are left out.
    fn add(&mut self, isa: Supported, first: usize, scores: &[f32], probes: usize) {
        for (strip, first) in scores.chunks(STRIP).zip((first..).step_by(STRIP)) {
            if self.scores.len() - (*self.len as usize).min(self.scores.len()) < strip.len() {
                self.keep_best(isa, probes);
            }
            for at in bits(kernel::above(isa, strip, *self.cut)) {
                let place = *self.len as usize;
                if let (Some(&score), Some(to), Some(list)) = (strip.get(at), self.scores.get_mut(place), self.lists.get_mut(place))
                    && score < f32::INFINITY
                {
                    (*to, *list) = (score + 0.0, (first + at) as u32); // one zero: equal scores have equal bits
                    *self.len += 1;
                }
            }
        }
    }

    /// Keeps the `probes` best, of equal scores those of the lower lists, and raises the cut.
    fn keep_best(&mut self, isa: Supported, probes: usize) {
        let len = *self.len as usize;
        let (Some(scores), Some(lists)) = (self.scores.get_mut(..len), self.lists.get_mut(..len)) else { return };
        if len <= probes {
            return;
        }
        let reached = reached_by(isa, scores, probes, 0);
        let reaching = kernel::retain_pairs_above(isa, scores, lists, reached.next_down());
        // Of those that just reach it the first complete the probes.
        let above = kernel::count_above(isa, scores.get(..reaching).unwrap_or_default(), reached);
        let mut equal = probes.saturating_sub(above);
        let mut kept = 0;
        for i in 0..reaching {
            let (Some(&score), Some(&list)) = (scores.get(i), lists.get(i)) else { break };
            if score == reached {
                if equal == 0 {
                    continue;
                }
                equal -= 1;
            }
            if let (Some(to), Some(at)) = (scores.get_mut(kept), lists.get_mut(kept)) {
                (*to, *at) = (score, list);
                kept += 1;
            }
        }
        (*self.len, *self.cut) = (kept as u32, reached);
    }

    /// The lists of the `probes` best, ascending.
    fn finish(mut self, isa: Supported, probes: usize) -> &'a [u32] {
        self.keep_best(isa, probes);
        self.lists.get(..*self.len as usize).unwrap_or_default()
    }
}

/// The memory of a pass.
pub(super) struct Groups<'a> {
    /// Where each list's rows begin in `members`.
    starts: &'a mut [u32],
    /// Lists of each row, `probes` a row; then, turned around, rows (times `probes`, plus which probe) of each list.
    picks: &'a mut [u32],
    members: &'a mut [u32],
    work: &'a mut [u32],
    probes: usize,
}

impl<'a> Groups<'a> {
    /// Cuts the scratch for passes over `rows` rows, or `None` when it is too small for one.
    pub(super) fn new(scratch: &'a mut [u8], rows: usize, lists: usize, probes: usize, dim: usize) -> Option<Groups<'a>> {
        let probes = probes.min(lists);
        let (starts, words) = kernel::u32_part(scratch).split_at_mut_checked(lists.checked_add(1)?)?;
        let each = probes.saturating_mul(2);
        // Full speed for the work where that leaves room for rows, else they share.
        let rows = rows.clamp(1, ROWS);
        let full = full_work(probes, dim)?;
        let work = if words.len().saturating_sub(full) >= each.saturating_mul(rows.min(64)) { full } else { words.len() / 2 };
        let work = work.min(words.len().saturating_sub(each)).max(least_work(probes, dim));
        let (work, words) = words.split_at_mut_checked(work)?;
        let rows = words.len().checked_div(each).map_or(rows, |fit| fit.min(rows));
        // Members are counted in 32 bits.
        let rows = (u32::MAX as usize).checked_div(probes).map_or(rows, |most| most.min(rows));
        let (picks, words) = words.split_at_mut_checked(rows * probes)?;
        let members = words.get_mut(..rows * probes)?;
        (rows > 0).then_some(Groups { starts, picks, members, work, probes })
    }

    /// Rows of a pass.
    pub(super) fn rows(&self) -> usize {
        self.picks.len().checked_div(self.probes).unwrap_or(usize::MAX)
    }

    /// Chooses the lists of a span of rows (not more than [`rows`](Self::rows)): of those that hold a row, the `probes` with the
    /// largest inner product of centroid and row, ties by the lower list. The rows of each list are then those of
    /// [`members`](Self::members).
    pub(super) fn choose<T: Element>(
        &mut self,
        isa: Supported,
        m: &Matrix<T>,
        rows: Span,
        centroids: &Matrix<f32>,
        offsets: &[u32],
    ) -> Option<()> {
        let (dim, probes) = (m.dim(), self.probes);
        let picks = self.picks.get_mut(..rows.count * probes)?;
        picks.fill(u32::MAX);
        let room = NonZeroUsize::new(Candidates::words(probes))?;
        let batch = (self.work.len() / room.saturating_add(dim)).clamp(1, CHOICE_ROWS);
        let mut done = 0;
        while done < rows.count && probes > 0 {
            let count = batch.min(rows.count - done);
            let (values, words) = self.work.split_at_mut_checked(count * dim)?;
            let (candidates, words) = words.split_at_mut_checked(count * room.get())?;
            let (values, words) = (words_as::<f32>(values), words_as::<u8>(words));
            for (i, values) in values.chunks_exact_mut(dim.max(1)).enumerate() {
                let at = rows.first + done + i;
                let scale = m.scale(at);
                m.row(at)?.iter().zip(values).for_each(|(x, value)| *value = x.to_f64() as f32 * scale);
            }
            for memory in candidates.chunks_exact_mut(room.get()) {
                Candidates::of(memory)?.begin();
            }
            let queries = Matrix::new(values, count, dim).ok()?;
            scan(isa, &queries, centroids, Span::new(0, centroids.rows()), None, words, |q, block, scores| {
                for (score, l) in scores.iter_mut().zip(block.first..) {
                    if list(offsets, l).count == 0 {
                        *score = f32::NAN; // never chosen
                    }
                }
                if let Some(mut row) = candidates.chunks_exact_mut(room.get()).nth(q).and_then(Candidates::of) {
                    row.add(isa, block.first, scores, probes);
                }
            });
            for (i, memory) in candidates.chunks_exact_mut(room.get()).enumerate() {
                let picks = picks.get_mut((done + i).wrapping_mul(probes)..).and_then(|p| p.get_mut(..probes)).unwrap_or_default();
                let lists = Candidates::of(memory)?.finish(isa, probes);
                picks.iter_mut().zip(lists).for_each(|(pick, list)| *pick = *list);
            }
            done += count;
        }
        counting_sort(picks, self.starts, self.members);
        for member in self.members.iter_mut() {
            *member = member.checked_div(probes as u32).unwrap_or(0);
        }
        Some(())
    }

    /// Whether row `i` of the span probed list `l`.
    pub(super) fn probed(&self, i: usize, l: usize) -> bool {
        self.picks.chunks_exact(self.probes.max(1)).nth(i).is_some_and(|picks| picks.contains(&(l as u32)))
    }

    /// Gives away the rows of every list that has any: list, rows of the span (ascending), those rows as a matrix, and work memory.
    /// `spare`: words of work memory that are better left.
    pub(super) fn each<T: Element>(
        &mut self,
        m: &Matrix<T>,
        rows: Span,
        spare: usize,
        mut give: impl FnMut(usize, &[u32], &Matrix<T>, &mut [u8]) -> Option<()>,
    ) -> Option<()> {
        let most = gathered_rows(self.work.len(), spare, m.dim());
        let part = m.part(rows);
        for l in 0..self.starts.len().saturating_sub(1) {
            let Span { first, count } = list(self.starts, l);
            let members = self.members.get(first..)?.get(..count)?;
            for members in members.chunks(most) {
                with_gathered(&part, members, self.work, |gathered, rest| give(l, members, gathered, rest))?;
            }
        }
        Some(())
    }

    /// The work memory, between passes.
    pub(super) fn work(&mut self) -> &mut [u32] {
        self.work
    }
}

/// Rows that are multiplied at once.
fn gathered_rows(work: usize, spare: usize, dim: usize) -> usize {
    let room = work.saturating_sub(spare.max(TILES_MIN)).min(GATHERED_WORDS).max(work.saturating_sub(TILES_MIN) / 4);
    room.checked_div(dim + 1).unwrap_or(1).clamp(1, GATHERED_MAX)
}

/// Copies the rows next to each other, and gives them and the rest of the memory away.
pub(super) fn with_gathered<T: Element>(
    m: &Matrix<T>,
    members: &[u32],
    work: &mut [u32],
    give: impl FnOnce(&Matrix<T>, &mut [u8]) -> Option<()>,
) -> Option<()> {
    let (scale, words) = work.split_at_mut_checked(members.len())?;
    let needed = members.len() * m.dim();
    let (data, rest) = words.split_at_mut_checked((needed * size_of::<T>()).div_ceil(4))?;
    let (data, scale) = (words_as::<T>(data).get_mut(..needed)?, words_as::<f32>(scale));
    gather(m, members, data, m.dim(), scale);
    let gathered = Matrix::new(data, members.len(), m.dim()).ok()?.with_scales(scale);
    give(&gathered, words_as::<u8>(rest))
}

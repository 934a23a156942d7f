//! Which lists each row visits, list by list: what both sides of probing have in common.

use super::{Coarse, copy_rows, copy_scales, sort_into_lists};
use crate::cpu::Supported;
use crate::kernel::{self, SCRATCH_MIN, Sink, Span, TILE_BYTES};
use crate::matrix::{Element, Matrix};
use crate::status::{Error, Result, Status};
use crate::topk::bits;

pub(super) const TOO_SMALL: Error = Error { status: Status::Capacity, argument: "scratch" };

/// Rows that are planned together at most, and bytes for those of a list that are copied next to each other.
const ROWS: usize = 32_768;
const GATHERED: usize = 1 << 20;

/// Words per row and probe: score and number of a list, and the pair's place in the order of the lists.
const PAIR_WORDS: usize = 3;

/// Recommended bytes of scratch of [`Neighbors::probe`](crate::Neighbors::probe) and [`search_probed`](crate::search_probed) for that many
/// rows (or queries): 1.7 MiB, 4 per list, 12 per probe of up to 32,768 rows. Smaller works, slower, down to [`probe_scratch_min`].
/// `usize::MAX` when not representable.
pub fn probe_scratch(rows: usize, lists: usize, probes: usize, dim: usize) -> usize {
    let pairs = rows.min(ROWS).saturating_mul(probes.min(lists)).saturating_mul(4 * PAIR_WORDS);
    probe_scratch_min(lists, probes, dim).saturating_add(TILE_BYTES).saturating_add(GATHERED).saturating_add(pairs)
}

/// The least scratch: 8 KiB and a row, 4 per list, 12 per probe.
pub fn probe_scratch_min(lists: usize, probes: usize, dim: usize) -> usize {
    let words = lists.saturating_add(probes.min(lists).saturating_mul(PAIR_WORDS)).saturating_add(dim).saturating_add(4);
    words.saturating_mul(4).saturating_add(2 * SCRATCH_MIN)
}

/// A scratch, cut.
pub(super) struct Parts<'a> {
    /// For the kernels.
    pub tiles: &'a mut [u8],
    /// Rows of a list, next to each other.
    gathered: &'a mut [u8],
    words: &'a mut [u32],
    probes: usize,
    lists: usize,
}

impl<'a> Parts<'a> {
    /// For at most `rows` rows of `dim` elements of `bytes` bytes.
    pub fn new<T: Element>(scratch: &'a mut [u8], rows: usize, coarse: &Coarse<T>, probes: usize) -> Result<Parts<'a>> {
        let (lists, probes) = (coarse.lists(), probes.min(coarse.lists()));
        let row_bytes = coarse.centroids.dim() * size_of::<T>() + 4;
        // Each part its least, and of what is left a share: tiles and pairs up to what they can use.
        let least_words = 4 * (lists + 1 + probes * PAIR_WORDS);
        let least = least_words + SCRATCH_MIN + row_bytes + 16;
        let spare = scratch.len().checked_sub(least).ok_or(TOO_SMALL)?;
        let pairs = (spare / 2).min(rows.min(ROWS).saturating_sub(1).saturating_mul(4 * PAIR_WORDS * probes));
        let tiles = ((spare - pairs) / 2).min(TILE_BYTES);
        let (words, rest) = scratch.split_at_mut_checked(least_words + pairs + 3).ok_or(TOO_SMALL)?;
        let (tiles, gathered) = rest.split_at_mut_checked(SCRATCH_MIN + tiles).ok_or(TOO_SMALL)?;
        Ok(Parts { tiles, gathered, words: kernel::u32_part(words), probes, lists })
    }

    /// Rows that can be planned together, at least 1.
    pub fn rows(&self) -> usize {
        let pairs = self.words.len().saturating_sub(self.lists + 1) / (PAIR_WORDS * self.probes).max(1);
        pairs.clamp(1, ROWS)
    }

    /// Plans the rows of a span, and cuts the rest for carrying out.
    pub fn plan<T: Element>(&mut self, isa: Supported, coarse: &Coarse<T>, rows: &Matrix<T>, span: Span) -> Result<Planned<'_>> {
        let pairs = span.count * self.probes;
        let (offsets, words) = self.words.split_at_mut_checked(self.lists + 1).ok_or(TOO_SMALL)?;
        let (scores, words) = words.split_at_mut_checked(pairs).ok_or(TOO_SMALL)?;
        let (lists, words) = words.split_at_mut_checked(pairs).ok_or(TOO_SMALL)?;
        let order = words.get_mut(..pairs).ok_or(TOO_SMALL)?;
        let scores = kernel::as_f32_mut(scores);
        scores.fill(f32::NEG_INFINITY);
        lists.fill(NO_LIST);
        let mut sink = Visits { coarse, scores, lists, probes: self.probes };
        kernel::tile_pass(isa, rows, span, &coarse.centroids, self.tiles, &mut sink).ok_or(TOO_SMALL)?;
        let found = lists.iter().map(|list| (*list != NO_LIST).then_some(*list));
        sort_into_lists(found, offsets, order);
        // The number of a pair becomes that of its row.
        order.iter_mut().for_each(|pair| *pair /= self.probes.max(1) as u32);
        Ok(Planned { offsets, order, gathered: self.gathered, tiles: self.tiles, first: span.first })
    }
}

const NO_LIST: u32 = u32::MAX;

/// The lists of each row with the largest scores, best first; of equals the first. Empty lists are passed over, so that further ones are
/// visited until there are rows.
struct Visits<'a, 'b, T> {
    coarse: &'a Coarse<'b, T>,
    scores: &'a mut [f32],
    lists: &'a mut [u32],
    probes: usize,
}

impl<T: Element> Sink for Visits<'_, '_, T> {
    fn limit(&mut self, row: usize) -> f32 {
        let last = row.wrapping_mul(self.probes).wrapping_add(self.probes).wrapping_sub(1);
        self.scores.get(last).map_or(f32::INFINITY, |score| score.next_down())
    }

    fn take(&mut self, row: usize, first: usize, scores: &[f32], mask: u64) {
        let range = row.wrapping_mul(self.probes)..row.wrapping_mul(self.probes).wrapping_add(self.probes);
        let (Some(best), Some(lists)) = (self.scores.get_mut(range.clone()), self.lists.get_mut(range)) else { return };
        for at in bits(mask) {
            let (Some(&score), id) = (scores.get(at), first + at) else { continue };
            if score.is_finite() && self.coarse.list(id).count > 0 {
                insert_pair(best, lists, score + 0.0, id as u32);
            }
        }
    }
}

/// Inserts into two arrays that are sorted by score descending, then number ascending; the last falls out.
fn insert_pair(scores: &mut [f32], lists: &mut [u32], score: f32, list: u32) {
    let mut item = (score, list);
    let before = |a: &(f32, u32), b: (f32, u32)| a.0 > b.0 || (a.0 == b.0 && a.1 < b.1);
    if scores.last().zip(lists.last()).is_none_or(|(s, l)| !before(&item, (*s, *l))) {
        return;
    }
    let at = scores.iter().zip(lists.iter()).take_while(|(s, l)| !before(&item, (**s, **l))).count();
    for (s, l) in scores.iter_mut().zip(lists.iter_mut()).skip(at) {
        (item, (*s, *l)) = ((*s, *l), item);
    }
}

/// Rows by the lists that they visit.
pub(super) struct Planned<'a> {
    offsets: &'a [u32],
    order: &'a [u32],
    gathered: &'a mut [u8],
    tiles: &'a mut [u8],
    first: usize,
}

impl Planned<'_> {
    /// Calls `visit` with each list's span, the visiting rows as a matrix, their numbers within the plan, and memory for the kernels.
    /// Returns how many pairs of rows that is in all.
    pub fn for_each_list<T: Element>(
        &mut self,
        coarse: &Coarse<T>,
        rows: &Matrix<T>,
        mut visit: impl FnMut(Span, &Matrix<T>, &[u32], &mut [u8]) -> Option<()>,
    ) -> Result<u64> {
        let dim = rows.dim();
        let mut pairs = 0;
        for list in 0..coarse.lists() {
            let (Some(&from), Some(&to)) = (self.offsets.get(list), self.offsets.get(list + 1)) else { continue };
            let visitors = self.order.get(from as usize..to as usize).unwrap_or_default();
            let span = coarse.list(list);
            pairs += visitors.len() as u64 * span.count as u64;
            let most = (self.gathered.len().saturating_sub(8) / (dim * size_of::<T>() + 4)).max(1);
            for visitors in visitors.chunks(most) {
                let scales = visitors.len() * 4 + 3;
                let (scales, elements) = self.gathered.split_at_mut_checked(scales).ok_or(TOO_SMALL)?;
                let scales = kernel::f32_part(scales).get_mut(..visitors.len()).ok_or(TOO_SMALL)?;
                let elements = T::part(elements).get_mut(..visitors.len() * dim).ok_or(TOO_SMALL)?;
                gather_from(rows, self.first, visitors, elements, scales);
                let matrix = Matrix::gathered(elements, rows.scales().map(|_| &*scales), visitors.len(), dim);
                visit(span, &matrix, visitors, self.tiles).ok_or(TOO_SMALL)?;
            }
        }
        Ok(pairs)
    }
}

/// Rows `first + number` of a matrix.
fn gather_from<T: Element>(rows: &Matrix<T>, first: usize, numbers: &[u32], elements: &mut [T], scales: &mut [f32]) {
    let part = rows.part(Span::new(first, rows.rows().saturating_sub(first)));
    copy_rows(&part, numbers, elements, rows.dim());
    copy_scales(&part, numbers, scales);
}

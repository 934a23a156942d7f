//! Short lists: the k best of a stream of scores for k too large to insert one by one.
//!
//! Each row has a buffer with room for more than k. Scores above the row's *cut* are appended in any order; when the buffer is
//! full, a bisection over the values finds one that at least k of them reach, all below it (less a margin) are dropped, and it
//! becomes the cut. An append costs a few cycles, and a compaction of the buffer is paid for by the appends that filled it.
#![forbid(unsafe_code)]

use crate::cpu::Supported;
use crate::kernel::{self, APPEND_ROOM};
use core::num::NonZeroUsize;

/// The short list of one row.
pub(crate) struct Shortlist<'a> {
    pub scores: &'a mut [f32],
    pub len: &'a mut u32,
    /// Scores not above it are out.
    pub cut: &'a mut f32,
}

/// Scores that a list for `k` holds at most.
pub(crate) fn capacity(k: usize) -> usize {
    k.saturating_mul(2).max(k.saturating_add(2 * APPEND_ROOM))
}

/// The short lists of a chunk of rows, in the caller's scratch.
pub(crate) struct Lists<'a> {
    lens: &'a mut [u32],
    cuts: &'a mut [f32],
    scores: &'a mut [f32],
    capacity: NonZeroUsize,
}

impl<'a> Lists<'a> {
    /// Bytes for that many lists.
    pub(crate) fn bytes(rows: usize, k: usize) -> usize {
        capacity(k).saturating_add(2).saturating_mul(rows).saturating_add(2).saturating_mul(4)
    }

    /// Lists that a scratch of that many bytes has room for.
    pub(crate) fn rows_in(bytes: usize, k: usize) -> usize {
        (bytes / 4).saturating_sub(2) / NonZeroUsize::MIN.saturating_add(capacity(k).saturating_add(1))
    }

    /// As many lists for `k` as [`rows_in`](Self::rows_in) says.
    pub(crate) fn new(scratch: &'a mut [u8], k: usize) -> Option<Lists<'a>> {
        let rows = Self::rows_in(scratch.len(), k);
        let words = kernel::u32_part(scratch);
        let (lens, words) = words.split_at_mut_checked(rows)?;
        let (cuts, scores) = kernel::as_f32_mut(words).split_at_mut_checked(rows)?;
        Some(Lists { lens, cuts, scores, capacity: NonZeroUsize::new(capacity(k))? })
    }

    /// The cut of row `i`: infinite for a row that is not there.
    pub(crate) fn cut(&self, i: usize) -> f32 {
        self.cuts.get(i).copied().unwrap_or(f32::INFINITY)
    }

    /// The cuts of all rows.
    pub(crate) fn cuts(&self) -> &[f32] {
        self.cuts
    }

    /// Gives row `i` a cut that nothing is above.
    pub(crate) fn close(&mut self, i: usize) {
        if let Some(cut) = self.cuts.get_mut(i) {
            *cut = f32::INFINITY;
        }
    }

    /// Adds one score to row `i`.
    #[inline]
    pub(crate) fn push(&mut self, isa: Supported, i: usize, score: f32, k: usize) {
        let (Some(&cut), Some(len)) = (self.cuts.get(i), self.lens.get_mut(i)) else { return };
        if score > cut
            && score < f32::INFINITY
            && let Some(slot) = self.scores.get_mut(i.wrapping_mul(self.capacity.get()).wrapping_add(*len as usize))
        {
            *slot = score + 0.0; // one zero, as in `add`
            *len += 1;
            if *len as usize == self.capacity.get()
                && let Some(mut list) = self.row(i)
            {
                list.compact(isa, k, true);
            }
        }
    }

    /// The list of row `i`.
    pub(crate) fn row(&mut self, i: usize) -> Option<Shortlist<'_>> {
        let scores = self.scores.get_mut(i.wrapping_mul(self.capacity.get())..)?.get_mut(..self.capacity.get())?;
        Some(Shortlist { scores, len: self.lens.get_mut(i)?, cut: self.cuts.get_mut(i)? })
    }
}

impl Shortlist<'_> {
    /// Starts over with the best so far: sorted, `-inf` where fewer than k were seen.
    pub(crate) fn begin(&mut self, seed: &[f32]) {
        let seen = seed.iter().take_while(|x| **x > f32::NEG_INFINITY).count();
        *self.len = seen as u32;
        *self.cut = seed.last().copied().unwrap_or(f32::NEG_INFINITY);
        for (slot, x) in self.scores.iter_mut().zip(seed) {
            *slot = *x;
        }
    }

    /// Adds the scores whose bit is set (NaN and infinities are left out), at most [`STRIP`] of them.
    pub(crate) fn add(&mut self, isa: Supported, scores: &[f32], mask: u64, k: usize) {
        if self.scores.len() - (*self.len as usize).min(self.scores.len()) < APPEND_ROOM {
            self.compact(isa, k, true);
        }
        let free = self.scores.get_mut(*self.len as usize..).unwrap_or_default();
        *self.len += kernel::append(isa, scores, mask, *self.cut, free) as u32;
    }

    /// Keeps k scores, and with `slack` perhaps a few more: the k largest among them. Raises the cut.
    fn compact(&mut self, isa: Supported, k: usize, slack: bool) {
        let Some(held) = self.scores.get_mut(..*self.len as usize) else { return };
        if held.len() <= k {
            return;
        }
        // One zero: what is filled in below must not be -0.
        let reached = reached_by(isa, held, k, if slack { (held.len() - k) / 8 } else { 0 }) + 0.0;
        let above = kernel::retain_above(isa, held, reached);
        // Equal scores that reach it may be more than there is room for; of those as many as complete k are kept.
        if let Some(equal) = held.get_mut(above..k) {
            equal.fill(reached);
        }
        *self.len = above.max(k) as u32;
        *self.cut = reached;
    }

    /// The k largest in any order, padded with -inf, and work memory for as many.
    pub(crate) fn finish(&mut self, isa: Supported, k: usize) -> (&mut [f32], &mut [f32]) {
        self.compact(isa, k, false);
        if let Some(rest) = self.scores.get_mut(*self.len as usize..k) {
            rest.fill(f32::NEG_INFINITY);
        }
        self.scores.split_at_mut_checked(k).unwrap_or_default()
    }
}

/// Sorts, best first; there is no NaN. Without room in `work` for as many it takes longer.
pub(crate) fn sort_descending(isa: Supported, scores: &mut [f32], work: &mut [f32]) {
    /// Up to here comparing all with all, a vector at a time, is faster.
    const RANK_MAX: usize = 160;
    match work.get_mut(..scores.len()) {
        Some(work) if scores.len() <= RANK_MAX => kernel::sort_by_rank(isa, scores, work),
        Some(work) => sort_by_digits(isa, scores, work),
        None => heap_sort(scores),
    }
}

/// Sorts by the bytes of how far below the greatest a score is, as an integer; neighbours in value differ in three of them at most.
/// `work` is as long as the scores.
fn sort_by_digits<'a>(isa: Supported, mut scores: &'a mut [f32], mut work: &'a mut [f32]) {
    let (least, most) = kernel::min_max(isa, scores);
    let range = most.wrapping_sub(least) as u32;
    let mut in_work = false;
    for shift in [0, 8, 16, 24] {
        if range >> shift == 0 {
            break;
        }
        let digit = |score: f32| usize::from((most.wrapping_sub(key(score)) as u32 >> shift) as u8);
        let mut starts = [0u32; 256];
        scores.iter().for_each(|score| starts[digit(*score)] += 1);
        starts.iter_mut().fold(0, |start, count| start + core::mem::replace(count, start));
        for score in &*scores {
            let place = &mut starts[digit(*score)];
            if let Some(slot) = work.get_mut(*place as usize) {
                *slot = *score;
            }
            *place += 1;
        }
        core::mem::swap(&mut scores, &mut work);
        in_work = !in_work;
    }
    if in_work {
        work.copy_from_slice(scores);
    }
}

/// A value that at least `k` of the scores reach, and at most `k + slack` exceed or (when equal ones are many) none larger is
/// reached by `k`. Bisection over the bit patterns, whose order is that of the values.
pub(crate) fn reached_by(isa: Supported, scores: &[f32], k: usize, slack: usize) -> f32 {
    // Keys: `low` is reached by k scores, `high` is not.
    let (mut low, most) = kernel::min_max(isa, scores);
    let mut high = most.saturating_add(1);
    while high.wrapping_sub(low) as u32 > 1 {
        let middle = low.wrapping_add((high.wrapping_sub(low) as u32 / 2) as i32);
        let value = from_key(middle);
        let count = kernel::count_above(isa, scores, from_key(middle.wrapping_sub(1)));
        if count >= k {
            low = middle;
            if count <= k + slack {
                return value;
            }
        } else {
            high = middle;
        }
    }
    from_key(low)
}

/// The order-preserving integer of a float that is not NaN, as in the kernel.
fn key(x: f32) -> i32 {
    let bits = x.to_bits() as i32;
    bits ^ ((bits >> 31) as u32 >> 1) as i32
}

/// The float of such an integer.
pub(crate) fn from_key(key: i32) -> f32 {
    f32::from_bits((key ^ ((key >> 31) as u32 >> 1) as i32) as u32)
}

/// Sorts, best first, without memory: a heap with the least score at its root, taken off from the back.
fn heap_sort(scores: &mut [f32]) {
    for root in (0..scores.len() / 2).rev() {
        sift_down(scores, root);
    }
    for end in (1..scores.len()).rev() {
        let Some((last, heap)) = scores.get_mut(..=end).and_then(<[f32]>::split_last_mut) else { return };
        if let Some(root) = heap.first_mut() {
            core::mem::swap(root, last);
        }
        sift_down(heap, 0);
    }
}

fn sift_down(heap: &mut [f32], mut root: usize) {
    let Some(&item) = heap.get(root) else { return };
    loop {
        let child = 2 * root + 1;
        let Some(&left) = heap.get(child) else { break };
        let (child, least) = match heap.get(child + 1) {
            Some(&right) if right < left => (child + 1, right),
            _ => (child, left),
        };
        if least >= item {
            break;
        }
        if let Some(slot) = heap.get_mut(root) {
            *slot = least;
        }
        root = child;
    }
    if let Some(slot) = heap.get_mut(root) {
        *slot = item;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu;
    use std::vec;
    use std::vec::Vec;

    /// Against the library's sort: few and many, equal and all different, near and far from each other, with and without room.
    #[test]
    fn sorts_best_first_whatever_the_room() {
        let mut state = 1u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 8
        };
        for n in [0usize, 1, 2, 3, 31, 33, 160, 161, 255, 256, 257, 512, 1000, 4097] {
            for kind in 0..6 {
                let mut value = || match (kind, next()) {
                    (0, _) => 1.0,
                    (1, x) => (x % 3) as f32 - 1.0,
                    (2, x) => 0.25 + x as f32 * 2f32.powi(-25),
                    (3, x) => x as f32 * 2f32.powi(-23) - 1.0,
                    (4, x) if x % 4 == 0 => f32::NEG_INFINITY,
                    (4, x) => f32::from_bits(x << 7 & 0x7F7F_FFFF),
                    (_, x) => f32::from_bits(x % 300),
                };
                let scores: Vec<f32> = (0..n).map(|_| value()).collect();
                let mut expected = scores.clone();
                expected.sort_by(|a, b| b.total_cmp(a));
                for room in [n.saturating_sub(1), n, n + 5] {
                    let mut sorted = scores.clone();
                    sort_descending(cpu::active(), &mut sorted, &mut vec![0.0; room]);
                    let bits = |all: &[f32]| all.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
                    assert!(bits(&sorted) == bits(&expected), "{n} scores of kind {kind}, room for {room}");
                }
            }
        }
    }
}

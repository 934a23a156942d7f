//! The order of hits, and keeping the k best of a stream in a sorted buffer of fixed capacity.
//!
//! The buffer is always sorted, best first, so its last element is the threshold that a newcomer must beat and a pass can stop
//! after any row with nothing left to do. Newcomers arrive as small batches (those of one strip of scores that beat the
//! threshold); a batch is sorted and merged from the back, so a strip costs at most one pass over the part of the buffer below
//! its best member.

use crate::cpu::MICROCONTROLLER;
use core::cmp::Ordering;

/// A gallery row and its score for one query.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
pub struct Hit {
    /// `<query, row> - bias[row]`.
    pub score: f32,
    /// Gallery row.
    pub id: u32,
}

impl Hit {
    /// The total order of hits: score descending, then id ascending. A score that is not a number comes last.
    pub fn order(&self, other: &Hit) -> Ordering {
        match other.score.partial_cmp(&self.score) {
            Some(order) => order,
            None => self.score.is_nan().cmp(&other.score.is_nan()),
        }
        .then(self.id.cmp(&other.id))
    }
}

/// Something that can be ranked: `a.beats(b)` puts `a` strictly before `b`.
pub(crate) trait Rank: Copy {
    fn beats(&self, other: &Self) -> bool;
}

impl Rank for Hit {
    #[inline]
    fn beats(&self, other: &Hit) -> bool {
        self.score > other.score || (self.score == other.score && self.id < other.id)
    }
}

impl Rank for f32 {
    #[inline]
    fn beats(&self, other: &f32) -> bool {
        self > other
    }
}

/// The indexes of the bits that are set, ascending.
pub(crate) fn bits(mut mask: u64) -> impl Iterator<Item = usize> {
    core::iter::from_fn(move || {
        let at = mask.trailing_zeros() as usize;
        mask &= mask.wrapping_sub(1);
        (at < 64).then_some(at)
    })
}

/// Inserts `item` into a full buffer (best first), dropping the last; does nothing if `item` does not beat the last.
#[inline]
pub(crate) fn insert<T: Rank>(best: &mut [T], item: T) {
    /// Up to here a walk from the back is faster than a binary search and a block move.
    const WALK_MAX: usize = 32;
    if best.len() > WALK_MAX && !MICROCONTROLLER {
        return insert_by_search(best, item);
    }
    let Some((last, earlier)) = best.split_last_mut() else { return };
    if !item.beats(last) {
        return;
    }
    let mut hole = last;
    for current in earlier.iter_mut().rev() {
        if !item.beats(current) {
            break;
        }
        *hole = *current;
        hole = current;
    }
    *hole = item;
}

fn insert_by_search<T: Rank>(best: &mut [T], item: T) {
    let at = best.partition_point(|current| !item.beats(current));
    if let Some(tail) = best.get_mut(at..)
        && let Some(moved) = tail.len().checked_sub(1)
    {
        tail.copy_within(..moved, 1);
        if let Some(slot) = tail.first_mut() {
            *slot = item;
        }
    }
}

/// Sorts a small batch, best first, in place (insertion sort: batches are nearly always of one or two).
pub(crate) fn sort_batch<T: Rank>(batch: &mut [T]) {
    for end in 1..batch.len() {
        let Some((newcomer, sorted)) = batch.get_mut(..=end).and_then(<[T]>::split_last_mut) else { return };
        let item = *newcomer;
        let mut hole = newcomer;
        for earlier in sorted.iter_mut().rev() {
            if !item.beats(earlier) {
                break;
            }
            *hole = *earlier;
            hole = earlier;
        }
        *hole = item;
    }
}

/// Merges `batch` (best first) into `best[..len]` (best first), keeping at most `best.len()`; returns the new length.
/// Ties keep what is in `best` before what is in `batch`.
pub(crate) fn merge_batch<T: Rank>(best: &mut [T], len: usize, batch: &[T]) -> usize {
    let len = len.min(best.len());
    let kept = (len + batch.len()).min(best.len());
    // Whoever of the two is worse at the back goes last; what falls past `kept` is dropped by walking both ends in first.
    let (mut have, mut new) = (len, batch.len());
    let mut surplus = have + new - kept;
    let mut end = kept;
    while new > 0 {
        let Some(candidate) = new.checked_sub(1).and_then(|i| batch.get(i)) else { break };
        let current = have.checked_sub(1).and_then(|i| best.get(i));
        let item = match current {
            Some(current) if candidate.beats(current) => {
                have -= 1;
                *current
            }
            _ => {
                new -= 1;
                *candidate
            }
        };
        if surplus > 0 {
            surplus -= 1;
            continue;
        }
        end = end.wrapping_sub(1);
        if let Some(slot) = best.get_mut(end) {
            *slot = item;
        }
    }
    kept
}

/// The `N` best hits of a stream, in storage of its own (a `heapless` vector): what a device keeps per query.
///
/// ```
/// use nnn::{Hit, TopK};
/// let mut top = TopK::<2>::new();
/// for (id, score) in [(0, 0.5), (1, f32::NAN), (2, 0.9), (3, 0.5)] {
///     top.push(Hit { score, id });
/// }
/// assert_eq!(top.hits(), [Hit { score: 0.9, id: 2 }, Hit { score: 0.5, id: 0 }]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct TopK<const N: usize> {
    hits: heapless::Vec<Hit, N>,
}

impl<const N: usize> TopK<N> {
    /// Empty.
    pub const fn new() -> Self {
        TopK { hits: heapless::Vec::new() }
    }

    /// The score that a newcomer must at least reach: -inf until `N` hits are held. O(1).
    pub fn threshold(&self) -> f32 {
        if self.hits.len() < N { f32::NEG_INFINITY } else { self.hits.last().map_or(f32::INFINITY, |hit| hit.score) }
    }

    /// Offers a hit; keeps it if it is among the `N` best so far in the order of [`Hit::order`]. A score that is NaN or infinite
    /// is never kept. O(1) when it does not rank, else O(N).
    pub fn push(&mut self, hit: Hit) -> bool {
        let hit = Hit { score: hit.score + 0.0, ..hit }; // one zero: -0 becomes +0, so that equal scores have equal bits
        if !hit.score.is_finite() {
            return false;
        }
        let len = self.hits.len();
        if len == N {
            match self.hits.last() {
                Some(last) if hit.beats(last) => {}
                _ => return false,
            }
        } else if self.hits.push(hit).is_err() {
            return false;
        }
        merge_batch(&mut self.hits, len, &[hit]);
        true
    }

    /// The hits held, best first.
    pub fn hits(&self) -> &[Hit] {
        &self.hits
    }

    /// Drops all hits.
    pub fn clear(&mut self) {
        self.hits.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn merge_keeps_the_best_of_both_in_order() {
        for capacity in 0..12usize {
            for len in 0..=capacity {
                for new in 0..8usize {
                    let mut best: Vec<f32> = (0..capacity).map(|i| if i < len { 100.0 - 3.0 * i as f32 } else { -7.0 }).collect();
                    let batch: Vec<f32> = (0..new).map(|i| 97.0 - 2.0 * i as f32).collect();
                    let mut expected: Vec<f32> = best[..len].iter().chain(&batch).copied().collect();
                    expected.sort_by(|a, b| b.total_cmp(a));
                    expected.truncate(capacity);
                    let kept = merge_batch(&mut best, len, &batch);
                    assert_eq!(best[..kept], expected, "capacity {capacity} len {len} new {new}");
                }
            }
        }
    }
}

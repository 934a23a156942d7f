//! The neighbour table with ids, for banks whose rows expire: a [`Hit`] where the [table](crate::Neighbors) has a float.
//!
//! A row's known neighbours come first, in the order of hits. What follows is one padding, [`NO_NEIGHBOR`] with a *floor*: all that is
//! known of further neighbours is that their similarities are not above it; -inf: there are none. A row becomes uncertain in this way
//! when neighbours expire whose successors had been dropped. A newcomer above the floor belongs before everything unknown, so it is
//! entered; one below is lost in the unknown. So every known neighbour is exact at all times, and a row with k of them has the bias of
//! the whole bank.
#![forbid(unsafe_code)]

use crate::blocks::allowed;
use crate::cpu;
use crate::dot::{ensure_finite, row_span};
use crate::kernel::{self, Sink, Span};
use crate::matrix::{Element, Matrix};
use crate::neighbors::{mean_bias, table_len};
use crate::status::{Error, Result, Status, ensure};
use crate::topk::{Hit, bits, insert, merge_batch};
use core::cmp::Ordering;
use core::ops::Range;

/// The id of padding.
pub const NO_NEIGHBOR: u32 = u32::MAX;

/// A neighbour table with ids over the caller's memory: `rows` x `k` hits, whose ids are those of bank rows. 8 bytes each.
///
/// ```
/// use nnn::{Hit, Matrix, NeighborIds};
/// let gallery = Matrix::new(&[1.0f32, 0.0], 1, 2)?;
/// let bank = Matrix::new(&[0.5f32, 0.0, 0.25, 9.0, 0.75, 0.0], 3, 2)?;
/// let mut memory = [Hit { score: 0.0, id: 0 }; 2];
/// let mut table = NeighborIds::init(&mut memory, 1, 2)?;
/// table.update(&gallery, &bank, None, 10, 0..1, &mut [0; 4096])?; // ids 10, 11, 12
/// let mut bias = [0.0];
/// table.bias(2, 1.0, &mut bias)?;
/// assert_eq!(bias, [0.625]);
///
/// let live = [1u64 << 11 | 1 << 12]; // 10 expires, and its successor is not known any more
/// let (mut short, mut count) = ([0u32; 1], 0);
/// table.expire(2, &live, 64, &mut short, &mut count)?;
/// assert_eq!((short, count), ([0], 1));
/// # Ok::<(), nnn::Error>(())
/// ```
#[derive(Debug)]
pub struct NeighborIds<'a> {
    table: &'a mut [Hit],
    k: usize,
}

impl<'a> NeighborIds<'a> {
    /// An empty table. O(rows * k).
    ///
    /// # Errors
    /// `K` (k = 0), `Overflow`, `Capacity` (fewer than `rows * k` hits).
    pub fn init(table: &'a mut [Hit], rows: usize, k: usize) -> Result<Self> {
        let neighbors = Self::shaped(table, rows, k)?;
        neighbors.table.fill(padding(f32::NEG_INFINITY));
        Ok(neighbors)
    }

    /// A table made earlier, to go on with. O(rows * k).
    ///
    /// # Errors
    /// As [`init`](Self::init), and `Value` when a row is none of such a table.
    pub fn from_table(table: &'a mut [Hit], rows: usize, k: usize) -> Result<Self> {
        let neighbors = Self::shaped(table, rows, k)?;
        ensure(is_table(neighbors.table, k), Status::Value, "table")?;
        Ok(neighbors)
    }

    pub(crate) fn shaped(table: &'a mut [Hit], rows: usize, k: usize) -> Result<Self> {
        ensure(k > 0, Status::K, "k")?;
        let len = ids_len(rows, k)?;
        let table = table.get_mut(..len);
        ensure(table.is_some(), Status::Capacity, "table")?;
        Ok(NeighborIds { table: table.unwrap_or_default(), k })
    }

    /// Rows of the table.
    pub fn rows(&self) -> usize {
        self.table.len().checked_div(self.k).unwrap_or(0)
    }

    /// Neighbours kept per row.
    pub fn k(&self) -> usize {
        self.k
    }

    /// The hits, row by row.
    pub fn as_slice(&self) -> &[Hit] {
        self.table
    }

    /// Adds the bank's rows, row `j` with the id `first_id + j`, to what the table has seen; `live`: one bit per bank row, those without
    /// it are left out, or `None`. Similarities have the bits of [`Neighbors::update`](crate::Neighbors::update); of equal ones at the
    /// end of a row it depends on the order of updates whose id is kept. Table row 0 belongs to gallery row `rows.start`.
    ///
    /// O(rows * bank * dim), no memory but `scratch`, 4,096 bytes or more (see [`neighbors_scratch`](crate::neighbors_scratch)).
    ///
    /// # Errors
    /// `Dim`, `Range` (of rows, the table's row count differs, an id of 2^32 - 1 or above), `Capacity` (scratch, `live`), `Value` (NaN or
    /// infinity in the range or the bank).
    pub fn update<T: Element>(
        &mut self,
        gallery: &Matrix<T>,
        bank: &Matrix<T>,
        live: Option<&[u64]>,
        first_id: usize,
        rows: Range<usize>,
        scratch: &mut [u8],
    ) -> Result<()> {
        const TOO_SMALL: Error = Error { status: Status::Capacity, argument: "scratch" };
        ensure(gallery.dim() == bank.dim(), Status::Dim, "bank")?;
        let span = row_span(&rows, gallery.rows())?;
        ensure(span.count == self.rows(), Status::Range, "rows")?;
        ensure(ids_fit(first_id, bank.rows()), Status::Range, "first_id")?;
        ensure(live.is_none_or(|live| live.len() >= bank.rows().div_ceil(64)), Status::Capacity, "live")?;
        ensure(scratch.len() >= kernel::SCRATCH_MIN, Status::Capacity, "scratch")?;
        let isa = cpu::active();
        ensure_finite(isa, gallery, span, "gallery")?;
        ensure_finite(isa, bank, Span::new(0, bank.rows()), "bank")?;
        let mut sink = Newcomers { table: self.table, k: self.k, live, first_id };
        kernel::tile_pass(isa, gallery, span, bank, scratch, &mut sink).ok_or(TOO_SMALL)
    }

    /// Merges a table of the same rows built on other bank rows. O(rows * k).
    ///
    /// # Errors
    /// `Range`: `from` has another size; `Value`: `from` is no table.
    pub fn merge(&mut self, from: &[Hit]) -> Result<()> {
        ensure(from.len() == self.table.len(), Status::Range, "from")?;
        ensure(is_table(from, self.k), Status::Value, "from")?;
        let k = self.k.max(1);
        for (into, from) in self.table.chunks_exact_mut(k).zip(from.chunks_exact(k)) {
            merge_batch(into, into.len(), from);
            // Past the higher of two floors everything is unknown.
            if let Some(known) = into.iter().position(is_padding)
                && let Some((floor, rest)) = into.get_mut(known..).and_then(<[Hit]>::split_first_mut)
            {
                rest.fill(*floor);
            }
        }
        Ok(())
    }

    /// Removes the neighbours whose bit in `live` (bit `id % 64` of word `id / 64`, of `ids` ids) is not set, and lists in `short` the
    /// table rows that are then left with fewer known neighbours than `k` and than there are live bank rows: those to recompute, from
    /// empty rows with the whole bank, before their bias is taken. The table has seen every live bank row.
    ///
    /// A table with more than `k` columns has neighbours to spare: keep some more and few rows need that. O(rows * k + ids / 64).
    ///
    /// # Errors
    /// `K` (k is 0 or above the table's), `Range` (an id in the table of `ids` or above), `Capacity` (`live`, `short`: one per row),
    /// `Value` (no such table).
    pub fn expire(&mut self, k: usize, live: &[u64], ids: usize, short: &mut [u32], count: &mut usize) -> Result<()> {
        ensure(k > 0 && k <= self.k, Status::K, "k")?;
        let words = live.get(..ids.div_ceil(64));
        ensure(words.is_some(), Status::Capacity, "live")?;
        ensure(short.len() >= self.rows(), Status::Capacity, "short")?;
        ensure(self.table.iter().all(|hit| is_padding(hit) || (hit.id as usize) < ids), Status::Range, "ids")?;
        ensure(is_table(self.table, self.k), Status::Value, "table")?;
        let live = words.unwrap_or_default();
        let alive = |id: u32| live.get(id as usize / 64).is_some_and(|word| word >> (id % 64) & 1 == 1);
        let all =
            (0..).zip(live).map(|(i, word)| (word & u64::MAX >> (64 - (ids - 64 * i).clamp(1, 64))).count_ones() as usize).sum();
        let mut listed = 0;
        for (i, row) in self.table.chunks_exact_mut(self.k.max(1)).enumerate() {
            let Some(mut floor) = row.last().map(|last| last.score) else { continue };
            let mut known = 0;
            for at in 0..row.len() {
                if let Some(&hit) = row.get(at)
                    && !is_padding(&hit)
                    && alive(hit.id)
                    && let Some(slot) = row.get_mut(known)
                {
                    *slot = hit;
                    known += 1;
                }
            }
            if known == all {
                floor = f32::NEG_INFINITY; // nobody is left that could be unknown
            }
            if let Some(rest) = row.get_mut(known..) {
                rest.fill(padding(floor));
            }
            if known < k
                && floor > f32::NEG_INFINITY
                && let Some(slot) = short.get_mut(listed)
            {
                *slot = i as u32;
                listed += 1;
            }
        }
        *count = listed;
        Ok(())
    }

    /// The biases of the table's rows, in the bits of [`Neighbors::bias`](crate::Neighbors::bias). O(rows * k).
    ///
    /// # Errors
    /// `K` (k is 0, above the table's, or a row knows fewer neighbours), `Capacity` (`out`), `Value` (alpha not finite, or a bias
    /// overflows f32).
    pub fn bias(&self, k: usize, alpha: f32, out: &mut [f32]) -> Result<()> {
        ids_bias(self.table, self.k, k, alpha, out)
    }
}

/// [`NeighborIds::bias`] over a shared table, of which nothing is known but its size.
pub(crate) fn ids_bias(table: &[Hit], table_k: usize, k: usize, alpha: f32, out: &mut [f32]) -> Result<()> {
    ensure(k > 0 && k <= table_k, Status::K, "k")?;
    ensure(out.len() >= table.len() / table_k.max(1), Status::Capacity, "bias")?;
    let parts = || table.chunks_exact(table_k.max(1)).filter_map(|row| row.get(..k));
    ensure(!parts().flatten().any(is_padding), Status::K, "table")?;
    ensure(is_table(table, table_k), Status::Value, "table")?;
    ensure(alpha.is_finite(), Status::Value, "alpha")?;
    let biases = || parts().map(|part| mean_bias(part.iter().fold(0f64, |sum, hit| sum + f64::from(hit.score)), k, alpha) as f32);
    ensure(biases().all(f32::is_finite), Status::Value, "alpha")?;
    for (out, bias) in out.iter_mut().zip(biases()) {
        *out = bias + 0.0;
    }
    Ok(())
}

/// Hits of a table.
fn ids_len(rows: usize, k: usize) -> Result<usize> {
    let len = table_len(rows, k)?;
    ensure(len <= isize::MAX as usize / size_of::<Hit>(), Status::Overflow, "rows")?;
    Ok(len)
}

/// Whether the ids `first..first + rows` are ids.
pub(crate) fn ids_fit(first: usize, rows: usize) -> bool {
    first.checked_add(rows).is_some_and(|end| end <= NO_NEIGHBOR as usize)
}

fn padding(floor: f32) -> Hit {
    Hit { score: floor, id: NO_NEIGHBOR }
}

fn is_padding(hit: &Hit) -> bool {
    hit.id == NO_NEIGHBOR
}

/// Whether rows of `k` are known neighbours in order, then one padding.
fn is_table(table: &[Hit], k: usize) -> bool {
    table.chunks_exact(k.max(1)).all(|row| {
        let (known, rest) = row.split_at_checked(row.iter().position(is_padding).unwrap_or(row.len())).unwrap_or_default();
        let floor = rest.first().map_or(f32::NEG_INFINITY, |hit| hit.score);
        known.iter().all(|hit| hit.score.is_finite())
            && row.is_sorted_by(|a, b| a.order(b) != Ordering::Greater)
            && floor < f32::INFINITY
            && rest.iter().all(|hit| is_padding(hit) && hit.score == floor)
    })
}

/// The rows of a table, newcomers inserted one by one.
struct Newcomers<'a> {
    table: &'a mut [Hit],
    k: usize,
    live: Option<&'a [u64]>,
    first_id: usize,
}

impl Sink for Newcomers<'_> {
    fn limit(&mut self, row: usize) -> f32 {
        // Of equal similarities the lower id comes first, so equal is of interest. A row that is not there wants nothing.
        self.table
            .get(row.wrapping_mul(self.k)..)
            .and_then(|t| t.get(self.k - 1))
            .map_or(f32::INFINITY, |last| last.score.next_down())
    }

    fn take(&mut self, row: usize, first: usize, scores: &[f32], mask: u64) {
        let Some(best) = self.table.get_mut(row.wrapping_mul(self.k)..).and_then(|t| t.get_mut(..self.k)) else { return };
        for at in bits(mask) {
            if let Some(&score) = scores.get(at)
                && score.is_finite()
                && allowed(Span::new(first + at, 1), self.live) & 1 == 1
            {
                insert(best, Hit { score: score + 0.0, id: (self.first_id + first + at) as u32 });
            }
        }
    }
}

//! Biases in sublinear time: the neighbour table from the lists that each gallery row probes.

use super::groups::{Groups, coarse_scratch, with_gathered};
use super::lists::{check_offsets, list};
use crate::collect::add;
use crate::cpu::{self, Supported};
use crate::dot::{ensure_finite, row_span};
use crate::kernel::{self, Sink, Span};
use crate::matrix::{Element, Matrix};
use crate::neighbors::{Neighbors, is_table, row_bias};
use crate::status::{Error, Result, Status, ensure};
use core::ops::Range;

const TOO_SMALL: Error = Error { status: Status::Capacity, argument: "scratch" };

/// Adds to the table what the `probes` best lists of each gallery row hold; table row 0 belongs to gallery row `rows.start`. `bank`:
/// the bank in list order ([`coarse_gather`](crate::coarse_gather)), `offsets`: where each list begins. `pairs`: how many pairs of
/// rows were scored.
///
/// The lists of a row are those with the largest inner product of row and centroid, ties by the lower list, empty ones left out. With
/// `probes` = all lists (or more) the table has the bits of [`Neighbors::update`]. A row that finds no finite similarity in them goes
/// on with the other lists, in order, until it finds one.
///
/// O(rows * (lists + probed bank rows) * dim). Nothing else depends on the size of the bank: its values are not checked, and a
/// similarity that is not finite is no neighbour. Memory: [`coarse_scratch`] bytes; any range gives its rows the same bits.
///
/// # Errors
/// `Dim`, `K` (no probes), `Range` (of rows, or the table's row count differs), `Capacity` (`scratch` below that of one row), `Value`
/// (a NaN or infinity in the range or the centroids; `offsets` are not those of the bank).
#[allow(clippy::too_many_arguments)] // the C signature, argument for argument
pub fn coarse_neighbors<T: Element>(
    table: &mut Neighbors,
    gallery: &Matrix<T>,
    bank: &Matrix<T>,
    centroids: &Matrix<f32>,
    offsets: &[u32],
    probes: usize,
    rows: Range<usize>,
    scratch: &mut [u8],
    pairs: &mut u64,
) -> Result<()> {
    ensure(gallery.dim() == bank.dim(), Status::Dim, "bank")?;
    ensure(gallery.dim() == centroids.dim(), Status::Dim, "centroids")?;
    ensure(probes > 0, Status::K, "probes")?;
    let span = row_span(&rows, gallery.rows())?;
    ensure(span.count == table.rows(), Status::Range, "rows")?;
    let (lists, k) = (centroids.rows(), table.k());
    ensure(offsets.len() > lists, Status::Capacity, "offsets")?;
    ensure(scratch.len() >= coarse_scratch(1, lists, probes, gallery.dim()), Status::Capacity, "scratch")?;
    let isa = cpu::active();
    ensure_finite(isa, gallery, span, "gallery")?;
    ensure_finite(isa, centroids, Span::new(0, lists), "centroids")?;
    check_offsets(offsets, lists, bank.rows())?;

    let mut groups = Groups::new(scratch, span.count, lists, probes, gallery.dim()).ok_or(TOO_SMALL)?;
    let spare = kernel::tile_bytes::<T>(isa, gallery.dim(), bank.rows()) / 4 + 16;
    let mut scored = 0;
    for chunk in span.parts(groups.rows()) {
        let from = (chunk.first - span.first) * k;
        let table = table.as_mut_slice().get_mut(from..).and_then(|t| t.get_mut(..chunk.count * k)).unwrap_or_default();
        scored += probe(isa, &mut groups, gallery, chunk, bank, centroids, offsets, spare, table, k).ok_or(TOO_SMALL)?;
    }
    *pairs = scored;
    Ok(())
}

/// The pass over a chunk of gallery rows.
#[allow(clippy::too_many_arguments)] // those of the pass
fn probe<T: Element>(
    isa: Supported,
    groups: &mut Groups,
    gallery: &Matrix<T>,
    rows: Span,
    bank: &Matrix<T>,
    centroids: &Matrix<f32>,
    offsets: &[u32],
    spare: usize,
    table: &mut [f32],
    k: usize,
) -> Option<u64> {
    let mut pairs = 0;
    groups.choose(isa, gallery, rows, centroids, offsets)?;
    groups.each(gallery, rows, spare, |l, members, gathered, tiles| {
        let list = bank.part(list(offsets, l));
        pairs += (list.rows() * members.len()) as u64;
        kernel::tile_pass(isa, gathered, Span::new(0, members.len()), &list, tiles, &mut Members { isa, table, k, members })
    })?;
    for i in 0..rows.count {
        let mut l = 0;
        while l < centroids.rows() && table.get(i * k) == Some(&f32::NEG_INFINITY) {
            let list = bank.part(list(offsets, l));
            if list.rows() > 0 && !groups.probed(i, l) {
                pairs += list.rows() as u64;
                let mut sink = Members { isa, table, k, members: &[i as u32] };
                with_gathered(&gallery.part(rows), &[i as u32], groups.work(), |row, tiles| {
                    kernel::tile_pass(isa, row, Span::new(0, 1), &list, tiles, &mut sink)
                })?;
            }
            l += 1;
        }
    }
    Some(pairs)
}

/// The rows of a table that probe a list.
struct Members<'a> {
    isa: Supported,
    table: &'a mut [f32],
    k: usize,
    members: &'a [u32],
}

impl Members<'_> {
    fn best(&mut self, row: usize) -> Option<&mut [f32]> {
        let at = *self.members.get(row)? as usize;
        self.table.get_mut(at * self.k..)?.get_mut(..self.k)
    }
}

impl Sink for Members<'_> {
    fn limit(&mut self, row: usize) -> f32 {
        self.best(row).and_then(|best| best.last().copied()).unwrap_or(f32::INFINITY)
    }

    fn take(&mut self, row: usize, _: usize, scores: &[f32], mask: u64) {
        let isa = self.isa;
        if let Some(best) = self.best(row) {
            add(isa, best, scores, mask);
        }
    }
}

/// The biases of a table that [`coarse_neighbors`] made: as [`Neighbors::bias`], but a row that has seen fewer than `k` bank rows has
/// `alpha` times the mean of what it has seen. Returns how many rows those are: many of them mean more probes are needed.
/// O(rows * k).
///
/// # Errors
/// `K` (k is 0 or above the table's, or a row has seen none), `Overflow`, `Capacity` (`table`, `out`), `Value` (alpha is not finite,
/// rows not in order, a bias overflows f32).
pub fn coarse_bias(table: &[f32], rows: usize, table_k: usize, k: usize, alpha: f32, out: &mut [f32]) -> Result<usize> {
    ensure(k > 0 && k <= table_k, Status::K, "k")?;
    let len = crate::neighbors::table_len(rows, table_k)?;
    let table = table.get(..len);
    ensure(table.is_some(), Status::Capacity, "table")?;
    ensure(out.len() >= rows, Status::Capacity, "out")?;
    let parts = || table.unwrap_or_default().chunks_exact(table_k.max(1)).filter_map(|row| row.get(..k));
    let seen = |row: &[f32]| row.iter().take_while(|x| **x != f32::NEG_INFINITY).count();
    let biases = || parts().map(|row| row_bias(row, seen(row), alpha).filter(|_| seen(row) > 0));
    ensure(biases().all(|bias| bias.is_some()), Status::K, "table")?;
    ensure(parts().all(|row| is_table(row, k)), Status::Value, "table")?;
    ensure(alpha.is_finite(), Status::Value, "alpha")?;
    ensure(biases().flatten().all(|bias| (bias as f32).is_finite()), Status::Value, "alpha")?;
    let mut short = 0;
    for (out, row) in out.iter_mut().zip(parts()) {
        *out = row_bias(row, seen(row), alpha).unwrap_or(0.0) as f32 + 0.0;
        short += usize::from(seen(row) < k);
    }
    Ok(short)
}

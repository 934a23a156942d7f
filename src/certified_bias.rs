//! The bias side of the certified functions (see [`certified`](crate::certified) for the bound and the two rules).
//!
//! The int8 pass runs with its sides exchanged: a chunk of gallery rows is packed, and the bank streams past it. The chunk is small,
//! because each of its rows has a list of candidates in the scratch, and packing the bank anew for every chunk would cost more
//! than multiplying.
#![forbid(unsafe_code)]

use crate::certified::{Certificate, DEARER, Encoded, TOO_SMALL, error_bound, lower, scratch_min};
use crate::collect::{Target, add, collect};
use crate::cpu::{self, Supported};
use crate::dot::{ensure_finite, row_span};
use crate::encode::Bound;
use crate::kernel::{self, Dtype, STRIP, Sink, Span};
use crate::neighbors::Neighbors;
use crate::shortlist::{reached_by, sort_descending};
use crate::status::{Result, Status, ensure};
use crate::topk::{bits, merge_batch};
use core::ops::Range;

/// [`bias`](crate::bias()) of f32 rows, bit for bit, by their codes.
///
/// O(rows * bank * dim) of int8 work and, on real embeddings, about 2 k pairs a gallery row of f32 work; see [`Certificate`].
/// `scratch`: [`certified_scratch`](crate::certified_scratch).
///
/// # Errors
/// As [`bias`](crate::bias()).
pub fn bias_certified(
    gallery: &Encoded,
    bank: &Encoded,
    k: usize,
    alpha: f32,
    rows: Range<usize>,
    scratch: &mut [u8],
    out: &mut [f32],
) -> Result<Certificate> {
    ensure(gallery.rows.dim() == bank.rows.dim(), Status::Dim, "bank")?;
    ensure(k > 0 && k <= bank.rows.rows(), Status::K, "k")?;
    let span = row_span(&rows, gallery.rows.rows())?;
    ensure(scratch.len() >= scratch_min(k), TOO_SMALL.status, TOO_SMALL.argument)?;
    ensure(out.len() >= span.count, Status::Capacity, "out")?;
    let isa = cpu::active();
    let safe = checked_magnitudes(isa, gallery, span, bank)?;
    ensure(alpha.is_finite(), Status::Value, "alpha")?;
    if safe * f64::from(alpha).abs().max(1.0) >= f64::from(f32::MAX) {
        // Sums may overflow: the f32 call knows what to do about that.
        crate::bias(&gallery.rows, &bank.rows, k, alpha, rows, scratch, out)?;
        return Ok(Certificate { rescored: 0, exhausted: span.count as u64 });
    }
    let out = out.get_mut(..span.count).unwrap_or_default();
    collect_certified(isa, gallery, span, bank, scratch, k, Target::Bias { out, alpha })
}

impl Neighbors<'_> {
    /// [`update`](Self::update) with f32 rows, bit for bit, by their codes. `scratch`: [`certified_scratch`](crate::certified_scratch).
    ///
    /// # Errors
    /// As [`update`](Self::update).
    pub fn update_certified(
        &mut self,
        gallery: &Encoded,
        bank: &Encoded,
        rows: Range<usize>,
        scratch: &mut [u8],
    ) -> Result<Certificate> {
        ensure(gallery.rows.dim() == bank.rows.dim(), Status::Dim, "bank")?;
        let span = row_span(&rows, gallery.rows.rows())?;
        ensure(span.count == self.rows(), Status::Range, "rows")?;
        ensure(scratch.len() >= scratch_min(self.k()), TOO_SMALL.status, TOO_SMALL.argument)?;
        let isa = cpu::active();
        checked_magnitudes(isa, gallery, span, bank)?;
        let k = self.k();
        collect_certified(isa, gallery, span, bank, scratch, k, Target::Table(self.as_mut_slice()))
    }
}

/// The finite checks of the bias side; a bound of every |score|.
fn checked_magnitudes(isa: Supported, gallery: &Encoded, rows: Span, bank: &Encoded) -> Result<f64> {
    let gallery_max = ensure_finite(isa, &gallery.rows, rows, "gallery")?;
    let bank_max = ensure_finite(isa, &bank.rows, Span::new(0, bank.rows.rows()), "bank")?;
    Ok(<f32 as Dtype>::score_bound(gallery.rows.dim(), gallery_max, bank_max).into())
}

/// Most gallery rows of a chunk.
const CHUNK_MAX: usize = 480;

/// Candidates of a list: what is wanted for speed, and the least.
fn wanted(k: usize) -> usize {
    k.saturating_mul(6).saturating_add(80)
}
const fn least(k: usize) -> usize {
    k.saturating_add(k / 2).saturating_add(48)
}

/// How the scratch is cut.
#[derive(Clone, Copy)]
struct Cut {
    /// Gallery rows of a chunk, and places for them: a multiple of the panel width.
    rows: usize,
    places: usize,
    capacity: usize,
}

impl Cut {
    /// Words of the lists of a chunk, and of two lists as work memory.
    fn words(&self, k: usize) -> usize {
        let list = self.capacity.saturating_mul(2).saturating_add(k).saturating_add(2);
        self.rows.saturating_mul(list).saturating_add(self.places).saturating_add(self.capacity.saturating_mul(2))
    }

    /// The largest chunk whose lists have room for what is wanted, or else for less.
    fn new(isa: Supported, dim: usize, k: usize, bytes: usize) -> Cut {
        let panel = <i8 as Dtype>::tile_shape(isa).width();
        let width = panel.get();
        let words = |rows: usize| {
            let tiles = kernel::tile_bytes::<i8>(isa, dim, rows).max(kernel::SCRATCH_MIN + 4 * k);
            bytes.saturating_sub(tiles) / 4
        };
        let whole = |capacity: usize| {
            let cut = |panels: usize| Cut { rows: panels * width, places: panels * width, capacity };
            (1..=CHUNK_MAX / panel).rev().map(cut).find(|cut| cut.words(k) < words(cut.rows))
        };
        whole(wanted(k)).or_else(|| whole(wanted(k) / 2)).or_else(|| whole(least(k))).unwrap_or_else(|| {
            let words = bytes.saturating_sub(kernel::SCRATCH_MIN + 4 * k + 4) / 4;
            let one = Cut { rows: 1, places: width, capacity: least(k) };
            let rows = (1..=width).rev().find(|&rows| Cut { rows, ..one }.words(k) <= words).unwrap_or(1);
            Cut { rows, ..one }
        })
    }
}

/// The candidates of a chunk of gallery rows, and who judges them.
struct Candidates<'a> {
    isa: Supported,
    k: usize,
    gallery: &'a Encoded<'a>,
    bank: &'a Encoded<'a>,
    chunk: Span,
    /// The largest of each bound in the bank.
    worst: Bound,
    cut: Cut,
    /// Held by each list; approximate scores not above its cut are out: infinite once the f32 pass has to do the row.
    lens: &'a mut [u32],
    cuts: &'a mut [f32],
    /// Pairs computed in f32 for each list.
    rescored: &'a mut [u32],
    ids: &'a mut [u32],
    scores: &'a mut [f32],
    /// The k best exact scores of each row, sorted.
    best: &'a mut [f32],
    work_ids: &'a mut [u32],
    work: &'a mut [f32],
    /// Candidates in the work memory.
    copied: usize,
}

/// One list.
struct List<'a> {
    len: &'a mut u32,
    cut: &'a mut f32,
    rescored: &'a mut u32,
    ids: &'a mut [u32],
    scores: &'a mut [f32],
    best: &'a mut [f32],
}

impl Sink for Candidates<'_> {
    fn limit(&mut self, _: usize) -> f32 {
        f32::INFINITY
    }

    fn column_limits(&self) -> Option<&[f32]> {
        Some(self.cuts)
    }

    fn take(&mut self, bank_row: usize, first: usize, scores: &[f32], mask: u64) {
        let capacity = self.cut.capacity;
        for at in bits(mask) {
            let row = first + at;
            let (Some(&score), Some(len), Some(&cut)) = (scores.get(at), self.lens.get_mut(row), self.cuts.get(row)) else {
                return;
            };
            let place = row * capacity + *len as usize;
            if score > cut
                && let (Some(slot), Some(id)) = (self.scores.get_mut(place), self.ids.get_mut(place))
            {
                (*slot, *id) = (score, bank_row as u32);
                *len += 1;
                if *len as usize == capacity {
                    self.make_room(row);
                }
            }
        }
    }
}

impl Candidates<'_> {
    /// The bound of the error of the approximate scores of a row, and what they lack.
    fn error(&self, row: usize) -> (f64, f64) {
        let bound = self.gallery.bound(self.chunk.first + row);
        (error_bound(self.gallery.rows.dim(), &self.worst, &bound), f64::from(bound.offset))
    }

    fn list(&mut self, row: usize) -> Option<List<'_>> {
        let (capacity, k) = (self.cut.capacity, self.k);
        Some(List {
            len: self.lens.get_mut(row)?,
            cut: self.cuts.get_mut(row)?,
            rescored: self.rescored.get_mut(row)?,
            ids: self.ids.get_mut(row.wrapping_mul(capacity)..)?.get_mut(..capacity)?,
            scores: self.scores.get_mut(row.wrapping_mul(capacity)..)?.get_mut(..capacity)?,
            best: self.best.get_mut(row.wrapping_mul(k)..)?.get_mut(..k)?,
        })
    }

    /// Starts the lists of a chunk with what the target holds.
    fn begin(&mut self, target: &Target, first: usize) {
        self.cuts.fill(f32::INFINITY);
        for row in 0..self.chunk.count {
            let (error, offset) = self.error(row);
            let seed = target.seed(first + row, self.k);
            let Some(list) = self.list(row) else { return };
            list.best.fill(f32::NEG_INFINITY);
            list.best.iter_mut().zip(seed).for_each(|(best, x)| *best = *x);
            let held = list.best.last().copied().unwrap_or(f32::NEG_INFINITY);
            (*list.len, *list.rescored) = (0, 0);
            // What the table holds already is beaten by a greater score only. Without a bound the f32 pass has to do it.
            *list.cut = if error.is_finite() { lower(f64::from(held) - offset - error) } else { f32::INFINITY };
        }
    }

    /// Makes room in a full list: drops what the first rule drops; if that is little, computes the most promising in f32, so that
    /// the second rule drops more; if even that is little, computes all.
    fn make_room(&mut self, row: usize) {
        let (error, _) = self.error(row);
        let (isa, k, enough) = (self.isa, self.k, self.cut.capacity - self.cut.capacity / 4);
        let Some(mut list) = self.list(row) else { return };
        if list.scores.len() >= k {
            // A few more than k may reach it: a cut that is a little too low costs less than finding the exact place.
            let reached = reached_by(isa, list.scores, k, k / 16);
            *list.cut = list.cut.max(lower(f64::from(reached) - 2.0 * error));
            list.drop_below_cut(isa);
        }
        if *list.len as usize > enough {
            self.compute_promising(row);
        }
        if self.lens.get(row).is_some_and(|&len| len as usize > enough) {
            self.compute_all(row);
        }
        let most = self.bank.rows.rows() / DEARER;
        if let Some(list) = self.list(row)
            && *list.rescored as usize > most
        {
            (*list.len, *list.cut) = (0, f32::INFINITY);
        }
    }

    /// Computes the k best candidates of a list in f32, and drops what cannot beat the results.
    fn compute_promising(&mut self, row: usize) {
        let (isa, k) = (self.isa, self.k);
        let Some(list) = self.list(row) else { return };
        let len = *list.len as usize;
        let Some(held) = list.scores.get(..len).filter(|held| held.len() > k) else { return self.compute_all(row) };
        let reached = reached_by(isa, held, k, k / 16).next_down();
        self.copy_above(row, reached);
        let Some(list) = self.list(row) else { return };
        // What was copied is done here.
        for score in list.scores.iter_mut().take(len) {
            *score = if *score > reached { f32::NEG_INFINITY } else { *score };
        }
        self.compute_copied(row);
        if let Some(mut list) = self.list(row) {
            list.drop_below_cut(isa);
        }
    }

    /// Computes all candidates of a list in f32, and empties it.
    fn compute_all(&mut self, row: usize) {
        self.copy_above(row, f32::NEG_INFINITY);
        if let Some(list) = self.list(row) {
            *list.len = 0;
        }
        self.compute_copied(row);
    }

    /// Copies the candidates above a value to the work memory.
    fn copy_above(&mut self, row: usize, value: f32) {
        let from = row * self.cut.capacity;
        let held = from..from + self.lens.get(row).copied().unwrap_or(0) as usize;
        let (ids, scores) = (self.ids.get(held.clone()).unwrap_or_default(), self.scores.get(held).unwrap_or_default());
        let mut kept = 0;
        for (id, score) in ids.iter().zip(scores) {
            if let (Some(slot), true) = (self.work_ids.get_mut(kept), *score > value) {
                *slot = *id;
                kept += 1;
            }
        }
        self.copied = kept;
    }

    /// Computes the copied candidates in f32, keeps the best of them, and raises the cut.
    fn compute_copied(&mut self, row: usize) {
        let (isa, k, (error, offset)) = (self.isa, self.k, self.error(row));
        let ids = self.work_ids.get(..self.copied).unwrap_or_default();
        let Some(work) = self.work.get_mut(..self.copied) else { return };
        let Some(gallery_row) = self.gallery.rows.row(self.chunk.first + row) else { return };
        kernel::chains(isa, gallery_row, &self.bank.rows, ids, work);
        let Some(best) = self.best.get_mut(row.wrapping_mul(k)..).and_then(|best| best.get_mut(..k)) else { return };
        let last = best.last().copied().unwrap_or(f32::NEG_INFINITY);
        if k <= STRIP / 2 {
            work.chunks(STRIP).for_each(|scores| add(isa, best, scores, u64::MAX));
        } else {
            // One zero, and no infinities, as everywhere.
            work.iter_mut().for_each(|score| *score = if *score < f32::INFINITY { *score + 0.0 } else { f32::NEG_INFINITY });
            let kept = kernel::retain_above(isa, work, last);
            let (newcomers, rest) = self.work.split_at_mut_checked(kept).unwrap_or_default();
            sort_descending(isa, newcomers, rest);
            merge_batch(best, k, newcomers);
        }
        let last = best.last().copied().unwrap_or(f32::NEG_INFINITY);
        if let Some(list) = self.list(row) {
            *list.cut = list.cut.max(lower(f64::from(last) - offset - error));
        }
        if let Some(rescored) = self.rescored.get_mut(row) {
            *rescored = rescored.saturating_add(self.copied as u32);
        }
    }

    /// Computes what of a list may be among the k best; the row's best are complete then. `false`: the row was given up.
    fn resolve(&mut self, row: usize) -> bool {
        if self.cuts.get(row).is_none_or(|&cut| cut == f32::INFINITY) {
            return false;
        }
        self.compute_promising(row);
        self.compute_all(row);
        true
    }
}

impl List<'_> {
    fn drop_below_cut(&mut self, isa: Supported) {
        let len = *self.len as usize;
        let (Some(scores), Some(ids)) = (self.scores.get_mut(..len), self.ids.get_mut(..len)) else { return };
        *self.len = kernel::retain_pairs_above(isa, scores, ids, *self.cut) as u32;
    }
}

fn collect_certified(
    isa: Supported,
    gallery: &Encoded,
    rows: Span,
    bank: &Encoded,
    scratch: &mut [u8],
    k: usize,
    mut target: Target,
) -> Result<Certificate> {
    let worst = bank.worst(Span::new(0, bank.rows.rows()));
    let cut = Cut::new(isa, gallery.rows.dim(), k, scratch.len());
    let (lists, tiles) = scratch.split_at_mut_checked(cut.words(k).saturating_mul(4).saturating_add(3)).ok_or(TOO_SMALL)?;
    let mut done = Certificate::default();
    for chunk in rows.parts(cut.rows) {
        let first = chunk.first - rows.first;
        let (lens, words) = kernel::u32_part(lists).split_at_mut_checked(cut.rows).ok_or(TOO_SMALL)?;
        let (rescored, words) = words.split_at_mut_checked(cut.rows).ok_or(TOO_SMALL)?;
        let (ids, words) = words.split_at_mut_checked(cut.rows * cut.capacity).ok_or(TOO_SMALL)?;
        let (work_ids, words) = words.split_at_mut_checked(cut.capacity).ok_or(TOO_SMALL)?;
        let (cuts, floats) = kernel::as_f32_mut(words).split_at_mut_checked(cut.places).ok_or(TOO_SMALL)?;
        let (best, floats) = floats.split_at_mut_checked(cut.rows * k).ok_or(TOO_SMALL)?;
        let (scores, floats) = floats.split_at_mut_checked(cut.rows * cut.capacity).ok_or(TOO_SMALL)?;
        let (work, _) = floats.split_at_mut_checked(cut.capacity).ok_or(TOO_SMALL)?;
        let mut lists = Candidates {
            isa,
            k,
            gallery,
            bank,
            chunk,
            worst,
            cut,
            lens,
            cuts,
            rescored,
            ids,
            scores,
            best,
            work_ids,
            work,
            copied: 0,
        };
        lists.begin(&target, first);
        let codes = gallery.codes.part(chunk);
        kernel::tile_pass(isa, &bank.codes, Span::new(0, bank.rows.rows()), &codes, tiles, &mut lists).ok_or(TOO_SMALL)?;
        let mut given_up = Span::new(0, 0);
        for row in 0..=chunk.count {
            let resolved = row == chunk.count || lists.resolve(row);
            if !resolved {
                given_up = Span::new(row - given_up.count, given_up.count + 1);
                continue;
            }
            if given_up.count > 0 {
                // In runs of neighbours.
                let (span, at) = (Span::new(chunk.first + given_up.first, given_up.count), first + given_up.first);
                collect(isa, &gallery.rows, span, &bank.rows, tiles, k, target.part(at, span.count, k))?;
                done.exhausted += span.count as u64;
                given_up = Span::new(0, 0);
            }
            if let (true, Some(list)) = (row < chunk.count, lists.list(row)) {
                target.take(first + row, list.best, None)?;
                done.rescored += u64::from(*list.rescored);
            }
        }
    }
    Ok(done)
}

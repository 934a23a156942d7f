//! The coarse index: rows in lists around centroids, of which a query visits the nearest few. Over the bank it makes biases sublinear in
//! the bank, over the gallery search sublinear in the gallery.
//!
//! ```text
//! sample --train--> centroids;  rows --assign--> list of each row --lists--> offsets, ids --gather--> rows in the order of the lists
//! ```
//!
//! An index is plain arrays in the caller's memory. The indexed rows are copied into the order of the lists, so that each list is a range
//! of an ordinary matrix, and the kernels of the exact functions run over it at full speed with the same bits. With as many probes as
//! lists the results are those of the exact functions.
//!
//! Sources: inverted lists over a coarse quantiser: Jegou, Douze and Schmid, "Product quantization for nearest neighbor search", TPAMI
//! 2011; spherical k-means: Dhillon and Modha, "Concept decompositions for large sparse text data using clustering", 2001.
#![forbid(unsafe_code)]

mod neighbors;
mod plan;
mod search;
mod train;

pub use plan::{probe_scratch, probe_scratch_min};
pub use search::search_probed;
pub use train::{coarse_assign, coarse_train, coarse_train_scratch, coarse_train_scratch_min};

use crate::dot::ensure_finite;
use crate::kernel::Span;
use crate::matrix::{Element, Matrix};
use crate::status::{Result, Status, ensure};

/// Rows in lists around centroids.
///
/// ```
/// use nnn::{Coarse, Matrix};
/// let rows = [1.0f32, 0.0, 0.0, 1.0, 0.8, 0.6, 0.6, 0.8];
/// let matrix = Matrix::new(&rows, 4, 2)?;
/// let mut centroids = [0.0; 4];
/// let mut scratch = vec![0; nnn::coarse_train_scratch(4, 2, 2)];
/// nnn::coarse_train(&matrix, 2, 8, 1, &mut scratch, &mut centroids)?;
/// let centroids = Matrix::new(&centroids, 2, 2)?;
/// let (mut list_of, mut offsets, mut ids) = ([0; 4], [0; 3], [0; 4]);
/// nnn::coarse_assign(&matrix, &centroids, 0..4, &mut scratch, &mut list_of)?;
/// nnn::coarse_lists(&list_of, &mut offsets, &mut ids)?;
/// let mut ordered = [0.0; 8];
/// nnn::coarse_gather(&matrix, &ids, &mut ordered, 2)?;
/// let (coarse, ordered) = (Coarse::new(centroids, &offsets, &ids)?, Matrix::new(&ordered, 4, 2)?);
///
/// let query = Matrix::new(&[0.9f32, 0.1], 1, 2)?;
/// let (mut hits, mut found) = ([nnn::Hit { score: 0.0, id: 0 }; 1], [0]);
/// let mut scratch = vec![0; nnn::probe_scratch(1, 2, 1, 2)];
/// nnn::search_probed(&query, &coarse, &ordered, None, None, 1, 1, &mut scratch, &mut hits, &mut found)?;
/// assert_eq!(hits[0].id, 0);
/// # Ok::<(), nnn::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Coarse<'a, T> {
    centroids: Matrix<'a, T>,
    offsets: &'a [u32],
    ids: &'a [u32],
}

impl<'a, T: Element> Coarse<'a, T> {
    /// List `l` holds the positions `offsets[l]..offsets[l + 1]` of the ordered rows; position `p` was row `ids[p]`. Within a list ids
    /// ascend, as [`coarse_lists`] makes them. O(lists).
    ///
    /// `ids` are taken as they are: wrong ones give hits with wrong ids.
    ///
    /// # Errors
    /// `Range` (offsets that do not begin with 0, descend or do not end with the number of ids), `Capacity` (not one offset more than
    /// centroids).
    pub fn new(centroids: Matrix<'a, T>, offsets: &'a [u32], ids: &'a [u32]) -> Result<Self> {
        let ends = offsets.first().is_none_or(|first| *first == 0) && offsets.last().is_none_or(|last| *last as usize == ids.len());
        ensure(ends && offsets.is_sorted(), Status::Range, "offsets")?;
        ensure(centroids.rows().checked_add(1) == Some(offsets.len()), Status::Capacity, "offsets")?;
        Ok(Coarse { centroids, offsets, ids })
    }

    /// Lists.
    pub fn lists(&self) -> usize {
        self.centroids.rows()
    }

    /// Rows in all lists.
    pub fn rows(&self) -> usize {
        self.ids.len()
    }

    /// The positions of a list.
    fn list(&self, list: usize) -> Span {
        let at = |i: usize| self.offsets.get(i).map_or(0, |offset| *offset as usize);
        let first = at(list);
        Span::new(first, at(list.wrapping_add(1)).saturating_sub(first))
    }

    /// The id of a position.
    fn id(&self, position: usize) -> Option<u32> {
        self.ids.get(position).copied()
    }

    fn check_dims(&self, rows: &Matrix<T>, ordered: &Matrix<T>) -> Result<()> {
        ensure(rows.dim() == self.centroids.dim(), Status::Dim, "coarse")?;
        ensure(rows.dim() == ordered.dim(), Status::Dim, "ordered")
    }

    fn check_rows(&self, ordered: &Matrix<T>) -> Result<()> {
        ensure(ordered.rows() == self.rows(), Status::Range, "ordered")
    }

    fn check_values(&self, isa: crate::cpu::Supported) -> Result<()> {
        ensure_finite(isa, &self.centroids, Span::new(0, self.lists()), "coarse").map(|_| ())
    }
}

/// Sorts rows into lists: `ids` are the rows list by list, ascending within each, and list `l` is `ids[offsets[l]..offsets[l + 1]]`.
///
/// `list_of`: the list of each row, from [`coarse_assign`]; there are `offsets.len() - 1` lists. Rows that come later are assigned alone, and the
/// lists made anew from all assignments. O(rows + lists).
///
/// # Errors
/// `Range` (a list that is not there, more than `u32::MAX` rows), `Capacity` (no `offsets`, `ids` shorter than the rows).
pub fn coarse_lists(list_of: &[u32], offsets: &mut [u32], ids: &mut [u32]) -> Result<()> {
    let lists = offsets.len().saturating_sub(1);
    ensure(u32::try_from(list_of.len()).is_ok(), Status::Range, "list_of")?;
    ensure(list_of.iter().all(|list| (*list as usize) < lists), Status::Range, "list_of")?;
    ensure(!offsets.is_empty(), Status::Capacity, "offsets")?;
    ensure(ids.len() >= list_of.len(), Status::Capacity, "ids")?;
    sort_into_lists(list_of.iter().map(|list| Some(*list)), offsets, ids);
    Ok(())
}

/// A stable counting sort: of the item numbers with a list into `order`, list by list. An item whose list is `None` or not there is left
/// out.
fn sort_into_lists(list_of: impl Iterator<Item = Option<u32>> + Clone, offsets: &mut [u32], order: &mut [u32]) {
    offsets.fill(0);
    for list in list_of.clone().flatten() {
        if let Some(count) = offsets.get_mut((list as usize).wrapping_add(1)) {
            *count = count.wrapping_add(1);
        }
    }
    let mut sum = 0u32;
    for offset in offsets.iter_mut() {
        sum = sum.wrapping_add(*offset);
        *offset = sum;
    }
    // Each list's offset moves to its end while it is filled, and is then that of the next list.
    for (item, list) in (0u32..).zip(list_of) {
        if let Some(next) = list.and_then(|list| offsets.get_mut(list as usize)) {
            if let Some(slot) = order.get_mut(*next as usize) {
                *slot = item;
            }
            *next = next.wrapping_add(1);
        }
    }
    offsets.rotate_right(1.min(offsets.len()));
    if let Some(first) = offsets.first_mut() {
        *first = 0;
    }
}

/// Copies rows in the order of `ids`, `out_stride` floats apart. O(ids * dim).
///
/// # Errors
/// `Stride`, `Overflow`, `Range` (an id that is no row), `Capacity` (`out`).
pub fn coarse_gather(rows: &Matrix<f32>, ids: &[u32], out: &mut [f32], out_stride: usize) -> Result<()> {
    let len = crate::matrix::span::<f32>(ids.len(), rows.dim(), out_stride, "out")?;
    ensure(ids.iter().all(|id| (*id as usize) < rows.rows()), Status::Range, "ids")?;
    ensure(out.len() >= len, Status::Capacity, "out")?;
    copy_rows(rows, ids, out, out_stride);
    Ok(())
}

/// As [`coarse_gather`], of codes and their scales (1 where the matrix has none).
///
/// # Errors
/// As [`coarse_gather`], and `Capacity` (`scale` shorter than the ids).
pub fn coarse_gather_codes(rows: &Matrix<i8>, ids: &[u32], out: &mut [i8], out_stride: usize, scale: &mut [f32]) -> Result<()> {
    let len = crate::matrix::span::<i8>(ids.len(), rows.dim(), out_stride, "out")?;
    ensure(ids.iter().all(|id| (*id as usize) < rows.rows()), Status::Range, "ids")?;
    ensure(out.len() >= len, Status::Capacity, "out")?;
    ensure(scale.len() >= ids.len(), Status::Capacity, "scale")?;
    copy_rows(rows, ids, out, out_stride);
    copy_scales(rows, ids, scale);
    Ok(())
}

fn copy_rows<T: Element>(rows: &Matrix<T>, ids: &[u32], out: &mut [T], stride: usize) {
    for (id, out) in ids.iter().zip(out.chunks_mut(stride.max(1))) {
        if let (Some(row), Some(out)) = (rows.row(*id as usize), out.get_mut(..rows.dim())) {
            out.copy_from_slice(row);
        }
    }
}

fn copy_scales<T: Element>(rows: &Matrix<T>, ids: &[u32], scale: &mut [f32]) {
    ids.iter().zip(scale).for_each(|(id, scale)| *scale = rows.scale(*id as usize));
}

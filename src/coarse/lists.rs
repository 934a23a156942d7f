//! The layout: from the list of each row to rows in list order.

use crate::kernel::Span;
use crate::matrix::{Element, Matrix, span};
use crate::status::{Result, Status, ensure};

/// From the list of each row to the lists: list `l` holds the rows `ids[offsets[l]..offsets[l + 1]]`, ascending. `lists` is one less
/// than `offsets` is long. A counting sort, O(rows + lists), no work memory.
///
/// ```
/// let (mut offsets, mut ids) = ([0; 3], [0; 4]);
/// nnn::coarse_lists(&[1, 0, 1, 1], &mut offsets, &mut ids)?;
/// assert_eq!((offsets, ids), ([0, 1, 4], [1, 0, 2, 3]));
/// # Ok::<(), nnn::Error>(())
/// ```
///
/// # Errors
/// `Range` (more than 2^32 - 1 rows), `Capacity` (`offsets` is empty, `ids` shorter than the rows), `Value` (a list that is not there).
pub fn coarse_lists(assigned: &[u32], offsets: &mut [u32], ids: &mut [u32]) -> Result<()> {
    ensure(u32::try_from(assigned.len()).is_ok(), Status::Range, "assigned")?;
    ensure(!offsets.is_empty(), Status::Capacity, "offsets")?;
    ensure(ids.len() >= assigned.len(), Status::Capacity, "ids")?;
    let lists = offsets.len() - 1;
    ensure(assigned.iter().all(|list| (*list as usize) < lists), Status::Value, "assigned")?;
    counting_sort(assigned, offsets, ids);
    Ok(())
}

/// The places of `keys` in the order of the keys, equal keys ascending; keys that `offsets` has no room for are left out.
pub(super) fn counting_sort(keys: &[u32], offsets: &mut [u32], places: &mut [u32]) {
    let Some(lists) = offsets.len().checked_sub(1) else { return };
    offsets.fill(0);
    for key in keys {
        // One further on, so that the sums below are where each list begins.
        if let Some(count) = offsets.get_mut((*key as usize).saturating_add(1)) {
            *count += 1;
        }
    }
    let mut sum = 0;
    for offset in offsets.iter_mut() {
        sum += *offset;
        *offset = sum;
    }
    for (at, key) in keys.iter().enumerate() {
        if (*key as usize) < lists
            && let Some(next) = offsets.get_mut(*key as usize)
            && let Some(place) = places.get_mut(*next as usize)
        {
            *place = at as u32;
            *next += 1;
        }
    }
    // Every list now begins where the next one should.
    let mut begin = 0;
    for offset in offsets.iter_mut() {
        begin = core::mem::replace(offset, begin);
    }
}

/// The rows of a list.
pub(super) fn list(offsets: &[u32], l: usize) -> Span {
    match (offsets.get(l), offsets.get(l.wrapping_add(1))) {
        (Some(&first), Some(&end)) => Span::new(first as usize, end.saturating_sub(first) as usize),
        _ => Span::new(0, 0),
    }
}

/// Refuses offsets that are not those of `lists` lists of `rows` rows.
pub(super) fn check_offsets(offsets: &[u32], lists: usize, rows: usize) -> Result<()> {
    let ends = offsets.first() == Some(&0) && offsets.get(lists).is_some_and(|end| *end as usize == rows);
    let ascending = offsets.get(..=lists).is_some_and(|offsets| offsets.is_sorted_by(|a, b| a <= b));
    ensure(ends && ascending, Status::Value, "offsets")
}

/// Whether `offsets` and `ids` are those of an index over `rows` rows: offsets ascending from 0 to `rows`, every row once, ascending
/// within a list. O(rows). Every function takes any content without harm; this tells whether the answers mean anything.
///
/// `scratch`: `rows / 8` bytes, rounded up.
///
/// # Errors
/// `Range` (more than 2^32 - 1 rows), `Capacity` (`offsets` is empty, `ids` shorter than the rows, `scratch`), `Value`: no index.
pub fn coarse_check(rows: usize, offsets: &[u32], ids: &[u32], scratch: &mut [u8]) -> Result<()> {
    ensure(u32::try_from(rows).is_ok(), Status::Range, "rows")?;
    ensure(!offsets.is_empty(), Status::Capacity, "offsets")?;
    let (ids, seen) = (ids.get(..rows), scratch.get_mut(..rows.div_ceil(8)));
    ensure(ids.is_some(), Status::Capacity, "ids")?;
    ensure(seen.is_some(), Status::Capacity, "scratch")?;
    let (ids, seen) = (ids.unwrap_or_default(), seen.unwrap_or_default());
    let lists = offsets.len() - 1;
    check_offsets(offsets, lists, rows)?;
    seen.fill(0);
    let mut once = |id: u32| match seen.get_mut(id as usize / 8) {
        Some(byte) if (id as usize) < rows => {
            let bit = 1 << (id % 8);
            let new = *byte & bit == 0;
            *byte |= bit;
            new
        }
        _ => false,
    };
    let ascends = |l| {
        let Span { first, count } = list(offsets, l);
        ids.get(first..).and_then(|ids| ids.get(..count)).is_some_and(|ids| ids.is_sorted_by(|a, b| a <= b))
    };
    ensure(ids.iter().all(|id| once(*id)) && (0..lists).all(ascends), Status::Value, "ids")
}

/// Copies rows in the order of `ids`: `dst row i = src row ids[i]`, `dst_stride` apart. What brings rows into list order.
/// O(ids * dim).
///
/// # Errors
/// `Stride` (`dst_stride` below the dim), `Overflow`, `Range` (an id that is no row, more than 2^32 - 1 ids), `Capacity` (`dst`).
pub fn coarse_gather(src: &Matrix<f32>, ids: &[u32], dst: &mut [f32], dst_stride: usize) -> Result<()> {
    check_gather(src, ids, dst, dst_stride)?;
    gather(src, ids, dst, dst_stride, &mut []);
    Ok(())
}

/// [`coarse_gather`] of codes; `scale`: one f32 for each id, 1 where `src` has none.
///
/// # Errors
/// As [`coarse_gather`], and `Capacity` when `scale` is shorter than `ids`.
pub fn coarse_gather_i8(src: &Matrix<i8>, ids: &[u32], dst: &mut [i8], dst_stride: usize, scale: &mut [f32]) -> Result<()> {
    check_gather(src, ids, dst, dst_stride)?;
    ensure(scale.len() >= ids.len(), Status::Capacity, "scale")?;
    gather(src, ids, dst, dst_stride, scale);
    Ok(())
}

fn check_gather<T: Element>(src: &Matrix<T>, ids: &[u32], dst: &[T], dst_stride: usize) -> Result<()> {
    let needed = span::<T>(ids.len(), src.dim(), dst_stride, "dst")?;
    ensure(ids.iter().all(|id| (*id as usize) < src.rows()), Status::Range, "ids")?;
    ensure(dst.len() >= needed, Status::Capacity, "dst")
}

/// Copies rows, and as many of their scales as there is room for.
pub(super) fn gather<T: Element>(src: &Matrix<T>, ids: &[u32], dst: &mut [T], stride: usize, scale: &mut [f32]) {
    for (id, dst) in ids.iter().zip(dst.chunks_mut(stride.max(1))) {
        if let (Some(row), Some(dst)) = (src.row(*id as usize), dst.get_mut(..src.dim())) {
            dst.iter_mut().zip(row).for_each(|(to, from)| *to = *from);
        }
    }
    for (id, scale) in ids.iter().zip(scale) {
        *scale = src.scale(*id as usize);
    }
}

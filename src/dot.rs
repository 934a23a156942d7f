//! Dot products, score matrices and the search for values that are not numbers.
#![forbid(unsafe_code)]

use crate::blocks::{BLOCK_ROWS, block_rows, blocks};
use crate::cpu::{self, Supported};
use crate::kernel::{self, Dtype, Span};
use crate::matrix::{Element, MAX_DIM, Matrix};
use crate::status::{Result, Status, ensure};
use core::ops::Range;

/// Dot product of two rows: f32 in the canonical order of [`scores`], or exact `i32` of int8 codes.
///
/// The values are not looked at: NaN in, NaN out. O(dim).
///
/// ```
/// assert_eq!(nnn::dot(&[1i8, -128], &[2, -128]), Ok(16386));
/// ```
///
/// # Errors
/// `Dim`: the lengths differ, are 0 or above [`MAX_DIM`].
pub fn dot<T: Element>(a: &[T], b: &[T]) -> Result<T::Dot> {
    ensure(!a.is_empty() && a.len() <= MAX_DIM, Status::Dim, "a")?;
    ensure(a.len() == b.len(), Status::Dim, "b")?;
    Ok(T::pair(cpu::active(), a, b))
}

/// Dot products of one row with four, each with the bits of [`dot`]: what a graph index asks for at every step, in less time than four
/// calls. O(dim).
///
/// ```
/// assert_eq!(nnn::dot4(&[1.0f32, 2.0], [&[1.0, 0.0], &[0.0, 1.0], &[1.0, 1.0], &[-1.0, 0.0]]), Ok([1.0, 2.0, 3.0, -1.0]));
/// ```
///
/// # Errors
/// `Dim`: the lengths differ, are 0 or above [`MAX_DIM`].
pub fn dot4<T: Element>(query: &[T], rows: [&[T]; 4]) -> Result<[T::Dot; 4]> {
    ensure(!query.is_empty() && query.len() <= MAX_DIM, Status::Dim, "query")?;
    ensure(rows.iter().all(|row| row.len() == query.len()), Status::Dim, "rows")?;
    Ok(T::quad(cpu::active(), query, rows))
}

/// Scores of all queries with the gallery rows of a range: `out[q * out_stride + (r - rows.start)] = <query q, row r>`; for codes
/// `((f32)dot * scale_query) * scale_row`.
///
/// The gallery's values are not checked: a row with NaN scores NaN. O(queries * rows * dim), no work memory.
///
/// # Errors
/// `Dim` (different dims), `Stride` (`out_stride` below the number of rows), `Range`, `Capacity` (`out`), `Value` (a query that is
/// not finite).
pub fn scores<T: Element>(
    queries: &Matrix<T>,
    gallery: &Matrix<T>,
    rows: Range<usize>,
    out: &mut [f32],
    out_stride: usize,
) -> Result<()> {
    ensure(queries.dim() == gallery.dim(), Status::Dim, "gallery")?;
    let span = row_span(&rows, gallery.rows())?;
    ensure(out_stride >= span.count, Status::Stride, "out_stride")?;
    let needed = match queries.rows() {
        0 => Some(0),
        n => (n - 1).checked_mul(out_stride).and_then(|n| n.checked_add(span.count)),
    };
    ensure(needed.is_some_and(|n| n <= out.len()), Status::Capacity, "out")?;
    let isa = cpu::active();
    ensure_finite(isa, queries, Span::new(0, queries.rows()), "queries")?;

    let all = Span::new(0, queries.rows());
    for block in blocks(span, block_rows(size_of::<T>() * gallery.dim(), BLOCK_ROWS), None) {
        let out = out.get_mut(block.first - span.first..).unwrap_or_default();
        T::grid(isa, queries, all, gallery, block, out, out_stride);
    }
    Ok(())
}

/// Row and column of the first value that is NaN or infinite, or `None`. O(rows * dim).
pub fn find_nonfinite(m: &Matrix<f32>) -> Option<(usize, usize)> {
    let isa = cpu::active();
    let bad = |row: &[f32]| kernel::max_abs_bits(isa, row) >= f32::INFINITY.to_bits();
    (0..m.rows()).find_map(|i| {
        let row = m.row(i).filter(|row| bad(row))?;
        row.iter().position(|x| !x.is_finite()).map(|column| (i, column))
    })
}

/// The rows of a range as a span, checked against a matrix of `total` rows.
pub(crate) fn row_span(rows: &Range<usize>, total: usize) -> Result<Span> {
    ensure(rows.start <= rows.end && rows.end <= total, Status::Range, "rows")?;
    Ok(Span::new(rows.start, rows.end - rows.start))
}

/// Refuses rows with values (for codes: scales) that are not finite; returns their largest magnitude.
pub(crate) fn ensure_finite<T: Element>(isa: Supported, m: &Matrix<T>, rows: Span, argument: &'static str) -> Result<f32> {
    let max = <T as Dtype>::max_abs(isa, m, rows);
    ensure(max.is_finite(), Status::Value, argument)?;
    Ok(max)
}

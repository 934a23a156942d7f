//! The matrix view: rows of equal length in memory the caller owns.

use crate::kernel::Span;
use crate::status::{Result, Status, ensure};

/// Largest dimension. With it every int8 dot product, -128 codes included, fits an `i32`: 131,071 * 128 * 128 < 2^31.
pub const MAX_DIM: usize = 131_071;

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for i8 {}
}

/// Element type of a matrix: `f32`, or `i8` codes with one `f32` scale per row.
pub trait Element: Copy + sealed::Sealed + crate::kernel::Dtype {}
impl Element for f32 {}
impl Element for i8 {}

/// A validated view of `rows` x `dim` elements, row `i` starting at `data[i * stride]`.
///
/// ```
/// let data = [1.0f32, 2.0, 0.0, 3.0, 4.0, 0.0];
/// let m = nnn::Matrix::with_stride(&data, 2, 2, 3)?; // two rows of two, one element of padding after each
/// assert_eq!((m.rows(), m.dim()), (2, 2));
/// # Ok::<(), nnn::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a, T> {
    data: &'a [T],
    scale: Option<&'a [f32]>,
    rows: usize,
    dim: usize,
    stride: usize,
}

impl<'a, T: Element> Matrix<'a, T> {
    /// A dense matrix: stride = dim.
    ///
    /// # Errors
    /// As [`with_stride`](Self::with_stride).
    pub fn new(data: &'a [T], rows: usize, dim: usize) -> Result<Self> {
        Self::with_stride(data, rows, dim, dim)
    }

    /// A matrix whose rows are `stride` elements apart; the last row may end at `dim`.
    ///
    /// # Errors
    /// `Dim` (0 or above [`MAX_DIM`]), `Stride` (below `dim`), `Overflow` (size not representable), `Range` (more than `u32::MAX`
    /// rows), `Capacity` (`data` shorter than the rows need).
    pub fn with_stride(data: &'a [T], rows: usize, dim: usize, stride: usize) -> Result<Self> {
        let span = span::<T>(rows, dim, stride, "data")?;
        ensure(data.len() >= span, Status::Capacity, "data")?;
        Ok(Matrix { data, scale: None, rows, dim, stride })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Elements per row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Elements from the start of one row to the start of the next.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// The elements of row `i`, or `None` past the end.
    pub fn row(&self, i: usize) -> Option<&'a [T]> {
        if i >= self.rows {
            return None;
        }
        // No overflow: `i < rows`, and `(rows - 1) * stride + dim` was checked when the view was made.
        self.data.get(i.wrapping_mul(self.stride)..)?.get(..self.dim)
    }

    /// Some of the rows; none if they are not all there.
    pub(crate) fn part(&self, rows: Span) -> Matrix<'a, T> {
        let data = self.data.get(rows.first.wrapping_mul(self.stride)..).filter(|_| rows.inside(self.rows));
        let (data, count) = data.map_or((self.data, 0), |data| (data, rows.count));
        Matrix { data, scale: self.scale.and_then(|s| s.get(rows.first..)), rows: count, ..*self }
    }

    /// Start of row `i < rows`; a plain computation, the kernels that read through it establish the bound.
    #[inline]
    pub(crate) fn row_ptr(&self, i: usize) -> *const T {
        self.data.as_ptr().wrapping_add(i.wrapping_mul(self.stride))
    }

    /// Scale of row `i`: 1 where the matrix has none.
    #[inline]
    pub(crate) fn scale(&self, i: usize) -> f32 {
        self.scale.and_then(|s| s.get(i).copied()).unwrap_or(1.0)
    }

    /// The per-row scales, where given.
    pub(crate) fn scales(&self) -> Option<&'a [f32]> {
        self.scale
    }
}

impl<'a> Matrix<'a, i8> {
    /// The same codes with one scale per row: element = code * scale. Without it every scale is 1.
    ///
    /// # Errors
    /// `Capacity` when `scale` holds fewer than `rows` values.
    pub fn with_scale(self, scale: &'a [f32]) -> Result<Self> {
        ensure(scale.len() >= self.rows, Status::Capacity, "scale")?;
        Ok(Matrix { scale: Some(scale), ..self })
    }
}

/// Elements from the first to the last of a matrix, after checking its shape (in the documented order of errors).
pub(crate) fn span<T>(rows: usize, dim: usize, stride: usize, argument: &'static str) -> Result<usize> {
    ensure(dim != 0 && dim <= MAX_DIM, Status::Dim, argument)?;
    ensure(stride >= dim, Status::Stride, argument)?;
    let span = match rows {
        0 => Some(0),
        _ => (rows - 1).checked_mul(stride).and_then(|n| n.checked_add(dim)),
    };
    let bytes = span.and_then(|n| n.checked_mul(size_of::<T>())).filter(|&n| n <= isize::MAX as usize);
    ensure(bytes.is_some(), Status::Overflow, argument)?;
    ensure(u32::try_from(rows).is_ok(), Status::Range, argument)?;
    Ok(span.unwrap_or(0))
}

//! Unit length and int8 codes.
#![forbid(unsafe_code)]

use crate::cpu::{self, Supported};
use crate::dot::ensure_finite;
use crate::kernel::{self, Span};
use crate::matrix::{Matrix, span};
use crate::status::{Result, Status, ensure};

/// Scales every row to unit length: `dst row = src row / |src row|`, the length summed in f64, each element rounded once. A row of
/// zeros stays zero. O(rows * dim).
///
/// # Errors
/// `Stride` (`dst_stride` below the dim), `Overflow`, `Capacity` (`dst`), `Value` (NaN or infinity in `src`).
pub fn normalize(src: &Matrix<f32>, dst: &mut [f32], dst_stride: usize) -> Result<()> {
    let needed = span::<f32>(src.rows(), src.dim(), dst_stride, "dst")?;
    ensure(dst.len() >= needed, Status::Capacity, "dst")?;
    let isa = cpu::active();
    ensure_finite(isa, src, Span::new(0, src.rows()), "src")?;
    for (i, row) in (0..src.rows()).zip(dst.chunks_mut(dst_stride.max(1))) {
        if let (Some(src), Some(dst)) = (src.row(i), row.get_mut(..src.dim())) {
            kernel::scale_row(isa, src, dst, inverse_length(isa, src));
        }
    }
    Ok(())
}

/// [`normalize`] in place, of `rows` rows of `dim` elements that are `stride` apart.
///
/// # Errors
/// As [`normalize`], and those of [`Matrix::with_stride`].
pub fn normalize_in_place(data: &mut [f32], rows: usize, dim: usize, stride: usize) -> Result<()> {
    let isa = cpu::active();
    ensure_finite(isa, &Matrix::with_stride(data, rows, dim, stride)?, Span::new(0, rows), "data")?;
    for row in data.chunks_mut(stride.max(1)).take(rows).filter_map(|row| row.get_mut(..dim)) {
        let factor = inverse_length(isa, row);
        kernel::scale_row_in_place(isa, row, factor);
    }
    Ok(())
}

/// 1 / |row|; 1 for a row of zeros. The squares of finite f32 values neither overflow nor vanish in f64.
fn inverse_length(isa: Supported, row: &[f32]) -> f64 {
    let squares = kernel::sum_of_squares(isa, row);
    if squares > 0.0 { 1.0 / libm::sqrt(squares) } else { 1.0 }
}

/// Symmetric int8 codes with one scale per row: `scale = max|x| / 127`, `code = x / scale` rounded to nearest, ties to even, in
/// [-127, 127]. A row of zeros has codes 0 and scale 1. O(rows * dim).
///
/// Where `max|x| / 127` is below the smallest normal f32, the scale is the next f32 above it, so that codes still fit.
///
/// # Errors
/// `Stride` (`dst_stride` below the dim), `Overflow`, `Capacity` (`dst`, `scale`), `Value` (NaN or infinity in `src`).
pub fn quantize(src: &Matrix<f32>, dst: &mut [i8], dst_stride: usize, scale: &mut [f32]) -> Result<()> {
    let needed = span::<i8>(src.rows(), src.dim(), dst_stride, "dst")?;
    ensure(dst.len() >= needed, Status::Capacity, "dst")?;
    ensure(scale.len() >= src.rows(), Status::Capacity, "scale")?;
    let isa = cpu::active();
    ensure_finite(isa, src, Span::new(0, src.rows()), "src")?;
    for ((i, row), scale) in (0..src.rows()).zip(dst.chunks_mut(dst_stride.max(1))).zip(scale) {
        if let (Some(src), Some(dst)) = (src.row(i), row.get_mut(..src.dim())) {
            *scale = row_scale(f32::from_bits(kernel::max_abs_bits(isa, src)));
            kernel::quantize_row(isa, src, dst, *scale);
        }
    }
    Ok(())
}

/// The scale of a row whose largest magnitude is `max`.
pub(crate) fn row_scale(max: f32) -> f32 {
    let scale = max / 127.0;
    if max == 0.0 {
        1.0
    } else if scale < f32::MIN_POSITIVE {
        f32::from_bits(scale.to_bits() + 1)
    } else {
        scale
    }
}

//! Debiased search in an engine that knows inner products, squared distances or cosines only: the bias becomes one or two further
//! elements of every vector.
//!
//! | form | row | query | score back |
//! |---|---|---|---|
//! | inner product | `[r, b - c]` | `[q, -alpha]` | `ip - alpha c` |
//! | squared L2 | `[r, sqrt(n - r.r + 2 (b - b_min))]` | `[q, 0]` | `(q.q + n - 2 b_min - d2) / 2` |
//! | cosine | `[r, b - c, sqrt(n - r.r + h^2 - (b - c)^2)]` | `[q, -alpha, 0]` | `cos * sqrt((n + h^2) (q.q + alpha^2)) - alpha c` |
//!
//! with n the largest `r.r`, c and h the middle and half the width of the biases' range: all from [`ExportLimits`]. The forms are exact
//! for rows and queries of any length (expand the product or the square; the roots are what is missing to one common length).
#![forbid(unsafe_code)]

use crate::cpu::{self, Supported};
use crate::dot::{ensure_finite, row_span};
use crate::kernel::{self, Dtype, Span};
use crate::matrix::{Element, MAX_DIM, Matrix};
use crate::status::{Result, Status, ensure};
use core::ops::Range;

/// What an engine's index compares vectors by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Form {
    /// Inner product, greatest first.
    InnerProduct = 0,
    /// Squared (or plain) Euclidean distance, least first.
    L2 = 1,
    /// Cosine, greatest first. It divides by the lengths, so vectors of the inner-product form are wrong for it.
    Cosine = 2,
}

impl Form {
    /// The form of a C number.
    pub(crate) fn from_code(code: u32) -> Option<Form> {
        [Form::InnerProduct, Form::L2, Form::Cosine].into_iter().find(|form| *form as u32 == code)
    }

    fn tails(self) -> usize {
        if self == Form::Cosine { 2 } else { 1 }
    }
}

/// What the rows of an export lie within: the constants of all three forms.
///
/// The limits of shards merge. For rows to come, widen them by hand: a row that does not fit is refused. An
/// index is valid as long as all of its rows were written with the same limits.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
pub struct ExportLimits {
    /// Largest squared length of a row.
    pub norm2: f64,
    /// Least bias.
    pub bias_min: f32,
    /// Largest bias.
    pub bias_max: f32,
}

impl ExportLimits {
    /// The limits of no rows.
    pub const fn empty() -> ExportLimits {
        ExportLimits { norm2: 0.0, bias_min: f32::INFINITY, bias_max: f32::NEG_INFINITY }
    }

    /// Widens the limits by those of other rows. Associative and commutative in every bit.
    pub fn merge(&mut self, from: &ExportLimits) {
        self.norm2 = self.norm2.max(from.norm2);
        self.bias_min = self.bias_min.min(from.bias_min);
        self.bias_max = self.bias_max.max(from.bias_max);
    }

    /// Of at least one row.
    fn is_given(&self) -> bool {
        self.norm2 >= 0.0
            && self.norm2.is_finite()
            && self.bias_min.is_finite()
            && self.bias_max.is_finite()
            && self.bias_min <= self.bias_max
    }

    /// Whether every last element fits f32.
    fn fits(&self, form: Form) -> bool {
        let largest = match form {
            Form::InnerProduct => 0.0,
            Form::L2 => self.norm2 + 2.0 * (f64::from(self.bias_max) - f64::from(self.bias_min)),
            Form::Cosine => self.length2(),
        };
        (libm::sqrt(largest) as f32).is_finite()
    }

    /// c.
    fn centre(&self) -> f64 {
        (f64::from(self.bias_min) + f64::from(self.bias_max)) / 2.0
    }

    /// A bias as the element of a vector. Rounding is monotone, so its magnitude is at most [`half`](Self::half).
    fn centred(&self, bias: f32) -> f32 {
        (f64::from(bias) - self.centre()) as f32
    }

    /// h.
    fn half(&self) -> f64 {
        f64::from(self.centred(self.bias_max).max(-self.centred(self.bias_min)))
    }

    /// The squared length of all vectors of the cosine form.
    fn length2(&self) -> f64 {
        self.norm2 + self.half() * self.half()
    }

    /// The elements after those of a row; the second is of the cosine form only.
    fn tails(&self, form: Form, norm2: f64, bias: f32) -> [f32; 2] {
        let short = self.norm2 - norm2;
        let centred = self.centred(bias);
        match form {
            Form::InnerProduct => [centred, 0.0],
            Form::L2 => [libm::sqrt(short + 2.0 * (f64::from(bias) - f64::from(self.bias_min))) as f32, 0.0],
            Form::Cosine => {
                let (half, centred64) = (self.half(), f64::from(centred));
                [centred, libm::sqrt(short + (half * half - centred64 * centred64)) as f32]
            }
        }
    }

    fn admit(&self, norm2: f64, bias: f32) -> bool {
        norm2 <= self.norm2 && bias >= self.bias_min && bias <= self.bias_max
    }
}

/// Floats of an exported vector: the dim and the form's last elements, rounded up to a multiple of `multiple` (0 counts as 1).
/// `usize::MAX` when that is not representable.
pub fn export_dim(dim: usize, form: Form, multiple: usize) -> usize {
    let floats = dim.checked_add(form.tails());
    floats.and_then(|n| n.checked_next_multiple_of(multiple.max(1))).unwrap_or(usize::MAX)
}

/// Bytes of an exported vector of codes: dim codes, zeros up to a multiple of 4, scale, bias. `usize::MAX` when not representable.
pub fn export_bytes(dim: usize) -> usize {
    dim.checked_next_multiple_of(4).and_then(|n| n.checked_add(8)).unwrap_or(usize::MAX)
}

/// The limits of the rows of a range and their biases (absolute gallery rows). Squared lengths are summed in f64. O(rows * dim).
///
/// # Errors
/// `Range`, `Capacity` (`bias`), `Value` (NaN or infinity in the range or its biases).
pub fn export_limits<T: Element>(gallery: &Matrix<T>, bias: &[f32], rows: Range<usize>) -> Result<ExportLimits> {
    let span = row_span(&rows, gallery.rows())?;
    ensure(bias.len() >= gallery.rows(), Status::Capacity, "bias")?;
    let isa = cpu::active();
    ensure_finite(isa, gallery, span, "gallery")?;
    let bias = bias.get(rows.clone()).unwrap_or_default();
    ensure(bias.iter().all(|b| b.is_finite()), Status::Value, "bias")?;
    let mut limits = ExportLimits::empty();
    for (i, &b) in rows.zip(bias) {
        limits.merge(&ExportLimits { norm2: T::norm2(isa, gallery, i), bias_min: b, bias_max: b });
    }
    Ok(limits)
}

/// Writes the vectors of the rows of a range, `out_stride` floats each: the row, the form's last elements, zeros up to the stride (so
/// the stride is the dim of the index, see [`export_dim`]). Row `rows.start` comes first; `bias` is of absolute gallery rows: the
/// biases, or the means of the k nearest (biases of alpha 1) where [`export_queries`] sets another alpha for each query.
///
/// ```
/// use nnn::{ExportLimits, Form, Matrix};
/// let gallery = Matrix::new(&[1.0f32, 0.0, 0.6, 0.8], 2, 2)?;
/// let bias = [0.5, 0.25];
/// let mut limits = nnn::export_limits(&gallery, &bias, 0..2)?;
/// limits.bias_max += 0.25; // room for rows to come
/// let mut rows = [0.0; 8];
/// nnn::export_rows(&gallery, &bias, &limits, Form::InnerProduct, 0..2, &mut rows, 4)?;
/// assert_eq!(rows, [1.0, 0.0, 0.0, 0.0, 0.6, 0.8, -0.25, 0.0]);
///
/// let query = Matrix::new(&[0.0f32, 1.0], 1, 2)?;
/// let mut exported = [0.0; 4];
/// nnn::export_queries(&query, Form::InnerProduct, 1.0, &mut exported, 4)?;
/// let mut score = [nnn::dot(&exported, &rows[..4])?]; // what the engine answers
/// nnn::export_scores(&limits, Form::InnerProduct, &[0.0, 1.0], 1.0, &mut score)?;
/// assert_eq!(score, [-0.5]);
/// # Ok::<(), nnn::Error>(())
/// ```
///
/// O(rows * out_stride), no work memory.
///
/// # Errors
/// `Stride` (`out_stride` too small for the form), `Overflow`, `Range` (of the rows, or a row outside of the limits), `Capacity`
/// (`bias`, `out`), `Value` (NaN or infinity in the range or its biases; limits of no rows or too large for f32).
pub fn export_rows(
    gallery: &Matrix<f32>,
    bias: &[f32],
    limits: &ExportLimits,
    form: Form,
    rows: Range<usize>,
    out: &mut [f32],
    out_stride: usize,
) -> Result<()> {
    let count = rows.end.saturating_sub(rows.start).min(gallery.rows());
    let needed = floats(count, gallery.dim(), form, out_stride)?;
    let span = row_span(&rows, gallery.rows())?;
    ensure(bias.len() >= gallery.rows(), Status::Capacity, "bias")?;
    ensure(out.len() >= needed, Status::Capacity, "out")?;
    let isa = cpu::active();
    let bias = bias.get(rows.clone()).unwrap_or_default();
    ensure_admitted(isa, gallery, span, bias, limits)?;
    ensure(limits.fits(form), Status::Value, "limits")?;
    let mut rest = out;
    for (i, &b) in rows.zip(bias) {
        let out = next_vector(&mut rest, out_stride);
        write_vector(gallery.row(i), &limits.tails(form, <f32 as Dtype>::norm2(isa, gallery, i), b), out);
    }
    Ok(())
}

/// Writes the vectors of queries, as [`export_rows`] those of rows. `alpha`: 1, or where rows carry means what their biases shall be
/// multiplied by. O(queries * out_stride).
///
/// # Errors
/// `Stride`, `Overflow`, `Capacity` (`out`), `Value` (NaN or infinity in the queries; alpha not finite, or not 1 in the L2 form, which
/// fixes it when rows are written).
pub fn export_queries(queries: &Matrix<f32>, form: Form, alpha: f32, out: &mut [f32], out_stride: usize) -> Result<()> {
    let needed = floats(queries.rows(), queries.dim(), form, out_stride)?;
    ensure(out.len() >= needed, Status::Capacity, "out")?;
    ensure_finite(cpu::active(), queries, Span::new(0, queries.rows()), "queries")?;
    ensure_alpha(form, alpha)?;
    let tail = if form == Form::L2 { 0.0 } else { 0.0 - alpha };
    let mut rest = out;
    for i in 0..queries.rows() {
        let out = next_vector(&mut rest, out_stride);
        write_vector(queries.row(i), &[tail, 0.0], out);
    }
    Ok(())
}

/// Makes what the engine answered for one query into debiased scores, in place: inner products, squared distances (of an engine that
/// takes the root: square them) or cosines. Engines that answer `1 - x`: subtract from 1 first.
///
/// In f64, rounded once. With u = 2^-24, e the error of the engine's value, and the terms of the table of this group, the error against
/// the exact `q.r - alpha b` is at most (up to 2^-50 of the terms)
/// * inner product: `e + u (|score| + |alpha (b - c)|)`,
/// * L2: `e / 2 + u (|score| + n - r.r + 2 (b - b_min))`,
/// * cosine: `e sqrt((n + h^2) (q.q + alpha^2)) + u (|score| + |alpha (b - c)| + |q.r - alpha (b - c)|)`.
///
/// # Errors
/// `Dim` (`query` empty or above [`MAX_DIM`]), `Value` (NaN or infinity in the query or the values, alpha as in [`export_queries`], limits of no
/// rows).
pub fn export_scores(limits: &ExportLimits, form: Form, query: &[f32], alpha: f32, values: &mut [f32]) -> Result<()> {
    ensure(!query.is_empty() && query.len() <= MAX_DIM, Status::Dim, "query")?;
    ensure(limits.is_given(), Status::Value, "limits")?;
    let norm2 = kernel::sum_of_squares(cpu::active(), query);
    ensure(norm2.is_finite(), Status::Value, "query")?;
    ensure_alpha(form, alpha)?;
    ensure(values.iter().all(|value| value.is_finite()), Status::Value, "values")?;
    let alpha = f64::from(alpha);
    let (factor, constant) = match form {
        Form::InnerProduct => (1.0, -alpha * limits.centre()),
        Form::L2 => (-0.5, (norm2 + limits.norm2) / 2.0 - f64::from(limits.bias_min)),
        Form::Cosine => (libm::sqrt(limits.length2() * (norm2 + alpha * alpha)), -alpha * limits.centre()),
    };
    for value in values {
        *value = (f64::from(*value) * factor + constant) as f32 + 0.0;
    }
    Ok(())
}

/// Writes rows of codes with scale and bias beside them, `out_stride` bytes each, for [`metric_codes`]: dim codes, zeros up to a multiple
/// of 4, the scale and the centred bias as f32 of this machine's byte order, zeros up to the stride. See [`export_rows`].
///
/// # Errors
/// As [`export_rows`]; `Stride`: `out_stride` below [`export_bytes`].
pub fn export_codes(
    gallery: &Matrix<i8>,
    bias: &[f32],
    limits: &ExportLimits,
    rows: Range<usize>,
    out: &mut [i8],
    out_stride: usize,
) -> Result<()> {
    let count = rows.end.saturating_sub(rows.start).min(gallery.rows());
    let needed = bytes(count, gallery.dim(), out_stride)?;
    let span = row_span(&rows, gallery.rows())?;
    ensure(bias.len() >= gallery.rows(), Status::Capacity, "bias")?;
    ensure(out.len() >= needed, Status::Capacity, "out")?;
    let bias = bias.get(rows.clone()).unwrap_or_default();
    ensure_admitted(cpu::active(), gallery, span, bias, limits)?;
    let mut rest = out;
    for (i, &b) in rows.zip(bias) {
        let out = next_vector(&mut rest, out_stride);
        write_codes(gallery, i, limits.centred(b), out);
    }
    Ok(())
}

/// Writes queries of codes, as [`export_codes`] rows, with `-alpha` in the place of the bias.
///
/// # Errors
/// As [`export_queries`].
pub fn export_query_codes(queries: &Matrix<i8>, alpha: f32, out: &mut [i8], out_stride: usize) -> Result<()> {
    let needed = bytes(queries.rows(), queries.dim(), out_stride)?;
    ensure(out.len() >= needed, Status::Capacity, "out")?;
    ensure_finite(cpu::active(), queries, Span::new(0, queries.rows()), "queries")?;
    ensure_alpha(Form::InnerProduct, alpha)?;
    let mut rest = out;
    for i in 0..queries.rows() {
        let out = next_vector(&mut rest, out_stride);
        write_codes(queries, i, 0.0 - alpha, out);
    }
    Ok(())
}

/// Distance of two vectors of the inner-product form: minus their product, for a query and a row minus (score + alpha c), in the bits of
/// [`search`](crate::search()) where c = 0 and alpha = 1. Infinite where that is not finite, so that a heap never holds NaN; also where a vector
/// is shorter than `dim + 1`. What `nnn_metric_f32` computes for engines that take a function.
pub fn metric(a: &[f32], b: &[f32], dim: usize) -> f32 {
    let parts = |v| -> Option<(&[f32], f32)> { <[f32]>::get(v, ..dim).zip(v.get(dim).copied()) };
    match (parts(a), parts(b)) {
        (Some((a, a_tail)), Some((b, b_tail))) if dim != 0 && dim <= MAX_DIM => {
            distance(<f32 as Dtype>::pair(cpu::active(), a, b), a_tail * b_tail)
        }
        _ => f32::INFINITY,
    }
}

/// [`metric`] of two vectors of [`export_codes`]; `a` is the query where there is one: its scale is multiplied first.
pub fn metric_codes(a: &[i8], b: &[i8], dim: usize) -> f32 {
    let tail = dim.next_multiple_of(4);
    let float = |v: &[i8], at: usize| -> Option<f32> {
        let bytes: &[i8; 4] = v.get(at..)?.first_chunk()?;
        Some(f32::from_ne_bytes(bytes.map(|byte| byte as u8)))
    };
    let parts = |v| Some((float(v, tail)?, float(v, tail + 4)?));
    if dim == 0 || dim > MAX_DIM {
        return f32::INFINITY;
    }
    let (Some((a_scale, a_tail)), Some((b_scale, b_tail))) = (parts(a), parts(b)) else { return f32::INFINITY };
    match (a.get(..dim), b.get(..dim)) {
        (Some(a), Some(b)) => distance(<i8 as Dtype>::pair(cpu::active(), a, b) as f32 * a_scale * b_scale, a_tail * b_tail),
        _ => f32::INFINITY,
    }
}

fn distance(product: f32, tails: f32) -> f32 {
    let distance = -(product + tails);
    if distance.is_finite() { distance + 0.0 } else { f32::INFINITY }
}

/// Floats of `count` vectors.
fn floats(count: usize, dim: usize, form: Form, out_stride: usize) -> Result<usize> {
    ensure(out_stride >= dim.saturating_add(form.tails()), Status::Stride, "out_stride")?;
    product::<f32>(count, out_stride)
}

fn bytes(count: usize, dim: usize, out_stride: usize) -> Result<usize> {
    ensure(out_stride >= export_bytes(dim), Status::Stride, "out_stride")?;
    product::<i8>(count, out_stride)
}

/// All of the stride is written, also of the last.
fn product<T>(count: usize, out_stride: usize) -> Result<usize> {
    let len = count.checked_mul(out_stride).filter(|n| n.checked_mul(size_of::<T>()).is_some_and(|n| n <= isize::MAX as usize));
    ensure(len.is_some(), Status::Overflow, "out_stride")?;
    Ok(len.unwrap_or(0))
}

fn ensure_alpha(form: Form, alpha: f32) -> Result<()> {
    ensure(alpha.is_finite() && (form != Form::L2 || alpha == 1.0), Status::Value, "alpha")
}

/// Refuses rows outside of the limits, then values that are not finite.
fn ensure_admitted<T: Element>(isa: Supported, gallery: &Matrix<T>, rows: Span, bias: &[f32], limits: &ExportLimits) -> Result<()> {
    let finite = |i: usize| <T as Dtype>::max_abs(isa, gallery, Span::new(i, 1)).is_finite();
    let outside = |(i, &b): (usize, &f32)| b.is_finite() && finite(i) && !limits.admit(T::norm2(isa, gallery, i), b);
    let given = limits.is_given();
    ensure(!given || !(rows.first..).zip(bias).any(outside), Status::Range, "limits")?;
    ensure_finite(isa, gallery, rows, "gallery")?;
    ensure(bias.iter().all(|b| b.is_finite()), Status::Value, "bias")?;
    ensure(given, Status::Value, "limits")
}

/// Takes the next vector off what is left of the output.
fn next_vector<'a, T>(rest: &mut &'a mut [T], stride: usize) -> &'a mut [T] {
    let (vector, left) = core::mem::take(rest).split_at_mut_checked(stride).unwrap_or_default();
    *rest = left;
    vector
}

fn write_vector(row: Option<&[f32]>, tails: &[f32; 2], out: &mut [f32]) {
    let elements = row.unwrap_or_default().iter().chain(tails).copied().chain(core::iter::repeat(0.0));
    out.iter_mut().zip(elements).for_each(|(to, from)| *to = from);
}

fn write_codes(rows: &Matrix<i8>, i: usize, tail: f32, out: &mut [i8]) {
    let row = rows.row(i).unwrap_or_default();
    let gap = row.len().next_multiple_of(4) - row.len();
    let floats = [rows.scale(i), tail].into_iter().flat_map(f32::to_ne_bytes).map(|byte| byte as i8);
    let codes = row.iter().copied().chain(core::iter::repeat_n(0, gap)).chain(floats).chain(core::iter::repeat(0));
    out.iter_mut().zip(codes).for_each(|(to, from)| *to = from);
}

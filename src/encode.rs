//! int8 codes that carry a bound of what they lose: the input of the certified functions.
//!
//! A row x is moved (queries and bank only: x - mean), rotated by an orthonormal transform R, and quantised: x^ = scale * codes.
//! Then for a query q and a gallery row r, with q' = R(q - mean) and r' = R r,
//!
//! ```text
//! <q, r> = <q', r'> + <mean, r>                                        R keeps inner products
//! |<q', r'> - <q^, r^>| <= |q' - q^| |r'| + |q^| |r' - r^|             add and subtract <q^, r'>, Cauchy-Schwarz
//! ```
//! so three norms a row bound the error of every score without looking at the vectors again. Moving and rotating are only there to
//! make the codes better: CLIP-like embeddings have a few huge dimensions, and a scale that reaches them leaves little to the
//! others. (Rotations for quantisation: Hadamard blocks with random signs, as in Ailon and Chazelle, STOC 2006.)
#![forbid(unsafe_code)]

use crate::cpu::{self, Supported};
use crate::dot::ensure_finite;
use crate::kernel::{self, Span};
use crate::matrix::{Matrix, span};
use crate::quantize::row_scale;
use crate::random::Random;
use crate::status::{Result, Status, ensure};

/// Half a unit in the last place of an f32 near 1: the relative error of one rounding.
pub(crate) const UNIT: f64 = 1.0 / (1u64 << 24) as f64;

/// What the codes of a row lose, as upper bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[repr(C)]
pub struct Bound {
    /// |x' - scale * codes|: the residual, all roundings of moving and rotating included.
    pub residual: f32,
    /// |x'|: the norm of the moved and rotated row.
    pub norm: f32,
    /// The larger of |x| and `norm + residual`.
    pub length: f32,
    /// Gallery rows: `<mean, x>`, which the codes do not hold. Queries: 0.
    pub offset: f32,
}

/// Which side of a score the rows are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Gallery rows: not moved; they keep `<mean, x>` as their offset.
    Gallery,
    /// Queries, and the bank: moved by `-mean`.
    Query,
}

/// Encodes rows: codes, scales and bounds.
///
/// `mean`: any vector of `dim` floats, best the mean of the bank ([`mean`]), or `None`; the same for both sides of a score. `seed`: 0
/// leaves the rows as they are, any other value rotates by the transform it names; the same for both sides. `work`: `dim` floats.
///
/// O(rows * dim * log dim). Every bound holds whatever mean and seed are; they only decide how small it is.
///
/// # Errors
/// `Dim` (`mean` is no row), `Stride`, `Overflow`, `Capacity` (`work`, `codes`, `scale`, `bounds`), `Value` (NaN or infinity in `src`
/// or `mean`).
#[allow(clippy::too_many_arguments)] // the C signature, argument for argument
pub fn encode(
    src: &Matrix<f32>,
    mean: Option<&[f32]>,
    side: Side,
    seed: u64,
    work: &mut [f32],
    codes: &mut [i8],
    codes_stride: usize,
    scale: &mut [f32],
    bounds: &mut [Bound],
) -> Result<()> {
    let dim = src.dim();
    ensure(mean.is_none_or(|m| m.len() == dim), Status::Dim, "mean")?;
    let needed = span::<i8>(src.rows(), dim, codes_stride, "codes")?;
    ensure(work.len() >= dim, Status::Capacity, "work")?;
    ensure(codes.len() >= needed, Status::Capacity, "codes")?;
    ensure(scale.len() >= src.rows(), Status::Capacity, "scale")?;
    ensure(bounds.len() >= src.rows(), Status::Capacity, "bounds")?;
    let isa = cpu::active();
    ensure_finite(isa, src, Span::new(0, src.rows()), "src")?;
    ensure(mean.is_none_or(|m| kernel::max_abs_bits(isa, m) < f32::INFINITY.to_bits()), Status::Value, "mean")?;

    let work = work.get_mut(..dim).unwrap_or_default();
    for (((i, codes), scale), bound) in (0..src.rows()).zip(codes.chunks_mut(codes_stride.max(1))).zip(scale).zip(bounds) {
        if let (Some(row), Some(codes)) = (src.row(i), codes.get_mut(..dim)) {
            (*scale, *bound) = encode_row(isa, row, mean, side, seed, work, codes);
        }
    }
    Ok(())
}

fn encode_row(
    isa: Supported,
    row: &[f32],
    mean: Option<&[f32]>,
    side: Side,
    seed: u64,
    work: &mut [f32],
    codes: &mut [i8],
) -> (f32, Bound) {
    let length = libm::sqrt(kernel::sum_of_squares(isa, row));
    let mut offset = 0f64;
    match (mean, side) {
        (Some(mean), Side::Query) => work.iter_mut().zip(row).zip(mean).for_each(|((w, x), m)| *w = x - m),
        (Some(mean), Side::Gallery) => {
            copy(row, work);
            offset = row.iter().zip(mean).map(|(x, m)| f64::from(*x) * f64::from(*m)).sum();
        }
        (None, _) => copy(row, work),
    }
    let mut roundings = if mean.is_some() && side == Side::Query { 1.0 } else { 0.0 };
    if seed != 0 {
        roundings += rotate(isa, work, seed);
    }
    let norm = libm::sqrt(kernel::sum_of_squares(isa, work));
    let scale = row_scale(f32::from_bits(kernel::max_abs_bits(isa, work)));
    kernel::quantize_row(isa, work, codes, scale);
    let lost = libm::sqrt(kernel::squared_residual(isa, work, codes, scale));
    // Each rounding step moves the row by at most UNIT of its norm (and, below the normal range, 2^-150 an element).
    let moved =
        roundings * UNIT * 1.01 * norm + if roundings > 0.0 { row.len() as f64 * f64::from(f32::from_bits(1)) } else { 0.0 };
    let residual = upper(lost + moved);
    let norm = upper(norm + moved);
    let length = upper(length.max(f64::from(norm) + f64::from(residual)));
    (scale, Bound { residual, norm, length, offset: offset as f32 })
}

/// `copy_from_slice` of equal lengths, without its panic.
fn copy(from: &[f32], to: &mut [f32]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
}

/// An f32 not below `x`, which may be off by relative 2^-24.
fn upper(x: f64) -> f32 {
    ((x * (1.0 + 4.0 * UNIT)) as f32).next_up()
}

/// Rotates a row in place: signs drawn from the seed, then a Walsh-Hadamard transform of the largest power of two of elements; when
/// that is not the whole row, once more over as many elements at its end. Each step is orthonormal, so the whole is.
/// Returns how many roundings of relative [`UNIT`] an element goes through.
fn rotate(isa: Supported, row: &mut [f32], seed: u64) -> f64 {
    let block = 1usize << (usize::BITS - 1).wrapping_sub(row.len().leading_zeros());
    let rest = row.len().saturating_sub(block);
    let mut roundings = 0.0;
    for (round, start) in [0, rest].into_iter().enumerate() {
        if round == 1 && rest == 0 {
            break;
        }
        if let Some(part) = row.get_mut(start..).and_then(|r| r.get_mut(..block)) {
            flip_signs(part, seed.wrapping_add(round as u64));
            roundings += kernel::hadamard(isa, part);
        }
    }
    roundings
}

/// Flips the signs that the bits of a random stream name.
fn flip_signs(row: &mut [f32], seed: u64) {
    let mut random = Random::new(seed);
    for part in row.chunks_mut(64) {
        let mut z = random.next();
        for x in part {
            *x = f32::from_bits(x.to_bits() ^ ((z as u32 & 1) << 31));
            z >>= 1;
        }
    }
}

/// The mean of the rows, by adding them up in f32: good enough to centre by, which any vector is allowed to do.
///
/// # Errors
/// `Capacity` (`out` shorter than the dim), `Value` (NaN or infinity in `m`, or a mean that is not finite).
pub fn mean(m: &Matrix<f32>, out: &mut [f32]) -> Result<()> {
    ensure(out.len() >= m.dim(), Status::Capacity, "out")?;
    let isa = cpu::active();
    let largest = ensure_finite(isa, m, Span::new(0, m.rows()), "m")?;
    ensure((f64::from(largest) * m.rows() as f64) < f64::from(f32::MAX), Status::Value, "m")?;
    let out = out.get_mut(..m.dim()).unwrap_or_default();
    out.fill(0.0);
    for row in (0..m.rows()).filter_map(|i| m.row(i)) {
        out.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
    }
    let rows = m.rows().max(1) as f32;
    out.iter_mut().for_each(|sum| *sum /= rows);
    Ok(())
}

//! Kernels along the depth: one pair, 1 x N scores, grids. Every length 0..=1040, every misalignment.

use super::super::{Dtype, Span};
use super::oracle::*;
use crate::cpu::Supported;
use crate::matrix::{Element, Matrix};
use std::format;
use std::vec;
use std::vec::Vec;

/// Misalignments of two operands: each of the `n` offsets of one against several of the other, in all `5 n` of the `n * n` pairs.
fn covering_offsets(n: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..n).flat_map(move |o| [(o, 0), (0, o), (o, o), (o, n - 1 - o), (o, (37 * o + 11) % n)])
}

fn all_offsets(n: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..n).flat_map(move |a| (0..n).map(move |b| (a, b)))
}

/// Every length at every misalignment of either row, in 64 pairs of them; the random rows in 320 pairs, and up to length 200 in all
/// 64 x 64.
#[test]
fn dot_of_codes_is_exact_at_every_length_and_misalignment() {
    for (p, (fill, a, b)) in code_pairs().into_iter().enumerate() {
        let expected: Vec<i64> = (0..=LONGEST).map(|len| dot_i64(&a[..len], &b[..len])).collect();
        let (mut left, mut right) = (Aligned::new(LONGEST + 64, 77i8), Aligned::new(LONGEST + 64, 77i8));
        let mut check = |(oa, ob), longest| {
            let (a, b) = (left.place(oa, &a), right.place(ob, &b));
            for isa in isas() {
                for (len, expected) in expected.iter().enumerate().take(longest + 1) {
                    let got = i8::pair(isa, &a[..len], &b[..len]);
                    assert_eq!(i64::from(got), *expected, "{:?} {fill} length {len} offsets {oa} {ob}", isa.get());
                }
            }
        };
        (0..64).for_each(|o| check((o, (37 * o + 11) % 64), LONGEST));
        if p == 0 {
            covering_offsets(64).for_each(|offsets| check(offsets, LONGEST));
            all_offsets(64).for_each(|offsets| check(offsets, 200));
        }
    }
}

/// Every length at every misalignment of either row; the random rows at all 16 x 16.
#[test]
fn dot_of_floats_is_canonical_at_every_length_and_misalignment() {
    for (p, (fill, a, b)) in float_pairs().into_iter().enumerate() {
        let expected: Vec<_> = (0..=LONGEST).map(|len| Expected::canonical(&a[..len], &b[..len])).collect();
        let (mut left, mut right) = (Aligned::new(LONGEST + 16, f32::NAN), Aligned::new(LONGEST + 16, f32::NAN));
        for isa in float_isas() {
            for (oa, ob) in all_offsets(16).filter(|(oa, ob)| p == 0 || *ob == (5 * oa + 3) % 16) {
                let (a, b) = (left.place(oa, &a), right.place(ob, &b));
                for (len, expected) in expected.iter().enumerate() {
                    let got = f32::pair(isa, &a[..len], &b[..len]);
                    expected.check(isa, got, || format!("{fill} length {len} offsets {oa} {ob}"));
                }
            }
        }
    }
}

/// A row that is zero but for one element sees exactly that element of the other: no lane is dropped, doubled or read past the end.
/// Lengths from a vector before the element to a few steps of the widest kernel behind it, and the longest; those between are more
/// of the same steps.
#[test]
fn dot_sees_every_element_once() {
    let mut random = Random(3);
    let codes: Vec<i8> = (0..LONGEST).map(|_| random.code()).collect();
    let floats: Vec<f32> = (0..LONGEST).map(|_| random.float()).collect();
    let (mut hot_codes, mut hot_floats) = (vec![0i8; LONGEST], vec![0f32; LONGEST]);
    for at in 0..LONGEST {
        (hot_codes[at], hot_floats[at]) = (-128, -3.0);
        for isa in isas() {
            for len in at.saturating_sub(64).max(1)..=(at + 320).min(LONGEST) {
                let (code, float) = if at < len { (-128 * i32::from(codes[at]), -3.0 * floats[at]) } else { (0, 0.0) };
                assert_eq!(i8::pair(isa, &hot_codes[..len], &codes[..len]), code, "{:?} lane {at} length {len}", isa.get());
                assert_eq!(f32::pair(isa, &floats[..len], &hot_floats[..len]), float, "{:?} lane {at} length {len}", isa.get());
            }
            assert_eq!(i8::pair(isa, &codes, &hot_codes), -128 * i32::from(codes[at]), "{:?} lane {at}", isa.get());
            assert_eq!(f32::pair(isa, &hot_floats, &floats), -3.0 * floats[at], "{:?} lane {at}", isa.get());
        }
        (hot_codes[at], hot_floats[at]) = (0, 0.0);
    }
}

/// Queries and rows of a grid test, cut from the fills: every kind of row meets every kind of query.
const QUERIES: usize = 7;
const ROWS: usize = 9;

fn grid_rows<T: Copy>(pairs: &[(&str, Vec<T>, Vec<T>)]) -> (Vec<Vec<T>>, Vec<Vec<T>>) {
    let queries = (0..QUERIES).map(|i| pairs[i % pairs.len()].1.clone()).collect();
    let rows = (0..ROWS).map(|j| if j < pairs.len() { pairs[j].2.clone() } else { pairs[j % pairs.len()].1.clone() }).collect();
    (queries, rows)
}

/// Runs `queries` x `rows` at the given offsets and calls `check` for every pair; what lies between the rows of the output must
/// stay untouched.
#[allow(clippy::too_many_arguments)]
fn run_grid<T: Element>(
    isa: Supported,
    memory: &mut [Aligned<T>; 2],
    offsets: (usize, usize),
    stride: usize,
    shape: (usize, usize),
    (queries, rows): (&[T], &[T]),
    dim: usize,
    check: impl Fn(usize, usize, f32),
) {
    let [left, right] = memory;
    let (queries, rows) = (left.place(offsets.0, queries), right.place(offsets.1, rows));
    let queries = Matrix::with_stride(queries, QUERIES, dim, stride).unwrap();
    let rows = Matrix::with_stride(rows, ROWS, dim, stride).unwrap();
    // The first queries of a matrix, which read the rows as a stream, and later ones.
    let first_query = if shape.1.is_multiple_of(2) { 0 } else { QUERIES - shape.0 };
    let (q, r) = (Span::new(first_query, shape.0), Span::new(ROWS - shape.1, shape.1));
    let out_stride = shape.1 + 2;
    let mut out = [f32::MIN; QUERIES * (ROWS + 2)];
    T::grid(isa, &queries, q, &rows, r, &mut out, out_stride);
    for (i, row) in out.chunks(out_stride).enumerate() {
        for (j, score) in row.iter().enumerate() {
            if i < shape.0 && j < shape.1 {
                check(q.first + i, r.first + j, *score);
            } else {
                assert_eq!(*score, f32::MIN, "{:?} wrote outside of its grid at {i}, {j}", isa.get());
            }
        }
    }
}

/// 1 x N and many x many: the shape turns with the dimension through all 63, one to seven queries x one to nine rows.
fn shape_of(turn: usize) -> (usize, usize) {
    (1 + turn % QUERIES, 1 + turn / QUERIES % ROWS)
}

#[test]
fn scores_of_codes_are_exact_at_every_length_and_misalignment() {
    let (queries, rows) = grid_rows(&code_pairs());
    let mut memory = [(); 2].map(|()| Aligned::new(ROWS * (LONGEST + 7) + 64, 0i8));
    for dim in 1..=LONGEST {
        let stride = dim + [0, 1, 7][dim % 3];
        let expected: Vec<Vec<f32>> =
            queries.iter().map(|q| rows.iter().map(|r| dot_i64(&q[..dim], &r[..dim]) as f32).collect()).collect();
        let cut = |rows: &[Vec<i8>]| strided(&rows.iter().map(|row| row[..dim].to_vec()).collect::<Vec<_>>(), stride, 99);
        let (left, right) = (cut(&queries), cut(&rows));
        for isa in isas() {
            for o in 0..64 {
                let shape = if o % 8 == 0 { (QUERIES, ROWS) } else { shape_of(dim + o) };
                run_grid(isa, &mut memory, (o, (37 * o + dim) % 64), stride, shape, (&left, &right), dim, |q, r, score| {
                    assert_eq!(score, expected[q][r], "{:?} dim {dim} offset {o} query {q} row {r}", isa.get());
                });
            }
        }
    }
}

#[test]
fn scores_of_floats_are_those_of_dot_at_every_length_and_misalignment() {
    let (queries, rows) = grid_rows(&float_pairs());
    let mut memory = [(); 2].map(|()| Aligned::new(ROWS * (LONGEST + 7) + 16, 0f32));
    for dim in 1..=LONGEST {
        let stride = dim + [0, 1, 7][dim % 3];
        let expected: Vec<Vec<_>> =
            queries.iter().map(|q| rows.iter().map(|r| Expected::canonical(&q[..dim], &r[..dim])).collect()).collect();
        let cut = |rows: &[Vec<f32>]| strided(&rows.iter().map(|row| row[..dim].to_vec()).collect::<Vec<_>>(), stride, f32::NAN);
        let (left, right) = (cut(&queries), cut(&rows));
        for isa in float_isas() {
            for o in 0..16 {
                let shape = if o % 8 == 0 { (QUERIES, ROWS) } else { shape_of(dim + o) };
                run_grid(isa, &mut memory, (o, (5 * o + dim) % 16), stride, shape, (&left, &right), dim, |q, r, score| {
                    expected[q][r].check(isa, score, || format!("dim {dim} offset {o} query {q} row {r}"));
                    let dot = f32::pair(isa, &queries[q][..dim], &rows[r][..dim]);
                    assert_eq!(score.to_bits(), dot.to_bits(), "{:?} dim {dim}: a grid has the bits of dot", isa.get());
                });
            }
        }
    }
}

/// `((f32)dot * scale_query) * scale_row`, each step rounded.
#[test]
fn scores_of_codes_round_after_each_scale() {
    let mut random = Random(4);
    let dim = 300;
    let codes: Vec<i8> = (0..(QUERIES + ROWS) * dim).map(|_| random.code()).collect();
    let scales: Vec<f32> = (0..QUERIES + ROWS).map(|_| random.wide_float()).collect();
    let (q, r) = codes.split_at(QUERIES * dim);
    let queries = Matrix::new(q, QUERIES, dim).unwrap().with_scale(&scales[..QUERIES]).unwrap();
    let rows = Matrix::new(r, ROWS, dim).unwrap().with_scale(&scales[QUERIES..]).unwrap();
    for isa in isas() {
        // From the second query and the third row on: scales are absolute.
        let (q, r) = (Span::new(1, QUERIES - 1), Span::new(2, ROWS - 2));
        let mut out = [0f32; QUERIES * ROWS];
        i8::grid(isa, &queries, q, &rows, r, &mut out, ROWS);
        for i in 0..q.count {
            for j in 0..r.count {
                let (query, row) = (queries.row(1 + i).unwrap(), rows.row(2 + j).unwrap());
                let expected = (dot_i64(query, row) as f32 * scales[1 + i]) * scales[QUERIES + 2 + j];
                assert_eq!(out[i * ROWS + j].to_bits(), expected.to_bits(), "{:?} {i} {j}", isa.get());
            }
        }
    }
}

/// Sums of up to 131,071 products of -128 fit an `i32` by 16,384.
#[test]
fn codes_are_exact_at_the_largest_dim() {
    let dim = crate::MAX_DIM;
    let mut random = Random(5);
    let low = vec![-128i8; dim];
    let mixed: Vec<i8> = (0..dim).map(|_| if random.bits() & 1 == 0 { -128 } else { 127 }).collect();
    let any: Vec<i8> = (0..dim).map(|_| random.code()).collect();
    for isa in isas() {
        for (a, b) in [(&low, &low), (&low, &mixed), (&mixed, &low), (&mixed, &mixed), (&any, &low), (&any, &mixed)] {
            assert_eq!(i64::from(i8::pair(isa, a, b)), dot_i64(a, b), "{:?}", isa.get());
            let (query, rows) = (Matrix::new(a, 1, dim).unwrap(), b.repeat(5));
            let mut out = [0f32; 5];
            i8::grid(isa, &query, Span::new(0, 1), &Matrix::new(&rows, 5, dim).unwrap(), Span::new(0, 5), &mut out, 5);
            assert_eq!(out, [dot_i64(a, b) as f32; 5], "{:?}", isa.get());
        }
    }
}

/// One row with four others has the bits of four pairs, at every length; the four are different rows in any order.
#[test]
fn four_rows_at_once_are_four_pairs() {
    let (floats, codes) = (float_pairs(), code_pairs());
    for dim in 1..=LONGEST {
        let pick = |i: usize, n: usize| (7 * i + dim) % n;
        for isa in isas() {
            let float = |i: usize| &floats[pick(i, floats.len())].2[..dim];
            let query = &floats[dim % floats.len()].1[..dim];
            let got = f32::quad(isa, query, [0, 1, 2, 3].map(float)).map(f32::to_bits);
            assert_eq!(got, [0, 1, 2, 3].map(|i| f32::pair(isa, query, float(i)).to_bits()), "{:?} dim {dim}", isa.get());
            let code = |i: usize| &codes[pick(i, codes.len())].2[..dim];
            let query = &codes[dim % codes.len()].1[..dim];
            let expected = [0, 1, 2, 3].map(|i| dot_i64(query, code(i)));
            assert_eq!(i8::quad(isa, query, [0, 1, 2, 3].map(code)).map(i64::from), expected, "{:?} dim {dim}", isa.get());
        }
    }
}

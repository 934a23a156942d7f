//! No kernel reads or writes one byte outside of its operands: every operand flush against an inaccessible page, behind its end and
//! before its start, at every length, on every instruction set.
#![cfg(unix)]

use ffi_tests::data::{Random, for_each_isa};
use ffi_tests::guard::Guarded;
use nnn::{Hit, Matrix, Neighbors};

/// Longest row.
const LONGEST: usize = 1040;
const QUERIES: usize = 5;
const ROWS: usize = 9;
/// More than one panel of every instruction set, and no multiple of one.
const BANK: usize = 51;

fn floats(n: usize) -> Vec<f32> {
    let mut random = Random(1);
    (0..n).map(|_| random.float()).collect()
}

fn codes(n: usize) -> Vec<i8> {
    let mut random = Random(2);
    (0..n).map(|_| random.code()).collect()
}

/// `N` guarded regions of `bytes` each.
fn regions<const N: usize>(bytes: usize) -> [Guarded; N] {
    [(); N].map(|()| Guarded::new(bytes))
}

#[test]
fn dot_stays_inside_of_both_rows() {
    let (f, c) = (floats(2 * LONGEST), codes(2 * LONGEST));
    let [mut a, mut b] = regions(4 * LONGEST);
    for_each_isa(|_| {
        for dim in 1..=LONGEST {
            for (a_end, b_end) in [(true, true), (false, false), (true, false), (false, true)] {
                nnn::dot(a.place(&f[..dim], a_end), b.place(&f[LONGEST..][..dim], b_end)).unwrap();
                nnn::dot(a.place(&c[..dim], a_end), b.place(&c[LONGEST..][..dim], b_end)).unwrap();
                nnn::dot4(a.place(&f[..dim], a_end), [b.place(&f[LONGEST..][..dim], b_end); 4]).unwrap();
                nnn::dot4(a.place(&c[..dim], a_end), [b.place(&c[LONGEST..][..dim], b_end); 4]).unwrap();
            }
        }
    });
}

#[test]
fn scores_and_search_stay_inside_of_their_operands() {
    let (f, c) = (floats((QUERIES + ROWS) * LONGEST), codes((QUERIES + ROWS) * LONGEST));
    let [mut q, mut g] = regions(4 * ROWS * LONGEST);
    let [mut qs, mut gs, mut bias, mut allow, mut out, mut hits, mut found, mut scratch] = regions(8192);
    for_each_isa(|_| {
        for dim in 1..=LONGEST {
            // One to five queries, one to nine rows: the blocked part of a grid, its right edge and its lower edge.
            let (queries, rows) = (1 + dim % QUERIES, 1 + dim % ROWS);
            for end in [true, false] {
                let scratch_len = nnn::search_scratch(queries, 3, dim).saturating_sub(dim % 3);
                let scratch = scratch.fill(scratch_len, 0u8, end);
                let bias = bias.fill(rows, 0.25f32, end);
                let allow = allow.fill(1, u64::MAX, end);
                let out = out.fill(queries * rows, 0f32, end);
                let hits = hits.fill(queries * 3, Hit { score: 0.0, id: 0 }, end);
                let found = found.fill(queries, 0u32, end);

                let qm = Matrix::new(q.place(&f[..queries * dim], end), queries, dim).unwrap();
                let gm = Matrix::new(g.place(&f[QUERIES * dim..][..rows * dim], end), rows, dim).unwrap();
                nnn::scores(&qm, &gm, 0..rows, out, rows).unwrap();
                nnn::search(&qm, &gm, Some(bias), Some(allow), 3, 0..rows, scratch, hits, found).unwrap();
                assert_eq!(*found, vec![rows.min(3) as u32; queries]);

                let (qs, gs) = (qs.fill(queries, 0.5f32, end), gs.fill(rows, 0.5f32, end));
                let qm = Matrix::new(q.place(&c[..queries * dim], end), queries, dim).unwrap().with_scale(qs).unwrap();
                let gm = Matrix::new(g.place(&c[QUERIES * dim..][..rows * dim], end), rows, dim).unwrap().with_scale(gs).unwrap();
                nnn::scores(&qm, &gm, 0..rows, out, rows).unwrap();
                nnn::search(&qm, &gm, Some(bias), Some(allow), 3, 0..rows, scratch, hits, found).unwrap();
                assert_eq!(*found, vec![rows.min(3) as u32; queries]);
            }
        }
    });
}

#[test]
fn the_bank_pass_stays_inside_of_its_operands() {
    const K: usize = 3;
    let (f, c) = (floats((ROWS + BANK) * LONGEST), codes((ROWS + BANK) * LONGEST));
    let [mut g, mut b] = regions(4 * BANK * LONGEST);
    let [mut gs, mut bs, mut out, mut table] = regions(4096);
    let mut scratch = Guarded::new(1 << 20);
    let scratch_sizes = [1 << 20, 4096 + 4 * K, 4096 + 4 * K + 1, 50_000, 200_001];
    for_each_isa(|_| {
        for dim in (1..=LONGEST).filter(|dim| *dim <= 300 || dim % 7 == 0 || *dim > LONGEST - 20) {
            let (rows, bank) = (1 + dim % ROWS, 1 + (7 * dim) % BANK);
            let k = K.min(bank);
            for end in [true, false] {
                let scratch = &mut *scratch.fill(scratch_sizes[dim % 5], 0u8, end);
                let (out, table) = (out.fill(rows, 0f32, end), table.fill(rows * K, 0f32, end));

                let gm = Matrix::new(g.place(&f[..rows * dim], end), rows, dim).unwrap();
                let bm = Matrix::new(b.place(&f[ROWS * dim..][..bank * dim], end), bank, dim).unwrap();
                nnn::bias(&gm, &bm, k, 0.5, 0..rows, scratch, out).unwrap();
                let mut neighbors = Neighbors::init(table, rows, K).unwrap();
                neighbors.update(&gm, &bm, 0..rows, scratch).unwrap();
                neighbors.bias(k, 0.5, out).unwrap();

                let (gs, bs) = (gs.fill(rows, 0.5f32, end), bs.fill(bank, 0.5f32, end));
                let gm = Matrix::new(g.place(&c[..rows * dim], end), rows, dim).unwrap().with_scale(gs).unwrap();
                let bm = Matrix::new(b.place(&c[ROWS * dim..][..bank * dim], end), bank, dim).unwrap().with_scale(bs).unwrap();
                nnn::bias(&gm, &bm, k, 0.5, 0..rows, scratch, out).unwrap();
                let mut neighbors = Neighbors::init(table, rows, K).unwrap();
                neighbors.update(&gm, &bm, 0..rows, scratch).unwrap();
            }
        }
    });
}

#[test]
fn normalise_quantise_and_the_finite_check_stay_inside_of_their_operands() {
    let f = floats(2 * LONGEST);
    let [mut src, mut dst, mut codes, mut scale] = regions(8 * LONGEST);
    for_each_isa(|_| {
        for dim in 1..=LONGEST {
            for end in [true, false] {
                let src = src.place(&f[..2 * dim], end);
                nnn::normalize_in_place(src, 2, dim, dim).unwrap();
                let m = Matrix::new(src, 2, dim).unwrap();
                assert_eq!(nnn::find_nonfinite(&m), None);
                nnn::normalize(&m, dst.fill(2 * dim, 0f32, end), dim).unwrap();
                nnn::quantize(&m, codes.fill(2 * dim, 0i8, end), dim, scale.fill(2, 0f32, end)).unwrap();
            }
        }
    });
}

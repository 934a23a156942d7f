//! Serving: hits against a full sort of an exact oracle, with biases, bitmaps, ranges and rows that are no numbers.

use ffi_tests::data::{CodeRows, Random, Rows, for_each_isa};
use ffi_tests::reference::{best_hits, canonical_dot, dot_f64, score_i8};
use nnn::{Error, Hit, Matrix, Status};

const NO_HIT: Hit = Hit { score: -77.0, id: u32::MAX };

fn bits(hits: &[Hit]) -> Vec<(u32, u32)> {
    hits.iter().map(|hit| (hit.score.to_bits(), hit.id)).collect()
}

fn refused(status: Status, argument: &'static str) -> nnn::Result<()> {
    Err(Error { status, argument })
}

fn allowed(allow: Option<&[u64]>, row: usize) -> bool {
    allow.is_none_or(|allow| allow[row / 64] >> (row % 64) & 1 == 1)
}

/// Compares hits of queries, and what lies past them, with the oracle's.
fn assert_hits(got: &[Hit], found: &[u32], k: usize, expected: impl Fn(usize) -> Vec<Hit>, what: &str) {
    for (q, (hits, found)) in got.chunks(k).zip(found).enumerate() {
        let expected = expected(q);
        assert_eq!(*found as usize, expected.len(), "{what} query {q}");
        assert_eq!(bits(&hits[..expected.len()]), bits(&expected), "{what} query {q}");
        assert_eq!(bits(&hits[expected.len()..]), bits(&vec![NO_HIT; k - expected.len()]), "{what} query {q}: past `found`");
    }
}

struct Options {
    bias: Option<Vec<f32>>,
    allow: Option<Vec<u64>>,
    rows: std::ops::Range<usize>,
    k: usize,
    scratch: Vec<u8>,
}

fn options(random: &mut Random, gallery: usize) -> Options {
    let mut words = |density: usize| {
        (0..gallery.div_ceil(64)).map(|_| (0..density).fold(random.bits(), |word, _| word & random.bits())).collect::<Vec<u64>>()
    };
    let allow = [None, Some(words(0)), Some(words(3)), Some(vec![0; gallery.div_ceil(64)])];
    let start = random.below(gallery + 1);
    let most = if random.below(4) == 0 { 300 } else { 12 };
    Options {
        bias: (random.below(3) > 0).then(|| (0..gallery).map(|_| random.small()).collect()),
        allow: allow[random.below(4)].clone(),
        rows: if random.below(2) == 0 { 0..gallery } else { start..start + random.below(gallery - start + 1) },
        k: 1 + random.below(most),
        scratch: vec![0; [0, 255, 256, 257, 1000, 4160, 16448][random.below(7)]],
    }
}

/// Small integers: exact, and full of ties. Some rows of the gallery hold NaN or infinity.
#[test]
fn hits_are_those_of_a_full_sort() {
    for_each_isa(|isa| {
        for seed in 0..120 {
            let mut random = Random(seed);
            let (dim, rows, queries) = (1 + random.below(80), 1 + random.below(400), 1 + random.below(40));
            let mut gallery = Rows::small(&mut random, rows, dim);
            let queries = Rows::small(&mut random, queries, dim);
            for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX] {
                let (row, at) = (random.below(rows), random.below(dim));
                gallery.data[row * gallery.stride + at] = bad;
            }
            let mut o = options(&mut random, rows);
            let expected = |q: usize| {
                let scored = o.rows.clone().filter(|&r| allowed(o.allow.as_deref(), r)).map(|r| {
                    // f64 carries NaN and infinities as f32 does; only the sums beside f32::MAX round, as one addition.
                    let score = dot_f64(queries.row(q), gallery.row(r)) as f32 - o.bias.as_ref().map_or(0.0, |bias| bias[r]);
                    Hit { score, id: r as u32 }
                });
                best_hits(scored, o.k)
            };
            let (mut hits, mut found) = (vec![NO_HIT; queries.rows * o.k], vec![99; queries.rows]);
            let (bias, allow) = (o.bias.as_deref(), o.allow.as_deref());
            let (q, g) = (queries.view(), gallery.view());
            nnn::search(&q, &g, bias, allow, o.k, o.rows.clone(), &mut o.scratch.clone(), &mut hits, &mut found).unwrap();
            assert_hits(&hits, &found, o.k, expected, &format!("{isa:?} seed {seed}"));
            o.scratch.clear();
            let once = hits.clone();
            hits.fill(NO_HIT);
            nnn::search(&q, &g, bias, allow, o.k, o.rows.clone(), &mut [], &mut hits, &mut found).unwrap();
            assert_eq!(bits(&hits), bits(&once), "{isa:?} seed {seed}: without scratch");
        }
    });
}

#[test]
fn hits_of_codes_are_those_of_a_full_sort() {
    for_each_isa(|isa| {
        for seed in 0..60 {
            let mut random = Random(1000 + seed);
            let (dim, rows, queries) = (1 + random.below(300), 1 + random.below(300), 1 + random.below(20));
            let (mut gallery, queries) = (CodeRows::random(&mut random, rows, dim), CodeRows::random(&mut random, queries, dim));
            for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 3e38] {
                gallery.scale[random.below(rows)] = bad;
            }
            let mut o = options(&mut random, rows);
            let expected = |q: usize| {
                let scored = o.rows.clone().filter(|&r| allowed(o.allow.as_deref(), r)).map(|r| {
                    let score = score_i8(queries.row(q), queries.scale[q], gallery.row(r), gallery.scale[r]);
                    Hit { score: score - o.bias.as_ref().map_or(0.0, |bias| bias[r]), id: r as u32 }
                });
                best_hits(scored, o.k)
            };
            let (mut hits, mut found) = (vec![NO_HIT; queries.rows * o.k], vec![99; queries.rows]);
            let (bias, allow) = (o.bias.as_deref(), o.allow.as_deref());
            let (q, g) = (queries.view(), gallery.view());
            nnn::search(&q, &g, bias, allow, o.k, o.rows.clone(), &mut o.scratch.clone(), &mut hits, &mut found).unwrap();
            o.scratch.clear();
            assert_hits(&hits, &found, o.k, expected, &format!("{isa:?} seed {seed}"));
        }
    });
}

/// Real values: the canonical bits minus the bias, rounded once, on every set with fused multiply-add.
#[test]
fn scores_and_hits_have_the_canonical_bits() {
    for_each_isa(|isa| {
        for seed in 0..20 {
            let mut random = Random(2000 + seed);
            let (dim, rows, k) = (1 + random.below(300), 150, 9);
            let (gallery, queries) = (Rows::random(&mut random, rows, dim), Rows::random(&mut random, 18, dim));
            let bias: Vec<f32> = (0..rows).map(|_| random.float()).collect();
            let (q, g) = (queries.view(), gallery.view());
            let mut scores = vec![0f32; 18 * rows];
            nnn::scores(&q, &g, 0..rows, &mut scores, rows).unwrap();
            if isa.has_fma() {
                for (i, score) in scores.iter().enumerate() {
                    let expected = canonical_dot(queries.row(i / rows), gallery.row(i % rows));
                    assert_eq!(score.to_bits(), expected.to_bits(), "{isa:?} {i}");
                }
            }
            let (mut hits, mut found) = (vec![NO_HIT; 18 * k], vec![0; 18]);
            nnn::search(&q, &g, Some(&bias), None, k, 0..rows, &mut [0; 16448], &mut hits, &mut found).unwrap();
            let expected = |q: usize| {
                let scored = scores[q * rows..][..rows].iter().zip(&bias).zip(0..);
                best_hits(scored.map(|((score, bias), id)| Hit { score: score - bias, id }), k)
            };
            assert_hits(&hits, &found, k, expected, &format!("{isa:?} seed {seed}"));
        }
    });
}

/// A gallery row that is no number in any lane is no hit; the rows beside it are. On every instruction set alike.
#[test]
fn nan_never_wins_from_any_lane() {
    for_each_isa(|isa| {
        for dim in [1, 5, 8, 16, 31, 32, 33, 64, 100] {
            let query = vec![1f32; dim];
            let query = Matrix::new(&query, 1, dim).unwrap();
            for at in 0..dim {
                for bad in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                    // Nine rows: a bad one in the blocked part of a grid, one at its edge.
                    let mut rows = vec![1f32; 9 * dim];
                    (rows[2 * dim + at], rows[8 * dim + at]) = (bad, bad);
                    let (mut hits, mut found) = ([NO_HIT; 9], [0]);
                    let gallery = Matrix::new(&rows, 9, dim).unwrap();
                    nnn::search(&query, &gallery, Some(&[0.5; 9]), None, 9, 0..9, &mut [], &mut hits, &mut found).unwrap();
                    let ids: Vec<u32> = hits[..found[0] as usize].iter().map(|hit| hit.id).collect();
                    assert_eq!(ids, [0, 1, 3, 4, 5, 6, 7], "{isa:?} dim {dim} lane {at} {bad}");
                    assert!(hits[..7].iter().all(|hit| hit.score == dim as f32 - 0.5));
                }
            }
        }
    });
}

#[test]
fn a_bias_that_overflows_the_score_makes_no_hit() {
    for_each_isa(|isa| {
        let (query, gallery) = (Matrix::new(&[1f32], 1, 1).unwrap(), Matrix::new(&[f32::MAX, f32::MIN, 2.0], 3, 1).unwrap());
        let (mut hits, mut found) = ([NO_HIT; 3], [0]);
        let bias = [f32::MIN, f32::MAX, 1.0];
        nnn::search(&query, &gallery, Some(&bias), None, 3, 0..3, &mut [], &mut hits, &mut found).unwrap();
        assert_eq!((found, hits), ([1], [Hit { score: 1.0, id: 2 }, NO_HIT, NO_HIT]), "{isa:?}");
    });
}

/// Bits past the last row do not matter; a clear bit hides the best row.
#[test]
fn the_bitmap_has_one_bit_per_gallery_row() {
    for_each_isa(|isa| {
        let rows: Vec<f32> = (0..200).map(|i| i as f32).collect();
        let (query, gallery) = (Matrix::new(&[1f32], 1, 1).unwrap(), Matrix::new(&rows, 200, 1).unwrap());
        for hidden in 0..200usize {
            let mut allow = [u64::MAX; 4];
            allow[hidden / 64] &= !(1 << (hidden % 64));
            for range in [0..200, hidden..hidden + 1, hidden.saturating_sub(3)..(hidden + 2).min(200)] {
                let (mut hits, mut found) = (vec![NO_HIT; 200], [0]);
                nnn::search(&query, &gallery, None, Some(&allow), 200, range.clone(), &mut [], &mut hits, &mut found).unwrap();
                let expected: Vec<u32> = range.clone().rev().filter(|&r| r != hidden).map(|r| r as u32).collect();
                let ids: Vec<u32> = hits[..found[0] as usize].iter().map(|hit| hit.id).collect();
                assert_eq!(ids, expected, "{isa:?} hidden {hidden} range {range:?}");
            }
        }
    });
}

#[test]
fn empty_sides_give_no_hits() {
    let m = Matrix::new(&[1f32, 2.0], 2, 1).unwrap();
    let none = Matrix::new(&[], 0, 1).unwrap();
    let (mut hits, mut found) = ([NO_HIT; 2], [9, 9]);
    nnn::search(&m, &none, None, None, 1, 0..0, &mut [], &mut hits, &mut found).unwrap();
    assert_eq!((hits, found), ([NO_HIT; 2], [0, 0]), "an empty gallery");
    found = [9, 9];
    nnn::search(&m, &m, None, None, 1, 1..1, &mut [], &mut hits, &mut found).unwrap();
    assert_eq!((hits, found), ([NO_HIT; 2], [0, 0]), "an empty range");
    found = [9, 9];
    nnn::search(&none, &m, None, None, 1, 0..2, &mut [], &mut hits, &mut found).unwrap();
    assert_eq!((hits, found), ([NO_HIT; 2], [9, 9]), "no queries");
    nnn::scores(&none, &m, 0..2, &mut [], 2).unwrap();
    nnn::scores(&m, &none, 0..0, &mut [], 0).unwrap();
}

/// Only the range's biases are looked at, and queries always.
#[test]
fn values_that_are_no_numbers_are_refused_on_the_query_side() {
    for_each_isa(|isa| {
        let gallery = Matrix::new(&[1f32, 2.0, 3.0], 3, 1).unwrap();
        let good = Matrix::new(&[1f32, 1.0], 2, 1).unwrap();
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let (mut hits, mut found, mut out) = ([NO_HIT; 2], [9; 2], [7f32; 6]);
            let rows = [1.0, bad];
            let queries = Matrix::new(&rows, 2, 1).unwrap();
            let done = nnn::search(&queries, &gallery, None, None, 1, 0..3, &mut [], &mut hits, &mut found);
            assert_eq!(done, refused(Status::Value, "queries"), "{isa:?} {bad}");
            assert_eq!(nnn::scores(&queries, &gallery, 0..3, &mut out, 3), refused(Status::Value, "queries"), "{isa:?} {bad}");
            let bias = [0.0, bad, 0.0];
            let done = nnn::search(&good, &gallery, Some(&bias), None, 1, 0..3, &mut [], &mut hits, &mut found);
            assert_eq!(done, refused(Status::Value, "bias"), "{isa:?} {bad}");
            assert_eq!((hits, found, out), ([NO_HIT; 2], [9; 2], [7.0; 6]), "{isa:?}: nothing was written");
            let done = nnn::search(&good, &gallery, Some(&bias), None, 1, 2..3, &mut [], &mut hits, &mut found);
            assert_eq!((done, hits[0]), (Ok(()), Hit { score: 3.0, id: 2 }), "{isa:?}: the bad bias is outside of the range");
        }
    });
}

/// `out_stride` leaves gaps that are not written; a gallery row that is NaN scores NaN.
#[test]
fn scores_of_a_range_start_at_its_first_row() {
    for_each_isa(|isa| {
        let rows: Vec<f32> = (0..130).map(|i| if i == 70 { f32::NAN } else { i as f32 }).collect();
        let (queries, gallery) = (Matrix::new(&[1f32, 2.0], 2, 1).unwrap(), Matrix::new(&rows, 130, 1).unwrap());
        let mut out = vec![-7f32; 80 + 77];
        nnn::scores(&queries, &gallery, 50..127, &mut out, 80).unwrap();
        for (i, score) in out.iter().enumerate() {
            let (q, r) = (i / 80, 50 + i % 80);
            let expected = if r < 127 { rows[r] * (q + 1) as f32 } else { -7.0 };
            assert!(*score == expected || r == 70 && score.is_nan(), "{isa:?} query {q} row {r}: {score}");
        }
    });
}

#[test]
fn the_scratch_of_search_stays_small() {
    assert_eq!([0, 1].map(|queries| nnn::search_scratch(queries, 10, 512)), [0, 1024 + 64]);
    for queries in [2, 3, 16, 17, 1000, usize::MAX] {
        assert!((1024..=16384 + 64).contains(&nnn::search_scratch(queries, 10, 512)), "{queries}");
    }
}

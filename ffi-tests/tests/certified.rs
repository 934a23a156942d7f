//! The certified functions against the f32 functions: every bit the same, on random, real and adversarial rows, however the rows are
//! encoded, whatever the scratch; and the bound they rest on, against f64.

use std::sync::{Mutex, MutexGuard, PoisonError};

use nnn::{Bound, Certificate, Encoded, Hit, Isa, Matrix, Neighbors, Side};

/// Held by every test: the choice of the instruction set is the process', and bits differ below fused multiply-add.
fn one_at_a_time() -> MutexGuard<'static, ()> {
    static CHOICE: Mutex<()> = Mutex::new(());
    CHOICE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Rows with everything that the certified functions take beside them.
struct Rows {
    data: Vec<f32>,
    codes: Vec<i8>,
    scale: Vec<f32>,
    bounds: Vec<Bound>,
    rows: usize,
    dim: usize,
}

impl Rows {
    fn new(data: Vec<f32>, dim: usize, mean: Option<&[f32]>, side: Side, seed: u64) -> Rows {
        let rows = data.len() / dim;
        let mut r =
            Rows { codes: vec![0; rows * dim], scale: vec![0.0; rows], bounds: vec![Bound::default(); rows], rows, dim, data };
        let view = Matrix::new(&r.data, rows, dim).unwrap();
        let mut work = vec![0.0; dim];
        nnn::encode(&view, mean, side, seed, &mut work, &mut r.codes, dim, &mut r.scale, &mut r.bounds).unwrap();
        r
    }

    fn view(&self) -> Matrix<'_, f32> {
        Matrix::new(&self.data, self.rows, self.dim).unwrap()
    }

    fn encoded(&self) -> Encoded<'_> {
        let codes = Matrix::new(&self.codes, self.rows, self.dim).unwrap().with_scale(&self.scale).unwrap();
        Encoded::new(self.view(), codes, &self.bounds).unwrap()
    }
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
    /// In [-1, 1).
    fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }
}

/// Kinds of rows that bounds, lists and orders break on.
const KINDS: [&str; 9] =
    ["unit", "raw", "outlier dims", "duplicates", "near ties", "constant", "subnormal", "huge", "mixed lengths"];

fn rows(kind: &str, rows: usize, dim: usize, seed: u64) -> Vec<f32> {
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let mut data: Vec<f32> = (0..rows * dim).map(|_| random.unit()).collect();
    match kind {
        "unit" => nnn::normalize_in_place(&mut data, rows, dim, dim).unwrap(),
        "outlier dims" => {
            for row in data.chunks_mut(dim) {
                row[0] += 40.0;
                row[dim / 2] *= 25.0;
            }
        }
        "duplicates" => {
            for i in 0..rows {
                data.copy_within((i % 5) * dim..(i % 5 + 1) * dim, i * dim);
            }
        }
        "near ties" => {
            // Copies of one row that differ in the last place of one element.
            for i in 1..rows {
                data.copy_within(0..dim, i * dim);
                let x = &mut data[i * dim + i % dim];
                *x = f32::from_bits(x.to_bits() + (i as u32 / 7) % 3);
            }
        }
        "constant" => data.chunks_mut(dim).enumerate().for_each(|(i, row)| row.fill((i % 3) as f32 - 1.0)),
        "subnormal" => data.iter_mut().for_each(|x| *x *= 1e-40),
        "huge" => data.iter_mut().for_each(|x| *x *= 1e19),
        "mixed lengths" => {
            data.chunks_mut(dim).enumerate().for_each(|(i, row)| row.iter_mut().for_each(|x| *x *= 10f32.powi(i as i32 % 7 - 3)))
        }
        _ => {}
    }
    data
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|x| x.to_bits()).collect()
}

/// Encodes both sides in one of four ways.
fn sides(gallery: Vec<f32>, bank: Vec<f32>, dim: usize, way: usize) -> (Rows, Rows) {
    let mut mean = vec![0.0; dim];
    let centred = way & 1 == 1 && nnn::mean(&Matrix::new(&bank, bank.len() / dim, dim).unwrap(), &mut mean).is_ok();
    let (mean, seed) = (centred.then_some(&mean[..]), (way as u64 >> 1) * 77);
    (Rows::new(gallery, dim, mean, Side::Gallery, seed), Rows::new(bank, dim, mean, Side::Query, seed))
}

#[test]
fn biases_and_tables_have_the_bits_of_the_f32_path() {
    let _alone = one_at_a_time();
    let mut compared = 0;
    let best = Isa::active();
    for isa in Isa::available() {
        Isa::select(Some(isa)).unwrap();
        for (case, kind) in KINDS.iter().enumerate() {
            for (m, n, dim, k) in [(40, 700, 24, 16), (9, 300, 65, 1), (30, 1500, 96, 100), (5, 40, 131, 40), (21, 2500, 7, 3)] {
                // How rows are encoded does not depend on the instruction set: all ways on the best, one on the others.
                for way in if isa == best { 0..4 } else { 3..4 } {
                    let (gallery, bank) = sides(rows(kind, m, dim, case as u64), rows(kind, n, dim, 100 + case as u64), dim, way);
                    let least = 32 * k + 5196;
                    for scratch in [nnn::certified_scratch(k, dim), least, 20_000 + 34 * k] {
                        let what = format!("{} {kind} {m} x {n}, dim {dim}, k {k}, way {way}, scratch {scratch}", isa.name());
                        let mut scratch = vec![0u8; scratch.max(least)];
                        let (mut exact, mut certified) = (vec![7.0; m], vec![7.0; m]);
                        let plain = nnn::bias(&gallery.view(), &bank.view(), k, 0.75, 0..m, &mut vec![0; 1 << 20], &mut exact);
                        let done =
                            nnn::bias_certified(&gallery.encoded(), &bank.encoded(), k, 0.75, 0..m, &mut scratch, &mut certified);
                        assert_eq!(plain.is_err(), done.is_err(), "{what}");
                        assert_eq!(bits(&exact), bits(&certified), "{what}");

                        let table = |certified: bool, scratch: &mut [u8]| {
                            let mut memory = vec![0.0; m * k];
                            let mut table = Neighbors::init(&mut memory, m, k).unwrap();
                            for (from, to) in [(0, n / 3), (n / 3, n)] {
                                let part = Rows {
                                    data: bank.data[from * dim..to * dim].to_vec(),
                                    codes: bank.codes[from * dim..to * dim].to_vec(),
                                    scale: bank.scale[from..to].to_vec(),
                                    bounds: bank.bounds[from..to].to_vec(),
                                    rows: to - from,
                                    dim,
                                };
                                if certified {
                                    table.update_certified(&gallery.encoded(), &part.encoded(), 0..m, scratch).unwrap();
                                } else {
                                    table.update(&gallery.view(), &part.view(), 0..m, &mut vec![0; 1 << 20]).unwrap();
                                }
                            }
                            bits(&memory)
                        };
                        assert_eq!(table(false, &mut []), table(true, &mut scratch), "{what}");
                        compared += 2 * m;
                    }
                }
            }
        }
    }
    Isa::select(None).unwrap();
    println!("{compared} rows compared, 0 differences");
}

/// Other rows every day, so that over the life of a tree millions are compared. The seed is printed with a difference.
#[test]
fn biases_have_the_bits_of_the_f32_path_on_the_rows_of_today() {
    let _alone = one_at_a_time();
    let day = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |t| t.as_secs() / 86_400);
    for (case, kind) in KINDS.iter().enumerate() {
        let seed = day * 100 + case as u64;
        let (m, n, dim, k) = (1500, 300, 5 + (seed % 60) as usize, 1 + (seed % 23) as usize);
        let (gallery, bank) = sides(rows(kind, m, dim, seed), rows(kind, n, dim, !seed), dim, (seed % 4) as usize);
        let (mut exact, mut certified) = (vec![7.0; m], vec![7.0; m]);
        let mut scratch = vec![0; nnn::certified_scratch(k, dim)];
        let plain = nnn::bias(&gallery.view(), &bank.view(), k, 0.75, 0..m, &mut scratch, &mut exact);
        let done = nnn::bias_certified(&gallery.encoded(), &bank.encoded(), k, 0.75, 0..m, &mut scratch, &mut certified);
        assert_eq!(plain.is_err(), done.is_err(), "seed {seed} {kind}");
        assert_eq!(bits(&exact), bits(&certified), "seed {seed} {kind}");
    }
}

#[test]
fn hits_have_the_bits_of_the_f32_path() {
    let _alone = one_at_a_time();
    let mut compared = 0;
    for (case, kind) in KINDS.iter().enumerate() {
        for (queries, m, dim, k) in [(1, 900, 48, 10), (19, 500, 33, 5), (3, 130, 130, 200), (17, 2000, 20, 64)] {
            for way in 0..4 {
                let (gallery, live) = sides(rows(kind, m, dim, case as u64), rows(kind, queries, dim, 50 + case as u64), dim, way);
                let mut random = Random(3);
                let bias: Vec<f32> = (0..m).map(|_| random.unit()).collect();
                let allow: Vec<u64> = (0..m.div_ceil(64)).map(|i| if i % 3 == 0 { 0 } else { random.next() }).collect();
                for (bias, allow, range) in [
                    (None, None, 0..m),
                    (Some(&bias[..]), None, 0..m),
                    (Some(&bias[..]), Some(&allow[..]), 0..m),
                    (Some(&bias[..]), None, m / 3..m - 7),
                ] {
                    let run = |certified: bool| {
                        let mut hits = vec![Hit { score: 5.0, id: 99 }; queries * k];
                        let mut found = vec![9; queries];
                        let range = range.clone();
                        if certified {
                            let mut scratch = vec![0; nnn::certified_scratch(k, dim)];
                            nnn::search_certified(
                                &live.encoded(),
                                &gallery.encoded(),
                                bias,
                                allow,
                                k,
                                range,
                                &mut scratch,
                                &mut hits,
                                &mut found,
                            )
                            .unwrap();
                        } else {
                            nnn::search(&live.view(), &gallery.view(), bias, allow, k, range, &mut [], &mut hits, &mut found)
                                .unwrap();
                        }
                        let hits: Vec<_> = hits.iter().map(|h| (h.score.to_bits(), h.id)).collect();
                        (hits, found)
                    };
                    assert!(
                        run(true) == run(false),
                        "{kind} {queries} x {m}, dim {dim}, k {k}, way {way}, bias {}",
                        bias.is_some()
                    );
                    compared += queries;
                }
            }
        }
    }
    println!("{compared} queries compared, 0 differences");
}

#[test]
fn bounds_hold_against_f64() {
    let _alone = one_at_a_time();
    for (case, kind) in KINDS.iter().enumerate().filter(|(_, kind)| **kind != "huge") {
        for dim in [1, 2, 7, 64, 100, 384] {
            for way in 0..4 {
                let (gallery, bank) = sides(rows(kind, 12, dim, case as u64), rows(kind, 15, dim, 9 + case as u64), dim, way);
                for (r, g) in gallery.data.chunks(dim).enumerate() {
                    for (q, b) in bank.data.chunks(dim).enumerate() {
                        let exact: f64 = g.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum();
                        let codes =
                            |m: &Rows, i: usize| m.codes[i * dim..(i + 1) * dim].iter().map(|c| f64::from(*c)).collect::<Vec<_>>();
                        let dot: f64 = codes(&gallery, r).iter().zip(codes(&bank, q)).map(|(x, y)| x * y).sum();
                        let (gb, bb) = (gallery.bounds[r], bank.bounds[q]);
                        let coded = dot * f64::from(gallery.scale[r]) * f64::from(bank.scale[q]) + f64::from(gb.offset);
                        let [ge, gn, be, bn] = [gb.residual, gb.norm, bb.residual, bb.norm].map(f64::from);
                        let slack = 4.0 * 2f64.powi(-24) * f64::from(gb.offset.abs()) + 2f64.powi(-149); // the offset's own rounding
                        let bound = be * gn + (bn + be) * ge + slack;
                        assert!(
                            (exact - coded).abs() <= bound,
                            "{kind} dim {dim} way {way} row {r} query {q}: {exact} {coded} {bound}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn random_unit_rows_leave_a_short_list() {
    let _alone = one_at_a_time();
    let (m, n, dim, k) = (64, 4000, 256, 16);
    let (gallery, bank) = sides(rows("unit", m, dim, 1), rows("unit", n, dim, 2), dim, 2);
    let mut bias = vec![0.0; m];
    let mut scratch = vec![0; nnn::certified_scratch(k, dim)];
    let done = nnn::bias_certified(&gallery.encoded(), &bank.encoded(), k, 0.75, 0..m, &mut scratch, &mut bias).unwrap();
    assert_eq!(done.exhausted, 0);
    let per_row = done.rescored as f64 / m as f64;
    println!("{per_row} pairs rescored a row, of {n}");
    assert!((16.0..160.0).contains(&per_row), "{per_row}");
}

#[test]
fn what_cannot_be_bounded_is_computed_in_f32_and_counted() {
    let _alone = one_at_a_time();
    let (m, n, dim, k) = (6, 3000, 8, 4);
    // Copies of one row: all scores are within the error of each other, so no list can hold them.
    let (gallery, bank) = sides(rows("near ties", m, dim, 1), rows("near ties", n, dim, 1), dim, 0);
    let mut bias = vec![0.0; m];
    let mut scratch = vec![0; nnn::certified_scratch(k, dim)];
    let done = nnn::bias_certified(&gallery.encoded(), &bank.encoded(), k, 0.75, 0..m, &mut scratch, &mut bias).unwrap();
    assert_eq!(done, Certificate { rescored: 0, exhausted: m as u64 });
}

/// The C functions give what the Rust functions give.
#[test]
fn c_functions_do_the_same() {
    let _alone = one_at_a_time();
    use nnn::abi::*;
    let (m, n, dim, k) = (30, 400, 33, 8);
    let (gallery, bank) = sides(rows("unit", m, dim, 1), rows("unit", n, dim, 2), dim, 3);
    let mut mean = vec![0.0; dim];
    let mat = |r: &Rows| MatF32 { data: r.data.as_ptr(), rows: r.rows, dim, stride: dim };
    let encoded = |r: &Rows| EncodedC {
        rows: mat(r),
        codes: MatI8 { data: r.codes.as_ptr(), scale: r.scale.as_ptr(), rows: r.rows, dim, stride: dim },
        bounds: r.bounds.as_ptr(),
    };
    let (mut codes, mut scale, mut bounds) = (vec![0i8; m * dim], vec![0f32; m], vec![Bound::default(); m]);
    let mut work = vec![0f32; dim];
    let mut scratch = vec![0u8; nnn::certified_scratch(k, dim)];
    let (mut bias, mut table) = (vec![0f32; m], vec![f32::NEG_INFINITY; m * k]);
    let (mut hits, mut found) = (vec![Hit { score: 0.0, id: 0 }; 2 * k], vec![0u32; 2]);
    let mut done = Certificate::default();
    let live = Rows::new(rows("unit", 2, dim, 5), dim, None, Side::Query, 77);
    let plain = Rows::new(gallery.data.clone(), dim, None, Side::Gallery, 77);
    let [ge, be, le, pe] = [&gallery, &bank, &live, &plain].map(encoded);
    // SAFETY: every pointer is that of a live vector of the length that the header asks for.
    unsafe {
        assert_eq!(nnn_mean_f32(&mat(&bank), mean.as_mut_ptr()), NNN_OK);
        let (w, c, s, b) = (work.as_mut_ptr(), codes.as_mut_ptr(), scale.as_mut_ptr(), bounds.as_mut_ptr());
        assert_eq!(nnn_encode_f32(&mat(&gallery), mean.as_ptr(), 7, 77, w, c, dim, s, b), NNN_ERR_VALUE);
        assert_eq!(nnn_encode_f32(&mat(&gallery), mean.as_ptr(), NNN_SIDE_GALLERY, 77, w, c, dim - 1, s, b), NNN_ERR_STRIDE);
        assert_eq!(
            nnn_encode_f32(&mat(&gallery), mean.as_ptr(), NNN_SIDE_GALLERY, 77, w, c, dim, s, std::ptr::null_mut()),
            NNN_ERR_NULL
        );
        assert_eq!(codes, vec![0; m * dim]);
        assert_eq!(nnn_encode_f32(&mat(&gallery), mean.as_ptr(), NNN_SIDE_GALLERY, 77, w, c, dim, s, b), NNN_OK);
        assert_eq!((&codes, &bounds), (&gallery.codes, &gallery.bounds));

        let (buffer, len) = (scratch.as_mut_ptr().cast(), scratch.len());
        assert_eq!(
            nnn_bias_certified(&ge, &be, k, 0.5, 0, m, buffer, 32 * k + 5195, bias.as_mut_ptr(), &mut done),
            NNN_ERR_CAPACITY
        );
        assert_eq!(nnn_bias_certified(&ge, &be, n + 1, 0.5, 0, m, buffer, len, bias.as_mut_ptr(), &mut done), NNN_ERR_K);
        assert_eq!(nnn_bias_certified(&ge, &be, k, 0.5, 1, m, buffer, len, bias.as_mut_ptr(), &mut done), NNN_ERR_RANGE);
        assert_eq!(
            nnn_bias_certified(&ge, &be, k, 0.5, 0, m, buffer, len, gallery.data.as_ptr().cast_mut(), &mut done),
            NNN_ERR_ALIAS
        );
        assert_eq!((bias[0], done), (0.0, Certificate::default()));
        assert_eq!(nnn_bias_certified(&ge, &be, k, 0.5, 0, m, buffer, len, bias.as_mut_ptr(), &mut done), NNN_OK);
        assert!(done.rescored >= (k * m) as u64);
        assert_eq!(
            nnn_neighbors_update_certified(&ge, &be, k, 0, m, buffer, len, table.as_mut_ptr(), std::ptr::null_mut()),
            NNN_OK
        );
        let (h, f) = (hits.as_mut_ptr(), found.as_mut_ptr());
        assert_eq!(nnn_search_certified(&le, &pe, bias.as_ptr(), std::ptr::null(), k, 0, m, buffer, len, h, f, &mut done), NNN_OK);
    }
    let mut expected = vec![0f32; m];
    nnn::bias(&gallery.view(), &bank.view(), k, 0.5, 0..m, &mut scratch, &mut expected).unwrap();
    assert_eq!(bits(&bias), bits(&expected));
    nnn::Neighbors::from_table(&mut table, m, k).unwrap().bias(k, 0.5, &mut expected).unwrap();
    assert_eq!(bits(&bias), bits(&expected));
    let (mut exact, mut exact_found) = (hits.clone(), vec![0; 2]);
    nnn::search(&live.view(), &gallery.view(), Some(&bias), None, k, 0..m, &mut [], &mut exact, &mut exact_found).unwrap();
    assert_eq!((hits, found), (exact, exact_found));
}

/// Hits (bits of the score, id) of all queries, and their numbers.
type Found = (Vec<(u32, u32)>, Vec<u32>);

/// The hits of the f32 and of the certified search as bits, and how many were found.
fn both(live: &Rows, gallery: &Rows, bias: Option<&[f32]>, k: usize, scratch: usize) -> [Found; 2] {
    [false, true].map(|certified| {
        let mut hits = vec![Hit { score: 5.0, id: 99 }; live.rows * k];
        let mut found = vec![9; live.rows];
        let (all, mut scratch) = (0..gallery.rows, vec![0; scratch]);
        if certified {
            nnn::search_certified(&live.encoded(), &gallery.encoded(), bias, None, k, all, &mut scratch, &mut hits, &mut found)
                .unwrap();
        } else {
            nnn::search(&live.view(), &gallery.view(), bias, None, k, all, &mut scratch, &mut hits, &mut found).unwrap();
        }
        (hits.iter().map(|h| (h.score.to_bits(), h.id)).collect(), found)
    })
}

#[test]
fn a_row_with_a_larger_error_than_all_before_is_not_overlooked() {
    let _alone = one_at_a_time();
    // Rows whose codes lose nothing fill the list and raise its cut; then comes a better one whose codes lose much.
    let dim = 2;
    let data = (0..512).flat_map(|i| if i == 400 { [100.0, 0.9] } else { [0.0, 0.85 - 1e-7 * i as f32] }).collect();
    let gallery = Rows::new(data, dim, None, Side::Gallery, 0);
    let live = Rows::new(vec![0.0, 1.0], dim, None, Side::Query, 0);
    for k in [1, 3] {
        let [plain, certified] = both(&live, &gallery, None, k, nnn::certified_scratch(k, dim));
        assert_eq!(plain.0[0].1, 400);
        assert_eq!(plain, certified, "k {k}");
    }
}

#[test]
fn scores_that_a_bias_makes_overflow_hide_no_others() {
    let _alone = one_at_a_time();
    let gallery = Rows::new(vec![0.0, 1e16, 0.0, 5e15], 2, None, Side::Gallery, 0);
    let live = Rows::new(vec![0.0, 1e17], 2, None, Side::Query, 0);
    let [plain, certified] = both(&live, &gallery, Some(&[-f32::MAX, 0.0]), 1, nnn::certified_scratch(1, 2));
    assert_eq!((plain.0[0].1, plain.1[0]), (1, 1));
    assert_eq!(plain, certified);
}

#[test]
fn every_scratch_from_the_least_on_is_enough() {
    let _alone = one_at_a_time();
    let gallery = Rows::new(rows("unit", 300, 8, 1), 8, None, Side::Gallery, 0);
    let live = Rows::new(rows("unit", 3, 8, 2), 8, None, Side::Query, 0);
    for k in [1, 10, 194] {
        let least = 32 * k + 5196;
        for scratch in (least..40_000).step_by(61).chain([2 * least - 1, 2 * least]) {
            let [plain, certified] = both(&live, &gallery, None, k, scratch);
            assert_eq!(plain, certified, "k {k}, scratch {scratch}");
        }
    }
}

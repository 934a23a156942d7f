//! How results have to change when the input does. The values are small integers, so that all sums are exact and every relation
//! holds in every bit, on every instruction set.

use ffi_tests::data::{Random, Rows, for_each_isa};
use ffi_tests::reference::dot_f64;
use nnn::{Hit, Neighbors};

struct Problem {
    gallery: Rows,
    bank: Rows,
    queries: Rows,
    k: usize,
    random: Random,
}

fn problems() -> impl Iterator<Item = Problem> {
    (0..30).map(|seed| {
        let mut random = Random(seed);
        let dim = 1 + random.below(100);
        let (gallery, bank) = (1 + random.below(150), 1 + random.below(600));
        Problem {
            gallery: Rows::small(&mut random, gallery, dim),
            bank: Rows::small(&mut random, bank, dim),
            queries: Rows::small(&mut random, 7, dim),
            k: 1 + random.below(bank.min(40)),
            random,
        }
    })
}

fn bias(gallery: &Rows, bank: &Rows, k: usize, alpha: f32) -> Vec<f32> {
    let mut bias = vec![0f32; gallery.rows];
    nnn::bias(&gallery.view(), &bank.view(), k, alpha, 0..gallery.rows, &mut vec![0; 1 << 17], &mut bias).unwrap();
    bias
}

/// The ten best of every query, one list per query.
fn search(queries: &Rows, gallery: &Rows, bias: Option<&[f32]>) -> Vec<Vec<Hit>> {
    let (mut hits, mut found) = (vec![Hit { score: 0.0, id: 0 }; queries.rows * 10], vec![0; queries.rows]);
    nnn::search(&queries.view(), &gallery.view(), bias, None, 10, 0..gallery.rows, &mut [0; 8192], &mut hits, &mut found).unwrap();
    hits.chunks(10).zip(found).map(|(hits, found)| hits[..found as usize].to_vec()).collect()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|x| x.to_bits()).collect()
}

#[test]
fn alpha_zero_is_plain_search() {
    for_each_isa(|isa| {
        for p in problems() {
            let zero = bias(&p.gallery, &p.bank, p.k, 0.0);
            assert_eq!(bits(&zero), vec![0; p.gallery.rows], "{isa:?}: all biases are +0");
            assert_eq!(search(&p.queries, &p.gallery, Some(&zero)), search(&p.queries, &p.gallery, None), "{isa:?}");
            let negative = bias(&p.gallery, &p.bank, p.k, -0.0);
            assert_eq!(bits(&negative), vec![0; p.gallery.rows], "{isa:?}: -0 is stored as +0");
        }
    });
}

#[test]
fn a_constant_in_every_bias_leaves_the_order() {
    for_each_isa(|isa| {
        for p in problems() {
            let b: Vec<f32> = p.gallery.data.iter().take(p.gallery.rows).map(|x| if x.is_nan() { 0.5 } else { *x }).collect();
            let shifted: Vec<f32> = b.iter().map(|b| b + 1024.0).collect();
            let (plain, moved) = (search(&p.queries, &p.gallery, Some(&b)), search(&p.queries, &p.gallery, Some(&shifted)));
            for (plain, moved) in plain.iter().flatten().zip(moved.iter().flatten()) {
                assert_eq!((plain.id, plain.score - 1024.0), (moved.id, moved.score), "{isa:?}");
            }
        }
    });
}

#[test]
fn permuting_the_gallery_permutes_biases_and_ids() {
    for_each_isa(|isa| {
        for mut p in problems() {
            let mut order: Vec<usize> = (0..p.gallery.rows).collect();
            p.random.shuffle(&mut order);
            let permuted = p.gallery.select(&order);
            let (b, permuted_b) = (bias(&p.gallery, &p.bank, p.k, 0.5), bias(&permuted, &p.bank, p.k, 0.5));
            let expected: Vec<f32> = order.iter().map(|&row| b[row]).collect();
            assert_eq!(bits(&permuted_b), bits(&expected), "{isa:?}");

            let (hits, moved) = (search(&p.queries, &p.gallery, Some(&b)), search(&p.queries, &permuted, Some(&permuted_b)));
            for (q, (hits, moved)) in hits.iter().zip(&moved).enumerate() {
                let scores = |hits: &[Hit]| hits.iter().map(|hit| hit.score).collect::<Vec<_>>();
                assert_eq!(scores(hits), scores(moved), "{isa:?} query {q}");
                // Ties are broken by the new ids, so a row is compared by its own score.
                for hit in moved {
                    let row = order[hit.id as usize];
                    let score = dot_f64(p.queries.row(q), p.gallery.row(row)) as f32 - b[row];
                    assert_eq!(hit.score, score, "{isa:?} query {q} row {row}");
                }
            }
        }
    });
}

#[test]
fn permuting_the_bank_leaves_tables_and_biases() {
    for_each_isa(|isa| {
        // Real values: the sums of a row do not depend on the place of a bank row, nor does the order of summation of the mean.
        for mut p in problems() {
            let mut random = Random(p.random.bits());
            let (gallery, bank) = (p.gallery.map(|x| x / 3.0), Rows::random(&mut random, p.bank.rows, p.gallery.dim));
            let mut order: Vec<usize> = (0..bank.rows).collect();
            p.random.shuffle(&mut order);
            let permuted = bank.select(&order);
            assert_eq!(bits(&bias(&gallery, &bank, p.k, 0.75)), bits(&bias(&gallery, &permuted, p.k, 0.75)), "{isa:?}");
            let table = |bank: &Rows| {
                let mut memory = vec![0f32; gallery.rows * p.k];
                let mut table = Neighbors::init(&mut memory, gallery.rows, p.k).unwrap();
                table.update(&gallery.view(), &bank.view(), 0..gallery.rows, &mut [0; 30_000]).unwrap();
                bits(&memory)
            };
            assert_eq!(table(&bank), table(&permuted), "{isa:?}");
        }
    });
}

#[test]
fn all_of_the_bank_is_the_plain_mean() {
    for_each_isa(|isa| {
        for p in problems() {
            let means: Vec<f32> = (0..p.gallery.rows)
                .map(|i| {
                    let sum: f64 = (0..p.bank.rows).map(|j| dot_f64(p.gallery.row(i), p.bank.row(j))).sum();
                    (sum / p.bank.rows as f64 * 0.75) as f32 + 0.0
                })
                .collect();
            assert_eq!(bits(&bias(&p.gallery, &p.bank, p.bank.rows, 0.75)), bits(&means), "{isa:?}");
        }
    });
}

/// A power of two scales every bit pattern exactly.
#[test]
fn scaling_one_side_scales_scores_biases_and_hits() {
    for_each_isa(|isa| {
        for mut p in problems() {
            let mut random = Random(p.random.bits());
            let bank = Rows::random(&mut random, p.bank.rows, p.gallery.dim);
            let scaled_bank = bank.map(|x| x * 0.125);
            let scale = |b: Vec<f32>| b.iter().map(|b| b * 0.125).collect::<Vec<_>>();
            let b = bias(&p.gallery, &bank, p.k, 1.5);
            assert_eq!(bits(&bias(&p.gallery, &scaled_bank, p.k, 1.5)), bits(&scale(b.clone())), "{isa:?} bank");
            assert_eq!(bits(&bias(&p.gallery.map(|x| x * 0.125), &bank, p.k, 1.5)), bits(&scale(b)), "{isa:?} gallery");

            let (hits, scaled) = (search(&p.queries, &p.gallery, None), search(&p.queries.map(|x| x * 0.125), &p.gallery, None));
            for (hit, scaled) in hits.iter().flatten().zip(scaled.iter().flatten()) {
                assert_eq!((hit.id, hit.score * 0.125), (scaled.id, scaled.score), "{isa:?}");
            }
        }
    });
}

/// The alphas of the paper's grid are exact in f32, and so is alpha times an exact mean.
#[test]
fn alpha_is_a_factor() {
    for_each_isa(|isa| {
        for p in problems() {
            let k = p.k.next_power_of_two().min(1 << p.bank.rows.ilog2());
            let b = bias(&p.gallery, &p.bank, k, 1.0);
            for eighths in 2..=12u8 {
                let alpha = f32::from(eighths) / 8.0;
                let expected: Vec<f32> = b.iter().map(|b| b * alpha + 0.0).collect();
                assert_eq!(bits(&bias(&p.gallery, &p.bank, k, alpha)), bits(&expected), "{isa:?} alpha {alpha}");
            }
        }
    });
}

/// One more bank row changes only the rows that it is near to; a removed and re-added row changes none.
#[test]
fn a_bank_row_added_later_is_as_if_it_had_been_there() {
    for_each_isa(|isa| {
        for p in problems().filter(|p| p.bank.rows > 1) {
            let rows = 0..p.gallery.rows;
            let (mut early, mut late) = (vec![0f32; p.gallery.rows * p.k], vec![0f32; p.gallery.rows * p.k]);
            let mut table = Neighbors::init(&mut early, p.gallery.rows, p.k).unwrap();
            table.update(&p.gallery.view(), &p.bank.view(), rows.clone(), &mut [0; 20_000]).unwrap();
            let mut table = Neighbors::init(&mut late, p.gallery.rows, p.k).unwrap();
            for shard in [1..p.bank.rows, 0..1] {
                table.update(&p.gallery.view(), &p.bank.part(shard), rows.clone(), &mut [0; 20_000]).unwrap();
            }
            assert_eq!(bits(&early), bits(&late), "{isa:?}");
        }
    });
}

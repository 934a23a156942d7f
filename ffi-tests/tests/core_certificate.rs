//! Certified reranking of an exact short list: what it calls proved is the search of the whole gallery, bit for bit.

use ffi_tests::data::{Random, Rows, for_each_isa};
use nnn::{Hit, Status, rerank_certified, search};

const NO_HIT: Hit = Hit { score: -77.0, id: 99 };

fn best(queries: &Rows, gallery: &Rows, bias: Option<&[f32]>, k: usize) -> Vec<Hit> {
    let (mut hits, mut found) = (vec![NO_HIT; k], [0]);
    search(&queries.view(), &gallery.view(), bias, None, k, 0..gallery.rows, &mut [], &mut hits, &mut found).unwrap();
    hits.truncate(found[0] as usize);
    hits
}

#[test]
fn proved_hits_are_those_of_the_whole_gallery() {
    for_each_isa(|_| {
        let mut random = Random(5);
        let (mut early, mut unproved) = (0, 0);
        for round in 0..300 {
            let (rows, dim, k) = (1 + random.below(150), 1 + random.below(40), 1 + random.below(12));
            // Small integers: ties everywhere.
            let make = if round % 2 == 0 { Rows::small } else { Rows::random };
            let (query, gallery) = (make(&mut random, 1, dim), make(&mut random, rows, dim));
            let width = [0.0, 0.01, 0.5, 4.0][random.below(4)];
            let bias: Vec<f32> = (0..rows).map(|_| if round % 2 == 0 { random.small() } else { random.float() } * width).collect();
            let bias_min = bias.iter().copied().fold(f32::INFINITY, f32::min) - [0.0, 0.125][random.below(2)];
            let truth = best(&query, &gallery, Some(&bias), k);
            let mut len = random.below(rows + 1);
            loop {
                let mut candidates = if len > 0 { best(&query, &gallery, None, len) } else { vec![] };
                random.shuffle(&mut candidates);
                let (mut hits, mut found) = (vec![NO_HIT; k], 0);
                let next = rerank_certified(&candidates, &bias, bias_min, k, &mut hits, &mut found).unwrap();
                if next == 0 {
                    hits.truncate(found as usize);
                    assert_eq!(hits, truth, "round {round}: {len} of {rows}, k {k}");
                    early += usize::from(len < rows);
                    break;
                }
                unproved += 1;
                assert!(next > len && next <= rows && (next >= 2 * len || next == rows), "{len} to {next} of {rows}");
                len = next;
            }
        }
        assert!(early > 50 && unproved > 50, "{early} proved early, {unproved} not proved");
    });
}

/// Whether the hits of these candidates are proved, of three rows and k = 1.
fn proved(candidates: &[(f32, u32)], bias: [f32; 3], bias_min: f32) -> bool {
    let candidates: Vec<Hit> = candidates.iter().map(|(score, id)| Hit { score: *score, id: *id }).collect();
    let (mut hits, mut found) = ([NO_HIT], 0);
    rerank_certified(&candidates, &bias, bias_min, 1, &mut hits, &mut found).unwrap() == 0
}

#[test]
fn a_tie_is_not_proved() {
    // Row 2 may score 0.5 with a bias of 0: as much as row 1, and were its id lower, it would come first.
    assert!(!proved(&[(0.5, 1)], [0.0; 3], 0.0));
    assert!(proved(&[(0.75, 1), (0.5, 2)], [0.0; 3], 0.0));
    assert!(!proved(&[(0.75, 1), (0.5, 2)], [0.0, 0.0, 0.0], -0.25), "a row with the least bias would tie");
    assert!(proved(&[(0.75, 1), (0.5, 2)], [0.0, 0.0, 0.0], -0.25 + 2f32.powi(-24)));
    assert!(!proved(&[(0.75, 1), (0.5, 2)], [0.0, 0.0, 0.0], (-0.25f32).next_up()), "rounds to a tie");
    let least = 2f32.powi(-25);
    assert!(!proved(&[(1.0, 1), (1.0, 2)], [0.0; 3], -least), "rounds to 1");
    assert!(proved(&[(1.0, 0), (1.0, 1), (1.0, 2)], [0.0; 3], -least), "all rows");
    assert!(!proved(&[], [0.0; 3], 0.0));
}

#[test]
fn wrong_arguments_are_refused_and_nothing_is_written() {
    let one = |score, id| Hit { score, id };
    let refused = |candidates: &[Hit], bias: &[f32], bias_min| {
        let (mut hits, mut found) = ([NO_HIT], 7);
        let status = rerank_certified(candidates, bias, bias_min, 1, &mut hits, &mut found).unwrap_err().status;
        assert_eq!((hits, found), ([NO_HIT], 7));
        status
    };
    assert_eq!(refused(&[one(1.0, 0)], &[0.5], 0.5f32.next_up()), Status::Value, "a bias below the least");
    assert_eq!(refused(&[one(1.0, 0)], &[0.5], f32::NAN), Status::Value);
    assert_eq!(refused(&[one(1.0, 0), one(1.0, 0)], &[0.5], 0.0), Status::Range, "more candidates than rows");
    assert_eq!(refused(&[one(1.0, 1)], &[0.5], f32::NAN), Status::Range, "RANGE before VALUE");
    assert_eq!(refused(&[one(f32::NAN, 0)], &[0.5], 0.0), Status::Value);
}

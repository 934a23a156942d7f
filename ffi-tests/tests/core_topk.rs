//! Whatever keeps the k best gives what a full stable sort by (score descending, id ascending) gives.

use ffi_tests::data::{Random, for_each_isa};
use ffi_tests::reference::{best_hits, best_values};
use nnn::{Hit, Matrix, Neighbors, TopK};

const NO_HIT: Hit = Hit { score: -77.0, id: u32::MAX };

/// Scores of one kind; `turn` picks the kind.
fn stream(turn: usize, n: usize, random: &mut Random) -> Vec<f32> {
    const SPECIAL: [f32; 8] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0, 0.0, 1e-45, f32::MAX, f32::MIN];
    (0..n)
        .map(|i| match turn % 8 {
            0 => random.float(),
            1 => random.below(4) as f32,           // ties
            2 => i as f32,                         // every one beats all before
            3 => -(i as f32),                      // none beats the first k
            4 => 1.0,                              // nothing but ties
            5 if random.below(3) == 0 => f32::NAN, // never a hit
            5 => random.below(9) as f32 - 4.0,
            6 => SPECIAL[random.below(8)],
            _ => ((i * 7919) % 101) as f32, // duplicates far apart
        })
        .collect()
}

fn hits_of(scores: &[f32]) -> impl Iterator<Item = Hit> {
    scores.iter().zip(0..).map(|(&score, id)| Hit { score, id })
}

fn bits(hits: &[Hit]) -> Vec<(u32, u32)> {
    hits.iter().map(|hit| (hit.score.to_bits(), hit.id)).collect()
}

/// All n with some k, all k with some n.
fn sizes() -> Vec<(usize, usize)> {
    let some_k = [1, 2, 3, 4, 5, 7, 8, 16, 31, 32, 33, 63, 64, 65, 100, 128, 255, 300];
    let some_n = [0, 1, 2, 31, 63, 64, 65, 127, 128, 129, 200, 257, 300];
    let all_n = (0..=300).flat_map(|n| some_k.map(|k| (n, k)));
    all_n.chain((1..=300).flat_map(|k| some_n.map(|n| (n, k)))).collect()
}

/// Rows of dim 1 against the query [1]: the scores are the rows.
#[test]
fn search_is_a_full_stable_sort() {
    for_each_isa(|isa| {
        let mut random = Random(1);
        let query = Matrix::new(&[1f32], 1, 1).unwrap();
        for (turn, (n, k)) in sizes().into_iter().enumerate() {
            let scores = stream(turn, n, &mut random);
            let mut hits = vec![NO_HIT; k];
            let mut found = [99];
            nnn::search(&query, &Matrix::new(&scores, n, 1).unwrap(), None, None, k, 0..n, &mut [], &mut hits, &mut found).unwrap();
            let expected = best_hits(hits_of(&scores), k);
            assert_eq!(found[0] as usize, expected.len(), "{isa:?} n {n} k {k}");
            assert_eq!(bits(&hits[..expected.len()]), bits(&expected), "{isa:?} n {n} k {k} {scores:?}");
            assert_eq!(bits(&hits[expected.len()..]), bits(&vec![NO_HIT; k - expected.len()]), "past `found`, n {n} k {k}");
        }
    });
}

#[test]
fn the_neighbour_table_is_a_full_sort() {
    for_each_isa(|isa| {
        let mut random = Random(2);
        let gallery = Matrix::new(&[1f32, -1.0], 2, 1).unwrap();
        let mut scratch = vec![0; 4096];
        for (turn, (n, k)) in sizes().into_iter().enumerate() {
            let bank: Vec<f32> = stream(turn, n, &mut random).into_iter().filter(|x| x.is_finite()).collect();
            let mut memory = vec![7f32; 2 * k];
            let mut table = Neighbors::init(&mut memory, 2, k).unwrap();
            table.update(&gallery, &Matrix::new(&bank, bank.len(), 1).unwrap(), 0..2, &mut scratch).unwrap();
            let expected = [best_values(bank.iter().copied(), k), best_values(bank.iter().map(|x| -x), k)].concat();
            let bits = |values: &[f32]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&memory), bits(&expected), "{isa:?} n {n} k {k}");
        }
    });
}

/// Large k over long banks, where the table keeps more than k and throws the surplus away now and then: the same sort, from an empty
/// table and from a filled one, with scratch for that way or without.
#[test]
fn the_neighbour_table_over_a_long_bank_is_a_full_sort() {
    let factors = [1f32, -1.0, 2.0, 0.5, -3.0, 1.0, 1.0, 1.0, 1.0, -1.0];
    let gallery = Matrix::new(&factors, factors.len(), 1).unwrap();
    let bits = |values: &[f32]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    for_each_isa(|isa| {
        let mut random = Random(6);
        for (k, n) in [(33, 132), (33, 1000), (64, 2000), (100, 399), (100, 400), (128, 700), (256, 3000), (512, 2048), (700, 6000)]
        {
            for turn in 0..8 {
                let bank: Vec<f32> = stream(turn, n, &mut random).into_iter().filter(|x| x.is_finite()).collect();
                let expected = factors.map(|x| best_values(bank.iter().map(|b| x * b), k)).concat();
                for bytes in [1 << 20, 200_001, 60_000, 4096] {
                    let cut = if random.below(2) == 0 { 0 } else { random.below(bank.len()) };
                    let mut memory = vec![7f32; factors.len() * k];
                    let mut table = Neighbors::init(&mut memory, factors.len(), k).unwrap();
                    for part in [&bank[..cut], &bank[cut..]] {
                        let part = Matrix::new(part, part.len(), 1).unwrap();
                        table.update(&gallery, &part, 0..factors.len(), &mut vec![0; bytes]).unwrap();
                    }
                    assert!(bits(&memory) == bits(&expected), "{isa:?} k {k} bank {n} stream {turn} scratch {bytes} cut {cut}");
                }
            }
        }
    });
}

#[test]
fn merging_is_a_full_stable_sort_of_all_parts() {
    let mut random = Random(3);
    for (turn, (n, k)) in sizes().into_iter().enumerate() {
        let scores = stream(turn, n, &mut random);
        let expected = best_hits(hits_of(&scores), k);
        // Each hit goes to one of three lists; each list is cut to its own length, as shards with their own k do.
        let mut parts = [const { Vec::new() }; 3];
        hits_of(&scores).for_each(|hit| parts[random.below(3)].push(hit));
        let mut parts = parts.map(|part| best_hits(part, k.max(random.below(300))));
        random.shuffle(&mut parts);
        let mut merged = vec![NO_HIT; k];
        let mut len = 0;
        for part in &parts {
            nnn::merge_hits(&mut merged, &mut len, part, k).unwrap();
        }
        assert_eq!(bits(&merged[..len as usize]), bits(&expected), "n {n} k {k}");
        assert_eq!(bits(&merged[len as usize..]), bits(&vec![NO_HIT; k - expected.len()]), "past the end, n {n} k {k}");
    }
}

#[test]
fn rerank_is_a_full_stable_sort() {
    let mut random = Random(4);
    for (turn, (n, k)) in sizes().into_iter().enumerate() {
        let candidates: Vec<Hit> = hits_of(&stream(turn, n, &mut random)).filter(|hit| hit.score.is_finite()).collect();
        let bias: Vec<f32> = (0..300).map(|_| random.small()).collect();
        let expected = best_hits(candidates.iter().map(|hit| Hit { score: hit.score - bias[hit.id as usize], ..*hit }), k);
        let mut shuffled = candidates.clone();
        random.shuffle(&mut shuffled);
        let mut hits = vec![NO_HIT; k];
        let mut found = 99;
        nnn::rerank(&shuffled, &bias, k, &mut hits, &mut found).unwrap();
        assert_eq!(bits(&hits[..found as usize]), bits(&expected), "n {n} k {k}");
        assert_eq!(bits(&hits[found as usize..]), bits(&vec![NO_HIT; k - expected.len()]), "past `found`, n {n} k {k}");
    }
}

fn top_k<const N: usize>(random: &mut Random) {
    let mut top = TopK::<N>::new();
    for turn in 0..64 {
        let n = random.below(301);
        let scores = stream(turn, n, random);
        let mut order: Vec<Hit> = hits_of(&scores).collect();
        random.shuffle(&mut order);
        top.clear();
        for (i, hit) in order.iter().enumerate() {
            let ranks = bits(&best_hits(order[..=i].iter().copied(), N)).contains(&((hit.score + 0.0).to_bits(), hit.id));
            assert_eq!(top.push(*hit), ranks, "capacity {N}: push says whether the hit is kept");
        }
        let expected = best_hits(order, N);
        assert_eq!(bits(top.hits()), bits(&expected), "capacity {N}");
        let threshold = if expected.len() < N { f32::NEG_INFINITY } else { expected.last().map_or(f32::INFINITY, |hit| hit.score) };
        assert_eq!(top.threshold(), threshold, "capacity {N}");
    }
}

#[test]
fn top_k_of_a_stream_in_any_order_is_a_full_stable_sort() {
    let mut random = Random(5);
    top_k::<0>(&mut random);
    top_k::<1>(&mut random);
    top_k::<2>(&mut random);
    top_k::<3>(&mut random);
    top_k::<10>(&mut random);
    top_k::<64>(&mut random);
    top_k::<65>(&mut random);
    top_k::<300>(&mut random);
}

/// NaN comes last, equal scores by id, and the order is one: antisymmetric and transitive on every triple.
#[test]
fn the_order_of_hits_is_total() {
    use std::cmp::Ordering::{Equal, Greater};
    let scores = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0, 1.0, f32::MAX, 1e-45];
    let hits: Vec<Hit> = scores.iter().flat_map(|&score| [0, 1].map(|id| Hit { score, id })).collect();
    for a in &hits {
        for b in &hits {
            assert_eq!(a.order(b), b.order(a).reverse(), "{a:?} {b:?}");
            assert_eq!(a.order(b) == Equal, a.id == b.id && (a.score == b.score || a.score.is_nan() && b.score.is_nan()));
            for c in &hits {
                assert!(a.order(b) == Greater || b.order(c) == Greater || a.order(c) != Greater, "{a:?} {b:?} {c:?}");
            }
        }
        assert!(a.score.is_nan() || a.order(&Hit { score: f32::NAN, id: 0 }).is_lt(), "{a:?} after NaN");
    }
}

//! The bias family against the outputs of the authors' published code (see `golden/README.md`), and against formulas in f64: values
//! within 2e-6 of their scale (the softmax family as logarithms), rankings equal but for ties.

use ffi_tests::data::for_each_isa;
use ffi_tests::golden::{BANK, DIM, GALLERY, Golden, QUERIES, doubles, floats, indices};
use ffi_tests::reference::dot_f64;
use nnn::{ColumnSums, ExactSum, Gate, Hit, LogSum, LogSums, Matrix};

const TOLERANCE: f64 = 2e-6;
/// Queries that the golden score arrays hold.
const FEW: usize = 24;
/// Rows of the gallery bank.
const EXTRA: usize = 1000;
const NO_HIT: Hit = Hit { score: f32::NAN, id: u32::MAX };

fn assert_close(got: &[f64], expected: &[f64], what: &str) {
    assert_eq!(got.len(), expected.len());
    let scale = expected.iter().fold(1f64, |max, x| max.max(x.abs()));
    for (i, (got, expected)) in got.iter().zip(expected).enumerate() {
        assert!((got - expected).abs() <= TOLERANCE * scale, "{what}[{i}]: {got} for {expected}");
    }
}

/// All rows of a query in the order of `hits`, against expected scores where higher is better: neighbours that are out of order are
/// ties.
fn assert_ranking(hits: &[Hit], expected: &[f64], what: &str) {
    assert_eq!(hits.len(), expected.len());
    let scale = expected.iter().fold(1f64, |max, x| max.max(x.abs()));
    for pair in hits.windows(2) {
        let [a, b] = [0, 1].map(|i| expected[pair[i].id as usize]);
        assert!(a >= b - TOLERANCE * scale, "{what}: row {} ({a}) before row {} ({b})", pair[0].id, pair[1].id);
    }
}

fn widen(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

struct Family {
    golden: Golden,
    extra: Vec<f32>,
    /// Exact plain scores of the first queries.
    scores: Vec<f64>,
}

impl Family {
    fn load() -> Family {
        let golden = Golden::load();
        let scores = (0..FEW * GALLERY).map(|i| golden.score(i / GALLERY, i % GALLERY)).collect();
        Family { golden, extra: floats("gallery_bank", EXTRA * DIM), scores }
    }

    fn extra(&self) -> Matrix<'_, f32> {
        Matrix::new(&self.extra, EXTRA, DIM).unwrap()
    }

    fn sums(&self, bank: &Matrix<f32>, beta: f32) -> Vec<LogSum> {
        let mut memory = vec![LogSum::EMPTY; GALLERY];
        let [gallery, ..] = self.golden.views();
        LogSums::init(&mut memory, beta).unwrap().update(&gallery, bank, 0..GALLERY, &mut vec![0; 1 << 20]).unwrap();
        memory
    }

    fn softmax_bias(&self, bank: &Matrix<f32>, beta: f32) -> Vec<f32> {
        let mut bias = vec![0f32; GALLERY];
        LogSums::from_sums(&mut self.sums(bank, beta), beta).unwrap().bias(&mut bias).unwrap();
        bias
    }

    /// `ln sum e^(beta s)` of every gallery row, in f64.
    fn exact_ln_sums(&self, bank: &[f32], beta: f64) -> Vec<f64> {
        let row = |row: &[f32]| {
            let t: Vec<f64> = bank.chunks(DIM).map(|b| beta * dot_f64(b, row)).collect();
            let max = t.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            max + t.iter().map(|t| (t - max).exp()).sum::<f64>().ln()
        };
        self.golden.gallery.chunks(DIM).map(row).collect()
    }

    /// All rows of the first queries, best plain first.
    fn plain(&self, queries: usize) -> Vec<Hit> {
        let [gallery, _, live] = self.golden.views();
        let live = Matrix::new(&self.golden.queries[..queries * DIM], queries, live.dim()).unwrap();
        let mut hits = vec![NO_HIT; queries * GALLERY];
        nnn::search(&live, &gallery, None, None, GALLERY, 0..GALLERY, &mut [], &mut hits, &mut vec![0; queries]).unwrap();
        hits
    }

    fn activation(&self, bank: &Matrix<f32>, n: usize) -> Vec<u64> {
        let [gallery, ..] = self.golden.views();
        let (mut hits, mut found) = (vec![NO_HIT; bank.rows() * n], vec![0; bank.rows()]);
        nnn::search(bank, &gallery, None, None, n, 0..GALLERY, &mut [0; 4160], &mut hits, &mut found).unwrap();
        let mut set = vec![0u64; GALLERY.div_ceil(64)];
        nnn::activation_set(&hits, &found, n, n, GALLERY, &mut set).unwrap();
        set
    }

    /// What search serves with a bias: the authors' ranking of all rows for each of the first queries.
    fn assert_served(&self, bias: &[f32], expected: &[f64], what: &str) {
        let [gallery, ..] = self.golden.views();
        let queries = Matrix::new(&self.golden.queries[..FEW * DIM], FEW, DIM).unwrap();
        let (mut hits, mut found) = (vec![NO_HIT; FEW * GALLERY], vec![0; FEW]);
        let scratch = &mut [0; 2000];
        nnn::search(&queries, &gallery, Some(bias), None, GALLERY, 0..GALLERY, scratch, &mut hits, &mut found).unwrap();
        for (q, (hits, expected)) in hits.chunks(GALLERY).zip(expected.chunks(GALLERY)).enumerate() {
            assert_ranking(hits, expected, &format!("{what}, ranking of query {q}"));
        }
    }

    /// Hits of a gated search of the first queries over all rows; the same by reranking.
    fn gated(&self, gates: &[Gate]) -> Vec<Hit> {
        let [gallery, ..] = self.golden.views();
        let queries = Matrix::new(&self.golden.queries[..FEW * DIM], FEW, DIM).unwrap();
        let plain = self.plain(FEW);
        let winners: Vec<u32> = plain.chunks(GALLERY).map(|hits| hits[0].id).collect();
        let (mut hits, mut found) = (vec![NO_HIT; FEW * GALLERY], vec![0; FEW]);
        let scratch = &mut [0; 2000];
        nnn::search_gated(&queries, &gallery, gates, &winners, None, GALLERY, 0..GALLERY, scratch, &mut hits, &mut found).unwrap();
        assert_eq!(found, [GALLERY as u32; FEW]);
        for (candidates, hits) in plain.chunks(GALLERY).zip(hits.chunks(GALLERY)) {
            let (mut again, mut found) = (vec![NO_HIT; GALLERY], 0);
            nnn::rerank_gated(candidates, gates, GALLERY, GALLERY, &mut again, &mut found).unwrap();
            assert_eq!((&again[..], found), (hits, GALLERY as u32));
        }
        hits
    }
}

fn is_active(set: &[u64], row: usize) -> bool {
    set[row / 64] >> (row % 64) & 1 == 1
}

fn subtract(scores: &[f64], bias: &[f32]) -> Vec<f64> {
    scores.iter().zip(bias.iter().cycle()).map(|(score, bias)| score - f64::from(*bias)).collect()
}

/// CSLS is NNN with alpha = 0.5: `2 s - r_T(q) - r_S(r)`, where `r_T`, the mean of the query's k best scores, changes no ranking.
#[test]
fn csls() {
    let family = Family::load();
    let [gallery, bank, _] = family.golden.views();
    let expected = doubles("csls_scores_k10", FEW * GALLERY);
    for_each_isa(|isa| {
        let mut bias = vec![0f32; GALLERY];
        nnn::bias(&gallery, &bank, 10, 0.5, 0..GALLERY, &mut vec![0; 1 << 20], &mut bias).unwrap();
        let mut got = subtract(&family.scores, &bias);
        for (got, hits) in got.chunks_mut(GALLERY).zip(family.plain(FEW).chunks(GALLERY)) {
            let query_term: f64 = hits[..10].iter().map(|hit| f64::from(hit.score)).sum::<f64>() / 10.0;
            got.iter_mut().for_each(|score| *score = 2.0 * *score - query_term);
        }
        // The published function sums over the bank as it stands, per query: the constant differs, the rows' differences do not.
        for (got, expected) in got.chunks_mut(GALLERY).zip(expected.chunks(GALLERY)) {
            let shift = expected[0] - got[0];
            got.iter_mut().for_each(|score| *score += shift);
        }
        assert_close(&got, &expected, &format!("{isa:?} csls"));
        family.assert_served(&bias, &expected, "csls");
    });
}

/// DN: the authors also shift the queries; within a query that is a constant.
#[test]
fn distribution_normalisation() {
    let family = Family::load();
    let [gallery, bank, _] = family.golden.views();
    let expected = widen(&floats("dn_dense_scores", FEW * GALLERY));
    for_each_isa(|isa| {
        let mut memory = [ExactSum::ZERO; DIM];
        let mut sums = ColumnSums::init(&mut memory);
        sums.update(&bank).unwrap();
        let (mut mean, mut bias) = ([0f32; DIM], vec![0f32; GALLERY]);
        sums.mean(BANK, &mut mean).unwrap();
        nnn::mean_bias(&gallery, &mean, 0.5, 0..GALLERY, &mut bias).unwrap();
        let mut got = subtract(&family.scores, &bias);
        for (got, expected) in got.chunks_mut(GALLERY).zip(expected.chunks(GALLERY)) {
            let shift = expected[0] - got[0];
            got.iter_mut().for_each(|score| *score += shift);
        }
        assert_close(&got, &expected, &format!("{isa:?} dn"));
        family.assert_served(&bias, &expected, "dn");
        // It is the NNN bias of the whole bank.
        let mut whole = vec![0f32; GALLERY];
        nnn::bias(&gallery, &bank, BANK, 0.5, 0..GALLERY, &mut vec![0; 1 << 20], &mut whole).unwrap();
        assert_close(&widen(&bias), &widen(&whole), &format!("{isa:?} dn as nnn"));
    });
}

#[test]
fn inverted_softmax() {
    let family = Family::load();
    let [_, bank, _] = family.golden.views();
    let expected: Vec<f64> = doubles("is_scores_dbnormrepo", FEW * GALLERY).iter().map(|x| x.ln()).collect();
    for_each_isa(|isa| {
        let bias = family.softmax_bias(&bank, 20.0);
        let got: Vec<f64> = subtract(&family.scores, &bias).iter().map(|x| 20.0 * x).collect();
        assert_close(&got, &expected, &format!("{isa:?} inverted softmax"));
        family.assert_served(&bias, &expected, "inverted softmax");
    });
}

/// Where `e^(beta s)` has long left f32, and where it hardly differs from 1.
#[test]
fn inverted_softmax_of_any_beta() {
    let family = Family::load();
    let [gallery, bank, _] = family.golden.views();
    for_each_isa(|isa| {
        for beta in [1e-3f32, 0.5, 1.0, 20.0, 88.0, 100.0, 1000.0, 1e6] {
            let bias = family.softmax_bias(&bank, beta);
            let expected = family.exact_ln_sums(&family.golden.bank, beta.into());
            let got: Vec<f64> = bias.iter().map(|bias| f64::from(*bias) * f64::from(beta)).collect();
            assert_close(&got, &expected, &format!("{isa:?} beta {beta}"));
        }
        // Towards the largest similarity.
        let mut nearest = vec![0f32; GALLERY];
        nnn::bias(&gallery, &bank, 1, 1.0, 0..GALLERY, &mut vec![0; 1 << 20], &mut nearest).unwrap();
        assert_close(&widen(&family.softmax_bias(&bank, 1e7)), &widen(&nearest), &format!("{isa:?} limit"));
    });
}

#[test]
fn dual_inverted_softmax() {
    let family = Family::load();
    let [_, bank, _] = family.golden.views();
    let expected: Vec<f64> = doubles("dualis_scores_repaired", FEW * GALLERY).iter().map(|x| x.ln()).collect();
    for_each_isa(|isa| {
        let (mut queries, mut extra) = (family.sums(&bank, 50.0), family.sums(&family.extra(), 1.0));
        let mut bias = vec![0f32; GALLERY];
        let queries = LogSums::from_sums(&mut queries, 50.0).unwrap();
        queries.dual_bias(&LogSums::from_sums(&mut extra, 1.0).unwrap(), &mut bias).unwrap();
        let got: Vec<f64> = subtract(&family.scores, &bias).iter().map(|x| 51.0 * x).collect();
        assert_close(&got, &expected, &format!("{isa:?} DualIS"));
        family.assert_served(&bias, &expected, "DualIS");
    });
}

#[test]
fn activation_set_of_qbnorm() {
    let family = Family::load();
    let [_, bank, _] = family.golden.views();
    for_each_isa(|isa| {
        let set = family.activation(&bank, 1);
        let rows: Vec<usize> = (0..GALLERY).filter(|row| is_active(&set, *row)).collect();
        assert_eq!(rows, indices("qbnorm_activation", 279), "{isa:?}");
        // The rows among the n best of a bank query, however many.
        let three = family.activation(&bank, 3);
        let mut expected = vec![false; GALLERY];
        for query in family.golden.bank.chunks(DIM) {
            let mut scored: Vec<(f64, usize)> = family.golden.gallery.chunks(DIM).map(|r| dot_f64(query, r)).zip(0..).collect();
            scored.sort_by(|a, b| b.0.total_cmp(&a.0));
            scored[..3].iter().for_each(|(_, row)| expected[*row] = true);
        }
        assert_eq!((0..GALLERY).map(|row| is_active(&three, row)).collect::<Vec<_>>(), expected, "{isa:?}");
    });
}

#[test]
fn dynamic_inverted_softmax_of_qbnorm() {
    let family = Family::load();
    let [_, bank, _] = family.golden.views();
    let expected = doubles("qbnorm_scores", FEW * GALLERY);
    for_each_isa(|isa| {
        let (bias, active) = (family.softmax_bias(&bank, 20.0), family.activation(&bank, 1));
        let hits = family.gated(&[Gate { bias: &bias, beta: 20.0, active: &active }]);
        let mut open = 0;
        for (q, (hits, expected)) in hits.chunks(GALLERY).zip(expected.chunks(GALLERY)).enumerate() {
            let plain = family.plain(FEW)[q * GALLERY].id as usize;
            let what = format!("{isa:?} query {q}");
            if is_active(&active, plain) {
                open += 1;
                let logs: Vec<f64> = expected.iter().map(|x| x.ln()).collect();
                let got: Vec<f64> = hits.iter().map(|hit| 20.0 * f64::from(hit.score)).collect();
                assert_close(&got, &hits.iter().map(|hit| logs[hit.id as usize]).collect::<Vec<_>>(), &what);
                assert_ranking(hits, &logs, &what);
            } else {
                let got: Vec<f64> = hits.iter().map(|hit| f64::from(hit.score)).collect();
                assert_close(&got, &hits.iter().map(|hit| expected[hit.id as usize]).collect::<Vec<_>>(), &what);
                assert_ranking(hits, expected, &what);
            }
        }
        assert_eq!(open, 21, "{isa:?}: both sides of the gate occur");
    });
}

/// The product of two gated factors, as logarithms; the definition where that has none, for negative scores.
#[test]
fn dynamic_dual_inverted_softmax() {
    let family = Family::load();
    let [_, bank, _] = family.golden.views();
    let expected = doubles("dualdis_scores_repaired", FEW * GALLERY);
    for_each_isa(|isa| {
        let extra = family.extra();
        let biases = [family.softmax_bias(&bank, 50.0), family.softmax_bias(&extra, 1.0)];
        let sets = [family.activation(&bank, 1), family.activation(&extra, 1)];
        let gate = |i: usize, beta| Gate { bias: &biases[i], beta, active: &sets[i] };
        let hits = family.gated(&[gate(0, 50.0), gate(1, 1.0)]);
        let mut cases = [0; 4];
        for (q, (hits, expected)) in hits.chunks(GALLERY).zip(expected.chunks(GALLERY)).enumerate() {
            let plain = family.plain(FEW)[q * GALLERY].id as usize;
            let open = [0, 1].map(|i| is_active(&sets[i], plain));
            cases[usize::from(open[0]) + 2 * usize::from(open[1])] += 1;
            let what = format!("{isa:?} query {q} gates {open:?}");
            let score = |hit: &Hit| family.scores[q * GALLERY + hit.id as usize];
            match open {
                [true, true] => {
                    let logs: Vec<f64> = expected.iter().map(|x| x.ln()).collect();
                    let got: Vec<f64> = hits.iter().map(|hit| 51.0 * f64::from(hit.score)).collect();
                    assert_close(&got, &hits.iter().map(|hit| logs[hit.id as usize]).collect::<Vec<_>>(), &what);
                }
                [false, false] => {
                    // Theirs is the square of the score: the wrong order for negative scores. Ours is the plain one.
                    assert!(hits.iter().all(|hit| (f64::from(hit.score) - score(hit)).abs() < TOLERANCE), "{what}");
                    assert!(hits.iter().all(|hit| (score(hit).powi(2) - expected[hit.id as usize]).abs() < TOLERANCE), "{what}");
                    assert_ranking(hits, &family.scores[q * GALLERY..][..GALLERY], &what);
                }
                [first, _] => {
                    let beta = if first { 50.0 } else { 1.0 };
                    let bias = &biases[usize::from(!first)];
                    let split = hits.iter().position(|hit| score(hit) <= 0.0).unwrap();
                    assert!(split > 100 && hits[split..].iter().all(|hit| score(hit) <= 1e-7), "{what}: positive scores first");
                    let got: Vec<f64> = hits[..split].iter().map(|hit| beta * f64::from(hit.score)).collect();
                    let logs: Vec<f64> = hits[..split].iter().map(|hit| expected[hit.id as usize].ln()).collect();
                    // The logarithm of a score near 0 magnifies its rounding.
                    for ((hit, got), log) in hits.iter().zip(got).zip(logs) {
                        let rounding = 1e-7 / score(hit);
                        assert!((got - log).abs() <= TOLERANCE * 50.0 + rounding, "{what} row {}: {got} for {log}", hit.id);
                    }
                    // What f32 cannot tell from 0 aside.
                    let negative: Vec<f64> = hits[split..]
                        .iter()
                        .filter(|hit| score(hit) < -1e-7)
                        .map(|hit| score(hit) - f64::from(bias[hit.id as usize]))
                        .collect();
                    // Beside the logarithm of 2^-126 f32 tells 8e-6 apart.
                    assert!(negative.windows(2).all(|w| w[0] >= w[1] - 8e-6), "{what}");
                }
            }
        }
        assert_eq!(cases, [1, 1, 2, 20], "{isa:?}: every combination of gates occurs");
    });
}

/// The live batch is the bank.
#[test]
fn dual_softmax() {
    let family = Family::load();
    let [_, _, live] = family.golden.views();
    let expected = doubles("dsl_scores", FEW * GALLERY);
    for_each_isa(|isa| {
        let bias = family.softmax_bias(&live, 100.0);
        for (q, candidates) in family.plain(FEW).chunks(GALLERY).enumerate() {
            let (mut hits, mut found) = (vec![NO_HIT; GALLERY], 0);
            nnn::dual_softmax(candidates, &bias, 100.0, QUERIES, GALLERY, &mut hits, &mut found).unwrap();
            assert_eq!(found as usize, GALLERY);
            let expected = &expected[q * GALLERY..][..GALLERY];
            // As logarithms (a score next to 0 magnifies its rounding there).
            let clear = |hit: &&Hit| family.scores[q * GALLERY + hit.id as usize] > 0.01 && expected[hit.id as usize] > 1e-30;
            let (got, logs): (Vec<f64>, Vec<f64>) =
                hits.iter().filter(clear).map(|hit| (100.0 * f64::from(hit.score), expected[hit.id as usize].ln())).unzip();
            assert!(got.len() > 50, "{}", got.len());
            assert_close(&got, &logs, &format!("{isa:?} query {q}"));
            // The authors' product ranks negative scores by the wrong end; of the others the order is theirs.
            let positive = |hit: &&Hit| family.scores[q * GALLERY + hit.id as usize] > 0.0;
            let products: Vec<f64> = hits.iter().filter(positive).map(|hit| expected[hit.id as usize]).collect();
            assert!(products.len() > 300 && products.windows(2).all(|pair| pair[0] >= pair[1] * (1.0 - 1e-4)));
            // Nothing underflows: at any beta the order is that of the logarithms.
            let sharp = family.softmax_bias(&live, 1000.0);
            nnn::dual_softmax(candidates, &sharp, 1000.0, QUERIES, GALLERY, &mut hits, &mut found).unwrap();
            let distinct = hits.windows(2).filter(|pair| pair[0].score > pair[1].score).count();
            assert!(distinct > GALLERY * 9 / 10, "{distinct} of {GALLERY}");
        }
    });
}

#[test]
fn sinkhorn() {
    let family = Family::load();
    let [gallery, bank, _] = family.golden.views();
    for_each_isa(|isa| {
        for (extra, name) in [(None, "sn_bias"), (Some(&family.extra()), "dbsn_bias")] {
            let (mut sums, mut potentials) = (vec![LogSum::EMPTY; BANK], vec![0f32; GALLERY + EXTRA + BANK]);
            let (mut scratch, mut bias) = (vec![0; 1 << 20], vec![0f32; GALLERY]);
            nnn::sinkhorn_bias(&gallery, extra, &bank, 0.01, 10, &mut sums, &mut potentials, &mut scratch, &mut bias).unwrap();
            let expected = doubles(name, GALLERY);
            assert_close(&widen(&bias), &expected, &format!("{isa:?} {name}"));
            let scores = family.scores.iter().zip(expected.iter().cycle());
            family.assert_served(&bias, &scores.map(|(score, bias)| score - bias).collect::<Vec<_>>(), name);
        }
    });
}

//! Every value of the authors' own outputs (see `golden/README.md`) within 2e-6 of the scale of the scores; rows ranked differently
//! only where their scores are tied within that.

use ffi_tests::data::for_each_isa;
use ffi_tests::golden::{BANK, DIM, GALLERY, Golden, QUERIES, floats, indices};
use nnn::{Hit, Matrix, Neighbors};

const TOLERANCE: f64 = 2e-6;
const TOP: usize = 10;
const ALPHA: f32 = 0.75;
const K: usize = 16;

fn assert_close(got: &[f32], expected: &[f32], what: &str) {
    assert_eq!(got.len(), expected.len());
    let scale = expected.iter().fold(1f64, |max, x| max.max(f64::from(x.abs())));
    for (i, (got, expected)) in got.iter().zip(expected).enumerate() {
        let difference = (f64::from(*got) - f64::from(*expected)).abs();
        assert!(difference <= TOLERANCE * scale, "{what}[{i}]: {got} for {expected}");
    }
}

fn bias(k: usize, alpha: f32) -> Vec<f32> {
    let golden = Golden::load();
    let [gallery, bank, _] = golden.views();
    let mut bias = vec![0f32; GALLERY];
    nnn::bias(&gallery, &bank, k, alpha, 0..GALLERY, &mut vec![0; nnn::neighbors_scratch(k, DIM)], &mut bias).unwrap();
    bias
}

#[test]
fn alignment_means_are_the_authors() {
    let files = [
        (16, "nnn_alignment_means"),
        (1, "nnn_alignment_means_k1"),
        (128, "nnn_alignment_means_k128"),
        (2000, "nnn_alignment_means_k2000"),
    ];
    let golden = Golden::load();
    let [gallery, bank, _] = golden.views();
    for_each_isa(|isa| {
        for (k, name) in files {
            assert_close(&bias(k, 1.0), &floats(name, GALLERY), &format!("{isa:?} {name}"));
        }
        // The same from one table of the largest k: one bank pass serves every k.
        let mut memory = vec![0f32; GALLERY * BANK];
        let mut table = Neighbors::init(&mut memory, GALLERY, BANK).unwrap();
        table.update(&gallery, &bank, 0..GALLERY, &mut vec![0; 1 << 20]).unwrap();
        let mut means = vec![0f32; GALLERY];
        for (k, name) in files {
            table.bias(k, 1.0, &mut means).unwrap();
            assert_close(&means, &floats(name, GALLERY), &format!("{isa:?} {name} from the table"));
        }
    });
}

#[test]
fn debiased_scores_are_the_authors() {
    let golden = Golden::load();
    let [gallery, _, queries] = golden.views();
    let expected = floats("nnn_dense_scores", QUERIES * GALLERY);
    for_each_isa(|isa| {
        let bias = bias(K, ALPHA);
        let mut scores = vec![0f32; QUERIES * GALLERY];
        nnn::scores(&queries, &gallery, 0..GALLERY, &mut scores, GALLERY).unwrap();
        for row in scores.chunks_mut(GALLERY) {
            row.iter_mut().zip(&bias).for_each(|(score, bias)| *score -= bias);
        }
        assert_close(&scores, &expected, &format!("{isa:?} nnn_dense_scores"));
    });
}

fn top(golden: &Golden, bias: Option<&[f32]>) -> Vec<Hit> {
    let [gallery, _, queries] = golden.views();
    let mut hits = vec![Hit { score: 0.0, id: 0 }; QUERIES * TOP];
    let mut found = vec![0; QUERIES];
    let mut scratch = vec![0; nnn::search_scratch(QUERIES, TOP, DIM)];
    nnn::search(&queries, &gallery, bias, None, TOP, 0..GALLERY, &mut scratch, &mut hits, &mut found).unwrap();
    assert_eq!(found, [TOP as u32; QUERIES]);
    hits
}

/// Scores by position; where the row differs, the exact scores of both rows are tied within the tolerance.
fn assert_same_ranking(name: &str, hits: &[Hit], score: impl Fn(usize, usize) -> f64) {
    let rows = indices(&format!("{name}_indices"), QUERIES * TOP);
    let scores: Vec<f32> = hits.iter().map(|hit| hit.score).collect();
    assert_close(&scores, &floats(&format!("{name}_scores"), QUERIES * TOP), name);
    for (i, (hit, row)) in hits.iter().zip(rows).enumerate() {
        let gap = (score(i / TOP, hit.id as usize) - score(i / TOP, row)).abs();
        assert!(hit.id as usize == row || gap <= TOLERANCE, "{name} query {}: row {} for {row}, {gap:e} apart", i / TOP, hit.id);
    }
}

#[test]
fn plain_and_debiased_searches_are_the_authors() {
    let golden = Golden::load();
    for_each_isa(|_| {
        let bias = bias(K, ALPHA);
        assert_same_ranking("base_search", &top(&golden, None), |q, r| golden.score(q, r));
        assert_same_ranking("nnn_search", &top(&golden, Some(&bias)), |q, r| golden.score(q, r) - f64::from(bias[r]));
    });
}

fn recall_at_1(hits: &[Hit]) -> f64 {
    let right = indices("gt", QUERIES);
    let found = hits.chunks(TOP).zip(right).filter(|(hits, right)| hits[0].id as usize == *right).count();
    100.0 * found as f64 / QUERIES as f64
}

/// What the library is for, and that int8 keeps it.
#[test]
fn debiasing_raises_recall_as_published_and_int8_keeps_it() {
    let golden = Golden::load();
    for_each_isa(|isa| {
        assert_eq!(recall_at_1(&top(&golden, None)), 60.50, "{isa:?}");
        assert_eq!(recall_at_1(&top(&golden, Some(&bias(K, ALPHA)))), 79.75, "{isa:?}");

        let quantized = golden.views().map(|m| {
            let (mut codes, mut scale) = (vec![0i8; m.rows() * DIM], vec![0f32; m.rows()]);
            nnn::quantize(&m, &mut codes, DIM, &mut scale).unwrap();
            (codes, scale)
        });
        let [gallery, bank, queries] = [0, 1, 2]
            .map(|i| Matrix::new(&quantized[i].0, quantized[i].1.len(), DIM).unwrap().with_scale(&quantized[i].1).unwrap());
        let mut bias = vec![0f32; GALLERY];
        nnn::bias(&gallery, &bank, K, ALPHA, 0..GALLERY, &mut vec![0; 1 << 20], &mut bias).unwrap();
        let mut hits = vec![Hit { score: 0.0, id: 0 }; QUERIES * TOP];
        nnn::search(&queries, &gallery, Some(&bias), None, TOP, 0..GALLERY, &mut [], &mut hits, &mut [0; QUERIES]).unwrap();
        let recall = recall_at_1(&hits);
        assert!((recall - 79.75).abs() <= 1.0, "{isa:?}: int8 recall {recall}");
    });
}

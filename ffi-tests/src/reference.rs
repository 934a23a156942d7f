//! Oracles: each step of the library written the slow and obvious way, with `std` only. Nothing here calls the library; its types
//! serve as plain data.

use nnn::Hit;

/// The canonical order of `dot`, `scores` and `search`: rows continued with zeros to a multiple of 32, element `i` in lane `i % 32`,
/// fused multiply-add in index order from +0, then lanes halved 16, 8, 4, 2, 1.
pub fn canonical_dot(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let mut lanes = [0f32; 32];
    for i in 0..a.len().next_multiple_of(32) {
        let at = |row: &[f32]| row.get(i).copied().unwrap_or(0.0);
        lanes[i % 32] = at(a).mul_add(at(b), lanes[i % 32]);
    }
    for half in [16, 8, 4, 2, 1] {
        for i in 0..half {
            lanes[i] += lanes[i + half];
        }
    }
    lanes[0]
}

/// The order of the neighbour table and `bias`: one chain of fused multiply-adds in index order from +0.
pub fn chain_dot(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).fold(0.0, |sum, (a, b)| a.mul_add(*b, sum))
}

/// In f64, where products of f32 are exact.
pub fn dot_f64(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

/// `sum |a_i b_i|`: what error bounds are relative to.
pub fn magnitude(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (f64::from(*a) * f64::from(*b)).abs()).sum()
}

/// Largest error of `dot`, `scores` and `search` (crate documentation).
pub fn canonical_bound(a: &[f32], b: &[f32], fused: bool) -> f64 {
    let roundings = (a.len().div_ceil(32) + 6) as f64 * if fused { 1.0 } else { 2.0 };
    roundings * 2f64.powi(-24) * magnitude(a, b)
}

/// Largest error of the neighbour table and `bias` before averaging.
pub fn chain_bound(a: &[f32], b: &[f32], fused: bool) -> f64 {
    let roundings = (a.len() + 1) as f64 * if fused { 1.0 } else { 2.0 };
    roundings * 2f64.powi(-24) * magnitude(a, b)
}

pub fn dot_i64(a: &[i8], b: &[i8]) -> i64 {
    a.iter().zip(b).map(|(a, b)| i64::from(*a) * i64::from(*b)).sum()
}

/// Score of two rows of codes: each step rounded.
pub fn score_i8(query: &[i8], query_scale: f32, row: &[i8], row_scale: f32) -> f32 {
    (dot_i64(query, row) as f32 * query_scale) * row_scale
}

/// The `k` best of scored ids: a full stable sort by score descending and id ascending of what is finite; -0 counts as +0.
pub fn best_hits(scored: impl IntoIterator<Item = Hit>, k: usize) -> Vec<Hit> {
    let mut hits: Vec<Hit> = scored.into_iter().filter(|hit| hit.score.is_finite()).collect();
    for hit in &mut hits {
        hit.score += 0.0;
    }
    hits.sort_by(|a, b| b.score.partial_cmp(&a.score).unwrap().then(a.id.cmp(&b.id)));
    hits.truncate(k);
    hits
}

/// One row of a neighbour table: the `k` largest finite values, best first, then -inf.
pub fn best_values(values: impl IntoIterator<Item = f32>, k: usize) -> Vec<f32> {
    let hits = best_hits(values.into_iter().map(|score| Hit { score, id: 0 }), k);
    hits.iter().map(|hit| hit.score).chain(std::iter::repeat(f32::NEG_INFINITY)).take(k).collect()
}

/// `alpha` times the mean of the first `k` values of a table row, rounded once.
pub fn row_bias(table_row: &[f32], k: usize, alpha: f32) -> f32 {
    let sum: f64 = table_row[..k].iter().copied().map(f64::from).sum();
    (sum / k as f64 * f64::from(alpha)) as f32 + 0.0
}

/// Codes and scale of a row by division in f64, ties to even; for rows whose scale is a normal f32.
pub fn quantize_row(row: &[f32]) -> (Vec<i8>, f32) {
    let max = row.iter().fold(0f32, |max, x| max.max(x.abs()));
    let scale = if max == 0.0 { 1.0 } else { max / 127.0 };
    (row.iter().map(|x| (x / scale).round_ties_even() as i8).collect(), scale)
}

//! `nnn evaluate`: every method against its definition in f64, on random vectors with two banks.

mod common;

use common::{Folder, Rows, npy, run};
use serde_json::Value;

const SIZES: [usize; 4] = [83, 61, 47, 70]; // gallery, bank, gallery bank, queries
const DIM: usize = 12;

/// Scores of `a`'s rows with those of `b`.
type Scores = Vec<Vec<f64>>;

fn scores(a: &Rows, b: &Rows) -> Scores {
    let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum();
    (0..a.rows).map(|i| (0..b.rows).map(|j| dot(a.row(i), b.row(j))).collect()).collect()
}

fn log_sum_exp(values: impl Iterator<Item = f64>) -> f64 {
    values.map(f64::exp).sum::<f64>().ln()
}

fn best(scores: &[f64]) -> usize {
    (0..scores.len()).rev().max_by(|a, b| scores[*a].total_cmp(&scores[*b])).unwrap()
}

/// `bank[j][r]`: the similarity of bank row j and gallery row r.
fn softmax(bank: &Scores, beta: f64) -> Vec<f64> {
    (0..bank[0].len()).map(|r| log_sum_exp(bank.iter().map(|row| beta * row[r]))).collect()
}

fn top_mean(bank: &Scores, k: usize) -> Vec<f64> {
    let mean = |r: usize| {
        let mut column: Vec<f64> = bank.iter().map(|row| row[r]).collect();
        column.sort_by(|a, b| b.total_cmp(a));
        column[..k].iter().sum::<f64>() / k as f64
    };
    (0..bank[0].len()).map(mean).collect()
}

fn is_active(bank: &Scores, row: usize) -> bool {
    bank.iter().any(|scores| best(scores) == row)
}

/// `-tau ln u` of the first `rows` targets; `bank[j][i]` with all targets i.
fn sinkhorn(bank: &Scores, rows: usize, tau: f64, iterations: usize) -> Vec<f64> {
    let (n, targets) = (bank.len(), bank[0].len());
    let kernel = |j: usize, i: usize| ((bank[j][i] - 1.0) / tau).exp();
    let mut u = vec![1.0 / targets as f64; targets];
    for _ in 0..iterations {
        let v: Vec<f64> = (0..n).map(|j| 1.0 / n as f64 / (0..targets).map(|i| kernel(j, i) * u[i]).sum::<f64>()).collect();
        u = (0..targets).map(|i| 1.0 / targets as f64 / (0..n).map(|j| kernel(j, i) * v[j]).sum::<f64>()).collect();
    }
    u[..rows].iter().map(|u| -tau * u.ln()).collect()
}

/// Recall at 1, 5 and 10 in percent.
fn recalls(ranking: &Scores, answers: &[usize]) -> [f64; 3] {
    let rank = |(scores, answer): (&Vec<f64>, &usize)| {
        let better = |row: &usize| scores[*row] > scores[*answer] || (scores[*row] == scores[*answer] && row < answer);
        (0..scores.len()).filter(better).count() + 1
    };
    let ranks: Vec<usize> = ranking.iter().zip(answers).map(rank).collect();
    [1, 5, 10].map(|k| 100.0 * ranks.iter().filter(|rank| **rank <= k).count() as f64 / ranks.len() as f64)
}

#[test]
fn every_method_is_its_definition() {
    let vectors: Vec<Rows> = SIZES.into_iter().zip(1..).map(|(rows, seed)| Rows::random(rows, DIM, seed)).collect();
    let [gallery, bank, items, queries] = &vectors[..] else { panic!() };
    // Answers that are found by some methods and not by others: near the top of the plain ranking.
    let plain = scores(queries, gallery);
    let answer = |(q, scores): (usize, &Vec<f64>)| {
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
        order[q % 14]
    };
    let answers: Vec<usize> = plain.iter().enumerate().map(answer).collect();
    let folder = Folder::new("methods");
    for (name, rows) in ["gallery", "bank", "items", "queries"].into_iter().zip(&vectors) {
        folder.write(&format!("{name}.npy"), &rows.npy());
    }
    let bytes: Vec<u8> = answers.iter().flat_map(|row| (*row as i64).to_le_bytes()).collect();
    folder.write("answers.npy", &npy("<i8", false, &[answers.len()], &bytes));
    let files =
        "evaluate --gallery gallery.npy --bank bank.npy --gallery-bank items.npy --queries queries.npy --answers answers.npy";
    let parameters = "-k 5 --alpha 0.6 --csls-k 7 --lambda 0.8 --beta 4 --dual-query-beta 3 --dual-gallery-beta 2 --tau 0.2 \
                      --iterations 3 --dsl-beta 5 --json";
    let arguments: Vec<&str> = files.split(' ').chain(parameters.split_whitespace()).collect();
    let report: Value = serde_json::from_str(&run(folder.path(), &arguments)).unwrap();

    let (from_bank, from_items) = (scores(bank, gallery), scores(items, gallery));
    let minus = |bias: &[f64]| -> Scores { plain.iter().map(|row| row.iter().zip(bias).map(|(s, b)| s - b).collect()).collect() };
    let scaled = |bias: Vec<f64>, factor: f64| -> Vec<f64> { bias.iter().map(|b| b * factor).collect() };
    let mean: Vec<f64> = top_mean(&from_bank, bank.rows);
    let (inverted, query_side, item_side) = (softmax(&from_bank, 4.0), softmax(&from_bank, 3.0), softmax(&from_items, 2.0));
    let dual: Vec<f64> = query_side.iter().zip(&item_side).map(|(a, b)| (a + b) / 5.0).collect();
    let both_targets: Scores = {
        let items_of_bank = scores(bank, items);
        from_bank.iter().zip(items_of_bank).map(|(a, b)| a.iter().copied().chain(b).collect()).collect()
    };
    let qbnorm = plain.iter().map(|row| match is_active(&from_bank, best(row)) {
        true => row.iter().zip(&inverted).map(|(s, b)| s - b / 4.0).collect(),
        false => row.clone(),
    });
    let mut gates = [0; 4];
    let dualdis = plain.iter().map(|row| {
        let open = [is_active(&from_bank, best(row)), is_active(&from_items, best(row))];
        gates[usize::from(open[0]) + 2 * usize::from(open[1])] += 1;
        // The logarithm of the product; a plain factor that is not positive is least, whatever the other.
        let half = |s: f64, beta: f64, sum: f64| beta * s - sum + s.max(f64::from(f32::MIN_POSITIVE)).ln();
        let score = |(r, &s): (usize, &f64)| match open {
            [true, true] => s - dual[r],
            [true, false] => half(s, 3.0, query_side[r]),
            [false, true] => half(s, 2.0, item_side[r]),
            [false, false] => s,
        };
        row.iter().enumerate().map(score).collect()
    });
    let live = softmax(&plain, 5.0);
    let dual_softmax = plain.iter().map(|row| row.iter().zip(&live).map(|(s, sum)| s * (5.0 * s - sum).exp()).collect());
    let expected: [(&str, Scores); 11] = [
        ("plain", plain.clone()),
        ("NNN", minus(&scaled(top_mean(&from_bank, 5), 0.6))),
        ("CSLS", minus(&scaled(top_mean(&from_bank, 7), 0.5))),
        ("DN", minus(&scaled(mean, 0.8))),
        ("SN", minus(&sinkhorn(&from_bank, gallery.rows, 0.2, 3))),
        ("DBSN", minus(&sinkhorn(&both_targets, gallery.rows, 0.2, 3))),
        ("inverted softmax", minus(&scaled(inverted.clone(), 0.25))),
        ("DualIS", minus(&dual)),
        ("QBNorm", qbnorm.collect()),
        ("DualDIS", dualdis.collect()),
        ("dual softmax", dual_softmax.collect()),
    ];
    assert!(gates.iter().filter(|count| **count > 0).count() >= 3, "the gates are hardly tried: {gates:?}");
    let methods = report["methods"].as_array().unwrap();
    assert_eq!(methods.len(), expected.len());
    let mut different = std::collections::HashSet::new();
    for (found, (name, ranking)) in methods.iter().zip(&expected) {
        assert_eq!(found["name"], *name);
        let recall = ["1", "5", "10"].map(|depth| found["recall"][depth].as_f64().unwrap());
        let wanted = recalls(ranking, &answers);
        assert!(recall.iter().zip(&wanted).all(|(a, b)| (a - b).abs() < 1e-9), "{name}: {recall:?}, expected {wanted:?}");
        different.insert(format!("{wanted:?}"));
    }
    assert!(different.len() >= 7, "the methods hardly differ here: {different:?}");
}

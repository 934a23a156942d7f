//! Debiased retrieval in Rust: normalise, biases once on all cores over row ranges, search, with rows that fit on the screen.
//!
//! `cargo run --release --example rust`

use nnn::{Hit, Matrix};
use std::thread;

const DIM: usize = 4;
const TOP: usize = 2;
const K: usize = 2;
const ALPHA: f32 = 0.75;

/// What all queries share is in the first column. The last row has little else: it is close to every query, a hub.
const GALLERY: [(&str, [f32; DIM]); 4] = [
    ("cat.jpg", [0.3, 1.0, 0.0, 0.0]),
    ("truck.jpg", [0.3, 0.0, 1.0, 0.0]),
    ("tea.jpg", [0.3, 0.0, 0.0, 1.0]),
    ("stock.jpg", [1.0, 0.1, 0.1, 0.1]),
];
/// Queries seen earlier; no answers are needed.
const BANK: [[f32; DIM]; 4] = [[1.0, 0.6, 0.0, 0.1], [1.0, 0.1, 0.6, 0.0], [1.0, 0.0, 0.1, 0.6], [1.0, 0.3, 0.3, 0.3]];
const QUERIES: [(&str, [f32; DIM]); 3] =
    [("a kitten", [1.0, 0.6, 0.1, 0.0]), ("a lorry", [1.0, 0.0, 0.6, 0.1]), ("a hot drink", [1.0, 0.1, 0.0, 0.6])];

fn unit_rows(rows: impl IntoIterator<Item = [f32; DIM]>) -> nnn::Result<Vec<f32>> {
    let mut data: Vec<f32> = rows.into_iter().flatten().collect();
    let count = data.len() / DIM;
    nnn::normalize_in_place(&mut data, count, DIM, DIM)?;
    Ok(data)
}

/// One thread per core, each with its own rows, output and scratch: nothing to lock, and the bits of one call.
fn bias_in_parallel(gallery: &Matrix<f32>, bank: &Matrix<f32>) -> nnn::Result<Vec<f32>> {
    let mut bias = vec![0.0; gallery.rows()];
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let part = gallery.rows().div_ceil(threads);
    thread::scope(|scope| {
        let workers: Vec<_> = bias
            .chunks_mut(part)
            .enumerate()
            .map(|(i, out)| {
                scope.spawn(move || {
                    let mut scratch = vec![0; nnn::neighbors_scratch(K, DIM)];
                    nnn::bias(gallery, bank, K, ALPHA, i * part..i * part + out.len(), &mut scratch, out)
                })
            })
            .collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("a worker does not panic"))
    })?;
    Ok(bias)
}

/// Searches, prints the best hits of every query, and counts the queries whose best row is the right one.
fn show(title: &str, queries: &Matrix<f32>, gallery: &Matrix<f32>, bias: Option<&[f32]>) -> nnn::Result<usize> {
    let (mut hits, mut found) = ([Hit { score: 0.0, id: 0 }; QUERIES.len() * TOP], [0; QUERIES.len()]);
    nnn::search(queries, gallery, bias, None, TOP, 0..gallery.rows(), &mut [], &mut hits, &mut found)?;
    println!("{title}");
    for ((text, _), best) in QUERIES.iter().zip(hits.chunks(TOP)) {
        let answers: Vec<_> = best.iter().map(|hit| format!("{:9} {:6.3}", GALLERY[hit.id as usize].0, hit.score)).collect();
        println!("  {text:12}  {}", answers.join("  "));
    }
    Ok(hits.chunks(TOP).enumerate().filter(|(i, best)| best[0].id as usize == *i).count())
}

fn main() -> nnn::Result<()> {
    let (g, b, q) = (unit_rows(GALLERY.map(|row| row.1))?, unit_rows(BANK)?, unit_rows(QUERIES.map(|row| row.1))?);
    let gallery = Matrix::new(&g, GALLERY.len(), DIM)?;
    let queries = Matrix::new(&q, QUERIES.len(), DIM)?;
    let bias = bias_in_parallel(&gallery, &Matrix::new(&b, BANK.len(), DIM)?)?;
    let before = show("plain", &queries, &gallery, None)?;
    let after = show("debiased", &queries, &gallery, Some(&bias))?;
    println!("right: {before} of {} plain, {after} debiased", QUERIES.len());
    assert_eq!((before, after), (0, QUERIES.len()), "the hub answers every query before, none after");
    Ok(())
}

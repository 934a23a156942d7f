//! Debiased search in USearch: exported vectors in its own metrics, libnnn's metric in its graph, certified reranking of plain hits.
//!   cargo run --release --manifest-path examples/usearch/Cargo.toml

use nnn::{ExportLimits, Form, Hit, Matrix};
use std::error::Error;
use std::time::Instant;
use usearch::{Index, IndexOptions, MetricKind, ScalarKind};

const TOP: usize = 10;
type Outcome<T> = Result<T, Box<dyn Error>>;

/// Rows of a .npy file of float16, scaled to unit length, and their dim.
fn unit_rows(path: &str) -> Outcome<(Vec<f32>, usize)> {
    let bytes = std::fs::read(path)?;
    let length = bytes.get(8..10).and_then(|two| two.try_into().ok()).map(u16::from_le_bytes).ok_or("no .npy file")?;
    let start = 10 + usize::from(length);
    let head = std::str::from_utf8(bytes.get(10..start).ok_or("no .npy file")?)?;
    let shape = head.split_once("'shape': (").and_then(|(_, rest)| rest.split_once(')')).ok_or("no shape")?.0;
    let dim: usize = shape.split(", ").nth(1).ok_or("no matrix")?.parse()?;
    if !head.contains("'<f2'") || head.contains("'fortran_order': True") {
        return Err("not float16, row by row".into());
    }
    let half = |word: u32| f32::from_bits((word & 0x8000) << 16 | (word & 0x7FFF) << 13) * 2f32.powi(112);
    let mut rows: Vec<f32> = bytes[start..].chunks_exact(2).map(|b| half(u32::from(u16::from_le_bytes([b[0], b[1]])))).collect();
    let count = rows.len() / dim;
    nnn::normalize_in_place(&mut rows, count, dim, dim).map_err(|error| error.to_string())?;
    Ok((rows, dim))
}

fn build(metric: MetricKind, vectors: &[f32], dim: usize, own: Option<usize>) -> Outcome<Index> {
    let options = IndexOptions {
        dimensions: dim,
        metric,
        quantization: ScalarKind::F32,
        connectivity: 16,
        expansion_add: 200,
        expansion_search: 128,
        ..IndexOptions::default()
    };
    let mut index = Index::new(&options)?;
    if let Some(rows_dim) = own {
        index.change_metric::<f32>(Box::new(move |a, b| {
            // SAFETY: USearch hands out vectors of the index' dim, which is `rows_dim + 1`.
            let (a, b) = unsafe { (std::slice::from_raw_parts(a, rows_dim + 1), std::slice::from_raw_parts(b, rows_dim + 1)) };
            nnn::metric(a, b, rows_dim)
        }));
    }
    index.reserve(vectors.len() / dim)?;
    for (id, row) in (0..).zip(vectors.chunks(dim)) {
        index.add(id, row)?;
    }
    Ok(index)
}

/// Share of the exact top 10 that was found.
fn recall(exact: &[Hit], found: impl Fn(usize) -> Vec<u32>) -> f64 {
    let right = exact.chunks(TOP).enumerate().map(|(q, hits)| {
        let ids = found(q);
        hits.iter().filter(|hit| ids.contains(&hit.id)).count()
    });
    right.sum::<usize>() as f64 / exact.len() as f64
}

/// How much longer the first queries take one index than another: median of interleaved rounds.
fn times_as_long(search: &dyn Fn(usize) -> Vec<u32>, plain: &dyn Fn(usize) -> Vec<u32>) -> f64 {
    let seconds = |run: &dyn Fn(usize) -> Vec<u32>| {
        let start = Instant::now();
        (0..200).for_each(|q| drop(std::hint::black_box(run(q))));
        start.elapsed().as_secs_f64()
    };
    let mut ratios = [0.0; 5].map(|_: f64| {
        let base = seconds(plain);
        seconds(search) / base
    });
    ratios.sort_by(f64::total_cmp);
    ratios[2]
}

fn main() -> Outcome<()> {
    let folder = std::env::args().nth(1).unwrap_or("examples/data/pydoc-minilm".into());
    let ((gallery, dim), (queries, _), (bank, _)) =
        (unit_rows(&format!("{folder}/gallery.npy"))?, unit_rows(&format!("{folder}/queries.npy"))?, unit_rows(&format!("{folder}/bank.npy"))?);
    let view = |rows: &'static [f32]| Matrix::new(rows, rows.len() / dim, dim);
    let (g, q, b) = (view(gallery.leak())?, view(queries.leak())?, view(bank.leak())?);
    let mut scratch = vec![0; nnn::neighbors_scratch(16, dim)];
    let mut bias = vec![0.0; g.rows()];
    nnn::bias(&g, &b, 16, 0.75, 0..g.rows(), &mut scratch, &mut bias)?;
    let (mut exact, mut found) = (vec![Hit { score: 0.0, id: 0 }; q.rows() * TOP], vec![0; q.rows()]);
    nnn::search(&q, &g, Some(&bias), None, TOP, 0..g.rows(), &mut scratch, &mut exact, &mut found)?;
    let limits: ExportLimits = nnn::export_limits(&g, &bias, 0..g.rows())?;

    let rows: Vec<f32> = (0..g.rows()).flat_map(|i| g.row(i).unwrap_or_default().to_vec()).collect();
    let plain = build(MetricKind::IP, &rows, dim, None)?;
    let ask = |index: &Index, vector: &[f32], k: usize| -> Vec<(u32, f32)> {
        let matches = index.search(vector, k).expect("a search");
        matches.keys.iter().zip(&matches.distances).map(|(key, distance)| (*key as u32, *distance)).collect()
    };
    let ids = |answers: Vec<(u32, f32)>| answers.into_iter().map(|(id, _)| id).collect::<Vec<u32>>();
    let search_plain = |i: usize| ids(ask(&plain, q.row(i).unwrap_or_default(), TOP));
    println!("USearch, {} rows, {} queries, dim {dim}", g.rows(), q.rows());
    println!("  {:48}  {:.4}  1.00", "plain index: recall@10 of exact debiased, time", recall(&exact, search_plain));
    for (name, form, metric, own) in [
        ("exported, inner product", Form::InnerProduct, MetricKind::IP, None),
        ("exported, L2", Form::L2, MetricKind::L2sq, None),
        ("exported, cosine", Form::Cosine, MetricKind::Cos, None),
        ("nnn::metric in the graph", Form::InnerProduct, MetricKind::IP, Some(dim)),
        ("WRONG: inner-product form in a cosine index", Form::InnerProduct, MetricKind::Cos, None),
    ] {
        let width = nnn::export_dim(dim, form, 1);
        let (mut vectors, mut asked) = (vec![0.0; g.rows() * width], vec![0.0; q.rows() * width]);
        nnn::export_rows(&g, &bias, &limits, form, 0..g.rows(), &mut vectors, width)?;
        nnn::export_queries(&q, form, 1.0, &mut asked, width)?;
        let index = build(metric, &vectors, width, own)?;
        let search = |i: usize| ids(ask(&index, &asked[i * width..][..width], TOP));
        println!("  {name:48}  {:.4}  {:.2}", recall(&exact, search), times_as_long(&search, &search_plain));
    }

    let bias_min = bias.iter().copied().fold(f32::INFINITY, f32::min);
    let rerank = |i: usize| {
        let (mut hits, mut found, mut len) = ([Hit { score: 0.0, id: 0 }; TOP], 0, 64);
        loop {
            let answers = ask(&plain, q.row(i).unwrap_or_default(), len);
            let list: Vec<Hit> = answers.iter().map(|(id, distance)| Hit { score: 1.0 - distance, id: *id }).collect();
            let next = nnn::rerank_certified(&list, &bias, bias_min, TOP, &mut hits, &mut found).expect("ids of the gallery");
            if next == 0 || list.len() < len {
                return hits[..found as usize].iter().map(|hit| hit.id).collect();
            }
            len = next;
        }
    };
    println!("  {:48}  {:.4}  {:.2}", "plain index, certified reranking", recall(&exact, rerank), times_as_long(&rerank, &search_plain));
    Ok(())
}

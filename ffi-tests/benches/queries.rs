//! `cargo bench -p ffi-tests --bench queries`: what a query costs. Pairs in cache, and the search of batches of every awkward size
//! over 100,000 rows with biases, f32, int8 and certified, beside the machine's own limits, in one interleaved run on one core.
//! Prints medians; a percentage or factor is the median ratio to the neighbouring turns of the limit.
//!
//! `-- --rows 20000`, `-- --dim 512`, `-- --k 10`, `-- --isa avx2` and `-- --batch 8` choose one value; `-- --pairs`, `-- --f32`,
//! `-- --i8` and `-- --certified` one part.

#[allow(dead_code)] // each benchmark uses its part
mod support;

use nnn::{Element, Hit, Isa, Matrix, Side};
use std::hint::black_box;
use std::time::Duration;
use support::data::{Rows, uniform};
use support::measure::{Contender, Measured, interleave, pin};
use support::peaks;

/// Around every multiple of a tile, and where other engines change their algorithm.
const BATCHES: [usize; 21] = [1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 100, 200, 249, 250, 256, 300];

struct Options {
    rows: usize,
    dims: Vec<usize>,
    k: usize,
    batches: Vec<usize>,
    isas: Vec<Isa>,
    rounds: usize,
    parts: Vec<String>,
}

impl Options {
    fn from_args() -> Options {
        let args: Vec<String> = std::env::args().collect();
        let value = |name: &str| args.iter().position(|a| a == name).and_then(|i| args.get(i + 1));
        let number = |name: &str| value(name).map(|v| v.parse::<usize>().unwrap_or_else(|_| panic!("{name}: {v} is no number")));
        let isa = value("--isa");
        let best = Isa::available().last();
        Options {
            rows: number("--rows").unwrap_or(100_000),
            dims: number("--dim").map_or(vec![512], |d| vec![d]),
            k: number("--k").unwrap_or(10),
            batches: number("--batch").map_or(BATCHES.to_vec(), |b| vec![b]),
            isas: Isa::available().filter(|i| isa.map_or(Some(*i) == best, |name| name == i.name())).collect(),
            rounds: number("--rounds").unwrap_or(5),
            parts: ["--pairs", "--f32", "--i8", "--certified"].map(String::from).into_iter().filter(|p| args.contains(p)).collect(),
        }
    }

    fn wants(&self, part: &str) -> bool {
        self.parts.is_empty() || self.parts.iter().any(|p| p == part)
    }
}

const TURN: Duration = Duration::from_millis(4);

fn main() {
    let options = Options::from_args();
    pin();
    for &isa in &options.isas {
        Isa::select(Some(isa)).expect("an available instruction set");
        println!("\n{} (one core; median of interleaved turns)", isa.name());
        if options.wants("--pairs") {
            for dim in [1, 16, 128, 384, 512, 768, 1024, 1536] {
                let rows = Rows::new(8, dim, 1);
                pairs(&options, isa, &rows.view(), false);
                pairs(&options, isa, &rows.view_i8(), true);
            }
        }
        if ["--f32", "--i8", "--certified"].iter().any(|part| options.wants(part)) {
            options.dims.iter().for_each(|&dim| searches(&options, isa, dim));
        }
    }
}

/// One pair, in the first cache level.
fn pairs<T: Element>(options: &Options, isa: Isa, rows: &Matrix<T>, int8: bool) {
    let Some(peak) = peaks::multiply_add(isa, int8) else { return };
    let (Some(a), Some(b)) = (rows.row(0), rows.row(1)) else { return };
    let work = 2.0 * rows.dim() as f64;
    let dot = Contender::new("dot", work, || {
        black_box(nnn::dot(black_box(a), black_box(b)).ok());
    });
    let four = [1, 2, 3, 4].map(|i| rows.row(i).unwrap_or(b));
    let dot4 = Contender::new("dot4", 4.0 * work, || {
        black_box(nnn::dot4(black_box(a), black_box(four)).ok());
    });
    let m = interleave(3 * options.rounds, TURN, &mut [peak, dot, dot4]);
    let name = if int8 { "i8" } else { "f32" };
    for (m, pairs) in m[1..].iter().zip([1.0, 4.0]) {
        let (ns, of_peak) = (m.seconds * 1e9 / pairs, 100.0 * m.ratio);
        println!("  {:4} {name:4} d {:5} {ns:7.2} ns a pair  {of_peak:5.1} % of the peak", m.name, rows.dim());
    }
}

/// A search of all batch sizes, one row of the table each.
struct Scene {
    k: usize,
    bias: Vec<f32>,
    scratch: Vec<u8>,
    hits: Vec<Hit>,
    found: Vec<u32>,
}

impl Scene {
    fn run<T: Element>(&mut self, queries: &Matrix<T>, gallery: &Matrix<T>) {
        let n = gallery.rows();
        let scratch = nnn::search_scratch(queries.rows(), self.k, queries.dim());
        let scratch = &mut self.scratch[..scratch];
        nnn::search(queries, gallery, Some(&self.bias), None, self.k, 0..n, scratch, &mut self.hits, &mut self.found)
            .expect("valid arguments");
    }
}

fn searches(options: &Options, isa: Isa, dim: usize) {
    let (n, k) = (options.rows, options.k);
    let largest = options.batches.iter().copied().max().unwrap_or(1);
    let gallery = Rows::new(n, dim, 2);
    let mut unit = uniform(largest * dim, 3);
    nnn::normalize_in_place(&mut unit, largest, dim, dim).expect("finite rows");
    let queries = Rows::encode(unit, dim, None, Side::Query);
    let scene = || Scene {
        k,
        bias: uniform(n, 4).iter().map(|x| x / 16.0).collect(),
        scratch: vec![0; nnn::search_scratch(largest, k, dim).max(nnn::certified_scratch(k, dim))],
        hits: vec![Hit { score: 0.0, id: 0 }; largest * k],
        found: vec![0; largest],
    };
    let (mut float, mut coded, mut exact) = (scene(), scene(), scene());
    println!("  d {dim}, {n} rows, k {k}: ms a batch, us a query");
    for &batch in &options.batches {
        let some = Rows::encode(queries.f32[..batch * dim].to_vec(), dim, None, Side::Query);
        let work = 2.0 * (batch * n * dim) as f64;
        let rounds = options.rounds.min(1 + 400 / batch);
        if options.wants("--f32") {
            if batch == 1 {
                let search = Contender::new("f32", (n * dim * 4) as f64, || float.run(&some.view(), &gallery.view()));
                row("f32", batch, &interleave(3 * rounds, TURN, &mut [peaks::read(&gallery.f32), search]));
            }
            let search = Contender::new("f32", work, || float.run(&some.view(), &gallery.view()));
            let Some(peak) = peaks::multiply_add(isa, false) else { return };
            row("f32", batch, &interleave(rounds, TURN, &mut [peak, search]));
        }
        if options.wants("--i8") {
            if batch == 1 {
                let search = Contender::new("i8", (n * dim) as f64, || coded.run(&some.view_i8(), &gallery.view_i8()));
                row("i8", batch, &interleave(3 * rounds, TURN, &mut [peaks::read(&gallery.f32), search]));
            }
            let search = Contender::new("i8", work, || coded.run(&some.view_i8(), &gallery.view_i8()));
            let Some(peak) = peaks::multiply_add(isa, true) else { return };
            row("i8", batch, &interleave(rounds, TURN, &mut [peak, search]));
        }
        if options.wants("--certified") {
            let mut done = nnn::Certificate::default();
            {
                let plain = Contender::new("our f32 search", work, || float.run(&some.view(), &gallery.view()));
                let certified = Contender::new("certified", work, || {
                    let Scene { bias, scratch, hits, found, .. } = &mut exact;
                    let (queries, gallery) = (some.encoded(), gallery.encoded());
                    done = nnn::search_certified(&queries, &gallery, Some(bias), None, k, 0..n, scratch, hits, found)
                        .expect("valid arguments");
                });
                row("certified", batch, &interleave(rounds, TURN, &mut [plain, certified]));
            }
            let (per_query, given_up) = (done.rescored as f64 / batch as f64, done.exhausted);
            println!("    {per_query:.1} rows rescored a query, {given_up} queries in f32");
            let same = exact.hits[..batch * k] == float.hits[..batch * k] && exact.found[..batch] == float.found[..batch];
            assert!(same, "the certified search must give the bits of the f32 search");
        }
    }
}

/// One line: the second of `measured` against the first.
fn row(what: &str, batch: usize, measured: &[Measured]) {
    let (limit, m) = (&measured[0].name, &measured[1]);
    let (ms, us) = (m.seconds * 1e3, m.seconds * 1e6 / batch as f64);
    println!("  {what:10} {batch:4} queries {ms:9.3} ms {us:9.1} us  {:6.3} of {limit}", m.ratio);
}

//! `cargo bench -p ffi-tests`: dot, scores and the bias pass on every instruction set of this machine, beside the machine's own
//! limits, in one interleaved run on one core. Prints medians; a percentage is the median ratio to the limit's neighbouring turns.
//!
//! `-- --full` measures the bias pass at 20,000 x 20,000 rows and every dimension (minutes); without it ranges of rows of the same
//! problem are measured. `-- --growth` prints how the time of the bias pass grows with rows, dim and k instead.
//! `-- --dim 512`, `-- --isa avx2` and `-- --k 16` choose one value, `-- --bias` measures the bias pass only.

mod support;

use nnn::{Element, Isa, Matrix, Side};
use std::hint::black_box;
use std::time::Duration;
use support::data::Rows;
use support::measure::{Contender, Measured, interleave, pin};
use support::peaks;

struct Options {
    full: bool,
    bias_only: bool,
    growth: bool,
    dims: Vec<usize>,
    ks: Vec<usize>,
    isas: Vec<Isa>,
}

impl Options {
    fn from_args() -> Options {
        let args: Vec<String> = std::env::args().collect();
        let value = |name: &str| args.iter().position(|a| a == name).and_then(|i| args.get(i + 1));
        let number = |name: &str| value(name).map(|v| v.parse::<usize>().unwrap_or_else(|_| panic!("{name}: {v} is no number")));
        let isa = value("--isa");
        Options {
            full: args.iter().any(|a| a == "--full"),
            growth: args.iter().any(|a| a == "--growth"),
            bias_only: args.iter().any(|a| a == "--bias"),
            dims: number("--dim").map_or(vec![128, 384, 512, 768, 1024, 1536], |d| vec![d]),
            ks: number("--k").map_or(vec![16], |k| vec![k]),
            isas: Isa::available().filter(|i| isa.map_or(i.has_fma(), |name| name == i.name())).collect(),
        }
    }

    fn turn(&self) -> Duration {
        Duration::from_millis(if self.full { 40 } else { 4 })
    }
}

fn main() {
    let options = Options::from_args();
    pin();
    for &isa in &options.isas {
        Isa::select(Some(isa)).expect("an available instruction set");
        println!("\n{} (one core; median of interleaved turns)", isa.name());
        if options.growth {
            growth::<f32>(&options, "f32", Rows::view);
            growth::<i8>(&options, "i8", Rows::view_i8);
            continue;
        }
        for &dim in &options.dims {
            if !options.bias_only {
                pairs(&options, isa, dim);
                one_query(&options, dim);
            }
            for &k in &options.ks {
                bias_pass(&options, isa, dim, k);
            }
        }
    }
}

/// One line: the second of `measured` against the first.
fn line(what: &str, dim: usize, measured: &[Measured], rate: &str) {
    let (limit, m) = (&measured[0].name, &measured[1]);
    println!("  {what:22} d {dim:5}  {:10.1} {rate:6}  {:5.1} % of {limit}", m.rate / 1e9, 100.0 * m.ratio);
}

/// Pairs in the first cache level.
fn pairs(options: &Options, isa: Isa, dim: usize) {
    let rows = Rows::new(8, dim, 1);
    pair_type(options, isa, dim, &rows.view(), false);
    pair_type(options, isa, dim, &rows.view_i8(), true);
}

fn pair_type<T: Element>(options: &Options, isa: Isa, dim: usize, rows: &Matrix<T>, int8: bool) {
    let (Some(a), Some(b)) = (rows.row(0), rows.row(1)) else { return };
    let Some(peak) = peaks::multiply_add(isa, int8) else { return };
    let dot = Contender::new("dot", 2.0 * dim as f64, || {
        black_box(nnn::dot(black_box(a), black_box(b)).ok());
    });
    let measured = interleave(15, options.turn(), &mut [peak, dot]);
    let name = if int8 { "dot i8" } else { "dot f32" };
    println!(
        "  {name:22} d {dim:5}  {:10.1} ns      {:5.1} % of {limit}",
        measured[1].seconds * 1e9,
        100.0 * measured[1].ratio,
        limit = measured[0].name
    );
}

/// One query over a gallery that fits no cache.
fn one_query(options: &Options, dim: usize) {
    let bytes = if options.full { 400 << 20 } else { 100 << 20 };
    let rows = bytes / 4 / dim;
    let gallery = Rows::new(rows, dim, 2);
    let query = Rows::new(1, dim, 3);
    let mut out = vec![0f32; rows];
    let turn = options.turn();
    {
        let scores = Contender::new("scores", (rows * dim * 4) as f64, || {
            nnn::scores(&query.view(), &gallery.view(), 0..rows, &mut out, rows).expect("valid arguments");
        });
        let m = interleave(7, turn, &mut [peaks::read(&gallery.f32), scores]);
        line("scores f32, 1 query", dim, &m, "GB/s");
    }
    let scores = Contender::new("scores", (rows * dim) as f64, || {
        nnn::scores(&query.view_i8(), &gallery.view_i8(), 0..rows, &mut out, rows).expect("valid arguments");
    });
    let m = interleave(7, turn, &mut [peaks::read(&gallery.f32), scores]);
    line("scores i8, 1 query", dim, &m, "GB/s");
}

/// The bias pass: rows of a 20,000-row gallery against a bank of 20,000.
fn bias_pass(options: &Options, isa: Isa, dim: usize, k: usize) {
    let (rows, bank) = (if options.full { 20_000 } else { 2_048 }, 20_000);
    let gallery = Rows::new(rows, dim, 4);
    let bank = Rows::new(bank, dim, 5);
    bias_type(options, isa, dim, k, &gallery.view(), &bank.view(), false);
    bias_type(options, isa, dim, k, &gallery.view_i8(), &bank.view_i8(), true);
    certified(options, dim, k, &gallery, &bank);
}

fn bias_type<T: Element>(options: &Options, isa: Isa, dim: usize, k: usize, gallery: &Matrix<T>, bank: &Matrix<T>, int8: bool) {
    let Some(peak) = peaks::multiply_add(isa, int8) else { return };
    let rows = gallery.rows();
    let mut scratch = vec![0u8; nnn::neighbors_scratch(k, dim)];
    let mut bias = vec![0f32; rows];
    let pass = Contender::new("bias", 2.0 * (rows * bank.rows() * dim) as f64, || {
        nnn::bias(gallery, bank, k, 0.75, 0..rows, &mut scratch, &mut bias).expect("valid arguments");
    });
    let m = interleave(if options.full { 3 } else { 5 }, options.turn(), &mut [peak, pass]);
    let name = format!("bias {} k {k}", if int8 { "i8" } else { "f32" });
    line(&name, dim, &m, "Gop/s");
}

/// Nanoseconds per pair and element of the bias pass against those of a reference problem, in one interleaved run: 1.00 is growth
/// in proportion. A line of each table is a cliff where it stands out.
fn growth<T: Element>(options: &Options, name: &str, view: for<'a> fn(&'a Rows) -> Matrix<'a, T>) {
    const REFERENCE: Problem = Problem { rows: 512, bank: 8_000, dim: 256, k: 16, sorted: false };
    let largest = if options.full { 200_000 } else { 64_000 };
    let rows = [2_000usize, 8_000, 20_000, 64_000, 200_000].into_iter().filter(|&n| n <= largest);
    let galleries = rows.clone().map(|rows| Problem { rows, bank: 2_000, ..REFERENCE });
    let banks = rows.map(|bank| Problem { bank, ..REFERENCE });
    let dims =
        [64, 65, 100, 127, 128, 129, 200, 255, 256, 257, 300, 384, 511, 512, 513, 700, 768, 1023, 1024, 1025, 1536, 2047, 2048];
    let dims = dims.into_iter().map(|dim| Problem { dim, ..REFERENCE });
    let ks = [1, 2, 8, 16, 31, 32, 33, 64, 128, 255, 256, 512].into_iter().map(|k| Problem { k, ..REFERENCE });
    let sorted = [16, 32, 33, 128, 512].into_iter().map(|k| Problem { k, sorted: true, ..REFERENCE });
    println!("  {name}: time per pair and element over that of {REFERENCE}");
    let base = Sides::new(&REFERENCE);
    for problem in galleries.chain(banks).chain(dims).chain(ks).chain(sorted) {
        let sides = Sides::new(&problem);
        let mut memory = [&REFERENCE, &problem].map(|p| (vec![0u8; nnn::neighbors_scratch(p.k, p.dim)], vec![0f32; p.rows]));
        let [reference, other] = &mut memory;
        let contender = |p: Problem, sides: &'_ Sides, memory: &'_ mut (Vec<u8>, Vec<f32>)| {
            let (gallery, bank) = (view(&sides.gallery), view(&sides.bank));
            nnn::bias(&gallery, &bank, p.k, 0.75, 0..p.rows, &mut memory.0, &mut memory.1).expect("valid arguments");
        };
        let work = |p: &Problem| (p.rows * p.bank * p.dim) as f64;
        let m = interleave(
            5,
            options.turn(),
            &mut [
                Contender::new("reference", work(&REFERENCE), || contender(REFERENCE, &base, reference)),
                Contender::new("problem", work(&problem), || contender(problem, &sides, other)),
            ],
        );
        println!("    {problem:45}  {:.2}", 1.0 / m[1].ratio);
    }
}

#[derive(Clone, Copy)]
struct Problem {
    rows: usize,
    bank: usize,
    dim: usize,
    k: usize,
    /// The bank in ascending order of its similarity with the mean gallery row: nearly every row beats the last.
    sorted: bool,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sorted = if self.sorted { ", ascending" } else { "" };
        f.pad(&format!("{} x {}, d {}, k {}{sorted}", self.rows, self.bank, self.dim, self.k))
    }
}

struct Sides {
    gallery: Rows,
    bank: Rows,
}

impl Sides {
    fn new(p: &Problem) -> Sides {
        if !p.sorted {
            return Sides { gallery: Rows::new(p.rows, p.dim, 8), bank: Rows::new(p.bank, p.dim, 9) };
        }
        // Gallery rows near (1, 0, 0, ..), bank rows with an ascending share of it.
        let mut gallery = support::data::uniform(p.rows * p.dim, 8);
        gallery.chunks_mut(p.dim).for_each(|row| row[0] = 30.0);
        nnn::normalize_in_place(&mut gallery, p.rows, p.dim, p.dim).expect("finite rows");
        let mut bank = support::data::uniform(p.bank * p.dim, 9);
        nnn::normalize_in_place(&mut bank, p.bank, p.dim, p.dim).expect("finite rows");
        bank.chunks_mut(p.dim).enumerate().for_each(|(i, row)| row[0] = 2.0 * i as f32 / p.bank as f32 - 1.0);
        let encode = |rows| Rows::encode(rows, p.dim, None, Side::Gallery);
        Sides { gallery: encode(gallery), bank: encode(bank) }
    }
}

/// The certified bias pass against the f32 pass, whose bits it gives.
fn certified(options: &Options, dim: usize, k: usize, gallery: &Rows, bank: &Rows) {
    let rows = gallery.rows;
    let ops = 2.0 * (rows * bank.rows * dim) as f64;
    let mut scratch = (vec![0u8; nnn::neighbors_scratch(k, dim)], vec![0u8; nnn::certified_scratch(k, dim)]);
    let (mut exact, mut bias) = (vec![0f32; rows], vec![0f32; rows]);
    let mut done = nnn::Certificate::default();
    {
        let plain = Contender::new("our f32 pass", ops, || {
            nnn::bias(&gallery.view(), &bank.view(), k, 0.75, 0..rows, &mut scratch.0, &mut exact).expect("valid arguments");
        });
        let pass = Contender::new("certified", ops, || {
            done = nnn::bias_certified(&gallery.encoded(), &bank.encoded(), k, 0.75, 0..rows, &mut scratch.1, &mut bias)
                .expect("valid arguments");
        });
        let m = interleave(if options.full { 3 } else { 5 }, options.turn(), &mut [plain, pass]);
        line(&format!("certified k {k}"), dim, &m, "Gop/s");
    }
    println!("    {:.1} pairs rescored a row, {} rows in f32", done.rescored as f64 / rows as f64, done.exhausted);
    assert!(exact == bias, "the certified pass must give the bits of the f32 pass");
}

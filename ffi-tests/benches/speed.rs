//! `cargo bench -p ffi-tests`: dot, scores and the bias pass on every instruction set of this machine, beside the machine's own
//! limits, in one interleaved run on one core. Prints medians; a percentage is the median ratio to the limit's neighbouring turns.
//!
//! `-- --full` measures the bias pass at 20,000 x 20,000 rows and every dimension (minutes); without it ranges of rows of the same
//! problem are measured. `-- --dim 512`, `-- --isa avx2` and `-- --k 16` choose one value, `-- --bias` measures the bias pass only.

mod support;

use nnn::{Element, Isa, Matrix};
use std::hint::black_box;
use std::time::Duration;
use support::data::Rows;
use support::measure::{Contender, Measured, interleave, pin};
use support::peaks;

struct Options {
    full: bool,
    bias_only: bool,
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

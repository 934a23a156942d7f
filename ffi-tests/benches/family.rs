//! `cargo bench -p ffi-tests --bench family`: what the log-sum-exp pass costs beside the NNN pass over the same rows, in
//! interleaved turns by the clock of the thread. Prints the median of time over time; pin it (`taskset -c 1`).
//!
//! `-- --tune`: what the whole grid of 11 alphas and 10 k costs, beside one plain bank pass and one search of the held-out queries, on
//! the shipped embeddings; `--set FOLDER` takes others, in files of the same names.
//!
//! `-- --dim 512`, `-- --isa avx2`, `-- --k 16` and `-- --beta 20` choose one value; `-- --rows 20000` the gallery's rows.

use ffi_tests::artefacts::repository;
use ffi_tests::data::{npy_halves, npy_ids};
use nnn::{Element, Isa, LogSum, LogSums, Matrix};

#[path = "support/data.rs"]
#[allow(dead_code)] // shared with the other benchmarks
mod data;
use data::Rows;

const BANK: usize = 20_000;

fn value<T: std::str::FromStr>(name: &str) -> Option<T> {
    let args: Vec<String> = std::env::args().collect();
    let text = args.iter().position(|a| a == name).and_then(|i| args.get(i + 1))?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}: {text}")))
}

fn main() {
    if std::env::args().any(|arg| arg == "--tune") {
        return tuning();
    }
    let rows = value("--rows").unwrap_or(1024);
    let (k, name) = (value("--k").unwrap_or(16), value::<String>("--isa"));
    let all = Isa::available().filter(|isa| isa.has_fma()).collect::<Vec<_>>();
    for isa in all.into_iter().filter(|isa| name.as_deref().is_none_or(|name| isa.name() == name)) {
        Isa::select(Some(isa)).expect("an available instruction set");
        for dim in value("--dim").map_or(vec![128, 384, 512, 768, 1024], |dim| vec![dim]) {
            let (gallery, bank) = (Rows::new(rows, dim, 4), Rows::new(BANK, dim, 5));
            for beta in value("--beta").map_or(vec![1.0, 20.0, 50.0, 100.0, 1000.0], |beta| vec![beta]) {
                let f32 = ratio(&gallery.view(), &bank.view(), k, beta);
                let i8 = ratio(&gallery.view_i8(), &bank.view_i8(), k, beta);
                println!("{:12} d {dim:5} beta {beta:6}: log-sum-exp / NNN (k {k})  f32 {f32:.3}  i8 {i8:.3}", isa.name());
            }
        }
    }
}

/// Seconds of this thread on a core: other processes do not count.
fn cpu_seconds() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes one timespec.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

fn seconds(run: &mut dyn FnMut()) -> f64 {
    let start = cpu_seconds();
    run();
    cpu_seconds() - start
}

/// Time of `b` over the time of `a`: the median over turns, each against the turns of `a` before and after it.
fn time_ratio(rounds: usize, a: &mut dyn FnMut(), b: &mut dyn FnMut()) -> f64 {
    seconds(b);
    let mut before = seconds(a);
    let mut ratios: Vec<f64> = (0..rounds)
        .map(|_| {
            let time = seconds(b);
            let after = seconds(a);
            let ratio = 2.0 * time / (before + after);
            before = after;
            ratio
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    ratios[rounds / 2]
}

/// Time of the log-sum-exp pass over that of the NNN pass.
fn ratio<T: Element>(gallery: &Matrix<T>, bank: &Matrix<T>, k: usize, beta: f32) -> f64 {
    let rows = gallery.rows();
    let mut scratch = [0; 2].map(|_| vec![0u8; nnn::neighbors_scratch(k, gallery.dim())]);
    let (mut bias, mut memory) = (vec![0f32; rows], vec![LogSum::EMPTY; rows]);
    let [nnn_scratch, sum_scratch] = &mut scratch;
    let mut plain = || nnn::bias(gallery, bank, k, 0.75, 0..rows, nnn_scratch, &mut bias).expect("valid arguments");
    let mut sums = || {
        let mut sums = LogSums::init(&mut memory, beta).expect("a legal beta");
        sums.update(gallery, bank, 0..rows, sum_scratch).expect("valid arguments");
    };
    time_ratio(value("--rounds").unwrap_or(9), &mut plain, &mut sums)
}

/// Table of k = 512, grid and exact ranks of the held-out queries.
fn tuning() {
    let folder = value::<std::path::PathBuf>("--set").unwrap_or_else(|| repository().join("examples/data/pydoc-minilm"));
    let [gallery, bank, queries] = ["gallery", "bank", "queries_val"].map(|name| {
        let (mut rows, dim) = npy_halves(&folder.join(format!("{name}.npy")));
        let n = rows.len() / dim;
        nnn::normalize_in_place(&mut rows, n, dim, dim).expect("finite rows");
        (rows, n, dim)
    });
    let view = |(data, rows, dim)| Matrix::new(data, rows, dim).expect("a valid shape");
    let [gallery, bank, queries] = [&gallery, &bank, &queries].map(|(data, rows, dim)| view((data, *rows, *dim)));
    let (rows, asked, dim, k_max) = (gallery.rows(), queries.rows(), gallery.dim(), 512);
    let ids = npy_ids(&folder.join("answers_val.npy"));
    let ks: Vec<usize> = (0..10).map(|i| 1 << i).collect();
    let alphas: Vec<f32> = (2..=12).map(|i| i as f32 / 8.0).collect();
    let biases = ks.len() * alphas.len();
    let offsets: Vec<usize> = (0..=asked).collect();
    let positives = nnn::Positives::new(&offsets, &ids).expect("one answer each");

    let mut scratch = vec![0u8; nnn::neighbors_scratch(k_max, dim)];
    let (mut memory, mut grid) = (vec![0f32; rows * k_max], vec![0f32; biases * rows]);
    let (mut ranks, mut ranks_scratch) = (vec![0u32; (1 + biases) * asked], vec![0u8; nnn::ranks_scratch(biases)]);
    let mut plain_scratch = vec![0u8; nnn::neighbors_scratch(16, dim)];
    let mut bias = vec![0f32; rows];
    let (mut hits, mut found) = (vec![nnn::Hit { score: 0.0, id: 0 }; asked * 10], vec![0u32; asked]);
    let mut search_scratch = vec![0u8; nnn::search_scratch(asked, 10, dim)];

    let mut parts = [const { Vec::new() }; 5];
    let [table_time, grid_time, ranks_time, pass_time, search_time] = &mut parts;
    let mut tune = || {
        let mut table = nnn::Neighbors::init(&mut memory, rows, k_max).expect("a table");
        table_time.push(seconds(&mut || table.update(&gallery, &bank, 0..rows, &mut scratch).expect("valid arguments")));
        grid_time.push(seconds(&mut || table.grid(&ks, &alphas, &mut grid).expect("valid arguments")));
        let rank = || nnn::ranks(&queries, &gallery, &grid, &positives, &mut ranks_scratch, &mut ranks).expect("valid arguments");
        ranks_time.push(seconds(&mut { rank }));
    };
    let mut plain = || {
        let pass = || nnn::bias(&gallery, &bank, 16, 0.75, 0..rows, &mut plain_scratch, &mut bias).expect("valid arguments");
        pass_time.push(seconds(&mut { pass }));
        let search = || {
            nnn::search(&queries, &gallery, None, None, 10, 0..rows, &mut search_scratch, &mut hits, &mut found)
                .expect("valid arguments")
        };
        search_time.push(seconds(&mut { search }));
    };
    let ratio = time_ratio(value("--rounds").unwrap_or(9), &mut plain, &mut tune);
    let ms = parts.map(|mut times| {
        times.sort_by(f64::total_cmp);
        1e3 * times[times.len() / 2]
    });
    println!(
        "{rows} rows, a bank of {}, {asked} queries, {biases} points: {ratio:.3} of one bank pass (k 16) and one search",
        bank.rows()
    );
    println!("table {:.1} ms, grid {:.1}, ranks {:.1}; pass {:.1}, search {:.1}", ms[0], ms[1], ms[2], ms[3], ms[4]);
}

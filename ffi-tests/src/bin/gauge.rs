//! Fixed small jobs, one for each kernel, whose instructions are counted: a figure that does not depend on what else the machine
//! does. `.ci/gauge` counts under callgrind on AVX2, the widest set that valgrind knows, `.ci/aarch64` under QEMU on all sets of
//! AArch64. `gauge` lists the jobs, `gauge JOB` runs one on AVX2, `gauge JOB ISA` on another set.
//!
//! Instructions count inside [`nnn_gauge_measured`] only, so making the inputs costs nothing. Each job runs once before it is
//! measured: the first call of a libc function includes the loader's search for it.

use ffi_tests::data::Random;
use nnn::{Bound, Element, Encoded, Hit, Isa, Matrix, Side};
use std::hint::black_box;
use std::process::ExitCode;

/// Calls of the two dot products, which are too short to be told apart from the call around them.
const DOTS: usize = 100;

/// A job: its name, and what makes its inputs and returns the call to measure.
type Job = (&'static str, fn() -> Box<dyn FnMut()>);

const JOBS: &[Job] = &[
    ("dot-f32-d512", || dot(rows(2, 512))),
    ("dot-i8-d512", || dot(codes(2, 512))),
    ("scores-f32-1x256-d512", || scores(rows(1, 512), rows(256, 512))),
    ("scores-f32-8x256-d512", || scores(rows(8, 512), rows(256, 512))),
    ("scores-i8-1x256-d512", || scores(codes(1, 512), codes(256, 512))),
    ("scores-i8-8x256-d512", || scores(codes(8, 512), codes(256, 512))),
    ("bias-f32-64x512-d128-k16", || bias(rows(64, 128), rows(512, 128), 16)),
    ("bias-f32-64x512-d128-k128", || bias(rows(64, 128), rows(512, 128), 128)),
    ("bias-f32-64x512-d512-k16", || bias(rows(64, 512), rows(512, 512), 16)),
    ("bias-f32-64x512-d512-k128", || bias(rows(64, 512), rows(512, 512), 128)),
    ("bias-i8-64x512-d128-k16", || bias(codes(64, 128), codes(512, 128), 16)),
    ("bias-i8-64x512-d128-k128", || bias(codes(64, 128), codes(512, 128), 128)),
    ("bias-i8-64x512-d512-k16", || bias(codes(64, 512), codes(512, 512), 16)),
    ("bias-i8-64x512-d512-k128", || bias(codes(64, 512), codes(512, 512), 128)),
    ("bias-certified-64x512-d128-k16", || bias_certified(64, 512, 128, 16)),
    ("bias-certified-64x512-d512-k16", || bias_certified(64, 512, 512, 16)),
    ("search-f32-1x2048-d512-k10", || search(rows(1, 512), rows(2048, 512), 10)),
    ("search-f32-8x2048-d512-k10", || search(rows(8, 512), rows(2048, 512), 10)),
    ("search-i8-1x2048-d512-k10", || search(codes(1, 512), codes(2048, 512), 10)),
    ("search-i8-8x2048-d512-k10", || search(codes(8, 512), codes(2048, 512), 10)),
    ("search-certified-1x2048-d512-k10", || search_certified(1, 2048, 512, 10)),
    ("normalize-256-d512", normalize),
    ("quantize-256-d512", quantize),
    ("encode-256-d512", || encode(rows(256, 512))),
];

/// What is counted. Named, so that callgrind can be told to, and the only caller of `job` that it looks into.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn nnn_gauge_measured(job: &mut Box<dyn FnMut()>) {
    job();
    nnn_gauge_end();
}

/// Where `qemu-count.c` stops counting: it sees where functions begin, not where they end.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn nnn_gauge_end() {
    black_box(());
}

fn main() -> ExitCode {
    let Some(name) = std::env::args().nth(1) else {
        JOBS.iter().for_each(|(name, _)| println!("{name}"));
        return ExitCode::SUCCESS;
    };
    // As include/nnn_cpu.h does it, so that the crate needs no feature that the C library is built without.
    #[cfg(all(target_arch = "aarch64", target_os = "linux"))]
    // SAFETY: asks for two numbers.
    nnn::declare_hwcap(unsafe { libc::getauxval(libc::AT_HWCAP) }, unsafe { libc::getauxval(libc::AT_HWCAP2) });
    let isa = std::env::args().nth(2).unwrap_or(Isa::Avx2.name().to_owned());
    let listed = Isa::ALL.into_iter().find(|listed| listed.name() == isa);
    if listed.is_none_or(|isa| Isa::select(Some(isa)).is_err()) {
        eprintln!("this machine has no {isa}");
        return ExitCode::FAILURE;
    }
    let Some((_, make)) = JOBS.iter().find(|(job, _)| *job == name) else {
        eprintln!("no job {name}");
        return ExitCode::FAILURE;
    };
    let mut job = make();
    job();
    nnn_gauge_measured(&mut job);
    ExitCode::SUCCESS
}

/// A matrix whose memory lasts as long as the process, as the returned jobs need.
fn matrix<T: Element + 'static>(data: Vec<T>, rows: usize) -> Matrix<'static, T> {
    let dim = data.len() / rows;
    Matrix::new(data.leak(), rows, dim).expect("a valid shape")
}

/// Random rows of unit length; the same for the same number of rows.
fn rows(n: usize, dim: usize) -> Matrix<'static, f32> {
    let mut random = Random(n as u64);
    let mut data: Vec<f32> = (0..n * dim).map(|_| random.float()).collect();
    nnn::normalize_in_place(&mut data, n, dim, dim).expect("finite rows");
    matrix(data, n)
}

fn codes(n: usize, dim: usize) -> Matrix<'static, i8> {
    let (mut codes, mut scale) = (vec![0; n * dim], vec![0.0; n]);
    nnn::quantize(&rows(n, dim), &mut codes, dim, &mut scale).expect("finite rows");
    matrix(codes, n).with_scale(scale.leak()).expect("a scale for each row")
}

fn encoded(n: usize, dim: usize) -> Encoded<'static> {
    let (rows, mut codes, mut scale, mut bounds) = (rows(n, dim), vec![0; n * dim], vec![0.0; n], vec![Bound::default(); n]);
    nnn::encode(&rows, None, Side::Gallery, 1, &mut vec![0.0; dim], &mut codes, dim, &mut scale, &mut bounds).expect("finite rows");
    let codes = matrix(codes, n).with_scale(scale.leak()).expect("a scale for each row");
    Encoded::new(rows, codes, bounds.leak()).expect("equal shapes")
}

fn dot<T: Element + 'static>(rows: Matrix<'static, T>) -> Box<dyn FnMut()> {
    let (a, b) = (rows.row(0).expect("two rows"), rows.row(1).expect("two rows"));
    Box::new(move || {
        for _ in 0..DOTS {
            black_box(nnn::dot(black_box(a), black_box(b)).expect("equal lengths"));
        }
    })
}

fn scores<T: Element + 'static>(queries: Matrix<'static, T>, gallery: Matrix<'static, T>) -> Box<dyn FnMut()> {
    let n = gallery.rows();
    let mut out = vec![0.0; queries.rows() * n];
    Box::new(move || nnn::scores(&queries, &gallery, 0..n, &mut out, n).expect("valid arguments"))
}

fn bias<T: Element + 'static>(gallery: Matrix<'static, T>, bank: Matrix<'static, T>, k: usize) -> Box<dyn FnMut()> {
    let n = gallery.rows();
    let (mut scratch, mut out) = (vec![0; nnn::neighbors_scratch(k, gallery.dim())], vec![0.0; n]);
    Box::new(move || nnn::bias(&gallery, &bank, k, 0.75, 0..n, &mut scratch, &mut out).expect("valid arguments"))
}

fn bias_certified(gallery: usize, bank: usize, dim: usize, k: usize) -> Box<dyn FnMut()> {
    let (n, gallery, bank) = (gallery, encoded(gallery, dim), encoded(bank, dim));
    let (mut scratch, mut out) = (vec![0; nnn::certified_scratch(k, dim)], vec![0.0; n]);
    Box::new(move || {
        black_box(nnn::bias_certified(&gallery, &bank, k, 0.75, 0..n, &mut scratch, &mut out).expect("valid arguments"));
    })
}

/// Any biases of the size that real ones have.
fn some_bias(n: usize) -> Vec<f32> {
    let mut random = Random(1);
    (0..n).map(|_| random.float() / 16.0).collect()
}

fn hits(queries: usize, k: usize) -> (Vec<Hit>, Vec<u32>) {
    (vec![Hit { score: 0.0, id: 0 }; queries * k], vec![0; queries])
}

fn search<T: Element + 'static>(queries: Matrix<'static, T>, gallery: Matrix<'static, T>, k: usize) -> Box<dyn FnMut()> {
    let (n, bias, (mut hits, mut found)) = (gallery.rows(), some_bias(gallery.rows()), hits(queries.rows(), k));
    let mut scratch = vec![0; nnn::search_scratch(queries.rows(), k, queries.dim())];
    Box::new(move || {
        nnn::search(&queries, &gallery, Some(&bias), None, k, 0..n, &mut scratch, &mut hits, &mut found).expect("valid arguments");
    })
}

fn search_certified(queries: usize, gallery: usize, dim: usize, k: usize) -> Box<dyn FnMut()> {
    let (n, bias, (mut hits, mut found)) = (gallery, some_bias(gallery), hits(queries, k));
    let (queries, gallery) = (encoded(queries, dim), encoded(gallery, dim));
    let mut scratch = vec![0; nnn::certified_scratch(k, dim)];
    Box::new(move || {
        let done = nnn::search_certified(&queries, &gallery, Some(&bias), None, k, 0..n, &mut scratch, &mut hits, &mut found);
        black_box(done.expect("valid arguments"));
    })
}

fn normalize() -> Box<dyn FnMut()> {
    let src = rows(256, 512);
    let mut dst = vec![0.0; 256 * 512];
    Box::new(move || nnn::normalize(&src, &mut dst, 512).expect("finite rows"))
}

fn quantize() -> Box<dyn FnMut()> {
    let src = rows(256, 512);
    let (mut dst, mut scale) = (vec![0; 256 * 512], vec![0.0; 256]);
    Box::new(move || nnn::quantize(&src, &mut dst, 512, &mut scale).expect("finite rows"))
}

fn encode(src: Matrix<'static, f32>) -> Box<dyn FnMut()> {
    let (n, dim) = (src.rows(), src.dim());
    let (mut work, mut codes, mut scale, mut bounds) = (vec![0.0; dim], vec![0; n * dim], vec![0.0; n], vec![Bound::default(); n]);
    Box::new(move || {
        nnn::encode(&src, None, Side::Gallery, 1, &mut work, &mut codes, dim, &mut scale, &mut bounds).expect("finite rows");
    })
}

//! The examples of ANN engines: each builds with the command at its top, finds the exact debiased top 10 through exported vectors and by
//! certified reranking, and shows the wrong combination. Skipped by name where an engine is not installed.
#![cfg(target_os = "linux")]

use ffi_tests::artefacts::{library, repository, run};
use std::path::Path;
use std::process::{Command, Stdio};

const FOLDER: &str = env!("CARGO_TARGET_TMPDIR");

fn has_header(header: &str) -> bool {
    let include = format!("#include <{header}>");
    let source = Path::new(FOLDER).join(format!("probe-{}-{}.cpp", header.replace('/', "-"), std::process::id()));
    std::fs::write(&source, include).expect("write the probe");
    let found = Command::new("c++").args(["-std=c++17", "-E"]).arg(&source).stdout(Stdio::null()).stderr(Stdio::null()).status();
    std::fs::remove_file(source).expect("remove the probe");
    found.is_ok_and(|status| status.success())
}

/// What an example prints, built with these further arguments.
fn output_of(engine: &str, arguments: &[&str]) -> String {
    let program = Path::new(FOLDER).join(format!("example-{engine}-{}", std::process::id()));
    let mut compile = Command::new("c++");
    compile.current_dir(repository()).args(["-std=c++17", "-O2", "-I", "include"]);
    compile.arg(format!("examples/{engine}/main.cpp")).arg(&library(FOLDER).archive).args(arguments);
    run(compile.arg("-pthread").arg("-o").arg(&program));
    let printed = run(Command::new(&program).current_dir(repository()).env("OMP_NUM_THREADS", "1"));
    std::fs::remove_file(program).expect("remove the program");
    printed
}

/// The recall on the line that begins with `name`.
fn recall(printed: &str, name: &str) -> f64 {
    let line = printed.lines().find(|line| line.trim_start().starts_with(name)).unwrap_or_else(|| panic!("no {name}: {printed}"));
    let numbers = line.trim_start().strip_prefix(name).expect("its name").split_whitespace();
    numbers.flat_map(str::parse).next().unwrap_or_else(|| panic!("no recall: {line}"))
}

fn check(printed: &str, wrong: &str) {
    for name in ["exported, inner product", "exported, L2", "exported, cosine", "plain index, certified reranking"] {
        assert!(recall(printed, name) >= 0.99, "{name}: {printed}");
    }
    assert!(recall(printed, wrong) < recall(printed, "exported, cosine"), "{printed}");
    assert!(printed.contains("WRONG"), "{printed}");
}

#[test]
fn hnswlib() {
    if !has_header("hnswlib/hnswlib.h") {
        println!("skipped: hnswlib (libhnswlib-dev) is not installed");
        return;
    }
    let printed = output_of("hnswlib", &[]);
    check(&printed, "inner-product form in a cosine index");
    assert!(recall(&printed, "nnn_metric_f32 as the space") >= 0.99, "{printed}");
}

#[test]
fn faiss() {
    if !has_header("faiss/IndexHNSW.h") {
        println!("skipped: FAISS (libfaiss-dev) is not installed");
        return;
    }
    check(&output_of("faiss", &["-lfaiss", "-fopenmp", "-llapack", "-lblas"]), "inner-product form in a cosine index");
}

#[test]
fn usearch() {
    let cargo = |arguments: &[&str]| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(repository()).args(arguments).args(["--locked", "--manifest-path", "examples/usearch/Cargo.toml"]);
        cargo
    };
    if !cargo(&["fetch", "--offline"]).stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
        println!("skipped: USearch (the crate usearch, `cargo fetch --manifest-path examples/usearch/Cargo.toml`) is not there");
        return;
    }
    let target = Path::new(FOLDER).join("usearch");
    let printed = run(cargo(&["run", "--quiet", "--release", "--offline"]).arg("--target-dir").arg(target));
    check(&printed, "WRONG: inner-product form in a cosine index");
    assert!(recall(&printed, "nnn::metric in the graph") >= 0.99, "{printed}");
}

//! ANN engines. The adapters that an engine's author takes (`examples/engines/nnn_*`) give the answers of `nnn_search`, bit for bit, in every
//! state the engine can bring them into: `engines/*.cpp`. The examples build with the command at their top, find the exact debiased top 10
//! through exported vectors, through the adapters and by certified reranking, and show the wrong combination. Skipped by name where an
//! engine is not installed.
#![cfg(target_os = "linux")]

use ffi_tests::artefacts::{library, repository, run};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const FOLDER: &str = env!("CARGO_TARGET_TMPDIR");
const FAISS: [&str; 4] = ["-lfaiss", "-fopenmp", "-llapack", "-lblas"];

fn has_header(header: &str) -> bool {
    let include = format!("#include <{header}>");
    let source = Path::new(FOLDER).join(format!("probe-{}-{}.cpp", header.replace('/', "-"), std::process::id()));
    std::fs::write(&source, include).expect("write the probe");
    let found = Command::new("c++").args(["-std=c++17", "-E"]).arg(&source).stdout(Stdio::null()).stderr(Stdio::null()).status();
    std::fs::remove_file(source).expect("remove the probe");
    found.is_ok_and(|status| status.success())
}

/// What a program prints, built from this source with these further arguments, and run with those.
fn output_of(source: &str, arguments: &[&str], threads: &str, run_with: &[&str]) -> String {
    let program = Path::new(FOLDER).join(format!("{}-{}", source.replace(['/', '.'], "-"), std::process::id()));
    let mut compile = Command::new("c++");
    compile.current_dir(repository()).args(["-std=c++17", "-O2", "-Wall", "-Wextra", "-Werror", "-I", "include"]);
    compile.arg(source).arg(&library(FOLDER).archive).args(arguments);
    run(compile.arg("-pthread").arg("-o").arg(&program));
    let printed = run(Command::new(&program).current_dir(repository()).env("OMP_NUM_THREADS", threads).args(run_with));
    std::fs::remove_file(program).expect("remove the program");
    printed
}

/// The example over the shipped data, some of the queries of which tell enough.
fn example(engine: &str, arguments: &[&str]) -> String {
    output_of(&format!("examples/{engine}/main.cpp"), arguments, "1", &["examples/data/pydoc-minilm", "300"])
}

/// The test of an adapter: it fails, naming the fault, or is silent.
fn adapter(engine: &str, arguments: &[&str]) {
    assert_eq!(output_of(&format!("ffi-tests/tests/engines/{engine}.cpp"), arguments, "2", &[]), "");
}

/// The recall on the line that begins with `name`.
fn recall(printed: &str, name: &str) -> f64 {
    let line = printed.lines().find(|line| line.trim_start().starts_with(name)).unwrap_or_else(|| panic!("no {name}: {printed}"));
    let numbers = line.trim_start().strip_prefix(name).expect("its name").split_whitespace();
    numbers.flat_map(str::parse).next().unwrap_or_else(|| panic!("no recall: {line}"))
}

/// Whether an index finds what it should: `index` is the beginning of its lines.
fn check(printed: &str, index: &str, reranked: &str, wrong: &str) {
    for name in ["exported, inner product", "exported, L2", "exported, cosine"] {
        assert!(recall(printed, &format!("{index}{name}")) >= 0.99, "{name}: {printed}");
    }
    assert!(recall(printed, reranked) >= 0.99, "{printed}");
    let wrong = format!("{index}{wrong}");
    assert!(recall(printed, &wrong) < recall(printed, &format!("{index}exported, cosine")), "{printed}");
    assert!(printed.contains("WRONG"), "{printed}");
}

const RERANKED: &str = "plain index, certified reranking";
const WRONG: &str = "inner-product form in a cosine index";

#[test]
fn hnswlib() {
    if !has_header("hnswlib/hnswlib.h") {
        println!("skipped: hnswlib (libhnswlib-dev) is not installed");
        return;
    }
    let printed = example("hnswlib", &[]);
    check(&printed, "", RERANKED, WRONG);
    for name in ["DebiasedSpace, centred", "DebiasedSpace "] {
        assert!(recall(&printed, name) >= 0.99, "{name}: {printed}");
    }
    adapter("hnswlib", &[]);
}

#[test]
fn faiss() {
    if !has_header("faiss/IndexHNSW.h") {
        println!("skipped: FAISS (libfaiss-dev) is not installed");
        return;
    }
    let printed = example("faiss", &FAISS);
    check(&printed, "HNSW, ", "HNSW, certified reranking", WRONG);
    check(&printed, "IVF, ", "IVF, certified reranking", WRONG);
    for name in ["flat, exported, inner product", "flat, certified reranking", "IndexHNSW over DebiasedFlat, biases by id"] {
        assert!(recall(&printed, name) >= 0.99, "{name}: {printed}");
    }
    assert_eq!(recall(&printed, "DebiasedFlat, biases by id"), 1.0, "{printed}");
    adapter("faiss", &[&FAISS[..], &["-fsanitize=address"]].concat());
}

/// USearch's C API, compiled: the npm package, unpacked below the target folder (as `.ci/run` does it) or where NNN_USEARCH says.
fn usearch_c() -> Option<(PathBuf, PathBuf)> {
    let beside = || Path::new(FOLDER).parent().expect("the target folder").join("usearch/package");
    let package = std::env::var_os("NNN_USEARCH").map_or_else(beside, PathBuf::from);
    if !package.join("c/usearch.h").exists() {
        return None;
    }
    let object = Path::new(FOLDER).join(format!("usearch-{}.o", std::process::id()));
    let mut compile = Command::new("c++");
    compile.args(["-std=c++17", "-O3", "-ffast-math", "-DNDEBUG", "-DUSEARCH_USE_NUMKONG=0", "-DUSEARCH_USE_OPENMP=0", "-I"]);
    run(compile.arg(package.join("include")).arg("-c").arg(package.join("c/lib.cpp")).arg("-o").arg(&object));
    Some((package, object))
}

#[test]
fn usearch_by_its_c_api() {
    let Some((package, object)) = usearch_c() else {
        println!("skipped: USearch's C API (npm pack usearch, unpacked; NNN_USEARCH=.../package) is not there");
        return;
    };
    let include = format!("-I{}", package.join("c").display());
    let arguments = [include.as_str(), object.to_str().expect("a path in UTF-8")];
    let printed = example("usearch", &arguments);
    check(&printed, "", RERANKED, WRONG);
    assert!(recall(&printed, "nnn_metric_f32 as the metric") >= 0.99, "{printed}");
    adapter("usearch", &arguments);
    std::fs::remove_file(object).expect("remove the object");
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
    check(&printed, "", RERANKED, "WRONG: inner-product form in a cosine index");
    assert!(recall(&printed, "nnn::metric in the graph") >= 0.99, "{printed}");
}

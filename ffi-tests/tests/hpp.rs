//! The C++ layer: no warnings in any dialect, every function equal to its namesake in C, no status dropped, nothing added.
#![cfg(target_os = "linux")]

use ffi_tests::artefacts::{cpp_compilers, library, repository, run, strict};
use std::path::{Path, PathBuf};
use std::process::Command;

const FOLDER: &str = env!("CARGO_TARGET_TMPDIR");
const STANDARDS: [&str; 2] = ["c++17", "c++20"];

/// A file of this process in the tests' folder.
fn scratch_file(name: &str) -> PathBuf {
    Path::new(FOLDER).join(format!("hpp-{}-{name}", std::process::id()))
}

fn dialects() -> impl Iterator<Item = (&'static str, &'static str)> {
    cpp_compilers().into_iter().flat_map(|compiler| STANDARDS.map(|standard| (compiler, standard)))
}

#[test]
fn every_function_equals_its_namesake() {
    let library = library(FOLDER);
    for (compiler, standard) in dialects() {
        let program = scratch_file(&format!("all-{compiler}-{standard}"));
        let mut compile = strict(compiler, standard);
        compile.args(["-Wshadow", "-O1"]).arg(repository().join("ffi-tests/tests/hpp/all.cpp")).arg(&library.prelinked);
        run(compile.arg("-o").arg(&program));
        run(&mut Command::new(&program));
        std::fs::remove_file(program).expect("remove the program");
    }
}

/// As every language's tests: the golden file, bit for bit.
#[test]
fn golden_file() {
    let library = library(FOLDER);
    for (compiler, standard) in cpp_compilers().into_iter().zip(STANDARDS.into_iter().cycle()) {
        let program = scratch_file(&format!("golden-{compiler}-{standard}"));
        let mut compile = strict(compiler, standard);
        compile.args(["-Wshadow", "-O1"]).arg(repository().join("ffi-tests/tests/hpp/golden.cpp")).arg(&library.prelinked);
        run(compile.arg("-o").arg(&program));
        print!("{}", run(Command::new(&program).arg(repository().join("ffi-tests/golden/bindings.bin"))));
        std::fs::remove_file(program).expect("remove the program");
    }
}

#[test]
fn dropped_status_is_a_warning() {
    let text = |statement: &str| format!("#include \"nnn.hpp\"\nvoid f(float *t) {{ {statement}; }}\n");
    let source = scratch_file("dropped.cpp");
    for (compiler, standard) in dialects() {
        let compiles = |statement: &str| {
            std::fs::write(&source, text(statement)).expect("write the source");
            strict(compiler, standard).args(["-S", "-o", "-"]).arg(&source).output().expect("run the compiler")
        };
        let kept = compiles("if (nnn::normalize({t, 4}, 2) != nnn::status::ok) *t = 0");
        assert!(kept.status.success(), "{compiler} {standard}: {}", String::from_utf8_lossy(&kept.stderr));
        let dropped = compiles("nnn::normalize({t, 4}, 2)");
        let message = String::from_utf8_lossy(&dropped.stderr).into_owned();
        assert!(!dropped.status.success() && message.contains("unused-"), "{compiler} {standard}: {message}");
    }
    std::fs::remove_file(source).expect("remove the source");
}

/// Optimised, a program without exceptions and without run-time types needs nothing but the C functions that it calls.
#[test]
fn costs_nothing_but_the_call() {
    let (source, object) = (scratch_file("cost.cpp"), scratch_file("cost.o"));
    let text = r#"
        #include "nnn.hpp"
        using nnn::span;
        nnn::status biases(nnn::matrix_f32 g, nnn::matrix_f32 b, void *work, span<float> out) {
            return nnn::bias(g, b, 16, 0.75f, nnn::all, {work, 4160}, out);
        }
        nnn::status hits(nnn::matrix_i8 q, nnn::matrix_i8 g, span<const float> bias, span<nnn::hit> out, span<std::uint32_t> found) {
            return nnn::search(q, g, bias, std::nullopt, 10, nnn::all, {}, out, found);
        }
    "#;
    std::fs::write(&source, text).expect("write the source");
    for (compiler, standard) in dialects() {
        let mut compile = strict(compiler, standard);
        run(compile.args(["-O2", "-fno-exceptions", "-fno-rtti", "-c"]).arg(&source).arg("-o").arg(&object));
        let needed = run(Command::new("nm").arg("--undefined-only").arg(&object));
        let mut needed: Vec<&str> =
            needed.split_whitespace().filter(|word| *word != "U" && !word.starts_with("_GLOBAL_")).collect();
        needed.sort_unstable();
        assert_eq!(needed, ["nnn_bias_f32", "nnn_search_i8"], "{compiler} {standard}");
    }
    std::fs::remove_file(source).expect("remove the source");
    std::fs::remove_file(object).expect("remove the object");
}

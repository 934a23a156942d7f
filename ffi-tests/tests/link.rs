//! The C library links and runs wherever C links: without a C library, from C and C++, beside another Rust library.
#![cfg(target_os = "linux")]

use ffi_tests::artefacts::{c_compilers, cpp_compilers, library, repository, run, strict};
use std::path::{Path, PathBuf};
use std::process::Command;

const FOLDER: &str = env!("CARGO_TARGET_TMPDIR");

fn source(name: &str) -> PathBuf {
    repository().join("ffi-tests/tests/link").join(name)
}

fn program(name: String) -> PathBuf {
    Path::new(FOLDER).join(format!("link-{}-{name}", std::process::id()))
}

/// Links with warnings as errors, runs, cleans up.
#[track_caller]
fn link_and_run(compile: &mut Command, program: &Path) {
    run(compile.args(["-Wl,--fatal-warnings", "-o"]).arg(program));
    run(&mut Command::new(program));
    std::fs::remove_file(program).expect("remove the program");
}

#[test]
fn needs_no_c_library() {
    let library = library(FOLDER);
    for compiler in c_compilers() {
        for (kind, archive) in [("raw", &library.archive), ("prelinked", &library.prelinked)] {
            let mut compile = strict(compiler, "c99");
            compile.args([
                "-O2",
                "-ffreestanding",
                "-fno-builtin",
                "-fno-stack-protector",
                "-nostdlib",
                "-static",
                "-DFREESTANDING",
            ]);
            if compiler == "gcc" {
                compile.arg("-fno-tree-loop-distribute-patterns"); // would make memcpy's loop a call of memcpy
            }
            compile.arg(source("smoke.c")).arg(archive);
            link_and_run(&mut compile, &program(format!("freestanding-{compiler}-{kind}")));
        }
    }
}

#[test]
fn links_from_c_and_cpp_statically_and_shared() {
    let library = library(FOLDER);
    let c = c_compilers().into_iter().map(|compiler| (compiler, "c11", "c"));
    let cpp = cpp_compilers().into_iter().map(|compiler| (compiler, "c++17", "c++"));
    for (compiler, standard, language) in c.chain(cpp) {
        for (kind, file) in [("raw", &library.archive), ("prelinked", &library.prelinked), ("shared", &library.shared)] {
            let mut compile = strict(compiler, standard);
            compile.args(["-O1", "-x", language]).arg(source("smoke.c")).args(["-x", "none"]).arg(file);
            let folder = file.parent().expect("a file is in a folder");
            compile.arg(format!("-Wl,-rpath,{}", folder.display()));
            link_and_run(&mut compile, &program(format!("{compiler}-{kind}")));
        }
    }
}

#[test]
fn links_with_lto_and_as_a_static_program() {
    let library = library(FOLDER);
    for (name, flags) in [("static", ["-static", "-O1"]), ("lto", ["-flto=1", "-O2"])] {
        let mut compile = strict("gcc", "c11");
        compile.args(flags).arg(source("smoke.c")).arg(&library.prelinked);
        link_and_run(&mut compile, &program(name.to_owned()));
    }
}

#[test]
fn links_beside_a_rust_library_with_std_in_both_orders() {
    let library = library(FOLDER);
    let other = program("libother.a".to_owned());
    let rustc = std::env::var_os("RUSTC").unwrap_or("rustc".into());
    run(Command::new(rustc).args(["--edition=2024", "--crate-type=staticlib", "-O", "-o"]).arg(&other).arg(source("other.rs")));
    for (kind, archive) in [("raw", &library.archive), ("prelinked", &library.prelinked)] {
        for (order, archives) in [("first", [archive, &other]), ("last", [&other, archive])] {
            let mut compile = strict("gcc", "c11");
            compile.arg("-DBESIDE_RUST").arg(source("smoke.c")).args(archives);
            compile.args(["-lgcc_s", "-lutil", "-lrt", "-lpthread", "-lm", "-ldl", "-lc"]);
            link_and_run(&mut compile, &program(format!("beside-{kind}-{order}")));
        }
    }
    std::fs::remove_file(other).expect("remove the other library");
}

/// `nnn_cpu.h` finds what the library finds by itself here, where it does, and is told the truth by the system elsewhere.
#[test]
fn the_cpu_header_chooses_the_best_set() {
    let library = library(FOLDER);
    let c = c_compilers().into_iter().map(|compiler| (compiler, "c99", "c"));
    for (compiler, standard, language) in c.chain(cpp_compilers().into_iter().map(|compiler| (compiler, "c++11", "c++"))) {
        let program = program(format!("cpu-{compiler}"));
        let mut compile = strict(compiler, standard);
        compile.args(["-x", language]).arg(source("cpu.c")).args(["-x", "none"]).arg(&library.prelinked).arg("-o").arg(&program);
        run(&mut compile);
        let best = nnn::Isa::available().last().expect("scalar is always there");
        assert_eq!(run(&mut Command::new(&program)).trim(), best.name(), "{compiler}");
        std::fs::remove_file(program).expect("remove the program");
    }
}

#[test]
fn size_macros_equal_the_size_functions() {
    let library = library(FOLDER);
    for compiler in c_compilers() {
        let mut compile = strict(compiler, "c99");
        compile.arg("-O1").arg(source("sizes.c")).arg(&library.prelinked);
        link_and_run(&mut compile, &program(format!("sizes-{compiler}")));
    }
}

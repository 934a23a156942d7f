//! The examples are short, build with the command at their top (and without a warning), run, and show the effect.
#![cfg(target_os = "linux")]

use ffi_tests::artefacts::{c_compilers, cpp_compilers, library, repository, run, strict};
use std::path::{Path, PathBuf};
use std::process::Command;

const FOLDER: &str = env!("CARGO_TARGET_TMPDIR");

fn example(path: &str) -> PathBuf {
    let source = repository().join("examples").join(path);
    let text = std::fs::read_to_string(&source).expect("the example");
    assert!(text.lines().count() < 80, "{path} has grown to {} lines", text.lines().count());
    source
}

/// Builds an example as its first lines say, runs it; what it prints.
fn output_of(compiler: &str, standard: &str, source: &Path) -> String {
    let name = source.file_stem().expect("a file").display();
    let program = Path::new(FOLDER).join(format!("example-{name}-{compiler}-{standard}-{}", std::process::id()));
    let mut compile = strict(compiler, standard);
    run(compile.args(["-Wshadow", "-O1"]).arg(source).arg(&library(FOLDER).archive).args(["-pthread", "-o"]).arg(&program));
    let printed = run(&mut Command::new(&program));
    std::fs::remove_file(program).expect("remove the program");
    printed
}

#[test]
fn c() {
    let source = example("c/debias.c");
    for compiler in c_compilers() {
        let printed = output_of(compiler, "c99", &source);
        assert!(printed.contains("right: 0 of 3") && printed.contains("right: 3 of 3"), "{compiler}: {printed}");
    }
}

/// The C of README as it stands there, ten lines, in a program that calls it.
#[test]
fn c_of_the_readme() {
    let readme = std::fs::read_to_string(repository().join("README.md")).expect("README.md");
    let (_, rest) = readme.split_once("```c\n").expect("a C example");
    let (code, _) = rest.split_once("```").expect("its end");
    let body = code.lines().skip_while(|line| !line.contains("debias_and_search")).count();
    assert!(body <= 10, "the ten lines are {body}");
    let program = r#"
        int main(void) {
            static const float rows[] = {1, 0, 0, 1, 0.6f, 0.8f}, query[] = {0.8f, 0.6f};
            float captions[32], bias[3];
            nnn_hit hits[10];
            uint32_t found = 0;
            int i;
            for (i = 0; i < 32; i++) captions[i] = i % 2 ? 0.8f : 0.6f;
            const nnn_mat_f32 gallery = {rows, 3, 2, 2}, bank = {captions, 16, 2, 2}, queries = {query, 1, 2, 2};
            if (debias_and_search(gallery, bank, queries, bias, hits, &found) != NNN_OK) return 1;
            return !(found == 3 && hits[0].id == 0 && hits[1].id == 2 && bias[2] > 0.74f && bias[2] < 0.76f);
        }
    "#;
    let source = Path::new(FOLDER).join(format!("readme-{}.c", std::process::id()));
    std::fs::write(&source, format!("{code}{}\n", program.trim_end())).expect("write the source");
    for compiler in c_compilers() {
        for standard in ["c99", "c17"] {
            output_of(compiler, standard, &source);
        }
    }
    std::fs::remove_file(source).expect("remove the source");
}

#[test]
fn cpp() {
    let source = example("cpp/shards.cpp");
    for (compiler, standard) in cpp_compilers().into_iter().flat_map(|compiler| [(compiler, "c++17"), (compiler, "c++20")]) {
        let printed = output_of(compiler, standard, &source);
        assert!(printed.contains("64 of 64 plain, 0 debiased"), "{compiler} {standard}: {printed}");
        assert!(printed.contains("4 threads and one call: the same bits"), "{compiler} {standard}: {printed}");
    }
}

#[test]
fn rust() {
    example("rust/main.rs");
    // Where the C library is built: the cargo that runs the tests may hold the lock of the usual folder.
    let target = Path::new(FOLDER).join("c-library");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(repository()).args(["run", "--quiet", "--release", "-p", "libnnn", "--example", "rust", "--target-dir"]);
    let printed = run(cargo.arg(target));
    assert!(printed.contains("right: 0 of 3 plain, 3 debiased"), "{printed}");
}

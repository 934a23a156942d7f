//! The bindings' own tests, in their own languages, and what README says about linking, word for word. A language that is not
//! installed is skipped by name.
#![cfg(target_os = "linux")]

use ffi_tests::artefacts::{as_a_user, has, library, package, repository, run};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

const FOLDER: &str = env!("CARGO_TARGET_TMPDIR");

/// An empty folder of this process.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(FOLDER).join(format!("bindings-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

fn remove(folder: &Path) {
    std::fs::remove_dir_all(folder).expect("remove the folder");
}

/// A shell with the built library at hand, so that nothing is compiled twice, and no network.
fn shell(script: &str, folder: &Path) -> Command {
    library(FOLDER);
    let mut command = Command::new("sh");
    command.args(["-euc", script]).current_dir(folder).env("CARGO_TARGET_DIR", Path::new(FOLDER).join("c-library"));
    command.env("GOPROXY", "off").env("GOFLAGS", "").env("PYTHONDONTWRITEBYTECODE", "1");
    as_a_user(&mut command);
    command
}

/// The shared library as it is installed.
fn shared() -> PathBuf {
    let tree = package(FOLDER).to_str().expect("a path").trim_end_matches(".tar.gz");
    Path::new(tree).join("lib/libnnn.so.0.1")
}

fn has_numpy() -> bool {
    let found = has("python3", "--version")
        && Command::new("python3").args(["-c", "import numpy"]).output().is_ok_and(|output| output.status.success());
    if !found {
        println!("skipped: python3 has no numpy");
    }
    found
}

#[test]
fn python() {
    if !has_numpy() {
        return;
    }
    let mut tests = Command::new("python3");
    tests.args(["-B", "-m", "unittest"]).current_dir(repository().join("examples/python"));
    run(tests.env("NNN_LIBRARY", shared()));
}

/// A library of another interface is refused when it is loaded, not when it crashes.
#[test]
fn python_names_what_is_missing() {
    if !has_numpy() {
        return;
    }
    for library in ["/nowhere/libnnn.so", "libc.so.6"] {
        let mut python = Command::new("python3");
        python.args(["-B", "-c", "import nnn"]).current_dir(repository().join("examples/python"));
        let output = python.env("NNN_LIBRARY", library).output().expect("start python3");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && text.contains("ImportError: libnnn is not found"), "{text}");
        assert!(text.contains("cargo build --release -p nnn-capi"), "{text}");
    }
}

#[test]
fn go() {
    if !has("go", "version") {
        return;
    }
    // The package as it is copied, at the place from which its tests find the golden file.
    let root = folder("go");
    std::os::unix::fs::symlink(repository().join("ffi-tests"), root.join("ffi-tests")).expect("a link");
    let build = repository().join("examples/go/build.sh");
    run(shell(&format!("'{}' examples/go", build.display()), &root).env_remove("PWD"));
    run(&mut shell("gofmt -l . | grep . && exit 1; go vet ./... && go test ./...", &root.join("examples/go")));
    remove(&root);
}

/// What Go and Swift leave out, and why; test_nnn.py has Python's list, examples/README.md the whole as a table.
const LEFT_OUT: [(&str, &str); 7] = [
    ("a loop in the language does it", "dot_f32 dot_i8 dot4_f32 dot4_i8 neighbors_init median_rank logsum_ln"),
    ("found when the package is made", "abi_version"),
    ("for tests and tuning of libnnn", "isa_available isa_select cpu_hwcap"),
    ("for engines in C", "metric_f32 metric_i8 export_bytes export_limits_i8 export_limits_merge export_queries_i8 export_rows_i8"),
    (
        "measured before serving, by the program or in Python",
        "neighbors_grid ranks_f32 ranks_i8 ranks_scratch best_ranks recall choose bootstrap count_occurrences hubness attribute_bias \
         balanced_sample bias_error hits_recall",
    ),
    (
        "methods other than the default: the program or Python",
        "columns_init columns_mean columns_merge columns_update_f32 columns_update_i8 mean_bias_f32 mean_bias_i8 sinkhorn_bias_f32 \
         sinkhorn_bias_i8 logsum_merge logsum_dual_bias dual_softmax",
    ),
    ("gates per query: the program or Python", "activation_set search_gated_f32 search_gated_i8 rerank_gated"),
];

/// Those of Swift beyond: the inverted softmax, and what a Swift initialiser writes itself.
const LEFT_OUT_OF_SWIFT: &str = "logsum_init logsum_update_f32 logsum_update_i8 logsum_bias neighbor_ids_init version";

#[test]
fn every_export_is_wrapped_or_left_out_for_a_reason() {
    let exports = std::fs::read_to_string(ffi_tests::artefacts::exports_list()).expect("exports.txt");
    let exports: BTreeSet<&str> = exports.split_whitespace().collect();
    for (folder, extension, beyond) in [("go", "go", ""), ("swift/Sources/NNN", "swift", LEFT_OUT_OF_SWIFT)] {
        let mut called = String::new();
        for entry in std::fs::read_dir(repository().join("examples").join(folder)).expect("the binding") {
            let path = entry.expect("a file").path();
            if path.extension().is_some_and(|found| found == extension) && !path.to_string_lossy().ends_with("_test.go") {
                called += &std::fs::read_to_string(&path).expect("a source");
            }
        }
        let called: BTreeSet<&str> =
            called.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| word.starts_with("nnn_")).collect();
        let left_out = LEFT_OUT.iter().flat_map(|(_, names)| names.split_whitespace()).chain(beyond.split_whitespace());
        let left_out: BTreeSet<String> = left_out.map(|name| format!("nnn_{name}")).collect();
        let missing: Vec<&&str> = exports.iter().filter(|name| !called.contains(*name) && !left_out.contains(**name)).collect();
        assert!(missing.is_empty(), "{folder}: neither called nor left out: {missing:?}");
        let stale: Vec<&String> =
            left_out.iter().filter(|name| !exports.contains(name.as_str()) || called.contains(name.as_str())).collect();
        assert!(stale.is_empty(), "{folder}: left out, but called or no export: {stale:?}");
    }
}

/// Its own tests and README's block, where this machine has Swift; `scripts/swift.sh` makes a root that has it.
#[test]
fn swift() {
    if !has("swift", "--version") {
        return;
    }
    let script = repository().join("ffi-tests/scripts/swift.sh");
    let printed = run(&mut shell(&format!("'{}' --here", script.display()), &repository()));
    assert!(printed.ends_with("swift: all passed\n"), "{printed}");
}

/// The code blocks of README's section about linking: language and text.
fn blocks() -> Vec<(String, String)> {
    let readme = std::fs::read_to_string(repository().join("README.md")).expect("README.md");
    let (_, section) = readme.split_once("\n## Link it\n").expect("the section");
    let (section, _) = section.split_once("\n## ").expect("its end");
    let pieces: Vec<&str> = section.split("```").collect();
    assert!(pieces.len() > 3 && pieces.len() % 2 == 1, "the blocks are closed");
    let block = |piece: &&str| {
        let (language, text) = piece.split_once('\n').expect("a block has lines");
        (language.to_owned(), text.to_owned())
    };
    pieces.iter().skip(1).step_by(2).map(block).collect()
}

/// The one block of a language that holds a text.
#[track_caller]
fn block(language: &str, holds: &str) -> String {
    let all = blocks();
    let found: Vec<_> = all.into_iter().filter(|(name, text)| name == language && text.contains(holds)).collect();
    assert_eq!(found.len(), 1, "one block of {language} with {holds}");
    found.into_iter().next().expect("just counted").1
}

/// A user's folder with a clone in it, and a program.
fn project(name: &str) -> PathBuf {
    let folder = folder(name);
    std::os::unix::fs::symlink(repository(), folder.join("libnnn")).expect("a link");
    for (from, to) in [("stranger.c", "your.c"), ("stranger.cpp", "your.cpp")] {
        std::fs::copy(repository().join("ffi-tests/tests/package").join(from), folder.join(to)).expect("a program");
    }
    folder
}

/// Every block is run by one of the tests below.
#[test]
fn readme_has_no_other_blocks() {
    let kinds: Vec<String> = blocks().into_iter().map(|(language, _)| language).collect();
    assert_eq!(kinds, ["sh", "cmake", "cmake", "sh", "go", "python", "swift"]);
}

#[test]
fn readme_package_and_pkg_config() {
    if !has("pkg-config", "--version") {
        return;
    }
    let project = project("pkg-config");
    let script = block("sh", "package.sh").replace("/usr/local", "prefix");
    assert!(script.contains("-C prefix"), "{script}");
    let check = "readelf -d shared | grep -q libnnn.so.0.1; ./static; LD_LIBRARY_PATH=prefix/lib ./shared";
    let mut shell = shell(&format!("mkdir prefix\n{script}\n{check}"), &project);
    let printed = run(shell.env("PKG_CONFIG_PATH", project.join("prefix/lib/pkgconfig")));
    assert!(printed.ends_with("row 2\nrow 2\n"), "{printed}");
    remove(&project);
}

#[test]
fn readme_cmake() {
    if !has("cmake", "--version") {
        return;
    }
    for (name, holds) in [("find", "find_package"), ("fetch", "FetchContent")] {
        let project = project(name);
        let head =
            "cmake_minimum_required(VERSION 3.18)\nproject(yours CXX)\nset(CMAKE_CXX_STANDARD 17)\nadd_executable(your your.cpp)\n";
        std::fs::write(project.join("CMakeLists.txt"), format!("{head}{}", block("cmake", holds))).expect("write the project");
        let prefix = package(FOLDER).to_str().expect("a path").trim_end_matches(".tar.gz");
        let cargo = Path::new(FOLDER).join("c-library");
        let configure = format!(
            "cmake -B build -DCMAKE_PREFIX_PATH='{prefix}' -DNNN_CARGO_FOLDER='{}' && cmake --build build && build/your",
            cargo.display()
        );
        let printed = run(&mut shell(&configure, &project));
        assert!(printed.ends_with("row 2\n"), "{printed}");
        remove(&project);
    }
}

#[test]
fn readme_go() {
    if !has("go", "version") {
        return;
    }
    let project = project("go-module");
    run(&mut shell("rm your.c your.cpp", &project));
    let setup = block("sh", "examples/go/build.sh");
    let program = block("go", "nnn.Bias");
    let (imports, body) = program.split_once("\n\n").expect("imports, then code");
    let values = "gallery, bank := nnn.NewMatrix([]float32{1, 0, 0, 1, 0.6, 0.8}, 2), nnn.NewMatrix(make([]float32, 64), 2)\n\
                  queries := nnn.NewMatrix([]float32{0.8, 0.6}, 2)\n";
    let main = format!(
        "package main\n\n{imports}\nimport (\"fmt\"; \"log\")\n\nfunc main() {{\n{values}{body}\nfmt.Println(\"row\", hits[0][0].ID)\n}}\n"
    );
    std::fs::write(project.join("main.go"), main).expect("write the program");
    let script = format!(
        "go mod init example.com/yours 2>/dev/null\n{setup}\ngo vet .\ngo run .\ngo mod vendor\nrm -r third_party\ngo run -mod=vendor ."
    );
    let printed = run(&mut shell(&script, &project));
    assert!(printed.ends_with("row 2\nrow 2\n"), "{printed}");
    remove(&project);
}

#[test]
fn readme_python() {
    if !has_numpy() {
        return;
    }
    let program = block("python", "nnn.bias");
    let values = "import numpy as np\nmake = lambda n: np.random.default_rng(n).standard_normal((n, 8), dtype=np.float32)\n\
                  gallery, bank, queries = make(50), make(20), make(3)\n";
    let check = "\nassert hits.ids.shape == hits.scores.shape == (3, 10)\nprint('ok')";
    let project = project("python");
    std::fs::write(project.join("program.py"), format!("{values}{program}{check}")).expect("write the program");
    let mut python = shell("PYTHONPATH=libnnn/examples/python python3 program.py", &project);
    assert_eq!(run(python.env("NNN_LIBRARY", shared())), "ok\n");
    remove(&project);
}

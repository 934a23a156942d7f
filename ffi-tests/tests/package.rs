//! The package: the same bytes every time, with nothing missing and nothing more, and strangers' projects build with it by
//! pkg-config, CMake's find_package and FetchContent, statically and shared, with every compiler, beside another Rust library.
#![cfg(target_os = "linux")]

use ffi_tests::artefacts::{as_a_user, c_compilers, cpp_compilers, exports_list, has, pack, package, repository, run};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

const FOLDER: &str = env!("CARGO_TARGET_TMPDIR");

fn source(name: &str) -> PathBuf {
    repository().join("ffi-tests/tests").join(name)
}

/// An empty folder of this process. The space in its name is what scripts and CMake files break at.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(FOLDER).join(format!("package {}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// Unpacks the tarball as README says, into a prefix of its own.
fn install(name: &str) -> PathBuf {
    let prefix = folder(name);
    run(Command::new("tar").arg("-xzf").arg(package(FOLDER)).arg("-C").arg(&prefix).arg("--strip-components=1"));
    prefix
}

fn remove(folder: &Path) {
    std::fs::remove_dir_all(folder).expect("remove the folder");
}

#[test]
fn packing_twice_gives_the_same_bytes() {
    let again = folder("again");
    let (first, second) = (package(FOLDER), pack(FOLDER, &again));
    assert_eq!(first.file_name(), second.file_name());
    let read = |path: &Path| std::fs::read(path).expect("a tarball");
    assert!(read(first) == read(&second), "the two tarballs differ");
    remove(&again);
}

/// Compiled twice, in folders of other names and depths. Twenty seconds of compiling: run by `cargo test -- --ignored`.
#[test]
#[ignore = "compiles the library again"]
fn compiling_elsewhere_gives_the_same_bytes() {
    let elsewhere = folder("elsewhere").join("one/more");
    std::fs::create_dir_all(&elsewhere).expect("a folder");
    for part in
        ["Cargo.toml", "Cargo.lock", "README.md", "LICENSE-MIT", "LICENSE-APACHE", "src", "include", "examples", "ffi-tests"]
    {
        run(Command::new("cp").arg("-r").arg(repository().join(part)).arg(&elsewhere));
    }
    let mut script = Command::new(elsewhere.join("ffi-tests/scripts/package.sh"));
    let tarball = run(as_a_user(script.env_remove("CARGO_TARGET_DIR")));
    let read = |path: &Path| std::fs::read(path).expect("a tarball");
    assert!(read(package(FOLDER)) == read(Path::new(tarball.trim())), "the two tarballs differ");
    remove(&folder("elsewhere"));
}

#[test]
fn holds_what_it_should() {
    let listing = run(Command::new("tar").arg("-tzf").arg(package(FOLDER)));
    let files: BTreeSet<&str> = listing.lines().filter_map(|line| line.split_once('/')).map(|(_, file)| file).collect();
    for file in [
        "include/nnn.h",
        "include/nnn.hpp",
        "include/nnn_cpu.h",
        "lib/libnnn.a",
        "lib/libnnn.so",
        "lib/libnnn.so.0.1",
        "lib/libnnn.so.0.1.0",
        "lib/pkgconfig/nnn.pc",
        "lib/cmake/nnn/nnnConfig.cmake",
        "lib/cmake/nnn/nnnConfigVersion.cmake",
        "share/licenses/libnnn/LICENSE-MIT",
        "share/licenses/libnnn/LICENSE-APACHE",
    ] {
        assert!(files.contains(file), "{file} is missing in\n{listing}");
    }
    // Every package that is compiled in has its licence there.
    let tree = ["tree", "--quiet", "--locked", "-p", "libnnn", "--edges", "normal", "--prefix", "none", "--format", "{p}"];
    let crates = run(Command::new(env!("CARGO")).current_dir(repository()).args(tree));
    let names: BTreeSet<&str> = crates.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(names.contains("libm"), "{crates}");
    for name in names.into_iter().filter(|name| *name != "libnnn") {
        let folder = format!("share/licenses/libnnn/{name}/LICEN");
        assert!(files.iter().any(|file| file.starts_with(&folder)), "no licence of {name}");
    }
}

#[test]
fn libraries_export_the_list_and_the_name_carries_the_version() {
    let prefix = install("symbols");
    let exports = std::fs::read_to_string(exports_list()).expect("exports.txt");
    let archive = prefix.join("lib/libnnn.a");
    assert_eq!(run(Command::new("ar").arg("t").arg(&archive)).lines().count(), 1, "one object");
    for (flags, file) in [(["-g", "--defined-only"], &archive), (["-D", "--defined-only"], &prefix.join("lib/libnnn.so.0.1.0"))] {
        let text = run(Command::new("nm").args(flags).arg(file));
        let names: BTreeSet<&str> = text.lines().filter_map(|line| line.split_once(" T ")).map(|(_, name)| name).collect();
        assert_eq!(names, exports.lines().collect(), "{}", file.display());
    }
    let dynamic = run(Command::new("readelf").arg("-dW").arg(prefix.join("lib/libnnn.so")));
    assert!(dynamic.contains("soname: [libnnn.so.0.1]"), "{dynamic}");
    assert!(!dynamic.contains("TEXTREL"), "{dynamic}");
    remove(&prefix);
}

/// Runs a program of strangers, by the loader's own search when it needs the shared library.
#[track_caller]
fn check(program: &Path, shared: bool, library: &Path) {
    let dynamic = run(Command::new("readelf").arg("-dW").arg(program));
    assert_eq!(dynamic.contains("libnnn.so"), shared, "{}: {dynamic}", program.display());
    let mut command = Command::new(program);
    if shared {
        command.env("LD_LIBRARY_PATH", library);
    }
    assert_eq!(run(&mut command), "row 2\n", "{}", program.display());
}

#[test]
fn strangers_build_by_pkg_config() {
    if !has("pkg-config", "--version") {
        return;
    }
    let prefix = install("pkg-config");
    let library = prefix.join("lib");
    let config = |flags: &[&str]| {
        let mut command = Command::new("pkg-config");
        let text = run(command.args(flags).arg("nnn").env("PKG_CONFIG_PATH", library.join("pkgconfig")));
        // The shell of a makefile would take the escapes away.
        shell_words(&text)
    };
    assert_eq!(config(&["--modversion"]), [env!("CARGO_PKG_VERSION")]);
    let languages = [("c", "c99", c_compilers()), ("cpp", "c++17", cpp_compilers())];
    for (language, standard, compilers) in languages {
        for compiler in compilers {
            for (kind, libraries) in [
                ("shared", config(&["--libs"])),
                ("archive", config(&["--variable=archive"])),
                ("static", config(&["--static", "--libs"])),
            ] {
                let program = prefix.join(format!("{language}-{compiler}-{kind}"));
                let mut compile = Command::new(compiler);
                compile.args(["-Wall", "-Wextra", "-Wpedantic", "-Werror"]).arg(format!("-std={standard}"));
                compile.args(config(&["--cflags"])).arg(source("package").join(format!("stranger.{language}")));
                if kind == "static" {
                    compile.arg("-static");
                }
                run(compile.args(libraries).arg("-o").arg(&program));
                check(&program, kind == "shared", &library);
            }
        }
    }
    remove(&prefix);
}

/// Splits a line as the shell does where it knows only backslashes and white space.
fn shell_words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut characters) = (Vec::new(), String::new(), line.trim().chars());
    while let Some(character) = characters.next() {
        match character {
            '\\' => word.extend(characters.next()),
            character if character.is_whitespace() => words.push(std::mem::take(&mut word)),
            character => word.push(character),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

/// A static Rust library of somebody else.
fn other_library(folder: &Path) -> PathBuf {
    let other = folder.join("libother.a");
    let rustc = std::env::var_os("RUSTC").unwrap_or("rustc".into());
    run(Command::new(rustc)
        .args(["--edition=2024", "--crate-type=staticlib", "-O", "-o"])
        .arg(&other)
        .arg(source("link/other.rs")));
    other
}

/// Configures, builds and runs the stranger's project.
fn cmake(from: &Path, flags: &[String], build: &Path, compilers: (&str, &str), library: &Path) {
    let other = other_library(build);
    let mut configure = Command::new("cmake");
    configure.arg("-S").arg(source("package")).arg("-B").arg(build.join("build")).args(flags);
    configure.arg(format!("-DFROM={}", from.display())).arg(format!("-DOTHER={}", other.display()));
    configure.arg(format!("-DCMAKE_C_COMPILER={}", compilers.0)).arg(format!("-DCMAKE_CXX_COMPILER={}", compilers.1));
    run(as_a_user(&mut configure));
    run(as_a_user(Command::new("cmake").arg("--build").arg(build.join("build"))));
    for language in ["c", "cpp"] {
        for kind in ["shared", "static"] {
            check(&build.join("build").join(format!("{language}_{kind}")), kind == "shared", library);
        }
    }
    check(&build.join("build/beside"), false, library);
}

fn pairs() -> impl Iterator<Item = (&'static str, &'static str)> {
    c_compilers().into_iter().filter_map(|c| {
        let cpp = if c == "gcc" { "g++" } else { "clang++" };
        cpp_compilers().contains(&cpp).then_some((c, cpp))
    })
}

#[test]
fn strangers_build_by_find_package() {
    if !has("cmake", "--version") {
        return;
    }
    let prefix = install("find-package");
    for compilers in pairs() {
        let build = folder(&format!("find-package-{}", compilers.0));
        let flags = [format!("-DCMAKE_PREFIX_PATH={}", prefix.display())];
        cmake(Path::new("package"), &flags, &build, compilers, &prefix.join("lib"));
        remove(&build);
    }
    // Another minor version is another interface.
    let build = folder("versions");
    let find = |version: &str| {
        let text = format!(
            "cmake_minimum_required(VERSION 3.18)\nproject(v C)\nfind_package(nnn {version} QUIET)\nmessage(\"found ${{nnn_FOUND}}.\")\n"
        );
        std::fs::write(build.join("CMakeLists.txt"), text).expect("write the project");
        let mut configure = Command::new("cmake");
        configure.arg("-S").arg(&build).arg("-B").arg(build.join("build")).arg(format!("-DCMAKE_PREFIX_PATH={}", prefix.display()));
        let output = configure.output().expect("start cmake");
        String::from_utf8_lossy(&output.stderr).contains("found 1.")
    };
    assert!(find("") && find("0.1") && find("0.1.0") && find("0.1.0 EXACT"));
    assert!(!find("0.2") && !find("0.1.1") && !find("1.0") && !find("0.0"));
    remove(&build);
    remove(&prefix);
}

#[test]
fn strangers_build_by_fetch_content() {
    if !has("cmake", "--version") {
        return;
    }
    // Where the C library is built already; a user's CMake builds it below its own folder.
    package(FOLDER);
    let cargo = Path::new(FOLDER).join("c-library");
    for compilers in pairs() {
        let build = folder(&format!("fetch-content-{}", compilers.0));
        let flags = [format!("-DNNN_CARGO_FOLDER={}", cargo.display()), format!("-DNNN_CARGO={}", env!("CARGO"))];
        cmake(&repository(), &flags, &build, compilers, &cargo.join("release"));
        remove(&build);
    }
}

/// cargo-c takes minutes to compile, so few machines have it: skipped by name without it.
#[test]
fn cargo_c_installs_the_same_names() {
    if !has("cargo-cinstall", "--version") {
        return;
    }
    let prefix = folder("cargo-c");
    let mut install = Command::new("cargo-cinstall");
    install.current_dir(repository()).args(["cinstall", "--locked", "--release", "-p", "nnn-capi", "--libdir", "lib"]);
    install.arg("--prefix").arg(&prefix).arg("--target-dir").arg(Path::new(FOLDER).join("cargo-c"));
    run(as_a_user(&mut install));
    for file in ["include/nnn.h", "include/nnn.hpp", "include/nnn_cpu.h", "lib/libnnn.a", "lib/pkgconfig/nnn.pc"] {
        assert!(prefix.join(file).is_file(), "{file} is missing");
    }
    let dynamic = run(Command::new("readelf").arg("-dW").arg(prefix.join("lib/libnnn.so")));
    assert!(dynamic.contains("soname: [libnnn.so.0.1]"), "{dynamic}");
    let program = prefix.join("stranger");
    let mut compile = Command::new("cc");
    compile.arg("-I").arg(prefix.join("include")).arg(source("package/stranger.c")).arg(prefix.join("lib/libnnn.a"));
    run(compile.arg("-o").arg(&program));
    check(&program, false, &prefix.join("lib"));
    remove(&prefix);
}

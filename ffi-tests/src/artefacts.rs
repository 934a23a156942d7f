//! The C artefacts, and the tools that build and inspect them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Root of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package is one folder down").to_path_buf()
}

/// The exported functions, one per line: the committed list.
pub fn exports_list() -> PathBuf {
    repository().join("ffi-tests/exports.txt")
}

/// The C library as a user gets it.
#[derive(Debug)]
pub struct Library {
    /// `libnnn.a` of the release build.
    pub archive: PathBuf,
    /// `libnnn.so` of the release build.
    pub shared: PathBuf,
    /// What `scripts/prelink.sh` makes of the archive.
    pub prelinked: PathBuf,
}

/// Builds the C library below `folder` (of a test: `env!("CARGO_TARGET_TMPDIR")`), once per process; later processes find it built.
pub fn library(folder: &str) -> &'static Library {
    static LIBRARY: OnceLock<Library> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        // A target folder of its own: the cargo that runs the tests may hold the lock of the usual one.
        let target = Path::new(folder).join("c-library");
        let mut build = Command::new(env!("CARGO"));
        build.current_dir(repository()).args(["build", "--quiet", "--release", "-p", "nnn-capi", "--target-dir"]).arg(&target);
        run(as_a_user(&mut build));
        let release = target.join("release");
        let library = Library {
            archive: release.join("libnnn.a"),
            shared: release.join("libnnn.so"),
            prelinked: target.join("libnnn-prelinked.a"),
        };
        let script = repository().join("ffi-tests/scripts/prelink.sh");
        run(Command::new(script).arg(&library.archive).arg(exports_list()).arg(&library.prelinked));
        library
    })
}

/// The tarball that `scripts/package.sh` makes of the C library, in a folder of this process below `folder`.
pub fn package(folder: &str) -> &'static Path {
    static PACKAGE: OnceLock<PathBuf> = OnceLock::new();
    PACKAGE.get_or_init(|| {
        library(folder);
        pack(folder, &Path::new(folder).join("package"))
    })
}

/// Packs what `library` has built into `out`; the tarball.
pub fn pack(folder: &str, out: &Path) -> PathBuf {
    let mut script = Command::new(repository().join("ffi-tests/scripts/package.sh"));
    script.arg(out).env("CARGO_TARGET_DIR", Path::new(folder).join("c-library"));
    run(as_a_user(&mut script)).trim().into()
}

/// What a user gets: without the flags of a coverage or sanitizer run of the tests.
pub fn as_a_user(command: &mut Command) -> &mut Command {
    for variable in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_RUSTFLAGS", "CARGO_BUILD_TARGET", "RUSTC_WRAPPER"] {
        command.env_remove(variable);
    }
    command
}

/// Whether a tool is installed; says by name that a test is skipped when it is not.
pub fn has(tool: &str, version: &str) -> bool {
    let found = Command::new(tool).arg(version).output().is_ok_and(|output| output.status.success());
    if !found {
        println!("skipped: no {tool}");
    }
    found
}

/// Runs a command that must succeed; its standard output.
#[track_caller]
pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{out}{err}", output.status);
    out.into_owned()
}

/// Those of the compilers that are installed; at least one.
#[track_caller]
fn installed(names: &[&'static str]) -> Vec<&'static str> {
    let works = |name: &&str| Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success());
    let found: Vec<_> = names.iter().copied().filter(works).collect();
    assert!(!found.is_empty(), "the tests need one of {names:?}");
    found
}

/// The C compilers of the machine.
pub fn c_compilers() -> Vec<&'static str> {
    installed(&["gcc", "clang"])
}

/// The C++ compilers of the machine.
pub fn cpp_compilers() -> Vec<&'static str> {
    installed(&["g++", "clang++"])
}

/// A compiler call with the header's folder and all warnings as errors.
pub fn strict(compiler: &str, standard: &str) -> Command {
    let mut command = Command::new(compiler);
    command.args(["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wundef", "-Werror"]).arg(format!("-std={standard}"));
    command.arg("-I").arg(repository().join("include"));
    command
}

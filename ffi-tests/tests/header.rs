//! The committed header is the generated one, compiles everywhere without a warning, and its macros equal the functions.

use ffi_tests::artefacts::{c_compilers, cpp_compilers, repository, strict};
use std::path::PathBuf;
use std::process::{Command, Output};

fn header_path() -> PathBuf {
    repository().join("include/nnn.h")
}

fn generate() -> String {
    let config = cbindgen::Config::from_file(repository().join("ffi-tests/cbindgen.toml")).expect("cbindgen.toml");
    let mut text = Vec::new();
    cbindgen::Builder::new()
        .with_crate(repository())
        .with_config(config)
        .generate()
        .expect("cbindgen reads the crate")
        .write(&mut text);
    String::from_utf8(text).expect("the header is UTF-8")
}

/// `NNN_BLESS=1` writes the header instead.
#[test]
fn committed_header_is_the_generated_one() {
    let generated = generate();
    if std::env::var_os("NNN_BLESS").is_some() {
        std::fs::write(header_path(), &generated).expect("write the header");
    }
    let committed = std::fs::read_to_string(header_path()).expect("include/nnn.h");
    assert!(committed == generated, "include/nnn.h is not what cbindgen makes of src/abi; run this test with NNN_BLESS=1");
}

const C_STANDARDS: [&str; 4] = ["c99", "c11", "c17", "c2x"];
const CPP_STANDARDS: [&str; 4] = ["c++11", "c++14", "c++17", "c++20"];

/// (compiler, language, standard) of everything installed; microcontrollers' C, too, where there is a compiler for it.
fn dialects() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    const CROSS: &str = "arm-none-eabi-gcc";
    let cross = Command::new(CROSS).arg("--version").output().is_ok().then_some(CROSS);
    let c = c_compilers().into_iter().chain(cross).flat_map(|compiler| C_STANDARDS.map(|standard| (compiler, "c", standard)));
    let cpp = cpp_compilers().into_iter().flat_map(|compiler| CPP_STANDARDS.map(|standard| (compiler, "c++", standard)));
    c.chain(cpp)
}

/// Compiles a text without writing anything.
fn check(mut compiler: Command, language: &str, text: &str) -> Output {
    use std::io::Write;
    use std::process::Stdio;
    // To assembly, thrown away: gcc finds dropped results only after parsing. The header needs no C library.
    compiler
        .args(["-ffreestanding", "-S", "-o", "-", "-x", language, "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = compiler.spawn().expect("start the compiler");
    child.stdin.take().expect("its input").write_all(text.as_bytes()).expect("write to it");
    child.wait_with_output().expect("wait for it")
}

/// The header twice, every macro as a constant expression, every function by its name.
fn user() -> String {
    let header = std::fs::read_to_string(header_path()).expect("include/nnn.h");
    let exports = std::fs::read_to_string(ffi_tests::artefacts::exports_list()).expect("exports.txt");
    let mut text = String::from("#include \"nnn.h\"\n#include \"nnn.h\"\n");
    let defined = header.lines().filter_map(|line| line.strip_prefix("#define NNN_"));
    let constants = defined.filter_map(|rest| rest.split_once(' ')).filter(|(name, _)| !name.contains('(') && *name != "MUST_USE");
    let mut lines = 0;
    for (name, _) in constants {
        text += &format!("long long use_{name} = NNN_{name};\n");
        lines += 1;
    }
    assert!(lines > 25, "constants were found");
    text += "unsigned char a[NNN_NEIGHBORS_SCRATCH_BYTES(16, 512)];\nunsigned char b[NNN_SEARCH_SCRATCH_BYTES(8, 10, 512)];\n";
    text += "unsigned char c[NNN_BIAS_SCRATCH_MIN_BYTES(16)];\nunsigned char d[NNN_NEIGHBORS_SCRATCH_MIN_BYTES];\n";
    text += "unsigned char f[NNN_CERTIFIED_SCRATCH_BYTES(16, 512)];\nunsigned char g[NNN_CERTIFIED_SCRATCH_MIN_BYTES(16)];\n";
    text +=
        "unsigned char h[NNN_COARSE_CHECK_SCRATCH_BYTES(1000)];\nunsigned char i[NNN_COARSE_TRAIN_SCRATCH_BYTES(1000, 32, 512)];\n";
    text +=
        "unsigned char j[NNN_COARSE_SCRATCH_BYTES(1, 32, 4, 512)];\nunsigned char l[NNN_COARSE_SCRATCH_BYTES(100, 32, 4, 512)];\n";
    text += "int signed_k = 16;\nsize_t e(void);\n";
    text += "size_t e(void) { return NNN_NEIGHBORS_SCRATCH_BYTES(signed_k, 512) + NNN_SEARCH_SCRATCH_BYTES(signed_k, 1, 1); }\n";
    text += "#if NNN_VERSION < 1000 || NNN_VERSION != NNN_VERSION_MAJOR * 1000000 + NNN_VERSION_MINOR * 1000 + NNN_VERSION_PATCH\n";
    text += "#error the version is composed wrongly\n#endif\n";
    text += "typedef void (*function)(void);\nfunction functions[] = {\n";
    for name in exports.lines() {
        text += &format!("    (function)&{name},\n");
    }
    text + "};\n"
}

#[test]
fn header_compiles_without_warnings_in_every_dialect() {
    let text = user();
    for (compiler, language, standard) in dialects() {
        let mut command = strict(compiler, standard);
        command.args(["-Wshadow", "-Wcast-align", "-Wno-cast-function-type"]);
        let output = check(command, language, &text);
        assert!(output.status.success(), "{compiler} {standard}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// A use of `nnn_cpu.h`, included twice.
const CPU_USER: &str = "#include \"nnn_cpu.h\"\n#include \"nnn_cpu.h\"\n\
    nnn_status f(void);\nnnn_status f(void) { return nnn_cpu_detect(); }\n";

#[test]
fn cpu_header_compiles_without_warnings_in_every_dialect() {
    for (compiler, language, standard) in dialects() {
        let mut command = strict(compiler, standard);
        command.args(["-Wshadow", "-Wcast-align", "-Wmissing-declarations"]);
        let output = check(command, language, CPU_USER);
        assert!(output.status.success(), "{compiler} {standard}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Its branches for the systems that are not run here, against the declarations that Apple's and Microsoft's headers have.
#[test]
fn cpu_header_compiles_for_other_systems() {
    const SYSCTL: &str = "int sysctlbyname(const char *, void *, size_t *, void *, size_t);";
    const WINDOWS: &str = "int __stdcall IsProcessorFeaturePresent(unsigned long);";
    const AUXV: &str = "unsigned long getauxval(unsigned long);\n#define AT_HWCAP 16\n#define AT_HWCAP2 26";
    if !c_compilers().contains(&"clang") {
        println!("skipped: no clang, the only compiler for other systems");
        return;
    }
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("cpu-header");
    let wrap = |text| format!("#ifdef __cplusplus\nextern \"C\" {{\n#endif\n{text}\n#ifdef __cplusplus\n}}\n#endif\n");
    for (name, text) in [("sys/types.h", ""), ("sys/sysctl.h", SYSCTL), ("windows.h", WINDOWS), ("sys/auxv.h", AUXV)] {
        let file = folder.join(name);
        std::fs::create_dir_all(file.parent().expect("in a folder")).expect("make the folder");
        std::fs::write(file, wrap(text)).expect("write a header");
    }
    let systems = [
        ("arm64-apple-macos11", "sysctlbyname"),
        ("arm64-apple-ios14", "sysctlbyname"),
        ("aarch64-pc-windows-msvc", "IsProcessorFeaturePresent"),
        ("aarch64-linux-android21", "getauxval"),
        ("aarch64-none-elf", ""),
        ("thumbv7em-none-eabihf", ""),
    ];
    for (target, call) in systems {
        for (language, standard) in [("c", "c99"), ("c", "c11"), ("c++", "c++11"), ("c++", "c++20")] {
            let mut command = strict("clang", standard);
            command.arg(format!("--target={target}")).args(["-ffreestanding", "-isystem"]).arg(&folder);
            command.args(["-O1", "-S", "-o", "-", "-x", language, "-"]).args((language == "c++").then_some("-nostdinc++"));
            let assembly = assembled(command, CPU_USER);
            assert!(call.is_empty() || assembly.contains(call), "{target}: {assembly}");
            assert_eq!(assembly.contains("nnn_cpu_hwcap"), !call.is_empty(), "{target}: {assembly}");
        }
    }
}

/// What a compiler makes of a text.
#[track_caller]
fn assembled(mut command: Command, text: &str) -> String {
    use std::io::Write;
    use std::process::Stdio;
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("start the compiler");
    child.stdin.take().expect("its input").write_all(text.as_bytes()).expect("write to it");
    let output = child.wait_with_output().expect("wait for it");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("assembly is text")
}

#[test]
fn dropped_status_is_a_warning_in_every_dialect() {
    let program = |statement: &str| format!("#include \"nnn.h\"\nvoid f(float *t);\nvoid f(float *t) {{ {statement}; }}\n");
    for (compiler, language, standard) in dialects() {
        let kept = check(strict(compiler, standard), language, &program("if (nnn_neighbors_init(t, 1, 1) != NNN_OK) *t = 0"));
        assert!(kept.status.success(), "{compiler} {standard}: {}", String::from_utf8_lossy(&kept.stderr));
        let dropped = check(strict(compiler, standard), language, &program("nnn_neighbors_init(t, 1, 1)"));
        let message = String::from_utf8_lossy(&dropped.stderr);
        assert!(!dropped.status.success() && message.contains("unused-"), "{compiler} {standard}: {message}");
    }
}

/// The static asserts see a struct of another layout.
#[test]
fn changed_layout_does_not_compile() {
    let text = user();
    let changed = text
        .replace("#include \"nnn.h\"", "#include <stddef.h>\n#include <stdint.h>\n#define uint32_t uint64_t\n#include \"nnn.h\"");
    for (compiler, language, standard) in dialects().filter(|(_, _, standard)| *standard != "c99") {
        let message = check(strict(compiler, standard), language, &changed);
        let message = String::from_utf8_lossy(&message.stderr).into_owned();
        assert!(message.contains("layout of nnn.h"), "{compiler} {standard}: {message}");
    }
}

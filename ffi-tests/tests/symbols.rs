//! What the binaries export, need and contain.
#![cfg(target_os = "linux")]

use ffi_tests::artefacts::{exports_list, library, repository, run};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

const FOLDER: &str = env!("CARGO_TARGET_TMPDIR");

/// All that a freestanding compiler may call anyway.
const ALLOWED: [&str; 4] = ["memcpy", "memmove", "memset", "memcmp"];

fn exports() -> BTreeSet<String> {
    std::fs::read_to_string(exports_list()).expect("exports.txt").lines().map(str::to_owned).collect()
}

/// (type letter, name) of the symbols of a file.
fn symbols(flags: &[&str], file: &Path) -> Vec<(char, String)> {
    let text = run(Command::new("nm").args(flags).arg(file));
    let entry = |line: &str| {
        let mut words = line.split_whitespace().rev();
        let name = words.next()?.to_owned();
        let letter = words.next().filter(|word| word.len() == 1)?.chars().next()?;
        Some((letter, name))
    };
    text.lines().filter_map(entry).collect()
}

fn names(symbols: &[(char, String)], of: impl Fn(char) -> bool) -> BTreeSet<String> {
    symbols.iter().filter(|(letter, _)| of(*letter)).map(|(_, name)| name.clone()).collect()
}

/// A changed list is a changed ABI: additions aside, it means a new NNN_ABI_VERSION.
#[test]
fn shared_library_exports_the_committed_list() {
    let symbols = symbols(&["-D", "--defined-only"], &library(FOLDER).shared);
    assert_eq!(names(&symbols, |_| true), exports());
}

#[test]
fn header_declares_the_committed_list() {
    let header = std::fs::read_to_string(repository().join("include/nnn.h")).expect("include/nnn.h");
    let code = header.lines().filter(|line| !line.starts_with("//") && !line.starts_with(" *") && !line.starts_with('#'));
    let call = |line: &str| {
        let (before, _) = line.split_once('(')?;
        let name = before.rsplit([' ', '*']).next()?;
        name.starts_with("nnn_").then(|| name.to_owned())
    };
    assert_eq!(code.filter_map(call).collect::<BTreeSet<_>>(), exports());
}

#[test]
fn prelinked_archive_defines_only_the_exports_and_needs_only_memory_functions() {
    let symbols = symbols(&["-g"], &library(FOLDER).prelinked);
    assert_eq!(names(&symbols, |letter| letter != 'U'), exports());
    let undefined = names(&symbols, |letter| letter == 'U');
    assert!(undefined.iter().all(|name| ALLOWED.contains(&name.as_str())), "undefined: {undefined:?}");
}

/// As the compiler leaves it. The archive's other members are the compiler's run-time library; that nothing reaches them is what
/// this shows.
#[test]
fn release_archive_needs_only_memory_functions() {
    let text = run(Command::new("nm").arg("-gA").arg(&library(FOLDER).archive));
    let own: Vec<_> = text.lines().filter(|line| line.contains(".a:nnn.")).collect();
    assert!(own.iter().any(|line| line.ends_with(" T nnn_version")), "{own:?}");
    let undefined: Vec<_> = own.iter().filter_map(|line| line.split_once(" U ")).map(|(_, name)| name).collect();
    assert!(undefined.iter().all(|name| ALLOWED.contains(name)), "undefined: {undefined:?}");
}

/// No mutable data but the cached choice of the instruction set: one byte.
#[test]
fn one_byte_of_state() {
    let text = run(Command::new("size").arg("-A").arg(&library(FOLDER).prelinked));
    let size = |prefix: &str| -> u64 {
        let sections = text.lines().filter(|line| line.starts_with(prefix) && !line.starts_with(".data.rel.ro"));
        sections.filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).sum()
    };
    assert!(size(".text") > 1000, "{text}");
    assert_eq!((size(".data"), size(".bss")), (0, 1), "{text}");
}

/// The proof that a reachable panic does not link: the library's handler in a library that can panic, and in one that cannot.
#[test]
fn reachable_panic_is_an_undefined_symbol() {
    let folder = Path::new(FOLDER).join(format!("panic-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let handler = repository().join("ffi-tests/capi/src/panic.rs");
    let symbol = |name: &str, body: &str| {
        let (source, object) = (folder.join(format!("{name}.rs")), folder.join(format!("{name}.o")));
        let text = format!(
            "#![no_std]\n#[path = {handler:?}]\nmod panic;\n#[unsafe(no_mangle)]\n\
             pub extern \"C\" fn nnn_probe(i: usize) -> u8 {{\n    {body}\n}}\n"
        );
        std::fs::write(&source, text).expect("write the source");
        let rustc = std::env::var_os("RUSTC").unwrap_or("rustc".into());
        let archive = folder.join(format!("lib{name}.a"));
        let flags =
            ["--edition=2024", "--crate-type=staticlib", "-Copt-level=3", "-Clto=fat", "-Ccodegen-units=1", "-Cpanic=abort"];
        run(Command::new(rustc).args(flags).arg("-o").arg(&archive).arg(&source));
        run(Command::new("ld").args(["-r", "--gc-sections", "-u", "nnn_probe", "-o"]).arg(&object).arg(&archive));
        symbols(&["-u"], &object).into_iter().any(|(_, name)| name == "nnn_a_panic_is_reachable")
    };
    assert!(symbol("panics", "[1u8, 2, 3][i]"));
    assert!(!symbol("total", "[1u8, 2, 3].get(i).copied().unwrap_or(0)"));
    std::fs::remove_dir_all(folder).expect("remove the folder");
}

/// Instruction sets beyond the baseline, as what an instruction shows of them.
#[cfg(target_arch = "x86_64")]
mod instruction_sets {
    use super::*;

    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
    enum Level {
        Baseline,
        /// VEX: AVX, AVX2, FMA, BMI.
        Vex,
        /// VEX with the int8 dot product.
        VexVnni,
        /// EVEX: 512-bit registers, masks, registers 16 to 31.
        Evex,
        EvexVnni,
    }

    /// The least level that has an instruction, as `objdump` prints it (AT&T syntax).
    fn level_of(mnemonic: &str, operands: &str) -> Level {
        const GENERAL_VEX: [&str; 12] =
            ["andn", "bextr", "blsi", "blsmsk", "blsr", "bzhi", "mulx", "pdep", "pext", "rorx", "sarx", "shlx"];
        let high_register = |kind: &str| (16..32).any(|i| operands.contains(&format!("%{kind}mm{i}")));
        let masks = (0..8).any(|i| operands.contains(&format!("%k{i}")));
        let evex = operands.contains("%zmm") || masks || high_register("x") || high_register("y");
        let vnni = mnemonic.starts_with("vpdp");
        // `andnps` and `andnpd` are SSE; the others take an operand size at most.
        let named = |name: &str| mnemonic.strip_prefix(name).is_some_and(|suffix| ["", "l", "q"].contains(&suffix));
        let general = GENERAL_VEX.iter().any(|name| named(name)) || named("shrx");
        let vex = mnemonic.starts_with('v') && !["verr", "verw"].contains(&mnemonic) || general;
        match (evex, vnni) {
            (true, true) => Level::EvexVnni,
            (true, false) => Level::Evex,
            (false, true) => Level::VexVnni,
            (false, false) if vex => Level::Vex,
            _ => Level::Baseline,
        }
    }

    /// What a function may use, by the instruction set that its path names.
    fn allowed(function: &str, level: Level) -> bool {
        let levels: &[Level] = match function {
            f if f.contains("::avx512vnni::") => return true,
            f if f.contains("::avx512::") => &[Level::Vex, Level::Evex],
            f if f.contains("::avxvnni::") => &[Level::Vex, Level::VexVnni],
            f if f.contains("::avx2::") => &[Level::Vex],
            _ => &[],
        };
        level == Level::Baseline || levels.contains(&level)
    }

    /// (function, mnemonic, operands) of every instruction of the library's own members of an archive.
    fn disassemble(archive: &Path) -> Vec<(String, String, String)> {
        const PREFIXES: [&str; 6] = ["{vex}", "{evex}", "{vex3}", "lock", "rep", "notrack"];
        let text = run(Command::new("objdump").args(["-d", "-C", "--no-show-raw-insn"]).arg(archive));
        let (mut own, mut function, mut instructions) = (false, String::new(), Vec::new());
        for line in text.lines() {
            if let Some((member, _)) = line.split_once(": ").filter(|(_, rest)| rest.contains("file format")) {
                own = member.starts_with("nnn.");
            } else if let Some((_, name)) = line.split_once(" <").filter(|_| line.ends_with(">:")) {
                function = name.trim_end_matches(">:").to_owned();
            } else if let Some((_, code)) = line.split_once(":\t").filter(|_| own) {
                let mut words = code.split_whitespace().skip_while(|word| PREFIXES.contains(word));
                let mnemonic = words.next().unwrap_or_default().to_owned();
                instructions.push((function.clone(), mnemonic, words.collect::<Vec<_>>().join(" ")));
            }
        }
        instructions
    }

    /// One instruction of a higher level outside of its functions crashes the machines that the dispatch protects.
    #[test]
    fn stay_in_the_functions_that_carry_their_name() {
        let mut seen = BTreeSet::new();
        for (function, mnemonic, operands) in disassemble(&library(FOLDER).archive) {
            let level = level_of(&mnemonic, &operands);
            assert!(allowed(&function, level), "{level:?} in {function}: {mnemonic} {operands}");
            seen.insert(level);
        }
        // The check sees them: every level occurs where it may.
        let all = [Level::Baseline, Level::Vex, Level::VexVnni, Level::Evex, Level::EvexVnni];
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), all);
    }

    #[test]
    fn levels_of_instructions() {
        for (code, level) in [
            ("movaps %xmm0,%xmm1", Level::Baseline),
            ("mulps %xmm15,%xmm1", Level::Baseline),
            ("vmovaps %xmm0,%xmm1", Level::Vex),
            ("vfmadd231ps %ymm0,%ymm1,%ymm2", Level::Vex),
            ("shlx %rax,%rbx,%rcx", Level::Vex),
            ("vpdpbusd %ymm0,%ymm1,%ymm2", Level::VexVnni),
            ("vaddps %zmm0,%zmm1,%zmm2", Level::Evex),
            ("vaddps %ymm17,%ymm1,%ymm2", Level::Evex),
            ("kmovd %k1,%eax", Level::Evex),
            ("vpdpbusd %zmm0,%zmm1,%zmm2", Level::EvexVnni),
        ] {
            let (mnemonic, operands) = code.split_once(' ').expect("operands");
            assert_eq!(level_of(mnemonic, operands), level, "{code}");
        }
        assert!(!allowed("nnn_dot_f32", Level::Vex) && !allowed("nnn::simd::avx2::f", Level::Evex));
        assert!(!allowed("nnn::simd::avx512::f", Level::EvexVnni) && allowed("nnn::simd::avx2::f", Level::Vex));
    }
}

//! The benchmark beside other libraries (`ffi-tests/peers`) is not run here: that takes minutes and its peers. Its Python compiles,
//! and names only functions that the library exports.

use ffi_tests::artefacts::repository;
use std::process::Command;

/// The Python of the driver.
fn sources() -> Vec<std::path::PathBuf> {
    let folder = repository().join("ffi-tests/peers");
    let entries = std::fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").path());
    let sources: Vec<_> = entries.filter(|path| path.extension().is_some_and(|extension| extension == "py")).collect();
    assert!(sources.len() >= 4, "{sources:?}");
    sources
}

#[test]
fn python_compiles() {
    // Parsed only: nothing is imported, no cache is written.
    let program = "import ast, sys\nfor path in sys.argv[1:]: ast.parse(open(path, encoding='utf-8').read(), path)";
    let Ok(output) = Command::new("python3").args(["-c", program]).args(sources()).output() else {
        println!("skipped: no python3");
        return;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn named_functions_exist() {
    let exports = std::fs::read_to_string(repository().join("ffi-tests/exports.txt")).expect("the exports");
    let driver = std::fs::read_to_string(repository().join("ffi-tests/peers/libnnn.py")).expect("libnnn.py");
    let named: Vec<&str> =
        driver.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| word.starts_with("nnn_")).collect();
    assert!(named.len() > 10, "{named:?}");
    for name in named {
        assert!(exports.lines().any(|line| line == name), "{name} is not exported");
    }
}

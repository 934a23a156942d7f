//! `nnn demo` on the shipped embeddings prints the figures that float64 gives (see examples/data/pydoc-minilm/README.md).

mod common;

use common::{Folder, run, run_failing};

/// Numbers of the table's row `label`, in the `occurrence`-th comparison (0: f32, 1: int8).
fn figures(page: &str, label: &str, occurrence: usize) -> Vec<f64> {
    let rows: Vec<&str> = page.lines().filter(|line| line.contains(&format!("{label} ")) && line.contains('|')).collect();
    let words = rows[occurrence].split_whitespace();
    words.filter_map(|word| word.parse().ok()).collect()
}

fn near(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= tolerance, "found {found}, expected {expected} within {tolerance}");
    }
}

/// R@1, R@5, R@10, skewness, maximum and never retrieved (percent), in float64.
const PLAIN: [f64; 6] = [43.3172, 70.3704, 77.6704, 1.73645, 51.0, 2.241];

/// Half a unit of the last printed digit.
const PRINTED: f64 = 0.0051;

/// One query of 1863: f32 may swap two rows whose float64 scores are as good as equal.
const QUERY: f64 = 100.0 / 1863.0;

#[test]
fn defaults_reproduce_the_float64_figures() {
    let folder = Folder::new("demo-defaults");
    let page = run(folder.path(), &["demo"]);
    near(&figures(&page, "plain", 0), &PLAIN, PRINTED);
    let debiased = figures(&page, "debiased", 0);
    near(&debiased[..5], &[46.2695, 73.2689, 79.9249, 0.96702, 30.0], PRINTED);
    near(&figures(&page, "gain", 0), &[46.27 - 43.32, 73.27 - 70.37, 79.92 - 77.67], 2.0 * PRINTED);

    // int8: recall within 0.2 points of f32, the same hubs.
    let (plain, debiased) = (figures(&page, "plain", 1), figures(&page, "debiased", 1));
    near(&plain[..3], &PLAIN[..3], 0.2);
    near(&debiased[..3], &[46.2695, 73.2689, 79.9249], 0.2);
    near(&[plain[3], debiased[3]], &[1.73645, 0.96702], 0.05);

    assert!(page.contains("43.3 % of the queries before, 46.3 % after"), "{page}");
    assert!(page.contains("queries/s") && page.contains("GFLOP/s") && page.contains("thread"), "{page}");
    assert_eq!(page.matches("     before  ").count(), 3);
    assert_eq!(page.matches("     after   ").count(), 3);
    assert_eq!(folder.names(), ["nnn-demo.svg"]);
}

#[test]
fn another_instruction_set_or_thread_count_prints_the_same_quality() {
    let folder = Folder::new("demo-isas");
    let table = |arguments: &[&str]| {
        let page = run(folder.path(), &[&["demo"], arguments].concat());
        ["plain", "debiased"].map(|label| [0, 1].map(|side| figures(&page, label, side)))
    };
    let expected = table(&["--threads", "1"]);
    assert_eq!(table(&["--threads", "3"]), expected);
    // One is enough here: the tests of `nnn bias` and `nnn search` run all of them on small files.
    if let Some(isa) = nnn::Isa::available().find(|isa| isa.has_fma()) {
        assert_eq!(table(&["--isa", isa.name()]), expected, "{}", isa.name());
    }
}

#[test]
fn k_and_alpha_are_those_given() {
    let folder = Folder::new("demo-grid");
    for (k, alpha, recalls) in [("1", "0.5", [44.9275, 71.766, 78.6903]), ("128", "1.5", [42.2437, 68.7601, 78.2072])] {
        let page = run(folder.path(), &["demo", "-k", k, "--alpha", alpha, "--svg", "picture.svg"]);
        let found = figures(&page, "debiased", 0);
        near(&found[..3], &recalls, QUERY + PRINTED);
    }
    assert_eq!(folder.names(), ["picture.svg"]);
}

#[test]
fn the_picture_of_the_readme_is_the_one_the_demo_draws() {
    if !nnn::Isa::active().has_fma() {
        return; // near ties may fall the other way
    }
    let folder = Folder::new("demo-picture");
    run(folder.path(), &["demo"]);
    let committed = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/hubness.svg");
    let committed = std::fs::read_to_string(committed).unwrap().replace("\r\n", "\n");
    let drawn = String::from_utf8(folder.read("nnn-demo.svg")).unwrap();
    assert!(drawn == committed, "run `nnn demo --svg examples/data/hubness.svg` and look at the result");
}

#[test]
fn missing_data_say_what_to_do() {
    let folder = Folder::new("demo-missing");
    let message = run_failing(folder.path(), &["demo", "--data", "nowhere"]);
    assert!(message.contains("gallery.npy") && message.contains("--data") && message.contains("clone"), "{message}");
    let message = run_failing(folder.path(), &["demo", "-k", "2366"]);
    assert!(message.contains("2366") && message.contains("2365 rows"), "{message}");
    assert_eq!(folder.names(), [""; 0], "no picture after a failure");
}

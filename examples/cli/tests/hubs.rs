//! `nnn hubs` and `nnn fairness`: the shipped set's known figures, small cases by definition, messages.

mod common;

use common::{Folder, Rows, nnn, npy, run, run_failing};
use serde_json::Value;

fn json(folder: &Folder, arguments: &[&str]) -> Value {
    serde_json::from_str(&run(folder.path(), &[arguments, &["--json"]].concat())).unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn hubs_of_the_shipped_set_are_named() {
    let folder = Folder::new("hubs-shipped");
    let page = run(folder.path(), &["hubs", "--top", "3", "--svg", "hubs.svg"]);
    assert!(page.contains("before      1.736") && page.contains("after       0.967"), "{page}");
    let picture = |name: &str| String::from_utf8(folder.read(name)).unwrap();
    run(folder.path(), &["demo", "--svg", "demo.svg"]);
    assert!(picture("hubs.svg") == picture("demo.svg"), "the same figures, the same picture");
    let report = json(&folder, &["hubs", "--top", "3"]);
    let hubs = report["hubs"].as_array().unwrap();
    assert_eq!(hubs.len(), 3);
    assert_eq!(hubs[0]["before"], 51);
    assert!(page.contains(&hubs[0]["text"].as_str().unwrap()[..20]), "{page}");
    assert_eq!(report["after"]["max"], 30);
}

/// Eleven rows; the twelve queries are all alike, so that ten rows are retrieved by all and the last one by none.
fn small(name: &str) -> Folder {
    let folder = Folder::new(name);
    let angle = |i: usize| [(i as f32 * 0.1).cos(), (i as f32 * 0.1).sin()];
    let gallery = Rows { rows: 11, dim: 2, data: (0..11).flat_map(angle).collect() };
    let queries = Rows { rows: 12, dim: 2, data: (0..12).flat_map(|_| [1.0, 0.0]).collect() };
    folder.write("gallery.npy", &gallery.npy());
    folder.write("queries.npy", &queries.npy());
    folder.write("bank.npy", &Rows { rows: 2, dim: 2, data: vec![0.8, 0.6, 0.8, -0.6] }.npy());
    folder
}

#[test]
fn hubs_without_a_correction_or_with_given_biases() {
    let folder = small("hubs-small");
    let files = ["hubs", "--gallery", "gallery.npy", "--queries", "queries.npy"];
    let report = json(&folder, &files);
    assert!(report["after"].is_null());
    near(&report["before"]["never"], 1.0 / 11.0);
    assert_eq!(report["hubs"][0]["row"], 0);
    assert_eq!(report["hubs"][0]["before"], 12);
    // A bias on row 0 puts it last.
    let bias: Vec<u8> = (0..11).flat_map(|row| if row == 0 { 5f32 } else { 0.0 }.to_le_bytes()).collect();
    folder.write("bias.npy", &npy("<f4", false, &[11], &bias));
    run(folder.path(), &[&files[..], &["--bias", "bias.npy", "--svg", "own.svg"]].concat());
    let drawn = String::from_utf8(folder.read("own.svg")).unwrap();
    assert!(drawn.contains("Bias: from a file.") && !drawn.contains("NNN"), "{drawn}");
    let report = json(&folder, &[&files[..], &["--bias", "bias.npy"]].concat());
    assert_eq!(report["hubs"][0]["after"], 0);
    let lines: String = (0..11).map(|row| format!("name {row}\n")).collect();
    folder.write("names.txt", lines.as_bytes());
    let page = run(folder.path(), &[&files[..], &["--texts", "names.txt", "--bank", "bank.npy", "-k", "1"]].concat());
    assert!(page.contains("name 0"), "{page}");
    folder.write("names.txt", b"one\ntwo\n");
    let message = run_failing(folder.path(), &[&files[..], &["--texts", "names.txt"]].concat());
    assert!(message.contains("names.txt") && message.contains("2 lines") && message.contains("11 rows"), "{message}");
    let message = run_failing(folder.path(), &[&files[..], &["--bank", "bank.npy"]].concat());
    assert!(message.contains("bank.npy") && message.contains("-k 16"), "{message}");
    let message = run_failing(folder.path(), &[&files[..], &["--svg", "x.svg"]].concat());
    assert!(message.contains("--bank"), "{message}");
}

fn near(found: &Value, expected: f64) {
    let found = number(found);
    assert!((found - expected).abs() <= 1e-6, "found {found}, expected {expected}");
}

#[test]
fn attribute_bias_by_definition() {
    let folder = small("fairness-small");
    // The first five rows by score are 0 to 4: +1 +1 -1 0 +1, so 2 of 5; of the first two, 2 of 2.
    folder.write("labels.txt", b"f\nf\nm\nx\nf\nm\nm\nm\nm\nm\nm\n");
    folder.write("bank-labels.txt", b"f\nm\n");
    folder.write("answers.txt", "1 3\n".repeat(12).as_bytes());
    let files =
        ["fairness", "--gallery", "gallery.npy", "--queries", "queries.npy", "--bank", "bank.npy", "--labels", "labels.txt"];
    let more = ["--attribute-a", "f", "--attribute-b", "m", "-n", "2,5", "-k", "1"];
    let all = [&files[..], &more, &["--bank-labels", "bank-labels.txt", "--answers", "answers.txt"]].concat();
    let report = json(&folder, &all);
    let plain = &report["runs"][0]["depths"];
    near(&plain[0]["mean"], 1.0);
    near(&plain[1]["mean"], 0.4);
    near(&plain[1]["mean_abs"], 0.4);
    near(&plain[0]["precision"], 50.0);
    near(&plain[1]["precision"], 40.0);
    assert_eq!(report["runs"][2]["bank_rows"], 2);
    // A balanced bank of all rows is the bank.
    assert_eq!(report["runs"][2]["depths"], report["runs"][1]["depths"]);
    // Numbers as labels.
    let numbers: Vec<u8> = [1, 1, -1, 0, 1, -1, -1, -1, -1, -1, -1].iter().map(|label| *label as i8 as u8).collect();
    folder.write("labels.npy", &npy("|i1", false, &[11], &numbers));
    let arguments = [&files[..8], &["labels.npy", "-n", "2,5", "-k", "1"]].concat();
    assert_eq!(json(&folder, &arguments)["runs"][0]["depths"][1]["mean"], plain[1]["mean"]);

    let message = run_failing(folder.path(), &[&files[..], &["-k", "1"]].concat());
    assert!(message.contains("labels.txt") && message.contains("\"1\"") && message.contains("--attribute-a"), "{message}");
    let message = run_failing(folder.path(), &[&files[..], &more, &["--bank-labels", "labels.txt"]].concat());
    assert!(message.contains("11 labels") && message.contains("bank has 2 rows"), "{message}");
    let message = run_failing(folder.path(), &[&files[..], &more, &["-n", "12"]].concat());
    assert!(message.contains("gallery.npy") && message.contains("-n 12"), "{message}");
}

#[test]
fn the_shipped_illustration_and_the_protocol() {
    let folder = Folder::new("fairness-shipped");
    let report = json(&folder, &["fairness"]);
    assert_eq!((&report["gallery"]["a"], &report["gallery"]["rows"]), (&1491.into(), &2365.into()));
    let runs = report["runs"].as_array().unwrap();
    assert_eq!(runs.iter().map(|run| run["name"].as_str().unwrap()).collect::<Vec<_>>(), ["plain", "NNN", "NNN, balanced"]);
    // One answer per query: precision at 1 is recall at 1, at 10 a tenth of recall at 10.
    near_percent(&runs[0]["depths"][0]["precision"], 43.3172);
    near_percent(&runs[1]["depths"][2]["precision"], 7.99249);
    for depth in runs.iter().flat_map(|run| run["depths"].as_array().unwrap()) {
        assert!(number(&depth["mean_abs"]) >= number(&depth["mean"]).abs());
    }
    let help = String::from_utf8(nnn(folder.path(), &["fairness", "--help"]).stdout).unwrap();
    assert!(help.contains("VisoGender") && help.contains("COCO") && help.contains("--attribute-a"), "{help}");
}

fn near_percent(found: &Value, expected: f64) {
    assert!((number(found) - expected).abs() <= 100.0 / 1863.0 + 1e-4, "found {found}, expected {expected}");
}

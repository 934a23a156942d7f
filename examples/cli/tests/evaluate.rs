//! `nnn evaluate` and `nnn tune`: the float64 figures of the shipped set, small cases by definition, leaks, messages.

mod common;

use common::{Folder, Rows, nnn, npy, run, run_failing};
use serde_json::Value;

/// One query of 1863: f32 may swap two rows whose float64 scores are as good as equal.
const QUERY: f64 = 100.0 / 1863.0 + 1e-4;

fn shipped(name: &str) -> String {
    format!("{}/../data/pydoc-minilm/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn json(folder: &Folder, arguments: &[&str]) -> Value {
    serde_json::from_str(&run(folder.path(), &[arguments, &["--json"]].concat())).unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn recalls(run: &Value) -> [f64; 3] {
    ["1", "5", "10"].map(|depth| number(&run["recall"][depth]))
}

fn method<'a>(report: &'a Value, name: &str) -> &'a Value {
    report["methods"].as_array().unwrap().iter().find(|method| method["name"] == name).unwrap()
}

fn near(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "found {found}, expected {expected} within {tolerance}");
}

#[test]
fn the_whole_grid_has_the_float64_figures() {
    let folder = Folder::new("tune-grid");
    let [gallery, bank, queries, answers] = ["gallery.npy", "bank.npy", "queries.npy", "answers.npy"].map(shipped);
    let files = ["tune", "--gallery", &gallery, "--bank", &bank, "--queries", &queries, "--answers", &answers, "--normalize"];
    let report = json(&folder, &files);
    for (depth, expected) in [("1", 43.3172), ("5", 70.3704), ("10", 77.6704)] {
        near(number(&report["plain"][depth]), expected, QUERY);
    }
    let grid = report["grid"].as_array().unwrap();
    assert_eq!(grid.len(), 110);
    let expected = include_str!("pydoc-grid.txt").lines().filter(|line| !line.starts_with('#'));
    let mut compared = 0;
    for line in expected {
        let values: Vec<f64> = line.split(' ').map(|word| word.parse().unwrap()).collect();
        let is_it =
            |cell: &&Value| number(&cell["parameters"]["k"]) == values[0] && number(&cell["parameters"]["alpha"]) == values[1];
        let cell = grid.iter().find(is_it).unwrap_or_else(|| panic!("{line} is not in the grid"));
        for (found, expected) in recalls(cell).into_iter().zip(&values[2..]) {
            near(found, *expected, QUERY);
        }
        compared += 1;
    }
    assert_eq!(compared, 48);
    assert!(report["test"].is_null() && report["leaks"].as_array().unwrap().is_empty());
}

/// The other methods that `tune` compares have the recalls that `evaluate` measures by searching.
#[test]
fn tuning_measures_the_softmax_family_as_evaluate_does() {
    let folder = Folder::new("tune-family");
    let files = [["--gallery", "gallery.npy"], ["--bank", "bank.npy"], ["--queries", "queries.npy"], ["--answers", "answers.npy"]];
    let files: Vec<String> = files.iter().flat_map(|[flag, name]| [flag.to_string(), shipped(name)]).collect();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let tuned = json(&folder, &[&["tune", "--normalize", "--betas", "20,50", "--taus", "0.02"], &files[..]].concat());
    let grid = tuned["grid"].as_array().unwrap();
    assert_eq!(grid.len(), 110 + 3 * 2 + 1);
    let evaluated = json(
        &folder,
        &[&["evaluate", "--normalize", "--beta", "20", "--dual-query-beta", "50", "--tau", "0.02"], &files[..]].concat(),
    );
    let cases = [("inverted softmax", "beta", 20.0), ("QBNorm", "beta", 20.0), ("DualIS", "beta", 50.0), ("SN", "tau", 0.02)];
    for (name, parameter, value) in cases {
        let is_it = |cell: &&Value| cell["name"] == name && number(&cell["parameters"][parameter]) == value;
        let cell = grid.iter().find(is_it).unwrap_or_else(|| panic!("{name} is not in the grid"));
        assert_eq!(recalls(cell), recalls(method(&evaluated, name)), "{name}");
    }
}

#[test]
fn the_shipped_set_tunes_without_harm_and_draws_the_picture_of_the_readme() {
    let folder = Folder::new("tune-shipped");
    let page = run(folder.path(), &["tune", "--svg", "heat.svg"]);
    assert!(page.contains("Proposal: ") && page.contains("On the 1,863 test queries"), "{page}");
    let drawn = String::from_utf8(folder.read("heat.svg")).unwrap();
    assert!(drawn.contains("502 queries"));
    if nnn::Isa::active().has_fma() {
        let committed = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/tuning.svg");
        let committed = std::fs::read_to_string(committed).unwrap().replace("\r\n", "\n");
        assert!(drawn == committed, "run `nnn tune --svg examples/data/tuning.svg` and look at the result");
    }
    let report = json(&folder, &["tune", "--threads", "3"]);
    assert!(number(&report["test"]["tuned"]["1"]) >= number(&report["test"]["plain"]["1"]));
    assert_eq!(number(&report["test"]["queries"]), 1863.0);
    // Nothing is proposed unless its interval lies above 0.
    assert_eq!(report["proposal"].is_null(), number(&report["best_gain"]["low"]) <= 0.0);
    // A level at which hardly anything is sure: plain search it is, and the test part shows just that.
    let report = json(&folder, &["tune", "--confidence", "99.9999"]);
    assert!(report["proposal"].is_null());
    assert_eq!(report["test"]["tuned"], report["test"]["plain"]);
    let page = run(folder.path(), &["tune", "--confidence", "99.9999"]);
    assert!(page.contains("Proposal: no correction"), "{page}");
}

#[test]
fn evaluate_has_the_float64_figures_and_all_methods() {
    let folder = Folder::new("evaluate-shipped");
    let report = json(&folder, &["evaluate", "--bank-sizes", "200,2365", "--svg", "sizes.svg"]);
    let names: Vec<&str> = report["methods"].as_array().unwrap().iter().map(|method| method["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["plain", "NNN", "CSLS", "DN", "SN", "inverted softmax", "DualIS", "QBNorm", "DualDIS", "dual softmax"]);
    let expected =
        [("plain", [43.3172, 70.3704, 77.6704], 1.73645, 51, 0.02241), ("NNN", [46.2695, 73.2689, 79.9249], 0.96702, 30, 0.0)];
    for (name, expected, skewness, max, never) in expected {
        let run = method(&report, name);
        for (found, expected) in recalls(run).into_iter().zip(expected) {
            near(found, expected, QUERY);
        }
        near(number(&run["n10"]["skewness"]), skewness, 1e-4);
        assert_eq!(run["n10"]["max"], max);
        if never > 0.0 {
            near(number(&run["n10"]["never"]), never, 1e-4);
        }
    }
    let gain = &method(&report, "NNN")["gain"];
    near(number(&gain["points"]), 46.2695 - 43.3172, 2.0 * QUERY);
    assert!(number(&gain["low"]) > 0.0 && number(&gain["low"]) < number(&gain["points"]));
    assert!(number(&gain["high"]) > number(&gain["points"]));
    for run in report["methods"].as_array().unwrap() {
        assert_eq!(run["transductive"] == true, run["name"] == "dual softmax");
        assert!(number(&run["median_rank"]) >= 1.0 && recalls(run)[0] > 40.0, "{run}");
    }
    // The whole bank is the whole bank, in whatever order.
    let sizes = report["bank_sizes"].as_array().unwrap();
    assert_eq!(sizes[1]["recall"], method(&report, "NNN")["recall"]);
    assert_eq!(folder.names(), ["sizes.svg"]);
}

/// A gallery in the plane: query 0 is answered by rows 0 and 2, query 1 by row 1.
fn small(name: &str) -> Folder {
    let folder = Folder::new(name);
    let rows = |data: &[f32]| Rows { rows: data.len() / 2, dim: 2, data: data.to_vec() };
    folder.write("gallery.npy", &rows(&[1.0, 0.0, 0.0, 1.0, 0.6, 0.8, 0.8, 0.6]).npy());
    folder.write("bank.npy", &rows(&[0.28, 0.96, 0.96, 0.28, -0.6, 0.8]).npy());
    folder.write("queries.npy", &rows(&[0.96, -0.28, -0.28, 0.96, 0.7, 0.7]).npy());
    folder.write("answers.txt", b"0 2\n1\n3\n");
    folder
}

const SMALL: [&str; 8] = ["--gallery", "gallery.npy", "--bank", "bank.npy", "--queries", "queries.npy", "--answers", "answers.txt"];

#[test]
fn several_answers_in_either_format() {
    let folder = small("evaluate-answers");
    let arguments = [&["evaluate"], &SMALL[..], &["-k", "2", "--csls-k", "1"]].concat();
    let report = json(&folder, &arguments);
    // Query 2 sees rows 2 and 3 at .98 each: the lower row wins, so its answer has rank 2.
    let plain = method(&report, "plain");
    near(recalls(plain)[0], 200.0 / 3.0, 1e-9);
    near(recalls(plain)[1], 100.0, 1e-9);
    let ids: Vec<u8> = [0i32, 2, 1, -1, -1, 3].iter().flat_map(|id| id.to_le_bytes()).collect();
    folder.write("answers.npy", &npy("<i4", false, &[3, 2], &ids));
    let arguments: Vec<&str> = arguments.iter().map(|word| if *word == "answers.txt" { "answers.npy" } else { word }).collect();
    assert_eq!(recalls(method(&json(&folder, &arguments), "plain")), recalls(plain));
}

#[test]
fn a_gallery_bank_adds_dbsn() {
    let folder = small("evaluate-gallery-bank");
    folder.write("items.npy", &Rows::random(7, 2, 9).npy());
    let arguments = [&["evaluate"], &SMALL[..], &["-k", "2", "--csls-k", "1", "--tau", "0.1"]].concat();
    let own = json(&folder, &arguments);
    let given = json(&folder, &[&arguments[..], &["--gallery-bank", "items.npy"]].concat());
    let has_dbsn = |report: &Value| report["methods"].as_array().unwrap().iter().any(|method| method["name"] == "DBSN");
    assert!(has_dbsn(&given) && !has_dbsn(&own));
    assert!(own["gallery_bank_is_gallery"] == true && given["gallery_bank_is_gallery"] == false);
}

#[test]
fn a_leaking_bank_is_reported() {
    let folder = small("evaluate-leak");
    let bank = Rows { rows: 4, dim: 2, data: vec![0.28, 0.96, 0.7, 0.7, 0.0, 1.0, -0.28, 0.96] };
    folder.write("bank.npy", &bank.npy());
    for command in [&["evaluate", "-k", "2", "--csls-k", "1"][..], &["tune"]] {
        let output = nnn(folder.path(), &[command, &SMALL, &["--json"]].concat());
        assert!(output.status.success());
        let warnings = String::from_utf8(output.stderr).unwrap();
        assert_eq!(warnings.lines().count(), 2, "{warnings}");
        assert!(warnings.contains("bank.npy: 2 rows are also in queries.npy (bank row 1 equals row 2"), "{warnings}");
        assert!(warnings.contains("bank.npy: 1 row is also in gallery.npy (bank row 2 equals row 1"), "{warnings}");
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["leaks"].as_array().unwrap().len(), 2);
    }
}

#[test]
fn mistakes_name_the_file_the_place_and_the_remedy() {
    let folder = small("evaluate-errors");
    let fails = |more: &[&str], parts: &[&str]| {
        let message = run_failing(folder.path(), &[&["evaluate"], &SMALL[..], more].concat());
        for part in parts {
            assert!(message.contains(part), "{part:?} is not in {message:?}");
        }
    };
    fails(&[], &["bank.npy", "3 rows", "-k 16", "lower"]);
    fails(&["-k", "2"], &["--csls-k 10"]);
    fails(&["-k", "2", "--csls-k", "1", "--bank-sizes", "1"], &["bank.npy", "--bank-sizes 1", "k = 2"]);
    for (answers, parts) in [
        ("0 2\n1\n", &["answers.txt", "answers 2 queries", "there are 3"][..]),
        ("0 2\n\n3\n", &["query 1", "no answer"]),
        ("0 2\n1\n4\n", &["query 2", "gallery row 4", "rows 0 to 3"]),
        ("0 2\n-1\n3\n", &["query 1", "gallery row -1"]),
        ("0 2\none\n3\n", &["line 2", "\"one\""]),
    ] {
        folder.write("answers.txt", answers.as_bytes());
        fails(&["-k", "2", "--csls-k", "1"], parts);
    }
    folder.write("answers.npy", &Rows::random(3, 1, 1).npy());
    let arguments =
        ["evaluate", "--gallery", "gallery.npy", "--bank", "bank.npy", "--queries", "queries.npy", "--answers", "answers.npy"];
    let message = run_failing(folder.path(), &arguments);
    assert!(message.contains("answers.npy") && message.contains("<f4") && message.contains("whole numbers"), "{message}");
    let message = run_failing(folder.path(), &[&["tune"], &SMALL[..], &["--svg", "bank.npy"]].concat());
    assert!(message.contains("bank.npy") && message.contains("also an input"), "{message}");
    // Half of the files is wrong usage.
    let output = nnn(folder.path(), &["evaluate", "--gallery", "gallery.npy"]);
    assert_eq!(output.status.code(), Some(2));
    for (option, value) in [("--beta", "0"), ("--beta", "NaN"), ("--tau", "-1"), ("--confidence", "100"), ("--alpha", "inf")] {
        assert_eq!(nnn(folder.path(), &["evaluate", option, value]).status.code(), Some(2), "{option} {value}");
    }
}

//! `nnn index`, probing, `nnn tune-probes` and `nnn export`: with all lists the bytes of the exact commands, with few a recall that is as
//! reported; exported vectors rank as the search does.

mod common;

use common::{Folder, Rows, nnn, parse_npy, refused, words};
use serde_json::Value;

const DIM: usize = 12;

/// A gallery of clusters, a bank and queries near them.
fn folder(name: &str) -> Folder {
    let folder = Folder::new(name);
    let centres = Rows::random(20, DIM, 9);
    for (file, rows, seed) in [("gallery", 400, 1), ("bank", 600, 2), ("queries", 50, 3), ("more", 70, 4)] {
        let noise = Rows::random(rows, DIM, seed);
        let near = |i: usize| {
            let (row, column) = (i / DIM, i % DIM);
            centres.row((row * 7 + seed as usize) % 20)[column] + 0.25 * noise.data[i]
        };
        folder.write(&format!("{file}.npy"), &Rows { rows, dim: DIM, data: (0..rows * DIM).map(near).collect() }.npy());
    }
    folder
}

const SEARCH: &str = "search --queries queries.npy --out-ids i.npy --out-scores s.npy";

fn found(folder: &Folder, more: &str) -> (Vec<u8>, Vec<u8>) {
    words(folder, &format!("{SEARCH} {more}"));
    (folder.read("i.npy"), folder.read("s.npy"))
}

fn ids(file: &[u8]) -> Vec<u32> {
    parse_npy(file).1.into_iter().map(u32::from_le_bytes).collect()
}

fn floats(file: &[u8]) -> Vec<f32> {
    parse_npy(file).1.into_iter().map(f32::from_le_bytes).collect()
}

#[test]
fn all_lists_give_the_bytes_of_the_exact_commands() {
    let folder = folder("coarse-all");
    for more in ["", "--normalize"] {
        let said = words(&folder, &format!("index --rows bank.npy --lists 23 --out bank.nnn {more}"));
        assert!(said.contains("bank.nnn: 23 lists"), "{said}");
        words(&folder, &format!("index --rows gallery.npy --out gallery.nnn {more}"));
        for int8 in ["", "--int8"] {
            let more = format!("{more} {int8}");
            words(&folder, &format!("bias --gallery gallery.npy --bank bank.npy --out b.npy {more}"));
            let exact = folder.read("b.npy");
            let probed = format!("bias --gallery gallery.npy --bank bank.npy --bank-index bank.nnn --out b.npy {more}");
            let said = words(&folder, &format!("{probed} --probes 23 --threads 3"));
            assert!(said.contains("23 of 23 lists: 100.00 % of all pairs"), "{said}");
            assert_eq!(folder.read("b.npy"), exact, "{more}");
            let exact = found(&folder, &format!("--gallery gallery.npy --bias b.npy {more}"));
            let all = found(&folder, &format!("--gallery gallery.npy --bias b.npy --index gallery.nnn --probes 40 {more}"));
            assert_eq!(all, exact, "{more}");
            let said = words(&folder, &format!("{SEARCH} --gallery gallery.npy --index gallery.nnn --probes 2 {more}"));
            assert!(said.contains(" % of all pairs were scored"), "{said}");
        }
    }
}

#[test]
fn an_index_that_grew_finds_the_new_rows() {
    let folder = folder("coarse-grow");
    words(&folder, "index --rows gallery.npy --lists 12 --seed 5 --out g.nnn");
    let said = words(&folder, "add --index g.nnn --rows more.npy --out g.nnn");
    let report: Value = serde_json::from_str(&words(&folder, "index --rows gallery.npy --lists 12 --out h.nnn --json")).unwrap();
    assert_eq!((report["rows"].as_u64(), report["lists"].as_u64()), (Some(400), Some(12)));
    let report: Value = serde_json::from_str(&words(&folder, "add --index h.nnn --rows more.npy --out h.nnn --json")).unwrap();
    assert_eq!((report["added"].as_u64(), report["rows"].as_u64()), (Some(70), Some(470)));
    assert!(said.contains("70 rows more") && said.contains("470 rows in 12 lists"), "{said}");
    let row = |name: &str| floats(&folder.read(name));
    let all = [row("gallery.npy"), row("more.npy")].concat();
    folder.write("all.npy", &Rows { rows: 470, dim: DIM, data: all }.npy());
    let exact = found(&folder, "--gallery all.npy");
    assert_eq!(found(&folder, "--gallery all.npy --index g.nnn --probes 12"), exact);
    refused(&folder, &format!("{SEARCH} --gallery gallery.npy --index g.nnn --probes 1"), &["g.nnn", "other rows (470 x 12)"]);
}

#[test]
fn the_proposed_probes_reach_the_recall() {
    let folder = folder("coarse-tune");
    words(&folder, "bias --gallery gallery.npy --bank bank.npy --out b.nnn");
    words(&folder, "index --rows gallery.npy --lists 30 --out g.nnn");
    let tune = "tune-probes --gallery gallery.npy --queries queries.npy --recall 0.95";
    let report: Value = serde_json::from_str(&words(&folder, &format!("{tune} --index g.nnn --bias b.nnn --json"))).unwrap();
    let proposal = &report["proposal"];
    let probes = proposal["probes"].as_u64().unwrap();
    assert!(probes < 30 && proposal["touched"].as_f64().unwrap() < 0.9, "{report}");
    let exact = ids(&found(&folder, "--gallery gallery.npy --bias b.nnn").0);
    let probed = ids(&found(&folder, &format!("--gallery gallery.npy --bias b.nnn --index g.nnn --probes {probes}")).0);
    let kept = exact.chunks(10).zip(probed.chunks(10)).flat_map(|(exact, probed)| exact.iter().filter(|id| probed.contains(id)));
    let recall = kept.count() as f64 / exact.len() as f64;
    assert!((recall - proposal["recall"].as_f64().unwrap()).abs() < 1e-12 && recall >= 0.95, "{recall}, {report}");
    for step in report["steps"].as_array().unwrap() {
        let enough = step["recall"].as_f64().unwrap() >= 0.95;
        assert!(!enough || step["probes"].as_u64().unwrap() >= probes, "{report}");
    }
    // Over the bank: the error of the biases, and the hits with them.
    words(&folder, "index --rows bank.npy --lists 30 --out bank.nnn");
    let page = words(&folder, &format!("{tune} --index bank.nnn --bank bank.npy -k 8 --int8"));
    assert!(page.contains("bias error: mean, max") && page.contains("Proposal: --probes "), "{page}");
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

/// Brute force over what was exported, by each engine's own measure.
#[test]
fn exported_vectors_rank_as_the_search() {
    let folder = folder("coarse-export");
    words(&folder, "bias --gallery gallery.npy --bank bank.npy --out b.nnn");
    let (expected, scores) = found(&folder, "--gallery gallery.npy --bias b.nnn");
    let (expected, scores) = (ids(&expected), floats(&scores));
    type Better = fn(&[f32], &[f32]) -> f64;
    let forms: [(&str, usize, Better); 3] = [
        ("ip", DIM + 1, dot),
        ("l2", DIM + 1, |q, r| -q.iter().zip(r).map(|(q, r)| (f64::from(*q) - f64::from(*r)).powi(2)).sum::<f64>()),
        ("cosine", DIM + 2, |q, r| dot(q, r) / (dot(q, q) * dot(r, r)).sqrt()),
    ];
    for (form, least, better) in forms {
        for (extension, multiple, stride) in [("npy", 1, least), ("npy", 8, 16), ("fbin", 1, least)] {
            let said = words(
                &folder,
                &format!(
                    "export --gallery gallery.npy --bias b.nnn --form {form} --multiple {multiple} --slack 0.5 --out x.{extension} \
                     --queries queries.npy --out-queries q.{extension}"
                ),
            );
            assert!(said.contains(&format!("400 vectors of {stride} floats")) && said.contains("score = "), "{said}");
            let read = |name: &str| {
                let file = folder.read(&format!("{name}.{extension}"));
                match extension {
                    "npy" => floats(&file),
                    _ => file[8..].chunks(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect(),
                }
            };
            let (rows, queries) = (read("x"), read("q"));
            assert_eq!((rows.len(), queries.len()), (400 * stride, 50 * stride));
            for (at, query) in queries.chunks(stride).enumerate() {
                let value: Vec<f64> = rows.chunks(stride).map(|row| better(query, row)).collect();
                let own = &expected[at * 10..][..10];
                // The hits, in an order that only ties of the search may change.
                for (i, pair) in own.windows(2).enumerate() {
                    let [a, b] = [0, 1].map(|i| value[pair[i] as usize]);
                    let tied = scores[at * 10 + i] - scores[at * 10 + i + 1] < 1e-5;
                    assert!(a >= b || tied, "{form}, query {at}: {a} before {b}");
                }
                let last = value[own[9] as usize];
                let above = value.iter().filter(|value| **value > last + 1e-6).count();
                assert!(above <= 9, "{form}, query {at}: {above} rows are better than the tenth hit");
            }
        }
    }
    let json = "export --gallery gallery.npy --bias b.nnn --form l2 --out x.npy --json";
    let report: Value = serde_json::from_str(&words(&folder, json)).unwrap();
    assert_eq!(
        (report["rows"].as_u64(), report["vector"].as_u64(), report["query_tail"].as_str()),
        (Some(400), Some(13), Some("0"))
    );
}

#[test]
fn mistakes_name_the_file_and_the_remedy() {
    let folder = folder("coarse-mistakes");
    words(&folder, "index --rows bank.npy --lists 9 --out bank.nnn");
    words(&folder, "bias --gallery gallery.npy --bank bank.npy --out b.nnn");
    let bias = "bias --gallery gallery.npy --bank bank.npy --bank-index bank.nnn --probes 1 --out b.npy";
    refused(&folder, &format!("{bias} --normalize"), &["bank.nnn", "was made without --int8 and --normalize"]);
    refused(&folder, &bias.replace("--bank bank.npy", "--bank gallery.npy"), &["bank.nnn", "other rows (600 x 12)"]);
    refused(&folder, &bias.replace("bank.nnn", "b.nnn"), &["b.nnn", "holds biases, not a coarse index"]);
    refused(&folder, "index --rows bank.npy --lists 601 --out x.nnn", &["bank.npy", "600 rows, fewer than", "lower --lists"]);
    refused(&folder, "index --rows bank.npy --out x.npy", &["x.npy", "extension .nnn"]);
    refused(&folder, "export --gallery gallery.npy --bias b.nnn --form ip --out x.txt", &["x.txt", ".npy or a .fbin"]);
    refused(&folder, "export --gallery bank.npy --bias b.nnn --form ip --out x.npy", &["b.nnn", "other rows"]);
    for usage in [
        "search --gallery gallery.npy --queries queries.npy --out-ids i.npy --out-scores s.npy --probes 3",
        "bias --gallery gallery.npy --bank bank.npy --bank-index bank.nnn --out b.npy",
        "add --index bank.nnn --out x.nnn",
        "export --gallery gallery.npy --bias b.nnn --form euclid --out x.npy",
        "tune-probes --gallery gallery.npy --queries queries.npy --index g.nnn --recall 1.5",
    ] {
        let output = nnn(folder.path(), &usage.split_whitespace().collect::<Vec<_>>());
        assert_eq!(output.status.code(), Some(2), "{usage}");
    }
    // A file that is cut is refused, whatever it holds.
    let whole = folder.read("bank.nnn");
    folder.write("cut.nnn", &whole[..whole.len() - 4]);
    refused(&folder, &bias.replace("bank.nnn", "cut.nnn"), &["cut.nnn", "cut or damaged"]);
}

//! `.nnn` files through the program: tables that grow have the bits of one pass, and files are refused with rows they were not made from.

mod common;

use common::{Folder, Rows, parse_npy, refused, words};

const DIM: usize = 24;

/// A gallery, a bank and queries, whole and in two parts each.
fn folder(name: &str) -> Folder {
    let folder = Folder::new(name);
    for (file, rows, cut, seed) in [("gallery", 131, 100, 1), ("bank", 90, 37, 2), ("queries", 9, 4, 3)] {
        let whole = Rows::random(rows, DIM, seed);
        let part = |rows: std::ops::Range<usize>| Rows {
            rows: rows.len(),
            dim: DIM,
            data: whole.data[rows.start * DIM..rows.end * DIM].to_vec(),
        };
        folder.write(&format!("{file}.npy"), &whole.npy());
        folder.write(&format!("{file}-1.fbin"), &part(0..cut).fbin());
        folder.write(&format!("{file}-2.f16.npy"), &part(cut..rows).npy_f16());
    }
    folder
}

#[test]
fn a_table_that_grew_has_the_bytes_of_one_pass() {
    let folder = folder("store-grow");
    for more in ["", "--int8", "--normalize", "--int8 --normalize"] {
        words(&folder, &format!("bias --gallery gallery.npy --bank bank.npy -k 20 --out b.npy --table whole.nnn {more}"));
        words(&folder, &format!("bias --gallery gallery-1.fbin --bank bank-1.fbin -k 20 --out c.npy --table t.nnn {more}"));
        let said = words(&folder, "add --table t.nnn --gallery gallery-1.fbin --bank-rows bank-2.f16.npy --out t.nnn");
        assert!(said.contains("53 rows more in the bank") && said.contains("100 rows x 20 neighbours of a bank of 90"), "{said}");
        let said = words(&folder, "add --table t.nnn --bank bank.npy --gallery-rows gallery-2.f16.npy --out u.nnn --threads 3");
        assert!(said.contains("31 rows more in the gallery") && said.contains("131 rows x 20"), "{said}");
        assert_eq!(folder.read("whole.nnn"), folder.read("u.nnn"), "{more:?}: the fingerprints too");
        words(&folder, "bias --from u.nnn -k 20 --out d.npy");
        assert_eq!(folder.read("b.npy"), folder.read("d.npy"));
        // Any smaller k and any alpha, as if computed for them.
        words(&folder, "bias --from u.nnn -k 7 --alpha 1.25 --out d.npy");
        words(&folder, &format!("bias --gallery gallery.npy --bank bank.npy -k 7 --alpha 1.25 --out b.npy {more}"));
        assert_eq!(folder.read("b.npy"), folder.read("d.npy"));
    }
}

#[test]
fn biases_that_know_their_rows_search_like_bare_ones() {
    let folder = folder("store-search");
    for more in ["", "--int8 --normalize"] {
        words(&folder, &format!("bias --gallery gallery.npy --bank bank.npy --out b.npy {more}"));
        words(&folder, &format!("bias --gallery gallery.npy --bank bank.npy --out b.nnn {more}"));
        let found = ["b.npy", "b.nnn"].map(|bias| {
            words(
                &folder,
                &format!(
                    "search --gallery gallery.npy --queries queries.npy --bias {bias} --out-ids i.npy --out-scores s.npy {more}"
                ),
            );
            (parse_npy(&folder.read("i.npy")).1, parse_npy(&folder.read("s.npy")).1)
        });
        assert_eq!(found[0], found[1]);
    }
}

#[test]
fn wrong_rows_are_refused() {
    let folder = folder("store-wrong");
    words(&folder, "bias --gallery gallery.npy --bank bank.npy --out b.nnn --table t.nnn");
    let mut other = Rows::random(131, DIM, 1);
    other.data.swap(3 * DIM, 4 * DIM);
    folder.write("other.npy", &other.npy());
    let search = "search --queries queries.npy --out-ids i.npy --out-scores s.npy";
    let same_shape = ["b.nnn", "was made from other rows (131 x 24, other values)", "other.npy", "make it again"];
    refused(&folder, &format!("{search} --gallery other.npy --bias b.nnn"), &same_shape);
    let shorter = ["b.nnn", "was made from other rows (131 x 24) than gallery-1.fbin (100 x 24"];
    refused(&folder, &format!("{search} --gallery gallery-1.fbin --bias b.nnn"), &shorter);
    refused(&folder, &format!("{search} --gallery gallery.npy --bias t.nnn"), &["t.nnn", "holds a neighbour table, not biases"]);
    let prepared = ["b.nnn", "was made without --int8 and --normalize"];
    refused(&folder, &format!("{search} --gallery gallery.npy --bias b.nnn --int8"), &prepared);
    refused(&folder, "add --table t.nnn --gallery other.npy --bank-rows bank-2.f16.npy --out u.nnn", &["t.nnn", "other rows"]);
    refused(&folder, "add --table t.nnn --bank bank-1.fbin --gallery-rows gallery-2.f16.npy --out u.nnn", &["t.nnn", "(90 x 24)"]);
    refused(
        &folder,
        "add --table t.nnn --bank bank.npy --gallery-rows gallery-2.f16.npy --out u.npy",
        &["u.npy", "extension .nnn"],
    );
    refused(&folder, "bias --from t.nnn -k 17 --out c.npy", &["t.nnn", "16 neighbours per row", "k = 17"]);
    refused(&folder, "bias --from b.nnn --out c.npy", &["b.nnn", "holds biases, not a neighbour table"]);
    let table = folder.read("t.nnn");
    folder.write("cut.nnn", &table[..table.len() - 1]);
    refused(&folder, "bias --from cut.nnn --out c.npy", &["cut.nnn", "cut or damaged", "make it again"]);
}

/// What the commands say with --json, and that they write the same files.
#[test]
fn json_says_what_the_lines_say() {
    let folder = folder("store-json");
    let json = |line: &str| -> serde_json::Value { serde_json::from_str(&words(&folder, &format!("{line} --json"))).unwrap() };
    words(&folder, "bias --gallery gallery.npy --bank bank-1.fbin -k 5 --out plain.npy");
    let said = json("bias --gallery gallery.npy --bank bank-1.fbin -k 5 --out b.npy --table t.nnn");
    assert_eq!(folder.read("b.npy"), folder.read("plain.npy"));
    let biases: Vec<f64> = parse_npy(&folder.read("b.npy")).1.into_iter().map(|b| f64::from(f32::from_le_bytes(b))).collect();
    for (name, value) in [("rows", 131.0), ("dim", DIM as f64), ("bank_rows", 37.0), ("k", 5.0), ("alpha", 0.75)] {
        assert_eq!(said[name].as_f64(), Some(value), "{name}: {said}");
    }
    assert_eq!(said["min"].as_f64(), biases.iter().copied().reduce(f64::min));
    assert_eq!(said["max"].as_f64(), biases.iter().copied().reduce(f64::max));
    assert!(said["seconds"].as_f64() > Some(0.0) && said["out"] == "b.npy", "{said}");

    let again = json("bias --from t.nnn -k 5 --out c.npy");
    assert!(again["seconds"].is_null() && again["mean"] == said["mean"] && again["bank_rows"] == 37, "{again}");
    let grown = json("add --table t.nnn --gallery gallery.npy --bank-rows bank-2.f16.npy --out u.nnn");
    assert_eq!(grown, serde_json::json!({"grown": "bank", "added": 53, "rows": 131, "bank_rows": 90, "k": 5}));
    let found = json("search --gallery gallery.npy --queries queries.npy -k 500 --out-ids i.npy --out-scores s.npy");
    assert!(found["queries"] == 9 && found["hits"] == 131 && found["out_ids"] == "i.npy", "{found}");
    let isas = json("isa");
    assert!(isas["available"].as_array().unwrap().contains(&isas["active"]), "{isas}");
}

//! `nnn bias` and `nnn search` on files: right values, and the same bytes for every format, thread count and way of conversion.

mod common;

use common::{Folder, Rows, le_bytes, nnn, npy, parse_npy, run};

fn floats(file: &[u8]) -> Vec<f32> {
    parse_npy(file).1.into_iter().map(f32::from_le_bytes).collect()
}

fn ids(file: &[u8]) -> Vec<u32> {
    parse_npy(file).1.into_iter().map(u32::from_le_bytes).collect()
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// Biases by definition, in f64.
fn biases(gallery: &Rows, bank: &Rows, k: usize, alpha: f64, score: impl Fn(&[f32], &[f32]) -> f64) -> Vec<f64> {
    let bias = |row| {
        let mut scores: Vec<f64> = (0..bank.rows).map(|j| score(gallery.row(row), bank.row(j))).collect();
        scores.sort_by(|a, b| b.total_cmp(a));
        alpha * scores[..k].iter().sum::<f64>() / k as f64
    };
    (0..gallery.rows).map(bias).collect()
}

fn assert_near(found: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((f64::from(*found) - expected).abs() <= tolerance, "value {i}: {found}, expected {expected}");
    }
}

/// A folder with a gallery, a bank and queries in all formats. Sizes are no multiples of anything.
struct Case {
    folder: Folder,
    gallery: Rows,
    bank: Rows,
    queries: Rows,
}

/// What the formats are called, and whether their rows are used in place.
const FORMATS: [&str; 4] = ["npy", "f16.npy", "fvecs", "fbin"];

impl Case {
    fn new(name: &str, rows: usize, bank_rows: usize, query_rows: usize, dim: usize) -> Self {
        let case = Case {
            folder: Folder::new(name),
            gallery: Rows::random(rows, dim, 1),
            bank: Rows::random(bank_rows, dim, 2),
            queries: Rows::random(query_rows, dim, 3),
        };
        for (name, vectors) in [("gallery", &case.gallery), ("bank", &case.bank), ("queries", &case.queries)] {
            let files = [vectors.npy(), vectors.npy_f16(), vectors.fvecs(), vectors.fbin()];
            for (format, bytes) in FORMATS.iter().zip(files) {
                case.folder.write(&format!("{name}.{format}"), &bytes);
            }
        }
        case
    }

    /// The bytes that `nnn bias` writes.
    fn bias(&self, gallery: &str, bank: &str, more: &[&str]) -> Vec<u8> {
        let arguments = ["bias", "--gallery", gallery, "--bank", bank, "--out", "bias.npy"];
        run(self.folder.path(), &[&arguments, more].concat());
        self.folder.read("bias.npy")
    }

    /// The bytes that `nnn search` writes: ids and scores.
    fn search(&self, gallery: &str, queries: &str, more: &[&str]) -> (Vec<u8>, Vec<u8>) {
        let arguments =
            ["search", "--gallery", gallery, "--queries", queries, "--out-ids", "ids.npy", "--out-scores", "scores.npy"];
        run(self.folder.path(), &[&arguments, more].concat());
        (self.folder.read("ids.npy"), self.folder.read("scores.npy"))
    }
}

#[test]
fn biases_are_those_of_the_definition() {
    let case = Case::new("bias-definition", 301, 211, 3, 37);
    let plain = case.bias("gallery.npy", "bank.npy", &[]);
    assert!(parse_npy(&plain).0.contains("'descr': '<f4'") && parse_npy(&plain).0.contains("(301, )"), "{}", parse_npy(&plain).0);
    assert_near(&floats(&plain), &biases(&case.gallery, &case.bank, 16, 0.75, dot), 1e-6);
    let other = case.bias("gallery.npy", "bank.npy", &["-k", "211", "--alpha", "-1.5"]);
    assert_near(&floats(&other), &biases(&case.gallery, &case.bank, 211, -1.5, dot), 1e-6);
    let cosines = case.bias("gallery.npy", "bank.npy", &["-k", "3", "--normalize"]);
    assert_near(&floats(&cosines), &biases(&case.gallery, &case.bank, 3, 0.75, cosine), 1e-6);
    // int8: the codes are within half a step, 1/254 of the largest element, of the rows.
    let codes = case.bias("gallery.npy", "bank.npy", &["-k", "3", "--normalize", "--int8"]);
    assert_near(&floats(&codes), &biases(&case.gallery, &case.bank, 3, 0.75, cosine), 0.01);
    assert_ne!(codes, cosines);
}

/// The two commands of README's section on the program, as they stand there.
#[test]
fn the_commands_of_the_readme_run() {
    let case = Case::new("readme", 40, 30, 5, 16);
    case.folder.write("captions.npy", &case.bank.npy());
    for name in ["live.npy", "held-out.npy", "prompts.npy", "new.npy"] {
        case.folder.write(name, &case.queries.npy());
    }
    let answers: Vec<u8> = (0..5i32).flat_map(i32::to_le_bytes).collect();
    case.folder.write("answers.npy", &npy("<i4", false, &[5], &answers));
    case.folder.write("names.txt", "name\n".repeat(40).as_bytes());
    case.folder.write("labels.txt", "1\n-1\n".repeat(20).as_bytes());
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md")).unwrap();
    let commands: Vec<&str> = readme.lines().filter(|line| line.starts_with("nnn ")).collect();
    assert!(commands.len() >= 6, "{commands:?}");
    for command in commands {
        let command = command.split('#').next().unwrap();
        run(case.folder.path(), &command.split_whitespace().skip(1).collect::<Vec<_>>());
    }
    assert_eq!(floats(&case.folder.read("bias.npy")), floats(&case.bias("gallery.npy", "bank.npy", &[])));
    assert_eq!(ids(&case.folder.read("ids.npy")).len(), 50);
}

#[test]
fn hits_are_those_of_a_full_sort() {
    let case = Case::new("search-sort", 301, 40, 50, 37);
    case.bias("gallery.npy", "bank.npy", &["--normalize"]);
    let bias = floats(&case.folder.read("bias.npy"));
    for (more, debias) in [(&["--normalize"][..], 0.0), (&["--normalize", "--bias", "bias.npy"], 1.0)] {
        let (found, scores) = case.search("gallery.npy", "queries.npy", more);
        assert!(parse_npy(&found).0.contains("'<u4'") && parse_npy(&found).0.contains("(50, 10, )"), "{}", parse_npy(&found).0);
        assert!(parse_npy(&scores).0.contains("'<f4'") && parse_npy(&scores).0.contains("(50, 10, )"));
        for (query, (found, scores)) in ids(&found).chunks(10).zip(floats(&scores).chunks(10)).enumerate() {
            let score = |row: usize| cosine(case.queries.row(query), case.gallery.row(row)) - debias * f64::from(bias[row]);
            let mut rows: Vec<usize> = (0..301).collect();
            rows.sort_by(|a, b| score(*b).total_cmp(&score(*a)));
            let expected: Vec<f64> = rows[..10].iter().map(|row| score(*row)).collect();
            assert_near(scores, &expected, 1e-6);
            let own: Vec<f64> = found.iter().map(|id| score(*id as usize)).collect();
            assert_near(scores, &own, 1e-6);
        }
    }
}

#[test]
fn every_format_gives_the_same_bytes() {
    let case = Case::new("formats", 130, 70, 20, 24);
    for more in [&[][..], &["--normalize"], &["--int8"], &["--int8", "--normalize"]] {
        let bias = case.bias("gallery.npy", "bank.npy", more);
        let search = [more, &["--bias", "bias.npy"]].concat();
        let hits = case.search("gallery.npy", "queries.npy", &search);
        for format in FORMATS {
            let name = |what: &str| format!("{what}.{format}");
            assert!(case.bias(&name("gallery"), &name("bank"), more) == bias, "{format} {more:?}");
            assert!(case.search(&name("gallery"), &name("queries"), &search) == hits, "{format} {more:?}");
        }
        // Formats can be mixed.
        assert!(case.bias("gallery.fvecs", "bank.f16.npy", more) == bias, "{more:?}");
    }
}

#[test]
fn thread_counts_give_the_same_bytes() {
    // Enough rows for several converted blocks, and both ways of sharing out a search.
    let case = Case::new("threads", 2500, 1300, 200, 20);
    for (gallery, bank, more) in [
        ("gallery.npy", "bank.npy", &[][..]),
        ("gallery.f16.npy", "bank.fvecs", &["--normalize"]),
        ("gallery.fbin", "bank.fbin", &["--int8"]),
    ] {
        let with = |threads: &str| {
            let more = [more, &["--threads", threads]].concat();
            let bias = case.bias(gallery, bank, &more);
            (bias, case.search(gallery, "queries.npy", &[&more[..], &["--bias", "bias.npy", "-k", "7"]].concat()))
        };
        let expected = with("1");
        for threads in ["2", "3", "5", "16"] {
            assert!(with(threads) == expected, "{gallery} {threads} threads");
        }
    }
}

#[test]
fn instruction_sets_with_fused_multiply_add_give_the_same_bytes() {
    let case = Case::new("isas", 500, 300, 60, 45);
    let mut first = None;
    for isa in nnn::Isa::available() {
        for more in [&["--isa", isa.name()][..], &["--isa", isa.name(), "--int8"]] {
            let bias = case.bias("gallery.npy", "bank.npy", more);
            assert_near(
                &floats(&bias),
                &biases(&case.gallery, &case.bank, 16, 0.75, dot),
                if more.len() == 2 { 1e-5 } else { 0.05 },
            );
        }
        if isa.has_fma() {
            let more = ["--isa", isa.name()];
            let result = (case.bias("gallery.npy", "bank.npy", &more), case.search("gallery.npy", "queries.npy", &more));
            assert!(*first.get_or_insert(result.clone()) == result, "{}", isa.name());
        }
    }
    let listed = run(case.folder.path(), &["isa"]);
    let names: Vec<&str> = listed.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert!(nnn::Isa::available().map(nnn::Isa::name).eq(names));
    assert_eq!(listed.matches("in use").count(), 1);
}

#[test]
fn rows_that_are_not_aligned_are_read_all_the_same() {
    // A header of odd length, as some writers make: the floats cannot be used where they are.
    let case = Case::new("unaligned", 90, 50, 2, 9);
    let expected = case.bias("gallery.npy", "bank.npy", &[]);
    for (plain, odd) in [("gallery.npy", "odd.npy"), ("gallery.f16.npy", "odd.f16.npy")] {
        let file = case.folder.read(plain);
        let length = u16::from_le_bytes([file[8], file[9]]);
        let (head, data) = file.split_at(10 + length as usize);
        let header = [&b"\x93NUMPY\x01\x00"[..], &(length + 1).to_le_bytes(), &head[10..head.len() - 1], b" \n"].concat();
        case.folder.write(odd, &[&header, data].concat());
        assert!(case.bias(odd, "bank.npy", &[]) == expected, "{odd}");
    }
}

#[test]
fn a_small_gallery_gives_all_its_rows() {
    let case = Case::new("small-gallery", 4, 20, 3, 8);
    let page = run(
        case.folder.path(),
        &[
            "search",
            "--gallery",
            "gallery.npy",
            "--queries",
            "queries.npy",
            "-k",
            "10",
            "--out-ids",
            "i.npy",
            "--out-scores",
            "s.npy",
        ],
    );
    assert!(page.contains("4 hits per query instead of 10"), "{page}");
    let mut first: Vec<u32> = ids(&case.folder.read("i.npy"))[..4].to_vec();
    first.sort_unstable();
    assert_eq!(first, [0, 1, 2, 3]);
}

#[test]
fn a_product_that_overflows_is_no_hit() {
    let folder = Folder::new("no-hit");
    folder.write("g.npy", &npy("<f4", false, &[2, 1], &le_bytes(&[3e38, 0.5])));
    folder.write("q.npy", &npy("<f4", false, &[1, 1], &le_bytes(&[3e38])));
    run(folder.path(), &["search", "--gallery", "g.npy", "--queries", "q.npy", "--out-ids", "i.npy", "--out-scores", "s.npy"]);
    assert_eq!(ids(&folder.read("i.npy")), [1, u32::MAX]);
    assert_eq!(floats(&folder.read("s.npy")), [1.5e38, f32::NEG_INFINITY]);
}

#[test]
fn results_replace_older_files_and_leave_nothing_else() {
    let case = Case::new("replace", 20, 20, 3, 8);
    let before = case.folder.names();
    case.folder.write("bias.npy", b"old");
    let bias = case.bias("gallery.npy", "bank.npy", &[]);
    assert_eq!(floats(&bias).len(), 20);
    let mut expected = [before, vec!["bias.npy".to_owned()]].concat();
    expected.sort();
    assert_eq!(case.folder.names(), expected);
}

#[test]
fn wrong_usage_has_status_2_and_help_has_0() {
    let folder = Folder::new("usage");
    for arguments in [
        &["bias"][..],
        &["bias", "--gallery", "g.npy", "--bank", "b.npy", "--out", "o.npy", "-k", "0"],
        &["bias", "--gallery", "g.npy", "--bank", "b.npy", "--out", "o.npy", "--alpha", "nan"],
        &["bias", "--gallery", "g.npy", "--bank", "b.npy", "--out", "o.npy", "--isa", "quantum"],
        &["search", "--gallery", "g.npy", "--queries", "q.npy", "--out-ids", "o.npy"],
        &["demo", "--threads", "0"],
        &["fly"],
        &[],
    ] {
        assert_eq!(nnn(folder.path(), arguments).status.code(), Some(2), "{arguments:?}");
    }
    for arguments in [&["--help"][..], &["bias", "--help"], &["search", "-h"], &["demo", "--help"], &["--version"]] {
        let output = nnn(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert!(!output.stdout.is_empty());
    }
}

#[test]
fn a_closed_pipe_is_no_failure() {
    use std::process::{Command, Stdio};
    let folder = Folder::new("pipe");
    let mut demo = Command::new(env!("CARGO_BIN_EXE_nnn"))
        .current_dir(folder.path())
        .arg("isa")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(demo.stdout.take());
    let output = demo.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
}

//! Every failure names the file, the place and the remedy, has status 1, and leaves no file behind.

mod common;

use common::{Folder, Rows, le_bytes, npy, run_failing};

fn folder(name: &str) -> Folder {
    let folder = Folder::new(name);
    folder.write("gallery.npy", &Rows::random(30, 8, 1).npy());
    folder.write("bank.npy", &Rows::random(20, 8, 2).npy());
    folder.write("queries.npy", &Rows::random(5, 8, 3).npy());
    folder
}

/// `nnn bias` on two files must fail with a message that holds all of `parts`, and must not write anything.
fn bias_fails(folder: &Folder, gallery: &str, bank: &str, more: &[&str], parts: &[&str]) {
    let before = folder.names();
    let arguments = ["bias", "--gallery", gallery, "--bank", bank, "--out", "bias.npy"];
    let message = run_failing(folder.path(), &[&arguments, more].concat());
    for part in parts {
        assert!(message.contains(part), "{part:?} is not in {message:?}");
    }
    assert_eq!(folder.names(), before, "{message}");
}

fn search_fails(folder: &Folder, gallery: &str, more: &[&str], parts: &[&str]) {
    let before = folder.names();
    let arguments = ["search", "--gallery", gallery, "--queries", "queries.npy", "--out-ids", "ids.npy"];
    let message = run_failing(folder.path(), &[&arguments, more].concat());
    for part in parts {
        assert!(message.contains(part), "{part:?} is not in {message:?}");
    }
    assert_eq!(folder.names(), before, "{message}");
}

#[test]
fn values_that_are_not_finite_are_named() {
    let folder = folder("errors-nonfinite");
    for (bad, shown) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (f32::NEG_INFINITY, "-inf")] {
        let mut rows = Rows::random(2500, 8, 4);
        rows.data[2101 * 8 + 5] = bad;
        for (name, bytes) in
            [("x.npy", rows.npy()), ("x.f16.npy", rows.npy_f16()), ("x.fvecs", rows.fvecs()), ("x.fbin", rows.fbin())]
        {
            folder.write(name, &bytes);
            let place = [name, "row 2101, column 5", shown, "remove"];
            for more in [&[][..], &["--normalize"], &["--int8"], &["--threads", "3"]] {
                bias_fails(&folder, name, "bank.npy", more, &place);
                bias_fails(&folder, "gallery.npy", name, more, &place);
                search_fails(&folder, name, &[&["--out-scores", "s.npy"][..], more].concat(), &place);
            }
        }
    }
}

#[test]
fn damaged_files_are_named() {
    let folder = folder("errors-damaged");
    let rows = Rows::random(10, 8, 5);
    let cut = |bytes: Vec<u8>| bytes[..bytes.len() - 20].to_vec();
    folder.write("cut.npy", &cut(rows.npy()));
    folder.write("cut.fbin", &cut(rows.fbin()));
    folder.write("cut.fvecs", &cut(rows.fvecs()));
    for name in ["cut.npy", "cut.fbin", "cut.fvecs"] {
        bias_fails(&folder, name, "bank.npy", &[], &[name, "truncated inside of row 9", "write it again"]);
        bias_fails(&folder, "gallery.npy", name, &[], &[name, "truncated inside of row 9"]);
    }
    let mut longer = rows.fbin();
    longer.extend([0; 4]);
    folder.write("longer.fbin", &longer);
    bias_fails(&folder, "longer.fbin", "bank.npy", &[], &["longer.fbin", "4 bytes after its 10 rows of dim 8", "f32"]);
    folder.write("short.fbin", &[1, 0, 0]);
    bias_fails(&folder, "short.fbin", "bank.npy", &[], &["short.fbin", "8 bytes"]);
    folder.write("short.fvecs", &[1, 0, 0]);
    bias_fails(&folder, "short.fvecs", "bank.npy", &[], &["short.fvecs", "truncated inside of row 0"]);

    let mut ragged = rows.fvecs();
    ragged[36 * 7] = 9;
    folder.write("ragged.fvecs", &ragged);
    bias_fails(&folder, "ragged.fvecs", "bank.npy", &[], &["ragged.fvecs", "row 7", "dim 9", "row 0 says 8"]);
    bias_fails(&folder, "gallery.npy", "ragged.fvecs", &["--int8", "-k", "4"], &["ragged.fvecs", "row 7"]);

    folder.write("empty.npy", b"");
    bias_fails(&folder, "empty.npy", "bank.npy", &[], &["empty.npy", "is empty"]);
    folder.write("text.npy", b"1.0 2.0 3.0");
    bias_fails(&folder, "text.npy", "bank.npy", &[], &["text.npy", "magic", "numpy.save"]);
    folder.write("header.npy", b"\x93NUMPY\x01\x00\x05\x00nope\n");
    bias_fails(&folder, "header.npy", "bank.npy", &[], &["header.npy", "header", "numpy.save"]);
    bias_fails(&folder, "missing.npy", "bank.npy", &[], &["missing.npy", "cannot be read"]);
    bias_fails(&folder, ".", "bank.npy", &[], &["not a regular file"]);
    folder.write("vectors.csv", b"1,2");
    bias_fails(&folder, "vectors.csv", "bank.npy", &[], &["vectors.csv", "unknown format", ".fvecs"]);
}

#[test]
fn layouts_that_are_not_supported_are_named_with_a_remedy() {
    let folder = folder("errors-layout");
    let data = le_bytes(&Rows::random(30, 8, 6).data);
    for (name, file, parts) in [
        ("fortran.npy", npy("<f4", true, &[30, 8], &data), &["Fortran", "ascontiguousarray"][..]),
        ("big.npy", npy(">f4", false, &[30, 8], &data), &["big-endian", "astype('<f4')"]),
        ("big16.npy", npy(">f2", false, &[30, 8], &data), &["big-endian", "astype('<f2')"]),
        ("double.npy", npy("<f8", false, &[15, 8], &data), &["<f8", "astype('<f4')"]),
        ("codes.npy", npy("|i1", false, &[120, 8], &data), &["|i1", "astype('<f4')"]),
        ("vector.npy", npy("<f4", false, &[240], &data), &["shape (240)", "reshape(1, -1)"]),
        ("tensor.npy", npy("<f4", false, &[3, 10, 8], &data), &["shape (3, 10, 8)", "reshape(len(x), -1)"]),
        ("no-rows.npy", npy("<f4", false, &[0, 8], &[]), &["no rows"]),
        ("no-dim.npy", npy("<f4", false, &[30, 0], &[]), &["dim 0"]),
        ("wide.fbin", [1u32.to_le_bytes(), 131_072u32.to_le_bytes()].concat(), &["dim 131072", "131071"]),
        ("wide.fvecs", u32::MAX.to_le_bytes().to_vec(), &["dim 4294967295", "131071"]),
        ("huge.npy", npy("<f4", false, &[1 << 60, 8], &data), &["more than 2^32 - 1"]),
    ] {
        folder.write(name, &file);
        bias_fails(&folder, name, "bank.npy", &[], &[&[name], parts].concat());
    }
}

#[test]
fn operands_that_do_not_fit_are_named() {
    let folder = folder("errors-fit");
    folder.write("wide.npy", &Rows::random(20, 9, 2).npy());
    bias_fails(&folder, "gallery.npy", "wide.npy", &[], &["wide.npy", "dim 9", "gallery.npy", "dim 8", "same model"]);
    bias_fails(&folder, "gallery.npy", "bank.npy", &["-k", "21"], &["bank.npy", "20 rows", "k = 21", "lower -k"]);
    search_fails(&folder, "wide.npy", &["--out-scores", "s.npy"], &["dim 9", "dim 8"]);

    folder.write("b19.npy", &npy("<f4", false, &[19], &[0; 76]));
    search_fails(
        &folder,
        "gallery.npy",
        &["--out-scores", "s.npy", "--bias", "b19.npy"],
        &["b19.npy", "19 biases", "30 rows", "nnn bias"],
    );
    folder.write("b2d.npy", &npy("<f4", false, &[30, 1], &[0; 120]));
    search_fails(&folder, "gallery.npy", &["--out-scores", "s.npy", "--bias", "b2d.npy"], &["b2d.npy", "(30, 1)", "one dimension"]);
    folder.write("b64.npy", &npy("<f8", false, &[30], &[0; 240]));
    search_fails(&folder, "gallery.npy", &["--out-scores", "s.npy", "--bias", "b64.npy"], &["b64.npy", "<f8", "<f4"]);
    folder.write("bcut.npy", &npy("<f4", false, &[30], &[0; 100]));
    search_fails(&folder, "gallery.npy", &["--out-scores", "s.npy", "--bias", "bcut.npy"], &["bcut.npy", "truncated"]);
    let mut bad = [0f32; 30];
    bad[17] = f32::NAN;
    folder.write("bnan.npy", &npy("<f4", false, &[30], &le_bytes(&bad)));
    search_fails(&folder, "gallery.npy", &["--out-scores", "s.npy", "--bias", "bnan.npy"], &["bnan.npy", "row 17", "NaN"]);
}

#[test]
fn products_that_overflow_are_explained() {
    let folder = Folder::new("errors-overflow");
    folder.write("g.npy", &npy("<f4", false, &[3, 1], &le_bytes(&[1.0, 3e38, 1.0])));
    folder.write("b.npy", &npy("<f4", false, &[2, 1], &le_bytes(&[2.0, 3e38])));
    bias_fails(&folder, "g.npy", "b.npy", &["-k", "2"], &["g.npy", "overflow", "--normalize"]);
}

#[test]
fn outputs_that_cannot_be_written_are_refused_before_the_work() {
    let folder = folder("errors-output");
    let before = folder.names();
    let run = |out: &str| run_failing(folder.path(), &["bias", "--gallery", "gallery.npy", "--bank", "bank.npy", "--out", out]);
    assert!(run("no/such/folder.npy").contains("cannot be written"));
    assert!(run(".").contains("not a regular file"));
    assert!(run("bank.npy").contains("also an input"));
    assert_eq!(folder.names(), before);
    for spelling in ["ids.npy", "./ids.npy"] {
        search_fails(&folder, "gallery.npy", &["--out-scores", spelling], &["same file"]);
    }
    search_fails(&folder, "gallery.npy", &["--out-scores", "queries.npy"], &["queries.npy", "also an input"]);
    search_fails(&folder, "gallery.npy", &["--out-scores", "no/scores.npy"], &["no/scores.npy", "cannot be written"]);
}

#[test]
fn an_instruction_set_of_another_machine_is_refused() {
    let folder = folder("errors-isa");
    let missing = nnn::Isa::ALL.into_iter().find(|isa| !nnn::Isa::available().any(|available| available == *isa)).unwrap();
    bias_fails(&folder, "gallery.npy", "bank.npy", &["--isa", missing.name()], &[missing.name(), "scalar"]);
}

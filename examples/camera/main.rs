//! Writes `gallery.h`, the flash of the camera (`main.c` beside this file): gallery, biases, bank, the frames that it will "see",
//! and what this machine finds for them, which the camera compares with what it finds itself.
//!
//! `cargo run --release --example camera -- gallery.h`

use nnn::{Hit, Matrix};
use std::error::Error;
use std::fmt::{Display, Write};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/pydoc-minilm/");
/// Rows in flash, and one more that the camera adds itself. With 96 bank rows all of it fits 256 KiB beside the program.
const ROWS: usize = 224;
const BANK: usize = 96;
/// Rows of the f32 gallery.
const F32_ROWS: usize = 8;
const FRAMES: usize = 8;
const K: usize = 8;
const ALPHA: f32 = 0.75;
const TOP: usize = 5;

/// The first `rows` rows of a float16 `.npy` file, and their length.
fn read_rows(name: &str, rows: usize) -> Result<(Vec<f32>, usize), Box<dyn Error>> {
    let bytes = std::fs::read(format!("{DATA}{name}.npy"))?;
    let header_len = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let (header, values) = bytes[10..].split_at(header_len);
    let header = std::str::from_utf8(header)?;
    assert!(header.contains("'<f2'") && header.contains("'fortran_order': False"), "{header}");
    let dim = header.split([',', ')']).find_map(|part| part.trim().parse().ok()).ok_or("no dim")?;
    Ok((values.as_chunks().0.iter().take(rows * dim).map(|half| half_to_f32(u16::from_le_bytes(*half))).collect(), dim))
}

/// Exact for every finite half: its exponent is rebased by a power of two.
fn half_to_f32(half: u16) -> f32 {
    let magnitude = f32::from_bits(u32::from(half & 0x7FFF) << 13) * f32::from_bits((254 - 15) << 23);
    if half >> 15 == 1 { -magnitude } else { magnitude }
}

/// Codes and scales of some rows.
struct Codes {
    codes: Vec<i8>,
    scale: Vec<f32>,
    dim: usize,
}

impl Codes {
    fn of(rows: &[f32], dim: usize) -> nnn::Result<Codes> {
        let count = rows.len() / dim;
        let (mut codes, mut scale) = (vec![0; rows.len()], vec![0.0; count]);
        nnn::quantize(&Matrix::new(rows, count, dim)?, &mut codes, dim, &mut scale)?;
        Ok(Codes { codes, scale, dim })
    }

    fn matrix(&self) -> nnn::Result<Matrix<'_, i8>> {
        Matrix::new(&self.codes, self.scale.len(), self.dim)?.with_scale(&self.scale)
    }
}

/// `static const TYPE NAME[] = {...};`
fn array<T: Display>(out: &mut String, declaration: &str, values: impl IntoIterator<Item = T>) -> std::fmt::Result {
    write!(out, "static const {declaration}[] = {{")?;
    for (i, value) in values.into_iter().enumerate() {
        write!(out, "{}{value},", if i % 16 == 0 { "\n    " } else { " " })?;
    }
    writeln!(out, "\n}};")
}

/// Shortest digits that read back to the same bits.
fn float(x: &f32) -> String {
    format!("{x:e}f")
}

fn hit(hit: &Hit) -> String {
    format!("{{{}, {}}}", float(&hit.score), hit.id)
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: camera gallery.h")?;
    let (mut gallery, dim) = read_rows("gallery", ROWS + 1)?;
    let (mut bank, _) = read_rows("bank", BANK)?;
    nnn::normalize_in_place(&mut gallery, ROWS + 1, dim, dim)?;
    nnn::normalize_in_place(&mut bank, BANK, dim, dim)?;
    let (codes, bank_codes) = (Codes::of(&gallery, dim)?, Codes::of(&bank, dim)?);

    let mut scratch = vec![0; nnn::neighbors_scratch(K, dim)];
    let (mut bias, mut bias_f32) = ([0.0; ROWS + 1], [0.0; F32_ROWS]);
    nnn::bias(&codes.matrix()?, &bank_codes.matrix()?, K, ALPHA, 0..ROWS + 1, &mut scratch, &mut bias)?;
    let first_rows = Matrix::new(&gallery, F32_ROWS, dim)?;
    nnn::bias(&first_rows, &Matrix::new(&bank, BANK, dim)?, K, ALPHA, 0..F32_ROWS, &mut scratch, &mut bias_f32)?;

    // Frames: descriptions of rows that the camera holds. Of any length, as a model gives them; the camera normalises.
    let (queries, _) = read_rows("queries", usize::MAX / dim)?;
    let answers = std::fs::read(format!("{DATA}answers.npy"))?;
    let answers = answers[answers.len() - queries.len() / dim * 4..].as_chunks().0.iter().map(|b| i32::from_le_bytes(*b));
    let seen = queries.chunks(dim).zip(answers).filter(|(_, answer)| (0..=ROWS as i32).contains(answer));
    // The last of them shows the row that is added.
    let (mut frames, mut answers): (Vec<f32>, Vec<i32>) = (Vec::new(), Vec::new());
    for (frame, answer) in seen.take(FRAMES - 1) {
        frames.extend_from_slice(frame);
        answers.push(answer);
    }
    let added: Vec<f32> = gallery[ROWS * dim..].iter().map(|x| 3.0 * x).collect();
    frames.extend_from_slice(&added);
    answers.push(ROWS as i32);

    let mut unit = vec![0.0; frames.len()];
    nnn::normalize(&Matrix::new(&frames, FRAMES, dim)?, &mut unit, dim)?;
    let unit_codes = Codes::of(&unit, dim)?;
    let (mut found, none) = ([0; FRAMES], Hit { score: 0.0, id: 0 });
    let (mut hits, mut hits_f32) = ([none; FRAMES * TOP], [none; FRAMES * TOP]);
    let (q, rows) = (unit_codes.matrix()?, codes.matrix()?);
    nnn::search(&q, &rows, Some(&bias), None, TOP, 0..ROWS + 1, &mut [], &mut hits, &mut found)?;
    let q = Matrix::new(&unit, FRAMES, dim)?;
    nnn::search(&q, &first_rows, Some(&bias_f32), None, TOP, 0..F32_ROWS, &mut [], &mut hits_f32, &mut found)?;

    let mut out = String::from("/* Written by examples/camera/main.rs. */\n#include <nnn.h>\n");
    writeln!(
        out,
        "enum {{ DIM = {dim}, ROWS = {ROWS}, BANK = {BANK}, F32_ROWS = {F32_ROWS}, FRAMES = {FRAMES}, TOP = {TOP}, K = {K} }};"
    )?;
    writeln!(out, "#define ALPHA {ALPHA}f")?;
    array(&mut out, "int8_t gallery_codes", &codes.codes[..ROWS * dim])?;
    array(&mut out, "float gallery_scale", codes.scale[..ROWS].iter().map(float))?;
    array(&mut out, "float gallery_bias", bias[..ROWS].iter().map(float))?;
    array(&mut out, "int8_t bank_codes", &bank_codes.codes)?;
    array(&mut out, "float bank_scale", bank_codes.scale.iter().map(float))?;
    array(&mut out, "float gallery_f32", gallery[..F32_ROWS * dim].iter().map(float))?;
    array(&mut out, "float gallery_f32_bias", bias_f32.iter().map(float))?;
    array(&mut out, "float frames", frames.iter().map(float))?;
    let names = std::fs::read_to_string(format!("{DATA}gallery.txt"))?;
    let names = names.lines().take(ROWS + 1).map(|line| format!("{:?}", line.split('(').next().unwrap_or(line)));
    array(&mut out, "char *const names", names)?;
    out.push_str("/* What the host found. */\n");
    array(&mut out, "uint32_t answers", answers)?;
    writeln!(out, "static const float added_bias = {};", float(&bias[ROWS]))?;
    array(&mut out, "nnn_hit expected", hits.iter().map(hit))?;
    array(&mut out, "nnn_hit expected_f32", hits_f32.iter().map(hit))?;
    if let Some(folder) = std::path::Path::new(&path).parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, out)?;
    Ok(())
}

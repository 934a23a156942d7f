//! The golden file that every language's tests read (`golden/bindings.bin`) is what the C functions give: inputs, then results.
//!
//! Little-endian, arrays one after the other, each in row order:
//!
//! | | |
//! |---|---|
//! | gallery rows, bank rows, queries, dim, k, top | 6 x u32 |
//! | alpha, beta | 2 x f32 |
//! | gallery, bank, queries | f32 |
//! | allow | u64, one bit per gallery row |
//! | neighbour table | f32, gallery x k |
//! | bias of (k, alpha) | f32 per gallery row |
//! | inverted softmax bias of beta | f32 per gallery row |
//! | scores | f32, queries x gallery |
//! | plain hits; debiased and allowed hits | each: (f32, u32), queries x top, then u32 found per query; what is past found is 0 |
//! | codes and scales of gallery, bank, queries | each: i8, then f32 per row |
//! | int8 bias; int8 debiased hits | as above |

use nnn::abi::*;
use std::path::PathBuf;

const GALLERY: usize = 61;
const BANK: usize = 47;
const QUERIES: usize = 9;
const DIM: usize = 35;
const K: usize = 5;
const TOP: usize = 10;
const ALPHA: f32 = 0.75;
const BETA: f32 = 20.0;

fn path() -> PathBuf {
    ffi_tests::artefacts::repository().join("ffi-tests/golden/bindings.bin")
}

/// Unit rows that share a direction: what has hubs.
fn rows(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    let source: Vec<f32> = (0..count * DIM).map(|_| next() + 0.25).collect();
    let mut unit = vec![0.0; source.len()];
    // SAFETY: both hold count rows.
    assert_eq!(unsafe { nnn_normalize_f32(&f32s(&source), unit.as_mut_ptr(), DIM) }, 0);
    unit
}

fn f32s(data: &[f32]) -> MatF32 {
    MatF32 { data: data.as_ptr(), rows: data.len() / DIM, dim: DIM, stride: DIM }
}

fn i8s(codes: &[i8], scale: &[f32]) -> MatI8 {
    MatI8 { data: codes.as_ptr(), scale: scale.as_ptr(), rows: scale.len(), dim: DIM, stride: DIM }
}

/// The file, as the C functions make it.
fn make() -> Vec<u8> {
    let (gallery, bank, queries) = (rows(GALLERY, 1), rows(BANK, 2), rows(QUERIES, 3));
    // Fewer rows than `top` are allowed, so that some lists are short.
    let allow = [0x0001_0040_0802_1005_u64];
    let mut out = Vec::new();
    for number in [GALLERY, BANK, QUERIES, DIM, K, TOP] {
        out.extend((number as u32).to_le_bytes());
    }
    let mut put = |numbers: &[f32]| numbers.iter().for_each(|x| out.extend(x.to_le_bytes()));
    put(&[ALPHA, BETA]);
    put(&gallery);
    put(&bank);
    put(&queries);
    out.extend(allow[0].to_le_bytes());

    let mut scratch = vec![0_u8; 1 << 20];
    let (bytes, size) = (scratch.as_mut_ptr().cast(), scratch.len());
    let (g, b, q) = (f32s(&gallery), f32s(&bank), f32s(&queries));
    let (mut table, mut bias, mut softmax) = (vec![0.0; GALLERY * K], vec![0.0; GALLERY], vec![0.0; GALLERY]);
    let mut sums = Vec::<LogSum>::with_capacity(GALLERY);
    let mut scores = vec![0.0; QUERIES * GALLERY];
    // SAFETY: all matrices are of live vectors, all outputs have the room that the calls ask for.
    unsafe {
        assert_eq!(nnn_neighbors_init(table.as_mut_ptr(), GALLERY, K), 0);
        assert_eq!(nnn_neighbors_update_f32(&g, &b, K, 0, GALLERY, bytes, size, table.as_mut_ptr()), 0);
        assert_eq!(nnn_bias_f32(&g, &b, K, ALPHA, 0, GALLERY, bytes, size, bias.as_mut_ptr()), 0);
        assert_eq!(nnn_logsum_init(sums.as_mut_ptr(), GALLERY), 0);
        assert_eq!(nnn_logsum_update_f32(&g, &b, std::ptr::null(), BETA, 0, GALLERY, bytes, size, sums.as_mut_ptr()), 0);
        assert_eq!(nnn_logsum_bias(sums.as_ptr(), GALLERY, BETA, softmax.as_mut_ptr()), 0);
        assert_eq!(nnn_scores_f32(&q, &g, 0, GALLERY, scores.as_mut_ptr(), GALLERY), 0);
    }
    for numbers in [&table, &bias, &softmax, &scores] {
        numbers.iter().for_each(|x| out.extend(x.to_le_bytes()));
    }
    type Search<'a> = &'a mut dyn FnMut(*mut Hit, *mut u32) -> i32;
    let hits = |out: &mut Vec<u8>, search: Search| {
        let mut hits = vec![Hit { score: 0.0, id: 0 }; QUERIES * TOP];
        let mut found = [0_u32; QUERIES];
        assert_eq!(search(hits.as_mut_ptr(), found.as_mut_ptr()), 0);
        hits.iter().for_each(|hit| out.extend([hit.score.to_le_bytes(), hit.id.to_le_bytes()].concat()));
        found.iter().for_each(|count| out.extend(count.to_le_bytes()));
    };
    let (none, all) = (std::ptr::null_mut(), GALLERY);
    // SAFETY: as above; no scratch.
    unsafe {
        hits(&mut out, &mut |h, f| nnn_search_f32(&q, &g, std::ptr::null(), std::ptr::null(), TOP, 0, all, none, 0, h, f));
        hits(&mut out, &mut |h, f| nnn_search_f32(&q, &g, bias.as_ptr(), allow.as_ptr(), TOP, 0, all, none, 0, h, f));
    }
    let quantized = [&gallery, &bank, &queries].map(|rows| {
        let (mut codes, mut scale) = (vec![0_i8; rows.len()], vec![0.0_f32; rows.len() / DIM]);
        // SAFETY: codes and scale have room for all rows.
        assert_eq!(unsafe { nnn_quantize_i8(&f32s(rows), codes.as_mut_ptr(), DIM, scale.as_mut_ptr()) }, 0);
        out.extend(codes.iter().map(|code| *code as u8));
        scale.iter().for_each(|x| out.extend(x.to_le_bytes()));
        (codes, scale)
    });
    let [g, b, q] = [0, 1, 2].map(|i| i8s(&quantized[i].0, &quantized[i].1));
    // SAFETY: as above.
    unsafe {
        assert_eq!(nnn_bias_i8(&g, &b, K, ALPHA, 0, GALLERY, bytes, size, bias.as_mut_ptr()), 0);
        bias.iter().for_each(|x| out.extend(x.to_le_bytes()));
        hits(&mut out, &mut |h, f| nnn_search_i8(&q, &g, bias.as_ptr(), std::ptr::null(), TOP, 0, all, none, 0, h, f));
    }
    out
}

/// `NNN_BLESS=1` writes the file instead.
#[test]
fn is_what_the_functions_give() {
    if ["scalar", "portable"].contains(&nnn::Isa::active().name()) {
        println!("skipped: the bits are those of processors with fused multiply-add");
        return;
    }
    let made = make();
    if std::env::var_os("NNN_BLESS").is_some() {
        std::fs::write(path(), &made).expect("write the file");
    }
    assert!(
        std::fs::read(path()).expect("golden/bindings.bin") == made,
        "golden/bindings.bin differs from what the functions give"
    );
}

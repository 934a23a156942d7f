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
//! | few, lists, probes, rounds, seed | 5 x u32 |
//! | plain hits of each query, reranked by the bias to `few`, certified with its least | hits as above, then u32 per query: ask for next |
//! | coarse index of the gallery: centroids, offsets, ids | f32 lists x dim; u32 lists + 1; u32 per row |
//! | its debiased and allowed hits, pairs scored | hits as above; u32 |
//! | bias of (k, alpha) by a coarse index of the bank, short rows, pairs scored | f32 per gallery row; 2 x u32 |
//! | live bank rows | u64, one bit per bank row |
//! | table with ids of the bank; what `expire` for `few` lists; the table with these made anew | hits, gallery x k; u32 count, u32 each; hits |
//! | its bias of (few, alpha) | f32 per gallery row |

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
const FEW: usize = 3;
const LISTS: usize = 7;
const PROBES: usize = 2;
const ROUNDS: usize = 10;
const SEED: u64 = 5;
const LIVE: u64 = 0x5ad3_9b64_72cd;

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
    certified_rerank(&mut out, &gallery, &bank, &queries);
    coarse(&mut out, &gallery, &bank, &queries, &allow);
    with_ids(&mut out, &gallery, &bank);
    out
}

fn put<T: Copy, const N: usize>(out: &mut Vec<u8>, numbers: &[T], bytes: impl Fn(T) -> [u8; N]) {
    numbers.iter().for_each(|x| out.extend(bytes(*x)));
}

fn put_hits(out: &mut Vec<u8>, hits: &[Hit]) {
    hits.iter().for_each(|hit| out.extend([hit.score.to_le_bytes(), hit.id.to_le_bytes()].concat()));
}

fn exact_bias(gallery: &[f32], bank: &[f32]) -> Vec<f32> {
    let (mut scratch, mut bias) = (vec![0_u8; 1 << 20], vec![0.0; GALLERY]);
    let (bytes, size) = (scratch.as_mut_ptr().cast(), scratch.len());
    // SAFETY: matrices of live vectors, a bias per gallery row.
    assert_eq!(unsafe { nnn_bias_f32(&f32s(gallery), &f32s(bank), K, ALPHA, 0, GALLERY, bytes, size, bias.as_mut_ptr()) }, 0);
    bias
}

fn certified_rerank(out: &mut Vec<u8>, gallery: &[f32], bank: &[f32], queries: &[f32]) {
    put(out, &[FEW, LISTS, PROBES, ROUNDS, SEED as usize].map(|number| number as u32), u32::to_le_bytes);
    let bias = exact_bias(gallery, bank);
    let least = bias.iter().copied().fold(f32::INFINITY, f32::min);
    let (mut plain, mut plain_found) = (vec![Hit { score: 0.0, id: 0 }; QUERIES * TOP], [0_u32; QUERIES]);
    let (mut hits, mut found, mut next) = (vec![Hit { score: 0.0, id: 0 }; QUERIES * FEW], [0_u32; QUERIES], [0_usize; QUERIES]);
    let (q, g, none, all) = (f32s(queries), f32s(gallery), std::ptr::null_mut(), std::ptr::null());
    // SAFETY: matrices of live vectors, TOP hits and one count per query.
    let status = unsafe {
        let (hits, found) = (plain.as_mut_ptr(), plain_found.as_mut_ptr());
        nnn_search_f32(&q, &g, std::ptr::null(), all, TOP, 0, GALLERY, none, 0, hits, found)
    };
    assert_eq!((status, plain_found), (0, [TOP as u32; QUERIES]));
    for (q, candidates) in plain.chunks(TOP).enumerate() {
        let (hits, biases) = (hits[q * FEW..].as_mut_ptr(), bias.as_ptr());
        // SAFETY: TOP candidates, GALLERY biases, room for FEW hits of this query.
        let status = unsafe {
            nnn_rerank_certified(candidates.as_ptr(), TOP, biases, GALLERY, least, FEW, hits, &mut found[q], &mut next[q])
        };
        assert_eq!(status, 0);
    }
    assert!(next.contains(&0) && next.contains(&(2 * TOP)), "some are proved, some are not: {next:?}");
    put_hits(out, &hits);
    put(out, &found, u32::to_le_bytes);
    put(out, &next.map(|count| count as u32), u32::to_le_bytes);
}

/// Centroids, offsets, ids and the rows in list order.
fn index(rows: &[f32]) -> (Vec<f32>, Vec<u32>, Vec<u32>, Vec<f32>) {
    let count = rows.len() / DIM;
    let (mut centroids, mut offsets, mut ids) = (vec![0.0; LISTS * DIM], vec![0; LISTS + 1], vec![0; count]);
    let (mut assigned, mut listed) = (vec![0; count], vec![0.0; rows.len()]);
    let mut scratch = vec![0_u8; 1 << 20];
    let (bytes, size) = (scratch.as_mut_ptr().cast(), scratch.len());
    // SAFETY: every array has the length that the header asks for.
    unsafe {
        assert_eq!(nnn_coarse_train(&f32s(rows), LISTS, ROUNDS, SEED, bytes, size, centroids.as_mut_ptr()), 0);
        assert_eq!(nnn_coarse_assign(&f32s(rows), &f32s(&centroids), 0, count, bytes, size, assigned.as_mut_ptr()), 0);
        assert_eq!(nnn_coarse_lists(assigned.as_ptr(), count, LISTS, offsets.as_mut_ptr(), ids.as_mut_ptr()), 0);
        assert_eq!(nnn_coarse_gather_f32(&f32s(rows), ids.as_ptr(), count, listed.as_mut_ptr(), DIM), 0);
    }
    (centroids, offsets, ids, listed)
}

fn coarse(out: &mut Vec<u8>, gallery: &[f32], bank: &[f32], queries: &[f32], allow: &[u64]) {
    let (mut bias, mut pairs, mut short) = (exact_bias(gallery, bank), 0_u64, 0_usize);
    let mut scratch = vec![0_u8; 2 << 20];
    let (bytes, size) = (scratch.as_mut_ptr().cast(), scratch.len());
    let (centroids, offsets, ids, listed) = index(gallery);
    let (mut hits, mut found) = (vec![Hit { score: 0.0, id: 0 }; QUERIES * TOP], [0_u32; QUERIES]);
    let (q, g, c) = (f32s(queries), f32s(&listed), f32s(&centroids));
    let (starts, order, biases, allowed) = (offsets.as_ptr(), ids.as_ptr(), bias.as_ptr(), allow.as_ptr());
    // SAFETY: the arrays of one index, TOP hits and one count per query.
    let status = unsafe {
        let (hits, found) = (hits.as_mut_ptr(), found.as_mut_ptr());
        nnn_coarse_search_f32(&q, &g, &c, starts, order, biases, allowed, PROBES, TOP, bytes, size, hits, found, &mut pairs)
    };
    assert!(status == 0 && pairs < (QUERIES * GALLERY) as u64);
    put(out, &centroids, f32::to_le_bytes);
    put(out, &offsets, u32::to_le_bytes);
    put(out, &ids, u32::to_le_bytes);
    put_hits(out, &hits);
    put(out, &found, u32::to_le_bytes);
    put(out, &[pairs as u32], u32::to_le_bytes);

    let (centroids, offsets, _, listed) = index(bank);
    let mut table = vec![f32::NEG_INFINITY; GALLERY * K];
    let (g, b, c) = (f32s(gallery), f32s(&listed), f32s(&centroids));
    let (starts, to) = (offsets.as_ptr(), bias.as_mut_ptr());
    // SAFETY: as above; a table of K floats, and a bias, per gallery row.
    unsafe {
        assert_eq!(
            nnn_coarse_neighbors_f32(&g, &b, &c, starts, PROBES, K, 0, GALLERY, bytes, size, table.as_mut_ptr(), &mut pairs),
            0
        );
        assert_eq!(nnn_coarse_bias(table.as_ptr(), GALLERY, K, K, ALPHA, to, &mut short), 0);
    }
    put(out, &bias, f32::to_le_bytes);
    put(out, &[short as u32, pairs as u32], u32::to_le_bytes);
}

fn with_ids(out: &mut Vec<u8>, gallery: &[f32], bank: &[f32]) {
    let (g, b, live) = (f32s(gallery), f32s(bank), [LIVE]);
    let mut scratch = vec![0_u8; 1 << 20];
    let (bytes, size) = (scratch.as_mut_ptr().cast(), scratch.len());
    let (mut table, mut bias) = (vec![Hit { score: 0.0, id: 0 }; GALLERY * K], vec![0.0; GALLERY]);
    let (mut short, mut count) = (vec![0_u32; GALLERY], 0_usize);
    put(out, &live, u64::to_le_bytes);
    // SAFETY: a table of K hits, and a bias, per gallery row, a bit per bank row, room for a number per gallery row.
    unsafe {
        assert_eq!(nnn_neighbor_ids_init(table.as_mut_ptr(), GALLERY, K), 0);
        assert_eq!(nnn_neighbor_ids_update_f32(&g, &b, std::ptr::null(), 0, K, 0, GALLERY, bytes, size, table.as_mut_ptr()), 0);
        put_hits(out, &table);
        let (to, rows) = (table.as_mut_ptr(), short.as_mut_ptr());
        assert_eq!(nnn_neighbor_ids_expire(to, GALLERY, K, FEW, live.as_ptr(), BANK, rows, &mut count), 0);
        assert!(count > 0 && count < GALLERY, "some rows run short: {count}");
        for &row in &short[..count] {
            let to = table[row as usize * K..].as_mut_ptr();
            assert_eq!(nnn_neighbor_ids_init(to, 1, K), 0);
            assert_eq!(nnn_neighbor_ids_update_f32(&g, &b, live.as_ptr(), 0, K, row as usize, 1, bytes, size, to), 0);
        }
        assert_eq!(nnn_neighbor_ids_bias(table.as_ptr(), GALLERY, K, FEW, ALPHA, bias.as_mut_ptr()), 0);
    }
    put(out, &[count as u32], u32::to_le_bytes);
    put(out, &short[..count], u32::to_le_bytes);
    put_hits(out, &table);
    put(out, &bias, f32::to_le_bytes);
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

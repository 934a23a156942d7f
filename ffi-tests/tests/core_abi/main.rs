//! Every exported function against every wrong argument, alone and in pairs: the exact code, and nothing written; and its right
//! arguments, each flush against an inaccessible page.

mod certified;
mod coarse;
mod evaluation;
mod export;
mod family;
mod gated;
mod machine;
mod neighbor_ids;
mod neighbors;
mod params;
mod rows;
mod search;

use ffi_tests::artefacts::exports_list;
use ffi_tests::contract::Function;
use ffi_tests::data::for_each_isa;
use nnn::Hit;
use nnn::abi::*;
use params::NO_HIT;

/// Functions without a status, or without a wrong argument.
const INFALLIBLE: [&str; 16] = [
    "nnn_abi_version",
    "nnn_certified_scratch",
    "nnn_coarse_scratch",
    "nnn_coarse_train_scratch",
    "nnn_cpu_hwcap",
    "nnn_export_bytes",
    "nnn_export_dim",
    "nnn_isa_active",
    "nnn_isa_str",
    "nnn_metric_f32",
    "nnn_metric_i8",
    "nnn_neighbors_scratch",
    "nnn_ranks_scratch",
    "nnn_search_scratch",
    "nnn_status_str",
    "nnn_version",
];

fn functions() -> Vec<Function> {
    [
        machine::functions(),
        rows::functions(),
        neighbors::functions(),
        search::functions(),
        certified::functions(),
        coarse::functions(),
        family::functions(),
        gated::functions(),
        evaluation::functions(),
        export::functions(),
        neighbor_ids::functions(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[test]
fn every_wrong_argument_and_every_pair_gives_its_code_and_writes_nothing() {
    for function in functions() {
        let calls = function.verify();
        println!("{}: {calls} calls", function.name);
    }
}

#[test]
fn arguments_may_be_neighbours_and_nothing_outside_of_them_is_touched() {
    for_each_isa(|_| functions().iter().for_each(Function::stays_inside));
}

#[test]
fn optional_arguments_may_be_null() {
    functions().iter().for_each(Function::does_without_what_is_optional);
}

#[test]
fn every_export_is_covered() {
    let exports = std::fs::read_to_string(exports_list()).unwrap();
    let mut listed: Vec<&str> = functions().iter().map(|function| function.name).chain(INFALLIBLE).collect();
    listed.sort_unstable();
    assert_eq!(exports.lines().collect::<Vec<_>>(), listed);
}

#[test]
fn null_is_fine_with_length_0() {
    let (gallery, bank) = (empty_f32(), MatF32 { data: [1f32, 2.0].as_ptr(), rows: 2, dim: 1, stride: 1 });
    let codes = MatI8 { data: std::ptr::null(), scale: std::ptr::null(), rows: 0, dim: 1, stride: 1 };
    let mut scratch = [0u8; 8192];
    let (s, len) = (scratch.as_mut_ptr().cast(), scratch.len());
    use std::ptr::{null, null_mut};
    let (mut hits, mut found, mut len_a) = ([NO_HIT; 2], [9u32; 2], 0u32);
    // SAFETY: every pointer is NULL with a length of 0, or names what the function says.
    unsafe {
        assert_eq!(nnn_scores_f32(&gallery, &bank, 0, 2, null_mut(), 2), NNN_OK);
        assert_eq!(nnn_scores_f32(&bank, &gallery, 0, 0, null_mut(), 0), NNN_OK);
        assert_eq!(nnn_scores_i8(&codes, &codes, 0, 0, null_mut(), 0), NNN_OK);
        assert_eq!(nnn_normalize_f32(&gallery, null_mut(), 1), NNN_OK);
        assert_eq!(nnn_quantize_i8(&gallery, null_mut(), 1, null_mut()), NNN_OK);
        assert_eq!(nnn_neighbors_init(null_mut(), 0, 3), NNN_OK);
        assert_eq!(nnn_neighbors_merge(null_mut(), null(), 0, 3), NNN_OK);
        assert_eq!(nnn_neighbors_bias(null(), 0, 3, 3, 1.0, null_mut()), NNN_OK);
        assert_eq!(nnn_neighbors_update_f32(&gallery, &bank, 3, 0, 0, s, len, null_mut()), NNN_OK);
        assert_eq!(nnn_neighbors_update_f32(&bank, &gallery, 1, 2, 0, s, len, null_mut()), NNN_OK);
        assert_eq!(nnn_bias_f32(&gallery, &bank, 2, 1.0, 0, 0, s, len, null_mut()), NNN_OK);
        assert_eq!(nnn_bias_f32(&bank, &gallery, 1, 1.0, 0, 0, s, len, null_mut()), NNN_ERR_K, "an empty bank");
        assert_eq!(nnn_search_f32(&gallery, &bank, null(), null(), 5, 0, 2, null_mut(), 0, null_mut(), null_mut()), NNN_OK);
        let done = nnn_search_f32(&bank, &gallery, null(), null(), 1, 0, 0, null_mut(), 0, hits.as_mut_ptr(), found.as_mut_ptr());
        assert_eq!((done, found, hits), (NNN_OK, [0, 0], [NO_HIT; 2]), "an empty gallery");
        assert_eq!(nnn_rerank(null(), 0, null(), 0, 3, null_mut(), found.as_mut_ptr()), NNN_OK);
        assert_eq!(nnn_hits_merge(hits.as_mut_ptr(), &mut len_a, null(), 0, 2), NNN_OK);
        assert_eq!(len_a, 0);
        let mut count = 0usize;
        assert_eq!(nnn_isa_available(null_mut(), 0, &mut count), NNN_OK);
        assert!(count >= 2);
    }
}

fn empty_f32() -> MatF32 {
    MatF32 { data: std::ptr::null(), rows: 0, dim: 1, stride: 1 }
}

/// The one overlap that is allowed: exactly in place.
#[test]
fn normalising_in_place_is_no_alias() {
    let mut data = [3f32, 4.0, 9.0, 0.0, -2.0];
    let start = data.as_mut_ptr();
    let src = MatF32 { data: start, rows: 2, dim: 2, stride: 3 };
    // SAFETY: `data` holds two rows of two, three apart.
    unsafe {
        assert_eq!(nnn_normalize_f32(&src, start, 2), NNN_ERR_ALIAS, "another stride");
        assert_eq!(nnn_normalize_f32(&src, start.add(1), 3), NNN_ERR_ALIAS, "shifted");
        assert_eq!(nnn_normalize_f32(&src, start, 3), NNN_OK);
    }
    assert_eq!(data, [0.6, 0.8, 9.0, 0.0, -1.0]);
}

/// What only the content can tell: an id out of range, a row that has seen too few, lists out of order.
#[test]
fn wrong_content_has_its_code_and_writes_nothing() {
    let no = f32::NEG_INFINITY;
    let mut bias = [7f32; 2];
    let hit = |score, id| Hit { score, id };
    let (mut hits, mut found) = ([NO_HIT; 2], 9u32);
    // SAFETY: all pointers name arrays of the given lengths.
    unsafe {
        let mut of = |table: [f32; 4], k| nnn_neighbors_bias(table.as_ptr(), 2, 2, k, 1.0, bias.as_mut_ptr());
        assert_eq!(of([1.0, 0.5, 1.0, no], 2), NNN_ERR_K, "one row has seen one");
        assert_eq!(of([0.5, 1.0, 1.0, 0.5], 2), NNN_ERR_VALUE, "out of order");
        assert_eq!(of([0.5, 1.0, 1.0, no], 2), NNN_ERR_K, "K comes before VALUE");
        assert_eq!(of([f32::MAX, 0.0, f32::INFINITY, 0.0], 1), NNN_ERR_VALUE);
        assert_eq!(bias, [7.0; 2]);

        let mut rerank = |candidates: [Hit; 2], bias: &[f32]| {
            let done = nnn_rerank(candidates.as_ptr(), 2, bias.as_ptr(), bias.len(), 2, hits.as_mut_ptr(), &mut found);
            (done, hits, found)
        };
        let untouched = [NO_HIT; 2];
        assert_eq!(rerank([hit(1.0, 0), hit(1.0, 2)], &[0.0; 2]), (NNN_ERR_RANGE, untouched, 9));
        assert_eq!(rerank([hit(f32::NAN, 0), hit(1.0, 2)], &[0.0; 2]), (NNN_ERR_RANGE, untouched, 9), "RANGE before VALUE");
        assert_eq!(rerank([hit(1.0, u32::MAX), hit(1.0, 1)], &[0.0; 2]), (NNN_ERR_RANGE, untouched, 9));
        assert_eq!(rerank([hit(1.0, 0), hit(1.0, 1)], &[0.0, f32::NAN]), (NNN_ERR_VALUE, untouched, 9));
        assert_eq!(rerank([hit(1.0, 0), hit(1.0, 0)], &[0.0, f32::NAN]).0, NNN_OK, "a bias that no candidate has");

        let merge = |mut a: [Hit; 2], b: [Hit; 2]| {
            let mut len = 2u32;
            let before = a;
            let done = nnn_hits_merge(a.as_mut_ptr(), &mut len, b.as_ptr(), 2, 2);
            assert!(done == NNN_OK || (a, len) == (before, 2), "something was written");
            done
        };
        let good = [hit(1.0, 3), hit(1.0, 4)];
        assert_eq!(merge(good, [hit(1.0, 6), hit(1.0, 5)]), NNN_ERR_VALUE, "ids of equal scores ascend");
        assert_eq!(merge([hit(0.0, 1), hit(1.0, 0)], good), NNN_ERR_VALUE);
        assert_eq!(merge(good, [hit(2.0, 1), hit(no, 2)]), NNN_ERR_VALUE);
        assert_eq!(merge(good, [hit(2.0, 9), hit(2.0, 10)]), NNN_OK);
    }
}

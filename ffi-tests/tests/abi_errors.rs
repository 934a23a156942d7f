//! Every exported function against every wrong argument, alone and in pairs: the exact code, and nothing written.
//!
//! The closures call with the addresses of live memory of `contract`, or with addresses that the contract allows a call to refuse.

use ffi_tests::artefacts::exports_list;
use ffi_tests::contract::{Elements, Function, Param, wrong, wrong_for};
use nnn::abi::*;
use nnn::{Bound, Certificate, Hit};
use std::ops::RangeInclusive;

/// Functions without a status, or without a wrong argument.
const INFALLIBLE: [&str; 9] = [
    "nnn_abi_version",
    "nnn_certified_scratch",
    "nnn_cpu_hwcap",
    "nnn_isa_active",
    "nnn_isa_str",
    "nnn_neighbors_scratch",
    "nnn_search_scratch",
    "nnn_status_str",
    "nnn_version",
];

const DIM: usize = 5;
const GALLERY: usize = 7;
const BANK: usize = 6;
const QUERIES: usize = 3;
const FIRST: usize = 2;
const COUNT: usize = 3;
const RANGE: RangeInclusive<usize> = FIRST..=FIRST + COUNT - 1;
const K: usize = 2;
const STRIDE: usize = 8;
const HUGE: usize = usize::MAX;

fn mat(rows: usize, refuses: Option<RangeInclusive<usize>>) -> Param {
    Param::Mat { rows, dim: DIM, refuses }
}

fn codes(rows: usize, refuses: Option<RangeInclusive<usize>>) -> Param {
    Param::Codes { rows, dim: DIM, refuses }
}

/// `first` and `count`, of the gallery that is parameter `gallery`.
fn range_of(gallery: usize) -> [Param; 2] {
    let late = |value| wrong_for(gallery, value, NNN_ERR_RANGE);
    [
        Param::Size(FIRST, vec![late(GALLERY - COUNT + 1), late(GALLERY + 1), late(HUGE)]),
        Param::Size(COUNT, vec![late(GALLERY - FIRST + 1), late(GALLERY + 1), late(HUGE)]),
    ]
}

fn stride(code_of_huge: i32) -> Param {
    Param::Size(STRIDE, vec![wrong(0, NNN_ERR_STRIDE), wrong(2, NNN_ERR_STRIDE), wrong(HUGE, code_of_huge)])
}

fn k(code_of_huge: i32) -> Param {
    Param::Size(K, vec![wrong(0, NNN_ERR_K), wrong(HUGE, code_of_huge)])
}

/// k of a bias from the bank that is parameter 1.
fn k_of_bank() -> Param {
    Param::Size(K, vec![wrong(0, NNN_ERR_K), wrong_for(1, BANK + 1, NNN_ERR_K), wrong_for(1, HUGE, NNN_ERR_K)])
}

fn out<T>(n: usize) -> Param {
    Param::Out(Elements::blank::<T>(n))
}

fn table(rows: usize) -> Elements {
    Elements::floats(&[0.5, -0.25].repeat(rows))
}

fn biases(rows: usize) -> Elements {
    Elements::floats(&vec![0.125; rows])
}

fn function(name: &'static str, params: impl IntoIterator<Item = Param>, call: fn(&[usize]) -> i32) -> Function {
    Function { name, params: params.into_iter().collect(), call, reports: None }
}

fn machine() -> Vec<Function> {
    let room = 16;
    let least = nnn::Isa::available().count();
    vec![
        function(
            "nnn_isa_available",
            [
                out::<u32>(room),
                Param::Size(room, vec![wrong(least - 1, NNN_ERR_CAPACITY), wrong(HUGE, NNN_ERR_OVERFLOW)]),
                out::<usize>(1),
            ],
            |a| unsafe { nnn_isa_available(a[0] as _, a[1], a[2] as _) },
        ),
        function("nnn_isa_select", [Param::Size(0, vec![wrong(10, NNN_ERR_ISA), wrong(999, NNN_ERR_ISA)])], |a| unsafe {
            nnn_isa_select(a[0] as u32)
        }),
    ]
}

fn rows_and_scores() -> Vec<Function> {
    let dim = || Param::Size(DIM, vec![wrong(0, NNN_ERR_DIM), wrong(nnn::MAX_DIM + 1, NNN_ERR_DIM), wrong(HUGE, NNN_ERR_DIM)]);
    let row = || Param::In(Elements::floats(&[1.0; DIM]));
    let code_row = || Param::In(Elements::blank::<i8>(DIM));
    let all = || Some(0..=QUERIES - 1);
    let scores = |queries, gallery| {
        let [first, count] = range_of(1);
        [queries, gallery, first, count, out::<f32>(QUERIES * STRIDE), stride(NNN_ERR_OVERFLOW)]
    };
    vec![
        function("nnn_dot_f32", [row(), row(), dim(), out::<f32>(1)], |a| unsafe {
            nnn_dot_f32(a[0] as _, a[1] as _, a[2], a[3] as _)
        }),
        function("nnn_dot_i8", [code_row(), code_row(), dim(), out::<i32>(1)], |a| unsafe {
            nnn_dot_i8(a[0] as _, a[1] as _, a[2], a[3] as _)
        }),
        function("nnn_scores_f32", scores(mat(QUERIES, all()), mat(GALLERY, None)), |a| unsafe {
            nnn_scores_f32(a[0] as _, a[1] as _, a[2], a[3], a[4] as _, a[5])
        }),
        function("nnn_scores_i8", scores(codes(QUERIES, all()), codes(GALLERY, None)), |a| unsafe {
            nnn_scores_i8(a[0] as _, a[1] as _, a[2], a[3], a[4] as _, a[5])
        }),
        Function {
            reports: Some(NNN_ERR_VALUE),
            ..function("nnn_find_nonfinite_f32", [mat(QUERIES, all()), out::<usize>(1), out::<usize>(1)], |a| unsafe {
                nnn_find_nonfinite_f32(a[0] as _, a[1] as _, a[2] as _)
            })
        },
        function("nnn_normalize_f32", [mat(QUERIES, all()), out::<f32>(QUERIES * STRIDE), stride(NNN_ERR_OVERFLOW)], |a| unsafe {
            nnn_normalize_f32(a[0] as _, a[1] as _, a[2])
        }),
        function(
            "nnn_quantize_i8",
            [mat(QUERIES, all()), out::<i8>(QUERIES * STRIDE), stride(NNN_ERR_OVERFLOW), out::<f32>(QUERIES)],
            |a| unsafe { nnn_quantize_i8(a[0] as _, a[1] as _, a[2], a[3] as _) },
        ),
    ]
}

fn neighbors_and_bias() -> Vec<Function> {
    let rows = || {
        let mut all = vec![wrong(HUGE, NNN_ERR_OVERFLOW)];
        #[cfg(target_pointer_width = "64")]
        all.push(wrong(1 << 32, NNN_ERR_RANGE));
        Param::Size(COUNT, all)
    };
    let unsorted = |elements: Elements| {
        let pairs = [[-0.25, 0.5], [f32::NAN, 0.5], [0.5, f32::NAN], [f32::INFINITY, 0.5]];
        pairs.into_iter().fold(elements, |elements, pair| elements.refusing(2, Elements::floats(&pair), NNN_ERR_VALUE))
    };
    let hollow = |elements| unsorted(elements).refusing(2, Elements::floats(&[f32::NEG_INFINITY, 0.5]), NNN_ERR_VALUE);
    let update = |gallery, bank| {
        let [first, count] = range_of(0);
        let scratch = Param::Scratch { bytes: 5000, least: NNN_NEIGHBORS_SCRATCH_MIN_BYTES };
        [gallery, bank, k(NNN_ERR_OVERFLOW), first, count, scratch, Param::Out(hollow(table(COUNT)))]
    };
    let bias = |gallery, bank| {
        let [first, count] = range_of(0);
        let scratch = Param::Scratch { bytes: 5000, least: NNN_NEIGHBORS_SCRATCH_MIN_BYTES + 4 * K };
        [gallery, bank, k_of_bank(), Param::Finite(0.75), first, count, scratch, out::<f32>(COUNT)]
    };
    let all = Some(0..=BANK - 1);
    // Rows that have seen fewer than k.
    let fewer = [[0.5, f32::NEG_INFINITY], [f32::NEG_INFINITY; 2], [f32::NEG_INFINITY, 0.5]];
    let read = fewer.iter().fold(unsorted(table(COUNT)), |t, row| t.refusing(2, Elements::floats(row), NNN_ERR_K));
    vec![
        function("nnn_neighbors_init", [out::<f32>(COUNT * K), rows(), k(NNN_ERR_OVERFLOW)], |a| unsafe {
            nnn_neighbors_init(a[0] as _, a[1], a[2])
        }),
        function("nnn_neighbors_update_f32", update(mat(GALLERY, Some(RANGE)), mat(BANK, all.clone())), |a| unsafe {
            nnn_neighbors_update_f32(a[0] as _, a[1] as _, a[2], a[3], a[4], a[5] as _, a[6], a[7] as _)
        }),
        function("nnn_neighbors_update_i8", update(codes(GALLERY, Some(RANGE)), codes(BANK, all.clone())), |a| unsafe {
            nnn_neighbors_update_i8(a[0] as _, a[1] as _, a[2], a[3], a[4], a[5] as _, a[6], a[7] as _)
        }),
        function(
            "nnn_neighbors_merge",
            [Param::Out(hollow(table(COUNT))), Param::In(hollow(table(COUNT))), rows(), k(NNN_ERR_OVERFLOW)],
            |a| unsafe { nnn_neighbors_merge(a[0] as _, a[1] as _, a[2], a[3]) },
        ),
        function(
            "nnn_neighbors_bias",
            [
                Param::In(read),
                rows(),
                Param::Size(K, vec![wrong(0, NNN_ERR_K), wrong(1, NNN_ERR_K), wrong(HUGE, NNN_ERR_OVERFLOW)]),
                Param::Size(K, vec![wrong(0, NNN_ERR_K), wrong_for(2, K + 1, NNN_ERR_K), wrong_for(2, HUGE, NNN_ERR_K)]),
                Param::Finite(0.75),
                out::<f32>(COUNT),
            ],
            |a| unsafe { nnn_neighbors_bias(a[0] as _, a[1], a[2], a[3], f32::from_bits(a[4] as u32), a[5] as _) },
        ),
        function("nnn_bias_f32", bias(mat(GALLERY, Some(RANGE)), mat(BANK, all.clone())), |a| unsafe {
            nnn_bias_f32(a[0] as _, a[1] as _, a[2], f32::from_bits(a[3] as u32), a[4], a[5], a[6] as _, a[7], a[8] as _)
        }),
        function("nnn_bias_i8", bias(codes(GALLERY, Some(RANGE)), codes(BANK, all)), |a| unsafe {
            nnn_bias_i8(a[0] as _, a[1] as _, a[2], f32::from_bits(a[3] as u32), a[4], a[5], a[6] as _, a[7], a[8] as _)
        }),
    ]
}

fn searches() -> Vec<Function> {
    let search = |queries, gallery| {
        let [first, count] = range_of(1);
        [
            queries,
            gallery,
            Param::InOptional(biases(GALLERY).finite(RANGE)),
            Param::InOptional(Elements::one(u64::MAX)),
            k(NNN_ERR_OVERFLOW),
            first,
            count,
            Param::Scratch { bytes: 1000, least: 0 },
            out::<Hit>(QUERIES * K),
            out::<u32>(QUERIES),
        ]
    };
    let all = Some(0..=QUERIES - 1);
    let hits = || {
        let out_of_order =
            [[(0.25, 4), (0.5, 1)], [(f32::NAN, 4), (0.25, 1)], [(0.5, 4), (0.5, 1)], [(0.5, 4), (f32::NEG_INFINITY, 1)]];
        // The last id is a length that would do, for the fault in which *a_len is that word.
        let good = Elements::hits(&[(0.5, 4), (0.25, 1)]);
        out_of_order.iter().fold(good, |good, bad| good.refusing(0, Elements::hits(bad), NNN_ERR_VALUE))
    };
    let candidates = Elements::hits(&[(0.5, 1), (0.25, 6), (0.75, 3)]).finite(0..=2);
    let candidates = candidates.refusing(1, Elements::hits(&[(0.25, GALLERY as u32)]), NNN_ERR_RANGE);
    let len = |good, code| Param::Size(good, vec![wrong(HUGE, code)]);
    vec![
        function("nnn_search_f32", search(mat(QUERIES, all.clone()), mat(GALLERY, None)), |a| unsafe {
            nnn_search_f32(a[0] as _, a[1] as _, a[2] as _, a[3] as _, a[4], a[5], a[6], a[7] as _, a[8], a[9] as _, a[10] as _)
        }),
        function("nnn_search_i8", search(codes(QUERIES, all), codes(GALLERY, None)), |a| unsafe {
            nnn_search_i8(a[0] as _, a[1] as _, a[2] as _, a[3] as _, a[4], a[5], a[6], a[7] as _, a[8], a[9] as _, a[10] as _)
        }),
        function(
            "nnn_hits_merge",
            [
                Param::Out(hits()),
                Param::Out(Elements::one(2u32).refusing_value(Elements::one(3u32), NNN_ERR_RANGE)),
                Param::In(hits()),
                Param::Any(2),
                k(NNN_ERR_OVERFLOW),
            ],
            |a| unsafe { nnn_hits_merge(a[0] as _, a[1] as _, a[2] as _, a[3] as u32, a[4]) },
        ),
        function(
            "nnn_rerank",
            [
                Param::In(candidates),
                len(3, NNN_ERR_OVERFLOW),
                Param::In(biases(GALLERY).finite(1..=1).finite(6..=6)),
                len(GALLERY, NNN_ERR_OVERFLOW),
                Param::Size(K, vec![wrong(0, NNN_ERR_K)]),
                out::<Hit>(K),
                out::<u32>(1),
            ],
            |a| unsafe { nnn_rerank(a[0] as _, a[1], a[2] as _, a[3], a[4], a[5] as _, a[6] as _) },
        ),
    ]
}

fn certified() -> Vec<Function> {
    let encoded = |rows, side, refuses| Param::Encoded { rows, dim: DIM, side, refuses };
    let gallery = || encoded(GALLERY, NNN_SIDE_GALLERY, Some(RANGE));
    let bank = || encoded(BANK, NNN_SIDE_QUERY, Some(0..=BANK - 1));
    let scratch = || Param::Scratch { bytes: 6000, least: 32 * K + 5196 };
    let certificate = || Param::OutOptional(Elements::blank::<Certificate>(1));
    let [first, count] = range_of(0);
    let update = [gallery(), bank(), k(NNN_ERR_OVERFLOW), first, count, scratch(), Param::Out(table(COUNT)), certificate()];
    let [first, count] = range_of(0);
    let bias = [gallery(), bank(), k_of_bank(), Param::Finite(0.75), first, count, scratch(), out::<f32>(COUNT), certificate()];
    let [first, count] = range_of(1);
    let search = [
        encoded(QUERIES, NNN_SIDE_QUERY, Some(0..=QUERIES - 1)),
        encoded(GALLERY, NNN_SIDE_GALLERY, None),
        Param::InOptional(biases(GALLERY).finite(RANGE)),
        Param::InOptional(Elements::one(u64::MAX)),
        k(NNN_ERR_OVERFLOW),
        first,
        count,
        scratch(),
        out::<Hit>(QUERIES * K),
        out::<u32>(QUERIES),
        certificate(),
    ];
    let all = Some(0..=QUERIES - 1);
    vec![
        function("nnn_mean_f32", [mat(QUERIES, all.clone()), out::<f32>(DIM)], |a| unsafe { nnn_mean_f32(a[0] as _, a[1] as _) }),
        function(
            "nnn_encode_f32",
            [
                mat(QUERIES, all),
                Param::InOptional(Elements::floats(&[0.125; DIM]).finite(0..=DIM - 1)),
                Param::Size(0, vec![wrong(2, NNN_ERR_VALUE), wrong(u32::MAX as usize, NNN_ERR_VALUE)]),
                Param::Any(7),
                out::<f32>(DIM),
                out::<i8>(QUERIES * STRIDE),
                stride(NNN_ERR_OVERFLOW),
                out::<f32>(QUERIES),
                out::<Bound>(QUERIES),
            ],
            |a| unsafe {
                nnn_encode_f32(a[0] as _, a[1] as _, a[2] as u32, a[3] as u64, a[4] as _, a[5] as _, a[6], a[7] as _, a[8] as _)
            },
        ),
        function("nnn_neighbors_update_certified", update, |a| unsafe {
            nnn_neighbors_update_certified(a[0] as _, a[1] as _, a[2], a[3], a[4], a[5] as _, a[6], a[7] as _, a[8] as _)
        }),
        function("nnn_bias_certified", bias, |a| unsafe {
            let alpha = f32::from_bits(a[3] as u32);
            nnn_bias_certified(a[0] as _, a[1] as _, a[2], alpha, a[4], a[5], a[6] as _, a[7], a[8] as _, a[9] as _)
        }),
        function("nnn_search_certified", search, |a| unsafe {
            nnn_search_certified(
                a[0] as _, a[1] as _, a[2] as _, a[3] as _, a[4], a[5], a[6], a[7] as _, a[8], a[9] as _, a[10] as _, a[11] as _,
            )
        }),
    ]
}

fn functions() -> Vec<Function> {
    [machine(), rows_and_scores(), neighbors_and_bias(), searches(), certified()].into_iter().flatten().collect()
}

#[test]
fn every_wrong_argument_and_every_pair_gives_its_code_and_writes_nothing() {
    for function in functions() {
        let calls = function.verify();
        println!("{}: {calls} calls", function.name);
    }
}

#[test]
fn every_export_is_covered() {
    let exports = std::fs::read_to_string(exports_list()).unwrap();
    let mut listed: Vec<&str> = functions().iter().map(|function| function.name).chain(INFALLIBLE).collect();
    listed.sort_unstable();
    assert_eq!(exports.lines().collect::<Vec<_>>(), listed);
}

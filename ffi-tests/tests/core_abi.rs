//! Every exported function against every wrong argument, alone and in pairs: the exact code, and nothing written; and its right
//! arguments, each flush against an inaccessible page.
//!
//! The closures call with the addresses of live memory of `contract`, or with addresses that the contract allows a call to refuse.

use ffi_tests::artefacts::exports_list;
use ffi_tests::contract::{Elements, Function, Param, wrong, wrong_for};
use ffi_tests::data::for_each_isa;
use nnn::abi::*;
use nnn::{Bound, Certificate, ExactSum, Fairness, Hit, Hubness, Interval, LogSum};
use std::ops::RangeInclusive;

/// Functions without a status, or without a wrong argument.
const INFALLIBLE: [&str; 10] = [
    "nnn_abi_version",
    "nnn_certified_scratch",
    "nnn_cpu_hwcap",
    "nnn_isa_active",
    "nnn_isa_str",
    "nnn_neighbors_scratch",
    "nnn_ranks_scratch",
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
const NO_HIT: Hit = Hit { score: -77.0, id: 99 };

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

/// Above 0 and finite.
fn positive(good: f32) -> Param {
    let bad = [0.0, -1.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
    Param::Size(good.to_bits() as usize, bad.iter().map(|bad| wrong(bad.to_bits() as usize, NNN_ERR_VALUE)).collect())
}

fn float(bits: usize) -> f32 {
    f32::from_bits(bits as u32)
}

/// A number of rows, queries or elements that are not those of a matrix.
fn number(good: usize) -> Param {
    #[allow(unused_mut)]
    let mut bad = vec![wrong(HUGE, NNN_ERR_OVERFLOW)];
    #[cfg(target_pointer_width = "64")]
    bad.push(wrong(1 << 32, NNN_ERR_RANGE));
    Param::Size(good, bad)
}

/// A count that is only a length.
fn length(good: usize) -> Param {
    Param::Size(good, vec![wrong(HUGE, NNN_ERR_OVERFLOW)])
}

fn dim() -> Param {
    Param::Size(DIM, vec![wrong(0, NNN_ERR_DIM), wrong(nnn::MAX_DIM + 1, NNN_ERR_DIM), wrong(HUGE, NNN_ERR_DIM)])
}

fn least_scratch() -> Param {
    Param::Scratch { bytes: 5000, least: NNN_NEIGHBORS_SCRATCH_MIN_BYTES }
}

/// Sums of one similarity each.
fn log_sums(n: usize) -> Elements {
    let one = [1u64 << 20, 0, 0, 0, 0];
    Elements::numbers(&one.repeat(n))
}

fn family() -> Vec<Function> {
    let sums = |n| Param::In(log_sums(n).refusing(5, Elements::numbers(&empty_sum()), NNN_ERR_K));
    let update = |gallery, bank| {
        let [first, count] = range_of(0);
        let weights = Param::InOptional(Elements::floats(&[0.5; BANK]).finite(0..=BANK - 1));
        [gallery, bank, weights, positive(20.0), first, count, least_scratch(), Param::Out(log_sums(COUNT))]
    };
    let mean_bias = |gallery| {
        let [first, count] = range_of(0);
        let mean = Param::In(Elements::floats(&[0.125; DIM]).finite(0..=DIM - 1));
        [gallery, mean, Param::Finite(0.5), first, count, out::<f32>(COUNT)]
    };
    let sinkhorn = |gallery, extra, bank| {
        [
            gallery,
            Param::Optional(Box::new(extra)),
            bank,
            positive(0.25),
            Param::Size(2, vec![wrong(0, NNN_ERR_VALUE)]),
            out::<LogSum>(GALLERY),
            Param::Size(GALLERY, vec![wrong(GALLERY - 1, NNN_ERR_CAPACITY), wrong(HUGE, NNN_ERR_OVERFLOW)]),
            out::<f32>(GALLERY + QUERIES + BANK),
            Param::Size(
                GALLERY + QUERIES + BANK,
                vec![wrong(GALLERY + QUERIES + BANK - 1, NNN_ERR_CAPACITY), wrong(HUGE, NNN_ERR_OVERFLOW)],
            ),
            least_scratch(),
            out::<f32>(GALLERY),
        ]
    };
    let (gallery, bank) = (|| Some(0..=GALLERY - 1), || Some(0..=BANK - 1));
    let fewer = Elements::floats(&[0.5, f32::NEG_INFINITY]);
    let unsorted = Elements::floats(&[-0.25, 0.5]);
    vec![
        function(
            "nnn_neighbors_grid",
            [
                Param::In(table(COUNT).refusing(2, fewer, NNN_ERR_K).refusing(2, unsorted, NNN_ERR_VALUE)),
                number(COUNT),
                Param::Size(K, vec![wrong(0, NNN_ERR_K), wrong(HUGE, NNN_ERR_OVERFLOW)]),
                Param::In(Elements::sizes(&[1, K]).refusing(0, Elements::sizes(&[0]), NNN_ERR_K)),
                length(2),
                Param::In(Elements::floats(&[0.25, 0.5, 1.0]).finite(0..=2)),
                length(3),
                out::<f32>(6 * COUNT),
            ],
            |a| unsafe { nnn_neighbors_grid(a[0] as _, a[1], a[2], a[3] as _, a[4], a[5] as _, a[6], a[7] as _) },
        ),
        function("nnn_logsum_init", [out::<LogSum>(COUNT), number(COUNT)], |a| unsafe { nnn_logsum_init(a[0] as _, a[1]) }),
        function("nnn_logsum_update_f32", update(mat(GALLERY, Some(RANGE)), mat(BANK, bank())), |a| unsafe {
            nnn_logsum_update_f32(a[0] as _, a[1] as _, a[2] as _, float(a[3]), a[4], a[5], a[6] as _, a[7], a[8] as _)
        }),
        function("nnn_logsum_update_i8", update(codes(GALLERY, Some(RANGE)), codes(BANK, bank())), |a| unsafe {
            nnn_logsum_update_i8(a[0] as _, a[1] as _, a[2] as _, float(a[3]), a[4], a[5], a[6] as _, a[7], a[8] as _)
        }),
        function("nnn_logsum_merge", [Param::Out(log_sums(COUNT)), Param::In(log_sums(COUNT)), number(COUNT)], |a| unsafe {
            nnn_logsum_merge(a[0] as _, a[1] as _, a[2])
        }),
        function("nnn_logsum_bias", [sums(COUNT), number(COUNT), positive(20.0), out::<f32>(COUNT)], |a| unsafe {
            nnn_logsum_bias(a[0] as _, a[1], float(a[2]), a[3] as _)
        }),
        function(
            "nnn_logsum_dual_bias",
            [sums(COUNT), positive(20.0), sums(COUNT), positive(1.0), number(COUNT), out::<f32>(COUNT)],
            |a| unsafe { nnn_logsum_dual_bias(a[0] as _, float(a[1]), a[2] as _, float(a[3]), a[4], a[5] as _) },
        ),
        function("nnn_columns_init", [out::<ExactSum>(DIM), dim()], |a| unsafe { nnn_columns_init(a[0] as _, a[1]) }),
        function("nnn_columns_update_f32", [mat(BANK, bank()), out::<ExactSum>(DIM)], |a| unsafe {
            nnn_columns_update_f32(a[0] as _, a[1] as _)
        }),
        function("nnn_columns_update_i8", [codes(BANK, bank()), out::<ExactSum>(DIM)], |a| unsafe {
            nnn_columns_update_i8(a[0] as _, a[1] as _)
        }),
        function("nnn_columns_merge", [out::<ExactSum>(DIM), Param::In(Elements::zeros::<ExactSum>(DIM)), dim()], |a| unsafe {
            nnn_columns_merge(a[0] as _, a[1] as _, a[2])
        }),
        function(
            "nnn_columns_mean",
            [
                Param::In(Elements::zeros::<ExactSum>(DIM).refusing(
                    0,
                    Elements::numbers(&[0u64, 0, 0, 0, 1 << 40]),
                    NNN_ERR_VALUE,
                )),
                dim(),
                Param::Size(4, vec![wrong(0, NNN_ERR_K)]),
                out::<f32>(DIM),
            ],
            |a| unsafe { nnn_columns_mean(a[0] as _, a[1], a[2], a[3] as _) },
        ),
        function("nnn_mean_bias_f32", mean_bias(mat(GALLERY, Some(RANGE))), |a| unsafe {
            nnn_mean_bias_f32(a[0] as _, a[1] as _, float(a[2]), a[3], a[4], a[5] as _)
        }),
        function("nnn_mean_bias_i8", mean_bias(codes(GALLERY, Some(RANGE))), |a| unsafe {
            nnn_mean_bias_i8(a[0] as _, a[1] as _, float(a[2]), a[3], a[4], a[5] as _)
        }),
        function(
            "nnn_sinkhorn_bias_f32",
            sinkhorn(mat(GALLERY, gallery()), mat(QUERIES, Some(0..=QUERIES - 1)), mat(BANK, bank())),
            |a| unsafe {
                let (tau, scratch) = (float(a[3]), a[9] as _);
                nnn_sinkhorn_bias_f32(
                    a[0] as _, a[1] as _, a[2] as _, tau, a[4], a[5] as _, a[6], a[7] as _, a[8], scratch, a[10], a[11] as _,
                )
            },
        ),
        function(
            "nnn_sinkhorn_bias_i8",
            sinkhorn(codes(GALLERY, gallery()), codes(QUERIES, Some(0..=QUERIES - 1)), codes(BANK, bank())),
            |a| unsafe {
                let (tau, scratch) = (float(a[3]), a[9] as _);
                nnn_sinkhorn_bias_i8(
                    a[0] as _, a[1] as _, a[2] as _, tau, a[4], a[5] as _, a[6], a[7] as _, a[8], scratch, a[10], a[11] as _,
                )
            },
        ),
    ]
}

/// The words of an empty sum.
fn empty_sum() -> [u64; 5] {
    let mut words = [0u64; 5];
    // Three words, three half words, the bin.
    words[4] = if cfg!(target_endian = "big") { 0x8000_0000 } else { 0x8000_0000 << 32 };
    words
}

fn gated() -> Vec<Function> {
    let search = |queries, gallery, gates| {
        let [first, count] = range_of(1);
        let winners = Elements::numbers(&[1u32, 6, u32::MAX]).refusing(1, Elements::one(GALLERY as u32), NNN_ERR_RANGE);
        [
            queries,
            gallery,
            Param::Gates { gates, rows: GALLERY, refuses: RANGE },
            Param::In(winners),
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
    let candidates = || {
        let candidates = Elements::hits(&[(0.5, 1), (0.25, 6), (0.75, 3)]).finite(0..=2);
        Param::In(candidates.refusing(1, Elements::hits(&[(0.25, GALLERY as u32)]), NNN_ERR_RANGE))
    };
    let room = || Param::Size(K, vec![wrong(0, NNN_ERR_K)]);
    vec![
        function(
            "nnn_activation_set",
            [
                Param::In(hits_of_lists()),
                Param::In(counts_of_lists()),
                number(QUERIES),
                k(NNN_ERR_OVERFLOW),
                first_hits(),
                Param::Size(GALLERY, vec![]),
                Param::Out(Elements::zeros::<u64>(1)),
            ],
            |a| unsafe { nnn_activation_set(a[0] as _, a[1] as _, a[2], a[3], a[4], a[5], a[6] as _) },
        ),
        function("nnn_search_gated_f32", search(mat(QUERIES, all.clone()), mat(GALLERY, None), 1), |a| unsafe {
            nnn_search_gated_f32(
                a[0] as _, a[1] as _, a[2] as _, a[3], a[4] as _, a[5] as _, a[6], a[7], a[8], a[9] as _, a[10], a[11] as _,
                a[12] as _,
            )
        }),
        function("nnn_search_gated_i8", search(codes(QUERIES, all), codes(GALLERY, None), 2), |a| unsafe {
            nnn_search_gated_i8(
                a[0] as _, a[1] as _, a[2] as _, a[3], a[4] as _, a[5] as _, a[6], a[7], a[8], a[9] as _, a[10], a[11] as _,
                a[12] as _,
            )
        }),
        function(
            "nnn_rerank_gated",
            [
                candidates(),
                length(3),
                Param::Gates { gates: 2, rows: GALLERY, refuses: 0..=GALLERY - 1 },
                Param::Size(GALLERY, vec![]),
                room(),
                out::<Hit>(K),
                out::<u32>(1),
            ],
            |a| unsafe { nnn_rerank_gated(a[0] as _, a[1], a[2] as _, a[3], a[4], a[5], a[6] as _, a[7] as _) },
        ),
        function(
            "nnn_dual_softmax",
            [
                candidates(),
                length(3),
                Param::In(biases(GALLERY).finite(1..=1).finite(6..=6)),
                length(GALLERY),
                positive(100.0),
                Param::Size(8, vec![wrong(0, NNN_ERR_K)]),
                room(),
                out::<Hit>(K),
                out::<u32>(1),
            ],
            |a| unsafe { nnn_dual_softmax(a[0] as _, a[1], a[2] as _, a[3], float(a[4]), a[5], a[6], a[7] as _, a[8] as _) },
        ),
    ]
}

/// Hits of three queries, K apart.
fn hits_of_lists() -> Elements {
    let hits = Elements::hits(&[(0.5, 1), (0.25, 6), (0.75, 3), (0.5, 2), (0.125, 0), (0.0, 5)]);
    hits.refusing(2, Elements::hits(&[(0.75, GALLERY as u32)]), NNN_ERR_RANGE)
}

fn counts_of_lists() -> Elements {
    Elements::numbers(&[2u32, 2, 1]).refusing(1, Elements::one(K as u32 + 1), NNN_ERR_RANGE)
}

/// n of k.
fn first_hits() -> Param {
    Param::Size(1, vec![wrong(0, NNN_ERR_K), wrong_for(3, K + 1, NNN_ERR_K)])
}

fn evaluation() -> Vec<Function> {
    let offsets = || {
        let offsets = Elements::sizes(&[0, 2, 3, 4]).refusing(1, Elements::sizes(&[5]), NNN_ERR_RANGE);
        let offsets = offsets.refusing(3, Elements::sizes(&[5]), NNN_ERR_RANGE);
        Param::In(offsets.refusing(2, Elements::sizes(&[2]), NNN_ERR_VALUE))
    };
    let ids = || Param::In(Elements::numbers(&[1u32, 2, 6, 0]));
    let checked_ids = || Param::In(Elements::numbers(&[1u32, 2, 6, 0]).refusing(3, Elements::one(GALLERY as u32), NNN_ERR_RANGE));
    let ranks = |queries, gallery| {
        [
            queries,
            gallery,
            Param::In(biases(2 * GALLERY).finite(0..=2 * GALLERY - 1)),
            length(2),
            offsets(),
            checked_ids(),
            length(4),
            Param::Scratch { bytes: 3000, least: 1024 + 3 * 8 + 8 },
            out::<u32>(3 * QUERIES),
        ]
    };
    let all = Some(0..=QUERIES - 1);
    let run = |n: usize| Param::In(Elements::numbers(&vec![1u32; n]));
    let at = || Param::Size(1, vec![wrong(0, NNN_ERR_K)]);
    let confidence = || {
        let bad = [0.0, 1.0, f64::NAN];
        Param::Size(0.9f64.to_bits() as usize, bad.iter().map(|bad| wrong(bad.to_bits() as usize, NNN_ERR_VALUE)).collect())
    };
    let work = || [out::<u32>(9), Param::Size(9, vec![wrong(0, NNN_ERR_CAPACITY), wrong(HUGE, NNN_ERR_OVERFLOW)])];
    let lists = || [Param::In(hits_of_lists()), Param::In(counts_of_lists()), number(QUERIES), k(NNN_ERR_OVERFLOW)];
    let with = |head: Vec<Param>, tail: Vec<Param>| head.into_iter().chain(tail);
    let [resamples, resamples_len] = work();
    let [choice_work, choice_work_len] = work();
    vec![
        function(
            "nnn_best_ranks",
            {
                // Any answers will do for hits.
                let hits = Param::In(Elements::hits(&[(0.5, 1), (0.25, 6), (0.75, 3), (0.5, 2), (0.125, 0), (0.0, 5)]));
                let head = vec![hits, Param::In(counts_of_lists()), number(QUERIES), k(NNN_ERR_OVERFLOW)];
                with(head, vec![offsets(), ids(), length(4), out::<u32>(QUERIES)])
            },
            |a| unsafe { nnn_best_ranks(a[0] as _, a[1] as _, a[2], a[3], a[4] as _, a[5] as _, a[6], a[7] as _) },
        ),
        function("nnn_ranks_f32", ranks(mat(QUERIES, all.clone()), mat(GALLERY, None)), |a| unsafe {
            nnn_ranks_f32(a[0] as _, a[1] as _, a[2] as _, a[3], a[4] as _, a[5] as _, a[6], a[7] as _, a[8], a[9] as _)
        }),
        function("nnn_ranks_i8", ranks(codes(QUERIES, all), codes(GALLERY, None)), |a| unsafe {
            nnn_ranks_i8(a[0] as _, a[1] as _, a[2] as _, a[3], a[4] as _, a[5] as _, a[6], a[7] as _, a[8], a[9] as _)
        }),
        function("nnn_recall", [run(4), length(4), at(), out::<f64>(1)], |a| unsafe {
            nnn_recall(a[0] as _, a[1], a[2], a[3] as _)
        }),
        function("nnn_median_rank", [run(4), length(4), out::<f64>(1)], |a| unsafe { nnn_median_rank(a[0] as _, a[1], a[2] as _) }),
        function(
            "nnn_bootstrap",
            [run(4), run(4), number(4), at(), confidence(), Param::Any(7), resamples, resamples_len, out::<Interval>(1)],
            |a| unsafe {
                let confidence = f64::from_bits(a[4] as u64);
                nnn_bootstrap(a[0] as _, a[1] as _, a[2], a[3], confidence, a[5] as u64, a[6] as _, a[7], a[8] as _)
            },
        ),
        function(
            "nnn_choose",
            [
                run(12),
                Param::Size(2, vec![wrong(0, NNN_ERR_K), wrong(HUGE, NNN_ERR_OVERFLOW)]),
                number(4),
                at(),
                confidence(),
                Param::Any(7),
                choice_work,
                choice_work_len,
                out::<usize>(1),
                out::<u32>(1),
                out::<Interval>(1),
            ],
            |a| unsafe {
                let (confidence, seed) = (f64::from_bits(a[4] as u64), a[5] as u64);
                nnn_choose(a[0] as _, a[1], a[2], a[3], confidence, seed, a[6] as _, a[7], a[8] as _, a[9] as _, a[10] as _)
            },
        ),
        function(
            "nnn_count_occurrences",
            with(lists().into(), vec![first_hits(), Param::Out(Elements::zeros::<u32>(GALLERY)), number(GALLERY)]),
            |a| unsafe { nnn_count_occurrences(a[0] as _, a[1] as _, a[2], a[3], a[4], a[5] as _, a[6]) },
        ),
        function("nnn_hubness", [run(GALLERY), number(GALLERY), out::<Hubness>(1)], |a| unsafe {
            nnn_hubness(a[0] as _, a[1], a[2] as _)
        }),
        function(
            "nnn_attribute_bias",
            with(
                lists().into(),
                vec![
                    first_hits(),
                    Param::In(Elements::numbers(&[1u8, 255, 0, 1, 255, 0, 1]).refusing(4, Elements::one(2u8), NNN_ERR_VALUE)),
                    number(GALLERY),
                    out::<f32>(QUERIES),
                    out::<Fairness>(1),
                ],
            ),
            |a| unsafe { nnn_attribute_bias(a[0] as _, a[1] as _, a[2], a[3], a[4], a[5] as _, a[6], a[7] as _, a[8] as _) },
        ),
        function(
            "nnn_balanced_sample",
            [
                Param::In(Elements::numbers(&[1u8, 2, 1, 2, 0, 1])),
                number(6),
                Param::Any(7),
                out::<u32>(6),
                length(6),
                out::<usize>(1),
            ],
            |a| unsafe { nnn_balanced_sample(a[0] as _, a[1], a[2] as u64, a[3] as _, a[4], a[5] as _) },
        ),
    ]
}

fn functions() -> Vec<Function> {
    [machine(), rows_and_scores(), neighbors_and_bias(), searches(), certified(), family(), gated(), evaluation()]
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

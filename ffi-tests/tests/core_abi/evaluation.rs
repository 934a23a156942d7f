//! Ranks, hubness, bootstrap, fairness.

use crate::params::*;
use ffi_tests::contract::{Elements, Function, Param, wrong};
use nnn::abi::*;
use nnn::{Fairness, Hubness, Interval};

pub fn functions() -> Vec<Function> {
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
            call!(|a| nnn_best_ranks(a[0] as _, a[1] as _, a[2], a[3], a[4] as _, a[5] as _, a[6], a[7] as _)),
        ),
        function(
            "nnn_ranks_f32",
            ranks(mat(QUERIES, all.clone()), mat(GALLERY, None)),
            call!(|a| nnn_ranks_f32(a[0] as _, a[1] as _, a[2] as _, a[3], a[4] as _, a[5] as _, a[6], a[7] as _, a[8], a[9] as _)),
        ),
        function(
            "nnn_ranks_i8",
            ranks(codes(QUERIES, all), codes(GALLERY, None)),
            call!(|a| nnn_ranks_i8(a[0] as _, a[1] as _, a[2] as _, a[3], a[4] as _, a[5] as _, a[6], a[7] as _, a[8], a[9] as _)),
        ),
        function("nnn_recall", [run(4), length(4), at(), out::<f64>(1)], call!(|a| nnn_recall(a[0] as _, a[1], a[2], a[3] as _))),
        function("nnn_median_rank", [run(4), length(4), out::<f64>(1)], call!(|a| nnn_median_rank(a[0] as _, a[1], a[2] as _))),
        function(
            "nnn_bootstrap",
            [run(4), run(4), number(4), at(), confidence(), Param::Any(7), resamples, resamples_len, out::<Interval>(1)],
            call!(|a| {
                let confidence = f64::from_bits(a[4] as u64);
                nnn_bootstrap(a[0] as _, a[1] as _, a[2], a[3], confidence, a[5] as u64, a[6] as _, a[7], a[8] as _)
            }),
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
            call!(|a| {
                let (confidence, seed) = (f64::from_bits(a[4] as u64), a[5] as u64);
                nnn_choose(a[0] as _, a[1], a[2], a[3], confidence, seed, a[6] as _, a[7], a[8] as _, a[9] as _, a[10] as _)
            }),
        ),
        function(
            "nnn_count_occurrences",
            with(lists().into(), vec![first_hits(), Param::Out(Elements::zeros::<u32>(GALLERY)), number(GALLERY)]),
            call!(|a| nnn_count_occurrences(a[0] as _, a[1] as _, a[2], a[3], a[4], a[5] as _, a[6])),
        ),
        function(
            "nnn_hubness",
            [run(GALLERY), number(GALLERY), out::<Hubness>(1)],
            call!(|a| nnn_hubness(a[0] as _, a[1], a[2] as _)),
        ),
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
            call!(|a| nnn_attribute_bias(a[0] as _, a[1] as _, a[2], a[3], a[4], a[5] as _, a[6], a[7] as _, a[8] as _)),
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
            call!(|a| nnn_balanced_sample(a[0] as _, a[1], a[2] as u64, a[3] as _, a[4], a[5] as _)),
        ),
    ]
}

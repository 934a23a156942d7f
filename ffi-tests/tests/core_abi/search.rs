//! Search, rerank, merge of hits.

use crate::params::*;
use ffi_tests::contract::{Elements, Function, Param, wrong, wrong_for};
use nnn::Hit;
use nnn::abi::*;

pub fn functions() -> Vec<Function> {
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
    let candidates = || {
        let candidates = Elements::hits(&[(0.5, 1), (0.25, 6), (0.75, 3)]).finite(0..=2);
        candidates.refusing(1, Elements::hits(&[(0.25, GALLERY as u32)]), NNN_ERR_RANGE)
    };
    let len = |good, code| Param::Size(good, vec![wrong(HUGE, code)]);
    vec![
        function(
            "nnn_search_f32",
            search(mat(QUERIES, all.clone()), mat(GALLERY, None)),
            call!(|a| nnn_search_f32(
                a[0] as _, a[1] as _, a[2] as _, a[3] as _, a[4], a[5], a[6], a[7] as _, a[8], a[9] as _, a[10] as _
            )),
        ),
        function(
            "nnn_search_i8",
            search(codes(QUERIES, all), codes(GALLERY, None)),
            call!(|a| nnn_search_i8(
                a[0] as _, a[1] as _, a[2] as _, a[3] as _, a[4], a[5], a[6], a[7] as _, a[8], a[9] as _, a[10] as _
            )),
        ),
        function(
            "nnn_hits_merge",
            [
                Param::Out(hits()),
                Param::Out(Elements::one(2u32).refusing_value(Elements::one(3u32), NNN_ERR_RANGE)),
                Param::In(hits()),
                Param::Any(2),
                k(NNN_ERR_OVERFLOW),
            ],
            call!(|a| nnn_hits_merge(a[0] as _, a[1] as _, a[2] as _, a[3] as u32, a[4])),
        ),
        function(
            "nnn_rerank",
            [
                Param::In(candidates()),
                len(3, NNN_ERR_OVERFLOW),
                Param::In(biases(GALLERY).finite(1..=1).finite(6..=6)),
                len(GALLERY, NNN_ERR_OVERFLOW),
                Param::Size(K, vec![wrong(0, NNN_ERR_K)]),
                out::<Hit>(K),
                out::<u32>(1),
            ],
            call!(|a| nnn_rerank(a[0] as _, a[1], a[2] as _, a[3], a[4], a[5] as _, a[6] as _)),
        ),
        function(
            "nnn_rerank_certified",
            [
                Param::In(candidates()),
                len(3, NNN_ERR_OVERFLOW),
                Param::In(biases(GALLERY).finite(1..=1).finite(6..=6)),
                Param::Size(GALLERY, vec![wrong(HUGE, NNN_ERR_OVERFLOW), wrong_for(1, 2, NNN_ERR_RANGE)]),
                Param::Size(
                    (-0.5f32).to_bits() as usize,
                    [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.25]
                        .map(|bad| wrong(bad.to_bits() as usize, NNN_ERR_VALUE))
                        .into(),
                ),
                Param::Size(K, vec![wrong(0, NNN_ERR_K)]),
                out::<Hit>(K),
                out::<u32>(1),
                out::<usize>(1),
            ],
            call!(|a| nnn_rerank_certified(a[0] as _, a[1], a[2] as _, a[3], float(a[4]), a[5], a[6] as _, a[7] as _, a[8] as _)),
        ),
    ]
}

//! Gates and dual softmax.

use crate::params::*;
use ffi_tests::contract::{Elements, Function, Param, wrong};
use nnn::Hit;
use nnn::abi::*;

pub fn functions() -> Vec<Function> {
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
            call!(|a| nnn_activation_set(a[0] as _, a[1] as _, a[2], a[3], a[4], a[5], a[6] as _)),
        ),
        function(
            "nnn_search_gated_f32",
            search(mat(QUERIES, all.clone()), mat(GALLERY, None), 1),
            call!(|a| nnn_search_gated_f32(
                a[0] as _, a[1] as _, a[2] as _, a[3], a[4] as _, a[5] as _, a[6], a[7], a[8], a[9] as _, a[10], a[11] as _,
                a[12] as _,
            )),
        ),
        function(
            "nnn_search_gated_i8",
            search(codes(QUERIES, all), codes(GALLERY, None), 2),
            call!(|a| nnn_search_gated_i8(
                a[0] as _, a[1] as _, a[2] as _, a[3], a[4] as _, a[5] as _, a[6], a[7], a[8], a[9] as _, a[10], a[11] as _,
                a[12] as _,
            )),
        ),
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
            call!(|a| nnn_rerank_gated(a[0] as _, a[1], a[2] as _, a[3], a[4], a[5], a[6] as _, a[7] as _)),
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
            call!(|a| nnn_dual_softmax(a[0] as _, a[1], a[2] as _, a[3], float(a[4]), a[5], a[6], a[7] as _, a[8] as _)),
        ),
    ]
}

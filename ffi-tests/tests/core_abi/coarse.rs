//! The coarse index.

use crate::params::*;
use ffi_tests::contract::{Elements, Function, Param, wrong, wrong_for};
use nnn::abi::*;
use nnn::{BiasError, Hit};

const LISTS: usize = 3;
const PROBES: usize = 2;

/// Where lists of so many rows begin.
fn offsets(rows: usize) -> Param {
    let good = Elements::numbers(&[0u32, 2, 4, rows as u32]);
    let bad = [(0, 1u32), (1, 5), (2, u32::MAX), (3, rows as u32 - 1), (3, rows as u32 + 1)];
    Param::In(bad.iter().fold(good, |good, (i, bad)| good.refusing(*i, Elements::one(*bad), NNN_ERR_VALUE)))
}

fn ids(rows: usize) -> Elements {
    Elements::numbers(&(0..rows as u32).collect::<Vec<_>>())
}

fn centroids() -> Param {
    mat(LISTS, Some(0..=LISTS - 1))
}

fn probes() -> Param {
    Param::Size(PROBES, vec![wrong(0, NNN_ERR_K)])
}

fn scratch() -> Param {
    Param::Scratch { bytes: 6000, least: nnn::coarse_scratch(1, LISTS, PROBES, DIM) }
}

pub fn functions() -> Vec<Function> {
    let unsorted = |elements: Elements| {
        let pairs = [[-0.25, 0.5], [f32::NAN, 0.5], [0.5, f32::NAN], [f32::INFINITY, 0.5]];
        pairs.into_iter().fold(elements, |elements, pair| elements.refusing(2, Elements::floats(&pair), NNN_ERR_VALUE))
    };
    let hollow = |elements| unsorted(elements).refusing(2, Elements::floats(&[f32::NEG_INFINITY, 0.5]), NNN_ERR_VALUE);
    let neighbors = |gallery, bank| {
        let ([first, count], k) = (range_of(0), k(NNN_ERR_OVERFLOW));
        let table = Param::Out(hollow(table(COUNT)));
        [gallery, bank, centroids(), offsets(BANK), probes(), k, first, count, scratch(), table, out::<u64>(1)]
    };
    let search = |queries, gallery| {
        let (bias, allow) = (Param::InOptional(biases(GALLERY)), Param::InOptional(Elements::one(u64::MAX)));
        let (index, k) = ([centroids(), offsets(GALLERY), Param::In(ids(GALLERY))], k(NNN_ERR_OVERFLOW));
        let written = [scratch(), out::<Hit>(QUERIES * K), out::<u32>(QUERIES), out::<u64>(1)];
        [queries, gallery].into_iter().chain(index).chain([bias, allow, probes(), k]).chain(written)
    };
    let gathered = || Param::In(ids(COUNT).refusing(1, Elements::one(GALLERY as u32), NNN_ERR_RANGE));
    let assigned = Elements::numbers(&[2u32, 0, 2]).refusing(1, Elements::one(LISTS as u32), NNN_ERR_VALUE);
    let all = |rows: usize| Some(0..=rows - 1);
    let least_of_training = nnn::coarse_train_scratch(GALLERY, LISTS, DIM) - 651_264;
    let seen = unsorted(table(COUNT)).refusing(2, Elements::floats(&[f32::NEG_INFINITY; 2]), NNN_ERR_K);
    let counts = || Param::In(counts_of_lists());
    let hits = || Param::In(Elements::hits(&[(0.5, 1); QUERIES * K]));
    let twice = ids(BANK).refusing(3, Elements::one(2u32), NNN_ERR_VALUE).refusing(0, Elements::one(BANK as u32), NNN_ERR_VALUE);
    vec![
        function(
            "nnn_coarse_train",
            [
                mat(GALLERY, all(GALLERY)),
                Param::Size(LISTS, vec![wrong(0, NNN_ERR_K), wrong(HUGE, NNN_ERR_OVERFLOW)]),
                Param::Any(2),
                Param::Any(7),
                Param::Scratch { bytes: least_of_training + 64, least: least_of_training },
                out::<f32>(LISTS * DIM),
            ],
            call!(|a| nnn_coarse_train(a[0] as _, a[1], a[2], a[3] as u64, a[4] as _, a[5], a[6] as _)),
        ),
        function(
            "nnn_coarse_assign",
            {
                let ([first, count], least) = (range_of(0), NNN_COARSE_ASSIGN_SCRATCH_MIN_BYTES);
                let scratch = Param::Scratch { bytes: 5000, least };
                [mat(GALLERY, Some(RANGE)), centroids(), first, count, scratch, out::<u32>(COUNT)]
            },
            call!(|a| nnn_coarse_assign(a[0] as _, a[1] as _, a[2], a[3], a[4] as _, a[5], a[6] as _)),
        ),
        function(
            "nnn_coarse_lists",
            [Param::In(assigned), number(COUNT), number(LISTS), out::<u32>(LISTS + 1), out::<u32>(COUNT)],
            call!(|a| nnn_coarse_lists(a[0] as _, a[1], a[2], a[3] as _, a[4] as _)),
        ),
        function(
            "nnn_coarse_check",
            [number(BANK), number(LISTS), offsets(BANK), Param::In(twice), Param::Scratch { bytes: 16, least: 1 }],
            call!(|a| nnn_coarse_check(a[0], a[1], a[2] as _, a[3] as _, a[4] as _, a[5])),
        ),
        function(
            "nnn_coarse_gather_f32",
            [mat(GALLERY, None), gathered(), number(COUNT), out::<f32>((COUNT - 1) * STRIDE + DIM), stride(NNN_ERR_OVERFLOW)],
            call!(|a| nnn_coarse_gather_f32(a[0] as _, a[1] as _, a[2], a[3] as _, a[4])),
        ),
        function(
            "nnn_coarse_gather_i8",
            {
                let dst = out::<i8>((COUNT - 1) * STRIDE + DIM);
                [codes(GALLERY, None), gathered(), number(COUNT), dst, stride(NNN_ERR_OVERFLOW), out::<f32>(COUNT)]
            },
            call!(|a| nnn_coarse_gather_i8(a[0] as _, a[1] as _, a[2], a[3] as _, a[4], a[5] as _)),
        ),
        function(
            "nnn_coarse_neighbors_f32",
            neighbors(mat(GALLERY, Some(RANGE)), mat(BANK, None)),
            call!(|a| {
                let scratch = (a[8] as _, a[9]);
                let (table, pairs) = (a[10] as _, a[11] as _);
                let (g, b, c, o) = (a[0] as _, a[1] as _, a[2] as _, a[3] as _);
                nnn_coarse_neighbors_f32(g, b, c, o, a[4], a[5], a[6], a[7], scratch.0, scratch.1, table, pairs)
            }),
        ),
        function(
            "nnn_coarse_neighbors_i8",
            neighbors(codes(GALLERY, Some(RANGE)), codes(BANK, None)),
            call!(|a| {
                let scratch = (a[8] as _, a[9]);
                let (table, pairs) = (a[10] as _, a[11] as _);
                let (g, b, c, o) = (a[0] as _, a[1] as _, a[2] as _, a[3] as _);
                nnn_coarse_neighbors_i8(g, b, c, o, a[4], a[5], a[6], a[7], scratch.0, scratch.1, table, pairs)
            }),
        ),
        function(
            "nnn_coarse_bias",
            [
                Param::In(seen),
                number(COUNT),
                Param::Size(K, vec![wrong(0, NNN_ERR_K), wrong(1, NNN_ERR_K), wrong(HUGE, NNN_ERR_OVERFLOW)]),
                Param::Size(K, vec![wrong(0, NNN_ERR_K), wrong_for(2, K + 1, NNN_ERR_K), wrong_for(2, HUGE, NNN_ERR_K)]),
                Param::Finite(0.75),
                out::<f32>(COUNT),
                out::<usize>(1),
            ],
            call!(|a| nnn_coarse_bias(a[0] as _, a[1], a[2], a[3], float(a[4]), a[5] as _, a[6] as _)),
        ),
        function(
            "nnn_coarse_search_f32",
            search(mat(QUERIES, all(QUERIES)), mat(GALLERY, None)),
            call!(|a| {
                let (q, g, c, o, i) = (a[0] as _, a[1] as _, a[2] as _, a[3] as _, a[4] as _);
                let (h, f, p) = (a[11] as _, a[12] as _, a[13] as _);
                nnn_coarse_search_f32(q, g, c, o, i, a[5] as _, a[6] as _, a[7], a[8], a[9] as _, a[10], h, f, p)
            }),
        ),
        function(
            "nnn_coarse_search_i8",
            search(codes(QUERIES, all(QUERIES)), codes(GALLERY, None)),
            call!(|a| {
                let (q, g, c, o, i) = (a[0] as _, a[1] as _, a[2] as _, a[3] as _, a[4] as _);
                let (h, f, p) = (a[11] as _, a[12] as _, a[13] as _);
                nnn_coarse_search_i8(q, g, c, o, i, a[5] as _, a[6] as _, a[7], a[8], a[9] as _, a[10], h, f, p)
            }),
        ),
        function(
            "nnn_bias_error",
            [
                Param::In(biases(COUNT).finite(0..=COUNT - 1)),
                Param::In(biases(COUNT).finite(0..=COUNT - 1)),
                number(COUNT),
                out::<BiasError>(1),
            ],
            call!(|a| nnn_bias_error(a[0] as _, a[1] as _, a[2], a[3] as _)),
        ),
        function(
            "nnn_hits_recall",
            [hits(), counts(), hits(), counts(), number(QUERIES), k(NNN_ERR_OVERFLOW), out::<f64>(1)],
            call!(|a| nnn_hits_recall(a[0] as _, a[1] as _, a[2] as _, a[3] as _, a[4], a[5], a[6] as _)),
        ),
    ]
}

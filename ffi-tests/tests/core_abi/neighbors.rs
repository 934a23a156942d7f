//! Neighbour tables and the NNN bias.

use crate::params::*;
use ffi_tests::contract::{Elements, Function, Param, wrong, wrong_for};
use nnn::abi::*;

pub fn functions() -> Vec<Function> {
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
        function(
            "nnn_neighbors_init",
            [out::<f32>(COUNT * K), rows(), k(NNN_ERR_OVERFLOW)],
            call!(|a| nnn_neighbors_init(a[0] as _, a[1], a[2])),
        ),
        function(
            "nnn_neighbors_update_f32",
            update(mat(GALLERY, Some(RANGE)), mat(BANK, all.clone())),
            call!(|a| nnn_neighbors_update_f32(a[0] as _, a[1] as _, a[2], a[3], a[4], a[5] as _, a[6], a[7] as _)),
        ),
        function(
            "nnn_neighbors_update_i8",
            update(codes(GALLERY, Some(RANGE)), codes(BANK, all.clone())),
            call!(|a| nnn_neighbors_update_i8(a[0] as _, a[1] as _, a[2], a[3], a[4], a[5] as _, a[6], a[7] as _)),
        ),
        function(
            "nnn_neighbors_merge",
            [Param::Out(hollow(table(COUNT))), Param::In(hollow(table(COUNT))), rows(), k(NNN_ERR_OVERFLOW)],
            call!(|a| nnn_neighbors_merge(a[0] as _, a[1] as _, a[2], a[3])),
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
            call!(|a| nnn_neighbors_bias(a[0] as _, a[1], a[2], a[3], f32::from_bits(a[4] as u32), a[5] as _)),
        ),
        function(
            "nnn_bias_f32",
            bias(mat(GALLERY, Some(RANGE)), mat(BANK, all.clone())),
            call!(|a| nnn_bias_f32(
                a[0] as _,
                a[1] as _,
                a[2],
                f32::from_bits(a[3] as u32),
                a[4],
                a[5],
                a[6] as _,
                a[7],
                a[8] as _
            )),
        ),
        function(
            "nnn_bias_i8",
            bias(codes(GALLERY, Some(RANGE)), codes(BANK, all)),
            call!(|a| nnn_bias_i8(a[0] as _, a[1] as _, a[2], f32::from_bits(a[3] as u32), a[4], a[5], a[6] as _, a[7], a[8] as _)),
        ),
    ]
}

//! Encoding and the certified functions.

use crate::params::*;
use ffi_tests::contract::{Elements, Function, Param, wrong};
use nnn::abi::*;
use nnn::{Bound, Certificate, Hit};

pub fn functions() -> Vec<Function> {
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
        function("nnn_mean_f32", [mat(QUERIES, all.clone()), out::<f32>(DIM)], call!(|a| nnn_mean_f32(a[0] as _, a[1] as _))),
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
            call!(|a| nnn_encode_f32(
                a[0] as _,
                a[1] as _,
                a[2] as u32,
                a[3] as u64,
                a[4] as _,
                a[5] as _,
                a[6],
                a[7] as _,
                a[8] as _
            )),
        ),
        function(
            "nnn_neighbors_update_certified",
            update,
            call!(|a| nnn_neighbors_update_certified(
                a[0] as _, a[1] as _, a[2], a[3], a[4], a[5] as _, a[6], a[7] as _, a[8] as _
            )),
        ),
        function(
            "nnn_bias_certified",
            bias,
            call!(|a| {
                let alpha = f32::from_bits(a[3] as u32);
                nnn_bias_certified(a[0] as _, a[1] as _, a[2], alpha, a[4], a[5], a[6] as _, a[7], a[8] as _, a[9] as _)
            }),
        ),
        function(
            "nnn_search_certified",
            search,
            call!(|a| nnn_search_certified(
                a[0] as _, a[1] as _, a[2] as _, a[3] as _, a[4], a[5], a[6], a[7] as _, a[8], a[9] as _, a[10] as _, a[11] as _,
            )),
        ),
    ]
}

//! The other estimators.

use crate::params::*;
use ffi_tests::contract::{Elements, Function, Param, wrong};
use nnn::abi::*;
use nnn::{ExactSum, LogSum};

pub fn functions() -> Vec<Function> {
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
            call!(|a| nnn_neighbors_grid(a[0] as _, a[1], a[2], a[3] as _, a[4], a[5] as _, a[6], a[7] as _)),
        ),
        function("nnn_logsum_init", [out::<LogSum>(COUNT), number(COUNT)], call!(|a| nnn_logsum_init(a[0] as _, a[1]))),
        function(
            "nnn_logsum_update_f32",
            update(mat(GALLERY, Some(RANGE)), mat(BANK, bank())),
            call!(|a| nnn_logsum_update_f32(a[0] as _, a[1] as _, a[2] as _, float(a[3]), a[4], a[5], a[6] as _, a[7], a[8] as _)),
        ),
        function(
            "nnn_logsum_update_i8",
            update(codes(GALLERY, Some(RANGE)), codes(BANK, bank())),
            call!(|a| nnn_logsum_update_i8(a[0] as _, a[1] as _, a[2] as _, float(a[3]), a[4], a[5], a[6] as _, a[7], a[8] as _)),
        ),
        function(
            "nnn_logsum_merge",
            [Param::Out(log_sums(COUNT)), Param::In(log_sums(COUNT)), number(COUNT)],
            call!(|a| nnn_logsum_merge(a[0] as _, a[1] as _, a[2])),
        ),
        function(
            "nnn_logsum_ln",
            [Param::In(log_sums(GALLERY)), number(GALLERY), out::<f64>(GALLERY)],
            call!(|a| nnn_logsum_ln(a[0] as _, a[1], a[2] as _)),
        ),
        function(
            "nnn_logsum_bias",
            [sums(COUNT), number(COUNT), positive(20.0), out::<f32>(COUNT)],
            call!(|a| nnn_logsum_bias(a[0] as _, a[1], float(a[2]), a[3] as _)),
        ),
        function(
            "nnn_logsum_dual_bias",
            [sums(COUNT), positive(20.0), sums(COUNT), positive(1.0), number(COUNT), out::<f32>(COUNT)],
            call!(|a| nnn_logsum_dual_bias(a[0] as _, float(a[1]), a[2] as _, float(a[3]), a[4], a[5] as _)),
        ),
        function("nnn_columns_init", [out::<ExactSum>(DIM), dim()], call!(|a| nnn_columns_init(a[0] as _, a[1]))),
        function(
            "nnn_columns_update_f32",
            [mat(BANK, bank()), out::<ExactSum>(DIM)],
            call!(|a| nnn_columns_update_f32(a[0] as _, a[1] as _)),
        ),
        function(
            "nnn_columns_update_i8",
            [codes(BANK, bank()), out::<ExactSum>(DIM)],
            call!(|a| nnn_columns_update_i8(a[0] as _, a[1] as _)),
        ),
        function(
            "nnn_columns_merge",
            [out::<ExactSum>(DIM), Param::In(Elements::zeros::<ExactSum>(DIM)), dim()],
            call!(|a| nnn_columns_merge(a[0] as _, a[1] as _, a[2])),
        ),
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
            call!(|a| nnn_columns_mean(a[0] as _, a[1], a[2], a[3] as _)),
        ),
        function(
            "nnn_mean_bias_f32",
            mean_bias(mat(GALLERY, Some(RANGE))),
            call!(|a| nnn_mean_bias_f32(a[0] as _, a[1] as _, float(a[2]), a[3], a[4], a[5] as _)),
        ),
        function(
            "nnn_mean_bias_i8",
            mean_bias(codes(GALLERY, Some(RANGE))),
            call!(|a| nnn_mean_bias_i8(a[0] as _, a[1] as _, float(a[2]), a[3], a[4], a[5] as _)),
        ),
        function(
            "nnn_sinkhorn_bias_f32",
            sinkhorn(mat(GALLERY, gallery()), mat(QUERIES, Some(0..=QUERIES - 1)), mat(BANK, bank())),
            call!(|a| {
                let (tau, scratch) = (float(a[3]), a[9] as _);
                nnn_sinkhorn_bias_f32(
                    a[0] as _, a[1] as _, a[2] as _, tau, a[4], a[5] as _, a[6], a[7] as _, a[8], scratch, a[10], a[11] as _,
                )
            }),
        ),
        function(
            "nnn_sinkhorn_bias_i8",
            sinkhorn(codes(GALLERY, gallery()), codes(QUERIES, Some(0..=QUERIES - 1)), codes(BANK, bank())),
            call!(|a| {
                let (tau, scratch) = (float(a[3]), a[9] as _);
                nnn_sinkhorn_bias_i8(
                    a[0] as _, a[1] as _, a[2] as _, tau, a[4], a[5] as _, a[6], a[7] as _, a[8], scratch, a[10], a[11] as _,
                )
            }),
        ),
    ]
}

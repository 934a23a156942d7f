//! Rows, products and scores.

use crate::params::*;
use ffi_tests::contract::{Elements, Function, Param, wrong};
use nnn::abi::*;

pub fn functions() -> Vec<Function> {
    let dim = || Param::Size(DIM, vec![wrong(0, NNN_ERR_DIM), wrong(nnn::MAX_DIM + 1, NNN_ERR_DIM), wrong(HUGE, NNN_ERR_DIM)]);
    let row = || Param::In(Elements::floats(&[1.0; DIM]));
    let code_row = || Param::In(Elements::blank::<i8>(DIM));
    let all = || Some(0..=QUERIES - 1);
    let scores = |queries, gallery| {
        let [first, count] = range_of(1);
        [queries, gallery, first, count, out::<f32>(QUERIES * STRIDE), stride(NNN_ERR_OVERFLOW)]
    };
    vec![
        function(
            "nnn_dot_f32",
            [row(), row(), dim(), out::<f32>(1)],
            call!(|a| nnn_dot_f32(a[0] as _, a[1] as _, a[2], a[3] as _)),
        ),
        function(
            "nnn_dot_i8",
            [code_row(), code_row(), dim(), out::<i32>(1)],
            call!(|a| nnn_dot_i8(a[0] as _, a[1] as _, a[2], a[3] as _)),
        ),
        function(
            "nnn_dot4_f32",
            [row(), row(), row(), row(), row(), dim(), out::<f32>(4)],
            call!(|a| nnn_dot4_f32(a[0] as _, a[1] as _, a[2] as _, a[3] as _, a[4] as _, a[5], a[6] as _)),
        ),
        function(
            "nnn_dot4_i8",
            [code_row(), code_row(), code_row(), code_row(), code_row(), dim(), out::<i32>(4)],
            call!(|a| nnn_dot4_i8(a[0] as _, a[1] as _, a[2] as _, a[3] as _, a[4] as _, a[5], a[6] as _)),
        ),
        function(
            "nnn_scores_f32",
            scores(mat(QUERIES, all()), mat(GALLERY, None)),
            call!(|a| nnn_scores_f32(a[0] as _, a[1] as _, a[2], a[3], a[4] as _, a[5])),
        ),
        function(
            "nnn_scores_i8",
            scores(codes(QUERIES, all()), codes(GALLERY, None)),
            call!(|a| nnn_scores_i8(a[0] as _, a[1] as _, a[2], a[3], a[4] as _, a[5])),
        ),
        Function {
            reports: Some(NNN_ERR_VALUE),
            ..function(
                "nnn_find_nonfinite_f32",
                [mat(QUERIES, all()), out::<usize>(1), out::<usize>(1)],
                call!(|a| nnn_find_nonfinite_f32(a[0] as _, a[1] as _, a[2] as _)),
            )
        },
        function(
            "nnn_normalize_f32",
            [mat(QUERIES, all()), out::<f32>(QUERIES * STRIDE), stride(NNN_ERR_OVERFLOW)],
            call!(|a| nnn_normalize_f32(a[0] as _, a[1] as _, a[2])),
        ),
        function(
            "nnn_quantize_i8",
            [mat(QUERIES, all()), out::<i8>(QUERIES * STRIDE), stride(NNN_ERR_OVERFLOW), out::<f32>(QUERIES)],
            call!(|a| nnn_quantize_i8(a[0] as _, a[1] as _, a[2], a[3] as _)),
        ),
    ]
}

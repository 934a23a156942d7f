//! Export to ANN engines.

use crate::params::*;
use ffi_tests::contract::{Elements, Function, Param, wrong};
use nnn::ExportLimits;
use nnn::abi::*;

/// Bytes of limits.
fn limits_of(norm2: f64, bias_min: f32, bias_max: f32) -> Elements {
    // As words, so that the bytes are those of this machine.
    let halves = [bias_min.to_ne_bytes(), bias_max.to_ne_bytes()].concat();
    Elements::numbers(&[norm2.to_bits(), u64::from_ne_bytes(halves.try_into().unwrap())])
}

/// Limits in which every row and bias of a good call lies, and those that are refused: of no rows, not finite, too narrow.
fn limits(form: u32) -> Param {
    let mut good = limits_of(1e6, -1.0, 1.0);
    let none = ExportLimits::empty();
    let mut bad = vec![
        (limits_of(none.norm2, none.bias_min, none.bias_max), NNN_ERR_VALUE),
        (limits_of(f64::NAN, -1.0, 1.0), NNN_ERR_VALUE),
        (limits_of(-1.0, -1.0, 1.0), NNN_ERR_VALUE),
        (limits_of(1e6, 1.0, -1.0), NNN_ERR_VALUE),
        (limits_of(1e6, f32::NEG_INFINITY, 1.0), NNN_ERR_VALUE),
        (limits_of(0.0, -1.0, 1.0), NNN_ERR_RANGE),
        (limits_of(1e6, 0.25, 1.0), NNN_ERR_RANGE),
        (limits_of(1e6, -1.0, 0.0), NNN_ERR_RANGE),
    ];
    if form != NNN_FORM_INNER_PRODUCT {
        bad.push((limits_of(1e80, -1.0, 1.0), NNN_ERR_VALUE));
    }
    for (limits, code) in bad {
        good = good.refusing(0, limits, code);
    }
    Param::In(good)
}

/// Limits of scores, of which only nonsense is refused.
fn limits_of_scores() -> Param {
    let good = limits_of(1e6, -1.0, 1.0);
    let good = good.refusing(0, limits_of(f64::INFINITY, -1.0, 1.0), NNN_ERR_VALUE);
    Param::In(good.refusing(0, limits_of(1e6, 1.0, -1.0), NNN_ERR_VALUE))
}

fn form() -> Param {
    Param::Size(NNN_FORM_COSINE as usize, vec![wrong(3, NNN_ERR_VALUE), wrong(u32::MAX as usize, NNN_ERR_VALUE)])
}

fn out_stride(good: usize, narrow: usize) -> Param {
    Param::Size(good, vec![wrong(0, NNN_ERR_STRIDE), wrong(narrow, NNN_ERR_STRIDE), wrong(HUGE, NNN_ERR_OVERFLOW)])
}

pub fn functions() -> Vec<Function> {
    const WIDE: usize = 9;
    const BYTES: usize = 18;
    let of_range = |gallery: Param, rest: Vec<Param>| {
        let [first, count] = range_of(0);
        let head = vec![gallery, Param::In(biases(GALLERY).finite(RANGE))];
        (head, first, count, rest)
    };
    let scan = |gallery| {
        let (mut params, first, count, rest) = of_range(gallery, vec![out::<ExportLimits>(1)]);
        params.extend([first, count]);
        params.extend(rest);
        params
    };
    let rows = |gallery, form: Vec<Param>, limits, rest| {
        let (mut params, first, count, rest) = of_range(gallery, rest);
        params.push(limits);
        params.extend(form);
        params.extend([first, count]);
        params.extend(rest);
        params
    };
    let all = || Some(0..=QUERIES - 1);
    vec![
        function(
            "nnn_export_limits_f32",
            scan(mat(GALLERY, Some(RANGE))),
            call!(|a| nnn_export_limits_f32(a[0] as _, a[1] as _, a[2], a[3], a[4] as _)),
        ),
        function(
            "nnn_export_limits_i8",
            scan(codes(GALLERY, Some(RANGE))),
            call!(|a| nnn_export_limits_i8(a[0] as _, a[1] as _, a[2], a[3], a[4] as _)),
        ),
        function(
            "nnn_export_limits_merge",
            [Param::Out(limits_of(1.0, 0.0, 1.0)), Param::In(limits_of(2.0, -1.0, 0.0))],
            call!(|a| nnn_export_limits_merge(a[0] as _, a[1] as _)),
        ),
        function(
            "nnn_export_rows_f32",
            rows(
                mat(GALLERY, Some(RANGE)),
                vec![form()],
                limits(NNN_FORM_COSINE),
                vec![out::<f32>(COUNT * WIDE), out_stride(WIDE, DIM + 1)],
            ),
            call!(|a| nnn_export_rows_f32(a[0] as _, a[1] as _, a[2] as _, a[3] as u32, a[4], a[5], a[6] as _, a[7])),
        ),
        function(
            "nnn_export_rows_i8",
            rows(
                codes(GALLERY, Some(RANGE)),
                vec![],
                limits(NNN_FORM_INNER_PRODUCT),
                vec![out::<u8>(COUNT * BYTES), out_stride(BYTES, 15)],
            ),
            call!(|a| nnn_export_rows_i8(a[0] as _, a[1] as _, a[2] as _, a[3], a[4], a[5] as _, a[6])),
        ),
        function(
            "nnn_export_queries_f32",
            [mat(QUERIES, all()), form(), Param::Finite(0.75), out::<f32>(QUERIES * WIDE), out_stride(WIDE, DIM + 1)],
            call!(|a| nnn_export_queries_f32(a[0] as _, a[1] as u32, float(a[2]), a[3] as _, a[4])),
        ),
        function(
            "nnn_export_queries_i8",
            [codes(QUERIES, all()), Param::Finite(0.75), out::<u8>(QUERIES * BYTES), out_stride(BYTES, 15)],
            call!(|a| nnn_export_queries_i8(a[0] as _, float(a[1]), a[2] as _, a[3])),
        ),
        function(
            "nnn_export_scores",
            [
                limits_of_scores(),
                form(),
                Param::In(Elements::floats(&[1.0; DIM]).finite(0..=DIM - 1)),
                dim(),
                Param::Finite(0.75),
                Param::Out(Elements::floats(&[0.5, 0.25, 0.125]).finite(0..=2)),
                number(3),
            ],
            call!(|a| nnn_export_scores(a[0] as _, a[1] as u32, a[2] as _, a[3], float(a[4]), a[5] as _, a[6])),
        ),
    ]
}

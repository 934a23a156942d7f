//! Export to ANN engines: exact against f64 for rows of any length, the same from any partition, wrong where it must be refused.

use ffi_tests::data::{CodeRows, Random, Rows, for_each_isa};
use ffi_tests::reference::dot_f64;
use nnn::abi::{nnn_metric_f32, nnn_metric_i8};
use nnn::{ExportLimits, Form, Hit, Status, export_dim, export_limits, export_queries, export_rows, export_scores, search};
use std::ffi::c_void;

const FORMS: [Form; 3] = [Form::InnerProduct, Form::L2, Form::Cosine];

/// What an engine that errs by rounding only answers for two vectors, and its error.
fn engine(form: Form, query: &[f32], row: &[f32]) -> (f32, f64) {
    let exact = match form {
        Form::InnerProduct => dot_f64(query, row),
        Form::L2 => query.iter().zip(row).map(|(q, r)| (f64::from(*q) - f64::from(*r)).powi(2)).sum(),
        Form::Cosine => dot_f64(query, row) / (dot_f64(query, query) * dot_f64(row, row)).sqrt(),
    };
    (exact as f32, (f64::from(exact as f32) - exact).abs())
}

/// Rows whose lengths differ by a factor of up to `2 * spread`.
fn rows_of(random: &mut Random, rows: usize, dim: usize, spread: f32) -> Rows {
    let lengths: Vec<f32> = (0..rows).map(|_| 1.0 + spread * random.float().abs()).collect();
    Rows::new(rows, dim, dim + random.below(3), |i, _| random.float() * lengths[i])
}

fn exported(gallery: &Rows, bias: &[f32], limits: &ExportLimits, form: Form, stride: usize) -> Vec<f32> {
    let mut out = vec![f32::NAN; gallery.rows * stride];
    export_rows(&gallery.view(), bias, limits, form, 0..gallery.rows, &mut out, stride).unwrap();
    out
}

fn exported_queries(queries: &Rows, form: Form, alpha: f32, stride: usize) -> Vec<f32> {
    let mut out = vec![f32::NAN; queries.rows * stride];
    export_queries(&queries.view(), form, alpha, &mut out, stride).unwrap();
    out
}

#[test]
fn every_form_gives_the_score_back_within_its_bound() {
    for_each_isa(|_| {
        let mut random = Random(21);
        let (u, mut pairs, mut closest) = (2f64.powi(-24), 0, 0f64);
        for round in 0..120 {
            let (rows, dim) = (1 + random.below(30), [1, 2, 5, 33, 384][random.below(5)]);
            let gallery = rows_of(&mut random, rows, dim, [0.0, 3.0, 100.0][round % 3]);
            let queries = rows_of(&mut random, 3, dim, 10.0);
            let (shift, width) = ([0.0, 0.3, -7.0][random.below(3)], [0.0, 0.1, 1.0, 300.0][random.below(4)]);
            let bias: Vec<f32> = (0..rows).map(|_| shift + width * random.float()).collect();
            let mut limits = export_limits(&gallery.view(), &bias, 0..rows).unwrap();
            if round % 4 == 0 {
                limits.merge(&ExportLimits { norm2: limits.norm2 * 1.25, bias_min: -9.0, bias_max: 9.5 });
            }
            let (n, min) = (limits.norm2, f64::from(limits.bias_min));
            let centre = (min + f64::from(limits.bias_max)) / 2.0;
            let half = (f64::from(limits.bias_max) - min) / 2.0 * (1.0 + 2.0 * u);
            for form in FORMS {
                let alpha = if form == Form::L2 { 1.0 } else { [1.0, 0.5, 0.0, -0.75, 1.5][random.below(5)] };
                let stride = export_dim(dim, form, [0, 1, 4, 16][random.below(4)]);
                let vectors = exported(&gallery, &bias, &limits, form, stride);
                let asked = exported_queries(&queries, form, alpha, stride);
                let tails = if form == Form::Cosine { 2 } else { 1 };
                assert!(vectors.chunks(stride).chain(asked.chunks(stride)).all(|v| v[dim + tails..].iter().all(|x| *x == 0.0)));
                for (q, asked) in asked.chunks(stride).enumerate() {
                    for (r, row) in vectors.chunks(stride).enumerate() {
                        assert_eq!(row[..dim], *gallery.row(r), "the row itself");
                        let (value, e) = engine(form, asked, row);
                        let mut score = [value];
                        export_scores(&limits, form, queries.row(q), alpha, &mut score).unwrap();
                        let (qr, qq, rr) = (
                            dot_f64(queries.row(q), gallery.row(r)),
                            dot_f64(queries.row(q), queries.row(q)),
                            dot_f64(gallery.row(r), gallery.row(r)),
                        );
                        let (alpha, b) = (f64::from(alpha), f64::from(bias[r]));
                        let s = qr - alpha * b;
                        let shifted = (alpha * (b - centre)).abs();
                        let length = ((n + half * half) * (qq + alpha * alpha)).sqrt();
                        let (bound, terms) = match form {
                            Form::InnerProduct => {
                                (e + u * (s.abs() + shifted), qr.abs() + (alpha * b).abs() + (alpha * centre).abs())
                            }
                            Form::L2 => (e / 2.0 + u * (s.abs() + n - rr + 2.0 * (b - min)), qq + n + b.abs() + min.abs()),
                            Form::Cosine => {
                                let bound = e * length + u * (s.abs() + shifted + (qr - alpha * (b - centre)).abs());
                                (bound, length + (alpha * centre).abs())
                            }
                        };
                        // The terms of second order, too.
                        let bound = bound * (1.0 + 8.0 * u) + 2f64.powi(-50) * terms;
                        let error = (f64::from(score[0]) - s).abs();
                        assert!(error <= bound, "{form:?} round {round}: {error} above {bound}");
                        closest = closest.max(error / bound);
                        pairs += 1;
                    }
                }
            }
        }
        assert!(pairs > 10_000 && closest > 0.3, "{pairs} pairs, at most {closest} of the bound");
    });
}

#[test]
fn any_partition_writes_the_same_bits() {
    let mut random = Random(22);
    for _ in 0..50 {
        let (rows, dim) = (1 + random.below(60), 1 + random.below(20));
        let gallery = rows_of(&mut random, rows, dim, 2.0);
        let bias: Vec<f32> = (0..rows).map(|_| random.float()).collect();
        let whole = export_limits(&gallery.view(), &bias, 0..rows).unwrap();
        let mut parts = random.cuts(rows, 5);
        random.shuffle(&mut parts);
        let mut merged = ExportLimits::empty();
        for part in &parts {
            merged.merge(&export_limits(&gallery.view(), &bias, part.clone()).unwrap());
        }
        assert_eq!(
            (merged.norm2.to_bits(), merged.bias_min, merged.bias_max),
            (whole.norm2.to_bits(), whole.bias_min, whole.bias_max)
        );
        for form in FORMS {
            let stride = export_dim(dim, form, 4);
            let at_once = exported(&gallery, &bias, &whole, form, stride);
            let mut out = vec![f32::NAN; rows * stride];
            for part in &parts {
                let place = &mut out[part.start * stride..part.end * stride];
                export_rows(&gallery.view(), &bias, &whole, form, part.clone(), place, stride).unwrap();
            }
            assert_eq!(out, at_once);
        }
    }
}

#[test]
fn limits_are_the_extremes() {
    let gallery = Rows::new(3, 2, 3, |i, j| [[3.0, 4.0], [-6.0, 8.0], [0.0, 0.5]][i][j]);
    let limits = export_limits(&gallery.view(), &[0.5, -1.0, 2.0], 0..3).unwrap();
    assert_eq!(limits, ExportLimits { norm2: 100.0, bias_min: -1.0, bias_max: 2.0 });
    assert_eq!(export_limits(&gallery.view(), &[0.5, -1.0, 2.0], 2..3).unwrap().norm2, 0.25);
    let mut codes = CodeRows::new(2, 3, 3, |i, j| [[1, 2, 2], [-128, 0, 0]][i][j]);
    codes.scale = vec![2.0, 0.5];
    assert_eq!(export_limits(&codes.view(), &[0.0; 2], 0..2).unwrap().norm2, 4096.0);
    assert_eq!(export_limits(&codes.view(), &[0.0; 2], 0..1).unwrap().norm2, 36.0);
    assert_eq!(export_limits(&codes.view(), &[0.0; 2], 1..1).unwrap(), ExportLimits::empty());
}

#[test]
fn rows_to_come_fit_the_slack_or_are_refused() {
    let gallery = Rows::new(1, 2, 2, |_, j| [0.6, 0.8][j]);
    let limits = ExportLimits { norm2: 1.01, bias_min: 0.0, bias_max: 0.5 };
    let write = |row: [f32; 2], bias: f32, limits: &ExportLimits, form| {
        let late = Rows::new(1, 2, 2, |_, j| row[j]);
        let mut out = [7.0; 4];
        let done = export_rows(&late.view(), &[bias], limits, form, 0..1, &mut out, 4).map_err(|error| error.status);
        assert!(done.is_ok() || out == [7.0; 4], "something was written");
        done
    };
    for form in FORMS {
        assert_eq!(write([0.6, 0.8], 0.5, &limits, form), Ok(()));
        assert_eq!(write([0.6, 0.8], 0.5f32.next_up(), &limits, form), Err(Status::Range));
        assert_eq!(write([0.6, 0.8], -f32::MIN_POSITIVE, &limits, form), Err(Status::Range));
        assert_eq!(write([0.6, 0.81], 0.25, &limits, form), Err(Status::Range), "too long");
        assert_eq!(write([f32::NAN, 0.8], 0.25, &limits, form), Err(Status::Value));
        assert_eq!(write([0.6, 0.8], 0.25, &ExportLimits::empty(), form), Err(Status::Value));
        let huge = ExportLimits { norm2: 1e78, ..limits };
        assert_eq!(write([0.6, 0.8], 0.25, &huge, form).is_ok(), form == Form::InnerProduct, "the missing length overflows f32");
        let extreme = ExportLimits { norm2: 1.0, bias_min: f32::MIN, bias_max: f32::MAX };
        assert_eq!(write([0.0, 0.0], f32::MAX, &extreme, form), Ok(()));
        assert_eq!(export_dim(5, form, 4), 8);
        assert_eq!(export_dim(usize::MAX - 1, form, 4), usize::MAX);
    }
    assert_eq!((export_dim(5, Form::L2, 0), export_dim(5, Form::Cosine, 1), export_dim(7, Form::Cosine, 8)), (6, 7, 16));
    let mut out = [7.0; 4];
    let error = export_queries(&gallery.view(), Form::L2, 0.5, &mut out, 4).unwrap_err();
    assert_eq!((error.status, error.argument, out), (Status::Value, "alpha", [7.0; 4]), "L2 rows fix alpha");
}

/// Ids by an engine's value, best first.
fn ranking(form: Form, query: &[f32], vectors: &[f32]) -> Vec<u32> {
    let sign = if form == Form::L2 { -1.0 } else { 1.0 };
    let score = |row| f64::from(engine(form, query, row).0) * sign;
    let mut order: Vec<(f64, u32)> = vectors.chunks(query.len()).zip(0..).map(|(row, id)| (score(row), id)).collect();
    order.sort_by(|a, b| b.0.total_cmp(&a.0));
    order.iter().map(|(_, id)| *id).collect()
}

/// Every form ranks as the exact search; the inner-product form in a cosine index does not.
#[test]
fn each_form_ranks_right_in_its_own_index_only() {
    let mut random = Random(23);
    let (rows, dim, k) = (400, 16, 10);
    let unit = |rows: Rows| {
        let mut data = vec![0.0; rows.rows * rows.dim];
        nnn::normalize(&rows.view(), &mut data, rows.dim).unwrap();
        Rows { data, stride: rows.dim, ..rows }
    };
    let (gallery, queries) = (unit(Rows::random(&mut random, rows, dim)), unit(Rows::random(&mut random, 50, dim)));
    let bias: Vec<f32> = (0..rows).map(|_| 0.5 + 0.5 * random.float()).collect();
    let limits = export_limits(&gallery.view(), &bias, 0..rows).unwrap();
    let (mut hits, mut found) = (vec![Hit { score: 0.0, id: 0 }; 50 * k], vec![0; 50]);
    search(&queries.view(), &gallery.view(), Some(&bias), None, k, 0..rows, &mut [], &mut hits, &mut found).unwrap();
    let recall = |form, index| {
        let stride = export_dim(dim, form, 1);
        let (vectors, asked) = (exported(&gallery, &bias, &limits, form, stride), exported_queries(&queries, form, 1.0, stride));
        let right: usize = (0..50)
            .map(|q| {
                let answer = ranking(index, &asked[q * stride..][..stride], &vectors);
                hits[q * k..][..k].iter().filter(|hit| answer[..k].contains(&hit.id)).count()
            })
            .sum();
        right as f64 / (50 * k) as f64
    };
    for form in FORMS {
        let recall = recall(form, form);
        assert!(recall > 0.995, "{form:?}: {recall}");
    }
    let wrong = recall(Form::InnerProduct, Form::Cosine);
    assert!(wrong < 0.97, "the wrong combination was not wrong: {wrong}");
}

/// Limits that keep the bias as it is.
fn uncentred(bias: &[f32], norm2: f64) -> ExportLimits {
    let most = bias.iter().fold(0f32, |most, b| most.max(b.abs()));
    ExportLimits { norm2, bias_min: -most, bias_max: most }
}

#[test]
fn the_metric_is_minus_the_score_of_a_search_bit_for_bit() {
    for_each_isa(|_| {
        let mut random = Random(24);
        for dim in (1..70).chain([384, 1000]) {
            let (gallery, queries) = (Rows::random(&mut random, 9, dim), Rows::random(&mut random, 2, dim));
            let bias: Vec<f32> = (0..9).map(|_| random.float()).collect();
            let limits = uncentred(&bias, 1e6);
            let stride = export_dim(dim, Form::InnerProduct, 1);
            let vectors = exported(&gallery, &bias, &limits, Form::InnerProduct, stride);
            let asked = exported_queries(&queries, Form::InnerProduct, 1.0, stride);
            let (mut hits, mut found) = ([Hit { score: 0.0, id: 0 }; 18], [0; 2]);
            search(&queries.view(), &gallery.view(), Some(&bias), None, 9, 0..9, &mut [], &mut hits, &mut found).unwrap();
            for (q, hit) in hits.iter().enumerate().map(|(i, hit)| (i / 9, hit)) {
                let (a, b) = (&asked[q * stride..][..stride], &vectors[hit.id as usize * stride..][..stride]);
                assert_eq!(metric_f32(a, b, dim).to_bits(), (-hit.score + 0.0).to_bits(), "dim {dim}");
                assert_eq!(metric_f32(b, a, dim).to_bits(), metric_f32(a, b, dim).to_bits(), "symmetric");
            }

            let (gallery, queries) = (CodeRows::random(&mut random, 9, dim), CodeRows::random(&mut random, 2, dim));
            let limits = uncentred(&bias, 1e12);
            let stride = nnn::export_bytes(dim) + 3; // records at odd addresses
            let (mut vectors, mut asked) = (vec![99i8; 9 * stride], vec![99i8; 2 * stride]);
            nnn::export_codes(&gallery.view(), &bias, &limits, 0..9, &mut vectors, stride).unwrap();
            nnn::export_query_codes(&queries.view(), 1.0, &mut asked, stride).unwrap();
            search(&queries.view(), &gallery.view(), Some(&bias), None, 9, 0..9, &mut [], &mut hits, &mut found).unwrap();
            for (q, hit) in hits.iter().enumerate().map(|(i, hit)| (i / 9, hit)) {
                let (a, b) = (&asked[q * stride..][..stride], &vectors[hit.id as usize * stride..][..stride]);
                assert_eq!(metric_i8(a, b, dim).to_bits(), (-hit.score + 0.0).to_bits(), "dim {dim}");
                assert!(a[dim..].len() >= 8 && a[stride - 3..] == [0; 3], "zeros up to the stride");
            }
        }
    });
}

fn metric_f32(a: &[f32], b: &[f32], dim: usize) -> f32 {
    let (a, b): (*const f32, *const f32) = (a.as_ptr(), b.as_ptr());
    // SAFETY: both hold dim + 1 floats, the state is a size.
    unsafe { nnn_metric_f32(a.cast(), b.cast(), (&raw const dim).cast()) }
}

fn metric_i8(a: &[i8], b: &[i8], dim: usize) -> f32 {
    let (a, b): (*const i8, *const i8) = (a.as_ptr(), b.as_ptr());
    // SAFETY: both are exported vectors of that dim, the state is a size.
    unsafe { nnn_metric_i8(a.cast(), b.cast(), (&raw const dim).cast()) }
}

#[test]
fn a_metric_is_never_nan() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX] {
        let (good, bad) = ([1.0, -2.0, 0.5], [bad, bad, 0.0]);
        for (a, b) in [(good, bad), (bad, good), (bad, bad)] {
            let distance = metric_f32(&a, &b, 2);
            assert!(distance == f32::INFINITY || distance.is_finite(), "{distance}");
        }
    }
    let (a, dims) = ([1.0f32; 4], [2usize, 0, nnn::MAX_DIM + 1]);
    let null = std::ptr::null::<c_void>();
    let state = |i: usize| -> *const c_void { (&raw const dims[i]).cast() };
    let at: *const c_void = a.as_ptr().cast();
    // SAFETY: NULL, or memory of the size that the function says; what is misaligned or out of range is not read.
    unsafe {
        for metric in [nnn_metric_f32, nnn_metric_i8] {
            assert_eq!(metric(null, at, state(0)), f32::INFINITY);
            assert_eq!(metric(at, null, state(0)), f32::INFINITY);
            assert_eq!(metric(at, at, null), f32::INFINITY);
            assert_eq!(metric(at, at, state(0).byte_add(1)), f32::INFINITY, "a misaligned state");
            assert_eq!(metric(at, at, state(1)), f32::INFINITY);
            assert_eq!(metric(at, at, state(2)), f32::INFINITY);
        }
        assert_eq!(nnn_metric_f32(at.byte_add(1), at, state(0)), f32::INFINITY);
        assert_eq!(nnn_metric_f32(at, at, state(0)), -3.0);
    }
    assert_eq!((nnn::metric(&[1.0; 2], &[1.0; 3], 2), nnn::metric_codes(&[1; 11], &[1; 12], 3)), (f32::INFINITY, f32::INFINITY));
}

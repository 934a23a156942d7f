//! Unit length and int8 codes: exact on the values where rounding, overflow or a zero would go wrong.

use ffi_tests::data::{Random, Rows, for_each_isa};
use ffi_tests::reference::quantize_row;
use nnn::{Error, Matrix, Status};

const SMALLEST: f32 = 1e-45; // 2^-149

fn refused(status: Status, argument: &'static str) -> nnn::Result<()> {
    Err(Error { status, argument })
}

fn normalized(rows: &Rows) -> Vec<f32> {
    let mut dst = vec![-7f32; rows.rows * (rows.dim + 1)];
    nnn::normalize(&rows.view(), &mut dst, rows.dim + 1).unwrap();
    let gaps = dst.iter().skip(rows.dim).step_by(rows.dim + 1);
    assert!(gaps.copied().all(|gap| gap == -7.0), "what lies between the rows is not written");
    dst.chunks(rows.dim + 1).flat_map(|row| &row[..rows.dim]).copied().collect()
}

#[test]
fn rows_become_unit_length_rounded_once() {
    let mut random = Random(1);
    for_each_isa(|isa| {
        for _ in 0..300 {
            let dim = 1 + random.below(300);
            let gap = random.below(3);
            let factor = 2f32.powi(random.below(200) as i32 - 100);
            let rows = Rows::new(3, dim, dim + gap, |_, _| random.wide_float() * factor);
            for (i, got) in normalized(&rows).chunks(dim).enumerate() {
                let length = rows.row(i).iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
                for (got, x) in got.iter().zip(rows.row(i)) {
                    // Two f64 roundings and the order of the sum come before the one of f32.
                    let exact = f64::from(*x) / length;
                    let ulp = f64::from(got.abs().next_up() - got.abs());
                    assert!((f64::from(*got) - exact).abs() <= 0.501 * ulp, "{isa:?} dim {dim}: {got} for {exact}");
                }
            }
        }
    });
}

/// In f32 the squares of these would overflow or vanish.
#[test]
fn huge_and_tiny_rows_become_unit_length() {
    for_each_isa(|isa| {
        for x in [f32::MAX, f32::MIN, 1e30, 1e-30, f32::MIN_POSITIVE, 1e-40, SMALLEST, -SMALLEST] {
            for dim in [1, 4, 16, 64] {
                let rows = Rows::new(1, dim, dim, |_, _| x);
                let expected = (1.0 / (dim as f32).sqrt()).copysign(x);
                assert_eq!(normalized(&rows), vec![expected; dim], "{isa:?} {x} dim {dim}");
            }
        }
        let mixed = Rows::new(1, 3, 3, |_, j| [f32::MAX, SMALLEST, 0.0][j]);
        assert_eq!(normalized(&mixed), [1.0, 0.0, 0.0], "{isa:?}");
    });
}

#[test]
fn a_row_of_zeros_stays_zero() {
    for_each_isa(|isa| {
        let rows = Rows::new(3, 20, 20, |i, j| if i == 1 { [0.0, -0.0][j % 2] } else { 2.0 });
        let got = normalized(&rows);
        assert!(got[20..40].iter().all(|x| *x == 0.0), "{isa:?}");
        assert!(got[..20].iter().chain(&got[40..]).all(|x| *x == 1.0 / 20f32.sqrt()), "{isa:?}");
    });
}

#[test]
fn normalising_in_place_gives_the_same_bits() {
    let mut random = Random(2);
    for_each_isa(|isa| {
        for dim in [1, 3, 16, 17, 33, 100] {
            let rows = Rows::new(5, dim, dim + 2, |i, _| if i == 3 { 0.0 } else { random.wide_float() });
            let mut data = rows.data.clone();
            data.extend([-7.0; 40]);
            nnn::normalize_in_place(&mut data, 5, dim, dim + 2).unwrap();
            let (inside, past) = data.split_at(5 * (dim + 2));
            let got: Vec<f32> = inside.chunks(dim + 2).flat_map(|row| &row[..dim]).copied().collect();
            assert_eq!(got, normalized(&rows), "{isa:?} dim {dim}");
            assert!(inside.chunks(dim + 2).flat_map(|row| &row[dim..]).all(|gap| gap.is_nan()), "{isa:?}: gaps are not written");
            assert_eq!(past, [-7.0; 40], "{isa:?}: nor what lies behind the rows");
        }
    });
}

fn quantized(rows: &Rows) -> (Vec<i8>, Vec<f32>) {
    let (mut codes, mut scale) = (vec![99i8; rows.rows * (rows.dim + 1)], vec![-7f32; rows.rows + 1]);
    nnn::quantize(&rows.view(), &mut codes, rows.dim + 1, &mut scale).unwrap();
    assert_eq!(scale.pop(), Some(-7.0), "scales past the rows are not written");
    assert!(codes.iter().skip(rows.dim).step_by(rows.dim + 1).all(|gap| *gap == 99), "nor what lies between the rows");
    (codes.chunks(rows.dim + 1).flat_map(|row| &row[..rows.dim]).copied().collect(), scale)
}

#[test]
fn codes_are_nearest_and_in_range() {
    let mut random = Random(3);
    for_each_isa(|isa| {
        for _ in 0..400 {
            let dim = 1 + random.below(200);
            let factor = 2f32.powi(random.below(200) as i32 - 100);
            let rows = Rows::new(2, dim, dim, |_, _| random.float() * factor);
            let (codes, scale) = quantized(&rows);
            for (i, codes) in codes.chunks(dim).enumerate() {
                assert_eq!((codes.to_vec(), scale[i]), quantize_row(rows.row(i)), "{isa:?} dim {dim}");
                assert!(codes.iter().all(|code| *code != -128) && codes.iter().any(|code| code.abs() == 127), "{isa:?} dim {dim}");
            }
        }
    });
}

/// max|x| = 127 makes the scale 1, so the values are the quotients.
#[test]
fn ties_go_to_even() {
    for_each_isa(|isa| {
        let ties: Vec<f32> = (-127..127).map(|code| code as f32 + 0.5).chain([127.0, -127.0, 0.0, -0.0]).collect();
        let around = ties.iter().flat_map(|x| [x.next_down(), *x, x.next_up()]).filter(|x| x.abs() <= 127.0);
        let row: Vec<f32> = around.collect();
        let (codes, scale) = quantized(&Rows::new(1, row.len(), row.len(), |_, j| row[j]));
        assert_eq!(scale, [1.0], "{isa:?}");
        for (x, code) in row.iter().zip(codes) {
            assert_eq!(f32::from(code), x.round_ties_even(), "{isa:?} {x}");
        }
    });
}

#[test]
fn a_row_of_zeros_has_codes_zero_and_scale_one() {
    for_each_isa(|isa| {
        let rows = Rows::new(2, 40, 40, |i, j| if i == 0 { [0.0, -0.0][j % 2] } else { 3.0 });
        let (codes, scale) = quantized(&rows);
        assert_eq!((&codes[..40], scale[0]), (&[0i8; 40][..], 1.0), "{isa:?}");
        assert_eq!((&codes[40..], scale[1]), (&[127i8; 40][..], 3.0 / 127.0), "{isa:?}");
    });
}

/// A tiny or huge row must not wrap, and its codes times its scale must come back to it within half a step.
#[test]
fn tiny_and_huge_rows_keep_their_values() {
    for_each_isa(|isa| {
        let maxima =
            (1..=2000).map(|i| i as f32 * SMALLEST).chain([f32::MIN_POSITIVE, 127.0 * f32::MIN_POSITIVE, 1e-36, 1e38, f32::MAX]);
        for max in maxima {
            let row = [max, -max, max / 2.0, -max / 3.0, SMALLEST.min(max), 0.0];
            let (codes, scale) = quantized(&Rows::new(1, 6, 6, |_, j| row[j]));
            assert!(scale[0] > 0.0 && scale[0].is_finite(), "{isa:?} max {max:e}: scale {:e}", scale[0]);
            assert_eq!(codes[0], -codes[1], "{isa:?} max {max:e}: {codes:?}");
            assert!(codes[0] > 0, "{isa:?} max {max:e}: {codes:?}");
            for (x, code) in row.iter().zip(codes) {
                let back = f64::from(code) * f64::from(scale[0]);
                assert!((back - f64::from(*x)).abs() <= 0.5001 * f64::from(scale[0]), "{isa:?} max {max:e}: {x:e} became {back:e}");
            }
        }
    });
}

#[test]
fn bad_input_is_refused_and_writes_nothing() {
    for_each_isa(|isa| {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for at in 0..40 {
                let rows = Rows::new(2, 20, 21, |i, j| if i * 20 + j == at { bad } else { 1.0 });
                let (mut floats, mut codes, mut scale) = ([-7f32; 40], [99i8; 40], [-7f32; 2]);
                let mut data = rows.data.clone();
                assert_eq!(nnn::normalize(&rows.view(), &mut floats, 20), refused(Status::Value, "src"), "{isa:?} {at}");
                assert_eq!(nnn::quantize(&rows.view(), &mut codes, 20, &mut scale), refused(Status::Value, "src"), "{isa:?} {at}");
                assert_eq!(nnn::normalize_in_place(&mut data, 2, 20, 21), refused(Status::Value, "data"), "{isa:?} {at}");
                assert_eq!((floats, codes, scale), ([-7.0; 40], [99; 40], [-7.0; 2]), "{isa:?} {at}");
                assert!(data.iter().zip(&rows.data).all(|(a, b)| a.to_bits() == b.to_bits()), "{isa:?} {at}");
            }
        }
    });
    let m = Matrix::new(&[1f32; 6], 2, 3).unwrap();
    let (floats, codes, scale) = (&mut [0f32; 6], &mut [0i8; 6], &mut [0f32; 2]);
    assert_eq!(nnn::normalize(&m, floats, 2), refused(Status::Stride, "dst"));
    assert_eq!(nnn::normalize(&m, &mut floats[..5], 3), refused(Status::Capacity, "dst"));
    assert_eq!(nnn::normalize(&m, floats, usize::MAX), refused(Status::Overflow, "dst"));
    assert_eq!(nnn::quantize(&m, codes, 2, scale), refused(Status::Stride, "dst"));
    assert_eq!(nnn::quantize(&m, &mut codes[..5], 3, scale), refused(Status::Capacity, "dst"));
    assert_eq!(nnn::quantize(&m, codes, 3, &mut scale[..1]), refused(Status::Capacity, "scale"));
    assert_eq!(nnn::quantize(&m, codes, usize::MAX, scale), refused(Status::Overflow, "dst"));
    assert_eq!(nnn::normalize_in_place(floats, 2, 0, 3), refused(Status::Dim, "data"));
    assert_eq!(nnn::normalize_in_place(floats, 2, 3, 2), refused(Status::Stride, "data"));
    assert_eq!(nnn::normalize_in_place(floats, 3, 3, 3), refused(Status::Capacity, "data"));
    assert_eq!((*floats, *codes, *scale), ([0.0; 6], [0; 6], [0.0; 2]));
    // No rows, no work.
    let none = Matrix::new(&[], 0, 3).unwrap();
    nnn::normalize(&none, &mut [], 3).unwrap();
    nnn::quantize(&none, &mut [], 3, &mut []).unwrap();
    nnn::normalize_in_place(&mut [], 0, 3, 3).unwrap();
}

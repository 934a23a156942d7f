//! Passes over one row or one strip of scores, at every length.

use super::super::{STRIP, above, debias, max_abs_bits, quantize_row, scale_row, scale_row_in_place, sum_of_squares};
use super::oracle::*;
use std::vec;
use std::vec::Vec;

const SPECIAL: [f32; 12] =
    [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0, 1e-45, -1e-45, f32::MIN_POSITIVE, f32::MAX, f32::MIN, 1.0, -1.0];

#[test]
fn above_marks_exactly_the_greater_scores() {
    let mut random = Random(1);
    let mut memory = Aligned::new(STRIP + 16, f32::INFINITY);
    for len in 0..=STRIP {
        let scores: Vec<f32> = (0..len).map(|i| if random.below(3) == 0 { SPECIAL[i % 12] } else { random.float() }).collect();
        for threshold in SPECIAL.into_iter().chain([0.25, -0.5]) {
            let expected = scores.iter().enumerate().fold(0u64, |mask, (i, &s)| mask | u64::from(s > threshold) << i);
            for isa in isas() {
                for offset in 0..16 {
                    let scores = memory.place(offset, &scores);
                    assert_eq!(above(isa, scores, threshold), expected, "{:?} length {len} threshold {threshold}", isa.get());
                }
            }
        }
    }
}

#[test]
fn above_looks_at_one_strip_only() {
    for isa in isas() {
        assert_eq!(above(isa, &[1.0; STRIP + 9], 0.0), u64::MAX, "{:?}", isa.get());
    }
}

#[test]
fn debias_rounds_once_and_tells_whether_any_is_above() {
    let mut random = Random(2);
    let (scores, bias): (Vec<f32>, Vec<f32>) = (0..70).map(|_| (random.wide_float(), random.wide_float())).unzip();
    for isa in isas() {
        for len in 0..=70 {
            let mut got = scores.clone();
            let expected: Vec<f32> = (0..len).map(|i| scores[i] - bias[i]).collect();
            let most = expected.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            assert!(!debias(isa, &mut got[..len], Some(&bias), most), "{:?} length {len}", isa.get());
            assert_eq!((&got[..len], &got[len..]), (&expected[..], &scores[len..]), "{:?} length {len}", isa.get());
            assert_eq!(debias(isa, &mut got[..len], None, most.next_down()), len > 0, "{:?} length {len}", isa.get());
            assert!(!debias(isa, &mut got[..len], None, most), "{:?} length {len}", isa.get());
            got.fill(f32::NAN);
            assert!(!debias(isa, &mut got[..len], Some(&bias), f32::NEG_INFINITY), "not a number is above nothing");
        }
    }
}

/// One value that is not finite, anywhere, makes the maximum not finite: the check of the bias side rests on it.
#[test]
fn max_abs_finds_every_value() {
    let mut random = Random(3);
    let row: Vec<f32> = (0..LONGEST).map(|_| random.float()).collect();
    for isa in isas() {
        for len in 0..=LONGEST {
            let expected = row[..len].iter().fold(0f32, |max, x| max.max(x.abs()));
            assert_eq!(f32::from_bits(max_abs_bits(isa, &row[..len])), expected, "{:?} length {len}", isa.get());
        }
        let mut row = row[..133].to_vec();
        for at in 0..row.len() {
            let kept = row[at];
            for bad in [f32::NAN, -f32::NAN, f32::from_bits(0x7F80_0001), f32::INFINITY, f32::NEG_INFINITY] {
                row[at] = bad;
                assert!(max_abs_bits(isa, &row) >= f32::INFINITY.to_bits(), "{:?} {bad} at {at}", isa.get());
            }
            row[at] = f32::MIN;
            assert_eq!(max_abs_bits(isa, &row), f32::MAX.to_bits(), "{:?} at {at}", isa.get());
            row[at] = kept;
        }
    }
}

#[test]
fn squares_sum_to_the_same_bits_everywhere() {
    let mut random = Random(4);
    let row: Vec<f32> = (0..LONGEST).map(|_| random.wide_float()).collect();
    let isas = isas();
    for len in 0..=LONGEST {
        let sums: Vec<f64> = isas.iter().map(|&isa| sum_of_squares(isa, &row[..len])).collect();
        let exact: f64 = row[..len].iter().map(|x| f64::from(*x).powi(2)).sum();
        assert!((sums[0] - exact).abs() <= 1e-13 * exact, "length {len}: {} for {exact}", sums[0]);
        assert!(sums.iter().all(|sum| sum.to_bits() == sums[0].to_bits()), "length {len}: {sums:?}");
    }
    for isa in isas {
        assert_eq!(sum_of_squares(isa, &[f32::MAX; 2]), 2.0 * f64::from(f32::MAX).powi(2), "{:?}", isa.get());
        assert_eq!(sum_of_squares(isa, &[1e-45]), f64::from(1e-45f32).powi(2), "{:?}", isa.get());
    }
}

#[test]
fn scaling_a_row_rounds_once() {
    let mut random = Random(5);
    let row: Vec<f32> = (0..133).map(|_| random.wide_float()).collect();
    for isa in isas() {
        for len in 0..=row.len() {
            for factor in [1.0, 1.0 / 3.0, 1e-40, 3e37, 0.0] {
                let expected: Vec<f32> = row[..len].iter().map(|x| (f64::from(*x) * factor) as f32).collect();
                let (mut copy, mut in_place) = (vec![7f32; len], row[..len].to_vec());
                scale_row(isa, &row[..len], &mut copy, factor);
                scale_row_in_place(isa, &mut in_place, factor);
                assert_eq!((&copy, &in_place), (&expected, &expected), "{:?} length {len} factor {factor}", isa.get());
            }
        }
    }
}

/// Every tie between two codes, and its neighbours on both sides.
#[test]
fn codes_are_rounded_to_nearest_ties_to_even() {
    let ties = (-127..127).map(|code| code as f32 + 0.5);
    let around: Vec<f32> = ties.flat_map(|tie| [tie.next_down(), tie, tie.next_up()]).chain([-127.0, 127.0, 0.0, -0.0]).collect();
    for isa in isas() {
        for scale in [1.0f32, 0.25, 1024.0] {
            for start in 0..70 {
                let src: Vec<f32> = around[start..].iter().map(|x| x * scale).collect();
                let mut got = vec![99i8; src.len()];
                quantize_row(isa, &src, &mut got, scale);
                let expected: Vec<i8> = src.iter().map(|x| (x / scale).round_ties_even() as i8).collect();
                assert_eq!(got, expected, "{:?} scale {scale} start {start}", isa.get());
            }
        }
    }
}

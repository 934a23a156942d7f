//! What selects scores: appending, inserting, retaining, sorting, and the sum that follows.

use super::super::{APPEND_ROOM, STRIP, append, insert_above, retain_above, retain_pairs_above, sort_by_rank, sum_if_exact};
use super::oracle::*;
use std::vec;
use std::vec::Vec;

/// Scores with ties, zeros of both signs, and (now and then) what is no score.
fn scores(random: &mut Random, len: usize, special: bool) -> Vec<f32> {
    const SPECIAL: [f32; 5] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, 1e-45];
    (0..len)
        .map(|i| match random.below(8) {
            0 if special => SPECIAL[i % SPECIAL.len()],
            1 => -0.0,
            2 => 0.0,
            3 => 0.5,
            _ => random.float(),
        })
        .collect()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|x| x.to_bits()).collect()
}

#[test]
fn append_takes_the_finite_scores_above_the_cut_in_order() {
    let mut random = Random(31);
    for len in 0..=STRIP {
        let scores = scores(&mut random, len, true);
        let mask = u64::from(random.below(u32::MAX as usize) as u32) << 32 | u64::from(random.below(u32::MAX as usize) as u32);
        for cut in [f32::NEG_INFINITY, -0.5, 0.0, 0.5, f32::MAX, f32::INFINITY] {
            let wanted = |(i, x): (usize, &f32)| (mask >> i & 1 == 1 && *x > cut && *x < f32::INFINITY).then_some(*x + 0.0);
            let expected: Vec<f32> = scores.iter().enumerate().filter_map(wanted).collect();
            for isa in isas() {
                let mut to = vec![7f32; APPEND_ROOM + 3];
                let n = append(isa, &scores, mask, cut, &mut to);
                assert_eq!(bits(&to[..n]), bits(&expected), "{:?} length {len} cut {cut}", isa.get());
                assert_eq!(to[APPEND_ROOM..], [7.0; 3], "{:?} length {len}", isa.get());
            }
        }
    }
}

#[test]
fn append_without_room_or_with_more_than_a_strip_does_nothing() {
    for isa in isas() {
        let mut to = [7f32; APPEND_ROOM];
        assert_eq!(append(isa, &[1.0; STRIP + 1], u64::MAX, 0.0, &mut to), 0, "{:?}", isa.get());
        assert_eq!(append(isa, &[1.0; 3], u64::MAX, 0.0, &mut to[1..]), 0, "{:?}", isa.get());
        assert_eq!(to, [7.0; APPEND_ROOM], "{:?}", isa.get());
    }
}

#[test]
fn insert_above_keeps_the_best_sorted() {
    let mut random = Random(32);
    for k in (1..=40).chain([64, 129]) {
        for len in [0, 1, 7, 16, STRIP] {
            let mut held = scores(&mut random, k, false);
            held.iter_mut().for_each(|x| *x += 0.0);
            held.sort_by(|a, b| b.total_cmp(a));
            if k > 2 {
                held[k - 1] = f32::NEG_INFINITY; // one place is free
            }
            let news = scores(&mut random, len, true);
            let mask = 0xF0F3_7FFF_55AA_FFFF;
            let wanted = |(i, x): (usize, &f32)| (mask >> i & 1 == 1 && x.is_finite()).then_some(*x + 0.0);
            let mut expected: Vec<f32> = held.iter().copied().chain(news.iter().enumerate().filter_map(wanted)).collect();
            expected.sort_by(|a, b| b.total_cmp(a));
            expected.truncate(k);
            for isa in isas() {
                let mut best = held.clone();
                insert_above(isa, &mut best, &news, mask);
                assert_eq!(bits(&best), bits(&expected), "{:?} k {k} length {len}", isa.get());
            }
        }
    }
}

#[test]
fn retain_moves_what_is_above_to_the_front_in_order() {
    let mut random = Random(33);
    for len in 0..=150 {
        let scores = scores(&mut random, len, true);
        let ids: Vec<u32> = (0..len as u32).map(|i| i.wrapping_mul(0x9E37_79B9)).collect(); // NaN patterns among them
        for value in [f32::NEG_INFINITY, -0.25, 0.0, 0.5, f32::INFINITY] {
            let (kept, kept_ids): (Vec<f32>, Vec<u32>) =
                scores.iter().copied().zip(ids.iter().copied()).filter(|(x, _)| *x > value).unzip();
            for isa in isas() {
                let (mut alone, mut paired, mut paired_ids) = (scores.clone(), scores.clone(), ids.clone());
                let n = retain_above(isa, &mut alone, value);
                assert_eq!(bits(&alone[..n]), bits(&kept), "{:?} length {len} value {value}", isa.get());
                let n = retain_pairs_above(isa, &mut paired, &mut paired_ids, value);
                assert_eq!(bits(&paired[..n]), bits(&kept), "{:?} length {len} value {value}", isa.get());
                assert_eq!(paired_ids[..n], kept_ids, "{:?} length {len} value {value}", isa.get());
            }
        }
    }
}

#[test]
fn sort_by_rank_sorts_ties_too() {
    let mut random = Random(34);
    for len in (0..=70).chain([255, 512, 1000]) {
        // One zero, as its callers have it: equal scores have equal bits.
        let mut scores: Vec<f32> = scores(&mut random, len, false).iter().map(|x| x + 0.0).collect();
        scores.iter_mut().step_by(5).for_each(|x| *x = f32::NEG_INFINITY);
        let mut expected = scores.clone();
        expected.sort_by(|a, b| b.total_cmp(a));
        for isa in isas() {
            let (mut got, mut work) = (scores.clone(), vec![0f32; len]);
            sort_by_rank(isa, &mut got, &mut work);
            assert_eq!(bits(&got), bits(&expected), "{:?} length {len}", isa.get());
        }
    }
}

#[test]
fn a_sum_is_given_only_if_no_order_of_adding_rounds() {
    let mut random = Random(35);
    for isa in isas() {
        for len in 0..=100 {
            let values: Vec<f32> = (0..len).map(|_| random.float()).collect();
            let backwards: f64 = values.iter().rev().map(|x| f64::from(*x)).sum();
            if let Some(sum) = sum_if_exact(isa, &values) {
                assert_eq!(sum.to_bits(), (backwards + 0.0).to_bits(), "{:?} length {len}", isa.get());
            }
            let close: Vec<f32> = values.iter().map(|x| 1.0 + x.abs() / 2.0).collect();
            assert_eq!(sum_if_exact(isa, &close), Some(close.iter().map(|x| f64::from(*x)).sum()), "{:?} {len}", isa.get());
        }
        assert_eq!(sum_if_exact(isa, &[1.0, 1e-30]), None, "{:?}: the sum rounds", isa.get());
        assert_eq!(sum_if_exact(isa, &[1e30, 1.0, -1e30]), None, "{:?}: so does this", isa.get());
        assert_eq!(sum_if_exact(isa, &[1.0, f32::INFINITY]), None, "{:?}", isa.get());
        assert_eq!(sum_if_exact(isa, &[f32::NAN]), None, "{:?}", isa.get());
        assert_eq!(sum_if_exact(isa, &[0.0, 1.5, 0.0]), Some(1.5), "{:?}: zero is a multiple of everything", isa.get());
    }
}

//! NaN, infinities, signed zeros, subnormals and the largest values in every lane: the same outcome on every instruction set.

use super::super::{Dtype, Sink, Span, tile_pass};
use super::oracle::*;
use crate::cpu::Supported;
use crate::matrix::Matrix;
use std::vec;
use std::vec::Vec;

fn same(got: f32, expected: f32) -> bool {
    got.to_bits() == expected.to_bits() || got.is_nan() && expected.is_nan()
}

struct All<'a>(&'a mut Vec<f32>);

impl Sink for All<'_> {
    fn limit(&mut self, _: usize) -> f32 {
        f32::NAN
    }

    fn take(&mut self, _: usize, _: usize, scores: &[f32], _: u64) {
        self.0.extend_from_slice(scores);
    }
}

/// The three f32 kernels on one pair: dot, a grid that takes the blocked way, and the tile.
fn all_kernels(isa: Supported, a: &[f32], b: &[f32]) -> [f32; 3] {
    let dim = a.len();
    let (queries, rows) = (a.repeat(4), b.repeat(4));
    let (queries, rows) = (Matrix::new(&queries, 4, dim).unwrap(), Matrix::new(&rows, 4, dim).unwrap());
    let mut grid = [0f32; 16];
    f32::grid(isa, &queries, Span::new(0, 4), &rows, Span::new(0, 4), &mut grid, 4);
    let mut tile = Vec::new();
    let scratch = &mut [0u8; 8192];
    tile_pass(isa, &queries, Span::new(0, 4), &rows, scratch, &mut All(&mut tile)).unwrap();
    assert!(grid.iter().all(|x| same(*x, grid[0])) && tile.iter().all(|x| same(*x, tile[0])), "{:?}", isa.get());
    [f32::pair(isa, a, b), grid[0], tile[0]]
}

/// Values on one side of a lane, with the outcome of the whole sum when all other products are 1 and the other side is `with`.
#[test]
fn a_value_that_is_no_number_reaches_the_sum_from_every_lane() {
    const CASES: [(f32, f32, f32); 8] = [
        (f32::NAN, 1.0, f32::NAN),
        (f32::NAN, 0.0, f32::NAN),
        (f32::INFINITY, 1.0, f32::INFINITY),
        (f32::INFINITY, -1.0, f32::NEG_INFINITY),
        (f32::NEG_INFINITY, 1.0, f32::NEG_INFINITY),
        (f32::INFINITY, 0.0, f32::NAN),
        (f32::MAX, 2.0, f32::INFINITY),
        (f32::MAX, -4.0, f32::NEG_INFINITY),
    ];
    for dim in (1..=35).chain([63, 64, 65, 97, 128]) {
        for at in 0..dim {
            for (value, with, expected) in CASES {
                let (mut a, mut b) = (vec![1f32; dim], vec![1f32; dim]);
                (a[at], b[at]) = (value, with);
                for isa in float_isas() {
                    for got in all_kernels(isa, &a, &b).into_iter().chain(all_kernels(isa, &b, &a)) {
                        assert!(same(got, expected), "{:?} dim {dim} lane {at}: {value} * {with} gave {got}", isa.get());
                    }
                }
            }
        }
    }
}

#[test]
fn infinities_of_both_signs_give_nan() {
    for dim in [2, 31, 33, 64, 100] {
        for at in 1..dim {
            let mut a = vec![1f32; dim];
            (a[0], a[at]) = (f32::INFINITY, f32::NEG_INFINITY);
            for isa in float_isas() {
                assert!(all_kernels(isa, &a, &vec![1f32; dim]).iter().all(|x| x.is_nan()), "{:?} dim {dim} lane {at}", isa.get());
            }
        }
    }
}

/// Sums of these are exact, so every instruction set agrees on every bit; a flush to zero would show.
#[test]
fn subnormals_and_zeros_keep_their_value_in_every_lane() {
    const TINY: f32 = 1e-45;
    for dim in (1..=35).chain([63, 64, 65, 97, 128]) {
        for at in 0..dim {
            for (value, with, expected) in
                [(TINY, 1.0, TINY), (-TINY, 3.0, -3.0 * TINY), (f32::MAX, 1.0, f32::MAX), (-0.0, 5.0, 0.0)]
            {
                let (mut a, mut b) = (vec![0f32; dim], vec![1f32; dim]);
                (a[at], b[at]) = (value, with);
                for isa in float_isas() {
                    for got in all_kernels(isa, &a, &b) {
                        assert!(got == expected, "{:?} dim {dim} lane {at}: {value} gave {got}", isa.get());
                    }
                }
            }
        }
    }
}

/// Products that vanish: the sign of the zero that is left is part of the canonical order.
#[test]
fn vanishing_products_have_the_canonical_bits() {
    for dim in 1..=70 {
        for (x, y) in [(1e-30f32, -1e-30f32), (1e-45, -0.25), (-0.0, 1.0), (-1e-25, 1e-20), (1e-20, 1e-22)] {
            let (a, b) = (vec![x; dim], vec![y; dim]);
            for isa in float_isas().into_iter().filter(|isa| isa.get().has_fma()) {
                let [dot, grid, tile] = all_kernels(isa, &a, &b).map(f32::to_bits);
                assert_eq!(
                    (dot, grid),
                    (canonical(&a, &b).to_bits(), canonical(&a, &b).to_bits()),
                    "{:?} dim {dim} {x}",
                    isa.get()
                );
                assert_eq!(tile, chain(&a, &b).to_bits(), "{:?} dim {dim} {x}", isa.get());
            }
        }
    }
}

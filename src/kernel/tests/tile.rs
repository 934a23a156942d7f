//! The bank pass: every tile shape, depth, stride and scratch size gives the bits of one chain per pair.

use super::super::direct::direct_pass;
use super::super::{SCRATCH_MIN, Sink, Span, tile_pass};
use super::oracle::*;
use crate::MAX_DIM;
use crate::cpu::Supported;
use crate::matrix::{Element, Matrix};
use std::format;
use std::vec;
use std::vec::Vec;

/// Enough for every plan at full speed.
const FULL: usize = 1 << 20;

/// The scores of a range of gallery rows with all bank rows, as the sink gets them; each pair exactly once.
fn pass<T: Element>(isa: Supported, gallery: &Matrix<T>, rows: Span, bank: &Matrix<T>, scratch: &mut [u8]) -> Vec<f32> {
    let scores = vec![f32::NAN; rows.count * bank.rows()];
    let mut all = All { scores, bank_rows: bank.rows(), seen: vec![0; rows.count] };
    let done = tile_pass(isa, gallery, rows, bank, scratch, &mut all);
    assert!(done.is_some(), "scratch of {} bytes refused", scratch.len());
    assert!(all.seen.iter().all(|&n| n == bank.rows()), "bank rows missed: {:?}", all.seen);
    all.scores
}

/// Wants every score.
struct All {
    scores: Vec<f32>,
    bank_rows: usize,
    seen: Vec<usize>,
}

impl Sink for All {
    const ALL: bool = true;

    fn limit(&mut self, _: usize) -> f32 {
        f32::NAN
    }

    fn take(&mut self, row: usize, first: usize, scores: &[f32], mask: u64) {
        assert_eq!(mask, u64::MAX >> (64 - scores.len()));
        self.seen[row] += scores.len();
        let places = &mut self.scores[row * self.bank_rows + first..][..scores.len()];
        places.copy_from_slice(scores);
    }
}

/// Wants what is above a limit of each row; notes what it gets.
struct Above {
    limits: Vec<f32>,
    taken: Vec<Vec<(usize, f32)>>,
}

impl Sink for Above {
    fn limit(&mut self, row: usize) -> f32 {
        self.limits[row]
    }

    fn take(&mut self, row: usize, first: usize, scores: &[f32], mask: u64) {
        assert!(mask != 0 && mask <= u64::MAX >> (64 - scores.len()));
        let wanted = scores.iter().enumerate().filter(|(i, _)| mask >> i & 1 == 1);
        self.taken[row].extend(wanted.map(|(i, &score)| (first + i, score)));
    }
}

/// The sink gets what is above the limit of the row, all of it and nothing else, whatever values the scores have.
fn limits<T: Sample>() {
    let mut random = Random(11);
    for (dim, gallery_rows, bank_rows) in [(1, 17, 100), (5, 9, 600), (37, 13, 49), (515, 7, 97), (1030, 5, 33)] {
        let problem = Problem::<T>::new(dim as u64 + 3, gallery_rows, bank_rows, dim, (dim, dim));
        let gallery = Matrix::new(&problem.gallery, gallery_rows, dim).unwrap();
        let bank = Matrix::new(&problem.bank, bank_rows, dim).unwrap();
        for isa in T::isas() {
            let span = Span::new(0, gallery_rows);
            let scores = pass(isa, &gallery, span, &bank, &mut vec![0; FULL]);
            for bytes in [FULL, 50_000, 4096] {
                let rows = scores.chunks(bank_rows);
                let extremes = [f32::NEG_INFINITY, f32::INFINITY, 0.0];
                let limits = rows.enumerate().map(|(i, row)| match extremes.get(i) {
                    Some(limit) => *limit,
                    None => row[random.below(bank_rows)], // equal to a score, which is not above it
                });
                let mut sink = Above { limits: limits.collect(), taken: vec![Vec::new(); gallery_rows] };
                tile_pass(isa, &gallery, span, &bank, &mut vec![0; bytes], &mut sink).unwrap();
                sink.taken.iter_mut().for_each(|taken| taken.sort_by_key(|&(i, _)| i));
                for ((row, limit), taken) in scores.chunks(bank_rows).zip(&sink.limits).zip(&sink.taken) {
                    let all = limit.is_nan(); // a score that is NaN was drawn
                    let above = row.iter().copied().enumerate().filter(|(_, score)| all || score > limit);
                    let bits = |scores: &[(usize, f32)]| scores.iter().map(|(i, s)| (*i, s.to_bits())).collect::<Vec<_>>();
                    assert_eq!(bits(taken), bits(&above.collect::<Vec<_>>()), "{:?} dim {dim} limit {limit}", isa.get());
                }
            }
        }
    }
}

#[test]
fn the_sink_gets_what_is_above_the_limit() {
    limits::<f32>();
    limits::<i8>();
}

/// Rows of an element type, and what a pair of them has to give.
trait Sample: Element {
    type Answer;
    const GAP: Self;
    /// Sets with kernels of their own.
    fn isas() -> Vec<Supported>;
    fn random(random: &mut Random) -> Self;
    fn answer(gallery: &[Self], bank: &[Self]) -> Self::Answer;
    fn check(isa: Supported, answer: &Self::Answer, got: f32, what: impl FnOnce() -> std::string::String);
}

impl Sample for f32 {
    type Answer = Expected;
    const GAP: f32 = f32::NAN;
    fn isas() -> Vec<Supported> {
        float_isas()
    }
    fn random(random: &mut Random) -> f32 {
        random.wide_float()
    }
    fn answer(gallery: &[f32], bank: &[f32]) -> Expected {
        Expected::chain(gallery, bank)
    }
    fn check(isa: Supported, answer: &Expected, got: f32, what: impl FnOnce() -> std::string::String) {
        answer.check(isa, got, what);
    }
}

impl Sample for i8 {
    type Answer = f32;
    const GAP: i8 = 77;
    fn isas() -> Vec<Supported> {
        isas()
    }
    fn random(random: &mut Random) -> i8 {
        if random.below(4) == 0 { -128 } else { random.code() }
    }
    fn answer(gallery: &[i8], bank: &[i8]) -> f32 {
        dot_i64(gallery, bank) as f32
    }
    fn check(isa: Supported, answer: &f32, got: f32, what: impl FnOnce() -> std::string::String) {
        assert_eq!(got.to_bits(), answer.to_bits(), "{:?} {}", isa.get(), what());
    }
}

/// A gallery and a bank with gaps between their rows, and the answers to all pairs.
struct Problem<T: Sample> {
    gallery: Vec<T>,
    bank: Vec<T>,
    dim: usize,
    strides: (usize, usize),
    bank_rows: usize,
    answers: Vec<T::Answer>,
}

impl<T: Sample> Problem<T> {
    fn new(seed: u64, gallery_rows: usize, bank_rows: usize, dim: usize, strides: (usize, usize)) -> Problem<T> {
        let mut random = Random(seed);
        let mut rows = |n: usize| (0..n).map(|_| (0..dim).map(|_| T::random(&mut random)).collect()).collect::<Vec<Vec<T>>>();
        let (gallery, bank) = (rows(gallery_rows), rows(bank_rows));
        let answers = gallery.iter().flat_map(|g| bank.iter().map(|b| T::answer(g, b))).collect();
        let (gallery, bank) = (strided(&gallery, strides.0, T::GAP), strided(&bank, strides.1, T::GAP));
        Problem { gallery, bank, dim, strides, bank_rows, answers }
    }

    /// Checks `count` gallery rows from `first` on against the first `bank_rows` rows of the bank.
    fn check(&self, isa: Supported, first: usize, count: usize, bank_rows: usize, scratch: &mut [u8]) {
        let gallery = Matrix::with_stride(&self.gallery, first + count, self.dim, self.strides.0).unwrap();
        let bank = Matrix::with_stride(&self.bank, bank_rows, self.dim, self.strides.1).unwrap();
        let len = scratch.len();
        let scores = pass(isa, &gallery, Span::new(first, count), &bank, scratch);
        for (i, row) in scores.chunks(bank_rows).enumerate() {
            for (j, score) in row.iter().enumerate() {
                T::check(isa, &self.answers[(first + i) * self.bank_rows + j], *score, || {
                    format!("dim {} strides {:?}, {count} x {bank_rows}, scratch {len}: pair {i}, {j}", self.dim, self.strides)
                });
            }
        }
    }
}

fn every_shape<T: Sample>() {
    let mut scratch = vec![0xA5u8; FULL];
    for dim in (1..=70usize).chain(127..=130).chain(511..=514).chain([1024, 1040]) {
        let strides = [(dim, dim), (dim + 1, dim.next_power_of_two()), (dim.next_power_of_two(), dim + 3)][dim % 3];
        let problem = Problem::<T>::new(dim as u64, 40, 100, dim, strides);
        let dense = dim <= 70;
        for isa in T::isas() {
            for count in 1..=40 {
                for bank_rows in [1, 17, 100].into_iter().take(if dense { 3 } else { 2 }) {
                    problem.check(isa, 40 - count, count, bank_rows, &mut scratch);
                }
            }
            for bank_rows in (1..=100).step_by(if dense { 1 } else { 9 }) {
                for count in [1, 5, 13] {
                    problem.check(isa, bank_rows % 27, count, bank_rows, &mut scratch);
                }
            }
        }
    }
}

/// Every length, with both sides misaligned by a number of elements that changes with it; and at some lengths every misalignment.
fn every_length<T: Sample>() {
    const LINE: usize = 64;
    let (rows, bank_rows) = (3, 21);
    let mut scratch = vec![0xA5u8; FULL];
    let mut check = |dim: usize, offsets: &[(usize, usize)]| {
        let problem = Problem::<T>::new(dim as u64, rows, bank_rows, dim, (dim, dim));
        for &(g, b) in offsets {
            // One more than a line, so that a start anywhere in the first line is `offset` elements past a line's beginning.
            let moved = |data: &[T], offset: usize| {
                let mut memory = vec![T::GAP; LINE + offset + data.len()];
                let start = memory.as_ptr().align_offset(LINE).min(LINE) + offset;
                memory[start..][..data.len()].copy_from_slice(data);
                (memory, start)
            };
            let ((gallery, g_start), (bank, b_start)) = (moved(&problem.gallery, g), moved(&problem.bank, b));
            let gallery = Matrix::new(&gallery[g_start..], rows, dim).unwrap();
            let bank = Matrix::new(&bank[b_start..], bank_rows, dim).unwrap();
            for isa in T::isas() {
                let scores = pass(isa, &gallery, Span::new(0, rows), &bank, &mut scratch);
                for (i, score) in scores.iter().enumerate() {
                    T::check(isa, &problem.answers[i], *score, || format!("dim {dim} offsets {g}, {b}: pair {i}"));
                }
            }
        }
    };
    let most = LINE / size_of::<T>();
    for dim in 1..=1040 {
        check(dim, &[(dim % most, dim / 7 % most)]);
    }
    let all: Vec<(usize, usize)> = (0..most).flat_map(|g| (0..most).map(move |b| (g, b))).collect();
    for dim in [5, 67] {
        check(dim, &all);
    }
}

#[test]
fn every_length_and_misalignment_gives_the_chain_of_each_pair() {
    every_length::<f32>();
}

#[test]
fn every_length_and_misalignment_of_codes_is_exact() {
    every_length::<i8>();
}

#[test]
fn every_tile_shape_gives_the_chain_of_each_pair() {
    every_shape::<f32>();
}

#[test]
fn every_tile_shape_of_codes_is_exact() {
    every_shape::<i8>();
}

/// More than 512 bank rows make several blocks; the sums of one must not leak into the next.
fn several_blocks<T: Sample>() {
    let mut scratch = vec![0xA5u8; FULL];
    for dim in [1, 3, 33, 64, 515] {
        let problem = Problem::<T>::new(dim as u64, 31, 1100, dim, (dim, dim + 5));
        for isa in T::isas() {
            for bank_rows in [511, 512, 513, 600, 1024, 1025, 1100] {
                for count in [1, 15, 31] {
                    problem.check(isa, 31 - count, count, bank_rows, &mut scratch);
                }
            }
        }
    }
}

#[test]
fn a_bank_of_several_blocks_gives_the_same_bits() {
    several_blocks::<f32>();
    several_blocks::<i8>();
}

/// Depths beyond what one run of the tile, or one packed block, takes; more gallery rows than one chunk of a split depth.
fn long_rows<T: Sample>() {
    let shapes = [(4097, 17, 37), (5000, 140, 35), (8192, 5, 70), (65_537, 3, 5), (MAX_DIM, 2, 3)];
    for (dim, gallery_rows, bank_rows) in shapes {
        let problem = Problem::<T>::new(dim as u64, gallery_rows, bank_rows, dim, (dim, dim + 3));
        for isa in T::isas() {
            for bytes in [FULL, 100_000, 50_001] {
                problem.check(isa, 0, gallery_rows, bank_rows, &mut vec![0xA5u8; bytes]);
            }
        }
    }
}

#[test]
fn long_rows_give_the_same_bits() {
    long_rows::<f32>();
    long_rows::<i8>();
}

/// Whatever the scratch, down to the documented minimum, at any alignment.
fn every_scratch<T: Sample>() {
    const SIZES: [usize; 16] = [
        4096, 4097, 4099, 5000, 6143, 8192, 12_345, 20_000, 33_333, 50_001, 100_000, 200_003, 300_001, 400_000, 655_360, 1_048_573,
    ];
    let mut memory = Aligned::new(FULL + 64, 0xA5u8);
    for (dim, gallery_rows, bank_rows) in [(1, 9, 600), (7, 33, 70), (64, 29, 130), (515, 17, 65), (1040, 7, 40), (4097, 15, 33)] {
        let problem = Problem::<T>::new(dim as u64, gallery_rows, bank_rows, dim, (dim + 1, dim));
        for isa in T::isas() {
            for (i, bytes) in SIZES.into_iter().enumerate() {
                for offset in [0, 1 + i, 63 - i] {
                    problem.check(isa, 0, gallery_rows, bank_rows, &mut memory.from(offset)[..bytes]);
                }
            }
        }
    }
}

#[test]
fn every_scratch_size_gives_the_same_bits() {
    every_scratch::<f32>();
}

#[test]
fn every_scratch_size_is_exact_for_codes() {
    every_scratch::<i8>();
}

#[test]
fn the_least_scratch_works_at_every_alignment() {
    let mut memory = Aligned::new(4096 + 64, 0xA5u8);
    let (floats, codes) = (Problem::<f32>::new(8, 3, 40, 131, (131, 131)), Problem::<i8>::new(9, 3, 40, 131, (131, 131)));
    for isa in isas() {
        for offset in 0..64 {
            floats.check(isa, 0, 3, 40, &mut memory.from(offset)[..4096]);
            codes.check(isa, 0, 3, 40, &mut memory.from(offset)[..4096]);
        }
    }
}

/// Below the documented minimum a pass either does all of its work or refuses before the first score.
#[test]
fn too_small_a_scratch_is_refused_before_the_first_score() {
    let problem = Problem::<f32>::new(10, 2, 3, 9, (9, 9));
    let gallery = Matrix::new(&problem.gallery, 2, 9).unwrap();
    let bank = Matrix::new(&problem.bank, 3, 9).unwrap();
    let mut memory = Aligned::new(4096, 0u8);
    for isa in isas() {
        let mut accepted = false;
        for bytes in 0..4096 {
            let mut sink = Above { limits: vec![f32::NAN; 2], taken: vec![Vec::new(); 2] };
            let done = tile_pass(isa, &gallery, Span::new(0, 2), &bank, &mut memory.from(0)[..bytes], &mut sink).is_some();
            assert_eq!(sink.taken.iter().all(|taken| taken.len() == 3), done, "{:?} scratch {bytes}", isa.get());
            assert_eq!(sink.taken.iter().all(|taken| taken.is_empty()), !done, "{:?} scratch {bytes}", isa.get());
            assert!(done || !accepted, "{:?}: {bytes} bytes refused, fewer accepted", isa.get());
            accepted = done;
            if done && bytes % 61 == 0 {
                problem.check(isa, 0, 2, 3, &mut memory.from(0)[..bytes]);
            }
        }
        let nothing = &mut Above { limits: vec![0.0; 2], taken: vec![] };
        let without = tile_pass(isa, &gallery, Span::new(0, 2), &bank, &mut [], nothing);
        assert!(accepted && without.is_none(), "{:?}", isa.get());
    }
}

#[test]
fn an_empty_side_gives_no_scores() {
    let rows = [1f32; 8];
    let (m, empty) = (Matrix::new(&rows, 2, 4).unwrap(), Matrix::new(&rows, 0, 4).unwrap());
    let scratch = &mut [0u8; 4096];
    for isa in isas() {
        let nothing = &mut Above { limits: vec![f32::NAN; 2], taken: vec![] }; // panics when it gets a score
        let no_bank = tile_pass(isa, &m, Span::new(0, 2), &empty, scratch, nothing);
        let no_row = tile_pass(isa, &m, Span::new(2, 0), &m, scratch, nothing);
        assert_eq!((no_bank, no_row), (Some(()), Some(())));
    }
}

/// Scales of both sides, and the sign of a sum at the largest dim.
#[test]
fn scores_of_codes_round_after_the_scale_of_the_bank_row_and_of_the_gallery_row() {
    let mut random = Random(6);
    let (gallery_rows, bank_rows, dim) = (15, 600, 70);
    let codes: Vec<i8> = (0..(gallery_rows + bank_rows) * dim).map(|_| random.code()).collect();
    let scales: Vec<f32> = (0..gallery_rows + bank_rows).map(|_| random.wide_float()).collect();
    let (g, b) = codes.split_at(gallery_rows * dim);
    let gallery = Matrix::new(g, gallery_rows, dim).unwrap().with_scale(&scales).unwrap();
    let bank = Matrix::new(b, bank_rows, dim).unwrap().with_scale(&scales[gallery_rows..]).unwrap();
    for isa in isas() {
        let scores = pass(isa, &gallery, Span::new(2, gallery_rows - 2), &bank, &mut vec![0; FULL]);
        for (i, row) in scores.chunks(bank_rows).enumerate() {
            for (j, score) in row.iter().enumerate() {
                let dot = dot_i64(gallery.row(2 + i).unwrap(), bank.row(j).unwrap()) as f32;
                let expected = (dot * scales[gallery_rows + j]) * scales[2 + i];
                assert_eq!(score.to_bits(), expected.to_bits(), "{:?} {i} {j}", isa.get());
            }
        }
    }
}

#[test]
fn codes_are_exact_at_the_largest_dim() {
    let low = vec![-128i8; MAX_DIM];
    let alternating: Vec<i8> = (0..MAX_DIM).map(|i| if i % 2 == 0 { -128 } else { 127 }).collect();
    let rows = [low.clone(), alternating].concat();
    let m = Matrix::new(&rows, 2, MAX_DIM).unwrap();
    let (a, b) = (&rows[..MAX_DIM], &rows[MAX_DIM..]);
    let expected = [dot_i64(a, a) as f32, dot_i64(a, b) as f32, dot_i64(a, b) as f32, dot_i64(b, b) as f32];
    assert_eq!(dot_i64(a, a), 2_147_467_264);
    for isa in isas() {
        for bytes in [4096, 60_000, FULL] {
            assert_eq!(pass(isa, &m, Span::new(0, 2), &m, &mut vec![0; bytes]), expected, "{:?} scratch {bytes}", isa.get());
        }
    }
}

/// What a microcontroller runs in place of the tiles.
fn direct<T: Sample>() {
    for dim in (1..=70).chain([384, 512, 1040]) {
        let problem = Problem::<T>::new(dim as u64, 3, 100, dim, (dim + 1, dim + 3));
        let gallery = Matrix::with_stride(&problem.gallery, 3, dim, dim + 1).unwrap();
        for isa in T::isas() {
            for (bank_rows, first) in [(1, 0), (63, 1), (64, 2), (65, 0), (100, 1)] {
                let bank = Matrix::with_stride(&problem.bank, bank_rows, dim, dim + 3).unwrap();
                let rows = Span::new(first, 3 - first);
                let tiles = pass(isa, &gallery, rows, &bank, &mut vec![0; FULL]);
                let mut all = All { bank_rows, seen: vec![0; rows.count], scores: vec![f32::NAN; rows.count * bank_rows] };
                direct_pass(isa, &gallery, rows, &bank, &mut [0xA5; SCRATCH_MIN], &mut all).expect("the least scratch");
                assert_eq!(all.seen, vec![bank_rows; rows.count], "every pair once");
                let scores = all.scores;
                // Of a zero only the value counts: every sink stores +0.
                let bits = |scores: &[f32]| scores.iter().map(|score| (score + 0.0).to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(&scores), bits(&tiles), "{:?} dim {dim}, {} x {bank_rows}", isa.get(), rows.count);
            }
        }
    }
}

#[test]
fn without_tiles_the_bits_are_the_same() {
    direct::<f32>();
    direct::<i8>();
}

//! The sums of the softmax family and of DN: the bits of one call whatever the cut, the order and the tree of merges, on every
//! instruction set with fused multiply-add; values against f64.

use ffi_tests::data::{CodeRows, Parts, Random, Rows, for_each_isa};
use nnn::{ColumnSums, Error, ExactSum, LogSum, LogSums, Matrix, Status};

fn refused<T>(status: Status, argument: &'static str) -> nnn::Result<T> {
    Err(Error { status, argument })
}

/// Problems around the sizes of blocks and strips, with exponents that share a bin and that spread over many.
fn problems<M>(make: impl Fn(&mut Random, usize, usize) -> M) -> Vec<(M, M, f32, Vec<f32>, Random)> {
    (0..30)
        .map(|i| {
            let mut random = Random(i);
            let dim = 1 + random.below(if i % 6 == 0 { 300 } else { 40 });
            let (gallery, bank) = (1 + random.below(40), 1 + random.below(if i % 3 == 0 { 1400 } else { 90 }));
            let beta = [1e-3, 0.7, 20.0, 333.0, 1e5][i as usize % 5];
            let weights = (0..bank).map(|_| random.float() * 40.0).collect();
            (make(&mut random, gallery, dim), make(&mut random, bank, dim), beta, weights, random)
        })
        .collect()
}

/// Sums of all rows, updated with one bank range.
fn sums<M: Parts>(gallery: &M, bank: &M, range: std::ops::Range<usize>, beta: f32, weights: Option<&[f32]>) -> Vec<LogSum> {
    let rows = gallery.count();
    let mut memory = vec![LogSum::EMPTY; rows];
    update(&mut memory, gallery, bank, 0..rows, range, beta, weights, &mut vec![0; 1 << 20]);
    memory
}

#[allow(clippy::too_many_arguments)]
fn update<M: Parts>(
    memory: &mut [LogSum],
    gallery: &M,
    bank: &M,
    rows: std::ops::Range<usize>,
    range: std::ops::Range<usize>,
    beta: f32,
    weights: Option<&[f32]>,
    scratch: &mut [u8],
) {
    let (all, part) = (gallery.of(0..gallery.count()), bank.of(range.clone()));
    let mut sums = LogSums::from_sums(memory, beta).unwrap();
    match weights {
        Some(weights) => sums.update_weighted(&all, &part, &weights[range], rows, scratch).unwrap(),
        None => sums.update(&all, &part, rows, scratch).unwrap(),
    }
}

fn any_cut<M: Parts>(problems: Vec<(M, M, f32, Vec<f32>, Random)>) {
    for (i, (gallery, bank, beta, weights, mut random)) in problems.into_iter().enumerate() {
        let weights = (i % 2 == 1).then_some(&weights[..]);
        let mut fused = None;
        for_each_isa(|isa| {
            let whole = sums(&gallery, &bank, 0..bank.count(), beta, weights);
            if isa.has_fma() {
                assert_eq!(fused.get_or_insert_with(|| whole.clone()), &whole, "{isa:?} problem {i}: bits");
            }
            // Bank shards in any order, gallery ranges apart, scratch of any size.
            let mut assembled = vec![LogSum::EMPTY; gallery.count()];
            let (gallery_parts, bank_parts) = (1 + random.below(5), 1 + random.below(9));
            for rows in random.cuts(gallery.count(), gallery_parts) {
                let mut shards = random.cuts(bank.count(), bank_parts);
                random.shuffle(&mut shards);
                for shard in shards {
                    let mut scratch = vec![0; 4096 + random.below(30_000)];
                    update(&mut assembled[rows.clone()], &gallery, &bank, rows.clone(), shard, beta, weights, &mut scratch);
                }
            }
            assert_eq!(assembled, whole, "{isa:?} problem {i}: cut");
            // Any tree of merges.
            let mut parts: Vec<_> = random
                .cuts(bank.count(), bank_parts)
                .into_iter()
                .map(|shard| sums(&gallery, &bank, shard, beta, weights))
                .collect();
            while parts.len() > 1 {
                let from = parts.swap_remove(random.below(parts.len()));
                let into = random.below(parts.len());
                LogSums::from_sums(&mut parts[into], beta).unwrap().merge(&from).unwrap();
            }
            assert_eq!(parts[0], whole, "{isa:?} problem {i}: merge");
        });
    }
}

#[test]
fn sums_of_any_cut_have_the_same_bits() {
    any_cut(problems(Rows::random));
    any_cut(problems(|random, rows, dim| {
        let codes = CodeRows::random(random, rows, dim);
        CodeRows { scale: codes.scale.iter().map(|scale| scale / 128.0).collect(), ..codes }
    }));
}

/// Against f64 on the similarities as the neighbour table has them, for exponents of all sizes.
#[test]
fn sums_are_right() {
    for (i, (gallery, bank, beta, weights, _)) in problems(Rows::random).into_iter().enumerate() {
        let weights = (i % 2 == 1).then_some(&weights[..]);
        for_each_isa(|isa| {
            let got = sums(&gallery, &bank, 0..bank.rows, beta, weights);
            for (r, got) in got.iter().enumerate() {
                let exponent = |j: usize| {
                    // One similarity, as the tiles compute it.
                    let mut nearest = [0f32];
                    let (row, query) = (gallery.part(r..r + 1), bank.part(j..j + 1));
                    nnn::bias(&row, &query, 1, 1.0, 0..1, &mut [0; 4200], &mut nearest).unwrap();
                    f64::from(nearest[0]) * f64::from(beta) + weights.map_or(0.0, |w| f64::from(w[j]))
                };
                let t: Vec<f64> = (0..bank.rows).map(exponent).collect();
                let max = t.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let expected = max + t.iter().map(|t| (t - max).exp()).sum::<f64>().ln();
                // The factor and, with weights, the exponent are rounded to f32: a relative error of the largest exponent.
                let largest = t.iter().fold(0f64, |largest, t| largest.max(t.abs()));
                let bound = 1e-6 + 3e-7 * largest;
                assert!((got.ln() - expected).abs() <= bound, "{isa:?} problem {i} row {r}: {} for {expected}", got.ln());
            }
        });
        if i > 8 {
            break; // each similarity is a call of its own
        }
    }
}

/// The stated accuracy of a term, over all of two octaves and here and there beyond.
#[test]
fn a_term_is_as_accurate_as_stated() {
    let mut random = Random(12);
    let mut t: Vec<f32> = (0..1 << 16).map(|i| i as f32 * 2f32.powi(-15) - 1.0).collect();
    t.extend((0..1 << 16).map(|_| random.float() * 30.0));
    let bank = Matrix::new(&[1.0f32], 1, 1).unwrap();
    let gallery = Matrix::new(&t, t.len(), 1).unwrap();
    // The factor that beta = 1 is rounded to.
    let factor = f64::from(std::f64::consts::LOG2_E as f32);
    for_each_isa(|isa| {
        let mut memory = vec![LogSum::EMPTY; t.len()];
        LogSums::init(&mut memory, 1.0).unwrap().update(&gallery, &bank, 0..t.len(), &mut [0; 65536]).unwrap();
        for (t, sum) in t.iter().zip(&memory) {
            let expected = f64::from(*t) * factor * std::f64::consts::LN_2;
            // Without fused multiply-add the exponent is rounded as well.
            let bound = if isa.has_fma() { 9e-7 } else { 9e-7 + 1.2e-7 * expected.abs() };
            assert!((sum.ln() - expected).abs() <= bound, "{isa:?} t {t}: off by {:e}", sum.ln() - expected);
        }
    });
}

/// Terms that a sum drops are below 2^-64 of its largest, whenever they come.
#[test]
fn a_sum_does_not_depend_on_when_its_largest_term_comes() {
    let exponents = [-700.0f32, -250.0, -90.0, -44.0, -23.0, -22.0, 0.0, 1.0, 21.0, 22.5, 44.0, 66.0, 88.0, 400.0, 3e6];
    for_each_isa(|isa| {
        let row = Matrix::new(&[1.0f32], 1, 1).unwrap();
        let sum = |exponents: &[f32]| {
            let mut memory = [LogSum::EMPTY];
            let bank = Matrix::new(exponents, exponents.len(), 1).unwrap();
            LogSums::from_sums(&mut memory, 1.0).unwrap().update(&row, &bank, 0..1, &mut [0; 4096]).unwrap();
            memory[0]
        };
        let mut random = Random(5);
        for round in 0..200 {
            let mut some: Vec<f32> = exponents.iter().copied().filter(|_| random.below(3) > 0).collect();
            random.shuffle(&mut some);
            if some.is_empty() {
                continue;
            }
            let whole = sum(&some);
            let max = some.iter().copied().fold(f32::MIN, f32::max);
            let expected = f64::from(max) + some.iter().map(|t| f64::from(t - max).exp()).sum::<f64>().ln();
            assert!((whole.ln() - expected).abs() <= 1e-6 + 1e-7 * expected.abs(), "{isa:?} {some:?}: {}", whole.ln());
            let mut merged = [LogSum::EMPTY];
            for t in &some {
                LogSums::from_sums(&mut merged, 1.0).unwrap().merge(&[sum(&[*t])]).unwrap();
            }
            assert_eq!(merged[0], whole, "{isa:?} round {round}");
        }
        assert!((sum(&[0.0; 7]).ln() - 7f64.ln()).abs() < 1e-14);
    });
}

#[test]
fn exact_sums_of_any_order_are_exact() {
    let mut random = Random(3);
    let (rows, dim) = (301, 5);
    let mut bank = Rows::new(rows, dim, dim, |_, _| random.wide_float());
    for (i, x) in [f32::MAX, f32::MIN, 1e-45, -1e-45, f32::MIN_POSITIVE, -0.0].into_iter().enumerate() {
        bank.data[i * dim] = x;
    }
    let of = |bank: &Matrix<f32>| {
        let mut memory = vec![ExactSum::ZERO; dim];
        ColumnSums::init(&mut memory).update(bank).unwrap();
        memory
    };
    let whole = of(&bank.view());
    let mut order: Vec<usize> = (0..rows).collect();
    for _ in 0..5 {
        random.shuffle(&mut order);
        assert_eq!(of(&bank.select(&order).view()), whole);
        let mut merged = vec![ExactSum::ZERO; dim];
        for part in random.cuts(rows, 7) {
            ColumnSums::from_sums(&mut merged).merge(&of(&bank.part(part))).unwrap();
        }
        assert_eq!(merged, whole);
    }
    // A column and its negation cancel to nothing, however large.
    let negated = of(&bank.map(|x| -x).view());
    let mut sum = whole.clone();
    ColumnSums::from_sums(&mut sum).merge(&negated).unwrap();
    assert_eq!(sum, vec![ExactSum::ZERO; dim]);
    // Columns without the extremes, in units of 2^-43: integers of i128.
    for (j, sum) in whole.iter().enumerate().skip(1) {
        let units: i128 = (0..rows).map(|i| (f64::from(bank.row(i)[j]) * 2f64.powi(43)) as i128).sum();
        let expected = units as f64 / 2f64.powi(43);
        assert!((sum.value() - expected).abs() <= expected.abs() * 2f64.powi(-50), "column {j}");
    }
    // Codes are their values.
    let codes = CodeRows::random(&mut random, 50, dim);
    let values = Rows::new(50, dim, dim, |i, j| f32::from(codes.row(i)[j]) * 0.5);
    let halves = CodeRows { scale: vec![0.5; 50], ..codes };
    let mut memory = vec![ExactSum::ZERO; dim];
    ColumnSums::init(&mut memory).update(&halves.view()).unwrap();
    assert_eq!(memory, of(&values.view()));
}

#[test]
fn biases_of_a_mean_have_the_same_bits_everywhere() {
    let mut random = Random(9);
    let (gallery, mean) = (Rows::random(&mut random, 37, 67), Rows::random(&mut random, 1, 67));
    let mut first = None;
    for_each_isa(|isa| {
        let mut whole = vec![0f32; 37];
        nnn::mean_bias(&gallery.view(), mean.row(0), 0.5, 0..37, &mut whole).unwrap();
        assert_eq!(first.get_or_insert_with(|| whole.clone()), &whole, "{isa:?}");
        let mut part = vec![0f32; 11];
        nnn::mean_bias(&gallery.view(), mean.row(0), 0.5, 13..24, &mut part).unwrap();
        assert_eq!(part, whole[13..24]);
        for (r, got) in whole.iter().enumerate() {
            let exact = 0.5 * ffi_tests::reference::dot_f64(mean.row(0), gallery.row(r));
            assert!((f64::from(*got) - exact).abs() <= exact.abs() * 2f64.powi(-23) + 1e-12, "{isa:?} row {r}");
        }
    });
}

#[test]
fn every_wrong_argument_names_itself() {
    let data = [1f32; 12];
    let matrix = |rows, dim| Matrix::new(&data, rows, dim).unwrap();
    let (gallery, bank, other, empty) = (matrix(3, 2), matrix(6, 2), matrix(4, 3), matrix(0, 2));
    let mut memory = [LogSum::EMPTY; 3];
    for beta in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        assert_eq!(LogSums::init(&mut memory, beta).map(|_| ()), refused(Status::Value, "beta"));
    }
    let scratch = &mut [0; 4096];
    let mut sums = LogSums::init(&mut memory, 20.0).unwrap();
    let mut out = [7f32; 3];
    assert_eq!(sums.bias(&mut out), refused(Status::K, "sums"), "nothing seen");
    assert_eq!(sums.update(&gallery, &other, 0..3, scratch), refused(Status::Dim, "bank"));
    assert_eq!(sums.update(&gallery, &bank, 1..4, scratch), refused(Status::Range, "rows"));
    assert_eq!(sums.update(&gallery, &bank, 0..2, scratch), refused(Status::Range, "rows"));
    assert_eq!(sums.update(&gallery, &bank, 0..3, &mut scratch[1..]), refused(Status::Capacity, "scratch"));
    assert_eq!(sums.update_weighted(&gallery, &bank, &[0.0; 5], 0..3, scratch), refused(Status::Capacity, "log_weights"));
    assert_eq!(sums.update_weighted(&gallery, &bank, &[f32::NAN; 6], 0..3, scratch), refused(Status::Value, "log_weights"));
    let nan = [f32::NAN; 4];
    let nan = Matrix::new(&nan, 2, 2).unwrap();
    assert_eq!(sums.update(&gallery, &nan, 0..3, scratch), refused(Status::Value, "bank"));
    assert_eq!(sums.merge(&[LogSum::EMPTY; 2]), refused(Status::Range, "from"));
    assert_eq!(sums.as_slice(), [LogSum::EMPTY; 3]);
    let mut huge = [LogSum::EMPTY; 3];
    let mut huge = LogSums::init(&mut huge, 1e20).unwrap();
    assert_eq!(huge.update(&gallery, &bank, 0..3, scratch), refused(Status::Value, "beta"));

    sums.update(&gallery, &bank, 0..3, scratch).unwrap();
    assert_eq!(sums.bias(&mut out[..2]), refused(Status::Capacity, "out"));
    let mut two = [LogSum::EMPTY; 2];
    let two = LogSums::init(&mut two, 1.0).unwrap();
    assert_eq!(sums.dual_bias(&two, &mut out), refused(Status::Range, "gallery"));
    assert_eq!(out, [7.0; 3]);

    let mut columns = [ExactSum::ZERO; 2];
    let mut columns = ColumnSums::init(&mut columns);
    assert_eq!(columns.update(&other), refused(Status::Dim, "bank"));
    assert_eq!(columns.update(&nan), refused(Status::Value, "bank"));
    assert_eq!(columns.merge(&[ExactSum::ZERO]), refused(Status::Dim, "from"));
    assert_eq!(columns.mean(0, &mut out), refused(Status::K, "rows"));
    assert_eq!(columns.mean(1, &mut out[..1]), refused(Status::Capacity, "out"));
    assert_eq!(nnn::mean_bias(&gallery, &[1.0], 0.5, 0..3, &mut out), refused(Status::Dim, "mean"));
    assert_eq!(nnn::mean_bias(&gallery, &[1.0; 2], 0.5, 0..4, &mut out), refused(Status::Range, "rows"));
    assert_eq!(nnn::mean_bias(&gallery, &[1.0; 2], 0.5, 0..3, &mut out[..2]), refused(Status::Capacity, "out"));
    assert_eq!(nnn::mean_bias(&gallery, &[f32::NAN; 2], 0.5, 0..3, &mut out), refused(Status::Value, "mean"));
    assert_eq!(nnn::mean_bias(&gallery, &[1.0; 2], f32::NAN, 0..3, &mut out), refused(Status::Value, "lambda"));
    assert_eq!(nnn::mean_bias(&gallery, &[f32::MAX; 2], 2.0, 0..3, &mut out), refused(Status::Value, "lambda"));

    let (mut sums, mut potentials) = ([LogSum::EMPTY; 6], [0f32; 9]);
    let mut sinkhorn = |bank, tau, iterations, sums_len: usize, potentials_len: usize, room: usize| {
        let (sums, potentials) = (&mut sums[..sums_len], &mut potentials[..potentials_len]);
        nnn::sinkhorn_bias(&gallery, None, bank, tau, iterations, sums, potentials, scratch, &mut out[..room])
    };
    assert_eq!(sinkhorn(&other, 0.01, 1, 6, 9, 3), refused(Status::Dim, "bank"));
    assert_eq!(sinkhorn(&empty, 0.01, 1, 6, 9, 3), refused(Status::K, "bank"));
    assert_eq!(sinkhorn(&bank, 0.01, 1, 5, 9, 3), refused(Status::Capacity, "sums"));
    assert_eq!(sinkhorn(&bank, 0.01, 1, 6, 8, 3), refused(Status::Capacity, "potentials"));
    assert_eq!(sinkhorn(&bank, 0.01, 1, 6, 9, 2), refused(Status::Capacity, "out"));
    for tau in [0.0, -1.0, f32::NAN, f32::INFINITY, 1e-30] {
        assert_eq!(sinkhorn(&bank, tau, 1, 6, 9, 3), refused(Status::Value, "tau"), "{tau}");
    }
    assert_eq!(sinkhorn(&bank, 0.01, 0, 6, 9, 3), refused(Status::Value, "iterations"));
    assert_eq!(out, [7.0; 3]);
}

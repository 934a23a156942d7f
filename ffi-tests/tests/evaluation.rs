//! Evaluation against the slow and obvious way, and on real embeddings against recalls computed in f64 (`golden/pydoc_recalls.csv`).

use ffi_tests::artefacts::repository;
use ffi_tests::data::{CodeRows, Parts, Random, Rows, for_each_isa, npy_halves, npy_ids};
use nnn::{Error, Hit, Matrix, NOT_RANKED, Neighbors, Positives, Status};

fn refused<T>(status: Status, argument: &'static str) -> nnn::Result<T> {
    Err(Error { status, argument })
}

/// One to three answers a query.
struct Answers {
    offsets: Vec<usize>,
    ids: Vec<u32>,
}

impl Answers {
    fn random(random: &mut Random, queries: usize, rows: usize) -> Answers {
        let mut answers = Answers { offsets: vec![0], ids: Vec::new() };
        for _ in 0..queries {
            (0..1 + random.below(3)).for_each(|_| answers.ids.push(random.below(rows) as u32));
            answers.offsets.push(answers.ids.len());
        }
        answers
    }

    fn view(&self) -> Positives<'_> {
        Positives::new(&self.offsets, &self.ids).unwrap()
    }
}

/// The rank of each query's best answer by a search for all rows.
fn ranks_by_search<M: Parts>(queries: &M, gallery: &M, bias: Option<&[f32]>, answers: &Positives) -> Vec<u32> {
    let (asked, rows) = (queries.count(), gallery.count());
    let (mut hits, mut found) = (vec![Hit { score: 0.0, id: 0 }; asked * rows], vec![0; asked]);
    let (queries, gallery) = (queries.of(0..asked), gallery.of(0..rows));
    nnn::search(&queries, &gallery, bias, None, rows, 0..rows, &mut [0; 4160], &mut hits, &mut found).unwrap();
    let mut ranks = vec![0; asked];
    nnn::best_ranks(&hits, &found, rows, answers, &mut ranks).unwrap();
    for (q, rank) in ranks.iter().enumerate() {
        let list = &hits[q * rows..][..found[q] as usize];
        let at = list.iter().position(|hit| answers.of(q).contains(&hit.id));
        assert_eq!(*rank, at.map_or(NOT_RANKED, |at| at as u32 + 1));
    }
    ranks
}

fn ranks_are_those_of_search<M: Parts>(make: impl Fn(&mut Random, usize, usize) -> M) {
    for seed in 0..20 {
        let mut random = Random(seed);
        let (dim, asked, rows) = (1 + random.below(40), 1 + random.below(40), 1 + random.below(600));
        let (queries, gallery) = (make(&mut random, asked, dim), make(&mut random, rows, dim));
        let biases = random.below(5);
        // Small integers make ties, which only the ids settle.
        let table: Vec<f32> = (0..biases * rows).map(|_| random.small()).collect();
        let answers = Answers::random(&mut random, asked, rows);
        for_each_isa(|isa| {
            let mut ranks = vec![0; (1 + biases) * asked];
            let least = nnn::ranks_scratch(biases) / 16 + 8;
            let mut scratch = vec![0; [nnn::ranks_scratch(biases), least, least * 5][seed as usize % 3]];
            let (q, g) = (queries.of(0..asked), gallery.of(0..rows));
            nnn::ranks(&q, &g, &table, &answers.view(), &mut scratch, &mut ranks).unwrap();
            let plain = ranks_by_search(&queries, &gallery, None, &answers.view());
            assert_eq!(ranks[..asked], plain, "{isa:?} seed {seed} plain");
            for (b, bias) in table.chunks(rows).enumerate() {
                let expected = ranks_by_search(&queries, &gallery, Some(bias), &answers.view());
                assert_eq!(ranks[(1 + b) * asked..][..asked], expected, "{isa:?} seed {seed} bias {b}");
            }
        });
    }
}

#[test]
fn ranks_are_those_that_search_gives() {
    ranks_are_those_of_search(Rows::small);
    ranks_are_those_of_search(Rows::random);
    ranks_are_those_of_search(CodeRows::random);
}

/// A row whose score is not finite is no hit, and an answer that is one has no rank.
#[test]
fn scores_that_are_not_finite_have_no_rank() {
    let gallery = [f32::NAN, 2.0, f32::INFINITY, 1.0];
    let gallery = Matrix::new(&gallery, 4, 1).unwrap();
    let query = Matrix::new(&[1.0f32, 1.0], 2, 1).unwrap();
    let mut ranks = [0; 4];
    let positives = Positives::new(&[0, 1, 3], &[2, 0, 3]).unwrap();
    nnn::ranks(&query, &gallery, &[0.0, 1.5, 0.0, 0.0], &positives, &mut [0; 4096], &mut ranks).unwrap();
    assert_eq!(ranks, [NOT_RANKED, 2, NOT_RANKED, 1]);
    assert_eq!((nnn::recall(&ranks, 1), nnn::recall(&ranks, usize::MAX)), (Ok(0.25), Ok(0.5)));
    assert_eq!(nnn::median_rank(&ranks), Ok(f64::INFINITY));
    assert_eq!(nnn::median_rank(&ranks[1..]), Ok(2.0));
    assert_eq!((nnn::median_rank(&[3, 1, 9, 4]), nnn::median_rank(&[7])), (Ok(3.5), Ok(7.0)));
}

/// A grid is the biases of its points, bit for bit.
#[test]
fn a_grid_is_its_biases() {
    let mut random = Random(4);
    let (rows, table_k) = (50, 40);
    let (gallery, bank) = (Rows::random(&mut random, rows, 9), Rows::random(&mut random, 77, 9));
    let mut memory = vec![0f32; rows * table_k];
    let mut table = Neighbors::init(&mut memory, rows, table_k).unwrap();
    table.update(&gallery.view(), &bank.view(), 0..rows, &mut [0; 8192]).unwrap();
    let (ks, alphas) = ([1, 2, 7, 32, 40], [0.25, 0.5, 1.375]);
    let mut grid = vec![0f32; ks.len() * alphas.len() * rows];
    table.grid(&ks, &alphas, &mut grid).unwrap();
    for (at, got) in grid.chunks(rows).enumerate() {
        let mut bias = vec![0f32; rows];
        table.bias(ks[at % 5], alphas[at / 5], &mut bias).unwrap();
        assert_eq!(bias, got, "k {} alpha {}", ks[at % 5], alphas[at / 5]);
    }
    assert_eq!(table.grid(&[2, 2], &alphas, &mut grid), refused(Status::K, "ks"));
    assert_eq!(table.grid(&[0], &alphas, &mut grid), refused(Status::K, "ks"));
    assert_eq!(table.grid(&[41], &alphas, &mut grid), refused(Status::K, "ks"));
    assert_eq!(table.grid(&ks, &alphas, &mut grid[1..]), refused(Status::Capacity, "out"));
    assert_eq!(table.grid(&ks, &[f32::NAN], &mut grid), refused(Status::Value, "alphas"));
}

/// Recalls over the whole grid, hubness before and after, and what is chosen, on the shipped data.
#[test]
fn recalls_on_real_data_are_those_computed_in_f64() {
    const DIM: usize = 384;
    let folder = repository().join("examples/data/pydoc-minilm");
    let unit = |name: &str| {
        let (mut rows, dim) = npy_halves(&folder.join(name));
        assert_eq!(dim, DIM);
        let n = rows.len() / DIM;
        nnn::normalize_in_place(&mut rows, n, DIM, DIM).unwrap();
        rows
    };
    let (gallery, bank, queries) = (unit("gallery.npy"), unit("bank.npy"), unit("queries.npy"));
    let view = |rows| Matrix::new(rows, rows.len() / DIM, DIM).unwrap();
    let (gallery, bank, queries) = (view(&gallery), view(&bank), view(&queries));
    let (rows, asked) = (gallery.rows(), queries.rows());
    let ids = npy_ids(&folder.join("answers.npy"));
    let offsets: Vec<usize> = (0..=asked).collect();
    let positives = Positives::new(&offsets, &ids).unwrap();

    let expected = std::fs::read_to_string(repository().join("ffi-tests/golden/pydoc_recalls.csv")).unwrap();
    let expected: Vec<Vec<f64>> =
        expected.lines().skip(1).map(|line| line.split(',').map(|x| x.parse().unwrap()).collect()).collect();
    let distinct = |column: usize| {
        let mut values: Vec<f64> = expected[1..].iter().map(|line| line[column]).collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        values
    };
    let ks: Vec<usize> = distinct(0).into_iter().map(|k| k as usize).collect();
    let alphas: Vec<f32> = distinct(1).into_iter().map(|alpha| alpha as f32).collect();
    let k_max = *ks.last().unwrap();

    let mut memory = vec![0f32; rows * k_max];
    let mut table = Neighbors::init(&mut memory, rows, k_max).unwrap();
    table.update(&gallery, &bank, 0..rows, &mut vec![0; 1 << 20]).unwrap();
    let mut grid = vec![0f32; ks.len() * alphas.len() * rows];
    table.grid(&ks, &alphas, &mut grid).unwrap();
    let biases = ks.len() * alphas.len();
    let mut ranks = vec![0; (1 + biases) * asked];
    nnn::ranks(&queries, &gallery, &grid, &positives, &mut vec![0; nnn::ranks_scratch(biases)], &mut ranks).unwrap();

    let one_query = 100.0 / asked as f64;
    for line in &expected {
        let run = match line[0] as usize {
            0 => 0,
            k => {
                let at = |alpha: &f32| f64::from(*alpha) == line[1];
                1 + alphas.iter().position(at).unwrap() * ks.len() + ks.iter().position(|x| *x == k).unwrap()
            }
        };
        for (n, expected) in [1, 5, 10].into_iter().zip(&line[2..]) {
            let got = 100.0 * nnn::recall(&ranks[run * asked..][..asked], n).unwrap();
            assert!(
                (got - expected).abs() <= one_query + 1e-4,
                "k {} alpha {} recall at {n}: {got} for {expected}",
                line[0],
                line[1]
            );
        }
    }

    // Hubness as published with the data: 10-occurrence, plain and with k = 16, alpha = 0.75.
    let hubness = |bias: Option<&[f32]>| {
        let (mut hits, mut found) = (vec![Hit { score: 0.0, id: 0 }; asked * 10], vec![0; asked]);
        nnn::search(&queries, &gallery, bias, None, 10, 0..rows, &mut [0; 4160], &mut hits, &mut found).unwrap();
        let mut counts = vec![0; rows];
        nnn::count_occurrences(&hits, &found, 10, 10, &mut counts).unwrap();
        nnn::hubness(&counts).unwrap()
    };
    let mut bias = vec![0f32; rows];
    table.bias(16, 0.75, &mut bias).unwrap();
    let (before, after) = (hubness(None), hubness(Some(&bias)));
    assert!((before.skewness - 1.73645).abs() < 1e-4 && before.maximum == 51, "{before:?}");
    assert!((before.never - 0.02241).abs() < 1e-4, "{before:?}");
    assert!((after.skewness - 0.96702).abs() < 1e-4 && after.maximum == 30, "{after:?}");
    assert!(after.kurtosis < before.kurtosis && after.robin_hood < before.robin_hood);

    // On so many queries the gain is sure.
    let choice = nnn::choose(&ranks, asked, 1, 0.95, 1, &mut [0; 2000]).unwrap();
    assert!(choice.bias == Some(choice.best) && choice.gain.low > 0.0 && choice.gain.gain > 0.02, "{choice:?}");
}

#[test]
fn the_bootstrap_is_reproducible_and_covers_the_gain() {
    let mut random = Random(8);
    let before: Vec<u32> = (0..500).map(|_| 1 + random.below(3) as u32).collect();
    let after: Vec<u32> = before.iter().map(|rank| if random.below(4) == 0 { 1 } else { *rank }).collect();
    let run = |a: &[u32], b: &[u32], seed| nnn::bootstrap(a, b, 1, 0.95, seed, &mut [0; 4000]).unwrap();
    let gain = run(&before, &after, 1);
    assert_eq!(gain, run(&before, &after, 1));
    assert_ne!(gain, run(&before, &after, 2));
    let expected = nnn::recall(&after, 1).unwrap() - nnn::recall(&before, 1).unwrap();
    assert!((gain.gain - expected).abs() < 1e-12 && gain.low < gain.gain && gain.gain < gain.high, "{gain:?}");
    // The normal approximation: changes are only gains here, p of them in n.
    let width = 2.0 * 1.96 * (expected * (1.0 - expected) / 500.0).sqrt();
    assert!((gain.high - gain.low - width).abs() < 0.15 * width, "{gain:?} for a width of {width}");
    let loss = run(&after, &before, 1);
    assert!(loss.high < 0.0 && (loss.gain + gain.gain).abs() < 1e-12);
    let none = run(&before, &before, 3);
    assert_eq!((none.gain, none.low, none.high), (0.0, 0.0, 0.0));
    // In 200 problems of nothing but chance, an interval of 90 per cent misses 0 in about 20.
    let misses = (0..200).filter(|seed| {
        let mut random = Random(*seed + 1000);
        let [a, b] = [0, 1].map(|_| (0..150).map(|_| 1 + random.below(2) as u32).collect::<Vec<_>>());
        let interval = nnn::bootstrap(&a, &b, 1, 0.9, *seed, &mut [0; 500]).unwrap();
        interval.low > 0.0 || interval.high < 0.0
    });
    let misses = misses.count();
    assert!((8..=36).contains(&misses), "{misses} of 200");
}

/// Without a sure gain no correction is proposed; of equally good ones the first is named.
#[test]
fn the_choice_does_no_harm() {
    let asked = 400;
    let plain: Vec<u32> = (0..asked).map(|q| 1 + q % 2).collect();
    let worse: Vec<u32> = (0..asked).map(|q| if q % 20 == 0 { 2 } else { 1 + q % 2 }).collect();
    let hardly: Vec<u32> = (0..asked).map(|q| if q == 1 { 1 } else { 1 + q % 2 }).collect();
    let better: Vec<u32> = (0..asked).map(|q| if q % 10 == 1 { 1 } else { 1 + q % 2 }).collect();
    let choose = |runs: &[&Vec<u32>]| {
        let ranks: Vec<u32> = runs.iter().flat_map(|run| run.iter().copied()).collect();
        nnn::choose(&ranks, asked as usize, 1, 0.95, 7, &mut [0; 1000]).unwrap()
    };
    let choice = choose(&[&plain, &worse, &hardly]);
    assert_eq!((choice.bias, choice.best), (None, 1));
    assert!(choice.gain.gain > 0.0 && choice.gain.low <= 0.0);
    let choice = choose(&[&plain, &worse]);
    assert_eq!((choice.bias, choice.best), (None, 0));
    let choice = choose(&[&plain, &hardly, &better, &better]);
    assert_eq!((choice.bias, choice.best), (Some(1), 1));
    assert!((choice.gain.gain - 0.1).abs() < 1e-12 && choice.gain.low > 0.0);
}

/// The best of a whole grid of biases that do nothing: each query's changes are as likely losses as gains, and alike in all biases, as
/// those of a grid are. A proposal at 95 per cent is a mistake that may happen in 5 per cent of the trials.
#[test]
fn the_best_of_many_is_not_proposed_for_its_luck() {
    let (asked, biases, trials) = (300, 110, 300);
    let mut random = Random(77);
    let mut proposals = 0;
    for trial in 0..trials {
        let mut ranks = vec![0u32; (1 + biases) * asked];
        let (plain, runs) = ranks.split_at_mut(asked);
        for q in 0..asked {
            // The queries that a strong bias changes; a milder one changes part of them.
            let (before, change, strength) = (random.below(2), random.below(8) == 0, random.below(biases));
            plain[q] = 1 + before as u32;
            for bias in 0..biases {
                let changed = change && (bias >= strength || random.below(10) == 0);
                runs[bias * asked + q] = 1 + (before ^ usize::from(changed)) as u32;
            }
        }
        proposals += usize::from(nnn::choose(&ranks, asked, 1, 0.95, trial, &mut [0; 1000]).unwrap().bias.is_some());
    }
    println!("{proposals} of {trials}");
    assert!(proposals <= 26, "{proposals} of {trials}"); // 5 per cent are 15, and 26 three standard deviations more
}

/// Too few queries, or too few flips, prove nothing: whatever they say, no correction is proposed.
#[test]
fn few_queries_are_no_proof() {
    let choose = |asked: usize, work: usize| {
        let ranks: Vec<u32> = (0..2 * asked).map(|at| if at < asked { 2 } else { 1 }).collect();
        nnn::choose(&ranks, asked, 1, 0.95, 3, &mut vec![0; work]).unwrap()
    };
    for asked in 1..=4 {
        let choice = choose(asked, 4000);
        assert_eq!(
            (choice.bias, choice.best, choice.gain.gain),
            (None, 0, 1.0),
            "{asked} queries: a chance of 1 in {}",
            1 << asked
        );
    }
    assert_eq!(choose(8, 4000).bias, Some(0), "a chance of 1 in 256");
    assert_eq!(choose(400, 36).bias, None, "18 flips");
    assert_eq!(choose(400, 40).bias, Some(0), "20 flips: 1 in 21 is less than 5 per cent");
}

#[test]
fn hubness_is_its_definition() {
    let mut random = Random(6);
    let counts: Vec<u32> = (0..301).map(|_| (random.below(40) * random.below(3)) as u32).collect();
    let n = counts.len() as f64;
    let values: Vec<f64> = counts.iter().copied().map(f64::from).collect();
    let mean = values.iter().sum::<f64>() / n;
    let moment = |p: i32| values.iter().map(|x| (x - mean).powi(p)).sum::<f64>() / n;
    let got = nnn::hubness(&counts).unwrap();
    assert!((got.skewness - moment(3) / moment(2).powf(1.5)).abs() < 1e-12);
    assert!((got.kurtosis - (moment(4) / moment(2).powi(2) - 3.0)).abs() < 1e-12);
    let moved: f64 = values.iter().map(|x| (x - mean).max(0.0)).sum();
    assert!((got.robin_hood - moved / values.iter().sum::<f64>()).abs() < 1e-12);
    assert_eq!(got.never, counts.iter().filter(|x| **x == 0).count() as f64 / n);
    assert_eq!(got.maximum, *counts.iter().max().unwrap());
    assert_eq!(got.row as usize, counts.iter().position(|x| *x == got.maximum).unwrap());
    let even = nnn::hubness(&[3; 5]).unwrap();
    assert_eq!((even.skewness, even.kurtosis, even.robin_hood, even.never), (0.0, 0.0, 0.0, 0.0));
    assert_eq!(nnn::hubness(&[0; 5]), refused(Status::Value, "counts"));
    assert_eq!(nnn::hubness(&[]), refused(Status::Value, "counts"));
}

fn lists() -> (Vec<Hit>, Vec<u32>) {
    let ids = [0u32, 1, 2, 3, 4, 5, 0, 2, 4, 9, 9, 9];
    (ids.iter().map(|id| Hit { score: 0.0, id: *id }).collect(), vec![3, 3, 2, 0])
}

#[test]
fn fairness_counts_attributes() {
    let (hits, found) = lists();
    let labels = [1i8, 1, -1, -1, -1, 0];
    let mut out = [7f32; 4];
    let means = nnn::attribute_bias(&hits, &found, 3, 3, &labels, &mut out).unwrap();
    assert_eq!(out, [1.0 / 3.0, -2.0 / 3.0, 0.0, 0.0]);
    assert!((means.mean + 1.0 / 12.0).abs() < 1e-12 && (means.mean_abs - 0.25).abs() < 1e-12);
    let means = nnn::attribute_bias(&hits, &found, 3, 1, &labels, &mut out).unwrap();
    assert_eq!((out, means.mean, means.mean_abs), ([1.0, -1.0, 1.0, 0.0], 0.25, 0.75));

    let mut counts = [0; 6];
    nnn::count_occurrences(&hits, &found, 3, 3, &mut counts).unwrap();
    nnn::count_occurrences(&hits, &found, 3, 1, &mut counts).unwrap();
    assert_eq!(counts, [4, 1, 2, 2, 1, 1]);

    let mut out = [7f32; 4];
    let mut check = |k, n, labels: &[i8], room: usize, expected: nnn::Result<()>| {
        assert_eq!(nnn::attribute_bias(&hits, &found, k, n, labels, &mut out[..room]).map(|_| ()), expected);
        assert_eq!(out, [7.0; 4]);
    };
    check(0, 1, &labels, 4, refused(Status::K, "k"));
    check(3, 0, &labels, 4, refused(Status::K, "n"));
    check(3, 4, &labels, 4, refused(Status::K, "n"));
    check(3, 3, &labels[..5], 4, refused(Status::Range, "hits"));
    check(2, 2, &labels, 4, refused(Status::Range, "found"));
    check(4, 3, &labels, 4, refused(Status::Capacity, "hits"));
    check(3, 3, &labels, 3, refused(Status::Capacity, "out"));
    check(3, 3, &[1, 1, -1, -1, 2, 0], 4, refused(Status::Value, "labels"));
    check(3, 3, &[1, 1, 0, 0, 1, 1], 4, refused(Status::Value, "labels"));
    assert_eq!(nnn::attribute_bias(&[], &[], 3, 3, &labels, &mut []), refused(Status::Value, "found"));
}

#[test]
fn a_balanced_sample_has_as_many_of_each() {
    let mut random = Random(2);
    let groups: Vec<u8> = (0..1000).map(|_| [0, 1, 1, 1, 2, 7][random.below(6)]).collect();
    let smallest = [1u8, 2, 7].map(|group| groups.iter().filter(|g| **g == group).count()).into_iter().min().unwrap();
    let mut seen = vec![0; 1000];
    for seed in 0..200 {
        let mut out = vec![u32::MAX; 1000];
        let drawn = nnn::balanced_sample(&groups, seed, &mut out).unwrap();
        assert_eq!(drawn, 3 * smallest);
        let sample = &out[..drawn];
        assert!(sample.is_sorted_by(|a, b| a < b) && out[drawn..].iter().all(|x| *x == u32::MAX));
        for group in [1u8, 2, 7] {
            assert_eq!(sample.iter().filter(|row| groups[**row as usize] == group).count(), smallest);
        }
        sample.iter().for_each(|row| seen[*row as usize] += 1);
        let mut again = vec![0; drawn];
        assert_eq!(nnn::balanced_sample(&groups, seed, &mut again), Ok(drawn));
        assert_eq!(again, sample);
    }
    // Every row of the largest group is as likely as the others: 200 draws with the chance of smallest / its size.
    let large: Vec<usize> = (0..1000).filter(|row| groups[*row] == 1).collect();
    let expected = 200.0 * smallest as f64 / large.len() as f64;
    let worst = large.iter().map(|row| (seen[*row] as f64 - expected).abs()).fold(0.0, f64::max);
    assert!(worst < 5.0 * expected.sqrt(), "{worst} off {expected}");
    let mut out = [0; 3];
    assert_eq!(nnn::balanced_sample(&[1, 2, 1, 2], 0, &mut out), refused(Status::Capacity, "out"));
    assert_eq!(nnn::balanced_sample(&[1, 1, 0], 0, &mut out), refused(Status::Value, "groups"));
    assert_eq!(nnn::balanced_sample(&[], 0, &mut out), refused(Status::Value, "groups"));
}

#[test]
fn wrong_arguments_name_themselves() {
    assert_eq!(Positives::new(&[0, 2, 1], &[0, 1]).map(|_| ()), refused(Status::Range, "offsets"));
    assert_eq!(Positives::new(&[0, 3], &[0, 1]).map(|_| ()), refused(Status::Range, "offsets"));
    assert_eq!(Positives::new(&[], &[0]).map(|_| ()), refused(Status::Capacity, "offsets"));
    assert_eq!(Positives::new(&[0, 1, 1], &[0, 1]).map(|_| ()), refused(Status::Value, "offsets"), "a query without an answer");
    assert_eq!(nnn::recall(&[1], 0), refused(Status::K, "k"));
    assert_eq!(nnn::recall(&[], 1), refused(Status::Value, "ranks"));
    assert_eq!(nnn::median_rank(&[]), refused(Status::Value, "ranks"));

    let data = [1f32; 12];
    let (queries, gallery, other) =
        (Matrix::new(&data, 2, 2).unwrap(), Matrix::new(&data, 6, 2).unwrap(), Matrix::new(&data, 4, 3).unwrap());
    let positives = Positives::new(&[0, 1, 2], &[5, 0]).unwrap();
    let (outside, one) = (Positives::new(&[0, 1, 2], &[6, 0]).unwrap(), Positives::new(&[0, 1], &[5]).unwrap());
    let mut out = [7; 4];
    let mut check = |gallery, biases: &[f32], positives, scratch: usize, room: usize, expected| {
        assert_eq!(nnn::ranks(&queries, gallery, biases, positives, &mut vec![0; scratch], &mut out[..room]), expected);
        assert_eq!(out, [7; 4]);
    };
    let (biases, least) = ([0f32; 6], 1024 + 16 + 8);
    check(&other, &biases, &positives, least, 4, refused(Status::Dim, "gallery"));
    check(&gallery, &biases[1..], &positives, least, 4, refused(Status::Range, "biases"));
    check(&gallery, &biases, &outside, least, 4, refused(Status::Range, "positives"));
    check(&gallery, &biases, &one, least, 4, refused(Status::Range, "positives"));
    check(&gallery, &biases, &positives, least - 1, 4, refused(Status::Capacity, "scratch"));
    check(&gallery, &biases, &positives, least, 3, refused(Status::Capacity, "out"));
    check(&gallery, &[f32::NAN; 6], &positives, least, 4, refused(Status::Value, "biases"));

    let (ranks, work) = ([1u32; 4], &mut [0; 10]);
    assert_eq!(nnn::bootstrap(&ranks, &ranks, 0, 0.9, 1, work), refused(Status::K, "k"));
    assert_eq!(nnn::bootstrap(&ranks, &ranks[1..], 1, 0.9, 1, work), refused(Status::Range, "after"));
    assert_eq!(nnn::bootstrap(&ranks, &ranks, 1, 0.9, 1, &mut []), refused(Status::Capacity, "work"));
    assert_eq!(nnn::bootstrap(&[], &[], 1, 0.9, 1, work), refused(Status::Value, "before"));
    for confidence in [0.0, 1.0, f64::NAN, -1.0] {
        assert_eq!(nnn::bootstrap(&ranks, &ranks, 1, confidence, 1, work), refused(Status::Value, "confidence"));
    }
    assert_eq!(nnn::choose(&ranks, 3, 1, 0.9, 1, work), refused(Status::Range, "ranks"));
    assert_eq!(nnn::choose(&ranks, 4, 1, 0.9, 1, work), refused(Status::Range, "ranks"), "no bias");
    assert_eq!(nnn::choose(&ranks, 0, 1, 0.9, 1, work), refused(Status::Value, "before"));
}

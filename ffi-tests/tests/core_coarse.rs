//! The coarse index: with all lists probed the exact pass, bit for bit; with fewer what a naive probing finds; k-means steps against
//! f64; layouts, and content of every kind without harm.

use ffi_tests::data::{Random, Rows, for_each_isa};
use nnn::{Element, Hit, Isa, Matrix, Neighbors};

const NO_HIT: Hit = Hit { score: -7.0, id: 99 };

/// An index over rows, and the rows in list order.
struct Index {
    lists: usize,
    centroids: Vec<f32>,
    offsets: Vec<u32>,
    ids: Vec<u32>,
    rows: Rows,
}

impl Index {
    fn new(rows: &Rows, lists: usize, rounds: usize, seed: u64) -> Index {
        let mut scratch = vec![0; nnn::coarse_train_scratch(rows.rows, lists, rows.dim)];
        let mut centroids = vec![0.0; lists * rows.dim];
        nnn::coarse_train(&rows.view(), lists, rounds, seed, &mut scratch, &mut centroids).unwrap();
        let mut assigned = vec![0; rows.rows];
        let view = Matrix::new(&centroids, lists, rows.dim).unwrap();
        nnn::coarse_assign(&rows.view(), &view, 0..rows.rows, &mut scratch, &mut assigned).unwrap();
        Index::of(rows, centroids, &assigned)
    }

    fn of(rows: &Rows, centroids: Vec<f32>, assigned: &[u32]) -> Index {
        let lists = centroids.len() / rows.dim;
        let (mut offsets, mut ids) = (vec![0; lists + 1], vec![0; rows.rows]);
        nnn::coarse_lists(assigned, &mut offsets, &mut ids).unwrap();
        nnn::coarse_check(rows.rows, &offsets, &ids, &mut vec![0; rows.rows.div_ceil(8)]).unwrap();
        let mut data = vec![f32::NAN; rows.rows * rows.dim];
        nnn::coarse_gather(&rows.view(), &ids, &mut data, rows.dim).unwrap();
        let rows = Rows { data, rows: rows.rows, dim: rows.dim, stride: rows.dim };
        Index { lists, centroids, offsets, ids, rows }
    }

    fn centroids(&self) -> Matrix<'_, f32> {
        Matrix::new(&self.centroids, self.lists, self.rows.dim).unwrap()
    }

    fn table<T: Element>(&self, gallery: &Matrix<T>, bank: &Matrix<T>, k: usize, probes: usize, scratch: usize) -> (Vec<u32>, u64) {
        let mut table = vec![0.0; gallery.rows() * k];
        let mut neighbors = Neighbors::init(&mut table, gallery.rows(), k).unwrap();
        let (all, mut scratch, mut pairs) = (0..gallery.rows(), vec![0xA5; scratch], u64::MAX);
        let (centroids, offsets) = (self.centroids(), &self.offsets);
        nnn::coarse_neighbors(&mut neighbors, gallery, bank, &centroids, offsets, probes, all, &mut scratch, &mut pairs).unwrap();
        (bits(&table), pairs)
    }

    /// Lists of a row, best first.
    fn probes(&self, row: &[f32], probes: usize) -> Vec<usize> {
        let query = Matrix::new(row, 1, row.len()).unwrap();
        let mut scores = vec![0.0; self.lists];
        nnn::scores(&query, &self.centroids(), 0..self.lists, &mut scores, self.lists).unwrap();
        let mut order: Vec<usize> = (0..self.lists).filter(|l| self.offsets[*l] < self.offsets[l + 1]).collect();
        order.sort_by(|a, b| scores[*b].partial_cmp(&scores[*a]).unwrap().then(a.cmp(b)));
        order.truncate(probes);
        order
    }

    /// Places in list order that a row probes.
    fn places(&self, row: &[f32], probes: usize) -> Vec<usize> {
        let list = |l: usize| self.offsets[l] as usize..self.offsets[l + 1] as usize;
        self.probes(row, probes).into_iter().flat_map(list).collect()
    }
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|x| x.to_bits()).collect()
}

/// Rows around a few directions, so that probing finds something.
fn clustered(random: &mut Random, rows: usize, dim: usize) -> Rows {
    let centres: Vec<Vec<f32>> = (0..7).map(|_| (0..dim).map(|_| random.float()).collect()).collect();
    let of: Vec<usize> = (0..rows).map(|_| random.below(centres.len())).collect();
    Rows::new(rows, dim, dim + 3, |i, j| centres[of[i]][j] + 0.3 * random.float())
}

fn exact_table<T: Element>(gallery: &Matrix<T>, bank: &Matrix<T>, k: usize) -> Vec<u32> {
    let mut table = vec![0.0; gallery.rows() * k];
    let mut neighbors = Neighbors::init(&mut table, gallery.rows(), k).unwrap();
    neighbors.update(gallery, bank, 0..gallery.rows(), &mut vec![0; 1 << 20]).unwrap();
    bits(&table)
}

fn least(lists: usize, probes: usize, dim: usize) -> usize {
    nnn::coarse_scratch(1, lists, probes, dim)
}

#[test]
fn all_lists_give_the_bits_of_the_exact_table() {
    for_each_isa(|isa| {
        let mut random = Random(1);
        for (rows, bank_rows, dim, lists) in [(37, 200, 17, 9), (1, 1, 1, 1), (5, 3, 40, 6), (19, 64, 33, 1)] {
            let (gallery, bank) = (clustered(&mut random, rows, dim), clustered(&mut random, bank_rows, dim));
            let index = Index::new(&bank, lists, 3, 5);
            for k in [1, 16, 40] {
                let exact = exact_table(&gallery.view(), &bank.view(), k);
                for scratch in [least(lists, lists, dim), least(lists, lists, dim) + 700, 1 << 21] {
                    let (table, pairs) = index.table(&gallery.view(), &index.rows.view(), k, lists + 3, scratch);
                    assert!(table == exact, "{isa:?} {rows} x {bank_rows} x {dim} k {k} scratch {scratch}");
                    assert_eq!(pairs, (rows * bank_rows) as u64);
                }
            }
        }
    });
}

#[test]
fn all_lists_give_the_bits_of_the_exact_table_of_codes() {
    for_each_isa(|isa| {
        let mut random = Random(2);
        let (gallery, bank) = (clustered(&mut random, 37, 30), clustered(&mut random, 150, 30));
        let index = Index::new(&bank, 8, 3, 5);
        let codes = |m: &Matrix<f32>| {
            let (mut codes, mut scale) = (vec![0i8; m.rows() * m.dim()], vec![0.0; m.rows()]);
            nnn::quantize(m, &mut codes, m.dim(), &mut scale).unwrap();
            (codes, scale)
        };
        let view = |of: &(Vec<i8>, Vec<f32>)| -> (usize, usize) { (of.1.len(), of.0.len()) };
        let (g, b) = (codes(&gallery.view()), codes(&bank.view()));
        assert_eq!((view(&g), view(&b)), ((37, 37 * 30), (150, 150 * 30)));
        let gallery = Matrix::new(&g.0, 37, 30).unwrap().with_scale(&g.1).unwrap();
        let bank = Matrix::new(&b.0, 150, 30).unwrap().with_scale(&b.1).unwrap();
        let (mut data, mut scale) = (vec![0; 150 * 30], vec![0.0; 150]);
        nnn::coarse_gather_i8(&bank, &index.ids, &mut data, 30, &mut scale).unwrap();
        let listed = Matrix::new(&data, 150, 30).unwrap().with_scale(&scale).unwrap();
        for scratch in [least(8, 8, 30), 1 << 20] {
            let (table, _) = index.table(&gallery, &listed, 5, 8, scratch);
            assert!(table == exact_table(&gallery, &bank, 5), "{isa:?}");
            // And the search, whose gallery is what was the bank.
            let bias: Vec<f32> = (0..150).map(|_| random.float()).collect();
            let (mut hits, mut found) = (vec![NO_HIT; 37 * 9], vec![0; 37]);
            let (mut own, mut own_found, mut pairs) = (hits.clone(), found.clone(), 0);
            nnn::search(&gallery, &bank, Some(&bias), None, 9, 0..150, &mut [], &mut hits, &mut found).unwrap();
            let (c, o, mut s) = (index.centroids(), &index.offsets, vec![0; scratch]);
            let (h, f, p) = (&mut own, &mut own_found, &mut pairs);
            nnn::coarse_search(&gallery, &listed, &c, o, &index.ids, Some(&bias), None, 8, 9, &mut s, h, f, p).unwrap();
            assert_eq!((own, own_found, pairs), (hits, found, 37 * 150), "{isa:?}");
        }
    });
}

#[test]
fn probed_lists_give_what_naive_probing_finds() {
    for_each_isa(|isa| {
        let mut random = Random(3);
        let (gallery, bank) = (clustered(&mut random, 40, 12), clustered(&mut random, 170, 12));
        let index = Index::new(&bank, 13, 4, 8);
        for (k, probes) in [(1, 1), (8, 2), (8, 5), (50, 3)] {
            let mut expected = Vec::new();
            let mut scored = 0;
            for i in 0..gallery.rows {
                let places = index.places(gallery.row(i), probes);
                scored += places.len() as u64;
                let part = index.rows.select(&places);
                expected.extend(exact_table(&gallery.part(i..i + 1), &part.view(), k));
            }
            for scratch in [least(13, probes, 12), 20_000, 1 << 21] {
                let (table, pairs) = index.table(&gallery.view(), &index.rows.view(), k, probes, scratch);
                assert!(table == expected, "{isa:?} k {k} probes {probes} scratch {scratch}");
                assert_eq!(pairs, scored);
            }
        }
    });
}

/// So many lists that most candidates are dropped again and again; small integers, so that the last places are drawn by lot, which
/// the lower lists win.
#[test]
fn of_many_lists_with_equal_scores_the_lower_ones_are_probed() {
    for_each_isa(|isa| {
        let mut random = Random(5);
        let (gallery, bank) = (Rows::small(&mut random, 9, 4), Rows::small(&mut random, 3000, 4));
        let centroids: Vec<f32> = (0..900 * 4).map(|_| random.small()).collect();
        let assigned: Vec<u32> = (0..3000).map(|_| random.below(450) as u32 * 2).collect();
        let index = Index::of(&bank, centroids, &assigned);
        let used = index.offsets.windows(2).filter(|pair| pair[0] < pair[1]).count();
        assert!(used > 100, "only {used} lists have rows");
        for probes in [1, 2, 7, 63, 100, used - 1, used, 899] {
            let scored: usize = (0..9).map(|i| index.places(gallery.row(i), probes).len()).sum();
            let mut expected = Vec::new();
            for i in 0..9 {
                let part = index.rows.select(&index.places(gallery.row(i), probes));
                expected.extend(exact_table(&gallery.part(i..i + 1), &part.view(), 12));
            }
            for scratch in [least(900, probes, 4), 1 << 21] {
                let (table, pairs) = index.table(&gallery.view(), &index.rows.view(), 12, probes, scratch);
                assert!(table == expected, "{isa:?} probes {probes} scratch {scratch}");
                assert_eq!(pairs, scored as u64);
            }
        }
    });
}

#[test]
fn search_of_all_lists_has_the_bits_of_the_exact_search_and_of_few_what_naive_probing_finds() {
    for_each_isa(|isa| {
        let mut random = Random(4);
        // Small integers: many ties, which the original ids decide.
        let (queries, gallery) = (Rows::small(&mut random, 21, 6), Rows::small(&mut random, 300, 6));
        let index = Index::new(&gallery, 11, 3, 1);
        let bias: Vec<f32> = (0..300).map(|_| random.small()).collect();
        let allow: Vec<u64> = (0..5).map(|_| random.bits() | random.bits()).collect();
        for (bias, allow) in [(None, None), (Some(&bias[..]), None), (Some(&bias[..]), Some(&allow[..]))] {
            for (probes, k) in [(11, 7), (100, 300), (1, 3), (3, 10)] {
                let mut expected = (vec![NO_HIT; 21 * k], vec![0u32; 21]);
                let mut scored = 0;
                for q in 0..21 {
                    let places = index.places(queries.row(q), probes);
                    scored += places.len() as u64;
                    let mut only = vec![0u64; 5];
                    for id in places.iter().map(|at| index.ids[*at] as usize) {
                        only[id / 64] |= (1 << (id % 64)) & allow.map_or(u64::MAX, |allow| allow[id / 64]);
                    }
                    let (hits, found) = (&mut expected.0[q * k..][..k], &mut expected.1[q..=q]);
                    let query = queries.part(q..q + 1);
                    nnn::search(&query, &gallery.view(), bias, Some(&only), k, 0..300, &mut [], hits, found).unwrap();
                }
                for scratch in [least(11, probes, 6), 30_000, 1 << 21] {
                    let (mut hits, mut found, mut pairs) = (vec![NO_HIT; 21 * k], vec![9; 21], 0);
                    let (q, g, c, o, i) = (queries.view(), index.rows.view(), index.centroids(), &index.offsets, &index.ids);
                    let (s, h, f) = (&mut vec![1; scratch], &mut hits, &mut found);
                    nnn::coarse_search(&q, &g, &c, o, i, bias, allow, probes, k, s, h, f, &mut pairs).unwrap();
                    assert!((&hits, &found, pairs) == (&expected.0, &expected.1, scored), "{isa:?} {probes} {k} {scratch}");
                }
            }
        }
    });
}

/// One round from known assignments: the mean of the rows in f64, scaled to unit length.
#[test]
fn a_round_of_training_is_that_of_k_means() {
    for_each_isa(|isa| {
        let mut random = Random(5);
        let rows = clustered(&mut random, 120, 9);
        let (lists, dim) = (6, 9);
        for rounds in 0..4 {
            let before = Index::new(&rows, lists, rounds, 77);
            let after = Index::new(&rows, lists, rounds + 1, 77);
            for l in 0..lists {
                let members = &before.ids[before.offsets[l] as usize..before.offsets[l + 1] as usize];
                assert!(!members.is_empty(), "choose another seed: this test is about full lists");
                let mean: Vec<f64> = (0..dim).map(|j| members.iter().map(|i| f64::from(rows.row(*i as usize)[j])).sum()).collect();
                let length = mean.iter().map(|x| x * x).sum::<f64>().sqrt();
                for (x, c) in mean.iter().zip(&after.centroids[l * dim..]) {
                    assert!((x / length - f64::from(*c)).abs() < 1e-6, "{isa:?} round {rounds} list {l}");
                }
            }
        }
    });
}

#[test]
fn training_has_the_same_bits_on_every_instruction_set_with_fma() {
    let mut random = Random(6);
    let rows = clustered(&mut random, 300, 20);
    let mut first: Option<Vec<u32>> = None;
    for_each_isa(|isa: Isa| {
        if isa.has_fma() {
            let index = Index::new(&rows, 12, 5, 3);
            let all = [bits(&index.centroids), index.offsets, index.ids].concat();
            assert!(first.get_or_insert_with(|| all.clone()) == &all, "{isa:?}");
        }
    });
}

#[test]
fn ranges_of_rows_are_assigned_alike() {
    let mut random = Random(7);
    let rows = clustered(&mut random, 100, 10);
    let index = Index::new(&rows, 9, 4, 2);
    let assign = |range: std::ops::Range<usize>, scratch: usize| {
        let mut assigned = vec![u32::MAX; range.len()];
        nnn::coarse_assign(&rows.view(), &index.centroids(), range, &mut vec![0; scratch], &mut assigned).unwrap();
        assigned
    };
    for_each_isa(|_| {
        let all = assign(0..100, 1 << 20);
        for cuts in [random.cuts(100, 1), random.cuts(100, 5), random.cuts(100, 17)] {
            for scratch in [4104, 5000, 1 << 20] {
                let parts: Vec<u32> = cuts.iter().flat_map(|cut| assign(cut.clone(), scratch)).collect();
                assert_eq!(parts, all);
            }
        }
    });
}

#[test]
fn ranges_of_the_gallery_and_shards_of_the_bank_give_the_bits_of_one_call() {
    let mut random = Random(8);
    let (gallery, bank) = (clustered(&mut random, 60, 10), clustered(&mut random, 90, 10));
    let index = Index::new(&bank, 9, 4, 2);
    for_each_isa(|_| {
        let (all, _) = index.table(&gallery.view(), &index.rows.view(), 4, 3, 1 << 20);
        let parts: Vec<u32> = random
            .cuts(60, 7)
            .into_iter()
            .flat_map(|cut| index.table(&gallery.part(cut), &index.rows.view(), 4, 3, 9000).0)
            .collect();
        assert!(parts == all);
    });
}

/// Few distinct rows, one row, rows of zeros: training ends, and empty lists are harmless.
#[test]
fn degenerate_samples_train() {
    let mut random = Random(9);
    for_each_isa(|isa| {
        for (name, rows) in [
            ("one row", Rows::random(&mut random, 1, 5)),
            ("duplicates", Rows::new(50, 5, 5, |i, j| ((i % 3) * 5 + j) as f32)),
            ("zeros", Rows::new(20, 5, 5, |_, _| 0.0)),
            ("opposites", Rows::new(20, 5, 5, |i, j| if i % 2 == 0 { j as f32 } else { -(j as f32) })),
            ("huge", Rows::new(20, 5, 5, |i, j| f32::MAX / (1 + (i * j) % 3) as f32)),
        ] {
            for lists in [1, 4, 60] {
                let index = Index::new(&rows, lists, 4, 11);
                assert!(index.centroids.iter().all(|x| x.is_finite()), "{isa:?} {name} {lists}");
                let exact = exact_table(&rows.view(), &rows.view(), 3);
                let (table, _) = index.table(&rows.view(), &index.rows.view(), 3, lists, 1 << 16);
                assert!(table == exact, "{isa:?} {name} {lists}");
            }
        }
    });
}

/// Empty lists are split off full ones where the rows allow it.
#[test]
fn lists_without_rows_are_repaired() {
    let mut random = Random(10);
    let rows = Rows::random(&mut random, 400, 6);
    let index = Index::new(&rows, 40, 8, 4);
    let sizes: Vec<u32> = index.offsets.windows(2).map(|w| w[1] - w[0]).collect();
    assert!(sizes.iter().all(|n| *n > 0), "{sizes:?}");
    // Starting from 40 copies of one row and the others.
    let copies = Rows::new(400, 6, 6, |i, j| if i < 200 { 1.0 } else { rows.row(i)[j] });
    let index = Index::new(&copies, 40, 12, 4);
    let full = index.offsets.windows(2).filter(|w| w[1] > w[0]).count();
    assert!(full >= 36, "{full} of 40 lists hold rows");
}

#[test]
fn a_row_without_a_finite_similarity_goes_on_until_it_finds_one() {
    // Both rows of the best list overflow; the lists that follow do not.
    let gallery = Matrix::new(&[f32::MAX, 0.0], 1, 2).unwrap();
    let bank = Matrix::new(&[f32::MAX, 0.0, f32::MAX, 1.0, f32::MAX, 0.5, 0.25, 1.0], 4, 2).unwrap();
    let centroids = Matrix::new(&[1.0f32, 0.0, 0.9, 0.1, 0.0, 1.0], 3, 2).unwrap();
    let mut table = [0.0; 2];
    let mut neighbors = Neighbors::init(&mut table, 1, 2).unwrap();
    let (mut pairs, mut scratch) = (0, vec![0; 1 << 16]);
    let (s, p) = (&mut scratch, &mut pairs);
    nnn::coarse_neighbors(&mut neighbors, &gallery, &bank, &centroids, &[0, 2, 3, 4], 1, 0..1, s, p).unwrap();
    assert_eq!((table, pairs), ([f32::MAX * 0.25, f32::NEG_INFINITY], 4));
    let mut bias = [0.0];
    assert_eq!(nnn::coarse_bias(&table, 1, 2, 2, 0.5, &mut bias), Ok(1));
    assert_eq!(bias, [f32::MAX * 0.125]);
}

#[test]
fn a_short_row_has_the_mean_of_what_it_found() {
    let no = f32::NEG_INFINITY;
    let table = [0.5, 0.25, 0.0, 1.0, 0.5, no, 3.0, no, no];
    let mut bias = [9.0; 3];
    assert_eq!(nnn::coarse_bias(&table, 3, 3, 3, 2.0, &mut bias), Ok(2));
    assert_eq!(bias, [0.5, 1.5, 6.0]);
    assert_eq!(nnn::coarse_bias(&table, 3, 3, 2, 1.0, &mut bias), Ok(1));
    assert_eq!(bias, [0.375, 0.75, 3.0]);
    let empty = [0.5, no, no, no];
    assert!(nnn::coarse_bias(&empty, 2, 2, 2, 1.0, &mut bias).is_err(), "a row that found none");
    assert_eq!(bias, [0.375, 0.75, 3.0]);
}

#[test]
fn what_is_no_index_is_told() {
    let check = |rows: usize, offsets: &[u32], ids: &[u32]| nnn::coarse_check(rows, offsets, ids, &mut [0xFF; 2]).is_ok();
    assert!(check(4, &[0, 1, 1, 4], &[2, 0, 1, 3]));
    assert!(check(0, &[0], &[]));
    assert!(!check(4, &[0, 1, 1, 3], &[2, 0, 1, 3]), "ends short");
    assert!(!check(4, &[1, 1, 1, 4], &[2, 0, 1, 3]), "begins late");
    assert!(!check(4, &[0, 3, 2, 4], &[2, 0, 1, 3]), "falls");
    assert!(!check(4, &[0, 1, 1, 4], &[2, 1, 0, 3]), "not ascending");
    assert!(!check(4, &[0, 1, 1, 4], &[2, 0, 0, 3]), "twice");
    assert!(!check(4, &[0, 1, 1, 4], &[2, 0, 1, 4]), "no row");
}

#[test]
fn accuracy_is_counted() {
    let hit = |id| Hit { score: 0.0, id };
    let exact = [hit(1), hit(2), hit(3), hit(4), NO_HIT, NO_HIT];
    let other = [hit(3), hit(1), hit(9), hit(4), hit(5), hit(6)];
    assert_eq!(nnn::hits_recall(&exact, &[3, 1], &other, &[3, 3], 3), Ok(0.75));
    assert_eq!(nnn::hits_recall(&exact, &[3, 1], &other, &[1, 0], 3), Ok(0.25));
    assert_eq!(nnn::hits_recall(&exact, &[0, 0], &other, &[1, 0], 3), Ok(1.0));
    assert_eq!(nnn::bias_error(&[1.0, 2.0, 3.0], &[1.0, 1.5, 4.0]).map(|e| (e.mean, e.max)), Ok((0.5, 1.0)));
    assert_eq!(nnn::bias_error(&[], &[]).map(|e| (e.mean, e.max)), Ok((0.0, 0.0)));
}

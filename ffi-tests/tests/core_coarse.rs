//! The coarse index: with all probes the exact functions bit for bit, with few the exact result of what the nearest lists hold; training,
//! lists, partition, errors.

use ffi_tests::data::{CodeRows, Parts, Random, Rows, for_each_isa};
use ffi_tests::reference::dot_f64;
use nnn::{Coarse, Error, Hit, Matrix, Neighbors, Status};

const NO_HIT: Hit = Hit { score: -77.0, id: u32::MAX };

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|x| x.to_bits()).collect()
}

fn hit_bits(hits: &[Hit]) -> Vec<(u32, u32)> {
    hits.iter().map(|hit| (hit.score.to_bits(), hit.id)).collect()
}

/// Rows of one kind in the order of lists.
trait Indexed: Parts {
    fn all(&self) -> Matrix<'_, Self::Element> {
        self.of(0..self.count())
    }
    fn in_order(&self, ids: &[u32]) -> Self;
}

impl Indexed for Rows {
    fn in_order(&self, ids: &[u32]) -> Rows {
        let dim = self.view().dim();
        let stride = dim + 1;
        let mut data = vec![f32::NAN; ids.len() * stride];
        nnn::coarse_gather(&self.view(), ids, &mut data, stride).unwrap();
        Rows::new(ids.len(), dim, stride, |row, column| data[row * stride + column])
    }
}

impl Indexed for CodeRows {
    fn in_order(&self, ids: &[u32]) -> CodeRows {
        let dim = self.view().dim();
        let (mut data, mut scale) = (vec![99; ids.len() * dim], vec![f32::NAN; ids.len()]);
        nnn::coarse_gather_codes(&self.view(), ids, &mut data, dim, &mut scale).unwrap();
        let mut rows = CodeRows::new(ids.len(), dim, dim, |row, column| data[row * dim + column]);
        rows.scale = scale;
        rows
    }
}

/// An index whose lists come from a random assignment: what probing finds does not depend on how good it is.
struct Index<M> {
    centroids: M,
    list_of: Vec<u32>,
    offsets: Vec<u32>,
    ids: Vec<u32>,
    ordered: M,
}

impl<M: Indexed> Index<M> {
    fn random(rows: &M, centroids: M, random: &mut Random) -> Self {
        let lists = centroids.count();
        let list_of: Vec<u32> = (0..rows.count()).map(|_| random.below(lists) as u32).collect();
        let (mut offsets, mut ids) = (vec![9; lists + 1], vec![9; rows.count()]);
        nnn::coarse_lists(&list_of, &mut offsets, &mut ids).unwrap();
        let ordered = rows.in_order(&ids);
        Index { centroids, list_of, offsets, ids, ordered }
    }

    fn view(&self) -> Coarse<'_, M::Element> {
        Coarse::new(self.centroids.all(), &self.offsets, &self.ids).unwrap()
    }

    /// Whether the list holds a row.
    fn holds(&self, list: usize) -> bool {
        self.offsets[list] < self.offsets[list + 1]
    }
}

/// The lists that each row visits, by sorting all of them by scores of the tile, a table of one bank row at a time.
fn visited<M: Indexed>(index: &Index<M>, rows: &M, probes: usize) -> Vec<Vec<usize>> {
    let lists = index.centroids.count();
    let mut scores = vec![vec![0f32; rows.count()]; lists];
    for (list, column) in scores.iter_mut().enumerate() {
        let mut table = Neighbors::init(column, rows.count(), 1).unwrap();
        table.update(&rows.all(), &index.centroids.of(list..list + 1), 0..rows.count(), &mut vec![0; 1 << 16]).unwrap();
    }
    let of_row = |row: usize| {
        let mut visits: Vec<usize> = (0..lists).filter(|list| index.holds(*list)).collect();
        visits.sort_by(|a, b| scores[*b][row].total_cmp(&scores[*a][row]).then(a.cmp(b)));
        visits.truncate(probes);
        visits
    };
    (0..rows.count()).map(of_row).collect()
}

/// A scratch of a random legal size, at a random alignment.
fn scratch<'a>(memory: &'a mut Vec<u8>, [rows, lists, probes, dim]: [usize; 4], random: &mut Random) -> &'a mut [u8] {
    let (least, most) = (nnn::probe_scratch_min(lists, probes, dim), nnn::probe_scratch(rows, lists, probes, dim));
    let bytes = match random.below(3) {
        0 => least,
        1 => most,
        _ => least + random.below(20_000),
    };
    let offset = random.below(64);
    memory.resize(offset + bytes, 0);
    &mut memory[offset..]
}

/// Tables and hits of one problem, against the exact functions over what the lists hold.
fn probing_is_exact_within_the_lists<M: Indexed>(make: impl Fn(&mut Random, usize, usize) -> M) {
    let mut memory = Vec::new();
    for seed in 0..16 {
        let mut random = Random(seed);
        let dim = 1 + random.below(if seed % 5 == 0 { 300 } else { 40 });
        let (rows, bank_rows, lists) = (1 + random.below(70), 1 + random.below(400), 1 + random.below(24));
        let k = 1 + random.below(if seed % 4 == 0 { 60 } else { 9 });
        let (rows, bank, centroids) =
            (make(&mut random, rows, dim), make(&mut random, bank_rows, dim), make(&mut random, lists, dim));
        let index = Index::random(&bank, centroids, &mut random);
        let mut bias: Vec<f32> = (0..bank_rows).map(|_| random.float()).collect();
        let allow: Vec<u64> = (0..bank_rows.div_ceil(64)).map(|_| random.bits() | random.bits()).collect();
        if seed % 3 == 0 {
            bias.fill(0.25); // many ties
        }
        let ordered_bias: Vec<f32> = index.ids.iter().map(|id| bias[*id as usize]).collect();
        let mut ordered_allow = vec![0u64; allow.len()];
        for (at, id) in index.ids.iter().enumerate() {
            ordered_allow[at / 64] |= (allow[*id as usize / 64] >> (id % 64) & 1) << (at % 64);
        }
        let some = 1 + random.below(lists);
        for_each_isa(|isa| {
            for probes in [1, some, lists, lists + 7] {
                let what = format!("{isa:?}, seed {seed}, {probes} of {lists} lists");
                let visits = visited(&index, &rows, probes);
                let count = rows.count();

                let mut table = vec![0f32; count * k];
                let mut neighbors = Neighbors::init(&mut table, count, k).unwrap();
                let pairs = neighbors
                    .probe(
                        &rows.all(),
                        &index.view(),
                        &index.ordered.all(),
                        probes,
                        0..count,
                        scratch(&mut memory, [count, lists, probes, dim], &mut random),
                    )
                    .unwrap();
                let (mut hits, mut found) = (vec![NO_HIT; count * k], vec![9; count]);
                let searched = nnn::search_probed(
                    &rows.all(),
                    &index.view(),
                    &index.ordered.all(),
                    Some(&ordered_bias),
                    Some(&ordered_allow),
                    k,
                    probes,
                    scratch(&mut memory, [count, lists, probes, dim], &mut random),
                    &mut hits,
                    &mut found,
                )
                .unwrap();
                let size = |list: &usize| u64::from(index.offsets[list + 1] - index.offsets[*list]);
                let expected_pairs: u64 = visits.iter().flatten().map(size).sum();
                assert_eq!((pairs, searched), (expected_pairs, expected_pairs), "{what}");

                for (row, lists) in visits.iter().enumerate() {
                    let is_there = |id: &u32| lists.contains(&(index.list_of[*id as usize] as usize));
                    let ids: Vec<u32> = (0..bank_rows as u32).filter(is_there).collect();
                    let mut expected = vec![0f32; k];
                    let mut exact = Neighbors::init(&mut expected, 1, k).unwrap();
                    exact.update(&rows.all(), &bank.in_order(&ids).all(), row..row + 1, &mut vec![0; 1 << 20]).unwrap();
                    assert_eq!(bits(&table[row * k..][..k]), bits(&expected), "{what}, row {row}");

                    let mut allowed = vec![0u64; allow.len()];
                    ids.iter().for_each(|id| allowed[*id as usize / 64] |= 1 << (id % 64));
                    allowed.iter_mut().zip(&allow).for_each(|(to, from)| *to &= from);
                    let (mut best, mut count) = (vec![NO_HIT; k], [9]);
                    let query = rows.of(row..row + 1);
                    nnn::search(
                        &query,
                        &bank.all(),
                        Some(&bias),
                        Some(&allowed),
                        k,
                        0..bank_rows,
                        &mut [0; 20_000],
                        &mut best,
                        &mut count,
                    )
                    .unwrap();
                    assert_eq!(found[row], count[0], "{what}, query {row}");
                    assert_eq!(hit_bits(&hits[row * k..][..k]), hit_bits(&best), "{what}, query {row}");
                }
            }
        });
    }
}

#[test]
fn probing_of_floats_is_exact_within_the_lists() {
    probing_is_exact_within_the_lists(Rows::random);
}

#[test]
fn probing_of_codes_is_exact_within_the_lists() {
    probing_is_exact_within_the_lists(CodeRows::random);
}

/// Ranges of the gallery and of the queries give the bits of one call.
#[test]
fn any_cut_of_the_rows_gives_the_same_bits() {
    let mut random = Random(5);
    let (dim, lists, k, probes) = (19, 11, 4, 3);
    let (rows, bank) = (Rows::random(&mut random, 90, dim), Rows::random(&mut random, 300, dim));
    let index = Index::random(&bank, Rows::random(&mut random, lists, dim), &mut random);
    let mut work = vec![0; nnn::probe_scratch(90, lists, probes, dim)];
    let mut run = |cuts: &[std::ops::Range<usize>]| {
        let (mut table, mut hits, mut found) = (vec![0f32; 90 * k], vec![NO_HIT; 90 * k], vec![9u32; 90]);
        let (coarse, ordered) = (index.view(), index.ordered.view());
        let mut pairs = 0;
        for cut in cuts {
            let own = &mut table[cut.start * k..cut.end * k];
            let mut neighbors = Neighbors::init(own, cut.len(), k).unwrap();
            pairs += neighbors.probe(&rows.view(), &coarse, &ordered, probes, cut.clone(), &mut work).unwrap();
            let (hits, found) = (&mut hits[cut.start * k..], &mut found[cut.start..]);
            let queries = rows.part(cut.clone());
            nnn::search_probed(&queries, &coarse, &ordered, None, None, k, probes, &mut work, hits, found).unwrap();
        }
        (bits(&table), hit_bits(&hits), found, pairs)
    };
    let whole = run(&[0..90]);
    for parts in [2, 7, 90] {
        assert_eq!(run(&random.cuts(90, parts)), whole, "{parts} parts");
    }
}

/// Unit rows around a few directions.
fn clustered(random: &mut Random, rows: usize, dim: usize, clusters: usize) -> Rows {
    let centres = Rows::random(random, clusters, dim);
    let mut data = Rows::new(rows, dim, dim, |row, column| centres.row(row % clusters)[column] + 0.3 * random.float());
    nnn::normalize_in_place(&mut data.data, rows, dim, dim).unwrap();
    data
}

fn train(sample: &Rows, lists: usize, iterations: usize, seed: u64) -> Vec<f32> {
    let mut centroids = vec![9f32; lists * sample.dim];
    let mut scratch = vec![0; nnn::coarse_train_scratch(sample.rows, lists, sample.dim)];
    nnn::coarse_train(&sample.view(), lists, iterations, seed, &mut scratch, &mut centroids).unwrap();
    centroids
}

fn assign(rows: &Rows, centroids: &[f32], scratch: usize) -> Vec<u32> {
    let mut list_of = vec![9; rows.rows];
    let centroids = Matrix::new(centroids, centroids.len() / rows.dim, rows.dim).unwrap();
    nnn::coarse_assign(&rows.view(), &centroids, 0..rows.rows, &mut vec![0; scratch], &mut list_of).unwrap();
    list_of
}

/// Mean of the largest inner product of a row with a centroid: what k-means raises.
fn quality(rows: &Rows, centroids: &[f32]) -> f64 {
    let best = |row| centroids.chunks(rows.dim).map(|centroid| dot_f64(rows.row(row), centroid)).fold(f64::MIN, f64::max);
    (0..rows.rows).map(best).sum::<f64>() / rows.rows as f64
}

#[test]
fn training_is_reproducible_and_never_gets_worse() {
    let mut random = Random(3);
    let sample = clustered(&mut random, 400, 23, 9);
    let mut fused = None;
    for_each_isa(|isa| {
        let mut last = 0.0;
        for iterations in [0, 1, 2, 4, 8] {
            let centroids = train(&sample, 20, iterations, 1);
            for centroid in centroids.chunks(23) {
                assert!((dot_f64(centroid, centroid) - 1.0).abs() < 1e-6, "{isa:?}: a centroid of another length");
            }
            let now = quality(&sample, &centroids);
            assert!(now >= last - 1e-6, "{isa:?}: {now} after {last} with {iterations} iterations");
            last = now;
        }
        let centroids = bits(&train(&sample, 20, 8, 1));
        if isa.has_fma() {
            assert_eq!(*fused.get_or_insert(centroids.clone()), centroids, "{isa:?}");
        }
        assert_ne!(bits(&train(&sample, 20, 8, 2)), centroids, "{isa:?}: another seed");
        assert!(last > 0.9, "{isa:?}: {last}");
    });
}

/// The assignment is the best centroid, the first of equals, with any scratch.
#[test]
fn rows_go_to_the_best_centroid() {
    let mut random = Random(4);
    let rows = Rows::new(150, 5, 5, |_, _| random.below(3) as f32 - 1.0); // exact products, many ties
    let centroids = Rows::new(40, 5, 5, |_, _| random.below(3) as f32 - 1.0);
    for_each_isa(|isa| {
        let small = assign(&rows, &centroids.data, 8192);
        assert_eq!(small, assign(&rows, &centroids.data, 1 << 20), "{isa:?}");
        for (row, list) in small.iter().enumerate() {
            let product = |list: usize| dot_f64(rows.row(row), centroids.row(list));
            let best = (0..40).rev().max_by(|a, b| product(*a).total_cmp(&product(*b))).unwrap();
            assert_eq!(*list as usize, best, "{isa:?}, row {row}");
        }
    });
}

/// Copies of few rows, zero rows, as many lists as rows, one row.
#[test]
fn training_bears_samples_without_clusters() {
    let copies = Rows::new(60, 3, 3, |row, column| f32::from(u8::from(row % 4 == column)));
    for lists in [1, 4, 5, 60] {
        let centroids = train(&copies, lists, 8, 7);
        assert!(centroids.iter().all(|x| x.is_finite()), "{lists} lists");
        // Every direction that is there has a centroid once there are enough of them.
        if lists >= 5 {
            assert!(quality(&copies, &centroids) > 0.749, "{lists} lists"); // a quarter of the rows are zero
        }
    }
    let one = Rows::new(1, 4, 4, |_, column| column as f32);
    let centroid = train(&one, 1, 3, 0);
    assert!((centroid[3] - 3.0 / 14f32.sqrt()).abs() < 1e-6);
    let zero = Rows::new(9, 4, 4, |_, _| 0.0);
    assert_eq!(train(&zero, 3, 3, 0), vec![0.0; 12]);
}

/// An empty list takes over a row, so that each list of the sample has some where there are as many directions.
#[test]
fn empty_lists_are_filled() {
    let mut random = Random(12);
    // One tight cluster that most of the drawn centroids come from, and far away single rows.
    let mut sample = Rows::new(300, 8, 8, |row, column| if row < 280 { f32::from(u8::from(column == 0)) } else { random.float() });
    nnn::normalize_in_place(&mut sample.data, 300, 8, 8).unwrap();
    let centroids = train(&sample, 12, 10, 5);
    let list_of = assign(&sample, &centroids, 1 << 20);
    let used = (0..12).filter(|list| list_of.contains(list)).count();
    assert!(used >= 11, "{used} of 12 lists hold rows"); // the cluster of copies can fill but one
}

#[test]
fn lists_are_a_stable_sort() {
    let mut random = Random(8);
    for (rows, lists) in [(0, 1), (1, 1), (50, 7), (300, 300), (40, 1000)] {
        let list_of: Vec<u32> = (0..rows).map(|_| random.below(lists) as u32).collect();
        let (mut offsets, mut ids) = (vec![7; lists + 1], vec![7; rows]);
        nnn::coarse_lists(&list_of, &mut offsets, &mut ids).unwrap();
        let mut expected: Vec<u32> = (0..rows as u32).collect();
        expected.sort_by_key(|id| list_of[*id as usize]);
        assert_eq!(ids, expected);
        for list in 0..lists {
            let own = &ids[offsets[list] as usize..offsets[list + 1] as usize];
            assert!(own.iter().all(|id| list_of[*id as usize] as usize == list));
        }
    }
}

/// Rows that found fewer than k are averaged over what they found, and counted.
#[test]
fn incomplete_rows_are_averaged_and_counted() {
    let no = f32::NEG_INFINITY;
    let mut memory = [0.5, 0.25, 0.125, 1.0, no, no, 0.75, 0.5, no];
    let table = Neighbors::from_table(&mut memory, 3, 3).unwrap();
    let mut bias = [9f32; 3];
    assert_eq!(table.bias_found(3, 2.0, &mut bias), Ok(2));
    assert_eq!(bias, [(0.875f64 / 3.0 * 2.0) as f32, 2.0, 1.25]);
    assert_eq!(table.bias_found(1, 1.0, &mut bias), Ok(0));
    assert_eq!(bias, [0.5, 1.0, 0.75]);
    assert_eq!(table.bias_found(2, 1.0, &mut bias), Ok(1));
    let refused = |status, argument| Err(Error { status, argument });
    assert_eq!(table.bias_found(4, 1.0, &mut bias), refused(Status::K, "k"));
    assert_eq!(table.bias_found(2, 1.0, &mut bias[..2]), refused(Status::Capacity, "bias"));
    assert_eq!(table.bias_found(2, f32::NAN, &mut bias), refused(Status::Value, "alpha"));
    let mut empty = [no; 2];
    assert_eq!(Neighbors::from_table(&mut empty, 1, 2).unwrap().bias_found(1, 1.0, &mut bias), refused(Status::K, "table"));
}

/// Errors in the documented order; what they refuse is left as it was.
#[test]
fn mistakes_have_their_code() {
    let refused = |status, argument| Error { status, argument };
    let m = Matrix::new(&[1f32, 0.0, 0.0, 1.0], 2, 2).unwrap();
    let nan = Matrix::new(&[1f32, f32::NAN, 0.0, 1.0], 2, 2).unwrap();
    let three = Matrix::new(&[1f32, 0.0, 0.0], 1, 3).unwrap();
    let none = Matrix::new(&[], 0, 2).unwrap();
    let mut scratch = vec![0; 1 << 20];
    let mut out = [7f32; 4];

    let train = |sample, lists, scratch: &mut [u8], out: &mut [f32]| nnn::coarse_train(sample, lists, 1, 0, scratch, out);
    assert_eq!(train(&m, 0, &mut scratch, &mut out), Err(refused(Status::K, "lists")));
    assert_eq!(train(&m, 3, &mut scratch, &mut out), Err(refused(Status::K, "lists")));
    let least = nnn::coarse_train_scratch_min(2, 2, 2);
    assert_eq!(train(&nan, 2, &mut scratch[..least - 1], &mut out), Err(refused(Status::Capacity, "scratch")));
    assert_eq!(train(&nan, 2, &mut scratch[..least], &mut out[..3]), Err(refused(Status::Capacity, "centroids")));
    assert_eq!(train(&nan, 2, &mut scratch[..least], &mut out), Err(refused(Status::Value, "sample")));
    assert_eq!(out, [7.0; 4]);
    assert_eq!(train(&m, 2, &mut scratch[..least], &mut out), Ok(()));

    let mut list_of = [7u32; 2];
    let mut assign = |rows, centroids, range, scratch: &mut [u8]| nnn::coarse_assign(rows, centroids, range, scratch, &mut list_of);
    assert_eq!(assign(&m, &three, 0..2, &mut scratch), Err(refused(Status::Dim, "centroids")));
    assert_eq!(assign(&m, &none, 0..2, &mut scratch), Err(refused(Status::K, "centroids")));
    assert_eq!(assign(&m, &m, 1..3, &mut scratch), Err(refused(Status::Range, "rows")));
    assert_eq!(assign(&nan, &m, 0..2, &mut scratch[..8191]), Err(refused(Status::Capacity, "scratch")));
    assert_eq!(assign(&nan, &m, 0..2, &mut scratch), Err(refused(Status::Value, "rows")));
    assert_eq!(assign(&m, &nan, 0..2, &mut scratch), Err(refused(Status::Value, "centroids")));
    assert_eq!(list_of, [7; 2]);

    assert_eq!(nnn::coarse_lists(&[0, 2], &mut [0; 3], &mut [0; 2]), Err(refused(Status::Range, "list_of")));
    assert_eq!(nnn::coarse_lists(&[], &mut [], &mut []), Err(refused(Status::Capacity, "offsets")));
    assert_eq!(nnn::coarse_lists(&[0, 1], &mut [0; 3], &mut [0; 1]), Err(refused(Status::Capacity, "ids")));
    assert_eq!(nnn::coarse_gather(&m, &[2], &mut out, 2), Err(refused(Status::Range, "ids")));
    assert_eq!(nnn::coarse_gather(&m, &[1], &mut out, 1), Err(refused(Status::Stride, "out")));
    assert_eq!(nnn::coarse_gather(&m, &[1, 0, 1], &mut out, 2), Err(refused(Status::Capacity, "out")));

    let error = |offsets: &[u32], ids: &[u32]| Coarse::new(m, offsets, ids).map(|_| ()).unwrap_err();
    assert_eq!(error(&[0, 1, 1], &[0, 1]), refused(Status::Range, "offsets"), "ids left over");
    assert_eq!(error(&[0, 2, 1], &[0]), refused(Status::Range, "offsets"));
    assert_eq!(error(&[1, 1, 2], &[0, 1]), refused(Status::Range, "offsets"));
    assert_eq!(error(&[0, 2], &[0, 1]), refused(Status::Capacity, "offsets"));

    let coarse = Coarse::new(m, &[0, 1, 2], &[0, 1]).unwrap();
    let (mut hits, mut found) = ([NO_HIT; 2], [9u32; 2]);
    let mut search = |queries: &Matrix<f32>, coarse: &Coarse<f32>, gallery: &Matrix<f32>, k, probes, scratch: &mut [u8]| {
        nnn::search_probed(queries, coarse, gallery, None, None, k, probes, scratch, &mut hits, &mut found).unwrap_err()
    };
    let least = nnn::probe_scratch_min(2, 1, 2);
    assert_eq!(search(&three, &coarse, &m, 1, 1, &mut scratch), refused(Status::Dim, "coarse"));
    assert_eq!(search(&m, &coarse, &three, 0, 1, &mut scratch), refused(Status::Dim, "ordered"));
    assert_eq!(search(&m, &coarse, &none, 0, 1, &mut scratch), refused(Status::K, "k"));
    assert_eq!(search(&m, &coarse, &none, 1, 0, &mut scratch), refused(Status::K, "probes"));
    assert_eq!(search(&m, &coarse, &none, 1, 1, &mut scratch), refused(Status::Range, "ordered"));
    assert_eq!(search(&nan, &coarse, &m, 1, 1, &mut scratch[..least - 1]), refused(Status::Capacity, "scratch"));
    assert_eq!(search(&nan, &coarse, &m, 1, 1, &mut scratch[..least]), refused(Status::Value, "queries"));
    assert_eq!(search(&m, &coarse, &m, 2, 1, &mut scratch), refused(Status::Capacity, "hits"));
    let bad = Coarse::new(nan, &[0, 1, 2], &[0, 1]).unwrap();
    assert_eq!(search(&m, &bad, &m, 1, 1, &mut scratch), refused(Status::Value, "coarse"));
    assert_eq!((hits, found), ([NO_HIT; 2], [9; 2]));

    let mut memory = [7f32; 2];
    let mut table = Neighbors::from_table(&mut memory, 2, 1).unwrap();
    let mut probe = |gallery, bank, probes, rows, scratch: &mut [u8]| table.probe(gallery, &coarse, bank, probes, rows, scratch);
    assert_eq!(probe(&m, &m, 0, 0..2, &mut scratch), Err(refused(Status::K, "probes")));
    assert_eq!(probe(&m, &m, 1, 0..1, &mut scratch), Err(refused(Status::Range, "rows")));
    assert_eq!(probe(&m, &none, 1, 0..2, &mut scratch), Err(refused(Status::Range, "ordered")));
    assert_eq!(probe(&m, &nan, 1, 0..2, &mut scratch[..least - 1]), Err(refused(Status::Capacity, "scratch")));
    assert_eq!(probe(&m, &nan, 1, 0..2, &mut scratch[..least]), Err(refused(Status::Value, "bank")));
    assert_eq!(memory, [7.0; 2]);
}

/// An index of nothing finds nothing; so does a query among none.
#[test]
fn nothing_is_found_in_nothing() {
    let m = Matrix::new(&[1f32, 0.0, 0.0, 1.0], 2, 2).unwrap();
    let none = Matrix::new(&[], 0, 2).unwrap();
    let mut scratch = vec![0; 1 << 16];
    for coarse in [Coarse::new(m, &[0, 0, 0], &[]).unwrap(), Coarse::new(none, &[0], &[]).unwrap()] {
        let (mut hits, mut found) = ([NO_HIT; 2], [9u32; 2]);
        assert_eq!(nnn::search_probed(&m, &coarse, &none, None, None, 1, 3, &mut scratch, &mut hits, &mut found), Ok(0));
        assert_eq!((hits, found), ([NO_HIT; 2], [0; 2]));
        assert_eq!(nnn::search_probed(&none, &coarse, &none, None, None, 1, 3, &mut scratch, &mut hits, &mut found), Ok(0));
        let mut memory = [f32::NEG_INFINITY; 2];
        assert_eq!(Neighbors::init(&mut memory, 2, 1).unwrap().probe(&m, &coarse, &none, 1, 0..2, &mut scratch), Ok(0));
        assert_eq!(memory, [f32::NEG_INFINITY; 2]);
    }
}

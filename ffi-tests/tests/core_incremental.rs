//! Banks and galleries that change: any interleaving of operations gives the bits of a batch run on what is there.

use ffi_tests::data::{Random, for_each_isa};
use nnn::{Element, Hit, Matrix, NO_NEIGHBOR, NeighborIds, Neighbors};

const DIM: usize = 7;
const K: usize = 3;
/// Two neighbours to spare.
const COLUMNS: usize = K + 2;

/// Element types, and how their rows are drawn.
trait Drawn: Element {
    fn draw(random: &mut Random) -> Self;
    fn view<'a>(data: &'a [Self], scale: &'a [f32]) -> Matrix<'a, Self>;
}

impl Drawn for f32 {
    fn draw(random: &mut Random) -> f32 {
        // Half of the values on a coarse grid, for ties.
        if random.below(2) == 0 { random.float() } else { random.small() / 8.0 }
    }

    fn view<'a>(data: &'a [f32], _: &'a [f32]) -> Matrix<'a, f32> {
        Matrix::new(data, data.len() / DIM, DIM).unwrap()
    }
}

impl Drawn for i8 {
    fn draw(random: &mut Random) -> i8 {
        random.code()
    }

    fn view<'a>(data: &'a [i8], scale: &'a [f32]) -> Matrix<'a, i8> {
        Matrix::new(data, data.len() / DIM, DIM).unwrap().with_scale(scale).unwrap()
    }
}

/// Rows that grow and shrink.
#[derive(Clone, Default)]
struct Store<T> {
    data: Vec<T>,
    scale: Vec<f32>,
}

impl<T: Drawn> Store<T> {
    fn rows(&self) -> usize {
        self.scale.len()
    }

    fn view(&self) -> Matrix<'_, T> {
        T::view(&self.data, &self.scale)
    }

    fn add(&mut self, random: &mut Random, rows: usize) {
        self.data.extend((0..rows * DIM).map(|_| T::draw(random)));
        self.scale.extend((0..rows).map(|_| 0.25 * (1 + random.below(4)) as f32));
    }

    fn take(&self, rows: impl IntoIterator<Item = usize>) -> Store<T> {
        let mut part = Store { data: Vec::new(), scale: Vec::new() };
        for i in rows {
            part.data.extend_from_slice(&self.data[i * DIM..][..DIM]);
            part.scale.push(self.scale[i]);
        }
        part
    }

    fn swap_remove(&mut self, i: usize) {
        let last = self.rows() - 1;
        self.data.copy_within(last * DIM.., i * DIM);
        self.data.truncate(last * DIM);
        self.scale.swap_remove(i);
    }
}

struct Live<T> {
    gallery: Store<T>,
    /// All rows that ever were; row j has id j.
    bank: Store<T>,
    live: Vec<u64>,
    table: Vec<Hit>,
    bias: Vec<f32>,
    alpha: f32,
    /// How many rows had to be recomputed.
    recomputed: usize,
}

impl<T: Drawn> Live<T> {
    fn ids(&self) -> Vec<usize> {
        (0..self.bank.rows()).filter(|id| self.live[id / 64] >> (id % 64) & 1 == 1).collect()
    }

    fn table(&mut self) -> NeighborIds<'_> {
        let rows = self.gallery.rows();
        NeighborIds::from_table(&mut self.table, rows, COLUMNS).expect("a sound table")
    }

    /// The table rows of a range of the gallery, anew.
    fn recompute(&mut self, rows: std::ops::Range<usize>) {
        let part = &mut self.table[rows.start * COLUMNS..rows.end * COLUMNS];
        let mut table = NeighborIds::init(part, rows.len(), COLUMNS).unwrap();
        table.update(&self.gallery.view(), &self.bank.view(), Some(&self.live), 0, rows, &mut [0; 4096]).unwrap();
    }

    fn add_bank(&mut self, random: &mut Random, merged: bool) {
        let (first, rows, gallery_rows) = (self.bank.rows(), 1 + random.below(4), self.gallery.rows());
        self.bank.add(random, rows);
        self.live.resize(self.bank.rows().div_ceil(64), 0);
        (first..first + rows).for_each(|id| self.live[id / 64] |= 1 << (id % 64));
        let (gallery, new) = (self.gallery.clone(), self.bank.take(first..first + rows));
        if merged {
            let mut shard = vec![Hit { score: 0.0, id: 0 }; gallery_rows * COLUMNS];
            let mut other = NeighborIds::init(&mut shard, gallery_rows, COLUMNS).unwrap();
            other.update(&gallery.view(), &new.view(), None, first, 0..gallery_rows, &mut [0; 5000]).unwrap();
            self.table().merge(&shard).unwrap();
        } else {
            self.table().update(&gallery.view(), &new.view(), None, first, 0..gallery_rows, &mut [0; 5000]).unwrap();
        }
    }

    fn expire(&mut self, random: &mut Random) {
        let mut ids = self.ids();
        random.shuffle(&mut ids);
        let most = ids.len().saturating_sub(K).min(6);
        for id in ids.into_iter().take(random.below(most + 1)) {
            self.live[id / 64] &= !(1 << (id % 64));
        }
        let (rows, bank_rows, live) = (self.gallery.rows(), self.bank.rows(), self.live.clone());
        let (mut short, mut count) = (vec![u32::MAX; rows], 0);
        self.table().expire(K, &live, bank_rows, &mut short, &mut count).unwrap();
        assert!(short[..count].is_sorted() && short[count..].iter().all(|row| *row == u32::MAX));
        for row in &short[..count] {
            self.recompute(*row as usize..*row as usize + 1);
        }
        self.recomputed += count;
    }

    fn add_gallery(&mut self, random: &mut Random) {
        let (first, rows) = (self.gallery.rows(), 1 + random.below(3));
        self.gallery.add(random, rows);
        self.table.resize((first + rows) * COLUMNS, Hit { score: 0.0, id: 0 });
        self.recompute(first..first + rows);
    }

    fn remove_gallery(&mut self, random: &mut Random) {
        let row = random.below(self.gallery.rows());
        let last = self.gallery.rows() - 1;
        self.gallery.swap_remove(row);
        self.table.copy_within(last * COLUMNS.., row * COLUMNS);
        self.table.truncate(last * COLUMNS);
    }

    /// What is kept has the bits of a batch run.
    fn check(&mut self, what: &str) {
        let (alpha, rows) = (self.alpha, self.gallery.rows());
        let mut kept = vec![0.0; rows];
        self.table().bias(K, alpha, &mut kept).expect(what);

        let (gallery, bank) = (self.gallery.clone(), self.bank.take(self.ids()));
        let mut batch = vec![0.0; rows];
        nnn::bias(&gallery.view(), &bank.view(), K, alpha, 0..rows, &mut [0; 8192], &mut batch).unwrap();
        assert_eq!(bits(&kept), bits(&batch), "{what}");
        self.bias = kept;

        let mut floats = vec![0.0; rows * COLUMNS];
        let mut table = Neighbors::init(&mut floats, rows, COLUMNS).unwrap();
        table.update(&gallery.view(), &bank.view(), 0..rows, &mut [0; 8192]).unwrap();
        for (known, row) in self.table.chunks(COLUMNS).zip(floats.chunks(COLUMNS)) {
            let complete = known.iter().all(|hit| hit.id != NO_NEIGHBOR || hit.score == f32::NEG_INFINITY);
            for (hit, score) in known.iter().zip(row).filter(|(hit, _)| hit.id != NO_NEIGHBOR || complete) {
                assert_eq!(hit.score.to_bits(), score.to_bits(), "{what}: a known neighbour");
                let live = |id: u32| self.live[id as usize / 64] >> (id % 64) & 1 == 1;
                assert!(hit.id == NO_NEIGHBOR || live(hit.id), "{what}: expired");
            }
        }
    }
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|x| x.to_bits()).collect()
}

fn interleave<T: Drawn>(seed: u64, operations: usize) -> usize {
    let mut random = Random(seed);
    let empty = || Store { data: Vec::new(), scale: Vec::new() };
    let (gallery, bank) = (empty(), empty());
    let mut state = Live::<T> { gallery, bank, live: Vec::new(), table: Vec::new(), bias: Vec::new(), alpha: 0.75, recomputed: 0 };
    state.gallery.add(&mut random, 4);
    state.table.resize(4 * COLUMNS, Hit { score: 0.0, id: 0 });
    NeighborIds::init(&mut state.table, 4, COLUMNS).unwrap();
    state.add_bank(&mut random, false);
    state.add_bank(&mut random, false);
    state.add_bank(&mut random, true);
    for step in 0..operations {
        let operation = random.below(6);
        match operation {
            0 => state.add_bank(&mut random, false),
            1 => state.add_bank(&mut random, true),
            2 => state.expire(&mut random),
            3 if state.gallery.rows() < 24 => state.add_gallery(&mut random),
            4 if state.gallery.rows() > 2 => state.remove_gallery(&mut random),
            _ => state.alpha = random.float() * 2.0,
        }
        while state.ids().len() < K {
            state.add_bank(&mut random, false);
        }
        state.check(&format!("seed {seed}, step {step}, operation {operation}"));
        // Banks stay small, so that rows run short often.
        if state.ids().len() > 24 {
            state.expire(&mut random);
        }
    }
    // What is served is the batch's.
    let (rows, query) = (state.gallery.rows(), state.gallery.take([0]));
    let (mut hits, mut found) = (vec![Hit { score: 0.0, id: 0 }; rows], [0]);
    let gallery = state.gallery.view();
    nnn::search(&query.view(), &gallery, Some(&state.bias), None, rows, 0..rows, &mut [], &mut hits, &mut found).unwrap();
    assert_eq!(found, [rows as u32]);
    state.recomputed
}

#[test]
fn any_interleaving_equals_the_batch_f32() {
    for_each_isa(|_| {
        let recomputed: usize = (1..=4).map(|seed| interleave::<f32>(seed, 1000)).sum();
        assert!(recomputed > 100, "rows ran short: {recomputed}");
    });
}

#[test]
fn any_interleaving_equals_the_batch_i8() {
    for_each_isa(|_| {
        let recomputed: usize = (11..=14).map(|seed| interleave::<i8>(seed, 1000)).sum();
        assert!(recomputed > 100, "rows ran short: {recomputed}");
    });
}

/// One row, similarities as given (dim 1), ids from 0.
fn row_of(similarities: &[f32], columns: usize) -> Vec<Hit> {
    let mut table = vec![Hit { score: 0.0, id: 0 }; columns];
    let mut neighbors = NeighborIds::init(&mut table, 1, columns).unwrap();
    let (gallery, bank) = (Matrix::new(&[1.0], 1, 1).unwrap(), Matrix::new(similarities, similarities.len(), 1).unwrap());
    neighbors.update(&gallery, &bank, None, 0, 0..1, &mut [0; 4096]).unwrap();
    table
}

fn hits(list: &[(f32, u32)]) -> Vec<Hit> {
    list.iter().map(|(score, id)| Hit { score: *score, id: *id }).collect()
}

/// The rule of what is known: a floor stays where a successor was dropped, and goes when nobody is left unknown.
#[test]
fn expiry_knows_what_it_does_not_know() {
    const NO: u32 = NO_NEIGHBOR;
    let expire = |table: &mut [Hit], k, live: u64| {
        let (mut short, mut count) = ([9], 9);
        NeighborIds::from_table(table, 1, 3).unwrap().expire(k, &[live], 5, &mut short, &mut count).unwrap();
        (count, short[0])
    };
    let mut table = row_of(&[0.5, 0.75, 0.25, 0.125, 1.0], 3);
    assert_eq!(table, hits(&[(1.0, 4), (0.75, 1), (0.5, 0)]));
    assert_eq!(expire(&mut table, 2, 0b01111), (0, 9), "two are left, and two are asked for");
    assert_eq!(table, hits(&[(0.75, 1), (0.5, 0), (0.5, NO)]), "none of the dropped is above 0.5");

    // A newcomer above the floor is known, one below is lost in the unknown.
    let gallery = Matrix::new(&[1.0f32], 1, 1).unwrap();
    let add = |table: &mut [Hit], x: f32, id| {
        let bank = [x];
        let bank = Matrix::new(&bank, 1, 1).unwrap();
        NeighborIds::from_table(table, 1, 3).unwrap().update(&gallery, &bank, None, id, 0..1, &mut [0; 4096]).unwrap();
    };
    add(&mut table, 0.375, 5);
    assert_eq!(table, hits(&[(0.75, 1), (0.5, 0), (0.5, NO)]));
    let mut other = table.clone();
    add(&mut other, 0.625, 6);
    assert_eq!(other, hits(&[(0.75, 1), (0.625, 6), (0.5, 0)]));

    assert_eq!(expire(&mut table, 2, 0b01101), (1, 0), "one is left of three");
    assert_eq!(table, hits(&[(0.5, 0), (0.5, NO), (0.5, NO)]));
    let error = NeighborIds::from_table(&mut table, 1, 3).unwrap().bias(2, 1.0, &mut [0.0]).unwrap_err();
    assert_eq!(error.status, nnn::Status::K);
    assert_eq!(expire(&mut table, 2, 0b00001), (0, 9), "nobody else is left");
    assert_eq!(table, hits(&[(0.5, 0), (f32::NEG_INFINITY, NO), (f32::NEG_INFINITY, NO)]));
    assert_eq!(expire(&mut table, 1, 0), (0, 9));
    assert_eq!(table, hits(&[(f32::NEG_INFINITY, NO); 3]));
}

#[test]
fn a_merge_keeps_the_higher_floor() {
    const NO: u32 = NO_NEIGHBOR;
    let mut into = hits(&[(0.75, 1), (0.25, 2), (0.25, NO)]);
    let from = hits(&[(1.0, 7), (0.5, NO), (0.5, NO)]);
    NeighborIds::from_table(&mut into, 1, 3).unwrap().merge(&from).unwrap();
    assert_eq!(into, hits(&[(1.0, 7), (0.75, 1), (0.5, NO)]));
}

/// Bits past the last id of the bitmap are not live rows.
#[test]
fn live_rows_are_counted_within_the_ids() {
    let mut table = row_of(&[0.5, 0.75, 0.25], 2);
    let (mut short, mut count) = ([9], 9);
    let live = [!2u64]; // ids 0 and 2 of three
    NeighborIds::from_table(&mut table, 1, 2).unwrap().expire(2, &live, 3, &mut short, &mut count).unwrap();
    assert_eq!((count, table), (1, hits(&[(0.5, 0), (0.5, NO_NEIGHBOR)])), "2 is live and unknown");
    let mut table = row_of(&[0.5, 0.75], 2);
    NeighborIds::from_table(&mut table, 1, 2).unwrap().expire(2, &live, 2, &mut short, &mut count).unwrap();
    assert_eq!((count, table), (0, hits(&[(0.5, 0), (f32::NEG_INFINITY, NO_NEIGHBOR)])), "nobody else is");
}

//! Any cut of the gallery or the bank, worked on in any order, gives the bits of one call: what lets threads, processes and clusters
//! share the work.

use ffi_tests::data::{CodeRows, Parts, Random, Rows, for_each_isa};
use nnn::{Hit, Neighbors};

const NO_HIT: Hit = Hit { score: -77.0, id: u32::MAX };

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|x| x.to_bits()).collect()
}

fn hit_bits(hits: &[Hit]) -> Vec<(u32, u32)> {
    hits.iter().map(|hit| (hit.score.to_bits(), hit.id)).collect()
}

/// A scratch of a random legal size, at a random alignment.
fn scratch<'a>(memory: &'a mut [u8], least: usize, random: &mut Random) -> &'a mut [u8] {
    let offset = random.below(64);
    let most = memory.len() - 64 - least;
    let len = least + if random.below(2) == 0 { random.below(8192).min(most) } else { random.below(most) };
    &mut memory[offset..][..len]
}

fn table<M: Parts>(gallery: &M, bank: &M, k: usize) -> Vec<f32> {
    let mut memory = vec![0f32; gallery.count() * k];
    let mut table = Neighbors::init(&mut memory, gallery.count(), k).unwrap();
    let rows = 0..gallery.count();
    table.update(&gallery.of(rows.clone()), &bank.of(0..bank.count()), rows, &mut vec![0; 1 << 20]).unwrap();
    memory
}

/// Problems of all sizes around the tiles and the strips; the sides of one are rows of the same kind.
fn problems<M>(make: impl Fn(&mut Random, usize, usize) -> M) -> Vec<(M, M, usize, Random)> {
    (0..24)
        .map(|i| {
            let mut random = Random(i);
            let dim = 1 + random.below(if i % 6 == 0 { 700 } else { 70 });
            let (gallery, bank) = (1 + random.below(140), 1 + random.below(if i % 4 == 0 { 1300 } else { 200 }));
            let k = 1 + random.below(if i % 3 == 0 { 100 } else { 12 });
            (make(&mut random, gallery, dim), make(&mut random, bank, dim), k, random)
        })
        .collect()
}

fn tables_of_any_cut<M: Parts>(problems: Vec<(M, M, usize, Random)>) {
    let mut memory = vec![0u8; 1 << 20];
    for (gallery, bank, k, mut random) in problems {
        for_each_isa(|isa| {
            let whole = table(&gallery, &bank, k);
            let (gallery_parts, bank_parts) = (1 + random.below(17), 1 + random.below(17));
            let mut gallery_cuts = random.cuts(gallery.count(), gallery_parts);
            random.shuffle(&mut gallery_cuts);
            let mut assembled = vec![0f32; whole.len()];
            for rows in gallery_cuts {
                let mut bank_cuts = random.cuts(bank.count(), bank_parts);
                random.shuffle(&mut bank_cuts);
                // Some bank shards update the table of others, some are merged into it from tables of their own.
                let mut own = vec![0f32; rows.len() * k];
                let mut sum = Neighbors::init(&mut assembled[rows.start * k..rows.end * k], rows.len(), k).unwrap();
                for shard in bank_cuts {
                    let shard = bank.of(shard);
                    let scratch = scratch(&mut memory, 4096, &mut random);
                    if random.below(2) == 0 {
                        sum.update(&gallery.of(0..gallery.count()), &shard, rows.clone(), scratch).unwrap();
                    } else {
                        let mut part = Neighbors::init(&mut own, rows.len(), k).unwrap();
                        part.update(&gallery.of(rows.clone()), &shard, 0..rows.len(), scratch).unwrap();
                        sum.merge(&own).unwrap();
                    }
                }
            }
            assert_eq!(bits(&assembled), bits(&whole), "{isa:?} k {k}, {gallery_parts} x {bank_parts} parts");
        });
    }
}

#[test]
fn tables_of_any_cut_have_the_same_bits() {
    tables_of_any_cut(problems(Rows::random));
    tables_of_any_cut(problems(CodeRows::random));
}

/// Merging is associative and commutative in every bit: a tree of any shape over shuffled shards.
#[test]
fn tables_merge_in_any_tree() {
    for (gallery, bank, k, mut random) in problems(Rows::random) {
        for_each_isa(|isa| {
            let whole = table(&gallery, &bank, k);
            let parts = 1 + random.below(17);
            let mut tables: Vec<Vec<f32>> = random
                .cuts(bank.count(), parts)
                .into_iter()
                .map(|shard| {
                    let mut memory = vec![0f32; whole.len()];
                    let mut part = Neighbors::init(&mut memory, gallery.rows, k).unwrap();
                    part.update(&gallery.view(), &bank.part(shard), 0..gallery.rows, &mut [0; 16384]).unwrap();
                    memory
                })
                .collect();
            while tables.len() > 1 {
                let from = tables.swap_remove(random.below(tables.len()));
                let into = random.below(tables.len());
                Neighbors::from_table(&mut tables[into], gallery.rows, k).unwrap().merge(&from).unwrap();
            }
            assert_eq!(bits(&tables[0]), bits(&whole), "{isa:?} k {k}, {parts} parts");
        });
    }
}

fn biases_of_any_cut<M: Parts>(problems: Vec<(M, M, usize, Random)>) {
    let mut memory = vec![0u8; 1 << 20];
    for (gallery, bank, k, mut random) in problems {
        let k = k.min(bank.count());
        for_each_isa(|isa| {
            let (all, bank) = (gallery.of(0..gallery.count()), bank.of(0..bank.count()));
            let mut whole = vec![0f32; gallery.count()];
            nnn::bias(&all, &bank, k, 0.75, 0..gallery.count(), &mut vec![0; 1 << 20], &mut whole).unwrap();
            let parts = 1 + random.below(17);
            let mut cuts = random.cuts(gallery.count(), parts);
            random.shuffle(&mut cuts);
            let mut assembled = vec![0f32; gallery.count()];
            for rows in cuts {
                let scratch = scratch(&mut memory, 4096 + 4 * k, &mut random);
                nnn::bias(&all, &bank, k, 0.75, rows.clone(), scratch, &mut assembled[rows]).unwrap();
            }
            assert_eq!(bits(&assembled), bits(&whole), "{isa:?} k {k}, {parts} parts");
            // And one row alone, as when it is added later.
            let row = random.below(gallery.count());
            let mut alone = [0f32];
            nnn::bias(&gallery.of(row..row + 1), &bank, k, 0.75, 0..1, scratch(&mut memory, 4096 + 4 * k, &mut random), &mut alone)
                .unwrap();
            assert_eq!(alone[0].to_bits(), whole[row].to_bits(), "{isa:?} k {k}, row {row} alone");
        });
    }
}

#[test]
fn biases_of_any_cut_have_the_same_bits() {
    biases_of_any_cut(problems(Rows::random));
    biases_of_any_cut(problems(CodeRows::random));
}

/// One call of `bias` is the table's bias of the same k, and the table's of any larger k.
#[test]
fn bias_is_the_prefix_mean_of_any_table() {
    for (gallery, bank, k, mut random) in problems(Rows::random) {
        let k = k.min(bank.rows);
        for_each_isa(|isa| {
            let mut whole = vec![0f32; gallery.rows];
            nnn::bias(&gallery.view(), &bank.view(), k, 1.25, 0..gallery.rows, &mut vec![0; 1 << 20], &mut whole).unwrap();
            let table_k = k + random.below(20);
            let mut memory = table(&gallery, &bank, table_k);
            let mut from_table = vec![0f32; gallery.rows];
            Neighbors::from_table(&mut memory, gallery.rows, table_k).unwrap().bias(k, 1.25, &mut from_table).unwrap();
            assert_eq!(bits(&from_table), bits(&whole), "{isa:?} k {k} of {table_k}");
        });
    }
}

fn searches_of_any_cut<M: Parts>(problems: Vec<(M, M, usize, Random)>) {
    let mut memory = vec![0u8; 1 << 16];
    for (gallery, queries, k, mut random) in problems {
        let rows = gallery.count();
        let queries_used = queries.count().min(40);
        let bias: Vec<f32> = (0..rows).map(|_| random.float()).collect();
        let allow: Vec<u64> = (0..rows.div_ceil(64)).map(|_| random.bits() | random.bits()).collect();
        let allow = (random.below(2) == 0).then_some(&allow[..]);
        let queries = queries.of(0..queries_used);
        for_each_isa(|isa| {
            let all = gallery.of(0..rows);
            let search = |rows, scratch: &mut [u8]| {
                let (mut hits, mut found) = (vec![NO_HIT; queries_used * k], vec![0; queries_used]);
                nnn::search(&queries, &all, Some(&bias), allow, k, rows, scratch, &mut hits, &mut found).unwrap();
                (hits, found)
            };
            let (whole, whole_found) = search(0..rows, &mut [0; 8192]);
            let parts = 1 + random.below(17);
            let mut cuts = random.cuts(rows, parts);
            random.shuffle(&mut cuts);
            let (mut hits, mut found) = (vec![NO_HIT; queries_used * k], vec![0u32; queries_used]);
            for rows in cuts {
                let (part, part_found) = search(rows, scratch(&mut memory, 0, &mut random));
                for (q, len) in found.iter_mut().enumerate() {
                    let part = &part[q * k..][..part_found[q] as usize];
                    nnn::merge_hits(&mut hits[q * k..][..k], len, part, k).unwrap();
                }
            }
            assert_eq!(found, whole_found, "{isa:?} k {k}, {parts} parts");
            assert_eq!(hit_bits(&hits), hit_bits(&whole), "{isa:?} k {k}, {parts} parts");
        });
    }
}

#[test]
fn hits_of_any_cut_have_the_same_bits() {
    searches_of_any_cut(problems(Rows::random));
    searches_of_any_cut(problems(CodeRows::random));
}

/// Queries one by one have the bits they have in a batch, and `scores` the bits of `dot`.
#[test]
fn a_batch_has_the_bits_of_its_members() {
    for (gallery, queries, k, _) in problems(Rows::random) {
        for_each_isa(|isa| {
            let rows = gallery.rows;
            let queries_used = queries.rows.min(40);
            let (mut hits, mut found) = (vec![NO_HIT; queries_used * k], vec![0; queries_used]);
            let batch = queries.part(0..queries_used);
            nnn::search(&batch, &gallery.view(), None, None, k, 0..rows, &mut [0; 8192], &mut hits, &mut found).unwrap();
            let mut scores = vec![0f32; queries_used * rows];
            nnn::scores(&batch, &gallery.view(), 0..rows, &mut scores, rows).unwrap();
            for q in 0..queries_used {
                let (mut one, mut one_found) = (vec![NO_HIT; k], [0]);
                let query = queries.part(q..q + 1);
                nnn::search(&query, &gallery.view(), None, None, k, 0..rows, &mut [], &mut one, &mut one_found).unwrap();
                assert_eq!((hit_bits(&one), one_found[0]), (hit_bits(&hits[q * k..][..k]), found[q]), "{isa:?} query {q}");
                for (r, score) in scores[q * rows..][..rows].iter().enumerate() {
                    assert_eq!(score.to_bits(), nnn::dot(queries.row(q), gallery.row(r)).unwrap().to_bits(), "{isa:?} {q} {r}");
                }
            }
        });
    }
}

//! The neighbour table and the biases made of it: what they hold, what is no neighbour, and what is refused.

use ffi_tests::data::{CodeRows, Random, Rows, for_each_isa};
use ffi_tests::reference::{best_values, chain_bound, chain_dot, dot_f64, row_bias, score_i8};
use nnn::{Error, MAX_DIM, Matrix, Neighbors, Status};

const LEAST: usize = 4096;

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|x| x.to_bits()).collect()
}

fn refused(status: Status, argument: &'static str) -> nnn::Result<()> {
    Err(Error { status, argument })
}

fn table_of(gallery: &Matrix<f32>, bank: &Matrix<f32>, k: usize) -> Vec<f32> {
    let mut memory = vec![7f32; gallery.rows() * k];
    let mut table = Neighbors::init(&mut memory, gallery.rows(), k).unwrap();
    table.update(gallery, bank, 0..gallery.rows(), &mut vec![0; 1 << 18]).unwrap();
    memory
}

/// Real values: the bits of one fused chain per pair where the set has it, the bound elsewhere.
#[test]
fn a_table_holds_the_best_products_of_every_row() {
    let mut random = Random(1);
    for turn in 0..12 {
        let (dim, k) = (1 + random.below(200), 1 + random.below(30));
        let (gallery, bank) = (Rows::random(&mut random, 20, dim), Rows::random(&mut random, 1 + 60 * turn, dim));
        for_each_isa(|isa| {
            let table = table_of(&gallery.view(), &bank.view(), k);
            for (i, got) in table.chunks(k).enumerate() {
                let pairs = (0..bank.rows).map(|j| (gallery.row(i), bank.row(j)));
                if isa.has_fma() {
                    assert_eq!(bits(got), bits(&best_values(pairs.map(|(a, b)| chain_dot(a, b)), k)), "{isa:?} row {i}");
                } else {
                    let worst = pairs.clone().map(|(a, b)| chain_bound(a, b, false)).fold(0.0, f64::max);
                    let best = best_values(pairs.map(|(a, b)| dot_f64(a, b) as f32), k);
                    let close = |a: f32, b: f32| a == b || f64::from((a - b).abs()) <= 2.0 * worst;
                    assert!(got.iter().zip(best).all(|(a, b)| close(*a, b)), "{isa:?} row {i}");
                }
            }
        });
    }
}

#[test]
fn a_table_of_codes_holds_the_best_scaled_products() {
    let mut random = Random(2);
    for _ in 0..12 {
        let (dim, k, rows) = (1 + random.below(300), 1 + random.below(30), 1 + random.below(700));
        let (gallery, bank) = (CodeRows::random(&mut random, 20, dim), CodeRows::random(&mut random, rows, dim));
        for_each_isa(|isa| {
            let mut memory = vec![7f32; 20 * k];
            let mut table = Neighbors::init(&mut memory, 20, k).unwrap();
            table.update(&gallery.view(), &bank.view(), 0..20, &mut vec![0; 1 << 18]).unwrap();
            for (i, got) in memory.chunks(k).enumerate() {
                // The bank row takes the place of the query: its scale comes first.
                let score = |j| score_i8(bank.row(j), bank.scale[j], gallery.row(i), gallery.scale[i]);
                assert_eq!(bits(got), bits(&best_values((0..rows).map(score), k)), "{isa:?} row {i}");
            }
        });
    }
}

/// Every k up to 65,536, whatever way the table keeps its order; in the worst order, too: every bank row beats all before.
#[test]
fn any_k_up_to_65536_works() {
    let mut random = Random(3);
    let random_bank: Vec<f32> = (0..70_000).map(|_| random.small() * 8.0 + random.small()).collect();
    let ascending: Vec<f32> = (0..70_000).map(|i| i as f32 / 4.0).collect();
    let gallery = Matrix::new(&[1f32, -2.0], 2, 1).unwrap();
    let check = |bank: &[f32], k| {
        let table = table_of(&gallery, &Matrix::new(bank, bank.len(), 1).unwrap(), k);
        let expected = [1f32, -2.0].map(|x| best_values(bank.iter().map(|b| x * b), k)).concat();
        assert!(bits(&table) == bits(&expected), "{:?} bank {} k {k}", nnn::Isa::active(), bank.len());
    };
    for values in [&random_bank, &ascending] {
        for_each_isa(|_| {
            for (bank_rows, k) in [(3000, 512), (9000, 4095), (9000, 4096), (9000, 4097), (300, 6000)] {
                check(&values[..bank_rows], k);
            }
        });
        check(&values[..5000], 65_536);
        check(values, 65_536);
    }
    // And in one call, whose scratch holds a table row.
    let bank = Matrix::new(&random_bank, 70_000, 1).unwrap();
    for bytes in [nnn::neighbors_scratch(65_536, 1), LEAST + 4 * 65_536] {
        let mut bias = [0f32; 2];
        nnn::bias(&gallery, &bank, 65_536, 0.75, 0..2, &mut vec![0; bytes], &mut bias).unwrap();
        let expected = [1f32, -2.0].map(|x| row_bias(&best_values(random_bank.iter().map(|b| x * b), 65_536), 65_536, 0.75));
        assert_eq!(bits(&bias), bits(&expected), "scratch {bytes}");
    }
}

#[test]
fn a_table_starts_empty_and_an_empty_bank_adds_nothing() {
    let gallery = Matrix::new(&[1f32, 2.0], 2, 1).unwrap();
    let empty = Matrix::new(&[], 0, 1).unwrap();
    let mut memory = [7f32; 7];
    let mut table = Neighbors::init(&mut memory, 2, 3).unwrap();
    assert_eq!((table.rows(), table.k()), (2, 3));
    table.update(&gallery, &empty, 0..2, &mut [0; LEAST]).unwrap();
    assert_eq!(table.as_slice(), [f32::NEG_INFINITY; 6]);
    assert_eq!(table.bias(1, 1.0, &mut [0.0; 2]), refused(Status::K, "table"));
    assert_eq!(memory[6], 7.0, "memory past the table is not touched");

    let no_rows = Matrix::new(&[], 0, 1).unwrap();
    let mut none = Neighbors::init(&mut [], 0, 3).unwrap();
    none.update(&no_rows, &gallery, 0..0, &mut [0; LEAST]).unwrap();
    none.bias(3, 1.0, &mut []).unwrap();
    none.merge(&[]).unwrap();
    assert_eq!(none.rows(), 0);
}

#[test]
fn a_table_larger_than_the_bank_is_padded_and_filled_later() {
    for_each_isa(|isa| {
        let gallery = Matrix::new(&[1f32], 1, 1).unwrap();
        let mut memory = [0f32; 4];
        let mut table = Neighbors::init(&mut memory, 1, 4).unwrap();
        table.update(&gallery, &Matrix::new(&[3f32, 5.0], 2, 1).unwrap(), 0..1, &mut [0; LEAST]).unwrap();
        assert_eq!(table.as_slice(), [5.0, 3.0, f32::NEG_INFINITY, f32::NEG_INFINITY], "{isa:?}");
        let mut bias = [0f32];
        table.bias(2, 0.5, &mut bias).unwrap();
        assert_eq!(bias, [2.0]);
        assert_eq!(table.bias(3, 0.5, &mut bias), refused(Status::K, "table"));
        table.merge(&[9.0, 4.0, 4.0, f32::NEG_INFINITY]).unwrap();
        assert_eq!(table.as_slice(), [9.0, 5.0, 4.0, 4.0], "{isa:?}");
        table.bias(4, 1.0, &mut bias).unwrap();
        assert_eq!(bias, [5.5]);
    });
}

/// A product beyond f32 is no neighbour, on either side.
#[test]
fn products_that_overflow_are_no_neighbours() {
    const BIG: f32 = 3e38;
    for_each_isa(|isa| {
        let gallery = Matrix::new(&[BIG, -BIG, 1.0], 3, 1).unwrap();
        let bank = Matrix::new(&[BIG, 0.5, -BIG, 0.25], 4, 1).unwrap();
        let no = f32::NEG_INFINITY;
        let table = table_of(&gallery, &bank, 4);
        assert_eq!(table[..4], [BIG * 0.5, BIG * 0.25, no, no], "{isa:?}");
        assert_eq!(table[4..8], [-BIG * 0.25, -BIG * 0.5, no, no], "{isa:?}");
        assert_eq!(table[8..], [BIG, 0.5, 0.25, -BIG], "{isa:?}");

        // The third row has four neighbours, the others two: all or nothing.
        let (scratch, mut out) = (&mut [0u8; LEAST + 64], [7f32; 3]);
        assert_eq!(nnn::bias(&gallery, &bank, 3, 1.0, 0..3, scratch, &mut out), refused(Status::K, "k"), "{isa:?}");
        assert_eq!(out, [7.0; 3], "{isa:?}");
        assert_eq!(nnn::bias(&gallery, &bank, 2, 4.0, 0..3, scratch, &mut out), refused(Status::Value, "alpha"), "{isa:?}");
        assert_eq!(out, [7.0; 3], "{isa:?}");
        nnn::bias(&gallery, &bank, 2, 0.5, 0..3, scratch, &mut out).unwrap();
        let mean = |a: f32, b: f32| ((f64::from(a) + f64::from(b)) / 2.0 * 0.5) as f32;
        assert_eq!(out, [mean(BIG * 0.5, BIG * 0.25), mean(-BIG * 0.25, -BIG * 0.5), mean(BIG, 0.5)], "{isa:?}");
    });
}

/// Codes overflow through their scales only.
#[test]
fn scales_that_overflow_are_no_neighbours() {
    for_each_isa(|isa| {
        let gallery = Matrix::new(&[100i8, 1], 2, 1).unwrap().with_scale(&[1e19, 1.0]).unwrap();
        let bank = Matrix::new(&[100i8, 1, 2], 3, 1).unwrap().with_scale(&[1e20, 1.0, 1.0]).unwrap();
        let mut out = [7f32; 2];
        let scratch = &mut [0; LEAST + 64];
        assert_eq!(nnn::bias(&gallery, &bank, 3, 1.0, 0..2, scratch, &mut out), refused(Status::K, "k"), "{isa:?}");
        assert_eq!(out, [7.0; 2]);
        nnn::bias(&gallery, &bank, 2, 1.0, 0..2, scratch, &mut out).unwrap();
        assert_eq!(out, [(200f32 * 1e19 / 2.0) + (100f32 * 1e19 / 2.0), (100f32 * 1e20 + 2.0) / 2.0], "{isa:?}");
    });
}

#[test]
fn zeros_of_both_signs_are_stored_as_one() {
    for_each_isa(|isa| {
        let gallery = Matrix::new(&[-1e-30f32, 1e-30], 2, 1).unwrap();
        let bank = Matrix::new(&[0f32, -0.0, 1e-30, -1e-30], 4, 1).unwrap();
        assert_eq!(bits(&table_of(&gallery, &bank, 4)), [0; 8], "{isa:?}");
        let mut out = [7f32; 2];
        nnn::bias(&gallery, &bank, 4, -1.0, 0..2, &mut [0; LEAST + 64], &mut out).unwrap();
        assert_eq!(bits(&out), [0; 2], "{isa:?}");
    });
}

/// Only the range and the bank are looked at: what stands in other gallery rows does not matter.
#[test]
fn rows_outside_of_the_range_are_not_looked_at() {
    for_each_isa(|isa| {
        let gallery = Matrix::new(&[f32::NAN, 1.0, 2.0, f32::INFINITY], 4, 1).unwrap();
        let bank = Matrix::new(&[3f32, 4.0], 2, 1).unwrap();
        let mut memory = [0f32; 2];
        let mut table = Neighbors::init(&mut memory, 2, 1).unwrap();
        let scratch = &mut [0; LEAST + 64];
        table.update(&gallery, &bank, 1..3, scratch).unwrap();
        assert_eq!(table.as_slice(), [4.0, 8.0], "{isa:?}");
        assert_eq!(table.update(&gallery, &bank, 0..2, scratch), refused(Status::Value, "gallery"));
        assert_eq!(table.update(&gallery, &bank, 2..4, scratch), refused(Status::Value, "gallery"));
        assert_eq!(table.as_slice(), [4.0, 8.0], "{isa:?}");
        let mut out = [0f32; 2];
        nnn::bias(&gallery, &bank, 2, 1.0, 1..3, scratch, &mut out).unwrap();
        assert_eq!(out, [3.5, 7.0], "{isa:?}");
        nnn::bias(&gallery, &bank, 2, 1.0, 4..4, scratch, &mut out).unwrap();
        assert_eq!(out, [3.5, 7.0], "an empty range writes nothing");
    });
}

/// One value that is not finite anywhere in range or bank is refused before the first write.
#[test]
fn a_value_that_is_no_number_is_refused_from_every_place() {
    for_each_isa(|isa| {
        let mut random = Random(4);
        for dim in [1, 7, 16, 33, 64, 100] {
            let (mut gallery, mut bank) = (Rows::small(&mut random, 3, dim), Rows::small(&mut random, 5, dim));
            let check = |gallery: &Rows, bank: &Rows, argument| {
                let (mut memory, mut out) = ([7f32; 3], [7f32; 3]);
                let mut table = Neighbors::init(&mut memory, 3, 1).unwrap();
                let scratch = &mut [0; LEAST + 64];
                assert_eq!(table.update(&gallery.view(), &bank.view(), 0..3, scratch), refused(Status::Value, argument), "{isa:?}");
                assert_eq!(memory, [f32::NEG_INFINITY; 3]);
                let done = nnn::bias(&gallery.view(), &bank.view(), 1, 1.0, 0..3, scratch, &mut out);
                assert_eq!((done, out), (refused(Status::Value, argument), [7.0; 3]), "{isa:?}");
            };
            for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                for at in 0..dim {
                    let (g, b) = (at % 3 * gallery.stride + at, at % 5 * bank.stride + at);
                    let kept = (gallery.data[g], bank.data[b]);
                    gallery.data[g] = bad;
                    assert_eq!(nnn::find_nonfinite(&gallery.view()), Some((at % 3, at)), "{isa:?}");
                    check(&gallery, &bank, "gallery");
                    gallery.data[g] = kept.0;
                    assert_eq!(nnn::find_nonfinite(&gallery.view()), None, "{isa:?}: gaps between rows hold NaN and do not count");
                    bank.data[b] = bad;
                    check(&gallery, &bank, "bank");
                    bank.data[b] = kept.1;
                }
            }
        }
        let codes = Matrix::new(&[1i8, 2], 2, 1).unwrap();
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let scales = [1.0, bad];
            let scaled = codes.with_scale(&scales).unwrap();
            let (scratch, out) = (&mut [0; LEAST + 64], &mut [7f32; 2]);
            assert_eq!(nnn::bias(&scaled, &codes, 1, 1.0, 0..2, scratch, out), refused(Status::Value, "gallery"), "{isa:?}");
            assert_eq!(nnn::bias(&codes, &scaled, 1, 1.0, 0..2, scratch, out), refused(Status::Value, "bank"), "{isa:?}");
            assert_eq!(nnn::bias(&scaled, &codes, 1, 1.0, 0..1, scratch, out), Ok(()), "{isa:?}: the bad scale is outside");
        }
    });
}

#[test]
fn the_bias_of_a_table_is_summed_in_f64_and_rounded_once() {
    // In f32 the small values would vanish beside the large one, whatever the order.
    let mut memory = [16_777_216f32, 1.0, 1.0, 1.0];
    let table = Neighbors::from_table(&mut memory, 1, 4).unwrap();
    let mut bias = [0f32];
    table.bias(4, 4.0, &mut bias).unwrap();
    assert_eq!(bias, [16_777_220.0]);
    // alpha / k is not formed first: 3 values of 1 have the mean 1.
    let mut memory = [1f32; 3];
    Neighbors::from_table(&mut memory, 1, 3).unwrap().bias(3, 0.1, &mut bias).unwrap();
    assert_eq!(bias, [0.1]);
    let mut random = Random(5);
    let mut values: Vec<f32> = (0..512 * 20).map(|_| random.wide_float()).collect();
    values.chunks_mut(512).for_each(|row| row.sort_by(|a, b| b.total_cmp(a)));
    let expected = values.clone();
    let table = Neighbors::from_table(&mut values, 20, 512).unwrap();
    for (k, alpha) in [(1, 0.75), (16, 0.375), (100, -1.5), (511, 1.0), (512, 0.33)] {
        let mut biases = [0f32; 20];
        table.bias(k, alpha, &mut biases).unwrap();
        let expected: Vec<f32> = expected.chunks(512).map(|row| row_bias(row, k, alpha)).collect();
        assert_eq!(bits(&biases), bits(&expected), "k {k} alpha {alpha}");
    }
}

#[test]
fn tables_that_are_none_are_refused() {
    let no = f32::NEG_INFINITY;
    for (bad, why) in [
        ([1.0, 2.0, 0.0, 0.0], "ascending"),
        ([f32::NAN, 1.0, 0.0, 0.0], "NaN first"),
        ([2.0, f32::NAN, 0.0, 0.0], "NaN later"),
        ([2.0, 1.0, f32::NAN, 0.0], "NaN in the second row"),
        ([f32::INFINITY, 1.0, 0.0, 0.0], "a neighbour at infinity"),
        ([no, 1.0, 0.0, 0.0], "padding before a value"),
    ] {
        assert_eq!(Neighbors::from_table(&mut bad.clone(), 2, 2).map(|_| ()), refused(Status::Value, "table"), "{why}");
        let mut memory = [7f32; 4];
        let mut table = Neighbors::init(&mut memory, 2, 2).unwrap();
        assert_eq!(table.merge(&bad), refused(Status::Value, "from"), "{why}");
        assert_eq!(table.as_slice(), [no; 4], "{why}");
    }
    let mut good = [2.0, 2.0, no, no];
    assert!(Neighbors::from_table(&mut good, 2, 2).is_ok());
    let mut table = Neighbors::from_table(&mut good, 2, 2).unwrap();
    assert_eq!(table.merge(&[1.0; 3]), refused(Status::Range, "from"));
    assert_eq!(table.merge(&[1.0; 6]), refused(Status::Range, "from"));
}

#[test]
fn the_scratch_sizes_are_as_documented() {
    assert_eq!(nnn::neighbors_scratch(1, 1), 1 << 20);
    assert_eq!(nnn::neighbors_scratch(98_304, MAX_DIM), 1 << 20);
    assert_eq!(nnn::neighbors_scratch(98_305, 1), 640 * 1024 + 4 * 98_305);
    assert_eq!(nnn::neighbors_scratch(usize::MAX / 4, 1), usize::MAX);
    assert_eq!(nnn::neighbors_scratch(usize::MAX, 1), usize::MAX);
    let m = Matrix::new(&[1f32, 2.0], 2, 1).unwrap();
    for_each_isa(|isa| {
        let mut memory = [0f32; 2];
        let mut table = Neighbors::init(&mut memory, 2, 1).unwrap();
        assert_eq!(table.update(&m, &m, 0..2, &mut [0; LEAST - 1]), refused(Status::Capacity, "scratch"), "{isa:?}");
        table.update(&m, &m, 0..2, &mut [0; LEAST]).unwrap();
        assert_eq!(table.as_slice(), [2.0, 4.0], "{isa:?}");
        let mut out = [0f32; 2];
        let least = LEAST + 4 * 2;
        assert_eq!(nnn::bias(&m, &m, 2, 1.0, 0..2, &mut vec![0; least - 1], &mut out), refused(Status::Capacity, "scratch"));
        nnn::bias(&m, &m, 2, 1.0, 0..2, &mut vec![0; least], &mut out).unwrap();
        assert_eq!(out, [1.5, 3.0], "{isa:?}");
    });
}

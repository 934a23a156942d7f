//! f32 sums stay within the documented distance of the exact sum, and have the documented bits, on more than 10^5 vectors.

use ffi_tests::data::{Random, Rows, for_each_isa};
use ffi_tests::reference::{canonical_bound, canonical_dot, chain_bound, chain_dot, dot_f64};
use nnn::Neighbors;

/// Pairs of rows per kind.
const PAIRS: usize = 36_000;

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Uniform in [-1, 1).
    Random,
    /// Magnitudes from 2^-20 to 2^20.
    Wide,
    /// Every product is followed by nearly its negative: the sum is far smaller than its terms.
    Cancelling,
}

fn pair(kind: Kind, random: &mut Random) -> (Vec<f32>, Vec<f32>) {
    let dim = match random.below(50) {
        0 => 1 + random.below(3000),
        _ => 1 + random.below(300),
    };
    let mut row = || (0..dim).map(|_| if matches!(kind, Kind::Random) { random.float() } else { random.wide_float() }).collect();
    let (mut a, b): (Vec<f32>, Vec<f32>) = (row(), row());
    if matches!(kind, Kind::Cancelling) {
        for i in (1..dim).step_by(2) {
            // The product of this element undoes that of the one before, but for a rounding.
            a[i] = if b[i] == 0.0 { 0.0 } else { -(a[i - 1] * b[i - 1]) / b[i] };
        }
    }
    (a, b)
}

#[test]
fn sums_are_within_their_bound_and_canonical() {
    let mut random = Random(1);
    let pairs: Vec<_> = [Kind::Random, Kind::Wide, Kind::Cancelling]
        .into_iter()
        .flat_map(|kind| (0..PAIRS).map(move |_| kind))
        .map(|kind| (kind, pair(kind, &mut random)))
        .collect();
    assert!(pairs.len() >= 100_000);
    let expected: Vec<_> =
        pairs.iter().map(|(_, (a, b))| (canonical_dot(a, b), dot_f64(a, b), canonical_bound(a, b, true))).collect();
    let mut cancelled = 0;
    for_each_isa(|isa| {
        for ((kind, (a, b)), (fused, exact, bound)) in pairs.iter().zip(&expected) {
            let got = nnn::dot(a, b).unwrap();
            let bound = if isa.has_fma() { *bound } else { 2.0 * bound };
            let error = (f64::from(got) - exact).abs();
            assert!(error <= bound, "{isa:?} {kind:?} dim {}: {got} for {exact}, error {error:e} > {bound:e}", a.len());
            assert!(
                !isa.has_fma() || got.to_bits() == fused.to_bits(),
                "{isa:?} {kind:?} dim {}: {got:e} is not {fused:e}",
                a.len()
            );
            cancelled += usize::from(matches!(kind, Kind::Cancelling) && error > 1e-3 * exact.abs());
        }
    });
    assert!(cancelled > 1000, "the cancelling vectors do not cancel: only {cancelled} sums lost three digits");
}

#[test]
fn neighbour_sums_are_within_their_bound_and_one_chain() {
    let mut random = Random(2);
    let problems: Vec<_> = (0..60)
        .map(|i| {
            let (rows, dim) = (600, 1 + random.below(if i % 10 == 0 { 2000 } else { 200 }));
            let stride = dim + random.below(3);
            let mut wide = |_, _| if i % 2 == 0 { random.float() } else { random.wide_float() };
            let bank = Rows::new(1, dim, dim, &mut wide);
            let mut gallery = Rows::new(rows, dim, stride, &mut wide);
            if i % 3 == 0 {
                for row in gallery.data.chunks_mut(stride) {
                    for j in (1..dim).step_by(2) {
                        row[j] = if bank.row(0)[j] == 0.0 { 0.0 } else { -(row[j - 1] * bank.row(0)[j - 1]) / bank.row(0)[j] };
                    }
                }
            }
            (gallery, bank)
        })
        .collect();
    for_each_isa(|isa| {
        for (gallery, bank) in &problems {
            // One bank row and k = 1: the table holds the plain products.
            let mut memory = vec![0f32; gallery.rows];
            let mut table = Neighbors::init(&mut memory, gallery.rows, 1).unwrap();
            table.update(&gallery.view(), &bank.view(), 0..gallery.rows, &mut vec![0; 100_000]).unwrap();
            for (i, got) in memory.iter().enumerate() {
                let (row, bank) = (gallery.row(i), bank.row(0));
                let error = (f64::from(*got) - dot_f64(row, bank)).abs();
                let bound = chain_bound(row, bank, isa.has_fma());
                assert!(error <= bound, "{isa:?} dim {}: error {error:e} > {bound:e}", row.len());
                assert!(!isa.has_fma() || *got == chain_dot(row, bank), "{isa:?} dim {}: {got:e} is no chain", row.len());
            }
        }
    });
}

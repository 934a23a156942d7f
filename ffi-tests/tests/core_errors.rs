//! Each wrong argument has its code and names itself; of several, the first in the documented order is reported; nothing is written.
//! (Values that are not finite are in the files of the functions.)

use nnn::Status::{Capacity, Dim, Isa as NoIsa, K, Overflow, Range, Stride};
use nnn::{Error, Hit, Isa, MAX_DIM, Matrix, Neighbors, Status};

const NO_HIT: Hit = Hit { score: -77.0, id: u32::MAX };
const LEAST: usize = 4096;

fn refused<T>(status: Status, argument: &'static str) -> nnn::Result<T> {
    Err(Error { status, argument })
}

fn matrix(data: &[f32], rows: usize, dim: usize) -> Matrix<'_, f32> {
    Matrix::new(data, rows, dim).unwrap()
}

#[test]
fn a_matrix_is_checked_when_it_is_made() {
    let data = [0f32; 12];
    let make = |rows, dim, stride| Matrix::with_stride(&data, rows, dim, stride).map(|m| (m.rows(), m.dim(), m.stride()));
    assert_eq!(make(3, 4, 4), Ok((3, 4, 4)));
    assert_eq!(make(3, 2, 5), Ok((3, 2, 5)), "the last row may end at dim");
    assert_eq!(make(0, 2, 5), Ok((0, 2, 5)));
    assert_eq!(make(3, 0, 4), refused(Dim, "data"));
    assert_eq!(make(0, MAX_DIM + 1, MAX_DIM + 1), refused(Dim, "data"));
    assert_eq!(make(0, MAX_DIM, MAX_DIM), Ok((0, MAX_DIM, MAX_DIM)));
    assert_eq!(make(3, 4, 3), refused(Stride, "data"));
    assert_eq!(make(3, 4, 5), refused(Capacity, "data"));
    assert_eq!(make(4, 4, 4), refused(Capacity, "data"));
    assert_eq!(make(3, 4, usize::MAX), refused(Overflow, "data"));
    assert_eq!(make(usize::MAX, 4, 4), refused(Overflow, "data"));
    assert_eq!(make(2, 4, isize::MAX as usize / 4), refused(Overflow, "data"), "bytes, not elements");
    // In this order: dim, stride, overflow, range, capacity.
    assert_eq!(make(usize::MAX, 0, 0), refused(Dim, "data"));
    assert_eq!(make(usize::MAX, 4, 3), refused(Stride, "data"));
    assert_eq!(Matrix::new(&[0i8; 4], 2, 2).unwrap().with_scale(&[1.0]).map(|_| ()), refused(Capacity, "scale"));
    #[cfg(target_pointer_width = "64")]
    {
        assert_eq!(make(1 << 32, 4, 4), refused(Range, "data"), "ids are 32 bits");
        assert_eq!(make(u32::MAX as usize, 4, 4), refused(Capacity, "data"));
    }
    let rows = Matrix::with_stride(&data, 3, 2, 5).unwrap();
    assert_eq!((rows.row(2), rows.row(3), rows.row(usize::MAX)), (Some(&[0f32; 2][..]), None, None));
}

#[test]
fn dot_needs_two_rows_of_one_legal_dim() {
    let long = vec![0i8; MAX_DIM + 1];
    assert_eq!(nnn::dot(&[1f32], &[1.0, 2.0]), refused(Dim, "b"));
    assert_eq!(nnn::dot::<f32>(&[], &[]), refused(Dim, "a"));
    assert_eq!(nnn::dot::<i8>(&[], &[1]), refused(Dim, "a"));
    assert_eq!(nnn::dot(&long, &long), refused(Dim, "a"));
    assert_eq!(nnn::dot(&long[1..], &long[1..]), Ok(0));
    let (one, two): (&[f32], &[f32]) = (&[1.0], &[1.0, 2.0]);
    for i in 0..4 {
        let mut rows = [one; 4];
        rows[i] = two;
        assert_eq!(nnn::dot4(one, rows), refused(Dim, "rows"), "row {i}");
    }
    assert_eq!(nnn::dot4::<f32>(&[], [&[]; 4]), refused(Dim, "query"));
    assert_eq!(nnn::dot4(&long, [&long[..]; 4]), refused(Dim, "query"));
    assert_eq!(nnn::dot4(&long[1..], [&long[1..]; 4]), Ok([0; 4]));
}

#[test]
fn scores_check_every_argument() {
    let data = [1f32; 12];
    let (queries, gallery, other) = (matrix(&data, 2, 2), matrix(&data, 6, 2), matrix(&data, 4, 3));
    let mut out = [7f32; 12];
    let mut check = |gallery, rows, len: usize, stride, expected| {
        assert_eq!(nnn::scores(&queries, gallery, rows, &mut out[..len], stride), expected);
        assert_eq!(out, [7.0; 12]);
    };
    check(&other, 0..4, 12, 6, refused(Dim, "gallery"));
    check(&gallery, 0..7, 12, 7, refused(Range, "rows"));
    #[allow(clippy::reversed_empty_ranges)]
    check(&gallery, 3..2, 12, 6, refused(Range, "rows"));
    check(&gallery, 7..7, 12, 6, refused(Range, "rows"));
    check(&gallery, 0..6, 12, 5, refused(Stride, "out_stride"));
    check(&gallery, 0..6, 11, 6, refused(Capacity, "out"));
    check(&gallery, 0..6, 12, usize::MAX, refused(Capacity, "out"));
    assert_eq!(nnn::scores(&queries, &gallery, 0..6, &mut out, 6), Ok(()));
    assert_eq!(out, [2.0; 12]);
}

#[test]
fn search_checks_every_argument_in_order() {
    let data = [1f32; 12];
    let (queries, gallery, other) = (matrix(&data, 2, 2), matrix(&data, 6, 2), matrix(&data, 4, 3));
    let (mut hits, mut found) = ([NO_HIT; 4], [9; 2]);
    type Call<'a> = (&'a Matrix<'a, f32>, usize, std::ops::Range<usize>, Option<&'a [f32]>, Option<&'a [u64]>, usize, usize);
    let mut check = |(gallery, k, rows, bias, allow, room, counts): Call, expected| {
        let done = nnn::search(&queries, gallery, bias, allow, k, rows, &mut [], &mut hits[..room], &mut found[..counts]);
        assert_eq!(done, expected);
        assert_eq!((hits, found), ([NO_HIT; 4], [9; 2]));
    };
    let (short, nothing): (&[f32], &[u64]) = (&[0.0; 5], &[]);
    check((&other, 2, 0..4, None, None, 4, 2), refused(Dim, "gallery"));
    check((&gallery, 0, 0..6, None, None, 4, 2), refused(K, "k"));
    check((&gallery, usize::MAX, 0..6, None, None, 4, 2), refused(Overflow, "k"));
    check((&gallery, 2, 0..7, None, None, 4, 2), refused(Range, "rows"));
    check((&gallery, 2, 0..6, Some(short), None, 4, 2), refused(Capacity, "bias"));
    check((&gallery, 2, 0..1, Some(short), None, 4, 2), refused(Capacity, "bias"));
    check((&gallery, 2, 0..6, None, Some(nothing), 4, 2), refused(Capacity, "allow"));
    check((&gallery, 2, 0..6, None, None, 3, 2), refused(Capacity, "hits"));
    check((&gallery, 2, 0..6, None, None, 4, 1), refused(Capacity, "found"));
    // Each first of those that follow it.
    check((&other, 0, 0..9, Some(short), Some(nothing), 3, 1), refused(Dim, "gallery"));
    check((&gallery, 0, 0..9, Some(short), Some(nothing), 3, 1), refused(K, "k"));
    check((&gallery, 2, 0..9, Some(short), Some(nothing), 3, 1), refused(Range, "rows"));
    check((&gallery, 2, 0..6, Some(short), Some(nothing), 3, 1), refused(Capacity, "bias"));
    check((&gallery, 2, 0..6, None, Some(nothing), 3, 1), refused(Capacity, "allow"));
    check((&gallery, 2, 0..6, None, None, 3, 1), refused(Capacity, "hits"));
}

#[test]
fn bias_checks_every_argument_in_order() {
    let data = [1f32; 12];
    let (gallery, bank, other) = (matrix(&data, 2, 2), matrix(&data, 6, 2), matrix(&data, 4, 3));
    let empty = matrix(&[], 0, 2);
    let mut out = [7f32; 2];
    let mut check = |bank, k, alpha, rows, scratch: usize, room, expected| {
        let scratch = &mut vec![0; scratch];
        assert_eq!(nnn::bias(&gallery, bank, k, alpha, rows, scratch, &mut out[..room]), expected);
        assert_eq!(out, [7.0; 2]);
    };
    let enough = LEAST + 64;
    check(&other, 2, 1.0, 0..2, enough, 2, refused(Dim, "bank"));
    check(&bank, 0, 1.0, 0..2, enough, 2, refused(K, "k"));
    check(&bank, 7, 1.0, 0..2, enough, 2, refused(K, "k"));
    check(&empty, 1, 1.0, 0..2, enough, 2, refused(K, "k"));
    check(&bank, 2, 1.0, 0..3, enough, 2, refused(Range, "rows"));
    check(&bank, 2, 1.0, 0..2, LEAST + 7, 2, refused(Capacity, "scratch"));
    check(&bank, 2, 1.0, 0..2, 0, 2, refused(Capacity, "scratch"));
    check(&bank, 2, 1.0, 0..2, enough, 1, refused(Capacity, "out"));
    for alpha in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        check(&bank, 2, alpha, 0..2, enough, 2, refused(Status::Value, "alpha"));
    }
    check(&bank, 2, f32::MAX, 0..2, enough, 2, refused(Status::Value, "alpha"));
    check(&other, 0, f32::NAN, 0..9, 0, 1, refused(Dim, "bank"));
    check(&bank, 0, f32::NAN, 0..9, 0, 1, refused(K, "k"));
    check(&bank, 2, f32::NAN, 0..9, 0, 1, refused(Range, "rows"));
    check(&bank, 2, f32::NAN, 0..2, 0, 1, refused(Capacity, "scratch"));
    check(&bank, 2, f32::NAN, 0..2, enough, 1, refused(Capacity, "out"));
}

#[test]
fn the_neighbour_table_checks_every_argument() {
    let data = [1f32; 12];
    let (gallery, other) = (matrix(&data, 6, 2), matrix(&data, 4, 3));
    let mut memory = [7f32; 4];
    let mut init = |rows, k| Neighbors::init(&mut memory, rows, k).map(|_| ());
    assert_eq!(init(4, 0), refused(K, "k"));
    assert_eq!(init(5, 1), refused(Capacity, "table"));
    assert_eq!(init(usize::MAX, 2), refused(Overflow, "rows"));
    assert_eq!(init(1, isize::MAX as usize / 4 + 1), refused(Overflow, "rows"));
    assert_eq!(memory, [7.0; 4]);

    let mut table = Neighbors::init(&mut memory, 2, 2).unwrap();
    let scratch = &mut [0; LEAST];
    assert_eq!(table.update(&gallery, &other, 0..2, scratch), refused(Dim, "bank"));
    assert_eq!(table.update(&gallery, &gallery, 5..7, scratch), refused(Range, "rows"));
    assert_eq!(table.update(&gallery, &gallery, 0..3, scratch), refused(Range, "rows"), "three rows for a table of two");
    assert_eq!(table.update(&gallery, &gallery, 0..1, scratch), refused(Range, "rows"));
    assert_eq!(table.update(&gallery, &gallery, 0..2, &mut scratch[1..]), refused(Capacity, "scratch"));
    assert_eq!(table.as_slice(), [f32::NEG_INFINITY; 4]);

    table.update(&gallery, &gallery, 4..6, scratch).unwrap();
    let mut out = [7f32; 2];
    assert_eq!(table.bias(0, 1.0, &mut out), refused(K, "k"));
    assert_eq!(table.bias(3, 1.0, &mut out), refused(K, "k"));
    assert_eq!(table.bias(2, 1.0, &mut out[..1]), refused(Capacity, "bias"));
    for alpha in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX] {
        assert_eq!(table.bias(2, alpha, &mut out), refused(Status::Value, "alpha"));
    }
    assert_eq!(out, [7.0; 2]);
}

/// An error says which argument, what is wrong and what to do, in one line.
#[test]
fn errors_explain_themselves() {
    let all = [Status::Null, Dim, K, Range, Stride, Overflow, Status::Align, Status::Alias, Capacity, Status::Value, NoIsa];
    for (i, status) in all.into_iter().enumerate() {
        assert_eq!(status as i32, -1 - i as i32, "codes are never reused");
        let text = Error { status, argument: "gallery" }.to_string();
        assert!(text.starts_with("gallery ") && text.len() > 30 && !text.contains('\n'), "{text}");
        assert!(all[..i].iter().all(|other| other.message() != status.message()));
    }
}

/// The only test of this file that changes the instruction set: no other one looks at bits.
#[test]
fn instruction_sets_can_be_listed_and_forced() {
    let available: Vec<Isa> = Isa::available().collect();
    assert!(available.contains(&Isa::Scalar) && available.contains(&Isa::Portable), "{available:?}");
    for isa in Isa::ALL {
        let before = Isa::active();
        if available.contains(&isa) {
            Isa::select(Some(isa)).unwrap();
            assert_eq!(Isa::active(), isa);
        } else {
            assert_eq!(Isa::select(Some(isa)), refused(NoIsa, "isa"));
            assert_eq!(Isa::active(), before, "the choice stays");
        }
    }
    Isa::select(None).unwrap();
    assert_eq!(Isa::active(), *available.last().unwrap(), "the last listed is the best");
    #[cfg(not(target_arch = "aarch64"))]
    {
        nnn::declare_hwcap(u64::MAX, u64::MAX);
        assert_eq!(Isa::available().collect::<Vec<_>>(), available, "declarations are for AArch64 only");
    }
}

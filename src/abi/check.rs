//! From pointers to slices: facts about the arguments, judged class by class in the documented order of errors.

use super::{MatF32, MatI8};
use crate::matrix::{Element, MAX_DIM, Matrix};
use crate::status::{Error, Result, Status, ensure};
use crate::topk::Hit;
use core::ops::Range;

/// C reports the code only.
const ARGUMENT: &str = "argument";

/// The memory that one argument names.
#[derive(Clone, Copy)]
pub(super) struct Memory {
    address: usize,
    /// [`TOO_LARGE`](Self::TOO_LARGE): no object can be that large.
    bytes: usize,
    align: u8,
    written: bool,
}

impl Memory {
    const TOO_LARGE: usize = usize::MAX;
    const NOTHING: Memory = Memory { address: 0, bytes: 0, align: 1, written: false };

    /// `len` elements that the call reads; `None` is a length that overflowed.
    pub(super) fn read<T>(start: *const T, len: Option<usize>) -> Memory {
        let bytes = len.and_then(|n| n.checked_mul(size_of::<T>())).filter(|&n| n <= isize::MAX as usize);
        Memory { address: start.addr(), bytes: bytes.unwrap_or(Self::TOO_LARGE), align: align_of::<T>() as u8, written: false }
    }

    /// `len` elements that the call writes.
    pub(super) fn write<T>(start: *mut T, len: Option<usize>) -> Memory {
        Memory { written: true, ..Memory::read(start, len) }
    }

    /// As [`read`](Self::read), of an argument that may be absent.
    pub(super) fn read_if_given<T>(start: *const T, len: Option<usize>) -> Memory {
        if start.is_null() { Memory::NOTHING } else { Memory::read(start, len) }
    }

    fn overlaps(&self, other: &Memory) -> bool {
        let starts_before_end = |a: &Memory, b: &Memory| a.address < b.address.saturating_add(b.bytes);
        self.bytes > 0 && other.bytes > 0 && starts_before_end(self, other) && starts_before_end(other, self)
    }
}

/// What holds of the arguments apart from memory, one answer per class of error; `true` is good.
#[derive(Clone, Copy)]
pub(super) struct Facts {
    pub(super) dim: bool,
    pub(super) k: bool,
    pub(super) stride: bool,
    pub(super) range: bool,
    pub(super) capacity: bool,
}

impl Facts {
    pub(super) const GOOD: Facts = Facts { dim: true, k: true, stride: true, range: true, capacity: true };
}

/// The one place that knows the order of errors. `VALUE` comes last and is the core's.
#[cfg_attr(not(all(target_os = "none", target_pointer_width = "32")), inline)]
#[cfg_attr(all(target_os = "none", target_pointer_width = "32"), inline(never))] // one copy in flash
pub(super) fn judge(facts: Facts, memory: &[&[Memory]]) -> Result<()> {
    fn all(memory: &[&[Memory]], test: impl Fn(&Memory) -> bool) -> bool {
        memory.iter().all(|part| part.iter().all(&test))
    }
    ensure(all(memory, |m| m.address != 0 || m.bytes == 0), Status::Null, ARGUMENT)?;
    ensure(facts.dim, Status::Dim, ARGUMENT)?;
    ensure(facts.k, Status::K, ARGUMENT)?;
    ensure(facts.stride, Status::Stride, ARGUMENT)?;
    ensure(all(memory, |m| m.bytes != Memory::TOO_LARGE), Status::Overflow, ARGUMENT)?;
    ensure(facts.range, Status::Range, ARGUMENT)?;
    ensure(all(memory, |m| m.address & (usize::from(m.align) - 1) == 0), Status::Align, ARGUMENT)?;
    ensure(facts.capacity, Status::Capacity, ARGUMENT)?;
    let apart = |out: &Memory| !out.written || all(memory, |other| core::ptr::eq(out, other) || !out.overlaps(other));
    ensure(all(memory, apart), Status::Alias, ARGUMENT)
}

/// A C matrix struct.
pub(super) trait Described: Copy {
    type Element: Element;
    fn data(&self) -> *const Self::Element;
    /// NULL where the type has no scales.
    fn scale(&self) -> *const f32;
    /// Rows, dim, stride.
    fn shape(&self) -> [usize; 3];
    fn with_scale<'a>(matrix: Matrix<'a, Self::Element>, scale: &'a [f32]) -> Result<Matrix<'a, Self::Element>>;
}

impl Described for MatF32 {
    type Element = f32;

    fn data(&self) -> *const f32 {
        self.data
    }

    fn scale(&self) -> *const f32 {
        core::ptr::null()
    }

    fn shape(&self) -> [usize; 3] {
        [self.rows, self.dim, self.stride]
    }

    fn with_scale<'a>(matrix: Matrix<'a, f32>, _: &'a [f32]) -> Result<Matrix<'a, f32>> {
        Ok(matrix)
    }
}

impl Described for MatI8 {
    type Element = i8;

    fn data(&self) -> *const i8 {
        self.data
    }

    fn scale(&self) -> *const f32 {
        self.scale
    }

    fn shape(&self) -> [usize; 3] {
        [self.rows, self.dim, self.stride]
    }

    fn with_scale<'a>(matrix: Matrix<'a, i8>, scale: &'a [f32]) -> Result<Matrix<'a, i8>> {
        matrix.with_scale(scale)
    }
}

/// A matrix argument before it is judged: the struct's content and the memory it names.
pub(super) struct View<M> {
    mat: M,
    pub(super) rows: usize,
    pub(super) dim: usize,
    pub(super) stride: usize,
    /// The struct, the elements, the scales.
    pub(super) memory: [Memory; 3],
}

impl<M: Described> View<M> {
    /// Reads the struct, which may be misaligned (that is judged later); NULL is the first class of errors.
    ///
    /// # Safety
    /// `mat` is NULL or valid for reads of an `M`.
    #[inline(always)] // a copy of a view costs more code than making one
    pub(super) unsafe fn load(mat: *const M) -> Result<View<M>> {
        ensure(!mat.is_null(), Status::Null, ARGUMENT)?;
        let argument = Memory::read(mat, Some(1));
        // SAFETY: not NULL, so readable by this function's contract.
        let mat = unsafe { mat.read_unaligned() };
        let [rows, dim, stride] = mat.shape();
        let data = Memory::read(mat.data(), span(rows, dim, stride));
        let scale = Memory::read_if_given(mat.scale(), Some(rows));
        Ok(View { mat, rows, dim, stride, memory: [argument, data, scale] })
    }

    pub(super) fn data(&self) -> *const M::Element {
        self.mat.data()
    }

    pub(super) fn dim_fits(&self) -> bool {
        self.dim != 0 && self.dim <= MAX_DIM
    }

    pub(super) fn stride_fits(&self) -> bool {
        self.stride >= self.dim
    }

    pub(super) fn rows_fit(&self) -> bool {
        rows_fit(self.rows)
    }

    /// Whether the rows `first..first + count` exist.
    pub(super) fn holds(&self, first: usize, count: usize) -> bool {
        first <= self.rows && count <= self.rows - first
    }

    /// The matrix; its memory outlives the call, which is all that `'a` is used for.
    ///
    /// # Safety
    /// [`judge`] accepted the view's facts and memory, and the caller of the C function keeps its promise that the memory it names
    /// is readable for the duration of the call.
    pub(super) unsafe fn matrix<'a>(&self) -> Result<Matrix<'a, M::Element>> {
        let len = span(self.rows, self.dim, self.stride).unwrap_or(0);
        // SAFETY: by this function's contract `len` elements from `data` on, and one scale per row where given, are readable.
        let (data, scale) = unsafe { (input(self.mat.data(), len), input_if_given(self.mat.scale(), self.rows)) };
        let matrix = Matrix::with_stride(data, self.rows, self.dim, self.stride)?;
        match scale {
            Some(scale) => M::with_scale(matrix, scale),
            None => Ok(matrix),
        }
    }
}

/// The matrix of an argument (never `None`). A function of its own: its stack is free again when the work begins.
///
/// # Safety
/// As [`View::matrix`]; `mat` was judged.
#[inline(never)]
pub(super) unsafe fn judged<'a, M: Described>(mat: *const M) -> Option<Matrix<'a, M::Element>> {
    // SAFETY: this function's contract.
    unsafe { View::load(mat).ok()?.matrix().ok() }
}

/// Facts that hold of two matrices with a common dim.
pub(super) fn pair<A: Described, B: Described>(a: &View<A>, b: &View<B>) -> Facts {
    Facts {
        dim: a.dim_fits() && b.dim_fits() && a.dim == b.dim,
        stride: a.stride_fits() && b.stride_fits(),
        range: a.rows_fit() && b.rows_fit(),
        ..Facts::GOOD
    }
}

pub(super) fn rows_fit(rows: usize) -> bool {
    u32::try_from(rows).is_ok()
}

/// Elements from the first to the last of strided rows; `None` when that overflows.
pub(super) fn span(rows: usize, dim: usize, stride: usize) -> Option<usize> {
    match rows.checked_sub(1) {
        None => Some(0),
        Some(steps) => steps.checked_mul(stride)?.checked_add(dim),
    }
}

/// A judged row range.
pub(super) fn range(first: usize, count: usize) -> Range<usize> {
    first..first.saturating_add(count)
}

/// # Safety
/// `len` is 0, or `start` is aligned and `len` elements are readable and not written for the duration of the call.
pub(super) unsafe fn input<'a, T>(start: *const T, len: usize) -> &'a [T] {
    if len == 0 {
        return &[];
    }
    // SAFETY: this function's contract; `judge` refused lengths above `isize::MAX` bytes.
    unsafe { core::slice::from_raw_parts(start, len) }
}

/// # Safety
/// As [`input`], where `start` is not NULL.
pub(super) unsafe fn input_if_given<'a, T>(start: *const T, len: usize) -> Option<&'a [T]> {
    // SAFETY: this function's contract.
    (!start.is_null()).then(|| unsafe { input(start, len) })
}

/// # Safety
/// `len` is 0, or `start` is aligned and `len` elements are writable, hold any bytes that are a `T`, and overlap nothing else that
/// the call uses.
pub(super) unsafe fn output<'a, T>(start: *mut T, len: usize) -> &'a mut [T] {
    if len == 0 {
        return &mut [];
    }
    // SAFETY: this function's contract; `judge` refused lengths above `isize::MAX` bytes and overlaps.
    unsafe { core::slice::from_raw_parts_mut(start, len) }
}

/// The lists of hits of a search as arguments: k apart, with how many each has.
#[derive(Clone, Copy)]
pub(super) struct Lists {
    pub(super) hits: *const Hit,
    pub(super) found: *const u32,
    pub(super) queries: usize,
    pub(super) k: usize,
}

impl Lists {
    /// What holds of them when the first `n` hits of each are taken.
    pub(super) fn facts(&self, n: usize) -> Facts {
        Facts { k: n > 0 && n <= self.k, range: rows_fit(self.queries), ..Facts::GOOD }
    }

    pub(super) fn memory(&self) -> [Memory; 2] {
        [Memory::read(self.hits, self.queries.checked_mul(self.k)), Memory::read(self.found, Some(self.queries))]
    }

    /// # Safety
    /// [`judge`] accepted the memory.
    pub(super) unsafe fn slices<'a>(&self) -> (&'a [Hit], &'a [u32]) {
        // SAFETY: this function's contract.
        unsafe { (input(self.hits, self.queries.saturating_mul(self.k)), input(self.found, self.queries)) }
    }
}

/// Candidates of one query and where the k best of them go, as arguments.
#[derive(Clone, Copy)]
pub(super) struct Reranked {
    pub(super) candidates: *const Hit,
    pub(super) len: usize,
    pub(super) k: usize,
    pub(super) hits: *mut Hit,
    pub(super) found: *mut u32,
}

impl Reranked {
    /// What holds of them beside a gallery of so many rows.
    pub(super) fn facts(&self, rows: usize) -> Facts {
        Facts { k: self.k > 0, range: rows_fit(self.len) && rows_fit(rows), ..Facts::GOOD }
    }

    pub(super) fn memory(&self) -> [Memory; 3] {
        let room = Some(self.k.min(self.len));
        [Memory::read(self.candidates, Some(self.len)), Memory::write(self.hits, room), Memory::write(self.found, Some(1))]
    }

    /// The candidates, room for the hits, and their number.
    ///
    /// # Safety
    /// [`judge`] accepted the memory.
    pub(super) unsafe fn slices<'a>(&self) -> (&'a [Hit], &'a mut [Hit], &'a mut u32) {
        // SAFETY: this function's contract; `found` is not NULL, aligned and apart from the rest.
        unsafe { (input(self.candidates, self.len), output(self.hits, self.k.min(self.len)), &mut *self.found) }
    }
}

/// The error of a check that only a later step can make.
pub(super) fn refused(status: Status) -> Error {
    Error { status, argument: ARGUMENT }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    const ORDER: [Status; 9] = [
        Status::Null,
        Status::Dim,
        Status::K,
        Status::Stride,
        Status::Overflow,
        Status::Range,
        Status::Align,
        Status::Capacity,
        Status::Alias,
    ];

    /// Every combination of faults reports the first of them.
    #[test]
    fn errors_come_in_the_documented_order() {
        let floats = [0f32; 4];
        let start = floats.as_ptr();
        for faults in 0..1u32 << ORDER.len() {
            let good = |status: Status| !ORDER.iter().enumerate().any(|(i, s)| *s == status && faults >> i & 1 == 1);
            let memory = |status, bad: Memory| if good(status) { Memory::read(start, Some(4)) } else { bad };
            let arguments = [
                memory(Status::Null, Memory::read(core::ptr::null::<f32>(), Some(1))),
                memory(Status::Overflow, Memory::read(start, None)),
                memory(Status::Align, Memory::read(start.wrapping_byte_add(1), Some(1))),
                memory(Status::Alias, Memory::write(start.cast_mut(), Some(1))),
            ];
            let facts = Facts {
                dim: good(Status::Dim),
                k: good(Status::K),
                stride: good(Status::Stride),
                range: good(Status::Range),
                capacity: good(Status::Capacity),
            };
            let first = ORDER.iter().copied().find(|status| !good(*status));
            let (head, tail) = arguments.split_at(2);
            assert_eq!(judge(facts, &[head, tail]).err().map(|e| e.status), first, "faults {faults:b}");
        }
    }

    #[test]
    fn overlap_is_a_shared_byte() {
        let at = |address: usize, bytes: usize| Memory { address, bytes, align: 1, written: false };
        for (a, a_len) in (0..6).flat_map(|a| (0..4).map(move |len| (a, len))) {
            for (b, b_len) in (0..6).flat_map(|b| (0..4).map(move |len| (b, len))) {
                let shared: Vec<usize> = (a..a + a_len).filter(|byte| (b..b + b_len).contains(byte)).collect();
                assert_eq!(at(a, a_len).overlaps(&at(b, b_len)), !shared.is_empty(), "{a}+{a_len} {b}+{b_len}");
            }
        }
        assert!(at(usize::MAX - 3, 8).overlaps(&at(usize::MAX - 1, 1)), "a block past the end of the address space");
    }

    #[test]
    fn sizes_that_do_not_fit_are_none() {
        assert_eq!(span(0, usize::MAX, usize::MAX), Some(0));
        assert_eq!(span(3, 4, 5), Some(14));
        assert_eq!(span(2, 2, usize::MAX - 1), None);
        assert_eq!(span(3, 1, usize::MAX / 2 + 1), None);
        assert_eq!(Memory::read(core::ptr::null::<f32>(), Some(isize::MAX as usize / 4)).bytes, isize::MAX as usize / 4 * 4);
        assert_eq!(Memory::read(core::ptr::null::<f32>(), Some(isize::MAX as usize / 4 + 1)).bytes, Memory::TOO_LARGE);
        assert_eq!(Memory::read(core::ptr::null::<f32>(), Some(usize::MAX)).bytes, Memory::TOO_LARGE);
    }
}

//! Copies of rows as words: the bank packed into panels, the gallery group copied row by row.

use crate::simd::{Transpose, WordLayout, Words};

/// One panel to write: `width` bank rows side by side.
#[derive(Clone, Copy)]
pub(super) struct PanelJob<T> {
    pub rows: *const T,
    pub row_stride: usize,
    /// Bank rows there are; the columns of the others are zero.
    pub count: usize,
    pub width: usize,
    /// Steps to write for each row, from whose start `rows` points to the first element. Every word is whole: words that
    /// reach past the end of a row are written by the caller.
    pub steps: usize,
    pub panel: *mut u32,
}

/// Writes the whole vectors of a panel: `W` rows x `W` steps at a time. Returns the steps done, a multiple of `W`.
///
/// # Safety
/// As [`TileLanes`](crate::simd::TileLanes); each of the `count` rows is valid for `steps` words, the panel for `steps * width`
/// words, and `width` is a multiple of `W`.
#[inline(always)]
pub(super) unsafe fn panel<L: Transpose<W>, const W: usize>(job: PanelJob<L::Element>) -> usize {
    let steps = job.steps / W * W;
    let mut step = 0;
    while step < steps {
        let mut column = 0;
        while column < job.width {
            // SAFETY: rows below `count` have `steps` words, and `W` of them start at word `step`; the panel holds row `step + i`.
            unsafe {
                let rows: [L::V; W] = core::array::from_fn(|i| {
                    if column + i < job.count {
                        L::load_row_words(job.rows.add((column + i) * job.row_stride + step / W * L::ELEMENTS))
                    } else {
                        L::V::zero()
                    }
                });
                for (i, words) in L::transpose(rows).into_iter().enumerate() {
                    let (unit, part) = (i / L::DEPTH * L::DEPTH, i % L::DEPTH);
                    L::V::store(job.panel.add((step + unit) * job.width + column * L::DEPTH + part * W), words);
                }
            }
            column += W;
        }
        step += W;
    }
    steps
}

/// Copies the elements of a row as words.
#[inline(always)]
pub(super) fn copy_f32(row: &[f32], words: &mut [u32]) {
    for (word, x) in words.iter_mut().zip(row) {
        *word = x.to_bits();
    }
    if let Some(rest) = words.get_mut(row.len()..) {
        rest.fill(0);
    }
}

/// Copies the codes of a row as words of the gallery side; past the row with zero codes.
#[inline(always)]
pub(super) fn copy_codes(layout: WordLayout, row: &[i8], words: &mut [u32]) {
    match layout {
        WordLayout::Wide2 => fill_words::<2>(row, words, pair_word),
        WordLayout::Signed4 => fill_words::<4>(row, words, quad_word),
        WordLayout::Offset4 => fill_words::<4>(row, words, |codes| quad_word(codes) ^ 0x8080_8080),
    }
}

/// The word of two codes, widened.
pub(super) fn pair_word([a, b]: [i8; 2]) -> u32 {
    i32::from(a) as u32 & 0xFFFF | (i32::from(b) as u32) << 16
}

/// The word of four codes: byte `i` of memory is code `i` on every byte order, as the tiles load it.
pub(super) fn quad_word(codes: [i8; 4]) -> u32 {
    u32::from_ne_bytes(codes.map(|code| code as u8))
}

#[inline(always)]
fn fill_words<const N: usize>(row: &[i8], words: &mut [u32], word: impl Fn([i8; N]) -> u32) {
    let (whole, rest) = row.as_chunks::<N>();
    for (slot, codes) in words.iter_mut().zip(whole) {
        *slot = word(*codes);
    }
    let mut last = [0i8; N];
    for (slot, code) in last.iter_mut().zip(rest) {
        *slot = *code;
    }
    for (i, slot) in words.iter_mut().skip(whole.len()).enumerate() {
        *slot = if i == 0 { word(last) } else { word([0; N]) };
    }
}

//! Blocks of gallery rows that all queries of a call pass over before the next: read from memory once, and in a few long streams.
#![forbid(unsafe_code)]

use crate::kernel::{STRIP, Span};

/// What a block takes: a small part of a common second cache level, in which the next block arrives while this one is in use.
const BLOCK_BYTES: usize = 128 * 1024;

/// Most rows of a block, and fewest.
pub(crate) const BLOCK_ROWS: usize = 256;
const BLOCK_ROWS_MIN: usize = 8;

/// Rows of a block of rows of that many bytes, at most `most`: a power of two, so that blocks and words of a bitmap fit each other.
pub(crate) fn block_rows(row_bytes: usize, most: usize) -> usize {
    let wanted = (BLOCK_BYTES / row_bytes.max(1)).min(most).clamp(BLOCK_ROWS_MIN, BLOCK_ROWS);
    1 << wanted.ilog2()
}

/// The blocks of a range that hold an allowed row. They start at multiples of their size.
pub(crate) fn blocks(span: Span, rows: usize, allow: Option<&[u64]>) -> impl Iterator<Item = Span> {
    pieces(span, rows).filter(move |block| strips(*block, allow).next().is_some())
}

/// Gallery rows that share a word of the allow bitmap: at most [`STRIP`].
pub(crate) struct Strip {
    pub rows: Span,
    /// Bit `i` allows row `rows.first + i`.
    pub allowed: u64,
}

/// Which of the rows, all of one word of the bitmap, are allowed.
pub(crate) fn allowed(rows: Span, allow: Option<&[u64]>) -> u64 {
    match allow {
        Some(words) => {
            words.get(rows.first / 64).map_or(0, |word| word >> (rows.first % 64) & u64::MAX >> (64 - rows.count.clamp(1, 64)))
        }
        None => u64::MAX,
    }
}

/// The strips of a span that hold an allowed row.
pub(crate) fn strips(span: Span, allow: Option<&[u64]>) -> impl Iterator<Item = Strip> {
    pieces(span, STRIP).map(move |rows| Strip { rows, allowed: allowed(rows, allow) }).filter(|strip| strip.allowed != 0)
}

/// A span cut at the multiples of a power of two.
fn pieces(span: Span, size: usize) -> impl Iterator<Item = Span> {
    let (mut first, end) = (span.first, span.first + span.count);
    core::iter::from_fn(move || {
        (first < end).then(|| {
            let piece = Span::new(first, (size - (first & (size - 1))).min(end - first));
            first += piece.count;
            piece
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn blocks_cover_a_range_once_and_fit_the_bitmap() {
        for rows in [8, 16, 64, 256] {
            for (first, count) in [(0, 0), (0, 1), (0, 1000), (3, 5), (63, 2), (100, 700), (255, 258), (256, 256)] {
                let span = Span::new(first, count);
                let all: Vec<Span> = blocks(span, rows, None).collect();
                let strips: Vec<Strip> = all.iter().flat_map(|block| strips(*block, None)).collect();
                let mut at = first;
                for block in &all {
                    assert_eq!(block.first, at);
                    assert!(block.count > 0 && block.first / rows == (block.first + block.count - 1) / rows);
                    at += block.count;
                }
                assert_eq!(at, first + count);
                at = first;
                for Strip { rows, .. } in strips {
                    assert_eq!(rows.first, at);
                    assert!(rows.count > 0 && rows.first / STRIP == (rows.first + rows.count - 1) / STRIP);
                    at += rows.count;
                }
                assert_eq!(at, first + count);
            }
        }
    }

    #[test]
    fn what_no_bit_allows_is_left_out() {
        let mut allow = [0u64; 16];
        for row in [5usize, 63, 64, 700] {
            allow[row / 64] |= 1 << (row % 64);
        }
        for rows in [8, 64, 256] {
            for (first, count) in [(0, 1000), (0, 5), (6, 57), (6, 58), (64, 1), (65, 635), (65, 636), (701, 299)] {
                let found: Vec<usize> = blocks(Span::new(first, count), rows, Some(&allow))
                    .flat_map(|block| strips(block, Some(&allow)))
                    .flat_map(|strip| crate::topk::bits(strip.allowed).map(move |at| strip.rows.first + at))
                    .collect();
                let expected: Vec<usize> = [5, 63, 64, 700].into_iter().filter(|r| (first..first + count).contains(r)).collect();
                assert_eq!(found, expected, "blocks of {rows}, rows {first} + {count}");
                for block in blocks(Span::new(first, count), rows, Some(&allow)) {
                    assert!(expected.iter().any(|r| (block.first..block.first + block.count).contains(r)));
                }
            }
        }
    }

    #[test]
    fn a_block_is_a_power_of_two_of_rows() {
        for (bytes, most, rows) in
            [(2048, 256, 64), (512, 256, 256), (1, 256, 256), (6144, 256, 16), (1 << 20, 256, 8), (512, 64, 64)]
        {
            assert_eq!(block_rows(bytes, most), rows, "{bytes} bytes a row");
        }
    }
}

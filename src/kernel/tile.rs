//! The outer-product tile: `MR` gallery rows x `NV` vectors of bank rows, one lane = one pair.
//!
//! ```text
//! panel   [step][NV * LANES] words     the bank, packed: word `step` of every bank row of the panel side by side
//! a       [MR][A_STRIDE]     words     the gallery group, rows copied one after the other
//! c       [MR][...]          words     sums
//!
//! for each step:  b[v] = panel[step][v];   for each row r:  c[r][v] += splat(a[r][step]) * b[v]
//! ```
//! Where an instruction multiplies `SIDE` x `SIDE` rows, `SIDE` steps are one, `SIDE` words of a row lie side by side in the panel,
//! and `a` holds `SIDE` rows in the place of one and the next, `SIDE` words of each in turn.
//!
//! Each pair is one chain of fused multiply-adds in index order, whatever the tile's shape, so every shape gives the same bits.
//! The sums of a block of bank rows end in `c`, which stays in the first cache level.
#![allow(clippy::needless_range_loop)] // the index names a register of a grid, in step with that of its neighbour

use crate::simd::{TileLanes, Transpose, prefetch};

/// Words from one copied gallery row to the next: 512 words of depth, and a cache line so that rows do not fall on the same sets.
/// A constant, so that all rows of the group are reached from one register.
pub(super) const A_STRIDE: usize = DEPTH_BLOCK + 16;

/// Words of depth that one run of the tile takes at most.
pub(super) const DEPTH_BLOCK: usize = 512;

/// One gallery group against all panels of a bank block.
#[derive(Clone, Copy)]
pub(super) struct TileJob {
    /// `rows` copied gallery rows, `A_STRIDE` apart, `SIDE` together; past the last row it stands there again.
    pub a: *const u32,
    pub rows: usize,
    /// Words of depth in this run: a multiple of `SIDE`.
    pub steps: usize,
    /// First panel, already advanced to the first step of this run.
    pub panels: *const u32,
    pub panel_count: usize,
    /// Words from panel to panel.
    pub panel_stride: usize,
    /// What the sums start from; row `r` at `init + r * init_stride`.
    pub init: *const u32,
    pub init_stride: usize,
    /// Where the sums go; row `r` at `c + r * c_stride`, panel after panel.
    pub c: *mut u32,
    pub c_stride: usize,
    /// Memory that will be copied next: fetched a little with every panel, so that the copy does not wait for it.
    pub next: *const u8,
    pub next_bytes: usize,
}

/// Runs a job with the largest tiles that fit its rows; the largest has `MR` times `SIDE`.
///
/// # Safety
/// As [`TileLanes`]; all memory that the job names is valid: `a` for `rows` rows of `steps` words (rounded up to whole `SIDE`s), each
/// panel for `steps` words of its `NV * LANES / SIDE` bank rows, `init` and `c` for `rows` rows of a word for each bank row of
/// `panel_count` panels. `init` and `c` may be the same.
#[inline(always)]
pub(super) unsafe fn group<L: TileLanes, const MR: usize, const NV: usize>(job: TileJob) {
    let mut row = 0;
    while row < job.rows {
        let left = job.rows - row;
        // SAFETY: the tile has at most `left` rows, so all its rows are rows of the job. Or it has one more, which then takes the
        // place of the last row, both in `init` and in `c`, and stands beside it in `a`.
        unsafe {
            let part = TileJob {
                a: job.a.add(row * A_STRIDE),
                init: job.init.add(row * job.init_stride),
                c: job.c.add(row * job.c_stride),
                next_bytes: if row == 0 { job.next_bytes } else { 0 },
                ..job
            };
            row += if left >= MR * L::SIDE {
                strip::<L, MR, NV>(part);
                MR * L::SIDE
            } else if left >= 4 {
                if L::SIDE == 1 {
                    strip::<L, 4, NV>(part)
                } else {
                    strip::<L, 2, NV>(part)
                }
                4
            } else if left >= L::SIDE {
                strip::<L, 1, NV>(part);
                L::SIDE
            } else {
                strip::<L, 1, NV>(TileJob { init_stride: 0, c_stride: 0, ..part });
                left
            };
        }
    }
}

/// `MR` times `SIDE` rows against all panels.
#[inline(always)]
unsafe fn strip<L: TileLanes, const MR: usize, const NV: usize>(job: TileJob) {
    const LINE: usize = 64;
    let width = NV * L::LANES / L::SIDE;
    let fetched = job.next_bytes.div_ceil(LINE).div_ceil(job.panel_count.max(1)) * LINE;
    for p in 0..job.panel_count {
        for line in (p * fetched..((p + 1) * fetched).min(job.next_bytes)).step_by(LINE) {
            prefetch(job.next.wrapping_add(line));
        }
        // SAFETY: panel `p < panel_count`, and its columns of `init` and `c`, belong to the job.
        unsafe {
            let panel = job.panels.add(p * job.panel_stride);
            let init = job.init.add(p * width);
            let c = job.c.add(p * width);
            tile::<L, MR, NV>(job.a, job.steps, panel, init, job.init_stride, c, job.c_stride);
        }
    }
}

#[inline(always)]
unsafe fn tile<L: TileLanes, const MR: usize, const NV: usize>(
    a: *const u32,
    steps: usize,
    panel: *const u32,
    init: *const u32,
    init_stride: usize,
    c: *mut u32,
    c_stride: usize,
) {
    const { assert!(L::SIDE == 1 || L::SIDE == 2) }; // what `group` has tiles for
    let columns = L::LANES / L::SIDE;
    // SAFETY: `strip` passes memory for `MR * SIDE` rows, `steps` steps and one panel; all offsets below stay inside of it.
    unsafe {
        let mut acc: [[L::V; NV]; MR] = core::array::from_fn(|r| {
            core::array::from_fn(|v| L::load_sums(init.add(r * L::SIDE * init_stride + v * columns), init_stride))
        });
        let mut b = panel;
        for s in 0..steps / L::SIDE {
            let bank: [L::V; NV] = core::array::from_fn(|v| L::load(b.add(v * L::LANES)));
            b = b.add(NV * L::LANES);
            let words = a.add(s * L::SIDE * L::SIDE);
            for r in 0..MR {
                let row = L::splat(words.add(r * L::SIDE * A_STRIDE));
                for v in 0..NV {
                    acc[r][v] = L::mul_add(acc[r][v], row, bank[v]);
                }
            }
        }
        for r in 0..MR {
            for v in 0..NV {
                L::store_sums(c.add(r * L::SIDE * c_stride + v * columns), c_stride, acc[r][v]);
            }
        }
    }
}

/// One row against rows that are scattered in a matrix.
#[derive(Clone, Copy)]
pub(super) struct ChainJob<'a> {
    pub row: *const f32,
    pub dim: usize,
    /// Row `id` of the other matrix starts at `rows + id * row_stride`.
    pub rows: *const f32,
    pub row_stride: usize,
    pub ids: &'a [u32],
}

/// The sums of the tile, one fused chain in index order per pair, for scattered rows: `W` of them at a time are turned so that a
/// lane is a pair.
///
/// # Safety
/// As [`TileLanes`]; `row` and every row that `ids` names are valid for `dim` reads.
#[inline(always)]
pub(super) unsafe fn chains<L: Transpose<W, Element = f32>, const W: usize>(job: ChainJob, sums: &mut [f32]) {
    const { assert!(L::ELEMENTS == W) };
    let whole = job.dim / W * W;
    for (ids, sums) in job.ids.chunks(W).zip(sums.chunks_mut(W)) {
        let mut result = [0u32; W];
        // SAFETY: `ids` are rows of the matrix, `W` elements are left from every `step < whole`, and `dim - whole` at the end.
        unsafe {
            let start = |i: usize| ids.get(i).map(|&id| job.rows.add(id as usize * job.row_stride));
            let mut acc = L::zero_words();
            let mut step = 0;
            while step < whole {
                let rows = core::array::from_fn(|i| match start(i) {
                    Some(row) => L::load_row_words(row.add(step)),
                    None => L::zero_words(),
                });
                for (i, words) in L::transpose(rows).into_iter().enumerate() {
                    acc = L::mul_add(acc, L::splat(job.row.add(step + i).cast()), words);
                }
                step += W;
            }
            if whole < job.dim {
                // Zeros past the end: adding 0 * 0 changes no sum but -0, which is stored as +0 everywhere.
                let part = |p: *const f32| {
                    let mut part = [0f32; W];
                    core::ptr::copy_nonoverlapping(p.add(whole), part.as_mut_ptr(), job.dim - whole);
                    part
                };
                let row = part(job.row);
                let rows = core::array::from_fn(|i| match start(i) {
                    Some(row) => L::load_row_words(part(row).as_ptr()),
                    None => L::zero_words(),
                });
                for (words, x) in L::transpose(rows).into_iter().zip(&row).take(job.dim - whole) {
                    acc = L::mul_add(acc, L::splat(core::ptr::from_ref(x).cast()), words);
                }
            }
            L::store(result.as_mut_ptr(), acc);
        }
        for (sum, bits) in sums.iter_mut().zip(result) {
            *sum = f32::from_bits(bits);
        }
    }
}

//! The outer-product tile: `MR` gallery rows x `NV` vectors of bank rows, one lane = one pair.
//!
//! ```text
//! panel   [step][NV * LANES] words     the bank, packed: word `step` of every bank row of the panel side by side
//! a       [MR][A_STRIDE]     words     the gallery group, rows copied one after the other
//! c       [MR][...]          words     sums
//!
//! for each step:  b[v] = panel[step][v];   for each row r:  c[r][v] += splat(a[r][step]) * b[v]
//! ```
//! Where a register sums several gallery rows, or several words of a row at a time ([`TileLanes::ROWS`], [`TileLanes::DEPTH`]),
//! `DEPTH` steps are one, with `DEPTH` words of a row side by side. Where a vector holds words of several gallery rows
//! ([`TileLanes::SHARED`]), `a` holds panels of so many rows instead, each in the place of its rows.
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
    /// `rows` copied gallery rows, `A_STRIDE` apart, or panels of `SHARED` rows.
    pub a: *const u32,
    pub rows: usize,
    /// Words of depth in this run: a multiple of `DEPTH`.
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

/// Runs a job with the largest tiles that fit its rows; the largest has `MR` registers of rows.
///
/// # Safety
/// As [`TileLanes`]; all memory that the job names is valid: `a` for `rows` rows (whole panels of `SHARED`) of `steps` words, each
/// panel for `steps` words of its `NV * LANES / DEPTH` bank rows, `init` and `c` for `rows` rows of a word for each bank row of
/// `panel_count` panels. `init` and `c` may be the same.
#[inline(always)]
pub(super) unsafe fn group<L: TileLanes, const MR: usize, const NV: usize>(job: TileJob) {
    const { assert!(L::SHARED == 1 || L::SHARED == 4) }; // what there are tiles for
    const { assert!(L::ROWS == 1 || L::ROWS == 2 && L::SHARED == 4) };
    let mut row = 0;
    while row < job.rows {
        let left = job.rows - row;
        // SAFETY: the tile has at most `left` rows, so all its rows are rows of the job; it starts with a panel where there are any.
        unsafe {
            let part = TileJob {
                a: job.a.add(row * A_STRIDE),
                init: job.init.add(row * job.init_stride),
                c: job.c.add(row * job.c_stride),
                next_bytes: if row == 0 { job.next_bytes } else { 0 },
                ..job
            };
            row += if left >= MR * L::ROWS {
                strip::<L, MR, NV>(part, MR * L::ROWS);
                MR * L::ROWS
            } else if left >= 4 || L::SHARED > 1 {
                let rows = if L::SHARED > 1 { left.min(4) } else { 4 };
                if L::ROWS == 1 {
                    strip::<L, 4, NV>(part, rows)
                } else {
                    strip::<L, 2, NV>(part, rows)
                }
                rows
            } else {
                strip::<L, 1, NV>(part, 1);
                1
            };
        }
    }
}

/// `MR` registers of rows, of which `rows` rows exist, against all panels.
#[inline(always)]
unsafe fn strip<L: TileLanes, const MR: usize, const NV: usize>(job: TileJob, rows: usize) {
    const LINE: usize = 64;
    let width = NV * L::LANES / L::DEPTH;
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
            tile::<L, MR, NV>(job.a, rows, job.steps, panel, init, job.init_stride, c, job.c_stride);
        }
    }
}

/// Registers past the last row compute what is there and are not stored.
#[inline(always)]
#[allow(clippy::too_many_arguments)] // registers of the inner loop, not state
unsafe fn tile<L: TileLanes, const MR: usize, const NV: usize>(
    a: *const u32,
    rows: usize,
    steps: usize,
    panel: *const u32,
    init: *const u32,
    init_stride: usize,
    c: *mut u32,
    c_stride: usize,
) {
    let columns = L::LANES / L::DEPTH;
    // Registers of rows that a vector of the gallery side serves, and where that of register `r` is.
    let served = if L::SHARED == 1 { 1 } else { L::LANES / L::DEPTH / L::ROWS };
    let offset = |r: usize| {
        let row = r * L::ROWS;
        row / L::SHARED * L::SHARED * A_STRIDE + row % L::SHARED / (served * L::ROWS) * L::LANES
    };
    // Where a register has no second row, it starts from the first one's.
    let stride = |r: usize| if r * L::ROWS + 1 < rows { init_stride } else { 0 };
    const { assert!(NV % L::DEPTH == 0) }; // whole vectors of sums for each row
    // SAFETY: `strip` passes memory for `rows` rows, `steps` steps and one panel; all offsets below stay inside of it: sums are
    // those of rows that exist, and a panel of the gallery side is whole.
    unsafe {
        let mut acc: [[L::V; NV]; MR] = core::array::from_fn(|r| {
            let init = init.add((r * L::ROWS).min(rows - 1) * init_stride);
            core::array::from_fn(|v| L::load_sums(init.add(v * columns), stride(r)))
        });
        let mut b = panel;
        for s in 0..steps / L::DEPTH {
            let bank: [L::V; NV] = core::array::from_fn(|v| L::load(b.add(v * L::LANES)));
            b = b.add(NV * L::LANES);
            let words = a.add(s * L::DEPTH * L::SHARED);
            for (i, sums) in acc.chunks_exact_mut(served).enumerate() {
                L::step(sums, L::load_gallery(words.add(offset(i * served))), &bank);
            }
        }
        for r in 0..MR * L::ROWS {
            if r < rows {
                for v in 0..NV / L::DEPTH {
                    L::store(c.add(r * c_stride + v * L::LANES), L::row_sums(&acc[r / L::ROWS], r % L::ROWS, v));
                }
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

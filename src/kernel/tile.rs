//! The outer-product tile: `MR` gallery rows x `NV` vectors of bank rows, one lane = one pair.
//!
//! ```text
//! panel   [step][NV * LANES] words     the bank, packed: word `step` of every bank row of the panel side by side
//! a       [MR][A_STRIDE]     words     the gallery group, rows copied one after the other
//! c       [MR][...]          words     sums, then scores
//!
//! for each step:  b[v] = panel[step][v];   for each row r:  c[r][v] += splat(a[r][step]) * b[v]
//! ```
//! Where a register sums several gallery rows, or several words of a row at a time ([`TileLanes::ROWS`], [`TileLanes::DEPTH`]),
//! `DEPTH` steps are one, with `DEPTH` words of a row side by side. Where a vector holds words of several gallery rows
//! ([`TileLanes::SHARED`]), `a` holds panels of so many rows instead, each in the place of its rows.
//!
//! Each pair is one chain of fused multiply-adds in index order, whatever the tile's shape, so every shape gives the same bits.
//! With the last step the sums become scores and are compared with the limit of their row before anything is stored: a panel's
//! columns of a row are written when one of them is above it, and a bit mask says which.
#![allow(clippy::needless_range_loop)] // the index names a register of a grid, in step with that of its neighbour

use crate::simd::{DepthF32, TileLanes, Transpose, Words, prefetch};

/// Words from one copied gallery row to the next: 512 words of depth, and a cache line so that rows do not fall on the same sets.
/// A constant, so that all rows of the group are reached from one register.
pub(super) const A_STRIDE: usize = DEPTH_BLOCK + 16;

/// Gallery rows of the largest tile on any instruction set.
pub(super) const GROUP_MAX: usize = 16;

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
    /// Where the sums or scores go; row `r` at `c + r * c_stride`, panel after panel.
    pub c: *mut u32,
    pub c_stride: usize,
    /// Whether the sums are complete with this run.
    pub last: bool,
    pub score: ScoreJob,
    /// Memory that will be copied next: fetched a little with every panel, so that the copy does not wait for it.
    pub next: *const u8,
    pub next_bytes: usize,
}

/// How complete sums become scores.
#[derive(Clone, Copy)]
pub(super) struct ScoreJob {
    /// Scales of the bank rows (codes only), panel after panel, and of the gallery rows.
    pub scales: *const f32,
    pub row_scales: *const f32,
    /// What a score has to exceed, for each row (NaN: every score is wanted), or for each column where the sides are exchanged.
    pub limits: *const f32,
    /// The panels hold gallery rows: limits are theirs, and their scales come second, as always.
    pub exchanged: bool,
    /// Bit `i` of row `r`, panel `p`, at `masks + r * panel_count + p`: column `i` of the panel is wanted.
    pub masks: *mut u64,
}

/// Runs a job with the largest tiles that fit its rows; the largest has `MR` registers of rows.
///
/// # Safety
/// As [`TileLanes`]; all memory that the job names is valid: `a` for `rows` rows (whole panels of `SHARED`) of `steps` words, each
/// panel for `steps` words of its `NV * LANES / DEPTH` bank rows, `init` and `c` for `rows` rows of a word for each bank row of
/// `panel_count` panels. `init` and `c` may be the same. With `last` also what [`ScoreJob`] names, for as many rows and columns.
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
                score: ScoreJob {
                    row_scales: job.score.row_scales.wrapping_add(row),
                    limits: job.score.limits.wrapping_add(if job.score.exchanged { 0 } else { row }),
                    masks: job.score.masks.wrapping_add(row * job.panel_count),
                    ..job.score
                },
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
    let columns = L::LANES / L::DEPTH;
    let width = NV * columns;
    const { assert!(NV.is_multiple_of(L::DEPTH)) }; // whole vectors of sums for each row
    // A prefetch a step: as many at once as there are lines would wait for each other.
    let fetch = job.next_bytes.div_ceil((job.panel_count * job.steps / L::DEPTH).max(1));
    for p in 0..job.panel_count {
        let next = (job.next.wrapping_add(p * job.steps / L::DEPTH * fetch), fetch);
        // SAFETY: panel `p < panel_count`, and its columns of `init` and `c`, belong to the job.
        unsafe {
            let panel = job.panels.add(p * job.panel_stride);
            let sums = tile::<L, MR, NV>(job.a, rows, job.steps, panel, job.init.add(p * width), job.init_stride, next);
            let c = job.c.add(p * width);
            if job.last {
                let score = ScoreJob {
                    scales: job.score.scales.wrapping_add(p * width),
                    limits: job.score.limits.wrapping_add(if job.score.exchanged { p * width } else { 0 }),
                    masks: job.score.masks.add(p),
                    ..job.score
                };
                scores::<L, MR, NV>(&sums, &score, rows, c, job.c_stride, job.panel_count);
            } else {
                for r in 0..MR * L::ROWS {
                    if r < rows {
                        for v in 0..NV / L::DEPTH {
                            L::V::store(c.add(r * job.c_stride + v * L::LANES), L::row_sums(&sums[r / L::ROWS], r % L::ROWS, v));
                        }
                    }
                }
            }
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
    next: (*const u8, usize),
) -> [[L::V; NV]; MR] {
    let columns = L::LANES / L::DEPTH;
    // Registers of rows that a vector of the gallery side serves, and where that of register `r` is.
    let served = if L::SHARED == 1 { 1 } else { L::LANES / L::DEPTH / L::ROWS };
    let offset = |r: usize| {
        let row = r * L::ROWS;
        row / L::SHARED * L::SHARED * A_STRIDE + row % L::SHARED / (served * L::ROWS) * L::LANES
    };
    // Where a register has no second row, it starts from the first one's.
    let stride = |r: usize| if r * L::ROWS + 1 < rows { init_stride } else { 0 };
    // SAFETY: `strip` passes memory for `rows` rows, `steps` steps and one panel; all offsets below stay inside of it: initial
    // sums are those of rows that exist, and a panel of the gallery side is whole.
    unsafe {
        let mut acc: [[L::V; NV]; MR] = core::array::from_fn(|r| {
            let init = init.add((r * L::ROWS).min(rows - 1) * init_stride);
            core::array::from_fn(|v| L::load_sums(init.add(v * columns), stride(r)))
        });
        let mut b = panel;
        let mut fetch = next.0;
        for s in 0..steps / L::DEPTH {
            let bank: [L::V; NV] = core::array::from_fn(|v| L::load_bank(b, v));
            b = b.add(NV * L::LANES);
            prefetch(fetch);
            fetch = fetch.wrapping_add(next.1);
            let words = a.add(s * L::DEPTH * L::SHARED);
            for (i, sums) in acc.chunks_exact_mut(served).enumerate() {
                L::step(sums, L::load_gallery(words.add(offset(i * served))), &bank);
            }
        }
        acc
    }
}

/// Turns complete sums into scores, and writes them with the masks of what is wanted.
#[inline(always)]
unsafe fn scores<L: TileLanes, const MR: usize, const NV: usize>(
    sums: &[[L::V; NV]; MR],
    job: &ScoreJob,
    rows: usize,
    c: *mut u32,
    c_stride: usize,
    masks_stride: usize,
) {
    const { assert!(MR * L::ROWS <= GROUP_MAX) };
    // Written out for each row, so that the sums stay in registers: a loop of this size is not unrolled.
    macro_rules! rows {
        ($($r:literal)*) => {
            $(if let (Some(sums), true) = (sums.get($r / L::ROWS), $r < rows) {
                // SAFETY: `strip` passes memory for `rows` rows and one panel.
                unsafe {
                    let mask = row_scores::<L, NV>(sums, job, $r, $r % L::ROWS, c.add($r * c_stride));
                    *job.masks.add($r * masks_stride) = mask;
                }
            })*
        };
    }
    rows!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
}

/// The scores of one row, the `of_register`th of its register; returns the mask of those above the limit.
#[inline(always)]
unsafe fn row_scores<L: TileLanes, const NV: usize>(
    sums: &[L::V; NV],
    job: &ScoreJob,
    row: usize,
    of_register: usize,
    c: *mut u32,
) -> u64 {
    // SAFETY: `scores` passes memory for the row, and the columns of one panel.
    unsafe {
        let row_scale = *job.row_scales.add(row);
        let limit = if job.exchanged { 0.0 } else { *job.limits.add(row) };
        let mut mask = 0;
        for v in 0..NV / L::DEPTH {
            let mut scores = L::floats(L::row_sums(sums, of_register, v));
            if L::SCALED {
                let (mut first, mut second) = (L::Scores::load(job.scales.add(v * L::LANES)), L::Scores::splat(row_scale));
                if job.exchanged {
                    (first, second) = (second, first);
                }
                scores = L::Scores::mul(L::Scores::mul(scores, first), second);
            }
            let limits = if job.exchanged { L::Scores::load(job.limits.add(v * L::LANES)) } else { L::Scores::splat(limit) };
            mask |= u64::from(L::Scores::greater(scores, limits)) << (v * L::LANES);
            // Always, though few are wanted: a branch would be taken once in a while, and mispredicted each time.
            L::Scores::store(c.add(v * L::LANES).cast(), scores);
        }
        if limit.is_nan() { u64::MAX } else { mask }
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
    for (at, (ids, sums)) in job.ids.chunks(W).zip(sums.chunks_mut(W)).enumerate() {
        let mut result = [0u32; W];
        // Where there are fewer than `W`, the first stands in for the others.
        let row = |i: usize| {
            let id = job.ids.get(i).or(ids.first()).copied().unwrap_or(0);
            job.rows.wrapping_add(id as usize * job.row_stride)
        };
        let starts: [_; W] = core::array::from_fn(|i| row(at * W + i));
        // The rows are anywhere: those that follow are fetched a line at a time, in step with the reading of these.
        let next: [_; W] = core::array::from_fn(|i| row((at + 1) * W + i));
        // SAFETY: `ids` are rows of the matrix, `W` elements are left from every `step < whole`, and `dim - whole` at the end.
        unsafe {
            let mut acc = L::V::zero();
            let mut step = 0;
            while step < whole {
                for row in next {
                    prefetch(row.wrapping_add(step).cast());
                }
                let rows = starts.map(|row| L::load_row_words(row.add(step)));
                for (i, words) in L::transpose(rows).into_iter().enumerate() {
                    acc = L::mul_add(acc, L::V::splat(job.row.add(step + i).cast()), words);
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
                let rows = starts.map(|start| L::load_row_words(part(start).as_ptr()));
                for (words, x) in L::transpose(rows).into_iter().zip(&row).take(job.dim - whole) {
                    acc = L::mul_add(acc, L::V::splat(core::ptr::from_ref(x).cast()), words);
                }
            }
            L::V::store(result.as_mut_ptr(), acc);
        }
        for (sum, bits) in sums.iter_mut().zip(result) {
            *sum = f32::from_bits(bits);
        }
    }
}

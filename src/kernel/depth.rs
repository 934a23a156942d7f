//! Dot products along the depth of two rows: one pair, and small grids of queries x rows.
//!
//! ```text
//! one register per lane group:   acc[t] = sum over chunks c of  q[32 c + t L ..] * r[32 c + t L ..]     t = 0 .. T = 32 / L
//! then                           halve T registers to one, halve its lanes to one number
//! ```
//! A pair keeps `U` of the `T` registers at a time and walks the row `T / U` times (once where there are enough registers). A grid
//! of `QB` x `RB` pairs keeps one register per pair and walks `T` times, so that every loaded vector serves `QB` or `RB` products.
//! Each pair's additions are the same in all of these shapes, hence its bits.
#![allow(clippy::needless_range_loop)] // the index names a register of a grid, in step with that of its neighbour

use crate::cpu::MICROCONTROLLER;
use crate::simd::{DepthF32, DepthI8};

/// Virtual lanes of the canonical f32 order.
const VIRTUAL_LANES: usize = 32;

/// Loads lane group `t` of the last, partial chunk, of which `n` elements exist.
///
/// # Safety
/// As [`DepthF32`]; `p` is the start of the chunk and valid for `n` elements.
#[inline(always)]
unsafe fn load_tail<L: DepthF32>(p: *const f32, t: usize, n: usize) -> L::V {
    let start = t * L::LANES;
    // SAFETY: `n - start` elements are left from `start` on; where none is, nothing is read.
    unsafe { L::load_part(p.wrapping_add(start), n.saturating_sub(start).min(L::LANES)) }
}

/// Halves `T` registers to one: register `t` + register `t + T/2`, and so on.
#[inline(always)]
unsafe fn halve<L: DepthF32, const T: usize>(mut v: [L::V; T]) -> L::V {
    let mut n = T;
    while n > 1 {
        n /= 2;
        for t in 0..n {
            // SAFETY: the caller runs `L`'s instruction set.
            v[t] = unsafe { L::add(v[t], v[t + n]) };
        }
    }
    v[0]
}

/// Dot product of two rows in the canonical order.
///
/// # Safety
/// As [`DepthF32`]; `a` and `b` are valid for `dim` reads.
#[inline(always)]
pub(super) unsafe fn pair_f32<L: DepthF32, const T: usize, const U: usize>(a: *const f32, b: *const f32, dim: usize) -> f32 {
    let (chunks, tail) = (dim / VIRTUAL_LANES, dim % VIRTUAL_LANES);
    // SAFETY: chunk `c < chunks` and its lane groups lie inside of `dim`; the tail is read only as far as it goes.
    unsafe {
        let mut all = [L::zero(); T];
        for (i, kept) in all.as_chunks_mut::<U>().0.iter_mut().enumerate() {
            let first = i * U;
            let mut acc = [L::zero(); U];
            #[cfg(all(target_arch = "arm", target_os = "none", target_abi = "eabihf", not(target_has_atomic = "64")))]
            L::lanes(&mut acc, a.wrapping_add(first * L::LANES), b.wrapping_add(first * L::LANES), chunks);
            #[cfg(not(all(target_arch = "arm", target_os = "none", target_abi = "eabihf", not(target_has_atomic = "64"))))]
            for c in 0..chunks {
                let at = c * VIRTUAL_LANES + first * L::LANES;
                for u in 0..U {
                    acc[u] = L::mul_add(acc[u], L::load(a.add(at + u * L::LANES)), L::load(b.add(at + u * L::LANES)));
                }
            }
            if tail != 0 {
                let (a, b) = (a.add(chunks * VIRTUAL_LANES), b.add(chunks * VIRTUAL_LANES));
                for u in 0..U {
                    acc[u] = L::mul_add(acc[u], load_tail::<L>(a, first + u, tail), load_tail::<L>(b, first + u, tail));
                }
            }
            *kept = acc;
        }
        L::sum(halve::<L, T>(all))
    }
}

/// Where a grid of pairs lies.
#[derive(Clone, Copy)]
pub(super) struct Grid<T, O> {
    pub queries: *const T,
    pub query_stride: usize,
    pub query_count: usize,
    pub rows: *const T,
    pub row_stride: usize,
    pub row_count: usize,
    pub dim: usize,
    /// Pair (q, r) is written to `out[q * out_stride + r]`.
    pub out: *mut O,
    pub out_stride: usize,
}

impl<T, O> Grid<T, O> {
    /// # Safety
    /// `q < query_count`, and the grid's query side lies in one allocation.
    #[inline(always)]
    unsafe fn query(&self, q: usize) -> *const T {
        // SAFETY: the caller's promise.
        unsafe { self.queries.add(q * self.query_stride) }
    }

    /// # Safety
    /// `r < row_count`, and the grid's row side lies in one allocation.
    #[inline(always)]
    unsafe fn row(&self, r: usize) -> *const T {
        // SAFETY: the caller's promise.
        unsafe { self.rows.add(r * self.row_stride) }
    }

    /// # Safety
    /// `q < query_count`, `r < row_count`, and the grid's output is valid for writes.
    #[inline(always)]
    unsafe fn put(&self, q: usize, r: usize, value: O) {
        // SAFETY: the caller's promise.
        unsafe { *self.out.add(q * self.out_stride + r) = value }
    }
}

/// All pairs of a grid, f32.
///
/// # Safety
/// As [`DepthF32`]; every row of the grid is valid for `dim` reads, every output position for a write.
#[inline(always)]
pub(super) unsafe fn grid_f32<L: DepthF32, const T: usize, const U: usize, const QB: usize>(g: Grid<f32, f32>) {
    let mut q = 0;
    // SAFETY: all indexes stay below the grid's counts.
    unsafe {
        while q + QB <= g.query_count {
            let mut r = 0;
            // Lane by lane, as a microcontroller computes, there is nothing to share between rows.
            while r + 4 <= g.row_count && !MICROCONTROLLER {
                block_f32::<L, T, QB>(&g, q, r);
                r += 4;
            }
            for r in r..g.row_count {
                for q in q..q + QB {
                    g.put(q, r, pair_f32::<L, T, U>(g.query(q), g.row(r), g.dim));
                }
            }
            q += QB;
        }
        for q in q..g.query_count {
            for r in 0..g.row_count {
                g.put(q, r, pair_f32::<L, T, U>(g.query(q), g.row(r), g.dim));
            }
        }
    }
}

/// `QB` x 4 pairs starting at (q, r).
#[inline(always)]
unsafe fn block_f32<L: DepthF32, const T: usize, const QB: usize>(g: &Grid<f32, f32>, q: usize, r: usize) {
    let (chunks, tail) = (g.dim / VIRTUAL_LANES, g.dim % VIRTUAL_LANES);
    // SAFETY: the caller has `q + QB <= query_count` and `r + 4 <= row_count`; offsets as in `pair_f32`.
    unsafe {
        let a: [*const f32; QB] = core::array::from_fn(|i| g.query(q + i));
        let b: [*const f32; 4] = core::array::from_fn(|j| g.row(r + j));
        let mut all = [[[L::zero(); 4]; QB]; T];
        for (t, kept) in all.iter_mut().enumerate() {
            let mut acc = [[L::zero(); 4]; QB];
            for c in 0..chunks {
                let at = c * VIRTUAL_LANES + t * L::LANES;
                let row: [L::V; 4] = core::array::from_fn(|j| L::load(b[j].add(at)));
                for i in 0..QB {
                    let query = L::load(a[i].add(at));
                    for j in 0..4 {
                        acc[i][j] = L::mul_add(acc[i][j], query, row[j]);
                    }
                }
            }
            if tail != 0 {
                let end = chunks * VIRTUAL_LANES;
                let row: [L::V; 4] = core::array::from_fn(|j| load_tail::<L>(b[j].add(end), t, tail));
                for i in 0..QB {
                    let query = load_tail::<L>(a[i].add(end), t, tail);
                    for j in 0..4 {
                        acc[i][j] = L::mul_add(acc[i][j], query, row[j]);
                    }
                }
            }
            *kept = acc;
        }
        for i in 0..QB {
            let folded: [L::V; 4] = core::array::from_fn(|j| halve::<L, T>(core::array::from_fn(|t| all[t][i][j])));
            let sums = L::sum4(folded);
            for (j, sum) in sums.into_iter().enumerate() {
                g.put(q + i, r + j, sum);
            }
        }
    }
}

/// Exact dot product of two rows of codes; `query_sum` is the sum of `a`'s codes (used only where the set needs an offset).
///
/// # Safety
/// As [`DepthI8`]; `a` and `b` are valid for `dim` reads.
#[inline(always)]
pub(super) unsafe fn pair_i8<L: DepthI8>(a: *const i8, b: *const i8, dim: usize, query_sum: i32) -> i32 {
    const U: usize = 4; // independent sums hide the latency of the multiply-add
    let steps = dim / L::CODES;
    // SAFETY: step `s < steps` lies inside of `dim`; the tail is read only as far as it goes.
    unsafe {
        let mut acc = [L::zero(); U];
        let mut s = 0;
        while s + U <= steps {
            for (u, acc) in acc.iter_mut().enumerate() {
                let at = (s + u) * L::CODES;
                *acc = L::mul_add(*acc, L::load_query(a.add(at)), L::load_row(b.add(at)));
            }
            s += U;
        }
        while s < steps {
            let at = s * L::CODES;
            acc[0] = L::mul_add(acc[0], L::load_query(a.add(at)), L::load_row(b.add(at)));
            s += 1;
        }
        let tail = dim % L::CODES;
        if tail != 0 {
            let at = steps * L::CODES;
            acc[1] = L::mul_add(acc[1], L::load_part_query(a.add(at), tail), L::load_part_row(b.add(at), tail));
        }
        let sum = acc.into_iter().fold(0i32, |sum, acc| sum.wrapping_add(L::sum(acc)));
        sum.wrapping_sub(query_sum.wrapping_mul(L::ROW_OFFSET))
    }
}

/// Sum of a row's codes: what the offset of the unsigned side has to be corrected by. 0 where the set has no offset.
///
/// # Safety
/// `a` is valid for `dim` reads.
#[inline(always)]
pub(super) unsafe fn query_sum<L: DepthI8>(a: *const i8, dim: usize) -> i32 {
    if L::ROW_OFFSET == 0 {
        return 0;
    }
    // SAFETY: the caller's promise.
    let codes = unsafe { core::slice::from_raw_parts(a, dim) };
    codes.iter().fold(0i32, |sum, &code| sum.wrapping_add(i32::from(code)))
}

/// All pairs of a grid, int8.
///
/// # Safety
/// As [`DepthI8`]; every row of the grid is valid for `dim` reads, every output position for a write.
#[inline(always)]
pub(super) unsafe fn grid_i8<L: DepthI8, const QB: usize>(g: Grid<i8, u32>) {
    let mut q = 0;
    // SAFETY: all indexes stay below the grid's counts.
    unsafe {
        while q + QB <= g.query_count {
            let sums: [i32; QB] = core::array::from_fn(|i| query_sum::<L>(g.query(q + i), g.dim));
            let mut r = 0;
            while r + 4 <= g.row_count {
                block_i8::<L, QB>(&g, q, r, &sums);
                r += 4;
            }
            for r in r..g.row_count {
                for i in 0..QB {
                    g.put(q + i, r, pair_i8::<L>(g.query(q + i), g.row(r), g.dim, sums[i]) as u32);
                }
            }
            q += QB;
        }
        for q in q..g.query_count {
            let sum = query_sum::<L>(g.query(q), g.dim);
            for r in 0..g.row_count {
                g.put(q, r, pair_i8::<L>(g.query(q), g.row(r), g.dim, sum) as u32);
            }
        }
    }
}

/// `QB` x 4 pairs of codes starting at (q, r).
#[inline(always)]
unsafe fn block_i8<L: DepthI8, const QB: usize>(g: &Grid<i8, u32>, q: usize, r: usize, sums: &[i32; QB]) {
    let steps = g.dim / L::CODES;
    let tail = g.dim % L::CODES;
    // SAFETY: the caller has `q + QB <= query_count` and `r + 4 <= row_count`; offsets as in `pair_i8`.
    unsafe {
        let a: [*const i8; QB] = core::array::from_fn(|i| g.query(q + i));
        let b: [*const i8; 4] = core::array::from_fn(|j| g.row(r + j));
        let mut acc = [[L::zero(); 4]; QB];
        for s in 0..steps {
            let at = s * L::CODES;
            let row: [L::Row; 4] = core::array::from_fn(|j| L::load_row(b[j].add(at)));
            for i in 0..QB {
                let query = L::load_query(a[i].add(at));
                for j in 0..4 {
                    acc[i][j] = L::mul_add(acc[i][j], query, row[j]);
                }
            }
        }
        if tail != 0 {
            let at = steps * L::CODES;
            let row: [L::Row; 4] = core::array::from_fn(|j| L::load_part_row(b[j].add(at), tail));
            for i in 0..QB {
                let query = L::load_part_query(a[i].add(at), tail);
                for j in 0..4 {
                    acc[i][j] = L::mul_add(acc[i][j], query, row[j]);
                }
            }
        }
        for i in 0..QB {
            let offset = sums[i].wrapping_mul(L::ROW_OFFSET);
            for j in 0..4 {
                g.put(q + i, r + j, L::sum(acc[i][j]).wrapping_sub(offset) as u32);
            }
        }
    }
}

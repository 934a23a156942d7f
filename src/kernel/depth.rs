//! Dot products along the depth of two rows: one pair, and small grids of queries x rows.
//!
//! ```text
//! one register per lane group:   acc[t] = sum over chunks c of  q[32 c + t L ..] * r[32 c + t L ..]     t = 0 .. T = 32 / L
//! then                           halve T registers to one, halve its lanes to one number
//! ```
//! A pair keeps `U` of the `T` registers at a time and walks the row `T / U` times (once where there are enough registers). A tile
//! of up to `QB` queries x 4 rows keeps as many registers per pair as there is room for, so that every loaded vector serves several
//! products. Each pair's additions are the same in all of these shapes, hence its bits.
//!
//! Memory is read fastest in a few streams far apart that each go straight on, and a few products hide behind it. So the four rows of
//! a tile are a quarter of the grid apart while a group of few queries reads them from memory (`FIRST`: at most so many); other groups
//! find the rows in the second cache level, and take neighbours. More f32 queries than that are slower than memory, and there the
//! first group prefetches the rows of the next grid: measured to beat streams at every larger number.
#![allow(clippy::needless_range_loop)] // the index names a register of a tile, in step with that of its neighbour

use crate::cpu::MICROCONTROLLER;
use crate::simd::{DepthF32, DepthI8, prefetch};

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
    /// Whether the rows have to come from memory.
    pub cold: bool,
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

    /// # Safety
    /// As [`put`](Self::put), for the rows `r + j * apart`.
    #[inline(always)]
    unsafe fn put4(&self, q: usize, r: usize, apart: usize, values: [O; RB]) {
        // SAFETY: the caller's promise; an array has its element's alignment.
        unsafe {
            let out = self.out.add(q * self.out_stride + r);
            if apart == 1 {
                out.cast::<[O; RB]>().write(values);
            } else {
                for (j, value) in values.into_iter().enumerate() {
                    out.add(j * apart).write(value);
                }
            }
        }
    }
}

/// Rows of a tile.
const RB: usize = 4;

/// The order in which a grid goes through its tiles: groups of queries, each over all rows.
struct Walk {
    /// First query of the group, and how many queries it has.
    query: usize,
    queries: usize,
    groups_left: usize,
    /// Tiles of a group; tile `b` has the rows `b * step + j * apart`.
    tiles: usize,
    step: usize,
    apart: usize,
}

/// Elements of a cache line.
const LINE_F32: usize = 16;

impl Walk {
    /// Before the first group.
    #[inline(always)]
    fn new<T, O, const FIRST: usize, const QB: usize, const STREAM_ALWAYS: bool>(g: &Grid<T, O>) -> Walk {
        const { assert!(FIRST >= 1 && FIRST <= QB && QB <= 6) };
        // Before the first group, that is one without queries: all that is left follows.
        let first = if g.cold && (STREAM_ALWAYS || g.query_count <= FIRST) { g.query_count.min(FIRST) } else { 0 };
        let groups_left = (g.query_count - first).div_ceil(QB);
        Walk { query: 0, queries: first, groups_left, tiles: g.row_count / RB, step: 1, apart: g.row_count / RB }
    }

    /// Goes to the next group; those after the first are of nearly equal size.
    #[inline(always)]
    fn next(&mut self, query_count: usize) -> bool {
        self.query += self.queries;
        if self.groups_left == 0 {
            return false;
        }
        self.queries = (query_count - self.query).div_ceil(self.groups_left);
        self.groups_left -= 1;
        (self.step, self.apart) = (RB, 1);
        true
    }
}

/// All pairs of a grid, f32, with at most `SUMS` registers of sums at a time.
///
/// # Safety
/// As [`DepthF32`]; every row of the grid is valid for `dim` reads, every output position for a write.
#[inline(always)]
pub(super) unsafe fn grid_f32<
    L: DepthF32,
    const T: usize,
    const U: usize,
    const FIRST: usize,
    const QB: usize,
    const SUMS: usize,
>(
    g: Grid<f32, f32>,
) {
    const { assert!(QB <= 4) };
    let mut walk = Walk::new::<_, _, FIRST, QB, false>(&g);
    loop {
        // SAFETY: a group has at most `QB` queries, all of the grid.
        unsafe {
            match walk.queries {
                0 => {}
                1 => group_f32::<L, T, U, 1, SUMS>(&g, &walk),
                2 if QB >= 2 => group_f32::<L, T, U, 2, SUMS>(&g, &walk),
                3 if QB >= 3 => group_f32::<L, T, U, 3, SUMS>(&g, &walk),
                4 if QB >= 4 => group_f32::<L, T, U, 4, SUMS>(&g, &walk),
                _ => {}
            }
        }
        if !walk.next(g.query_count) {
            return;
        }
    }
}

/// `N` queries x all rows.
#[inline(always)]
unsafe fn group_f32<L: DepthF32, const T: usize, const U: usize, const N: usize, const SUMS: usize>(
    g: &Grid<f32, f32>,
    walk: &Walk,
) {
    let q = walk.query;
    let fetches = q == 0 && walk.apart == 1;
    // Lane by lane, as a microcontroller computes, there is nothing to share between rows.
    let tiles = if MICROCONTROLLER { 0 } else { walk.tiles };
    // SAFETY: tile `b` has the rows `b * step + j * apart`, which are those below `RB * tiles`, each in one tile.
    unsafe {
        for b in 0..tiles {
            if fetches {
                tile_f32::<L, T, N, SUMS, true>(g, q, b * walk.step, walk.apart);
            } else {
                tile_f32::<L, T, N, SUMS, false>(g, q, b * walk.step, walk.apart);
            }
        }
        for r in RB * tiles..g.row_count {
            for q in q..q + N {
                g.put(q, r, pair_f32::<L, T, U>(g.query(q), g.row(r), g.dim));
            }
        }
    }
}

/// Registers per pair that a tile of so many pairs keeps at a time.
const fn at_once<const T: usize, const SUMS: usize>(pairs: usize) -> usize {
    let mut u = 1;
    while 2 * u <= AT_ONCE_MAX && 2 * u <= T && 2 * u * pairs <= SUMS {
        u *= 2;
    }
    u
}

const AT_ONCE_MAX: usize = 4;

/// `N` queries from `q` on x the rows `r + j * apart`; may prefetch the same rows of a next grid of neighbours.
#[inline(always)]
unsafe fn tile_f32<L: DepthF32, const T: usize, const N: usize, const SUMS: usize, const FETCH: bool>(
    g: &Grid<f32, f32>,
    q: usize,
    r: usize,
    apart: usize,
) {
    // SAFETY: the caller has `q + N <= query_count` and `r + 3 * apart < row_count`.
    unsafe {
        let (mut a, mut b) = ([g.queries; N], [g.rows; RB]);
        for i in 0..N {
            a[i] = g.query(q + i);
        }
        for j in 0..RB {
            b[j] = g.row(r + j * apart);
        }
        let sums = products_f32::<L, T, N, SUMS, FETCH>(a, b, g.dim, g.row_count * g.row_stride);
        for i in 0..N {
            g.put4(q + i, r, apart, sums[i]);
        }
    }
}

/// Dot products of `N` x 4 rows, anywhere; may prefetch what lies `ahead` elements behind the second ones.
///
/// # Safety
/// As [`DepthF32`]; all rows are valid for `dim` reads.
#[inline(always)]
pub(super) unsafe fn products_f32<L: DepthF32, const T: usize, const N: usize, const SUMS: usize, const FETCH: bool>(
    a: [*const f32; N],
    b: [*const f32; RB],
    dim: usize,
    ahead: usize,
) -> [[f32; RB]; N] {
    let at_once = const { at_once::<T, SUMS>(RB * N) };
    let (chunks, tail) = (dim / VIRTUAL_LANES, dim % VIRTUAL_LANES);
    // SAFETY: offsets as in `pair_f32`.
    unsafe {
        let mut all = [[[L::zero(); RB]; N]; T];
        for (pass, kept) in all.chunks_exact_mut(at_once).enumerate() {
            let mut acc = [[[L::zero(); RB]; N]; AT_ONCE_MAX];
            for c in 0..chunks {
                for u in 0..at_once {
                    let at = c * VIRTUAL_LANES + (pass * at_once + u) * L::LANES;
                    if FETCH && at.is_multiple_of(LINE_F32) {
                        for j in 0..RB {
                            prefetch(b[j].wrapping_add(at + ahead).cast());
                        }
                    }
                    let mut row = [L::zero(); RB];
                    for j in 0..RB {
                        row[j] = L::load(b[j].add(at));
                    }
                    for i in 0..N {
                        let query = L::load(a[i].add(at));
                        for j in 0..RB {
                            acc[u][i][j] = L::mul_add(acc[u][i][j], query, row[j]);
                        }
                    }
                }
            }
            if tail != 0 {
                let end = chunks * VIRTUAL_LANES;
                for u in 0..at_once {
                    let t = pass * at_once + u;
                    let mut row = [L::zero(); RB];
                    for j in 0..RB {
                        row[j] = load_tail::<L>(b[j].add(end), t, tail);
                    }
                    for i in 0..N {
                        let query = load_tail::<L>(a[i].add(end), t, tail);
                        for j in 0..RB {
                            acc[u][i][j] = L::mul_add(acc[u][i][j], query, row[j]);
                        }
                    }
                }
            }
            for (kept, acc) in kept.iter_mut().zip(acc) {
                *kept = acc;
            }
        }
        let mut sums = [[0.0; RB]; N];
        for i in 0..N {
            let mut folded = [L::zero(); RB];
            for j in 0..RB {
                let mut groups = [L::zero(); T];
                for t in 0..T {
                    groups[t] = all[t][i][j];
                }
                folded[j] = halve::<L, T>(groups);
            }
            sums[i] = L::sum4(folded);
        }
        sums
    }
}

/// Codes that an instruction set's offset turns into what it adds to every code.
const NOTHING: [i8; 64] = [0; 64];

/// Exact dot product of two rows of codes.
///
/// # Safety
/// As [`DepthI8`]; `a` and `b` are valid for `dim` reads.
#[inline(always)]
pub(super) unsafe fn pair_i8<L: DepthI8>(a: *const i8, b: *const i8, dim: usize) -> i32 {
    const U: usize = 4;
    const { assert!(L::CODES <= NOTHING.len()) };
    // Four independent sums hide the latency of the multiply-add: with an offset two, since each step has a second product.
    let lanes = if L::OFFSET { U / 2 } else { U };
    let steps = dim / L::CODES;
    // SAFETY: step `s < steps` lies inside of `dim`; the tail is read only as far as it goes.
    unsafe {
        let nothing = L::load_row(NOTHING.as_ptr());
        let mut acc = [L::zero(); U];
        let mut offset = [L::zero(); U];
        let mut s = 0;
        while s + lanes <= steps {
            for u in 0..lanes {
                let at = (s + u) * L::CODES;
                let query = L::load_query(a.add(at));
                acc[u] = L::mul_add(acc[u], query, L::load_row(b.add(at)));
                if L::OFFSET {
                    offset[u] = L::mul_add(offset[u], query, nothing);
                }
            }
            s += lanes;
        }
        // Written out: as a loop it would be unrolled again.
        for u in 0..lanes - 1 {
            if s + u < steps {
                let at = (s + u) * L::CODES;
                let query = L::load_query(a.add(at));
                acc[u] = L::mul_add(acc[u], query, L::load_row(b.add(at)));
                if L::OFFSET {
                    offset[u] = L::mul_add(offset[u], query, nothing);
                }
            }
        }
        let tail = dim % L::CODES;
        if tail != 0 {
            let at = steps * L::CODES;
            let query = L::load_part_query(a.add(at), tail);
            acc[1] = L::mul_add(acc[1], query, L::load_part_row(b.add(at), tail));
            if L::OFFSET {
                offset[1] = L::mul_add(offset[1], query, nothing);
            }
        }
        let all = |v: [L::Acc; U]| L::add(L::add(v[0], v[1]), L::add(v[2], v[3]));
        L::sum(if L::OFFSET { L::sub(all(acc), all(offset)) } else { all(acc) })
    }
}

/// What the offset of a set makes every dot with this row too large by; 0 where the set has none.
///
/// # Safety
/// As [`DepthI8`]; `a` is valid for `dim` reads.
#[inline(always)]
pub(super) unsafe fn offset<L: DepthI8>(a: *const i8, dim: usize) -> i32 {
    if !L::OFFSET {
        return 0;
    }
    let steps = dim / L::CODES;
    let tail = dim % L::CODES;
    // SAFETY: as in `pair_i8`.
    unsafe {
        let nothing = L::load_row(NOTHING.as_ptr());
        let mut acc = [L::zero(); 2];
        for s in 0..steps {
            acc[s % 2] = L::mul_add(acc[s % 2], L::load_query(a.add(s * L::CODES)), nothing);
        }
        if tail != 0 {
            acc[0] = L::mul_add(acc[0], L::load_part_query(a.add(steps * L::CODES), tail), nothing);
        }
        L::sum(L::add(acc[0], acc[1]))
    }
}

/// All pairs of a grid, int8.
///
/// # Safety
/// As [`DepthI8`]; every row of the grid is valid for `dim` reads, every output position for a write.
#[inline(always)]
pub(super) unsafe fn grid_i8<L: DepthI8, const QB: usize>(g: Grid<i8, u32>) {
    let mut walk = Walk::new::<_, _, QB, QB, true>(&g);
    loop {
        // SAFETY: a group has at most `QB` queries, all of the grid.
        unsafe {
            match walk.queries {
                0 => {}
                1 => group_i8::<L, 1>(&g, &walk),
                2 if QB >= 2 => group_i8::<L, 2>(&g, &walk),
                3 if QB >= 3 => group_i8::<L, 3>(&g, &walk),
                4 if QB >= 4 => group_i8::<L, 4>(&g, &walk),
                5 if QB >= 5 => group_i8::<L, 5>(&g, &walk),
                6 if QB >= 6 => group_i8::<L, 6>(&g, &walk),
                _ => {}
            }
        }
        if !walk.next(g.query_count) {
            return;
        }
    }
}

/// `N` queries x all rows.
#[inline(always)]
unsafe fn group_i8<L: DepthI8, const N: usize>(g: &Grid<i8, u32>, walk: &Walk) {
    let q = walk.query;
    // SAFETY: as in `group_f32`.
    unsafe {
        let mut offsets = [0; N];
        for i in 0..N {
            offsets[i] = offset::<L>(g.query(q + i), g.dim);
        }
        for b in 0..walk.tiles {
            tile_i8::<L, N>(g, q, b * walk.step, walk.apart, &offsets);
        }
        for r in RB * walk.tiles..g.row_count {
            for q in q..q + N {
                g.put(q, r, pair_i8::<L>(g.query(q), g.row(r), g.dim) as u32);
            }
        }
    }
}

/// `N` queries from `q` on x the rows `r + j * apart`.
#[inline(always)]
unsafe fn tile_i8<L: DepthI8, const N: usize>(g: &Grid<i8, u32>, q: usize, r: usize, apart: usize, offsets: &[i32; N]) {
    // SAFETY: the caller has `q + N <= query_count` and `r + 3 * apart < row_count`.
    unsafe {
        let (mut a, mut b) = ([g.queries; N], [g.rows; RB]);
        for i in 0..N {
            a[i] = g.query(q + i);
        }
        for j in 0..RB {
            b[j] = g.row(r + j * apart);
        }
        let sums = products_i8::<L, N>(a, b, g.dim);
        for i in 0..N {
            g.put4(q + i, r, apart, sums[i].map(|sum| sum.wrapping_sub(offsets[i]) as u32));
        }
    }
}

/// Dot products of one row with four, anywhere.
///
/// # Safety
/// As [`DepthI8`]; all rows are valid for `dim` reads.
#[inline(always)]
pub(super) unsafe fn quad_i8<L: DepthI8>(a: *const i8, b: [*const i8; RB], dim: usize) -> [i32; RB] {
    // SAFETY: the caller's promise.
    unsafe {
        let offset = offset::<L>(a, dim);
        let [sums] = products_i8::<L, 1>([a], b, dim);
        sums.map(|sum| sum.wrapping_sub(offset))
    }
}

/// Sums of `N` x 4 rows, anywhere, the set's offset still in them.
///
/// # Safety
/// As [`DepthI8`]; all rows are valid for `dim` reads.
#[inline(always)]
unsafe fn products_i8<L: DepthI8, const N: usize>(a: [*const i8; N], b: [*const i8; RB], dim: usize) -> [[i32; RB]; N] {
    let steps = dim / L::CODES;
    let tail = dim % L::CODES;
    // SAFETY: offsets as in `pair_i8`.
    unsafe {
        let mut acc = [[L::zero(); RB]; N];
        for s in 0..steps {
            let at = s * L::CODES;
            for j in 0..RB {
                let row = L::load_row(b[j].add(at));
                for i in 0..N {
                    acc[i][j] = L::mul_add(acc[i][j], L::load_query(a[i].add(at)), row);
                }
            }
        }
        if tail != 0 {
            let at = steps * L::CODES;
            for j in 0..RB {
                let row = L::load_part_row(b[j].add(at), tail);
                for i in 0..N {
                    acc[i][j] = L::mul_add(acc[i][j], L::load_part_query(a[i].add(at), tail), row);
                }
            }
        }
        let mut sums = [[0; RB]; N];
        for i in 0..N {
            sums[i] = L::sum4(acc[i]);
        }
        sums
    }
}

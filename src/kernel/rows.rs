//! Passes over one row or one strip of scores, written as plain loops that the compiler vectorises for the shell they run in.

use crate::cpu::MICROCONTROLLER;
use crate::simd::DepthF32;
use crate::topk::bits;

/// Scores a strip holds: one bit each in a `u64`, at most one word of an allow bitmap; on a microcontroller what little stack holds.
pub(crate) const STRIP: usize = if MICROCONTROLLER { 16 } else { 64 };

/// Bit `i` says whether `scores[i] > threshold`, for at most [`STRIP`] scores; false for NaN.
///
/// # Safety
/// As [`DepthF32`]; `scores` is valid for `n` reads.
#[inline(always)]
pub(super) unsafe fn above<L: DepthF32>(scores: *const f32, n: usize, threshold: f32) -> u64 {
    let n = n.min(STRIP);
    let mut mask = 0u64;
    let mut i = 0;
    // SAFETY: vectors start at `i` with `i + LANES <= n`, the part at the end has `n - i` elements.
    unsafe {
        let limit = L::splat(threshold);
        while i + L::LANES <= n {
            mask |= u64::from(L::greater(L::load(scores.add(i)), limit)) << i;
            i += L::LANES;
        }
        if i < n {
            // Elements past the end read as zero, which may be above the threshold.
            let part = u64::from(L::greater(L::load_part(scores.add(i), n - i), limit)) & ((1 << (n - i)) - 1);
            mask |= part << i;
        }
    }
    mask
}

/// Appends the scores whose bit is set, that are above `cut` and finite to `to`; returns how many. -0 becomes +0, so that equal
/// scores have equal bits. Elements past them may be written too.
///
/// # Safety
/// As [`DepthF32`]; `scores` is valid for `n <= STRIP` reads, `to` for `n + 1` writes rounded up to whole vectors.
#[inline(always)]
pub(super) unsafe fn append<L: DepthF32>(scores: *const f32, n: usize, mask: u64, cut: f32, to: *mut f32) -> usize {
    let mut len = 0;
    let mask = mask & (u64::MAX >> (64 - n.clamp(1, 64)));
    // SAFETY: reads stay below `n`; `len` never exceeds the number of scores looked at.
    unsafe {
        if L::COMPRESSES {
            let (cut, end, zero) = (L::splat(cut), L::splat(f32::INFINITY), L::zero());
            let mut i = 0;
            while i < n {
                let v = if i + L::LANES <= n { L::load(scores.add(i)) } else { L::load_part(scores.add(i), n - i) };
                let wanted = (mask >> i) as u32 & L::greater(v, cut) & L::greater(end, v);
                L::store(to.add(len), L::compress(L::add(v, zero), wanted));
                len += wanted.count_ones() as usize;
                i += L::LANES;
            }
        } else {
            for at in bits(mask) {
                let score = *scores.add(at);
                *to.add(len) = score + 0.0;
                len += usize::from(score > cut && score < f32::INFINITY);
            }
        }
    }
    len
}

/// Inserts those of the scores whose bit is set that beat the last of a row sorted best first; infinities are left out, -0
/// becomes +0.
#[inline(always)]
pub(super) fn insert_above<L: DepthF32>(best: &mut [f32], scores: &[f32], mask: u64) {
    let Some(&last) = best.last() else { return };
    // SAFETY: this runs in the shell of `L`; the slice holds what is read.
    let of = |limit| unsafe { above::<L>(scores.as_ptr(), scores.len(), limit) };
    let mask = mask & of(last);
    if mask == 0 {
        return;
    }
    // Where vectors can be moved by a lane, the row stays in registers meanwhile.
    if L::SHIFTS {
        let mask = mask & !of(f32::MAX);
        match best.len().div_ceil(L::LANES) {
            1 => return insert_held::<L, 1>(best, scores, mask),
            2 => return insert_held::<L, 2>(best, scores, mask),
            3 | 4 => return insert_held::<L, 4>(best, scores, mask),
            5..=8 => return insert_held::<L, 8>(best, scores, mask),
            _ => {}
        }
    }
    for at in bits(mask) {
        if let (Some(&score), Some(&last)) = (scores.get(at), best.last())
            && score > last
            && score < f32::INFINITY
        {
            insert::<L>(best, score + 0.0);
        }
    }
}

/// As [`insert`] for every score whose bit is set, in a row of at most `N` vectors. A score that beats none changes nothing.
#[inline(always)]
fn insert_held<L: DepthF32, const N: usize>(best: &mut [f32], scores: &[f32], mask: u64) {
    let (p, n) = (best.as_mut_ptr(), best.len());
    let held = |v: usize| n.saturating_sub(v * L::LANES).min(L::LANES);
    // SAFETY: this runs in the shell of `L`; of every vector those elements are read and written that are inside of the slice.
    unsafe {
        // What is read as zero past the end never moves to the front.
        let mut row: [L::V; N] = core::array::from_fn(|v| match held(v) {
            n if n == L::LANES => L::load(p.add(v * L::LANES)),
            n => L::load_part(p.wrapping_add(v * L::LANES), n),
        });
        for at in bits(mask) {
            let score = L::add(L::splat(scores.get(at).copied().unwrap_or(f32::NEG_INFINITY)), L::zero());
            let mut before = L::splat(f32::INFINITY);
            for own in &mut row {
                let shifted = L::shift_in(before, *own);
                before = *own;
                *own = L::max(*own, L::min(shifted, score));
            }
        }
        for (v, vector) in row.into_iter().enumerate() {
            match held(v) {
                n if n == L::LANES => L::store(p.add(v * L::LANES), vector),
                n => L::store_part(p.wrapping_add(v * L::LANES), vector, n),
            }
        }
    }
}

/// Inserts a number into a row that is sorted, best first; the last falls out. Without a branch on values: each place keeps its
/// own, or takes the newcomer, or that of the place before, `max(own, min(before, newcomer))`.
#[inline(always)]
fn insert<L: DepthF32>(best: &mut [f32], score: f32) {
    let (p, mut end) = (best.as_mut_ptr(), best.len());
    // SAFETY: this runs in the shell of `L`; a vector that ends at `end`, and the one a place before, are inside of the slice.
    unsafe {
        while end > L::LANES {
            let at = p.add(end - L::LANES);
            L::store(at, L::max(L::load(at), L::min(L::load(at.sub(1)), L::splat(score))));
            end -= L::LANES;
        }
    }
    let mut before = f32::INFINITY;
    for place in best.iter_mut().take(end) {
        let own = *place;
        let less = if before < score { before } else { score };
        *place = if own > less { own } else { less };
        before = own;
    }
}

/// Moves the scores above `value` to the front, in order; returns how many there are.
#[inline(always)]
pub(super) fn retain_above<L: DepthF32>(scores: &mut [f32], value: f32) -> usize {
    let (n, p) = (scores.len(), scores.as_mut_ptr());
    let (mut kept, mut i) = (0, 0);
    if L::COMPRESSES {
        while i + L::LANES <= n {
            // SAFETY: this runs in the shell of `L`; a vector from `i`, and thus one from `kept <= i`, is inside of the slice.
            unsafe {
                let v = L::load(p.add(i));
                let above = L::greater(v, L::splat(value));
                L::store(p.add(kept), L::compress(v, above));
                kept += above.count_ones() as usize;
            }
            i += L::LANES;
        }
    }
    while i < n {
        // SAFETY: `kept <= i < n`.
        unsafe {
            let score = *p.add(i);
            *p.add(kept) = score;
            kept += usize::from(score > value);
        }
        i += 1;
    }
    kept
}

/// As [`retain_above`], with the ids of the scores.
///
/// # Safety
/// As [`DepthF32`]; there are as many ids as scores.
#[inline(always)]
pub(super) unsafe fn retain_pairs_above<L: DepthF32>(scores: &mut [f32], ids: &mut [u32], value: f32) -> usize {
    let (n, p, q) = (scores.len(), scores.as_mut_ptr(), ids.as_mut_ptr());
    let (mut kept, mut i) = (0, 0);
    // SAFETY: `kept <= i`, and `i`, or a vector from it, is inside of both slices. Ids are moved as the bits of floats.
    unsafe {
        if L::COMPRESSES {
            while i + L::LANES <= n {
                let (v, w) = (L::load(p.add(i)), L::load(q.add(i).cast()));
                let above = L::greater(v, L::splat(value));
                L::store(p.add(kept), L::compress(v, above));
                L::store(q.add(kept).cast(), L::compress(w, above));
                kept += above.count_ones() as usize;
                i += L::LANES;
            }
        }
        while i < n {
            let score = *p.add(i);
            *p.add(kept) = score;
            *q.add(kept) = *q.add(i);
            kept += usize::from(score > value);
            i += 1;
        }
    }
    kept
}

/// Sorts by counting for each score how many are greater, best first: quadratic, but without a branch that depends on the scores.
/// No score is NaN; `work` has room for them all.
#[inline(always)]
pub(super) fn sort_by_rank(scores: &mut [f32], work: &mut [f32]) {
    for (copy, score) in work.iter_mut().zip(&*scores) {
        *copy = *score;
    }
    let copies = work.get(..scores.len()).unwrap_or_default();
    scores.fill(f32::NAN);
    for &score in copies {
        if let Some(slot) = scores.get_mut(count_above(copies, score)) {
            *slot = score;
        }
    }
    // Equal scores fell on one place; those after it are theirs.
    let mut last = f32::NAN;
    for slot in scores {
        if slot.is_nan() {
            *slot = last;
        }
        last = *slot;
    }
}

/// The sum in f64, if no order of adding rounds: then it is the sum best first. All values are multiples of the last place of the
/// smallest, and f64 holds 53 places.
#[inline(always)]
pub(super) fn sum_if_exact(values: &[f32]) -> Option<f64> {
    const LANES: usize = 16;
    let (most, least) = values.iter().fold((0, u32::MAX), |(most, least), x| {
        let bits = x.to_bits() & 0x7FFF_FFFF;
        (bits.max(most), bits.wrapping_sub(1).min(least)) // zero is a multiple of everything
    });
    let exponent = |bits: u32| (bits >> 23).max(1);
    let carries = usize::BITS - values.len().leading_zeros();
    if most >= f32::INFINITY.to_bits() || exponent(most) + 24 + carries > exponent(least.wrapping_add(1)) + 53 {
        return None;
    }
    let mut lanes = [0f64; LANES];
    let (chunks, tail) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane += f64::from(*x);
        }
    }
    for (lane, x) in lanes.iter_mut().zip(tail) {
        *lane += f64::from(*x);
    }
    Some(lanes.iter().sum())
}

/// `scores[i] -= bias[i]`; whether any is then greater than `threshold`. Without biases only the latter.
#[inline(always)]
pub(super) fn debias(scores: &mut [f32], bias: Option<&[f32]>, threshold: f32) -> bool {
    if MICROCONTROLLER {
        // The test of the strip that follows is enough.
        scores.iter_mut().zip(bias.unwrap_or_default()).for_each(|(score, bias)| *score -= bias);
        return true;
    }
    let Some(bias) = bias else { return count_above(scores, threshold) > 0 };
    let mut above = 0u32; // as wide as the scores
    for (score, bias) in scores.iter_mut().zip(bias) {
        *score -= bias;
        above += u32::from(*score > threshold);
    }
    above > 0
}

/// Turns exact dots (i32 bits) of a query into scores: `((f32)dot * scale_query) * scale_row`, each step rounded.
#[inline(always)]
pub(super) fn scale_scores(dots: &mut [f32], scale_query: f32, scale_rows: Option<&[f32]>) {
    if MICROCONTROLLER {
        // One loop, for its size.
        for (i, dot) in dots.iter_mut().enumerate() {
            let scale = scale_rows.and_then(|scales| scales.get(i).copied()).unwrap_or(1.0);
            *dot = (dot.to_bits() as i32 as f32 * scale_query) * scale;
        }
        return;
    }
    match scale_rows {
        Some(scales) => {
            for (dot, scale) in dots.iter_mut().zip(scales) {
                *dot = (dot.to_bits() as i32 as f32 * scale_query) * scale;
            }
        }
        None => {
            for dot in dots {
                *dot = dot.to_bits() as i32 as f32 * scale_query;
            }
        }
    }
}

/// Largest absolute value of a row as bits: the order of the bits is that of the values, NaN above infinity.
#[inline(always)]
pub(super) fn max_abs_bits(row: &[f32]) -> u32 {
    row.iter().fold(0, |max, x| max.max(x.to_bits() & 0x7FFF_FFFF))
}

/// Sum of squares in f64, lane by lane: every square of an f32 is exact there, so fused or not gives the same bits.
#[inline(always)]
pub(super) fn sum_of_squares(row: &[f32]) -> f64 {
    const LANES: usize = 16;
    let mut lanes = [0f64; LANES];
    let (chunks, tail) = row.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane += f64::from(*x) * f64::from(*x);
        }
    }
    for (lane, x) in lanes.iter_mut().zip(tail) {
        *lane += f64::from(*x) * f64::from(*x);
    }
    let mut n = LANES;
    while n > 1 {
        n /= 2;
        for i in 0..n {
            lanes[i] += lanes[i + n];
        }
    }
    lanes[0]
}

/// `dst[i] = src[i] * factor`, the product in f64, rounded once.
#[inline(always)]
pub(super) fn scale_row(src: &[f32], dst: &mut [f32], factor: f64) {
    for (dst, src) in dst.iter_mut().zip(src) {
        *dst = (f64::from(*src) * factor) as f32;
    }
}

/// `dst[i] = dst[i] * factor`, as [`scale_row`].
#[inline(always)]
pub(super) fn scale_row_in_place(dst: &mut [f32], factor: f64) {
    for x in dst {
        *x = (f64::from(*x) * factor) as f32;
    }
}

/// `dst[i] = src[i] / scale` rounded to the nearest integer, ties to even. The quotients are at most 127 in magnitude.
#[inline(always)]
pub(super) fn quantize_row(src: &[f32], dst: &mut [i8], scale: f32) {
    // Adding and subtracting 1.5 * 2^23 leaves the integer nearest to a small f32, ties to even, without a rounding instruction.
    const ROUND: f32 = 12_582_912.0;
    for (dst, src) in dst.iter_mut().zip(src) {
        let code = ((src / scale) + ROUND) - ROUND;
        // The low bits of the biased sum are the integer: as exact as a conversion, and vectorised everywhere.
        *dst = ((code + ROUND).to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32) as i8;
    }
}

/// How many scores are greater than `value`.
#[inline(always)]
pub(super) fn count_above(scores: &[f32], value: f32) -> usize {
    // A 32-bit count keeps the lanes as wide as the scores; a list is never that long.
    scores.iter().fold(0u32, |count, &score| count + u32::from(score > value)) as usize
}

/// How many of the finite `scores[i] - bias[i]` (no bias: `scores[i]`) are greater than `value`.
#[inline(always)]
pub(super) fn count_better(scores: &[f32], bias: Option<&[f32]>, value: f32) -> usize {
    let better = |count: u32, score: f32| count + u32::from((score > value) & (score < f32::INFINITY));
    match bias {
        Some(bias) => scores.iter().zip(bias).fold(0, |count, (score, bias)| better(count, score - bias)) as usize,
        None => scores.iter().fold(0, |count, &score| better(count, score)) as usize,
    }
}

/// Order-preserving integer of a float that is not NaN.
#[inline(always)]
fn key(x: f32) -> i32 {
    let bits = x.to_bits() as i32;
    bits ^ ((bits >> 31) as u32 >> 1) as i32
}

/// Least and greatest key of the scores, none of which is NaN. (Integers: a float minimum cannot be taken lane by lane.)
#[inline(always)]
pub(super) fn min_max(scores: &[f32]) -> (i32, i32) {
    scores.iter().fold((i32::MAX, i32::MIN), |(least, most), &score| (least.min(key(score)), most.max(key(score))))
}

/// `|row - scale * codes|^2` in f64. A code times its scale is exact there, so the difference has one rounding.
#[inline(always)]
pub(super) fn squared_residual(row: &[f32], codes: &[i8], scale: f32) -> f64 {
    const LANES: usize = 8;
    let mut lanes = [0f64; LANES];
    let scale = f64::from(scale);
    let (rows, row_tail) = row.as_chunks::<LANES>();
    let (code_chunks, code_tail) = codes.as_chunks::<LANES>();
    for (row, codes) in rows.iter().zip(code_chunks) {
        for ((lane, x), code) in lanes.iter_mut().zip(row).zip(codes) {
            let lost = f64::from(*x) - f64::from(*code) * scale;
            *lane += lost * lost;
        }
    }
    for ((lane, x), code) in lanes.iter_mut().zip(row_tail).zip(code_tail) {
        let lost = f64::from(*x) - f64::from(*code) * scale;
        *lane += lost * lost;
    }
    lanes.iter().sum()
}

/// Orthonormal Walsh-Hadamard transform of a power of two of elements. Returns how many roundings each element goes through: one
/// a level, and two for the factor that keeps the norm.
#[inline(always)]
pub(super) fn hadamard(row: &mut [f32]) -> f64 {
    let mut half = 1;
    let mut levels = 0;
    while half < row.len() {
        for pair in row.chunks_exact_mut(2 * half) {
            if let Some((low, high)) = pair.split_at_mut_checked(half) {
                for (a, b) in low.iter_mut().zip(high) {
                    (*a, *b) = (*a + *b, *a - *b);
                }
            }
        }
        half *= 2;
        levels += 1;
    }
    let factor = libm::sqrtf(1.0 / row.len() as f32); // exact for an even number of levels, else rounded
    for x in row.iter_mut() {
        *x *= factor;
    }
    f64::from(levels) + 2.0
}

//! The shells: `#[target_feature]` functions that instantiate the generic algorithms (`depth`, `tile`, `rows`) for one lane type of
//! `simd`, in a module named after the instruction set, so that symbol names tell which instructions a function may hold.
//!
//! Those without features of their own are kept out of line too: inlined into the dispatch, their stack and saved registers would be paid
//! for by every call of the others.
//!
//! Every shell is unsafe to call: the machine must have the module's instruction set, and the arguments must be what the algorithm
//! of the same name asks for.

/// The f32 shells, and those that work on scores, of one instruction set.
macro_rules! f32_shells {
    ($(#[$cfg:meta])? $name:ident, [$($attribute:meta),*], depth: $depth:ty, registers: $t:literal / $u:literal,
     queries: $first:literal / $qb:literal, sums: $sums:literal, tile: $tile:ty, $mr:literal x $nv:literal) => {
        $(#[$cfg])?
        pub(in crate::kernel) mod $name {
            use crate::kernel::depth::{self, Grid};
            use core::num::NonZeroUsize;
            use crate::kernel::exp::{self, Terms};
            use crate::kernel::pack::{self, PanelJob};
            use crate::kernel::rows;
            use crate::kernel::TileShape;
            use crate::kernel::tile::{self, ChainJob, TileJob};
            use crate::simd;
            pub(in crate::kernel) const SHAPE: TileShape = TileShape::of::<$tile>($mr, $nv, NonZeroUsize::MIN);
            $(#[$attribute])*
            pub(in crate::kernel) unsafe fn pair(a: *const f32, b: *const f32, dim: usize) -> f32 {
                // SAFETY: the shell's contract is the algorithm's.
                unsafe { depth::pair_f32::<$depth, $t, $u>(a, b, dim) }
            }
            $(#[$attribute])*
            pub(in crate::kernel) unsafe fn quad(a: *const f32, b: [*const f32; 4], dim: usize) -> [f32; 4] {
                // SAFETY: the shell's contract is the algorithm's.
                let [sums] = unsafe { depth::products_f32::<$depth, $t, 1, $sums, false>([a], b, dim, 0) };
                sums
            }
            $(#[$attribute])*
            pub(in crate::kernel) unsafe fn grid(g: Grid<f32, f32>) {
                // SAFETY: the shell's contract is the algorithm's.
                unsafe { depth::grid_f32::<$depth, $t, $u, $first, $qb, $sums>(g) }
            }
            $(#[$attribute])*
            pub(in crate::kernel) unsafe fn group(job: TileJob) {
                // SAFETY: the shell's contract is the algorithm's.
                unsafe { tile::group::<$tile, $mr, $nv>(job) }
            }
            $(#[$attribute])*
            pub(in crate::kernel) unsafe fn panel(job: PanelJob<f32>) -> usize {
                // SAFETY: the shell's contract is the algorithm's.
                unsafe { pack::panel::<$tile, { <$tile as simd::TileLanes>::LANES }>(job) }
            }
            $(#[$attribute])*
            pub(in crate::kernel) unsafe fn copy_words(row: &[f32], words: &mut [u32]) {
                pack::copy_f32(row, words)
            }
            $(#[$attribute])*
            pub(in crate::kernel) unsafe fn chains(job: ChainJob, sums: &mut [f32]) {
                // SAFETY: the shell's contract is the algorithm's.
                unsafe { tile::chains::<$tile, { <$tile as simd::TileLanes>::LANES }>(job, sums) }
            }
            $(#[$attribute])*
            pub(in crate::kernel) unsafe fn above(scores: *const f32, n: usize, threshold: f32) -> u64 {
                // SAFETY: the shell's contract is the algorithm's.
                unsafe { rows::above::<$depth>(scores, n, threshold) }
            }
            $(#[$attribute])*
            pub(in crate::kernel) unsafe fn append(scores: *const f32, n: usize, mask: u64, cut: f32, to: *mut f32) -> usize {
                // SAFETY: the shell's contract is the algorithm's.
                unsafe { rows::append::<$depth>(scores, n, mask, cut, to) }
            }
            $(#[$attribute])*
            pub(in crate::kernel) unsafe fn debias(scores: &mut [f32], bias: Option<&[f32]>, threshold: f32) -> bool {
                rows::debias(scores, bias, threshold)
            }
            $(#[$attribute])*
            pub(in crate::kernel) unsafe fn insert_above(best: &mut [f32], scores: &[f32], mask: u64) {
                rows::insert_above::<$depth>(best, scores, mask)
            }
            $(#[$attribute])*
            pub(in crate::kernel) unsafe fn retain_above(scores: &mut [f32], value: f32) -> usize {
                rows::retain_above::<$depth>(scores, value)
            }
            $(#[$attribute])*
            pub(in crate::kernel) unsafe fn retain_pairs_above(scores: &mut [f32], ids: &mut [u32], value: f32) -> usize {
                // SAFETY: the shell's contract is the algorithm's.
                unsafe { rows::retain_pairs_above::<$depth>(scores, ids, value) }
            }
            $(#[$attribute])*
            pub(in crate::kernel) unsafe fn sort_by_rank(scores: &mut [f32], work: &mut [f32]) {
                rows::sort_by_rank(scores, work)
            }
            $(#[$attribute])*
            pub(in crate::kernel) unsafe fn sum_if_exact(values: &[f32]) -> Option<f64> {
                rows::sum_if_exact(values)
            }
            $(#[$attribute])*
            pub(in crate::kernel) unsafe fn scale_scores(dots: &mut [f32], scale_query: f32, scale_rows: Option<&[f32]>) {
                rows::scale_scores(dots, scale_query, scale_rows)
            }
            $(#[$attribute])*
            pub(in crate::kernel) unsafe fn max_abs_bits(row: &[f32]) -> u32 {
                rows::max_abs_bits(row)
            }
            $(#[$attribute])*
            pub(in crate::kernel) unsafe fn count_above(scores: &[f32], value: f32) -> usize {
                rows::count_above(scores, value)
            }
            $(#[$attribute])*
            pub(in crate::kernel) unsafe fn count_better(scores: &[f32], bias: Option<&[f32]>, value: f32) -> usize {
                rows::count_better(scores, bias, value)
            }
            $(#[$attribute])*
            pub(in crate::kernel) unsafe fn min_max(scores: &[f32]) -> (i32, i32) {
                rows::min_max(scores)
            }
            $(#[$attribute])*
            pub(in crate::kernel) unsafe fn exp2_terms(
                scores: *const f32, weights: *const f32, n: usize, factor: f32, terms: &mut Terms,
            ) {
                // SAFETY: the shell's contract is the algorithm's.
                unsafe { exp::fill::<$depth>(scores, weights, n, factor, terms) }
            }
            $(#[$attribute])*
            pub(in crate::kernel) unsafe fn term_bins(terms: &Terms, n: usize) -> (i32, i32) {
                exp::bins(terms, n)
            }
            $(#[$attribute])*
            pub(in crate::kernel) unsafe fn sum_terms(terms: &Terms, n: usize, bin: i32) -> u64 {
                exp::sum(terms, n, bin)
            }
            $(#[$attribute])*
            pub(in crate::kernel) unsafe fn sum_terms_in(terms: &Terms, n: usize, bin: i32) -> u64 {
                exp::sum_in(terms, n, bin)
            }
            $(#[$attribute])*
            pub(in crate::kernel) unsafe fn sum_of_squares(row: &[f32]) -> f64 {
                rows::sum_of_squares(row)
            }
            $(#[$attribute])*
            pub(in crate::kernel) unsafe fn squared_residual(row: &[f32], codes: &[i8], scale: f32) -> f64 {
                rows::squared_residual(row, codes, scale)
            }
            $(#[$attribute])*
            pub(in crate::kernel) unsafe fn hadamard(row: &mut [f32]) -> f64 {
                rows::hadamard(row)
            }
            $(#[$attribute])*
            pub(in crate::kernel) unsafe fn scale_row(src: &[f32], dst: &mut [f32], factor: f64) {
                rows::scale_row(src, dst, factor)
            }
            $(#[$attribute])*
            pub(in crate::kernel) unsafe fn scale_row_in_place(dst: &mut [f32], factor: f64) {
                rows::scale_row_in_place(dst, factor)
            }
            $(#[$attribute])*
            pub(in crate::kernel) unsafe fn quantize_row(src: &[f32], dst: &mut [i8], scale: f32) {
                rows::quantize_row(src, dst, scale)
            }
        }
    };
}

/// The int8 shells of one instruction set; those along the depth may be another set's.
macro_rules! i8_shells {
    ($(#[$cfg:meta])? $name:ident, [$($attribute:meta),*], depth: $depth:ty, queries: $qb:literal, tile: $tile:ty, $layout:ident, $mr:literal x $nv:literal) => {
        $(#[$cfg])?
        pub(in crate::kernel) mod $name {
            use crate::kernel::depth::{self, Grid};
            $(#[$attribute])*
            pub(in crate::kernel) unsafe fn pair(a: *const i8, b: *const i8, dim: usize) -> i32 {
                // SAFETY: the shell's contract is the algorithm's.
                unsafe { depth::pair_i8::<$depth>(a, b, dim) }
            }
            $(#[$attribute])*
            pub(in crate::kernel) unsafe fn quad(a: *const i8, b: [*const i8; 4], dim: usize) -> [i32; 4] {
                // SAFETY: the shell's contract is the algorithm's.
                unsafe { depth::quad_i8::<$depth>(a, b, dim) }
            }
            $(#[$attribute])*
            pub(in crate::kernel) unsafe fn offset(a: *const i8, dim: usize) -> i32 {
                // SAFETY: the shell's contract is the algorithm's.
                unsafe { depth::offset::<$depth>(a, dim) }
            }
            $(#[$attribute])*
            pub(in crate::kernel) unsafe fn grid(g: Grid<i8, u32>) {
                // SAFETY: the shell's contract is the algorithm's.
                unsafe { depth::grid_i8::<$depth, $qb>(g) }
            }
            i8_shells!(@tile [$($attribute),*], $tile, $layout, $mr x $nv);
        }
    };
    ($(#[$cfg:meta])? $name:ident, [$($attribute:meta),*], depth of: $other:ident, tile: $tile:ty, $layout:ident, $mr:literal x $nv:literal) => {
        $(#[$cfg])?
        pub(in crate::kernel) mod $name {
            pub(in crate::kernel) use super::$other::{grid, offset, pair, quad};
            i8_shells!(@tile [$($attribute),*], $tile, $layout, $mr x $nv);
        }
    };
    (@tile [$($attribute:meta),*], $tile:ty, $layout:ident, $mr:literal x $nv:literal) => {
        use crate::kernel::TileShape;
        use crate::kernel::pack::{self, PanelJob};
        use crate::kernel::tile::{self, TileJob};
        use crate::simd::{self, WordLayout};
        pub(in crate::kernel) const LAYOUT: WordLayout = WordLayout::$layout;
        pub(in crate::kernel) const SHAPE: TileShape = TileShape::of::<$tile>($mr, $nv, LAYOUT.codes());
        $(#[$attribute])*
        pub(in crate::kernel) unsafe fn group(job: TileJob) {
            // SAFETY: the shell's contract is the algorithm's.
            unsafe { tile::group::<$tile, $mr, $nv>(job) }
        }
        $(#[$attribute])*
        pub(in crate::kernel) unsafe fn panel(job: PanelJob<i8>) -> usize {
            // SAFETY: the shell's contract is the algorithm's.
            unsafe { pack::panel::<$tile, { <$tile as simd::TileLanes>::LANES }>(job) }
        }
        $(#[$attribute])*
        pub(in crate::kernel) unsafe fn copy_words(row: &[i8], words: &mut [u32]) {
            pack::copy_codes(LAYOUT, row, words)
        }
    };
}

/// f32, and scores.
pub(super) mod f32_isa {
    f32_shells!(scalar, [cfg_attr(not(all(target_os = "none", target_pointer_width = "32")), inline(never))], depth: simd::scalar::Scalar, registers: 32 / 8, queries: 1 / 1, sums: 8, tile: simd::scalar::Scalar, 4 x 2);
    f32_shells!(#[cfg(not(all(target_os = "none", target_pointer_width = "32")))] portable, [cfg_attr(not(all(target_os = "none", target_pointer_width = "32")), inline(never))], depth: simd::portable::Portable, registers: 8 / 8, queries: 1 / 2, sums: 8, tile: simd::portable::Portable, 4 x 2);
    f32_shells!(#[cfg(target_arch = "x86_64")] avx2, [target_feature(enable = "avx2,fma")],
        depth: simd::avx2::Avx2, registers: 4 / 4, queries: 3 / 3, sums: 12, tile: simd::avx2::Avx2, 6 x 2);
    f32_shells!(#[cfg(target_arch = "x86_64")] avx512, [target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")],
        depth: simd::avx512::Avx512, registers: 2 / 2, queries: 3 / 4, sums: 24, tile: simd::avx512::Avx512, 8 x 3);
    f32_shells!(#[cfg(all(target_arch = "aarch64", target_feature = "neon", target_endian = "little"))] neon,
        [target_feature(enable = "neon")],
        depth: simd::neon::Neon, registers: 8 / 8, queries: 1 / 4, sums: 16, tile: simd::neon::Neon, 8 x 3);
}

/// int8.
pub(super) mod i8_isa {
    i8_shells!(scalar, [cfg_attr(not(all(target_os = "none", target_pointer_width = "32")), inline(never))], depth: simd::scalar::Scalar, queries: 1, tile: simd::scalar::ScalarCodes, Wide2, 4 x 2);
    i8_shells!(#[cfg(not(all(target_os = "none", target_pointer_width = "32")))] portable, [cfg_attr(not(all(target_os = "none", target_pointer_width = "32")), inline(never))], depth: simd::portable::Portable, queries: 2, tile: simd::portable::PortableCodes, Wide2, 4 x 2);
    i8_shells!(#[cfg(target_arch = "x86_64")] avx2, [target_feature(enable = "avx2")],
        depth: simd::avx2::Avx2, queries: 2, tile: simd::avx2::Avx2Codes, Wide2, 6 x 2);
    i8_shells!(#[cfg(target_arch = "x86_64")] avxvnni, [target_feature(enable = "avx2,avxvnni")],
        depth: simd::avxvnni::AvxVnni, queries: 2, tile: simd::avxvnni::AvxVnni, Offset4, 6 x 2);
    i8_shells!(#[cfg(target_arch = "x86_64")] avx512, [target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2")],
        depth: simd::avx512::Avx512, queries: 4, tile: simd::avx512::Avx512Codes, Wide2, 8 x 3);
    i8_shells!(#[cfg(target_arch = "x86_64")] avx512vnni,
        [target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2")],
        depth: simd::avx512vnni::Avx512Vnni, queries: 6, tile: simd::avx512vnni::Avx512Vnni, Offset4, 8 x 3);
    i8_shells!(#[cfg(all(target_arch = "aarch64", target_feature = "neon", target_endian = "little"))] neon,
        [target_feature(enable = "neon")],
        depth: simd::neon::Neon, queries: 4, tile: simd::neon::NeonCodes, Signed4, 4 x 4);
    i8_shells!(#[cfg(all(target_arch = "aarch64", target_feature = "neon", target_endian = "little"))] neon_dotprod,
        [target_feature(enable = "neon,dotprod")],
        depth: simd::neon_dotprod::NeonDotprod, queries: 4, tile: simd::neon_dotprod::NeonDotprod, Signed4, 8 x 3);
    i8_shells!(#[cfg(all(target_arch = "aarch64", target_feature = "neon", target_endian = "little"))] neon_i8mm,
        [target_feature(enable = "neon,dotprod,i8mm")],
        depth of: neon_dotprod, tile: simd::neon_i8mm::NeonI8mm, Signed4, 4 x 6);
}

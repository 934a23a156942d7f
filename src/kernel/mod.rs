//! The kernels as safe functions: each checks what its unsafe part relies on, picks the shell of the given instruction set, calls it.
//!
//! To add an instruction set: one file in `simd`, a line in each family of `shells`, an arm in the two macros below, a variant in
//! `cpu`.

#[cfg_attr(all(target_os = "none", target_pointer_width = "32"), allow(dead_code))]
mod depth;
mod direct;
mod exp;
mod pack;
mod pass;
mod rows;
#[cfg_attr(all(target_os = "none", target_pointer_width = "32"), allow(dead_code))]
mod shells;
#[cfg(test)]
mod tests;
mod tile;

#[cfg(not(all(target_os = "none", target_pointer_width = "32")))]
use crate::cpu::Isa;
use crate::cpu::Supported;
use crate::matrix::{Element, Matrix};
use crate::simd::{TileLanes, WordLayout};
use core::num::NonZeroUsize;
use core::ptr::{null, null_mut};
use depth::Grid;
pub(crate) use exp::{T_MAX, TERMS, Terms, large_term, unit_exponent};
use pack::{PanelJob, pair_word, quad_word};
pub(crate) use pass::{
    Plain, SCRATCH_MIN, Sink, TILE_BYTES, as_f32_mut, f32_part, f64_part, tile_bytes, tile_pass, u32_part, words_as, words_of,
};
pub(crate) use rows::STRIP;
use shells::{f32_isa, i8_isa};
use tile::{ScoreJob, TileJob};

/// Evaluates `$body` with `$shell` naming the shells of one instruction set, for each arm `pattern => module`.
macro_rules! with_shells {
    ($isa:expr, $family:ident, $shell:ident => $body:expr, $($(#[$cfg:meta])? $isas:pat => $name:ident,)*) => {
        match $isa.get() {
            $($(#[$cfg])? $isas => {
                use $family::$name as $shell;
                $body
            })*
            // Never detected on this architecture.
            #[allow(unreachable_patterns)]
            _ => {
                use $family::scalar as $shell;
                $body
            }
        }
    };
}

/// Evaluates `$body` with `$shell` naming the f32 shells of `$isa`.
macro_rules! with_f32_shells {
    ($isa:expr, $shell:ident => $body:expr) => {
        with_shells!($isa, f32_isa, $shell => $body,
            #[cfg(not(all(target_os = "none", target_pointer_width = "32")))] Isa::Portable => portable,
            #[cfg(target_arch = "x86_64")] Isa::Avx2 | Isa::AvxVnni => avx2,
            #[cfg(target_arch = "x86_64")] Isa::Avx512 | Isa::Avx512Vnni => avx512,
            #[cfg(all(target_arch = "aarch64", target_feature = "neon", target_endian = "little"))]
            Isa::Neon | Isa::NeonDotprod | Isa::NeonI8mm => neon,
        )
    };
}

/// Evaluates `$body` with `$shell` naming the int8 shells of `$isa`.
macro_rules! with_i8_shells {
    ($isa:expr, $shell:ident => $body:expr) => {
        with_shells!($isa, i8_isa, $shell => $body,
            #[cfg(not(all(target_os = "none", target_pointer_width = "32")))] Isa::Portable => portable,
            #[cfg(target_arch = "x86_64")] Isa::Avx2 => avx2,
            #[cfg(target_arch = "x86_64")] Isa::AvxVnni => avxvnni,
            #[cfg(target_arch = "x86_64")] Isa::Avx512 => avx512,
            #[cfg(target_arch = "x86_64")] Isa::Avx512Vnni => avx512vnni,
            #[cfg(all(target_arch = "aarch64", target_feature = "neon", target_endian = "little"))]
            Isa::Neon => neon,
            #[cfg(all(target_arch = "aarch64", target_feature = "neon", target_endian = "little"))]
            Isa::NeonDotprod => neon_dotprod,
            #[cfg(all(target_arch = "aarch64", target_feature = "neon", target_endian = "little"))]
            Isa::NeonI8mm => neon_i8mm,
        )
    };
}

mod passes;
pub(crate) use passes::*;

/// Where one of the f32 shells of a set is: the same for sets that share them.
#[cfg(test)]
fn f32_shells(isa: Supported) -> usize {
    with_f32_shells!(isa, shell => shell::insert_above as *const () as usize)
}

/// How a tile of one element type is shaped on one instruction set.
#[derive(Clone, Copy)]
pub struct TileShape {
    /// Bank rows per panel.
    width: NonZeroUsize,
    /// Gallery rows of the largest tile.
    rows: usize,
    /// Elements per word.
    codes: NonZeroUsize,
    /// Depths in words are multiples of it.
    depth: NonZeroUsize,
    /// Gallery rows that are copied as one panel, or 1.
    shared: NonZeroUsize,
}

impl TileShape {
    /// Tiles of `registers` of rows x `vectors` of bank rows.
    const fn of<L: TileLanes>(registers: usize, vectors: usize, codes: NonZeroUsize) -> TileShape {
        TileShape {
            width: NonZeroUsize::new(vectors * L::LANES / L::DEPTH).unwrap(),
            rows: registers * L::ROWS,
            codes,
            depth: NonZeroUsize::new(L::DEPTH).unwrap(),
            shared: NonZeroUsize::new(L::SHARED).unwrap(),
        }
    }

    /// Words of depth for a row.
    fn steps(self, dim: usize) -> usize {
        dim.div_ceil(self.codes.get()).next_multiple_of(self.depth.get())
    }
}

impl TileShape {
    /// Bank rows per panel.
    pub(crate) fn width(self) -> NonZeroUsize {
        self.width
    }
}

/// `count` rows from `first` on.
#[derive(Clone, Copy)]
pub struct Span {
    pub(crate) first: usize,
    pub(crate) count: usize,
}

impl Span {
    pub(crate) fn new(first: usize, count: usize) -> Span {
        Span { first, count }
    }

    /// Whether a matrix of `rows` rows holds the span.
    pub(crate) fn inside(self, rows: usize) -> bool {
        self.first <= rows && self.count <= rows - self.first
    }

    /// The span cut into parts of `most` rows; the last one may have fewer.
    pub(crate) fn parts(self, most: usize) -> impl Iterator<Item = Span> {
        let most = most.max(1);
        let mut done = 0;
        core::iter::from_fn(move || {
            let part = Span::new(self.first + done, most.min(self.count - done));
            done += part.count;
            (part.count > 0).then_some(part)
        })
    }
}

/// A gallery group against the panels of a bank block: the safe form of [`TileJob`].
pub struct Group<'a> {
    /// Copied gallery rows, [`tile::A_STRIDE`] words apart.
    a: &'a [u32],
    rows: usize,
    steps: usize,
    /// Panels from the first step of this run on.
    panels: &'a [u32],
    panel_count: usize,
    panel_stride: usize,
    /// One row that all sums start from, or `None` to add to what the sums hold.
    init: Option<&'a [u32]>,
    sums_stride: usize,
    /// With the last run of the depth: how the sums become scores.
    last: Option<Last<'a>>,
    /// Memory that will be copied next (a hint).
    next: (*const u8, usize),
}

/// What scores have to exceed.
enum Limits<'a> {
    Rows(&'a [f32]),
    Columns(&'a [f32]),
}

/// The safe form of [`ScoreJob`].
struct Last<'a> {
    scales: &'a [f32],
    row_scales: &'a [f32],
    limits: Limits<'a>,
    masks: &'a mut [u64],
}

impl Group<'_> {
    /// The raw job, if all of its memory is there.
    fn job(&mut self, shape: TileShape, sums: &mut [u32]) -> Option<TileJob> {
        let (width, shared) = (shape.width.get(), shape.shared.get());
        let columns = self.panel_count * width;
        let fits = self.rows > 0
            && self.panel_count > 0
            && self.steps % shape.depth == 0
            && self.a.len() >= (self.rows - 1) / shape.shared * shared * tile::A_STRIDE + self.steps * shared
            && self.panels.len() >= (self.panel_count - 1) * self.panel_stride + self.steps * width
            && self.init.is_none_or(|init| init.len() >= columns)
            && self.last.as_ref().is_none_or(|last| {
                last.scales.len() >= columns
                    && last.row_scales.len() >= self.rows
                    && match last.limits {
                        Limits::Rows(limits) => limits.len() >= self.rows,
                        Limits::Columns(limits) => limits.len() >= columns,
                    }
                    && last.masks.len() >= self.rows * self.panel_count
            })
            && self.sums_stride >= columns
            && sums.len() >= (self.rows - 1) * self.sums_stride + columns;
        debug_assert!(fits, "a group without the memory it needs");
        let c = sums.as_mut_ptr();
        let (init, init_stride) = self.init.map_or((c.cast_const(), self.sums_stride), |init| (init.as_ptr(), 0));
        fits.then_some(TileJob {
            a: self.a.as_ptr(),
            rows: self.rows,
            steps: self.steps,
            panels: self.panels.as_ptr(),
            panel_count: self.panel_count,
            panel_stride: self.panel_stride,
            init,
            init_stride,
            c,
            c_stride: self.sums_stride,
            last: self.last.is_some(),
            score: match &mut self.last {
                Some(last) => ScoreJob {
                    scales: last.scales.as_ptr(),
                    row_scales: last.row_scales.as_ptr(),
                    limits: match last.limits {
                        Limits::Rows(limits) | Limits::Columns(limits) => limits.as_ptr(),
                    },
                    exchanged: matches!(last.limits, Limits::Columns(_)),
                    masks: last.masks.as_mut_ptr(),
                },
                None => ScoreJob { scales: null(), row_scales: null(), limits: null(), exchanged: false, masks: null_mut() },
            },
            next: self.next.0,
            next_bytes: self.next.1,
        })
    }
}

/// What the kernels do for an element type; implemented for `f32` and `i8` only.
#[doc(hidden)]
#[allow(private_interfaces, missing_docs)] // sealed: only this crate names or implements it
pub trait Dtype: Plain + Sized {
    /// Type of a dot product.
    type Dot;
    fn to_f64(self) -> f64;
    fn pair(isa: Supported, a: &[Self], b: &[Self]) -> Self::Dot;
    /// One row with four, each as [`pair`](Self::pair).
    fn quad(isa: Supported, a: &[Self], b: [&[Self]; 4]) -> [Self::Dot; 4];
    /// Scores (scaled, before any bias) of `queries` rows `q` with `gallery` rows `r`, to `out[i * out_stride + j]`. The rows
    /// are expected in memory when the queries are the first of their matrix, and otherwise in a cache.
    fn grid(isa: Supported, queries: &Matrix<Self>, q: Span, gallery: &Matrix<Self>, r: Span, out: &mut [f32], out_stride: usize);
    /// Scores of `gallery` row `row` with the bank rows of a span: those of a tile, without one.
    fn column(isa: Supported, gallery: &Matrix<Self>, row: usize, bank: &Matrix<Self>, span: Span, scores: &mut [f32]);
    fn tile_shape(isa: Supported) -> TileShape;
    /// Copies a row's elements as words of the gallery side; past the row the words are those of zeros.
    fn copy_words(isa: Supported, row: &[Self], words: &mut [u32]);
    /// Writes the whole vectors of a panel; returns the steps done.
    fn panel(isa: Supported, job: PanelJob<Self>) -> usize;
    /// Word of the bank side that holds the elements `at..at + codes` of a row, zeros past its end.
    fn bank_word(isa: Supported, row: &[Self], at: usize) -> u32;
    /// What the tile's sums have to start from for a bank row.
    fn tile_init(isa: Supported, bank_row: &[Self]) -> u32;
    fn group(isa: Supported, group: Group<'_>, sums: &mut [u32]);
    /// Largest magnitude among the values (for codes: the scales) of the rows; not finite when one of them is not.
    fn max_abs(isa: Supported, m: &Matrix<Self>, rows: Span) -> f32;
    /// Squared length of a row in f64, which no finite f32 overflows.
    fn norm2(isa: Supported, m: &Matrix<Self>, row: usize) -> f64;
    /// Bound of every |score| between rows of these largest magnitudes.
    fn score_bound(dim: usize, a: f32, b: f32) -> f32;
}

/// The raw grid of pairs, if the output has room for it.
#[inline(always)] // a copy of it would take more stack than a microcontroller has to spare
fn raw_grid<T: Element, O>(
    queries: &Matrix<T>,
    q: Span,
    gallery: &Matrix<T>,
    r: Span,
    out: &mut [f32],
    out_stride: usize,
) -> Option<Grid<T, O>> {
    const { assert!(size_of::<O>() == size_of::<f32>()) };
    let fits = q.count > 0
        && r.count > 0
        && q.inside(queries.rows())
        && r.inside(gallery.rows())
        && queries.dim() == gallery.dim()
        && out_stride >= r.count
        && out.len() >= (q.count - 1) * out_stride + r.count;
    fits.then_some(Grid {
        queries: queries.row_ptr(q.first),
        query_stride: queries.stride(),
        query_count: q.count,
        rows: gallery.row_ptr(r.first),
        row_stride: gallery.stride(),
        row_count: r.count,
        dim: queries.dim(),
        out: out.as_mut_ptr().cast(),
        out_stride,
        cold: q.first == 0,
    })
}

#[allow(private_interfaces)]
impl Dtype for f32 {
    type Dot = f32;

    fn to_f64(self) -> f64 {
        f64::from(self)
    }

    #[inline]
    fn pair(isa: Supported, a: &[f32], b: &[f32]) -> f32 {
        let dim = a.len().min(b.len());
        // SAFETY: `isa` was detected; both slices hold `dim` elements.
        with_f32_shells!(isa, shell => unsafe { shell::pair(a.as_ptr(), b.as_ptr(), dim) })
    }

    #[inline]
    fn quad(isa: Supported, a: &[f32], b: [&[f32]; 4]) -> [f32; 4] {
        let dim = b.iter().fold(a.len(), |dim, row| dim.min(row.len()));
        // SAFETY: `isa` was detected; all slices hold `dim` elements.
        with_f32_shells!(isa, shell => unsafe { shell::quad(a.as_ptr(), b.map(<[f32]>::as_ptr), dim) })
    }

    fn grid(isa: Supported, queries: &Matrix<f32>, q: Span, gallery: &Matrix<f32>, r: Span, out: &mut [f32], out_stride: usize) {
        let Some(grid) = raw_grid(queries, q, gallery, r, out, out_stride) else { return };
        // SAFETY: `isa` was detected; `raw_grid` checked the spans against the validated views and the output's length.
        with_f32_shells!(isa, shell => unsafe { shell::grid(grid) })
    }

    fn column(isa: Supported, gallery: &Matrix<f32>, row: usize, bank: &Matrix<f32>, span: Span, scores: &mut [f32]) {
        let Some(row) = gallery.row(row) else { return };
        for (id, score) in (span.first..).zip(scores.chunks_mut(1)) {
            chains(isa, row, bank, &[id as u32], score);
        }
    }

    fn tile_shape(isa: Supported) -> TileShape {
        with_f32_shells!(isa, shell => shell::SHAPE)
    }

    fn copy_words(isa: Supported, row: &[f32], words: &mut [u32]) {
        // SAFETY: `isa` was detected.
        with_f32_shells!(isa, shell => unsafe { shell::copy_words(row, words) })
    }

    fn panel(isa: Supported, job: PanelJob<f32>) -> usize {
        // SAFETY: `isa` was detected; `pack_panel`, the only caller, checked the memory.
        with_f32_shells!(isa, shell => unsafe { shell::panel(job) })
    }

    fn bank_word(_: Supported, row: &[f32], at: usize) -> u32 {
        row.get(at).map_or(0, |x| x.to_bits())
    }

    fn tile_init(_: Supported, _: &[f32]) -> u32 {
        0
    }

    fn group(isa: Supported, mut group: Group<'_>, sums: &mut [u32]) {
        with_f32_shells!(isa, shell => {
            let Some(job) = group.job(shell::SHAPE, sums) else { return };
            // SAFETY: `isa` was detected; `Group::job` checked all lengths.
            unsafe { shell::group(job) }
        })
    }

    fn max_abs(isa: Supported, m: &Matrix<f32>, rows: Span) -> f32 {
        let row_max = |i| match m.row(i) {
            // SAFETY: `isa` was detected.
            Some(row) => with_f32_shells!(isa, shell => unsafe { shell::max_abs_bits(row) }),
            None => 0,
        };
        f32::from_bits((rows.first..rows.first + rows.count).map(row_max).max().unwrap_or(0))
    }

    fn norm2(isa: Supported, m: &Matrix<f32>, row: usize) -> f64 {
        m.row(row).map_or(0.0, |row| sum_of_squares(isa, row))
    }

    fn score_bound(dim: usize, a: f32, b: f32) -> f32 {
        // Twice the sum of the largest possible products covers the roundings, here and in a sum of up to 131,071 terms.
        2.0 * dim as f32 * a * b
    }
}

/// Exact dots (i32 bits) of a grid.
#[inline]
fn dots(isa: Supported, queries: &Matrix<i8>, q: Span, gallery: &Matrix<i8>, r: Span, out: &mut [f32], out_stride: usize) {
    let Some(grid) = raw_grid(queries, q, gallery, r, out, out_stride) else { return };
    #[cfg(all(target_os = "none", target_pointer_width = "32"))]
    // SAFETY: `raw_grid` checked the spans against the validated views and the output's length; it is not empty.
    unsafe {
        let _ = isa;
        direct::grid_i8(&grid);
    }
    #[cfg(not(all(target_os = "none", target_pointer_width = "32")))]
    // SAFETY: `isa` was detected; `raw_grid` checked the spans against the validated views and the output's length.
    with_i8_shells!(isa, shell => unsafe { shell::grid(grid) })
}

#[allow(private_interfaces)]
impl Dtype for i8 {
    type Dot = i32;

    fn to_f64(self) -> f64 {
        f64::from(self)
    }

    #[inline]
    fn pair(isa: Supported, a: &[i8], b: &[i8]) -> i32 {
        let dim = a.len().min(b.len());
        // SAFETY: `isa` was detected; both slices hold `dim` elements.
        with_i8_shells!(isa, shell => unsafe { shell::pair(a.as_ptr(), b.as_ptr(), dim) })
    }

    #[inline]
    fn quad(isa: Supported, a: &[i8], b: [&[i8]; 4]) -> [i32; 4] {
        let dim = b.iter().fold(a.len(), |dim, row| dim.min(row.len()));
        // SAFETY: `isa` was detected; all slices hold `dim` elements.
        with_i8_shells!(isa, shell => unsafe { shell::quad(a.as_ptr(), b.map(<[i8]>::as_ptr), dim) })
    }

    fn grid(isa: Supported, queries: &Matrix<i8>, q: Span, gallery: &Matrix<i8>, r: Span, out: &mut [f32], out_stride: usize) {
        dots(isa, queries, q, gallery, r, out, out_stride);
        let scales = gallery.scales().and_then(|s| s.get(r.first..));
        for (i, row) in out.chunks_mut(out_stride.max(1)).take(q.count).enumerate() {
            let (dots, scale) = (row.get_mut(..r.count).unwrap_or_default(), queries.scale(q.first + i));
            // SAFETY: `isa` was detected.
            with_f32_shells!(isa, shell => unsafe { shell::scale_scores(dots, scale, scales) });
        }
    }

    fn column(isa: Supported, gallery: &Matrix<i8>, row: usize, bank: &Matrix<i8>, span: Span, scores: &mut [f32]) {
        // The bank as the queries: their scale comes first.
        Self::grid(isa, bank, span, gallery, Span::new(row, 1), scores, 1);
    }

    fn tile_shape(isa: Supported) -> TileShape {
        with_i8_shells!(isa, shell => shell::SHAPE)
    }

    fn copy_words(isa: Supported, row: &[i8], words: &mut [u32]) {
        // SAFETY: `isa` was detected.
        with_i8_shells!(isa, shell => unsafe { shell::copy_words(row, words) })
    }

    fn panel(isa: Supported, job: PanelJob<i8>) -> usize {
        // SAFETY: `isa` was detected; `pack_panel`, the only caller, checked the memory.
        with_i8_shells!(isa, shell => unsafe { shell::panel(job) })
    }

    fn bank_word(isa: Supported, row: &[i8], at: usize) -> u32 {
        let code = |i: usize| row.get(at + i).copied().unwrap_or(0);
        match with_i8_shells!(isa, shell => shell::LAYOUT) {
            WordLayout::Wide2 => pair_word([code(0), code(1)]),
            WordLayout::Signed4 | WordLayout::Offset4 => quad_word([code(0), code(1), code(2), code(3)]),
        }
    }

    fn tile_init(isa: Supported, bank_row: &[i8]) -> u32 {
        // Where the gallery side is too large by an offset, each product is by the offset times the bank's code: the sum starts below.
        // SAFETY: `isa` was detected.
        let offset = with_i8_shells!(isa, shell => unsafe { shell::offset(bank_row.as_ptr(), bank_row.len()) });
        offset.wrapping_neg() as u32
    }

    fn group(isa: Supported, mut group: Group<'_>, sums: &mut [u32]) {
        with_i8_shells!(isa, shell => {
            let Some(job) = group.job(shell::SHAPE, sums) else { return };
            // SAFETY: `isa` was detected; `Group::job` checked all lengths.
            unsafe { shell::group(job) }
        })
    }

    fn max_abs(isa: Supported, m: &Matrix<i8>, rows: Span) -> f32 {
        match m.scales().and_then(|s| s.get(rows.first..)?.get(..rows.count)) {
            // SAFETY: `isa` was detected.
            Some(scales) => f32::from_bits(with_f32_shells!(isa, shell => unsafe { shell::max_abs_bits(scales) })),
            None => 1.0,
        }
    }

    fn norm2(isa: Supported, m: &Matrix<i8>, row: usize) -> f64 {
        let scale = f64::from(m.scale(row));
        m.row(row).map_or(0.0, |codes| f64::from(Self::pair(isa, codes, codes)) * (scale * scale))
    }

    fn score_bound(dim: usize, a: f32, b: f32) -> f32 {
        2.0 * 16384.0 * dim as f32 * a * b
    }
}

/// Packs `steps` words, from word `first_step` on, of the bank rows of a span as one panel of `shape.width` columns.
fn pack_panel<T: Element>(isa: Supported, shape: TileShape, bank: &Matrix<T>, rows: Span, first_step: usize, panel: &mut [u32]) {
    let (width, codes, depth) = (shape.width.get(), shape.codes.get(), shape.depth.get());
    let steps = panel.len() / shape.width;
    let start = first_step * codes;
    let whole = (bank.dim().saturating_sub(start) / shape.codes).min(steps);
    let mut done = 0;
    if rows.inside(bank.rows()) && rows.count > 0 {
        done = T::panel(
            isa,
            PanelJob {
                rows: bank.row_ptr(rows.first).wrapping_add(start),
                row_stride: bank.stride(),
                count: rows.count,
                width,
                steps: whole,
                panel: panel.as_mut_ptr(),
            },
        );
    }
    // Steps short of a full vector, and the word that reaches past the rows' end.
    for column in 0..width {
        let row = if column < rows.count { bank.row(rows.first + column) } else { None };
        for (unit, words) in
            panel.chunks_exact_mut(shape.width.saturating_mul(shape.depth).get()).enumerate().skip(done / shape.depth)
        {
            let at = start + unit * depth * codes;
            for (part, word) in words.iter_mut().skip(column * depth).take(depth).enumerate() {
                *word = row.map_or(0, |row| T::bank_word(isa, row, at + part * codes));
            }
        }
    }
}

//! The C functions themselves: every argument of every entry wrong in every way, alone and in pairs, has its exact code and nothing
//! is written; and right arguments, each flush against an inaccessible page, are all that is touched.
#![cfg(all(unix, target_pointer_width = "64"))]

use ffi_tests::data::for_each_isa;
use ffi_tests::guard::Guarded;
use nnn::abi::*;
use nnn::{Bound, Certificate, Hit};

/// The documented order of errors.
const ORDER: [StatusCode; 10] = [
    NNN_ERR_NULL,
    NNN_ERR_DIM,
    NNN_ERR_K,
    NNN_ERR_STRIDE,
    NNN_ERR_OVERFLOW,
    NNN_ERR_RANGE,
    NNN_ERR_ALIGN,
    NNN_ERR_CAPACITY,
    NNN_ERR_ALIAS,
    NNN_ERR_VALUE,
];

const HUGE: usize = usize::MAX;
const SCRATCH: usize = 8 << 10;

/// Where a pointer or a number is passed: as an argument, or in a word of a struct.
#[derive(Clone, Copy, PartialEq)]
enum Slot {
    Argument(usize),
    Word(usize),
}

/// The memory of a pointer.
#[derive(Clone)]
struct Region {
    name: String,
    slot: Slot,
    start: usize,
    bytes: usize,
    align: usize,
    written: bool,
    optional: bool,
    /// A NaN in it is refused.
    finite: bool,
    /// It is read to judge the other arguments: a struct, or a count.
    judged: bool,
}

enum Layout {
    /// One after the other without a gap, so that a call which succeeds shows that neighbours do not overlap.
    Packed,
    /// Each with an inaccessible page after its last byte, or before its first.
    Guarded { at_end: bool },
}

/// The arguments of one call, and all memory that they name.
struct World {
    layout: Layout,
    /// Rows, dim and elements between rows.
    rows: usize,
    dim: usize,
    gap: usize,
    k: usize,
    arena: Vec<u64>,
    used: usize,
    guarded: Vec<Guarded>,
    arguments: Vec<u64>,
    names: Vec<(&'static str, usize)>,
    regions: Vec<Region>,
    /// Structs that describe a matrix: its name, and the address of its words `rows, dim, stride`.
    shapes: Vec<(&'static str, usize, usize)>,
}

impl World {
    fn new(layout: Layout, [rows, dim, gap, k]: [usize; 4]) -> World {
        let (arena, regions) = (vec![0; if matches!(layout, Layout::Packed) { 4 << 10 } else { 0 }], Vec::new());
        let (guarded, arguments, names, shapes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        World { layout, rows, dim, gap, k, arena, used: 0, guarded, arguments, names, regions, shapes }
    }

    /// Memory with these values.
    fn memory<T: Copy>(&mut self, values: &[T]) -> (usize, usize, usize) {
        let bytes = size_of_val(values);
        let start = match self.layout {
            Layout::Packed => {
                let start = self.arena.as_mut_ptr().wrapping_byte_add(self.used).cast::<T>();
                self.used += bytes.next_multiple_of(8);
                assert!(self.used <= 8 * self.arena.len());
                // SAFETY: inside of the arena, aligned to 8 bytes.
                unsafe { start.copy_from_nonoverlapping(values.as_ptr(), values.len()) };
                start.expose_provenance()
            }
            Layout::Guarded { at_end } => {
                let mut guarded = Guarded::new(bytes);
                let start = guarded.place(values, at_end).as_mut_ptr().expose_provenance();
                self.guarded.push(guarded);
                start
            }
        };
        (start, bytes, align_of::<T>())
    }

    fn region<T: Copy>(&mut self, name: &str, slot: Slot, values: &[T]) -> &mut Region {
        let (start, bytes, align) = self.memory(values);
        self.set(slot, start as u64);
        self.regions.push(Region {
            name: name.to_owned(),
            slot,
            start,
            bytes,
            align,
            written: false,
            optional: false,
            finite: false,
            judged: false,
        });
        self.regions.last_mut().unwrap()
    }

    fn set(&mut self, slot: Slot, value: u64) {
        match slot {
            Slot::Argument(i) => self.arguments[i] = value,
            // SAFETY: a word of a struct in this world's memory.
            Slot::Word(address) => unsafe { std::ptr::with_exposed_provenance_mut::<u64>(address).write(value) },
        }
    }

    fn get(&self, slot: Slot) -> u64 {
        match slot {
            Slot::Argument(i) => self.arguments[i],
            // SAFETY: as above.
            Slot::Word(address) => unsafe { std::ptr::with_exposed_provenance::<u64>(address).read() },
        }
    }

    fn next(&mut self) -> Slot {
        self.arguments.push(0);
        Slot::Argument(self.arguments.len() - 1)
    }

    /// A number.
    fn number(&mut self, name: &'static str, value: u64) {
        self.next();
        let at = self.arguments.len() - 1;
        self.arguments[at] = value;
        self.names.push((name, at));
    }

    fn size(&mut self, name: &'static str, value: usize) {
        self.number(name, value as u64);
    }

    fn input<T: Copy>(&mut self, name: &str, values: &[T]) -> &mut Region {
        let slot = self.next();
        self.region(name, slot, values)
    }

    fn output<T: Copy>(&mut self, name: &str, values: &[T]) -> &mut Region {
        let region = self.input(name, values);
        region.written = true;
        region
    }

    fn scratch(&mut self) {
        self.output("scratch", &[0xA5u8; SCRATCH]);
        self.size("scratch_len", SCRATCH);
    }

    /// Elements of a matrix, the gaps included.
    fn span(&self) -> usize {
        (self.rows - 1) * (self.dim + self.gap) + self.dim
    }

    fn floats(&self) -> Vec<f32> {
        (0..self.span()).map(|i| (i * 7 % 13) as f32 / 8.0 - 0.5).collect()
    }

    /// The words of a matrix from `at` on: `f32` when there are no scales.
    fn matrix(&mut self, name: &'static str, at: usize, codes: bool, finite: bool) {
        let shape = [self.rows, self.dim, self.dim + self.gap];
        let data = Slot::Word(at);
        if codes {
            let values: Vec<i8> = (0..self.span()).map(|i| (i * 37 % 251) as i8).collect();
            self.region(&format!("{name}.data"), data, &values);
            let scale = self.region(&format!("{name}.scale"), Slot::Word(at + 8), &vec![0.5f32; shape[0]]);
            (scale.optional, scale.finite) = (true, finite);
        } else {
            let values = self.floats();
            self.region(&format!("{name}.data"), data, &values).finite = finite;
        }
        let words = at + if codes { 16 } else { 8 };
        for (i, value) in shape.into_iter().enumerate() {
            self.set(Slot::Word(words + 8 * i), value as u64);
        }
        self.shapes.push((name, words, if codes { 1 } else { 4 }));
    }

    /// A matrix argument; `finite`: the function refuses values (scales) that are not.
    fn mat(&mut self, name: &'static str, codes: bool, finite: bool) {
        let slot = self.next();
        let structure = self.region(name, slot, &vec![0u64; if codes { 5 } else { 4 }]);
        structure.judged = true;
        let at = structure.start;
        self.matrix(name, at, codes, finite);
    }

    /// The bytes of every region.
    fn contents(&self) -> Vec<Vec<u8>> {
        // SAFETY: the regions are memory of this world.
        let bytes = |r: &Region| unsafe { std::slice::from_raw_parts(std::ptr::with_exposed_provenance::<u8>(r.start), r.bytes) };
        self.regions.iter().map(|region| bytes(region).to_vec()).collect()
    }
}

/// What a C function takes, made of a word.
trait Word {
    fn of(word: u64) -> Self;
}
impl Word for usize {
    fn of(word: u64) -> usize {
        word as usize
    }
}
impl Word for u32 {
    fn of(word: u64) -> u32 {
        word as u32
    }
}
impl Word for u64 {
    fn of(word: u64) -> u64 {
        word
    }
}
impl Word for f32 {
    fn of(word: u64) -> f32 {
        f32::from_bits(word as u32)
    }
}
impl<T> Word for *const T {
    fn of(word: u64) -> *const T {
        std::ptr::with_exposed_provenance(word as usize)
    }
}
impl<T> Word for *mut T {
    fn of(word: u64) -> *mut T {
        std::ptr::with_exposed_provenance_mut(word as usize)
    }
}

/// A function, how its arguments are made, the numbers it refuses, and which memory a number makes empty.
struct Entry {
    name: &'static str,
    call: fn(&[u64]) -> StatusCode,
    build: fn(&mut World),
    numbers: &'static [(&'static str, u64, StatusCode)],
    /// (number or matrix whose 0 makes a pointer's length 0, that pointer)
    empties: &'static [(&'static str, &'static str)],
}

macro_rules! entry {
    ($name:ident($($i:literal)*), $build:expr, $numbers:expr, $empties:expr) => {
        Entry {
            name: stringify!($name),
            // SAFETY: the world keeps what the arguments name; the function must refuse the rest.
            call: |a| unsafe { $name($(Word::of(a[$i])),*) },
            build: $build,
            numbers: $numbers,
            empties: $empties,
        }
    };
}

const NAN: u64 = 0x7FC0_0000;
const INFINITY: u64 = 0x7F80_0000;
const ALPHA: u64 = 0x3F40_0000; // 0.75
const ALL: u64 = HUGE as u64;
const NO_HIT: Hit = Hit { score: -77.0, id: 99 };

const K_IS_0: (&str, u64, StatusCode) = ("k", 0, NNN_ERR_K);
const RANGES: [(&str, u64, StatusCode); 4] =
    [("first", 1, NNN_ERR_RANGE), ("first", ALL, NNN_ERR_RANGE), ("count", 1 << 20, NNN_ERR_RANGE), ("count", ALL, NNN_ERR_RANGE)];
const UPDATE: &[(&str, u64, StatusCode)] = &[
    K_IS_0,
    ("k", ALL, NNN_ERR_OVERFLOW),
    ("scratch_len", 4095, NNN_ERR_CAPACITY),
    ("scratch_len", ALL, NNN_ERR_OVERFLOW),
    RANGES[0],
    RANGES[1],
    RANGES[2],
    RANGES[3],
];
const BIAS: &[(&str, u64, StatusCode)] = &[
    K_IS_0,
    ("k", ALL, NNN_ERR_K),
    ("scratch_len", 4095, NNN_ERR_CAPACITY),
    ("scratch_len", ALL, NNN_ERR_OVERFLOW),
    ("alpha", NAN, NNN_ERR_VALUE),
    ("alpha", INFINITY, NNN_ERR_VALUE),
    RANGES[0],
    RANGES[1],
    RANGES[2],
    RANGES[3],
];
const SEARCH: &[(&str, u64, StatusCode)] =
    &[K_IS_0, ("k", ALL, NNN_ERR_OVERFLOW), ("scratch_len", ALL, NNN_ERR_OVERFLOW), RANGES[0], RANGES[1], RANGES[2], RANGES[3]];
const CERTIFIED_SEARCH: &[(&str, u64, StatusCode)] = &[
    K_IS_0,
    ("scratch_len", 4095, NNN_ERR_CAPACITY),
    ("scratch_len", ALL, NNN_ERR_OVERFLOW),
    RANGES[0],
    RANGES[1],
    RANGES[2],
    RANGES[3],
];

fn range(w: &mut World) {
    w.size("first", 0);
    w.size("count", w.rows);
}

fn scores(w: &mut World, codes: bool) {
    w.mat("queries", codes, true);
    w.mat("gallery", codes, false);
    range(w);
    w.output("out", &vec![7f32; w.rows * w.rows]);
    w.size("out_stride", w.rows);
}

fn update(w: &mut World, codes: bool) {
    w.mat("gallery", codes, true);
    w.mat("bank", codes, true);
    w.size("k", w.k);
    range(w);
    w.scratch();
    w.output("table", &vec![f32::NEG_INFINITY; w.rows * w.k]).finite = true;
}

fn bias(w: &mut World, codes: bool) {
    w.mat("gallery", codes, true);
    w.mat("bank", codes, true);
    w.size("k", w.k);
    w.number("alpha", ALPHA);
    range(w);
    w.scratch();
    w.output("bias", &vec![7f32; w.rows]);
}

fn search_rest(w: &mut World) {
    let bias = w.input("bias", &vec![0.25f32; w.rows]);
    (bias.optional, bias.finite) = (true, true);
    w.input("allow", &vec![u64::MAX; w.rows.div_ceil(64)]).optional = true;
    w.size("k", w.k);
    range(w);
    w.scratch();
    w.output("hits", &vec![NO_HIT; w.rows * w.k]);
    w.output("found", &vec![9u32; w.rows]);
}

fn search(w: &mut World, codes: bool) {
    w.mat("queries", codes, true);
    w.mat("gallery", codes, false);
    search_rest(w);
}

/// Rows with codes that are as good as any for the checks: the bounds say that nothing is known.
fn encoded(w: &mut World, name: &'static str, parts: [&'static str; 2], finite: bool) {
    let slot = w.next();
    let structure = w.region(name, slot, &[0u64; 10]);
    structure.judged = true;
    let at = structure.start;
    w.matrix(parts[0], at, false, finite);
    w.matrix(parts[1], at + 32, true, false);
    let bound = Bound { residual: 1e3, norm: 1e3, length: 1e3, offset: 0.0 };
    w.region(&format!("{name}.bounds"), Slot::Word(at + 72), &vec![bound; w.rows]);
}

fn certificate(w: &mut World) {
    w.output("certificate", &[Certificate { rescored: 9, exhausted: 9 }]).optional = true;
}

/// Every function with a pointer argument. The arguments of a function in this order.
fn entries() -> Vec<Entry> {
    vec![
        entry!(
            nnn_isa_available(0 1 2),
            |w| {
                w.output("list", &[77u32; 16]);
                w.size("capacity", 16);
                w.output("count", &[77usize]);
            },
            &[("capacity", 1, NNN_ERR_CAPACITY), ("capacity", ALL, NNN_ERR_OVERFLOW)],
            &[]
        ),
        entry!(
            nnn_dot_f32(0 1 2 3),
            |w| {
                let values = vec![0.5f32; w.dim];
                w.input("a", &values);
                w.input("b", &values);
                w.size("dim", w.dim);
                w.output("out", &[7f32]);
            },
            &[("dim", 0, NNN_ERR_DIM), ("dim", 131_072, NNN_ERR_DIM), ("dim", ALL, NNN_ERR_DIM)],
            &[("dim", "a"), ("dim", "b")]
        ),
        entry!(
            nnn_dot_i8(0 1 2 3),
            |w| {
                let values = vec![-128i8; w.dim];
                w.input("a", &values);
                w.input("b", &values);
                w.size("dim", w.dim);
                w.output("out", &[7i32]);
            },
            &[("dim", 0, NNN_ERR_DIM), ("dim", 131_072, NNN_ERR_DIM), ("dim", ALL, NNN_ERR_DIM)],
            &[("dim", "a"), ("dim", "b")]
        ),
        entry!(nnn_scores_f32(0 1 2 3 4 5), |w| scores(w, false), SCORES, &[]),
        entry!(nnn_scores_i8(0 1 2 3 4 5), |w| scores(w, true), SCORES, &[]),
        entry!(
            nnn_find_nonfinite_f32(0 1 2),
            |w| {
                w.mat("m", false, false);
                w.output("row", &[77usize]);
                w.output("col", &[77usize]);
            },
            &[],
            &[]
        ),
        entry!(
            nnn_normalize_f32(0 1 2),
            |w| {
                w.mat("src", false, true);
                let stride = w.dim + w.gap + 2; // not the one that would be in place
                w.output("dst", &vec![7f32; (w.rows - 1) * stride + w.dim]);
                w.size("dst_stride", stride);
            },
            &[("dst_stride", 0, NNN_ERR_STRIDE), ("dst_stride", ALL, NNN_ERR_OVERFLOW)],
            &[]
        ),
        entry!(
            nnn_quantize_i8(0 1 2 3),
            |w| {
                w.mat("src", false, true);
                w.output("dst", &vec![7i8; w.span()]);
                w.size("dst_stride", w.dim + w.gap);
                w.output("scale", &vec![7f32; w.rows]);
            },
            &[("dst_stride", 0, NNN_ERR_STRIDE), ("dst_stride", ALL, NNN_ERR_OVERFLOW)],
            &[]
        ),
        entry!(
            nnn_neighbors_init(0 1 2),
            |w| {
                w.output("table", &vec![7f32; w.rows * w.k]);
                w.size("rows", w.rows);
                w.size("k", w.k);
            },
            &[K_IS_0, ("k", ALL, NNN_ERR_OVERFLOW), ("rows", 1 << 32, NNN_ERR_RANGE), ("rows", ALL, NNN_ERR_OVERFLOW)],
            &[("k", "table")]
        ),
        entry!(nnn_neighbors_update_f32(0 1 2 3 4 5 6 7), |w| update(w, false), UPDATE, &[("k", "table")]),
        entry!(nnn_neighbors_update_i8(0 1 2 3 4 5 6 7), |w| update(w, true), UPDATE, &[("k", "table")]),
        entry!(
            nnn_neighbors_merge(0 1 2 3),
            |w| {
                let values = vec![0.5f32; w.rows * w.k];
                w.output("into", &values).finite = true;
                w.input("from", &vec![0.75f32; w.rows * w.k]).finite = true;
                w.size("rows", w.rows);
                w.size("k", w.k);
            },
            &[K_IS_0, ("k", ALL, NNN_ERR_OVERFLOW), ("rows", 1 << 32, NNN_ERR_RANGE), ("rows", ALL, NNN_ERR_OVERFLOW)],
            &[("k", "into"), ("k", "from")]
        ),
        entry!(
            nnn_neighbors_bias(0 1 2 3 4 5),
            |w| {
                w.input("table", &vec![0.5f32; w.rows * w.k]).finite = true;
                w.size("rows", w.rows);
                w.size("table_k", w.k);
                w.size("k", w.k);
                w.number("alpha", ALPHA);
                w.output("bias", &vec![7f32; w.rows]);
            },
            &[
                K_IS_0,
                ("k", ALL, NNN_ERR_K),
                ("table_k", 0, NNN_ERR_K),
                ("table_k", ALL - 1, NNN_ERR_OVERFLOW),
                ("rows", 1 << 32, NNN_ERR_RANGE),
                ("rows", ALL, NNN_ERR_OVERFLOW),
                ("alpha", NAN, NNN_ERR_VALUE),
                ("alpha", INFINITY, NNN_ERR_VALUE),
            ],
            &[("table_k", "table")]
        ),
        entry!(nnn_bias_f32(0 1 2 3 4 5 6 7 8), |w| bias(w, false), BIAS, &[]),
        entry!(nnn_bias_i8(0 1 2 3 4 5 6 7 8), |w| bias(w, true), BIAS, &[]),
        entry!(nnn_search_f32(0 1 2 3 4 5 6 7 8 9 10), |w| search(w, false), SEARCH, &[("k", "hits")]),
        entry!(nnn_search_i8(0 1 2 3 4 5 6 7 8 9 10), |w| search(w, true), SEARCH, &[("k", "hits")]),
        entry!(
            nnn_hits_merge(0 1 2 3 4),
            |w| {
                let hits: Vec<Hit> = (0..w.rows).map(|i| Hit { score: -(i as f32), id: i as u32 }).collect();
                w.output("a", &hits).finite = true;
                w.output("a_len", &[hits.len() as u32]).judged = true;
                let others: Vec<Hit> = hits.iter().map(|hit| Hit { score: hit.score + 0.5, id: hit.id + 100 }).collect();
                w.input("b", &others).finite = true;
                w.size("b_len", hits.len());
                w.size("k", hits.len());
            },
            &[K_IS_0, ("k", 1, NNN_ERR_RANGE), ("k", ALL, NNN_ERR_OVERFLOW)],
            &[("k", "a")]
        ),
        entry!(
            nnn_rerank(0 1 2 3 4 5 6),
            |w| {
                let candidates: Vec<Hit> = (0..w.rows).map(|i| Hit { score: i as f32, id: i as u32 }).collect();
                w.input("candidates", &candidates).finite = true;
                w.size("len", w.rows);
                w.input("bias", &vec![0.5f32; w.rows]).finite = true;
                w.size("bias_len", w.rows);
                w.size("k", w.k);
                w.output("hits", &vec![NO_HIT; w.k.min(w.rows)]);
                w.output("found", &[9u32]);
            },
            &[
                K_IS_0,
                ("len", 1 << 32, NNN_ERR_RANGE),
                ("len", ALL, NNN_ERR_OVERFLOW),
                ("bias_len", 1 << 32, NNN_ERR_RANGE),
                ("bias_len", ALL, NNN_ERR_OVERFLOW),
            ],
            &[("k", "hits")]
        ),
        entry!(
            nnn_mean_f32(0 1),
            |w| {
                w.mat("m", false, true);
                w.output("out", &vec![7f32; w.dim]);
            },
            &[],
            &[("m", "out")]
        ),
        entry!(
            nnn_encode_f32(0 1 2 3 4 5 6 7 8),
            |w| {
                w.mat("src", false, true);
                let mean = w.input("mean", &vec![0.125f32; w.dim]);
                (mean.optional, mean.finite) = (true, true);
                w.number("side", NNN_SIDE_QUERY.into());
                w.number("seed", 5);
                w.output("work", &vec![7f32; w.dim]);
                w.output("codes", &vec![7i8; w.span()]);
                w.size("codes_stride", w.dim + w.gap);
                w.output("scale", &vec![7f32; w.rows]);
                w.output("bounds", &vec![Bound { residual: 7.0, norm: 7.0, length: 7.0, offset: 7.0 }; w.rows]);
            },
            &[("side", 2, NNN_ERR_VALUE), ("codes_stride", 0, NNN_ERR_STRIDE), ("codes_stride", ALL, NNN_ERR_OVERFLOW)],
            &[("src", "work")]
        ),
        entry!(
            nnn_neighbors_update_certified(0 1 2 3 4 5 6 7 8),
            |w| {
                encoded(w, "gallery", ["gallery.rows", "gallery.codes"], true);
                encoded(w, "bank", ["bank.rows", "bank.codes"], true);
                w.size("k", w.k);
                range(w);
                w.scratch();
                w.output("table", &vec![f32::NEG_INFINITY; w.rows * w.k]).finite = true;
                certificate(w);
            },
            CERTIFIED_SEARCH,
            &[("k", "table")]
        ),
        entry!(
            nnn_bias_certified(0 1 2 3 4 5 6 7 8 9),
            |w| {
                encoded(w, "gallery", ["gallery.rows", "gallery.codes"], true);
                encoded(w, "bank", ["bank.rows", "bank.codes"], true);
                w.size("k", w.k);
                w.number("alpha", ALPHA);
                range(w);
                w.scratch();
                w.output("bias", &vec![7f32; w.rows]);
                certificate(w);
            },
            BIAS,
            &[]
        ),
        entry!(
            nnn_search_certified(0 1 2 3 4 5 6 7 8 9 10 11),
            |w| {
                encoded(w, "queries", ["queries.rows", "queries.codes"], true);
                encoded(w, "gallery", ["gallery.rows", "gallery.codes"], false);
                search_rest(w);
                certificate(w);
            },
            CERTIFIED_SEARCH,
            &[("k", "hits")]
        ),
    ]
}

const SCORES: &[(&str, u64, StatusCode)] =
    &[("out_stride", 0, NNN_ERR_STRIDE), ("out_stride", ALL, NNN_ERR_OVERFLOW), RANGES[0], RANGES[1], RANGES[2], RANGES[3]];

/// One thing that is wrong.
struct Fault {
    what: String,
    slot: Slot,
    value: u64,
    code: StatusCode,
    /// The pointer that is NULL, the number or matrix that is 0.
    null: Option<String>,
    zero: Option<&'static str>,
}

impl World {
    /// Everything that can be wrong with the arguments of an entry.
    fn faults(&self, entry: &Entry) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut add = |what: String, slot, value: u64, code, null: Option<&str>, zero| {
            faults.push(Fault { what, slot, value, code, null: null.map(str::to_owned), zero });
        };
        for r in &self.regions {
            let at = |address: usize| address as u64;
            if !r.optional {
                add(format!("{} NULL", r.name), r.slot, 0, NNN_ERR_NULL, Some(&r.name), None);
            }
            if r.align > 1 && !r.judged {
                add(format!("{} misaligned", r.name), r.slot, at(r.start + 1), NNN_ERR_ALIGN, None, None);
                add(format!("{} half aligned", r.name), r.slot, at(r.start + r.align / 2), NNN_ERR_ALIGN, None, None);
            }
            for other in self.regions.iter().filter(|other| r.written && !r.judged && other.name != r.name) {
                let step = r.align.max(other.align);
                for (where_, address) in [
                    ("at the start of", other.start),
                    ("at the last element of", (other.start + other.bytes - 1) / step * step),
                    ("ending in", (other.start + step - r.bytes.next_multiple_of(step)) / step * step),
                ] {
                    let end = address + r.bytes;
                    let overlaps = address < other.start + other.bytes && other.start < end;
                    if overlaps {
                        add(format!("{} {where_} {}", r.name, other.name), r.slot, at(address), NNN_ERR_ALIAS, None, None);
                    }
                }
            }
            // A float of the first and of the last row: the first half of the first and the last word, which of a Hit is the score.
            if r.finite {
                for word in [r.start, r.start + r.bytes - 8] {
                    for value in [NAN, INFINITY] {
                        let old = self.get(Slot::Word(word)).to_ne_bytes();
                        let bad = (value as u32).to_ne_bytes();
                        let value = u64::from_ne_bytes([bad[0], bad[1], bad[2], bad[3], old[4], old[5], old[6], old[7]]);
                        add(format!("{} not finite", r.name), Slot::Word(word), value, NNN_ERR_VALUE, None, None);
                    }
                }
            }
        }
        for &(name, words, width) in &self.shapes {
            let [rows, dim, stride] = [0, 8, 16].map(|offset| Slot::Word(words + offset));
            let mut field = |slot, value: usize, code, zero: bool| {
                add(format!("{name} {value:#x}"), slot, value as u64, code, None, zero.then_some(name));
            };
            field(dim, 0, NNN_ERR_DIM, true);
            field(dim, 131_072, NNN_ERR_DIM, false);
            field(dim, HUGE, NNN_ERR_DIM, false);
            if self.shapes.len() > 1 {
                field(dim, self.dim - 1, NNN_ERR_DIM, false);
            }
            field(stride, self.dim - 1, NNN_ERR_STRIDE, false);
            field(stride, 0, NNN_ERR_STRIDE, false);
            field(stride, HUGE, NNN_ERR_OVERFLOW, false);
            field(stride, isize::MAX as usize / width, NNN_ERR_OVERFLOW, false);
            field(rows, 1 << 32, NNN_ERR_RANGE, false);
            field(rows, HUGE / 2, NNN_ERR_OVERFLOW, false);
        }
        for &(name, value, code) in entry.numbers {
            let (_, at) = *self.names.iter().find(|(n, _)| *n == name).unwrap();
            add(format!("{name} {value:#x}"), Slot::Argument(at), value, code, None, (value == 0).then_some(name));
        }
        faults
    }
}

fn packed(entry: &Entry) -> World {
    let mut world = World::new(Layout::Packed, [4, 8, 8, 2]);
    (entry.build)(&mut world);
    world
}

/// The call must give the code of the first fault in the documented order, and write nothing.
fn expect(entry: &Entry, world: &mut World, faults: &[&Fault]) {
    let old: Vec<u64> = faults.iter().map(|fault| world.get(fault.slot)).collect();
    for fault in faults {
        world.set(fault.slot, fault.value);
    }
    let rank = |code| ORDER.iter().position(|c| *c == code).unwrap();
    let expected = faults.iter().map(|fault| fault.code).min_by_key(|code| rank(*code)).unwrap();
    let before = std::hint::black_box(&world.arena).clone();
    let got = (entry.call)(&world.arguments);
    let what = || faults.iter().map(|fault| fault.what.as_str()).collect::<Vec<_>>().join(" and ");
    assert_eq!(got, expected, "{}: {}", entry.name, what());
    assert!(*std::hint::black_box(&world.arena) == before, "{}: {}: something was written", entry.name, what());
    for (fault, old) in faults.iter().zip(old) {
        world.set(fault.slot, old);
    }
}

#[test]
fn right_arguments_next_to_each_other_are_accepted() {
    for entry in entries() {
        let world = packed(&entry);
        let before = world.contents();
        assert_eq!((entry.call)(&world.arguments), NNN_OK, "{}", entry.name);
        // Inputs were not written, and outputs were: those of find_nonfinite only when it finds something.
        for ((region, before), after) in world.regions.iter().zip(&before).zip(world.contents()) {
            let quiet = entry.name == "nnn_find_nonfinite_f32" || region.name == "a_len" || region.name == "scratch";
            assert!(quiet || region.written == (*before != after), "{}: {}", entry.name, region.name);
        }
        // NULL where it means absent.
        for region in world.regions.clone().iter().filter(|region| region.optional) {
            let mut world = packed(&entry);
            world.set(region.slot, 0);
            assert_eq!((entry.call)(&world.arguments), NNN_OK, "{}: {} NULL", entry.name, region.name);
        }
    }
}

#[test]
fn every_wrong_argument_has_its_code_and_writes_nothing() {
    let mut checked = 0;
    for entry in entries() {
        let mut world = packed(&entry);
        for fault in &world.faults(&entry) {
            expect(&entry, &mut world, &[fault]);
            checked += 1;
        }
        // What is read to be judged must hold, misaligned, what it held before.
        for r in world.regions.clone().into_iter().filter(|r| r.judged) {
            let mut copy = vec![0u8; r.bytes + 16];
            for shift in [1, r.align / 2] {
                let aligned = copy.as_mut_ptr().addr().next_multiple_of(8);
                let place = copy.as_mut_ptr().with_addr(aligned + shift);
                // SAFETY: the region's bytes, into a copy with room for them from 8 + 4 on.
                unsafe { place.copy_from_nonoverlapping(std::ptr::with_exposed_provenance(r.start), r.bytes) };
                let value = place.expose_provenance() as u64;
                let what = format!("{} misaligned", r.name);
                expect(&entry, &mut world, &[&Fault { what, slot: r.slot, value, code: NNN_ERR_ALIGN, null: None, zero: None }]);
                checked += 1;
            }
        }
    }
    assert!(checked > 1000, "only {checked} faults");
}

#[test]
fn of_two_faults_the_first_in_the_documented_order_is_reported() {
    for entry in entries() {
        let mut world = packed(&entry);
        let faults = world.faults(&entry);
        for (i, one) in faults.iter().enumerate() {
            for other in &faults[i + 1..] {
                // NULL is fine with length 0.
                let empties = |zero: &Fault, null: &Fault| {
                    entry.empties.iter().any(|(n, r)| zero.zero == Some(n) && null.null.as_deref() == Some(r))
                };
                // Of a count past the end the rest is judged for the rows that exist: how many is no second fault.
                let count = |a: &Fault, b: &Fault| a.what.starts_with("count") && b.what.starts_with("gallery");
                let related = empties(one, other) || empties(other, one) || count(one, other) || count(other, one);
                if one.code != other.code && one.slot != other.slot && !related {
                    expect(&entry, &mut world, &[one, other]);
                }
            }
        }
    }
}

#[test]
fn null_is_fine_with_length_0() {
    let (gallery, bank) = (empty_f32(), MatF32 { data: [1f32, 2.0].as_ptr(), rows: 2, dim: 1, stride: 1 });
    let codes = MatI8 { data: std::ptr::null(), scale: std::ptr::null(), rows: 0, dim: 1, stride: 1 };
    let mut scratch = [0u8; 8192];
    let (s, len) = (scratch.as_mut_ptr().cast(), scratch.len());
    use std::ptr::{null, null_mut};
    let (mut hits, mut found, mut len_a) = ([NO_HIT; 2], [9u32; 2], 0u32);
    // SAFETY: every pointer is NULL with a length of 0, or names what the function says.
    unsafe {
        assert_eq!(nnn_scores_f32(&gallery, &bank, 0, 2, null_mut(), 2), NNN_OK);
        assert_eq!(nnn_scores_f32(&bank, &gallery, 0, 0, null_mut(), 0), NNN_OK);
        assert_eq!(nnn_scores_i8(&codes, &codes, 0, 0, null_mut(), 0), NNN_OK);
        assert_eq!(nnn_normalize_f32(&gallery, null_mut(), 1), NNN_OK);
        assert_eq!(nnn_quantize_i8(&gallery, null_mut(), 1, null_mut()), NNN_OK);
        assert_eq!(nnn_neighbors_init(null_mut(), 0, 3), NNN_OK);
        assert_eq!(nnn_neighbors_merge(null_mut(), null(), 0, 3), NNN_OK);
        assert_eq!(nnn_neighbors_bias(null(), 0, 3, 3, 1.0, null_mut()), NNN_OK);
        assert_eq!(nnn_neighbors_update_f32(&gallery, &bank, 3, 0, 0, s, len, null_mut()), NNN_OK);
        assert_eq!(nnn_neighbors_update_f32(&bank, &gallery, 1, 2, 0, s, len, null_mut()), NNN_OK);
        assert_eq!(nnn_bias_f32(&gallery, &bank, 2, 1.0, 0, 0, s, len, null_mut()), NNN_OK);
        assert_eq!(nnn_bias_f32(&bank, &gallery, 1, 1.0, 0, 0, s, len, null_mut()), NNN_ERR_K, "an empty bank");
        assert_eq!(nnn_search_f32(&gallery, &bank, null(), null(), 5, 0, 2, null_mut(), 0, null_mut(), null_mut()), NNN_OK);
        let done = nnn_search_f32(&bank, &gallery, null(), null(), 1, 0, 0, null_mut(), 0, hits.as_mut_ptr(), found.as_mut_ptr());
        assert_eq!((done, found, hits), (NNN_OK, [0, 0], [NO_HIT; 2]), "an empty gallery");
        assert_eq!(nnn_rerank(null(), 0, null(), 0, 3, null_mut(), found.as_mut_ptr()), NNN_OK);
        assert_eq!(nnn_hits_merge(hits.as_mut_ptr(), &mut len_a, null(), 0, 2), NNN_OK);
        assert_eq!(len_a, 0);
        let mut count = 0usize;
        assert_eq!(nnn_isa_available(null_mut(), 0, &mut count), NNN_OK);
        assert!(count >= 2);
    }
}

fn empty_f32() -> MatF32 {
    MatF32 { data: std::ptr::null(), rows: 0, dim: 1, stride: 1 }
}

/// The one overlap that is allowed: exactly in place.
#[test]
fn normalising_in_place_is_no_alias() {
    let mut data = [3f32, 4.0, 9.0, 0.0, -2.0];
    let start = data.as_mut_ptr();
    let src = MatF32 { data: start, rows: 2, dim: 2, stride: 3 };
    // SAFETY: `data` holds two rows of two, three apart.
    unsafe {
        assert_eq!(nnn_normalize_f32(&src, start, 2), NNN_ERR_ALIAS, "another stride");
        assert_eq!(nnn_normalize_f32(&src, start.add(1), 3), NNN_ERR_ALIAS, "shifted");
        assert_eq!(nnn_normalize_f32(&src, start, 3), NNN_OK);
    }
    assert_eq!(data, [0.6, 0.8, 9.0, 0.0, -1.0]);
}

/// What only the content can tell: an id out of range, a row that has seen too few, lists out of order.
#[test]
fn wrong_content_has_its_code_and_writes_nothing() {
    let no = f32::NEG_INFINITY;
    let mut bias = [7f32; 2];
    let hit = |score, id| Hit { score, id };
    let (mut hits, mut found) = ([NO_HIT; 2], 9u32);
    // SAFETY: all pointers name arrays of the given lengths.
    unsafe {
        let mut of = |table: [f32; 4], k| nnn_neighbors_bias(table.as_ptr(), 2, 2, k, 1.0, bias.as_mut_ptr());
        assert_eq!(of([1.0, 0.5, 1.0, no], 2), NNN_ERR_K, "one row has seen one");
        assert_eq!(of([0.5, 1.0, 1.0, 0.5], 2), NNN_ERR_VALUE, "out of order");
        assert_eq!(of([0.5, 1.0, 1.0, no], 2), NNN_ERR_K, "K comes before VALUE");
        assert_eq!(of([f32::MAX, 0.0, f32::INFINITY, 0.0], 1), NNN_ERR_VALUE);
        assert_eq!(bias, [7.0; 2]);

        let mut rerank = |candidates: [Hit; 2], bias: &[f32]| {
            let done = nnn_rerank(candidates.as_ptr(), 2, bias.as_ptr(), bias.len(), 2, hits.as_mut_ptr(), &mut found);
            (done, hits, found)
        };
        let untouched = [NO_HIT; 2];
        assert_eq!(rerank([hit(1.0, 0), hit(1.0, 2)], &[0.0; 2]), (NNN_ERR_RANGE, untouched, 9));
        assert_eq!(rerank([hit(f32::NAN, 0), hit(1.0, 2)], &[0.0; 2]), (NNN_ERR_RANGE, untouched, 9), "RANGE before VALUE");
        assert_eq!(rerank([hit(1.0, u32::MAX), hit(1.0, 1)], &[0.0; 2]), (NNN_ERR_RANGE, untouched, 9));
        assert_eq!(rerank([hit(1.0, 0), hit(1.0, 1)], &[0.0, f32::NAN]), (NNN_ERR_VALUE, untouched, 9));
        assert_eq!(rerank([hit(1.0, 0), hit(1.0, 0)], &[0.0, f32::NAN]).0, NNN_OK, "a bias that no candidate has");

        let merge = |mut a: [Hit; 2], b: [Hit; 2]| {
            let mut len = 2u32;
            let before = a;
            let done = nnn_hits_merge(a.as_mut_ptr(), &mut len, b.as_ptr(), 2, 2);
            assert!(done == NNN_OK || (a, len) == (before, 2), "something was written");
            done
        };
        let good = [hit(1.0, 3), hit(1.0, 4)];
        assert_eq!(merge(good, [hit(1.0, 6), hit(1.0, 5)]), NNN_ERR_VALUE, "ids of equal scores ascend");
        assert_eq!(merge([hit(0.0, 1), hit(1.0, 0)], good), NNN_ERR_VALUE);
        assert_eq!(merge(good, [hit(2.0, 1), hit(no, 2)]), NNN_ERR_VALUE);
        assert_eq!(merge(good, [hit(2.0, 9), hit(2.0, 10)]), NNN_OK);
    }
}

/// Only what the documentation names is read or written, on every instruction set.
#[test]
fn no_entry_touches_a_byte_outside_of_its_arguments() {
    for_each_isa(|isa| {
        for shape in [[1, 1, 0, 1], [2, 3, 0, 1], [3, 31, 1, 2], [5, 33, 0, 5], [67, 17, 3, 40], [65, 100, 0, 64]] {
            for at_end in [true, false] {
                for entry in entries() {
                    let mut world = World::new(Layout::Guarded { at_end }, shape);
                    (entry.build)(&mut world);
                    assert_eq!((entry.call)(&world.arguments), NNN_OK, "{isa:?} {} {shape:?}", entry.name);
                }
            }
        }
    });
}

/// The list above has every exported function that takes a pointer.
#[test]
fn every_entry_with_a_pointer_is_tested() {
    let header = include_str!("../../include/nnn.h");
    let code: String = header.lines().filter(|line| !line.starts_with("//") && !line.starts_with(" *")).collect();
    let declarations = code.split(';').filter_map(|text| {
        let (before, arguments) = text.rsplit_once('(')?;
        let name = before.rsplit([' ', '*']).next()?;
        (name.starts_with("nnn_") && arguments.contains('*')).then_some(name)
    });
    let tested: Vec<&str> = entries().iter().map(|entry| entry.name).collect();
    let missing: Vec<&str> = declarations.filter(|name| !tested.contains(name)).collect();
    assert!(missing.is_empty(), "not tested: {missing:?}");
}

//! The contract of a C function's arguments, broken in every way: each fault alone and each pair of faults gives the documented
//! code (the first of the order), and not a byte that the call could reach is written.
//!
//! A [`Function`] lists its parameters with the values of a good call; the faults follow from the parameters. The good call is also
//! made with arguments that lie side by side, and with each of them flush against an inaccessible page.

#[cfg(unix)]
use crate::guard::Guarded;
use nnn::abi::*;
use std::ops::RangeInclusive;

/// The order in which errors are reported.
const ORDER: [i32; 10] = [
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

/// One parameter, with what a good call passes for it.
pub enum Param {
    /// `const nnn_mat_f32 *`: rows x dim; `refuses`: the rows in which NaN and infinity are refused.
    Mat { rows: usize, dim: usize, refuses: Option<RangeInclusive<usize>> },
    /// `const nnn_mat_i8 *`, with scales; `refuses`: the rows whose scales must be finite.
    Codes { rows: usize, dim: usize, refuses: Option<RangeInclusive<usize>> },
    /// `const nnn_encoded *`: encoded rows of one side.
    Encoded { rows: usize, dim: usize, side: u32, refuses: Option<RangeInclusive<usize>> },
    /// A matrix, or NULL.
    Optional(Box<Param>),
    /// `const nnn_gate *`, followed by how many: so many gates of biases and bits of so many rows.
    Gates { gates: usize, rows: usize, refuses: RangeInclusive<usize> },
    /// A pointer to elements that are read.
    In(Elements),
    /// As [`In`](Self::In), or NULL.
    InOptional(Elements),
    /// A pointer to elements that are written.
    Out(Elements),
    /// As [`Out`](Self::Out), or NULL.
    OutOptional(Elements),
    /// Work memory of so many bytes, followed by its length, of which the least is given.
    Scratch { bytes: usize, least: usize },
    /// A size, and values that are wrong for it.
    Size(usize, Vec<Wrong>),
    /// A parameter that must be finite.
    Finite(f32),
    /// A parameter of which every value is good.
    Any(usize),
}

/// A wrong value of a size, and its code. `about`: the parameter (a matrix' rows, a size) on which it depends that it is wrong.
pub struct Wrong {
    value: usize,
    code: i32,
    about: Option<usize>,
}

/// A wrong value in any call.
pub fn wrong(value: usize, code: i32) -> Wrong {
    Wrong { value, code, about: None }
}

/// A value that is wrong because of the rows of the matrix, or the size, that is parameter `about`.
pub fn wrong_for(about: usize, value: usize, code: i32) -> Wrong {
    Wrong { value, code, about: Some(about) }
}

/// Elements of an array parameter.
pub struct Elements {
    bytes: Vec<u8>,
    size: usize,
    align: usize,
    refused: Vec<Refused>,
}

/// Content that is refused: these bytes at that offset.
struct Refused {
    offset: usize,
    bytes: Vec<u8>,
    code: i32,
    /// Judged after everything that the arguments themselves tell.
    late: bool,
}

impl Elements {
    /// These floats.
    pub fn floats(values: &[f32]) -> Elements {
        Elements { bytes: values.iter().flat_map(|x| x.to_ne_bytes()).collect(), size: 4, align: 4, refused: Vec::new() }
    }

    /// These hits.
    pub fn hits(values: &[(f32, u32)]) -> Elements {
        let bytes = values.iter().flat_map(|(score, id)| [score.to_ne_bytes(), id.to_ne_bytes()]).flatten().collect();
        Elements { bytes, size: 8, align: 4, refused: Vec::new() }
    }

    /// These numbers.
    pub fn numbers<T: Copy + Into<u64>>(values: &[T]) -> Elements {
        let bytes = values.iter().flat_map(|value| Elements::one(*value).bytes).collect();
        Elements { bytes, size: size_of::<T>(), align: align_of::<T>(), refused: Vec::new() }
    }

    /// These sizes.
    pub fn sizes(values: &[usize]) -> Elements {
        let bytes = bytemuck::cast_slice(values).to_vec();
        Elements { bytes, size: WORD, align: align_of::<usize>(), refused: Vec::new() }
    }

    /// `n` times the number 0.
    pub fn zeros<T>(n: usize) -> Elements {
        Elements { bytes: vec![0; n * size_of::<T>()], ..Elements::blank::<T>(0) }
    }

    /// `n` elements of a type, of a pattern that no call writes.
    pub fn blank<T>(n: usize) -> Elements {
        Elements { bytes: vec![0xA5; n * size_of::<T>()], size: size_of::<T>(), align: align_of::<T>(), refused: Vec::new() }
    }

    /// One element.
    pub fn one<T: Copy + Into<u64>>(value: T) -> Elements {
        let bytes = value.into().to_le_bytes();
        let bytes = if cfg!(target_endian = "big") {
            bytes[..size_of::<T>()].iter().rev().copied().collect()
        } else {
            bytes[..size_of::<T>()].to_vec()
        };
        Elements { bytes, size: size_of::<T>(), align: align_of::<T>(), refused: Vec::new() }
    }

    /// NaN and the infinities are refused in these elements (at their start, where an element holds more than a float).
    pub fn finite(mut self, elements: RangeInclusive<usize>) -> Elements {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for i in [*elements.start(), *elements.end()] {
                let bytes = bad.to_ne_bytes().to_vec();
                self.refused.push(Refused { offset: i * self.size, bytes, code: NNN_ERR_VALUE, late: true });
            }
        }
        self
    }

    /// These bytes from element `i` on are refused.
    pub fn refusing(mut self, i: usize, with: Elements, code: i32) -> Elements {
        self.refused.push(Refused { offset: i * self.size, bytes: with.bytes, code, late: true });
        self
    }

    /// The only element is refused with this value, as if it were passed itself.
    pub fn refusing_value(mut self, with: Elements, code: i32) -> Elements {
        self.refused.push(Refused { offset: 0, bytes: with.bytes, code, late: false });
        self
    }
}

/// A C function and a good call of it.
pub struct Function {
    /// As exported.
    pub name: &'static str,
    /// In the order of the signature; a scratch parameter stands for two arguments.
    pub params: Vec<Param>,
    /// Calls it with raw arguments: pointers, sizes, and floats as their bits.
    pub call: fn(&[usize]) -> i32,
    /// Outputs are written with this code (`nnn_find_nonfinite_f32`).
    pub reports: Option<i32>,
}

#[derive(Clone)]
enum Edit {
    Argument(usize, usize),
    Memory {
        block: usize,
        offset: usize,
        bytes: Vec<u8>,
    },
    /// Nothing itself: the fault depends on that field, or (without an offset) on all of the block.
    DependsOn {
        block: usize,
        offset: Option<usize>,
    },
    /// Nothing itself: the fault depends on that argument.
    DependsOnArgument(usize),
}

impl Edit {
    /// Whether the two may undo each other.
    fn meets(&self, other: &Edit) -> bool {
        match (self.place(), other.place()) {
            (Err(a), Err(b)) => a == b,
            (Ok((a, x)), Ok((b, y))) => a == b && (x.is_none() || y.is_none() || x == y),
            _ => false,
        }
    }

    /// Block and offset, or the argument.
    fn place(&self) -> Result<(usize, Option<usize>), usize> {
        match *self {
            Edit::Argument(i, _) | Edit::DependsOnArgument(i) => Err(i),
            Edit::Memory { block, offset, .. } => Ok((block, Some(offset))),
            Edit::DependsOn { block, offset } => Ok((block, offset)),
        }
    }
}

#[derive(Clone)]
struct Fault {
    what: String,
    code: i32,
    /// Told by the content of an array only, which is judged after everything else.
    content: bool,
    /// Makes a length 0.
    empties: bool,
    edits: Vec<Edit>,
}

/// How the arguments of a call lie in memory.
#[derive(Clone, Copy, PartialEq)]
enum Layout {
    /// Far enough from each other, in one piece that is compared before and after.
    Apart,
    /// Side by side: a call that succeeds shows that neighbours are no overlap.
    Adjacent,
    /// Each with an inaccessible page after its last byte, or before its first.
    #[cfg(unix)]
    Guarded { at_end: bool },
}

/// Memory of one call.
struct World {
    layout: Layout,
    memory: Vec<u64>,
    #[cfg(unix)]
    guarded: Vec<Guarded>,
    blocks: Vec<Block>,
    arguments: Vec<usize>,
}

#[derive(Clone, Copy)]
struct Block {
    address: usize,
    len: usize,
    scratch: bool,
}

const GAP: usize = 512;
const MEMORY: usize = 1 << 15;

impl World {
    fn new(layout: Layout) -> World {
        let (memory, blocks, arguments) = (vec![0x5A5A_5A5A_5A5A_5A5A; MEMORY / 8], Vec::new(), Vec::new());
        #[cfg(unix)]
        return World { layout, memory, guarded: Vec::new(), blocks, arguments };
        #[cfg(not(unix))]
        World { layout, memory, blocks, arguments }
    }

    /// Bytes of a block that is not guarded, and of what follows it.
    fn bytes_from(&mut self, address: usize) -> &mut [u8] {
        let start = address - self.memory.as_ptr().addr();
        &mut bytemuck::cast_slice_mut(&mut self.memory)[start..]
    }

    fn address(&self, block: usize) -> usize {
        self.blocks[block].address
    }

    fn add(&mut self, content: &[u8], scratch: bool) -> usize {
        let start = self.memory.as_ptr().addr();
        let end = self.blocks.last().map_or(start, |last| last.address + last.len);
        let address = match self.layout {
            Layout::Apart => (end + GAP).next_multiple_of(64),
            Layout::Adjacent => end.next_multiple_of(8),
            #[cfg(unix)]
            Layout::Guarded { at_end } => {
                let mut guarded = Guarded::new(content.len());
                let address = guarded.place(content, at_end).as_ptr().expose_provenance();
                self.guarded.push(guarded);
                self.blocks.push(Block { address, len: content.len(), scratch });
                return self.blocks.len() - 1;
            }
        };
        assert!(address + content.len() + GAP < start + MEMORY, "a larger memory is needed");
        self.bytes_from(address)[..content.len()].copy_from_slice(content);
        self.blocks.push(Block { address, len: content.len(), scratch });
        self.blocks.len() - 1
    }

    fn words(&mut self, words: &[usize]) -> usize {
        self.add(bytemuck::cast_slice(words), false)
    }

    fn edit(&mut self, edit: &Edit) {
        match edit {
            Edit::Argument(i, value) => self.arguments[*i] = *value,
            Edit::Memory { block, offset, bytes } => {
                let address = self.address(*block) + offset;
                self.bytes_from(address)[..bytes.len()].copy_from_slice(bytes);
            }
            Edit::DependsOn { .. } | Edit::DependsOnArgument(_) => {}
        }
    }

    /// Everything but work memory.
    fn image(&mut self) -> Vec<u8> {
        let scratch: Vec<Block> = self.blocks.iter().copied().filter(|b| b.scratch).collect();
        let start = self.memory.as_ptr().addr();
        let mut image = self.bytes_from(start).to_vec();
        for block in scratch {
            image[block.address - start..][..block.len].fill(0);
        }
        image
    }
}

/// What of a parameter may overlap an output: block, and whether the parameter is itself written through argument `.2`.
struct Region {
    block: usize,
    /// Argument that points to it, if it is an output.
    output: Option<usize>,
    align: usize,
}

const WORD: usize = size_of::<usize>();

struct Builder {
    world: World,
    faults: Vec<Fault>,
    regions: Vec<Region>,
    /// Arguments that may be NULL.
    optional: Vec<usize>,
    /// By parameter: depends on the rows of the matrix, or on the size.
    size_of: Vec<Edit>,
}

impl Builder {
    fn fault(&mut self, what: String, code: i32, edits: Vec<Edit>) {
        let empties = edits.iter().any(|edit| match edit {
            Edit::Argument(_, value) => *value == 0 && code != NNN_ERR_NULL,
            Edit::Memory { bytes, .. } => bytes.iter().all(|byte| *byte == 0) && code != NNN_ERR_NULL,
            Edit::DependsOn { .. } | Edit::DependsOnArgument(_) => false,
        });
        self.faults.push(Fault { what, code, content: false, empties, edits });
    }

    fn field(&mut self, what: &str, block: usize, word: usize, value: usize, code: i32) {
        let edit = Edit::Memory { block, offset: word * WORD, bytes: value.to_ne_bytes().to_vec() };
        self.fault(format!("{what} = {value:#x}"), code, vec![edit]);
    }

    fn pointer_argument(&mut self, name: &str, argument: usize, block: usize, align: usize, optional: bool) {
        if optional {
            self.optional.push(argument);
        } else {
            self.fault(format!("{name} NULL"), NNN_ERR_NULL, vec![Edit::Argument(argument, 0)]);
        }
        if align > 1 && self.world.layout == Layout::Apart {
            // The same content one byte further on, so that only the address is wrong.
            let Block { address, len, .. } = self.world.blocks[block];
            let content = [&[0xA5], &self.world.bytes_from(address)[..len]].concat();
            let copy = self.world.add(&content, false);
            let moved = Edit::Argument(argument, self.world.address(copy) + 1);
            self.fault(format!("{name} misaligned"), NNN_ERR_ALIGN, vec![moved, Edit::DependsOn { block, offset: None }]);
        }
    }

    /// A matrix whose struct starts at word `word` of `block`; the fields after `data` and, for codes, `scale`.
    fn matrix_fields(&mut self, name: &str, block: usize, word: usize, data: usize, scale: Option<usize>, shape: [usize; 3]) {
        let [_, dim, _] = shape;
        let after = word + 1 + usize::from(scale.is_some());
        self.field(&format!("{name}.data"), block, word, 0, NNN_ERR_NULL);
        self.field(&format!("{name}.dim"), block, after + 1, 0, NNN_ERR_DIM);
        self.field(&format!("{name}.dim"), block, after + 1, nnn::MAX_DIM + 1, NNN_ERR_DIM);
        self.field(&format!("{name}.stride"), block, after + 2, dim - 1, NNN_ERR_STRIDE);
        self.field(&format!("{name}.stride"), block, after + 2, 0, NNN_ERR_STRIDE);
        self.field(&format!("{name}.stride"), block, after + 2, usize::MAX, NNN_ERR_OVERFLOW);
        self.field(&format!("{name}.rows"), block, after, usize::MAX, NNN_ERR_OVERFLOW);
        #[cfg(target_pointer_width = "64")]
        self.field(&format!("{name}.rows"), block, after, 1 << 32, NNN_ERR_RANGE);
        self.regions.push(Region { block: data, output: None, align: 1 });
        let address = self.world.address(data);
        if scale.is_none() {
            self.field(&format!("{name}.data misaligned"), block, word, address + 1, NNN_ERR_ALIGN);
        }
        if let Some(scale) = scale {
            let address = self.world.address(scale);
            self.field(&format!("{name}.scale misaligned"), block, word + 1, address + 2, NNN_ERR_ALIGN);
            self.regions.push(Region { block: scale, output: None, align: 1 });
        }
    }

    fn bad_floats(&mut self, name: &str, block: usize, at: impl IntoIterator<Item = usize>) {
        for i in at {
            for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                let edit = Edit::Memory { block, offset: 4 * i, bytes: bad.to_ne_bytes().to_vec() };
                self.fault(format!("{name}[{i}] = {bad}"), NNN_ERR_VALUE, vec![edit]);
            }
        }
    }

    fn struct_argument(&mut self, name: &str, block: usize) {
        let argument = self.world.arguments.len();
        let address = self.world.address(block);
        self.world.arguments.push(address);
        self.pointer_argument(name, argument, block, WORD, false);
        self.regions.push(Region { block, output: None, align: 1 });
    }

    fn param(&mut self, i: usize, param: &Param) {
        let name = format!("parameter {i}");
        let mut size_of = Edit::DependsOnArgument(self.world.arguments.len());
        if let Param::Optional(matrix) = param {
            let (argument, from) = (self.world.arguments.len(), self.faults.len());
            self.param(i, matrix);
            let null = |fault: &Fault| matches!(fault.edits[..], [Edit::Argument(at, 0)] if at == argument);
            let at = self.faults[from..].iter().position(null).expect("a matrix is a pointer");
            self.faults.remove(from + at);
            return;
        }
        match param {
            Param::Optional(_) => unreachable!("handled above"),
            Param::Mat { rows, dim, refuses } => {
                let data = self.world.add(&floats(rows * dim), false);
                let address = self.world.address(data);
                let block = self.world.words(&[address, *rows, *dim, *dim]);
                self.struct_argument(&name, block);
                self.matrix_fields(&name, block, 0, data, None, [*rows, *dim, *dim]);
                if let Some(refuses) = refuses {
                    self.bad_floats(&name, data, [refuses.start() * dim, refuses.end() * dim + dim - 1]);
                }
                size_of = Edit::DependsOn { block, offset: Some(WORD) };
            }
            Param::Codes { rows, dim, refuses } => {
                let data = self.world.add(&codes(rows * dim), false);
                let scale = self.world.add(&floats_of(*rows, 0.5), false);
                let (data_at, scale_at) = (self.world.address(data), self.world.address(scale));
                let block = self.world.words(&[data_at, scale_at, *rows, *dim, *dim]);
                self.struct_argument(&name, block);
                self.matrix_fields(&name, block, 0, data, Some(scale), [*rows, *dim, *dim]);
                if let Some(refuses) = refuses {
                    self.bad_floats(&name, scale, [*refuses.start(), *refuses.end()]);
                }
                size_of = Edit::DependsOn { block, offset: Some(2 * WORD) };
            }
            Param::Encoded { rows, dim, side, refuses } => {
                let (values, codes, scale, bounds) = encoded(*rows, *dim, *side);
                let data = self.world.add(&values, false);
                let codes = self.world.add(&codes, false);
                let scale = self.world.add(&scale, false);
                let bounds = self.world.add(&bounds, false);
                let [data_at, codes_at, scale_at, bounds_at] = [data, codes, scale, bounds].map(|b| self.world.address(b));
                let words = [data_at, *rows, *dim, *dim, codes_at, scale_at, *rows, *dim, *dim, bounds_at];
                let block = self.world.words(&words);
                self.struct_argument(&name, block);
                self.matrix_fields(&format!("{name}.rows"), block, 0, data, None, [*rows, *dim, *dim]);
                self.field(&format!("{name}.codes.data"), block, 4, 0, NNN_ERR_NULL);
                self.field(&format!("{name}.codes.scale misaligned"), block, 5, scale_at + 1, NNN_ERR_ALIGN);
                self.field(&format!("{name}.codes.rows"), block, 6, rows - 1, NNN_ERR_RANGE);
                self.field(&format!("{name}.codes.dim"), block, 7, dim - 1, NNN_ERR_DIM);
                self.field(&format!("{name}.codes.stride"), block, 8, dim - 1, NNN_ERR_STRIDE);
                self.field(&format!("{name}.bounds"), block, 9, 0, NNN_ERR_NULL);
                self.field(&format!("{name}.bounds misaligned"), block, 9, bounds_at + 2, NNN_ERR_ALIGN);
                for block in [codes, scale, bounds] {
                    self.regions.push(Region { block, output: None, align: 1 });
                }
                if let Some(refuses) = refuses {
                    self.bad_floats(&name, data, [refuses.start() * dim, refuses.end() * dim + dim - 1]);
                }
                size_of = Edit::DependsOn { block, offset: Some(WORD) };
            }
            Param::Gates { gates, rows, refuses } => {
                let mut words = Vec::new();
                let mut parts = Vec::new();
                for _ in 0..*gates {
                    let bias = self.world.add(&floats_of(*rows, 0.25), false);
                    let active = self.world.add(&u64::MAX.to_ne_bytes().repeat(rows.div_ceil(64)), false);
                    words.extend([self.world.address(bias), self.world.address(active), 20f32.to_bits() as usize]);
                    parts.push((bias, active));
                }
                let block = self.world.words(&words);
                self.struct_argument(&name, block);
                for (i, (bias, active)) in parts.into_iter().enumerate() {
                    let (bias_at, active_at) = (self.world.address(bias), self.world.address(active));
                    self.field(&format!("{name}[{i}].bias"), block, 3 * i, 0, NNN_ERR_NULL);
                    self.field(&format!("{name}[{i}].active"), block, 3 * i + 1, 0, NNN_ERR_NULL);
                    self.field(&format!("{name}[{i}].bias misaligned"), block, 3 * i, bias_at + 1, NNN_ERR_ALIGN);
                    self.field(&format!("{name}[{i}].active misaligned"), block, 3 * i + 1, active_at + 4, NNN_ERR_ALIGN);
                    for beta in [0.0, -1.0, f32::NAN, f32::INFINITY] {
                        let beta: f32 = beta;
                        self.field(&format!("{name}[{i}].beta"), block, 3 * i + 2, beta.to_bits() as usize, NNN_ERR_VALUE);
                    }
                    self.bad_floats(&format!("{name}[{i}].bias"), bias, [*refuses.start(), *refuses.end()]);
                    for block in [bias, active] {
                        self.regions.push(Region { block, output: None, align: 1 });
                    }
                }
                let argument = self.world.arguments.len();
                self.world.arguments.push(*gates);
                for (value, code) in [(0, NNN_ERR_RANGE), (3, NNN_ERR_RANGE), (usize::MAX, NNN_ERR_OVERFLOW)] {
                    // What lies in the gates is then not looked at.
                    let depends = Edit::DependsOn { block, offset: None };
                    self.fault(format!("{value:#x} gates"), code, vec![Edit::Argument(argument, value), depends]);
                }
            }
            Param::In(elements) | Param::InOptional(elements) | Param::Out(elements) | Param::OutOptional(elements) => {
                let optional = matches!(param, Param::InOptional(_) | Param::OutOptional(_));
                let output = matches!(param, Param::Out(_) | Param::OutOptional(_));
                let block = self.world.add(&elements.bytes, false);
                let argument = self.world.arguments.len();
                let address = self.world.address(block);
                self.world.arguments.push(address);
                self.pointer_argument(&name, argument, block, elements.align, optional);
                self.regions.push(Region { block, output: output.then_some(argument), align: elements.align });
                for Refused { offset, bytes, code, late } in &elements.refused {
                    let edit = Edit::Memory { block, offset: *offset, bytes: bytes.clone() };
                    let what = format!("{name} content at byte {offset}: {bytes:?}");
                    self.faults.push(Fault { what, code: *code, content: *late, empties: false, edits: vec![edit] });
                }
            }
            Param::Scratch { bytes, least } => {
                let block = self.world.add(&vec![0xA5; *bytes], true);
                let argument = self.world.arguments.len();
                let address = self.world.address(block);
                self.world.arguments.extend([address, *bytes]);
                if *least > 0 {
                    self.fault(format!("{name} NULL"), NNN_ERR_NULL, vec![Edit::Argument(argument, 0)]);
                    let small = vec![Edit::Argument(argument + 1, least - 1)];
                    self.fault(format!("{name} of {} bytes", least - 1), NNN_ERR_CAPACITY, small);
                }
                let huge = vec![Edit::Argument(argument + 1, usize::MAX)];
                self.fault(format!("{name} of SIZE_MAX bytes"), NNN_ERR_OVERFLOW, huge);
                self.regions.push(Region { block, output: Some(argument), align: 1 });
            }
            Param::Size(good, wrong) => {
                let argument = self.world.arguments.len();
                self.world.arguments.push(*good);
                for wrong in wrong {
                    let mut edits = vec![Edit::Argument(argument, wrong.value)];
                    edits.extend(wrong.about.map(|parameter| self.size_of[parameter].clone()));
                    self.fault(format!("{name} = {:#x}", wrong.value), wrong.code, edits);
                }
            }
            Param::Finite(good) => {
                let argument = self.world.arguments.len();
                self.world.arguments.push(good.to_bits() as usize);
                for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                    let edit = Edit::Argument(argument, bad.to_bits() as usize);
                    self.fault(format!("{name} = {bad}"), NNN_ERR_VALUE, vec![edit]);
                }
            }
            Param::Any(value) => self.world.arguments.push(*value),
        }
        self.size_of.push(size_of);
    }

    /// Every output moved so that it begins in the last element of every other region.
    fn overlaps(&mut self) {
        let mut overlaps = Vec::new();
        for (i, region) in self.regions.iter().enumerate() {
            let Some(argument) = region.output else { continue };
            for (j, other) in self.regions.iter().enumerate().filter(|(j, _)| *j != i) {
                let block = self.world.blocks[other.block];
                let last = (block.len - 1) / region.align * region.align;
                let edit = Edit::Argument(argument, self.world.address(other.block) + last);
                // It no longer points to its own content.
                let left = Edit::DependsOn { block: region.block, offset: None };
                overlaps.push((format!("region {i} overlaps region {j}"), vec![edit, left]));
            }
        }
        for (what, edits) in overlaps {
            self.fault(what, NNN_ERR_ALIAS, edits);
        }
    }
}

fn floats(n: usize) -> Vec<u8> {
    (0..n).flat_map(|i| ((i * 7 % 13) as f32 / 13.0 - 0.4).to_ne_bytes()).collect()
}

fn floats_of(n: usize, value: f32) -> Vec<u8> {
    (0..n).flat_map(|_| value.to_ne_bytes()).collect()
}

fn codes(n: usize) -> Vec<u8> {
    (0..n).map(|i| (i * 37 % 255) as u8).collect()
}

fn encoded(rows: usize, dim: usize, side: u32) -> (Vec<u8>, Vec<u8>, Vec<u8>, Vec<u8>) {
    let bytes = floats(rows * dim);
    let values: Vec<f32> = bytes.chunks_exact(4).map(|b| f32::from_ne_bytes([b[0], b[1], b[2], b[3]])).collect();
    let (mut work, mut codes, mut scale) = (vec![0f32; dim], vec![0i8; rows * dim], vec![0f32; rows]);
    let mut bounds = vec![nnn::Bound::default(); rows];
    let side = if side == NNN_SIDE_QUERY { nnn::Side::Query } else { nnn::Side::Gallery };
    let matrix = nnn::Matrix::new(&values, rows, dim).unwrap();
    nnn::encode(&matrix, None, side, 0, &mut work, &mut codes, dim, &mut scale, &mut bounds).unwrap();
    let bounds = bounds.iter().flat_map(|b| [b.residual, b.norm, b.length, b.offset]).flat_map(f32::to_ne_bytes).collect();
    (bytes, codes.iter().map(|c| *c as u8).collect(), scale.iter().flat_map(|x| x.to_ne_bytes()).collect(), bounds)
}

impl Function {
    fn build(&self, layout: Layout) -> Builder {
        let mut builder = Builder {
            world: World::new(layout),
            faults: Vec::new(),
            regions: Vec::new(),
            optional: Vec::new(),
            size_of: Vec::new(),
        };
        for (i, param) in self.params.iter().enumerate() {
            builder.param(i, param);
        }
        builder.overlaps();
        builder
    }

    fn rank(fault: &Fault) -> usize {
        let order = ORDER.iter().position(|code| *code == fault.code).expect("a code of the order");
        if fault.content { ORDER.len() + order } else { order }
    }

    fn expect(&self, world: &mut World, good: &(Vec<u64>, Vec<usize>), faults: &[&Fault], code: i32) {
        world.memory.copy_from_slice(&good.0);
        world.arguments.copy_from_slice(&good.1);
        for edit in faults.iter().flat_map(|fault| &fault.edits) {
            world.edit(edit);
        }
        let before = world.image();
        let found = (self.call)(&world.arguments);
        let what = || faults.iter().map(|fault| fault.what.as_str()).collect::<Vec<_>>().join(" and ");
        assert_eq!(found, code, "{}: {}", self.name, what());
        if code != NNN_OK && self.reports != Some(code) {
            assert!(world.image() == before, "{}: {}: something was written", self.name, what());
        }
    }

    /// The good call succeeds with arguments side by side, and reads and writes nothing outside of any of them.
    pub fn stays_inside(&self) {
        let mut layouts = vec![Layout::Adjacent];
        #[cfg(unix)]
        layouts.extend([false, true].map(|at_end| Layout::Guarded { at_end }));
        for layout in layouts {
            let Builder { world, .. } = self.build(layout);
            assert_eq!((self.call)(&world.arguments), NNN_OK, "{}", self.name);
        }
    }

    /// Optional arguments may be NULL.
    pub fn does_without_what_is_optional(&self) {
        let Builder { mut world, optional, .. } = self.build(Layout::Apart);
        for argument in optional {
            let given = std::mem::replace(&mut world.arguments[argument], 0);
            assert_eq!((self.call)(&world.arguments), NNN_OK, "{}: argument {argument} NULL", self.name);
            world.arguments[argument] = given;
        }
    }

    /// The good call succeeds; each fault, and each pair of faults, gives its code and writes nothing. Returns how many calls.
    pub fn verify(&self) -> usize {
        let Builder { mut world, faults, .. } = self.build(Layout::Apart);
        // The addresses in the faults are those of `world`, which is made good again before every call.
        let good = (world.memory.clone(), world.arguments.clone());
        let mut expect = |faults: &[&Fault], code| self.expect(&mut world, &good, faults, code);
        expect(&[], NNN_OK);
        let mut calls = 1;
        for (i, fault) in faults.iter().enumerate() {
            expect(&[fault], fault.code);
            calls += 1;
            for other in faults[..i].iter().filter(|other| independent(fault, other)) {
                let first = if Self::rank(fault) < Self::rank(other) { fault } else { other };
                expect(&[fault, other], first.code);
                calls += 1;
            }
        }
        calls
    }
}

/// Whether both faults stand when both are made, and the order says which one is reported.
fn independent(a: &Fault, b: &Fault) -> bool {
    let shared = a.edits.iter().any(|x| b.edits.iter().any(|y| x.meets(y)));
    let late = |fault: &Fault| fault.content || fault.code == NNN_ERR_VALUE;
    // Two outputs that trade places do not overlap.
    let trade = a.code == NNN_ERR_ALIAS && b.code == NNN_ERR_ALIAS;
    // NULL is fine with length 0.
    let null_of_nothing = |a: &Fault, b: &Fault| a.empties && b.code == NNN_ERR_NULL;
    let hidden = shared || trade || null_of_nothing(a, b) || null_of_nothing(b, a);
    !(hidden || (late(a) && late(b)))
}

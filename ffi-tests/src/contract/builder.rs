//! From the parameters of a function: the arguments of a good call, and the faults.

use super::faults::{Edit, Fault};
use super::params::{Param, Refused};
use super::world::{Block, Layout, World};
use nnn::abi::*;

/// What of a parameter may overlap an output.
struct Region {
    block: usize,
    /// Argument that points to it, if it is an output.
    output: Option<usize>,
    align: usize,
}

const WORD: usize = size_of::<usize>();

pub(super) struct Builder {
    pub(super) world: World,
    pub(super) faults: Vec<Fault>,
    regions: Vec<Region>,
    /// Arguments that may be NULL.
    pub(super) optional: Vec<usize>,
    /// By parameter: depends on the rows of the matrix, or on the size.
    size_of: Vec<Edit>,
}

impl Builder {
    pub(super) fn new(params: &[Param], layout: Layout) -> Builder {
        let mut builder = Builder {
            world: World::new(layout),
            faults: Vec::new(),
            regions: Vec::new(),
            optional: Vec::new(),
            size_of: Vec::new(),
        };
        for (i, param) in params.iter().enumerate() {
            builder.param(i, param);
        }
        builder.overlaps();
        builder
    }

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

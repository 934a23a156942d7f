//! What a function takes: parameters with the values of a good call, and what is wrong for them.

use nnn::abi::*;
use std::ops::RangeInclusive;

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
    pub(super) value: usize,
    pub(super) code: i32,
    pub(super) about: Option<usize>,
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
    pub(super) bytes: Vec<u8>,
    pub(super) size: usize,
    pub(super) align: usize,
    pub(super) refused: Vec<Refused>,
}

/// Content that is refused: these bytes at that offset.
pub(super) struct Refused {
    pub(super) offset: usize,
    pub(super) bytes: Vec<u8>,
    pub(super) code: i32,
    /// Judged after everything that the arguments themselves tell.
    pub(super) late: bool,
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
        Elements { bytes, size: size_of::<usize>(), align: align_of::<usize>(), refused: Vec::new() }
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

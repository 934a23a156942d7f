//! The C interface: every `extern "C"` function, and the only place that turns caller pointers into slices.
//!
//! Each function gathers the facts about its arguments, has `check::judge` test them in the documented order of errors, and
//! makes one call into the safe core. Nothing is computed here but sizes. The documentation of these items is the text of
//! `include/nnn.h`, written for C; the header is generated from them (`ffi-tests/cbindgen.toml`, `ffi-tests/tests/header.rs`), so
//! functions are written out: cbindgen does not see what a macro makes.
//!
//! Not part of the Rust API. Rust callers use the safe functions of the crate root.
#![allow(clippy::missing_safety_doc)] // the rules for every pointer stand once, at the top of the header
#![allow(rustdoc::broken_intra_doc_links, rustdoc::invalid_html_tags)] // the texts are those of the header

mod check;

// The order of the header's groups: that of the picture in the crate documentation.
mod machine;

mod vectors;

mod neighbors;

mod bias;

mod family;

mod neighbor_ids;

mod search;

mod gate;

mod eval;

mod certified;

mod export;

mod coarse;

pub use bias::*;
pub use certified::*;
pub use coarse::*;
pub use eval::*;
pub use export::*;
pub use family::*;
pub use gate::*;
pub use machine::*;
pub use neighbor_ids::*;
pub use neighbors::*;
pub use search::*;
pub use vectors::*;

pub use crate::bias::ExactSum;
pub use crate::certified::Certificate;
pub use crate::coarse::BiasError;
pub use crate::encode::Bound;
pub use crate::eval::{Fairness, Hubness, Interval};
pub use crate::export::ExportLimits;
pub use crate::logsum::LogSum;
pub use crate::topk::Hit;

use crate::cpu::Isa;
use crate::kernel::SCRATCH_MIN;
use crate::matrix::Matrix;
use crate::status::{Result, Status};
use check::refused;

/// Result of a call: NNN_OK, or the first of the errors below that applies.
pub type StatusCode = i32;

/// An instruction set: one of NNN_ISA_*.
pub type IsaCode = u32;

/// The call did what it says.
pub const NNN_OK: StatusCode = 0;
/// A required pointer is NULL (NULL is fine with length 0).
pub const NNN_ERR_NULL: StatusCode = -1;
/// A dim is 0, above NNN_MAX_DIM, or differs between the operands.
pub const NNN_ERR_DIM: StatusCode = -2;
/// k is 0, or larger than what it selects from.
pub const NNN_ERR_K: StatusCode = -3;
/// A row range, id or count lies outside of its matrix, or there are more than 2^32 - 1 rows.
pub const NNN_ERR_RANGE: StatusCode = -4;
/// A stride is smaller than the row it steps over.
pub const NNN_ERR_STRIDE: StatusCode = -5;
/// A size in bytes does not fit the address space.
pub const NNN_ERR_OVERFLOW: StatusCode = -6;
/// A typed pointer is not aligned for its type.
pub const NNN_ERR_ALIGN: StatusCode = -7;
/// An output overlaps another argument.
pub const NNN_ERR_ALIAS: StatusCode = -8;
/// A buffer is smaller than the call needs.
pub const NNN_ERR_CAPACITY: StatusCode = -9;
/// A value is NaN or infinite, or a parameter is out of its domain.
pub const NNN_ERR_VALUE: StatusCode = -10;
/// The instruction set is unknown, or not available in this build on this machine.
pub const NNN_ERR_ISA: StatusCode = -11;

/// The best instruction set of the machine (nnn_isa_select).
pub const NNN_ISA_AUTO: IsaCode = 0;
/// Plain scalar code.
pub const NNN_ISA_SCALAR: IsaCode = 1;
/// 128-bit lanes of the target's baseline.
pub const NNN_ISA_PORTABLE: IsaCode = 2;
/// x86-64 AVX2 and FMA.
pub const NNN_ISA_AVX2: IsaCode = 3;
/// x86-64 AVX-512 F, BW, DQ and VL.
pub const NNN_ISA_AVX512: IsaCode = 4;
/// x86-64 AVX-512 with VNNI.
pub const NNN_ISA_AVX512VNNI: IsaCode = 5;
/// x86-64 AVX2, FMA and AVX-VNNI.
pub const NNN_ISA_AVXVNNI: IsaCode = 6;
/// AArch64 NEON.
pub const NNN_ISA_NEON: IsaCode = 7;
/// AArch64 NEON with dotprod.
pub const NNN_ISA_NEON_DOTPROD: IsaCode = 8;
/// AArch64 NEON with dotprod and i8mm.
pub const NNN_ISA_NEON_I8MM: IsaCode = 9;

/// Version of this header. Incompatible changes raise MAJOR (MINOR while MAJOR is 0).
pub const NNN_VERSION_MAJOR: u32 = 0;
/// Additions raise MINOR.
pub const NNN_VERSION_MINOR: u32 = 1;
/// Corrections raise PATCH.
pub const NNN_VERSION_PATCH: u32 = 0;
/// The three as one number that compares as the version does; nnn_version() is that of the library.
pub const NNN_VERSION: u32 = NNN_VERSION_MAJOR * 1000000 + NNN_VERSION_MINOR * 1000 + NNN_VERSION_PATCH;
/// Version of the binary interface; nnn_abi_version() is that of the library. Equal numbers fit together.
pub const NNN_ABI_VERSION: u32 = 1;

/// Largest dim. With it every int8 dot product, -128 codes included, fits int32_t.
pub const NNN_MAX_DIM: usize = 131071;
/// Bytes of scratch that nnn_neighbors_update_* at least needs.
pub const NNN_NEIGHBORS_SCRATCH_MIN_BYTES: usize = 4096;
/// Bytes of scratch that nnn_coarse_assign at least needs.
pub const NNN_COARSE_ASSIGN_SCRATCH_MIN_BYTES: usize = 4104;

const _: () = {
    assert!(NNN_MAX_DIM == crate::MAX_DIM);
    assert!(NNN_NEIGHBORS_SCRATCH_MIN_BYTES == SCRATCH_MIN);
    assert!(NNN_COARSE_ASSIGN_SCRATCH_MIN_BYTES == crate::coarse::ASSIGN_MIN);
    assert!(NNN_ERR_NULL == Status::Null as i32 && NNN_ERR_DIM == Status::Dim as i32 && NNN_ERR_K == Status::K as i32);
    assert!(NNN_ERR_RANGE == Status::Range as i32 && NNN_ERR_STRIDE == Status::Stride as i32);
    assert!(NNN_ERR_OVERFLOW == Status::Overflow as i32 && NNN_ERR_ALIGN == Status::Align as i32);
    assert!(NNN_ERR_ALIAS == Status::Alias as i32 && NNN_ERR_CAPACITY == Status::Capacity as i32);
    assert!(NNN_ERR_VALUE == Status::Value as i32 && NNN_ERR_ISA == Status::Isa as i32);
    assert!(NNN_ISA_SCALAR == Isa::Scalar as u32 && NNN_ISA_PORTABLE == Isa::Portable as u32);
    assert!(NNN_ISA_AVX2 == Isa::Avx2 as u32 && NNN_ISA_AVXVNNI == Isa::AvxVnni as u32);
    assert!(NNN_ISA_AVX512 == Isa::Avx512 as u32 && NNN_ISA_AVX512VNNI == Isa::Avx512Vnni as u32);
    assert!(NNN_ISA_NEON == Isa::Neon as u32 && NNN_ISA_NEON_DOTPROD == Isa::NeonDotprod as u32);
    assert!(NNN_ISA_NEON_I8MM == Isa::NeonI8mm as u32);
};

/// A view of rows x dim floats in the caller's memory: row i starts at data[i * stride]. data may be NULL when rows is 0.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct MatF32 {
    /// The first row.
    pub data: *const f32,
    /// Rows, at most 2^32 - 1.
    pub rows: usize,
    /// Elements per row, 1 to NNN_MAX_DIM.
    pub dim: usize,
    /// Elements from row to row, at least dim.
    pub stride: usize,
}

/// A view of rows x dim int8 codes with one scale per row: element (i, j) is data[i * stride + j] * scale[i].
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct MatI8 {
    /// The first row.
    pub data: *const i8,
    /// One scale per row, or NULL: all scales are 1.
    pub scale: *const f32,
    /// Rows, at most 2^32 - 1.
    pub rows: usize,
    /// Codes per row, 1 to NNN_MAX_DIM.
    pub dim: usize,
    /// Codes from row to row, at least dim.
    pub stride: usize,
}

const _: () = {
    assert!(size_of::<MatF32>() == 4 * size_of::<usize>() && align_of::<MatF32>() == align_of::<usize>());
    assert!(size_of::<MatI8>() == 5 * size_of::<usize>() && align_of::<MatI8>() == align_of::<usize>());
    assert!(size_of::<Hit>() == 8 && align_of::<Hit>() == 4);
};

fn code(result: Result<()>) -> StatusCode {
    match result {
        Ok(()) => NNN_OK,
        Err(error) => error.status as StatusCode,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn version_is_that_of_the_package() {
        let version = std::format!("{}.{}.{}", super::NNN_VERSION_MAJOR, super::NNN_VERSION_MINOR, super::NNN_VERSION_PATCH);
        assert_eq!(version, env!("CARGO_PKG_VERSION"));
    }
}

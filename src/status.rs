//! Error codes. A leaf: depends on nothing.

use core::fmt;

/// Why a call was refused. The discriminants are the C codes (`NNN_ERR_*`); they are never reused.
///
/// When several things are wrong, the first in the order `Null, Dim, K, Stride, Overflow, Range, Align, Capacity, Alias, Value`
/// is reported; ties by position of the argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Status {
    /// A required pointer is NULL (C only).
    Null = -1,
    /// The dimension is 0, above [`MAX_DIM`](crate::MAX_DIM), or differs between the operands.
    Dim = -2,
    /// k is 0, or larger than what it selects from.
    K = -3,
    /// A row range, id or count lies outside of the matrix, or the matrix has more than `u32::MAX` rows.
    Range = -4,
    /// A row stride is smaller than the row.
    Stride = -5,
    /// A size does not fit the address space.
    Overflow = -6,
    /// A pointer is not aligned for its element type (C only).
    Align = -7,
    /// An output overlaps another argument (C only: Rust's borrow rules exclude it).
    Alias = -8,
    /// A buffer is smaller than the call needs.
    Capacity = -9,
    /// A value is NaN or infinite, or a parameter is outside of its domain.
    Value = -10,
    /// The instruction set is unknown or not available on this machine.
    Isa = -11,
}

impl Status {
    /// One line that says what is wrong and what to do about it.
    pub const fn message(self) -> &'static str {
        match self {
            Status::Null => "is NULL; pass a valid pointer (NULL is fine only with length 0)",
            Status::Dim => "has a dim that is 0, above 131071 or different from the other operand; use one dim for all matrices",
            Status::K => "has a k that is 0 or larger than what it selects from; lower k or give more rows",
            Status::Range => "has a row range, id or count outside of the matrix (at most 2^32 - 1 rows); check first + count",
            Status::Stride => "has a stride smaller than its row; the stride counts elements from row to row",
            Status::Overflow => "has a size that does not fit the address space; check rows and stride",
            Status::Align => "is not aligned for its element type; align it to the element size",
            Status::Alias => "overlaps another argument; outputs need memory of their own",
            Status::Capacity => "is too small; ask the size function or macro of the call",
            Status::Value => {
                "holds a NaN, an infinity or a parameter out of its domain; nnn_find_nonfinite_f32 names row and column"
            }
            Status::Isa => "names an instruction set that this machine or build does not have; list them with nnn_isa_available",
        }
    }
}

/// A refused call: the code and the argument it is about. Nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error {
    /// The reason.
    pub status: Status,
    /// The name of the argument, as in the function's signature.
    pub argument: &'static str,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.argument)?;
        f.write_str(" ")?;
        f.write_str(self.status.message())
    }
}

impl core::error::Error for Error {}

/// Result of every checked call.
pub type Result<T> = core::result::Result<T, Error>;

/// `Err` unless `ok`.
#[inline]
pub(crate) fn ensure(ok: bool, status: Status, argument: &'static str) -> Result<()> {
    if ok { Ok(()) } else { Err(Error { status, argument }) }
}

//! A fault: edits of a good call, and the code that they give.

use nnn::abi::*;

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

#[derive(Clone)]
pub(super) enum Edit {
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
    pub(super) fn meets(&self, other: &Edit) -> bool {
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
pub(super) struct Fault {
    pub(super) what: String,
    pub(super) code: i32,
    /// Told by the content of an array only, which is judged after everything else.
    pub(super) content: bool,
    /// Makes a length 0.
    pub(super) empties: bool,
    pub(super) edits: Vec<Edit>,
}

impl Fault {
    /// Its place among those that are reported before it and after it.
    pub(super) fn rank(&self) -> usize {
        let order = ORDER.iter().position(|code| *code == self.code).expect("a code of the order");
        if self.content { ORDER.len() + order } else { order }
    }
}

/// Whether both faults stand when both are made, and the order says which one is reported.
pub(super) fn independent(a: &Fault, b: &Fault) -> bool {
    let shared = a.edits.iter().any(|x| b.edits.iter().any(|y| x.meets(y)));
    let late = |fault: &Fault| fault.content || fault.code == NNN_ERR_VALUE;
    // Two outputs that trade places do not overlap.
    let trade = a.code == NNN_ERR_ALIAS && b.code == NNN_ERR_ALIAS;
    // NULL is fine with length 0.
    let null_of_nothing = |a: &Fault, b: &Fault| a.empties && b.code == NNN_ERR_NULL;
    let hidden = shared || trade || null_of_nothing(a, b) || null_of_nothing(b, a);
    !(hidden || (late(a) && late(b)))
}

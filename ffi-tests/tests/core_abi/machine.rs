//! Choosing the instruction set.

use crate::params::*;
use ffi_tests::contract::{Function, Param, wrong};
use nnn::abi::*;

pub fn functions() -> Vec<Function> {
    let room = 16;
    let least = nnn::Isa::available().count();
    vec![
        function(
            "nnn_isa_available",
            [
                out::<u32>(room),
                Param::Size(room, vec![wrong(least - 1, NNN_ERR_CAPACITY), wrong(HUGE, NNN_ERR_OVERFLOW)]),
                out::<usize>(1),
            ],
            call!(|a| nnn_isa_available(a[0] as _, a[1], a[2] as _)),
        ),
        function(
            "nnn_isa_select",
            [Param::Size(0, vec![wrong(10, NNN_ERR_ISA), wrong(999, NNN_ERR_ISA)])],
            call!(|a| nnn_isa_select(a[0] as u32)),
        ),
    ]
}

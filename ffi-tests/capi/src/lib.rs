//! The C library: `libnnn.a` and `libnnn.so` hold what `nnn::abi` exports, and nothing that can panic.
//!
//! Only the optimised build is without `std`. A debug build takes the panic handler of `std`, so that it fits into one build with
//! the rest of the workspace, where programs enable the `std` features of shared dependencies.
#![cfg_attr(any(not(debug_assertions), target_os = "none"), no_std)]

#[cfg(any(not(debug_assertions), target_os = "none"))]
mod panic;

pub use nnn::abi::*;

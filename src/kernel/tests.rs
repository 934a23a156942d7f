//! Exhaustive tests of the kernels on every instruction set of this machine, against oracles that share no line with them.
//!
//! They call the kernels with a chosen [`Supported`] directly, so nothing here depends on the process-wide choice.

mod depth;
mod oracle;
mod rows;
mod selection;
mod tile;
mod values;

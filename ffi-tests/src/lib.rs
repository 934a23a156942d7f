//! What the tests of libnnn share: oracles, guarded memory, reproducible data. Nothing here is part of the product.

pub mod artefacts;
pub mod contract;
pub mod data;
pub mod golden;
#[cfg(unix)]
pub mod guard;
pub mod reference;

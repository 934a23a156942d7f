//! What the benchmarks share.
pub mod data;
pub mod measure;
pub mod peaks;

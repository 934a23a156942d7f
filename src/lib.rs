//! Hubness-free retrieval: Nearest Neighbor Normalization and its family, as a `no_std` library without allocation that links
//! anywhere.
//!
//! Contrastive embedding models retrieve badly because of *hubs*: a few gallery rows that win for far too many queries. The cure
//! needs no training: subtract from each row's score a *bias*, `alpha` times the mean of its `k` highest similarities with a *bank*
//! of reference queries (Chowdhury et al., "Nearest Neighbor Normalization Improves Multimodal Retrieval", EMNLP 2024).
//!
//! ```text
//! gallery + bank --(tile kernel, fused top-k)--> neighbour table --> bias (f32 per row) --+
//!                                                                                         v
//! query --------(score kernel)--> scores --------------------------(subtract, top-k)--> hits
//! ```
//!
//! ```
//! use nnn::{Hit, Matrix};
//! let gallery = Matrix::new(&[1.0f32, 0.0, 0.0, 1.0, 0.6, 0.8], 3, 2)?;
//! let bank = Matrix::new(&[0.6f32, 0.8, 0.8, 0.6], 2, 2)?;
//! let query = Matrix::new(&[0.8f32, 0.6], 1, 2)?;
//!
//! let mut scratch = vec![0u8; nnn::neighbors_scratch(1, 2)];
//! let mut bias = [0.0f32; 3];
//! nnn::bias(&gallery, &bank, 1, 0.75, 0..3, &mut scratch, &mut bias)?; // once, offline
//!
//! let mut hits = [Hit { score: 0.0, id: 0 }; 2];
//! let mut found = [0u32; 1];
//! nnn::search(&query, &gallery, Some(&bias), None, 2, 0..3, &mut [], &mut hits, &mut found)?;
//! assert_eq!((found, hits[0].id), ([2], 2));
//! # Ok::<(), nnn::Error>(())
//! ```
//!
//! # Rules that hold for every function
//! * The caller owns all memory and all threads. Heavy calls take a range of gallery rows; ranges and merges give the same bits as
//!   one call, whatever the partition.
//! * All checks come before the first write: on an error nothing was written.
//! * Outputs of a range start at its first row; biases in, allow bits and hit ids are absolute gallery rows.
//! * Hits are ordered by score descending, then id ascending. NaN and infinite scores are never hits, nor neighbours.
//! * f32 results are the same bits on every instruction set with fused multiply-add ([`Isa::has_fma`]). [`dot`], [`scores`] and
//!   [`search`] sum in 32 lanes with fused multiply-add and a halving tree; the error is at most
//!   `(ceil(dim/32) + 6) * 2^-24 * sum |a_i b_i|`. The neighbour table and [`bias`] sum one fused chain in index order; the error is
//!   at most `(dim + 1) * 2^-24 * sum |a_i b_i|`. Without fused multiply-add the bounds hold with twice the factor.
//! * int8 dot products are exact for every code, -128 included.
//! * Rounding to nearest and no flush-to-zero are assumed; otherwise results may differ, memory safety does not.

#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(any(test, feature = "std"))]
extern crate std;

#[doc(hidden)]
pub mod abi;
mod bias;
mod blocks;
mod certified;
mod certified_bias;
mod coarse;
mod collect;
mod cpu;
mod dot;
mod encode;
mod eval;
mod export;
mod gate;
mod kernel;
mod logsum;
mod matrix;
mod neighbor_ids;
mod neighbors;
mod quantize;
mod random;
mod search;
mod shortlist;
mod simd;
mod status;
mod topk;

pub use bias::{ColumnSums, ExactSum, LogSums, bias, mean_bias, sinkhorn_bias};
pub use certified::{Certificate, Encoded, certified_scratch, search_certified};
pub use certified_bias::bias_certified;
pub use coarse::{
    BiasError, bias_error, coarse_assign, coarse_bias, coarse_check, coarse_gather, coarse_gather_i8, coarse_lists,
    coarse_neighbors, coarse_scratch, coarse_search, coarse_train, coarse_train_scratch, hits_recall,
};
pub use cpu::{Isa, IsaSet, declare_hwcap, decode_aarch64, decode_x86};
pub use dot::{dot, dot4, find_nonfinite, scores};
pub use encode::{Bound, Side, encode, mean};
pub use eval::{
    Choice, Fairness, Hubness, Interval, NOT_RANKED, Positives, attribute_bias, balanced_sample, best_ranks, bootstrap, choose,
    count_occurrences, hubness, median_rank, ranks, ranks_scratch, recall,
};
pub use export::{
    ExportLimits, Form, export_bytes, export_codes, export_dim, export_limits, export_queries, export_query_codes, export_rows,
    export_scores, metric, metric_codes,
};
pub use gate::{Gate, activation_set, dual_softmax, rerank_gated, search_gated};
pub use logsum::LogSum;
pub use matrix::{Element, MAX_DIM, Matrix};
pub use neighbor_ids::{NO_NEIGHBOR, NeighborIds};
pub use neighbors::{Neighbors, neighbors_scratch};
pub use quantize::{normalize, normalize_in_place, quantize};
pub use search::{merge_hits, rerank, rerank_certified, search, search_scratch};
pub use status::{Error, Result, Status};
pub use topk::{Hit, TopK};

//! The bias estimators: each makes one f32 per gallery row, to be subtracted from the row's scores. One file each.
//!
//! | method | file | bias of a gallery row r | state per row | cost |
//! |---|---|---|---|---|
//! | NNN (alpha, k) | `nnn` | alpha * mean of the k largest similarities with the bank | k floats | one bank pass |
//! | CSLS (k) | `nnn` | NNN with alpha = 0.5: within one query, `2 s - r_T(q) - r_S(r)` ranks as `s - r_S(r) / 2` | k floats | one bank pass |
//! | DN (lambda) | `dn` | lambda * <mean of the bank, r> (NNN with alpha = lambda and k = the whole bank) | none | one dot |
//! | inverted softmax (beta) | `softmax` | (1 / beta) * ln of the sum of e^(beta * similarity) | 40 bytes | one bank pass |
//! | DualIS (beta, beta') | `softmax` | (ln sum over a query bank + ln sum over a gallery bank) / (beta + beta') | 80 bytes | a pass over each bank |
//! | SN, DBSN (tau, iterations) | `sinkhorn` | -tau * ln u of Sinkhorn's algorithm | 40 bytes | 2 passes an iteration |
//!
//! A new estimator is one file here: a sink for `kernel::tile_pass` (the scores of one gallery row with one bank block at a time), and
//! a function that turns what it kept into biases. Serving, ranges, int8 and the C types come with that.

mod dn;
mod nnn;
mod sinkhorn;
mod softmax;

pub(crate) use dn::column_mean;
pub use dn::{ColumnSums, ExactSum, mean_bias};
pub use nnn::bias;
pub use sinkhorn::sinkhorn_bias;
pub use softmax::LogSums;
pub(crate) use softmax::{is_beta, softmax_bias};

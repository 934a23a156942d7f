//! The coarse index: inverted lists, for biases and debiased search in sublinear time. Rows are assigned to the centroid with the
//! largest inner product and laid out list by list, so that a list is a range of an ordinary matrix; a pass *probes* the lists of the
//! best centroids and leaves the others out. What is scored is scored exactly: with all lists probed the bits are those of the exact
//! pass.
//!
//! ```text
//! sample --coarse_train--> centroids      rows --coarse_assign--> list of each row --coarse_lists--> offsets, ids
//! rows --coarse_gather--> rows in list order
//! gallery + bank in list order    --coarse_neighbors--> neighbour table --coarse_bias--> bias
//! queries + gallery in list order --coarse_search--> hits
//! ```
//!
//! An index is plain arrays of the caller: `centroids`, one row a list; `offsets`, one more than there are lists, where each begins;
//! `ids`, the original row of each row in list order, ascending within a list.
#![forbid(unsafe_code)]

mod accuracy;
mod groups;
mod lists;
mod pass;
mod search;
mod train;

pub use accuracy::{BiasError, bias_error, hits_recall};
pub use groups::coarse_scratch;
pub use lists::{coarse_check, coarse_gather, coarse_gather_i8, coarse_lists};
pub use pass::{coarse_bias, coarse_neighbors};
pub use search::coarse_search;
pub(crate) use train::{ASSIGN_MIN, SPARE};
pub use train::{coarse_assign, coarse_train, coarse_train_scratch};

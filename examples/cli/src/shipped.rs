//! The embeddings that come with the repository: examples/data/pydoc-minilm.

use crate::failure::{Result, fail_at};
use std::path::{Path, PathBuf};

pub const GALLERY: &str = "gallery.npy";
pub const BANK: &str = "bank.npy";
pub const QUERIES: &str = "queries.npy";
pub const ANSWERS: &str = "answers.npy";
/// Queries that were kept apart for choosing parameters.
pub const TUNING_QUERIES: &str = "queries_val.npy";
pub const TUNING_ANSWERS: &str = "answers_val.npy";
pub const GALLERY_TEXTS: &str = "gallery.txt";
pub const BANK_TEXTS: &str = "bank.txt";
pub const QUERY_TEXTS: &str = "queries.txt";

/// The folder the user names, or that of the repository the program was built from.
pub fn folder(named: Option<&Path>) -> PathBuf {
    named.map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/pydoc-minilm"), Path::to_owned)
}

/// A file of the folder, which must be there.
pub fn file(named: Option<&Path>, name: &str) -> Result<PathBuf> {
    let path = folder(named).join(name);
    if path.is_file() {
        return Ok(path);
    }
    fail_at(
        &path,
        "is missing; run this from a clone of the repository, or name the clone's examples/data/pydoc-minilm with --data",
    )
}

/// Whether a name of `gallery.txt` or `bank.txt` is that of a method: a part before the last one names a class.
pub fn is_method(name: &str) -> bool {
    let path = name.split('(').next().unwrap_or_default();
    let owner = path.rsplit('.').nth(1).unwrap_or_default();
    owner.trim_start_matches('_').starts_with(|c: char| c.is_ascii_uppercase())
}

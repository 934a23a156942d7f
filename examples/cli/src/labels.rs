//! Attributes of rows: words, one per row.

use crate::failure::{Result, fail, fail_at};
use crate::files::{read_integers, read_lines};
use std::path::Path;

/// What `--help` says about the files.
pub const FORMAT: &str = "\
Labels: one per row. A .npy of whole numbers with one dimension, or a text file with one word per line. Rows labelled with \
--attribute-a (default 1) have attribute A, those with --attribute-b (default -1) attribute B, all others neither.";

/// The words that stand for the two attributes.
#[derive(Clone, clap::Args)]
pub struct Attributes {
    /// The label of attribute A
    #[arg(long, value_name = "WORD", default_value = "1", allow_hyphen_values = true)]
    pub attribute_a: String,
    /// The label of attribute B
    #[arg(long, value_name = "WORD", default_value = "-1", allow_hyphen_values = true)]
    pub attribute_b: String,
}

impl Attributes {
    /// 1 for A, -1 for B, 0 for neither, of each of `rows` rows. Both have to be there.
    pub fn read(&self, path: &Path, rows: usize, of: &str) -> Result<Vec<i8>> {
        if self.attribute_a == self.attribute_b {
            return fail("--attribute-a and --attribute-b are the same label; give two");
        }
        let words = match path.extension().is_some_and(|e| e == "npy") {
            true => integers(path)?,
            false => read_lines(path)?,
        };
        if words.len() != rows {
            return fail_at(path, format!("has {} labels, but the {of} has {rows} rows; give one label per row", words.len()));
        }
        let label = |word: &String| match word.trim() {
            word if word == self.attribute_a => 1,
            word if word == self.attribute_b => -1,
            _ => 0,
        };
        let labels: Vec<i8> = words.iter().map(label).collect();
        for (name, word, value) in [("a", &self.attribute_a, 1), ("b", &self.attribute_b, -1)] {
            if !labels.contains(&value) {
                return fail_at(
                    path,
                    format!("labels no row {word:?}, so that there is nothing to compare; name the label with --attribute-{name}"),
                );
            }
        }
        Ok(labels)
    }
}

fn integers(path: &Path) -> Result<Vec<String>> {
    let (values, width) = read_integers(path, "labels")?;
    if width != 1 {
        return fail_at(path, format!("has {width} columns; labels need one dimension"));
    }
    Ok(values.iter().map(i64::to_string).collect())
}

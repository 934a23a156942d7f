//! The right answers of queries: gallery rows, one or several per query.

use crate::failure::{Result, fail_at};
use crate::files::{read_integers, read_lines};
use nnn::Positives;
use std::path::Path;

/// What `--help` says about the files.
pub const FORMAT: &str = "\
Answers: gallery rows counted from 0, for each query one or several. A .npy of whole numbers: one dimension holds one answer per \
query, two dimensions hold several (negative: none). Any other file is text: one line per query, rows separated by spaces or commas.";

pub struct Answers {
    offsets: Vec<usize>,
    ids: Vec<u32>,
}

impl Answers {
    /// Reads the answers of `queries` queries in a gallery of `rows` rows.
    pub fn read(path: &Path, queries: usize, rows: usize) -> Result<Self> {
        let lists = if path.extension().is_some_and(|e| e == "npy") { from_npy(path)? } else { from_text(path)? };
        if lists.len() != queries {
            return fail_at(
                path,
                format!("answers {} queries, but there are {queries}; give the answers of just these", lists.len()),
            );
        }
        let mut answers = Answers { offsets: vec![0], ids: Vec::new() };
        for (query, list) in lists.iter().enumerate() {
            if list.is_empty() {
                return fail_at(path, format!("query {query} (counted from 0) has no answer; take that query out, or answer it"));
            }
            for &id in list {
                match u32::try_from(id) {
                    Ok(row) if (row as usize) < rows => answers.ids.push(row),
                    _ => {
                        return fail_at(
                            path,
                            format!(
                                "query {query} (counted from 0) is answered by gallery row {id}, but the gallery has rows 0 to {}; \
                                 correct it, or give the gallery that the answers were made for",
                                rows - 1
                            ),
                        );
                    }
                }
            }
            answers.offsets.push(answers.ids.len());
        }
        Ok(answers)
    }

    pub fn positives(&self) -> Result<Positives<'_>> {
        Ok(Positives::new(&self.offsets, &self.ids)?)
    }

    /// Those of some of the queries.
    pub fn range(&self, queries: std::ops::Range<usize>) -> Result<Positives<'_>> {
        Ok(Positives::new(&self.offsets[queries.start..=queries.end], &self.ids)?)
    }
}

fn from_npy(path: &Path) -> Result<Vec<Vec<i64>>> {
    let (rows, width) = read_integers(path, "answers")?;
    // A single negative answer is a mistake; in a list it fills the row up.
    let keep = |id: &i64| width == 1 || *id >= 0;
    Ok(rows.chunks(width).map(|list| list.iter().copied().filter(keep).collect()).collect())
}

fn from_text(path: &Path) -> Result<Vec<Vec<i64>>> {
    let mut lists = Vec::new();
    for (query, line) in read_lines(path)?.iter().enumerate() {
        let words = line.split([',', ' ', '\t']).filter(|word| !word.is_empty());
        let mut list = Vec::new();
        for word in words {
            match word.parse() {
                Ok(id) => list.push(id),
                Err(_) => {
                    return fail_at(
                        path,
                        format!("line {} holds {word:?}, which is no row number; write gallery rows, as in `17 204`", query + 1),
                    );
                }
            }
        }
        lists.push(list);
    }
    Ok(lists)
}

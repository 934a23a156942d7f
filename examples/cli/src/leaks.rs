//! The leak guard: a bank with rows that must not be in it makes a correction look better than it is.

use crate::source::Whole;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Rows of the bank that are also rows of something that is measured.
pub struct Leak {
    bank: String,
    other: String,
    rows: usize,
    /// The first such bank row, and the first row of the other file that equals it.
    first: (usize, usize),
    why: &'static str,
}

/// What bank rows must not be.
pub const QUERY: &str = "the correction has seen the queries it is measured with";
pub const GALLERY: &str = "it describes rows of the gallery";

/// Looks for rows of the bank that are equal to rows of `other`, value for value.
pub fn find(bank: (&Whole, &str), other: (&Whole, &str), why: &'static str) -> Option<Leak> {
    // The first row of each hash; any further row of the same hash is held in full, so that a collision hides nothing.
    let mut seen = HashMap::new();
    let mut known: HashMap<Vec<u32>, usize> = HashMap::new();
    for row in 0..other.0.rows() {
        if let Entry::Vacant(slot) = seen.entry(hash(other.0.row(row))) {
            slot.insert(row);
        } else {
            known.entry(bits(other.0.row(row))).or_insert(row);
        }
    }
    let mut rows = 0;
    let mut first = None;
    for row in 0..bank.0.rows() {
        let values = bank.0.row(row);
        let Some(&candidate) = seen.get(&hash(values)) else { continue };
        let equal = if bits(other.0.row(candidate)) == bits(values) { Some(candidate) } else { known.get(&bits(values)).copied() };
        if let Some(equal) = equal {
            rows += 1;
            first = first.or(Some((row, equal)));
        }
    }
    first.map(|first| Leak { bank: bank.1.to_owned(), other: other.1.to_owned(), rows, first, why })
}

impl Leak {
    /// The warning on standard error.
    pub fn report(&self) {
        let Leak { bank, other, rows, first: (row, equal), why } = self;
        let (noun, verb) = if *rows == 1 { ("row", "is also in") } else { ("rows", "are also in") };
        eprintln!(
            "nnn: warning: {bank}: {rows} {noun} {verb} {other} (bank row {row} equals row {equal}, counted from 0): {why}, so the \
             figures flatter; take these rows out of the bank"
        );
    }

    pub fn json(&self) -> Value {
        json!({"bank": self.bank, "other": self.other, "rows": self.rows, "first": [self.first.0, self.first.1]})
    }
}

/// -0 and +0 are equal.
fn bits(row: &[f32]) -> Vec<u32> {
    row.iter().map(|x| (x + 0.0).to_bits()).collect()
}

fn hash(row: &[f32]) -> u64 {
    use std::hash::{DefaultHasher, Hasher};
    let mut hasher = DefaultHasher::new();
    row.iter().for_each(|x| hasher.write_u32((x + 0.0).to_bits()));
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_rows_are_found_and_counted() {
        let other = [1.0, 2.0, 0.0, 5.0, 1.0, 2.0, 7.0, 8.0];
        let bank = [3.0, 4.0, -0.0, 5.0, 7.0, 8.0, 7.0, 8.5];
        let [other, bank] = [&other[..], &bank].map(|data| Whole::dense(data, 2));
        let leak = find((&bank, "bank"), (&other, "other"), QUERY).unwrap();
        assert_eq!((leak.rows, leak.first), (2, (1, 1)));
        assert!(find((&Whole::dense(&[2.0, 1.0], 2), "bank"), (&other, "other"), QUERY).is_none());
    }
}

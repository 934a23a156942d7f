//! How numbers and names are printed.

use crate::rankings::DEPTHS;
use nnn::Isa;
use serde_json::Value;

/// A number with separators: 1,234,567.
pub fn thousands(n: usize) -> String {
    let digits = n.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap_or_default()).collect();
    groups.join(",")
}

/// What a time was measured with.
pub fn machine(threads: usize) -> String {
    format!("{threads} thread{}, {}", if threads == 1 { "" } else { "s" }, Isa::active().name())
}

/// A text cut to a line.
pub fn shorten(text: &str) -> String {
    const CHARS: usize = 90;
    if text.chars().count() <= CHARS {
        return text.to_owned();
    }
    text.chars().take(CHARS - 3).chain("...".chars()).collect()
}

/// k = 16, alpha = 0.75
pub fn parameters_text(parameters: &[(&str, f64)]) -> String {
    parameters.iter().map(|(name, value)| format!("{name} = {value}")).collect::<Vec<_>>().join(", ")
}

pub fn parameters_json(parameters: &[(&str, f64)]) -> Value {
    parameters.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect::<serde_json::Map<_, _>>().into()
}

/// Recalls in percent, by depth.
pub fn json_recall(recalls: &[f64; 3]) -> Value {
    DEPTHS
        .iter()
        .zip(recalls)
        .map(|(depth, recall)| (depth.to_string(), Value::from(*recall)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_separated() {
        assert_eq!([0, 999, 1000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn long_names_are_cut() {
        assert_eq!(shorten("short(x)"), "short(x)");
        assert_eq!(shorten(&"é".repeat(91)), format!("{}...", "é".repeat(87)));
    }
}

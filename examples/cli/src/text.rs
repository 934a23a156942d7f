//! How numbers and names are printed.

use nnn::Isa;

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

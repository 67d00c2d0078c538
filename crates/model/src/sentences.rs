//! Where sentences end. What is indexed, embedded, spoken and quoted is cut at the same places.

/// Sentences of a text. A sentence ends at `.`, `!` or `?` before white space or the end; a stop after a digit, a single
/// letter or a usual abbreviation does not end it unless a capital follows.
pub fn sentences(text: &str) -> Vec<&str> {
    const ABBREVIATIONS: &[&str] = &["e.g", "i.e", "mr", "mrs", "ms", "dr", "st", "no", "approx", "etc", "vs", "incl"];
    let mut found = Vec::new();
    let mut start = 0;
    let marks: Vec<(usize, char)> = text.char_indices().collect();
    for (at, &(offset, c)) in marks.iter().enumerate() {
        let newline = c == '\n';
        if !newline && !matches!(c, '.' | '!' | '?') {
            continue;
        }
        let next = marks.get(at + 1).map(|m| m.1);
        if !newline && !next.is_none_or(char::is_whitespace) {
            continue;
        }
        let end = offset + c.len_utf8();
        let piece = text[start..end].trim();
        let last_word = piece.trim_end_matches('.').rsplit(char::is_whitespace).next().unwrap_or("").to_lowercase();
        let capital =
            marks[at + 1..].iter().map(|m| m.1).find(|c| !c.is_whitespace()).is_none_or(|c| !c.is_lowercase());
        if c == '.' && (ABBREVIATIONS.contains(&last_word.as_str()) || !capital) {
            continue;
        }
        if !piece.is_empty() {
            found.push(piece);
        }
        start = end;
    }
    let rest = text[start..].trim();
    if !rest.is_empty() {
        found.push(rest);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_keep_prices_times_and_addresses_whole() {
        let text = "Delivery costs 4.90 euros. We are open 9:00 to 16:00, e.g. on Monday. Write to care@brightleaf.example today.";
        assert_eq!(
            sentences(text),
            [
                "Delivery costs 4.90 euros.",
                "We are open 9:00 to 16:00, e.g. on Monday.",
                "Write to care@brightleaf.example today."
            ]
        );
        assert_eq!(sentences("no stop at all"), ["no stop at all"]);
        assert!(sentences("  ").is_empty());
    }
}

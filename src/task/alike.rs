//! What tells failures of one kind from those of another.

/// Bytes kept of a message.
const LONGEST: usize = 200;

/// The message with `#` for every word that has a digit in it: numbers and ids tell one failure from another of the same
/// kind. On one line, and short.
pub fn alike(message: &str) -> String {
    let words = message.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let word = |word: &str| if word.contains(|c: char| c.is_ascii_digit()) { "#".to_owned() } else { word.to_owned() };
    let mut text = String::new();
    for word in words.map(word) {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&word);
        if text.len() >= LONGEST {
            break;
        }
    }
    text.truncate(text.floor_char_boundary(LONGEST));
    text
}

#[cfg(test)]
mod tests {
    use super::alike;

    #[test]
    fn failures_of_one_kind_are_alike() {
        assert_eq!(alike("no user 17 at db-3:5432"), alike("no user 4 at db-9:5432"));
        assert_ne!(alike("no user"), alike("no order"));
        assert_eq!(alike("no\nuser\0 7 "), "no user #");
        assert_eq!(alike(&"ü".repeat(300)).len(), 200);
    }
}

//! JSON text from outside, checked before any store sees it and then kept byte for byte.
//!
//! A store or a client in another language refuses or silently changes some of what JSON allows (PostgreSQL: NUL, lone
//! surrogates, numbers beyond its range). Such text is refused here, so that what was accepted reads back the same.

/// Deepest nesting accepted.
pub const MAX_DEPTH: usize = 64;
/// Longest number accepted, in characters.
const MAX_NUMBER: usize = 400;

/// Why a text cannot be accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    #[error("contains the character U+0000, which not every store can keep")]
    Nul,
    #[error("contains half of a surrogate pair (\\ud800 to \\udfff) without its other half")]
    LoneSurrogate,
    #[error("contains a number longer than {MAX_NUMBER} characters or beyond the range of a 64-bit float")]
    Number,
}

/// Checks a text that a JSON parser has accepted already: one pass, no allocation.
pub fn check(text: &str) -> Result<(), Fault> {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at = string(bytes, at + 1)?;
                continue;
            }
            b'[' | b'{' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Err(Fault::TooDeep);
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'-' | b'0'..=b'9' => {
                at = number(text, at)?;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    Ok(())
}

/// Skips a string; returns the position after its closing quote.
fn string(bytes: &[u8], mut at: usize) -> Result<usize, Fault> {
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => return Ok(at + 1),
            b'\\' if bytes.get(at + 1) == Some(&b'u') => {
                let unit = code_unit(bytes, at + 2);
                at += 6;
                match unit {
                    0 => return Err(Fault::Nul),
                    0xD800..=0xDBFF => {
                        let paired = bytes.get(at) == Some(&b'\\')
                            && bytes.get(at + 1) == Some(&b'u')
                            && (0xDC00..=0xDFFF).contains(&code_unit(bytes, at + 2));
                        if !paired {
                            return Err(Fault::LoneSurrogate);
                        }
                        at += 6;
                    }
                    0xDC00..=0xDFFF => return Err(Fault::LoneSurrogate),
                    _ => {}
                }
            }
            b'\\' => at += 2,
            0 => return Err(Fault::Nul),
            _ => at += 1,
        }
    }
    Ok(at)
}

fn code_unit(bytes: &[u8], at: usize) -> u32 {
    bytes
        .get(at..at + 4)
        .and_then(|digits| std::str::from_utf8(digits).ok())
        .and_then(|digits| u32::from_str_radix(digits, 16).ok())
        .unwrap_or(u32::MAX)
}

/// Skips a number; returns the position after it.
fn number(text: &str, start: usize) -> Result<usize, Fault> {
    let rest = &text.as_bytes()[start..];
    let length = rest
        .iter()
        .position(|byte| !matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))
        .unwrap_or(rest.len());
    // Eighteen characters without an exponent are always in range: the common case needs no parsing.
    let digits = &text[start..start + length];
    let in_range = (length <= 18 && !digits.contains(['e', 'E']))
        || (length <= MAX_NUMBER && digits.parse::<f64>().is_ok_and(f64::is_finite));
    if in_range { Ok(start + length) } else { Err(Fault::Number) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_store_keeps_is_refused() {
        for (text, fault) in [
            (r#"["\u0000"]"#, Fault::Nul),
            (r#""\ud800""#, Fault::LoneSurrogate),
            (r#""\ud800\u0041""#, Fault::LoneSurrogate),
            (r#""\udc00\ud800""#, Fault::LoneSurrogate),
            (r#"{"a":1e400000}"#, Fault::Number),
            ("[-1e999]", Fault::Number),
        ] {
            assert_eq!(check(text), Err(fault), "{text}");
        }
        assert_eq!(check(&"1".repeat(401)), Err(Fault::Number));
        assert_eq!(check(&("[".repeat(65) + &"]".repeat(65))), Err(Fault::TooDeep));
    }

    #[test]
    fn what_is_odd_but_sound_is_kept() {
        for text in [
            r#""\ud83d\ude00""#,
            r#""\\u0000""#,
            r#"{"[[[[":"]]"}"#,
            "9007199254740993",
            "1.7976931348623157e308",
            r#"["\"", "\\"]"#,
            "null",
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
        assert_eq!(check(&("[".repeat(64) + &"]".repeat(64))), Ok(()));
    }
}

//! JSON by its meaning: texts that say the same become one text.
//!
//! Members are sorted by name, of a name given twice the last one counts, as most readers have it. Numbers are compared by
//! their value, exactly: `1`, `1.0` and `10e-1` are one number, `9007199254740993` and `9007199254740992` are two. Strings are
//! compared by their characters, however those are escaped, and not normalised: `é` in one character and in two are two.

use std::{borrow::Cow, collections::BTreeMap};

/// A JSON value. What is no array or object is its canonical text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Canonical {
    Scalar(String),
    Array(Vec<Self>),
    Object(BTreeMap<String, Self>),
}

impl Canonical {
    /// Reads a text that [`super::json::check`] has passed; `None` for what is no JSON.
    pub fn read(text: &str) -> Option<Self> {
        let mut reader = Reader { text, at: 0 };
        let value = reader.value()?;
        reader.space();
        (reader.at == text.len()).then_some(value)
    }

    pub fn string(text: &str) -> Self {
        Self::Scalar(quoted(text))
    }

    /// What is there: a member by its name, an element by its number.
    pub fn get(&self, segment: &str) -> Option<&Self> {
        match self {
            Self::Scalar(_) => None,
            Self::Object(members) => members.get(segment),
            Self::Array(elements) => {
                let is_number = segment.bytes().all(|byte| byte.is_ascii_digit());
                let number = segment.parse::<usize>().ok().filter(|n| is_number && n.to_string() == segment);
                number.and_then(|number| elements.get(number))
            }
        }
    }

    pub fn write(&self, out: &mut String) {
        match self {
            Self::Scalar(text) => out.push_str(text),
            Self::Array(elements) => {
                out.push('[');
                for (place, element) in elements.iter().enumerate() {
                    if place > 0 {
                        out.push(',');
                    }
                    element.write(out);
                }
                out.push(']');
            }
            Self::Object(members) => write_object(members.iter().map(|(name, value)| (name.as_str(), value)), out),
        }
    }
}

/// Writes members that come in order of their names.
pub fn write_object<'a>(members: impl Iterator<Item = (&'a str, &'a Canonical)>, out: &mut String) {
    out.push('{');
    for (place, (name, value)) in members.enumerate() {
        if place > 0 {
            out.push(',');
        }
        out.push_str(&quoted(name));
        out.push(':');
        value.write(out);
    }
    out.push('}');
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn space(&mut self) {
        let rest = &self.text.as_bytes()[self.at..];
        self.at += rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
    }

    /// Whether this comes next, after any space; it is then passed.
    fn next_is(&mut self, byte: u8) -> bool {
        self.space();
        let found = self.text.as_bytes().get(self.at) == Some(&byte);
        self.at += usize::from(found);
        found
    }

    fn value(&mut self) -> Option<Canonical> {
        if self.next_is(b'{') {
            return self.object().map(Canonical::Object);
        }
        if self.next_is(b'[') {
            return self.array().map(Canonical::Array);
        }
        if self.text.as_bytes().get(self.at) == Some(&b'"') {
            return self.string().map(|text| Canonical::string(&text));
        }
        let rest = &self.text[self.at..];
        let length = rest.find([',', ']', '}', ' ', '\t', '\n', '\r']).unwrap_or(rest.len());
        let word = &rest[..length];
        self.at += length;
        match word {
            "true" | "false" | "null" => Some(Canonical::Scalar(word.to_owned())),
            _ => number(word).map(Canonical::Scalar),
        }
    }

    fn object(&mut self) -> Option<BTreeMap<String, Canonical>> {
        let mut members = BTreeMap::new();
        if self.next_is(b'}') {
            return Some(members);
        }
        loop {
            self.space();
            let name = self.string()?;
            if !self.next_is(b':') {
                return None;
            }
            members.insert(name.into_owned(), self.value()?);
            if self.next_is(b'}') {
                return Some(members);
            }
            if !self.next_is(b',') {
                return None;
            }
        }
    }

    fn array(&mut self) -> Option<Vec<Canonical>> {
        let mut elements = Vec::new();
        if self.next_is(b']') {
            return Some(elements);
        }
        loop {
            elements.push(self.value()?);
            if self.next_is(b']') {
                return Some(elements);
            }
            if !self.next_is(b',') {
                return None;
            }
        }
    }

    fn string(&mut self) -> Option<Cow<'a, str>> {
        let bytes = self.text.as_bytes();
        if bytes.get(self.at) != Some(&b'"') {
            return None;
        }
        let (start, mut end, mut is_escaped) = (self.at, self.at + 1, false);
        loop {
            match bytes.get(end)? {
                b'"' => break,
                b'\\' => {
                    is_escaped = true;
                    end += 2;
                }
                _ => end += 1,
            }
        }
        self.at = end + 1;
        let written = self.text.get(start..=end)?;
        if is_escaped {
            serde_json::from_str(written).ok().map(Cow::Owned)
        } else {
            self.text.get(start + 1..end).map(Cow::Borrowed)
        }
    }
}

/// A number as its digits without zeros at either end, and the power of ten they are multiplied with.
fn number(text: &str) -> Option<String> {
    let (sign, size) = text.strip_prefix('-').map_or(("", text), |size| ("-", size));
    let (mantissa, exponent) = size.split_once(['e', 'E']).unwrap_or((size, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    let power = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    if whole.is_empty() || power.is_empty() || ![whole, fraction, power].into_iter().all(is_number) {
        return None;
    }
    let digits = [whole, fraction].concat();
    let kept = digits.trim_end_matches('0');
    let zeros = digits.len() - kept.len();
    let kept = kept.trim_start_matches('0');
    if kept.is_empty() {
        return Some("0".to_owned());
    }
    // Beyond this it is nothing to any reader, whatever it is exactly.
    let bound = if exponent.starts_with('-') { i64::MIN / 2 } else { i64::MAX / 2 };
    let exponent = exponent.parse::<i64>().map_or(bound, |exponent| exponent.clamp(i64::MIN / 2, i64::MAX / 2));
    let exponent = exponent + i64::try_from(zeros).ok()? - i64::try_from(fraction.len()).ok()?;
    Some(if exponent == 0 { format!("{sign}{kept}") } else { format!("{sign}{kept}e{exponent}") })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Number, Value};

    use super::*;

    fn canonical(text: &str) -> String {
        let mut out = String::new();
        Canonical::read(text).unwrap_or_else(|| panic!("{text}")).write(&mut out);
        out
    }

    #[test]
    fn what_means_the_same_is_one_text() {
        for same in [
            &[
                r#"{"b":1,"a":[true,null]}"#,
                " {\n\"a\" : [ true,null ],\"b\":1.0}",
                r#"{"b":7,"\u0061":[true,null],"b":10e-1}"#,
            ][..],
            &["1", "1.0", "1e0", "10E-1", "0.1e+1", "1.000", "100e-2"],
            &["0", "-0", "0.0", "-0e5", "0e999999999999999999999999"],
            &["1200", "1.2e3", "12e2", "12e+02"],
            &["-0.05", "-5e-2", "-50e-3"],
            &[r#""ü/\n""#, r#""\u00fc\/\u000a""#, r#""\u00FC/\n""#],
            &["\"😀\"", r#""\ud83d\ude00""#],
            &["[]", " [ ] "],
            &["{}", "{\t}"],
        ] {
            for text in same {
                assert_eq!(canonical(text), canonical(same[0]), "{text}");
            }
        }
    }

    #[test]
    fn what_does_not_is_two() {
        for (one, other) in [
            ("9007199254740993", "9007199254740992"),
            ("12345678901234567890123", "12345678901234567890124"),
            ("0.1", "0.10000000000000000001"),
            ("1", "\"1\""),
            ("1", "-1"),
            ("1", "10"),
            ("1e-3", "1e3"),
            ("null", "\"null\""),
            ("[]", "{}"),
            ("[1,2]", "[2,1]"),
            ("[[1],2]", "[[1,2]]"),
            ("[12]", "[1,2]"),
            (r#"{"a":null}"#, "{}"),
            (r#"{"a":"1,\"b\":2"}"#, r#"{"a":"1","b":2}"#),
            ("\"é\"", "\"e\u{301}\""),
            ("\"A\"", "\"a\""),
        ] {
            assert_ne!(canonical(one), canonical(other), "{one} {other}");
        }
    }

    #[test]
    fn what_is_no_json_is_none() {
        for text in [
            "", "[", "[1", "[1 2]", "{\"a\"}", "{\"a\":}", "{1:2}", "nul", "1x", "1e", "--1", "\"", "\"\\", "[1]]",
            ".5",
        ] {
            assert_eq!(Canonical::read(text), None, "{text}");
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let number = prop_oneof![
            any::<i64>().prop_map(Number::from),
            any::<u64>().prop_map(Number::from),
            prop::num::f64::NORMAL.prop_filter_map("finite", Number::from_f64),
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            number.prop_map(Value::Number),
            any::<String>().prop_map(Value::String),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
                prop::collection::vec((any::<String>(), inner), 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
            ]
        })
    }

    /// The same value in another hand: members in reverse, space everywhere, strings escaped, whole numbers with a fraction.
    fn rewritten(value: &Value, out: &mut String) {
        match value {
            Value::String(text) => {
                out.push('"');
                for unit in text.encode_utf16() {
                    out.push_str(&format!("\\u{unit:04X}"));
                }
                out.push('"');
            }
            Value::Number(number) if !number.is_f64() => out.push_str(&format!("{number}0.00e-1")),
            Value::Array(elements) => {
                for (place, element) in elements.iter().enumerate() {
                    out.push_str(if place == 0 { " [\n" } else { " ,\t" });
                    rewritten(element, out);
                }
                out.push_str(if elements.is_empty() { "[ ] " } else { " ]\r" });
            }
            Value::Object(members) => {
                for (place, (name, member)) in members.iter().rev().enumerate() {
                    out.push_str(if place == 0 { " {\n" } else { " ,\t" });
                    rewritten(&Value::String(name.clone()), out);
                    out.push_str(" : ");
                    rewritten(member, out);
                }
                out.push_str(if members.is_empty() { "{ } " } else { " }\r" });
            }
            other => out.push_str(&other.to_string()),
        }
    }

    proptest! {
        #[test]
        fn the_hand_does_not_matter(value in value()) {
            let mut text = String::new();
            rewritten(&value, &mut text);
            prop_assert_eq!(canonical(&text), canonical(&value.to_string()));
        }

        #[test]
        fn it_is_the_same_value_and_stays_as_it_is(value in value()) {
            let text = canonical(&value.to_string());
            prop_assert_eq!(canonical(&text), text.clone());
            // Numbers aside, which `serde_json` reads as floats.
            let read: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(shape(&read), shape(&value));
        }

        #[test]
        fn two_numbers_are_one_only_if_they_are_equal(n in any::<i128>(), apart in -3_i128..=3, scale in -40_i32..40) {
            let other = n.saturating_add(apart);
            let (one, other_text) = (canonical(&format!("{n}e{scale}")), canonical(&format!("{other}e{scale}")));
            prop_assert_eq!(one == other_text, n == other);
        }
    }

    /// All of a value but what its numbers are.
    fn shape(value: &Value) -> Value {
        match value {
            Value::Number(_) => Value::from(0),
            Value::Array(elements) => elements.iter().map(shape).collect(),
            Value::Object(members) => members.iter().map(|(name, member)| (name.clone(), shape(member))).collect(),
            other => other.clone(),
        }
    }
}

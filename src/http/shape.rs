//! JSON into a request's type, and for what does not fit: where, why, and what was meant.

use serde::{Deserialize, de::IgnoredAny};
use serde_path_to_error::{Path, Segment};

use super::{
    code::Code,
    problem::{Fault, Problem},
};

/// Reads a body. Syntax comes first (400), then the shape (422).
pub(super) fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Problem> {
    let text = std::str::from_utf8(body).map_err(|error| {
        let detail = format!("The body is not UTF-8: byte {} begins no character", error.valid_up_to());
        Problem::new(Code::InvalidUtf8, detail)
    })?;
    parse_text(text)
}

/// Reads a body that may be left out: nothing at all stands for `{}`.
pub(super) fn parse_or_empty<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Problem> {
    if body.is_empty() { parse_text("{}") } else { parse(body) }
}

pub(super) fn parse_text<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Problem> {
    // Serde would take a list of the fields' values, in order, for an object.
    if text.trim_start().starts_with('[') {
        syntax(text)?;
        return Err(misfit("", "expected a JSON object, not a list"));
    }
    serde_json::from_str(text).map_err(|error| explain::<T>(text, &error))
}

fn syntax(text: &str) -> Result<(), Problem> {
    if text.is_empty() {
        return Err(Problem::new(Code::InvalidJson, "The body is empty; expected a JSON object"));
    }
    serde_json::from_str::<IgnoredAny>(text)
        .map(|_| ())
        .map_err(|error| Problem::new(Code::InvalidJson, format!("The body is not JSON: {error}")))
}

/// Reads the text again, slowly: what is right never pays for the explanation.
#[cold]
fn explain<'a, T: Deserialize<'a>>(text: &'a str, error: &serde_json::Error) -> Problem {
    if let Err(problem) = syntax(text) {
        return problem;
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    match serde_path_to_error::deserialize::<_, T>(&mut deserializer) {
        Err(error) => misfit(&pointer(error.path()), &error.inner().to_string()),
        Ok(_) => misfit("", &error.to_string()),
    }
}

/// `tasks[3].retry.base` as a JSON pointer.
fn pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path.iter() {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } | Segment::Enum { variant: key } => {
                pointer.push('/');
                pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
            }
            Segment::Unknown => {}
        }
    }
    pointer
}

/// A problem from serde's words about the place `pointer`.
fn misfit(pointer: &str, message: &str) -> Problem {
    let message = message.rfind(" at line ").map_or(message, |end| &message[..end]);
    let (code, field, detail) = read(message);
    // Of an unknown field serde's path tells the object, or the field, by version: here it is always the field.
    let pointer = match field {
        Some(field) if !pointer.ends_with(&format!("/{field}")) => format!("{pointer}/{field}"),
        _ => pointer.to_owned(),
    };
    Problem::invalid(code, vec![Fault::at(pointer, detail)])
}

/// Code, field and detail of serde's message.
pub(super) fn read(message: &str) -> (Code, Option<&str>, String) {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let named = |start: &str| message.starts_with(start);
    if named("unknown field") {
        let field = quoted.next().unwrap_or_default();
        let known: Vec<&str> = quoted.collect();
        return (Code::UnknownField, Some(field), unknown(field, &known));
    }
    if named("missing field") {
        let field = quoted.next().unwrap_or_default();
        return (Code::MissingField, Some(field), format!("`{field}` is required"));
    }
    if named("duplicate field") {
        let field = quoted.next().unwrap_or_default();
        return (
            Code::DuplicateField,
            Some(field),
            format!("`{field}` is given twice, or once more under its other name"),
        );
    }
    (Code::InvalidField, None, message.to_owned())
}

fn unknown(field: &str, known: &[&str]) -> String {
    let near = known
        .iter()
        .map(|name| (strsim::damerau_levenshtein(field, name), *name))
        .min()
        .filter(|(distance, name)| *distance <= (name.len() / 3).max(1));
    match near {
        Some((_, name)) => format!("there is no field `{field}`; did you mean `{name}`?"),
        None if known.is_empty() => format!("there is no field `{field}`; none is expected here"),
        None => format!("there is no field `{field}`; known are {}", known.join(", ")),
    }
}

//! `jobqueue.toml` as a tree that knows its lines.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::Fault;

/// A file that was read.
pub(super) struct File {
    pub path: PathBuf,
    pub nodes: Vec<Node>,
}

/// A key with its value.
pub(super) struct Node {
    pub key: String,
    /// 1 = the first.
    pub line: usize,
    pub value: Value,
}

/// A value; numbers stay as they are written.
pub(super) enum Value {
    Text(String),
    Scalar(String),
    List(Vec<Value>),
    Table(Vec<Node>),
}

impl Value {
    /// A scalar as text, whatever its type: `4` and `"4"` mean the same for a setting that is a number.
    pub(super) fn scalar(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Scalar(text) => Some(text),
            Self::List(_) | Self::Table(_) => None,
        }
    }

    /// A list of scalars as one text, separated by commas.
    pub(super) fn joined(&self) -> Option<String> {
        match self {
            Self::List(items) => {
                items.iter().map(Self::scalar).collect::<Option<Vec<_>>>().map(|items| items.join(","))
            }
            _ => None,
        }
    }

    /// As it is written, for messages; the content of lists and tables is left out.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Text(text) => format!("{text:?}"),
            Self::Scalar(text) => text.clone(),
            Self::List(_) => "[…]".into(),
            Self::Table(_) => "{…}".into(),
        }
    }
}

/// Reads the file named, which must exist, or else `jobqueue.toml` in `folder`, if there is one.
pub(super) fn read(named: Option<&Path>, folder: &Path) -> Result<Option<File>, Fault> {
    let path = named.map_or_else(|| folder.join("jobqueue.toml"), Path::to_path_buf);
    let unreadable = |problem: String| Fault { place: path.display().to_string(), problem };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound && named.is_none() => return Ok(None),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(unreadable("no such file; --config and JOBQUEUE_CONFIG must name one that exists".into()));
        }
        Err(error) if error.kind() == ErrorKind::InvalidData => {
            return Err(unreadable("is not UTF-8 text; save it as UTF-8".into()));
        }
        Err(error) => {
            return Err(unreadable(format!("cannot be read: {error}; make it readable for this user, or remove it")));
        }
    };
    match parse(&text) {
        Ok(nodes) => Ok(Some(File { path, nodes })),
        Err((line, problem)) => Err(Fault { place: format!("{}:{line}", path.display()), problem }),
    }
}

/// The tree of a TOML text, or the line and the cause of its first syntax error.
fn parse(text: &str) -> Result<Vec<Node>, (usize, String)> {
    let lines = Lines::of(text);
    match DeTable::parse(text) {
        Ok(table) => Ok(nodes(table.get_ref(), &lines)),
        Err(error) => {
            let at = error.span().map_or(0, |span| span.start);
            let cause = error.message().lines().collect::<Vec<_>>().join(", ");
            Err((lines.number(at), format!("is not valid TOML: {cause}; correct this line: {}", lines.text(text, at))))
        }
    }
}

fn nodes(table: &DeTable<'_>, lines: &Lines) -> Vec<Node> {
    let mut nodes: Vec<Node> = table
        .iter()
        .map(|(key, found)| Node {
            key: key.get_ref().to_string(),
            line: lines.number(key.span().start),
            value: value(found, lines),
        })
        .collect();
    nodes.sort_by_key(|node| node.line);
    nodes
}

fn value(found: &Spanned<DeValue<'_>>, lines: &Lines) -> Value {
    match found.get_ref() {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => Value::Scalar(
            i64::from_str_radix(number.as_str(), number.radix()).map_or_else(|_| number.to_string(), |n| n.to_string()),
        ),
        DeValue::Float(number) => Value::Scalar(number.as_str().to_owned()),
        DeValue::Boolean(on) => Value::Scalar(on.to_string()),
        DeValue::Datetime(time) => Value::Scalar(time.to_string()),
        DeValue::Array(items) => Value::List(items.iter().map(|item| value(item, lines)).collect()),
        DeValue::Table(table) => Value::Table(nodes(table, lines)),
    }
}

/// Where each line starts.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect())
    }

    fn number(&self, at: usize) -> usize {
        self.0.partition_point(|start| *start <= at)
    }

    /// The line around a position, shortened.
    fn text<'t>(&self, text: &'t str, at: usize) -> &'t str {
        let start = self.0.get(self.number(at).saturating_sub(1)).copied().unwrap_or(0);
        let line = text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or("").trim();
        line.get(..line.floor_char_boundary(80)).unwrap_or(line)
    }
}

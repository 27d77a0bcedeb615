//! Answers of the server that are shown as they come: which of their fields, in which order, is a table of the command.

use serde_json::Value;

use super::{Failure, Remote, args::Output, output};
use crate::client::{Call, Reply};

/// Titles, and where their values are: a JSON pointer without its first slash.
pub(super) type Columns = &'static [(&'static str, &'static str)];

impl Remote<'_, '_> {
    /// Asks, and prints the list that comes.
    pub(super) async fn show_list(&mut self, call: &Call, columns: Columns, none: &str) -> Result<(), Failure> {
        let reply = self.client.send(call).await?;
        if self.output == Output::Json {
            return self.terminal.line(&reply.body);
        }
        let page: Value = reply.json()?;
        let rows = page["data"].as_array().map_or(&[][..], Vec::as_slice);
        if rows.is_empty() {
            self.terminal.note(none);
            return Ok(());
        }
        self.terminal.line(&table(rows, columns, self.terminal.width))?;
        if let Some(cursor) = page["next_cursor"].as_str() {
            self.terminal.note(&format!("more: the same with --cursor '{cursor}'"));
        }
        Ok(())
    }

    /// Asks, and prints the one thing that comes.
    pub(super) async fn show_one(&mut self, call: &Call, fields: Columns) -> Result<(), Failure> {
        let reply = self.client.send(call).await?;
        self.print_one(&reply, fields)
    }

    pub(super) fn print_one(&mut self, reply: &Reply, fields: Columns) -> Result<(), Failure> {
        match self.output {
            Output::Json => self.terminal.line(&reply.body),
            Output::Table => {
                let width = self.terminal.width;
                self.terminal.line(&one(&reply.json()?, fields, width))
            }
        }
    }

    /// Asks for what has no answer but that it is done.
    pub(super) async fn done(&mut self, call: &Call, what: &str) -> Result<(), Failure> {
        self.client.send(call).await?;
        if self.output == Output::Table { self.terminal.line(what) } else { Ok(()) }
    }
}

pub(super) fn table(rows: &[Value], columns: Columns, width: Option<u16>) -> String {
    let titles: Vec<&str> = columns.iter().map(|(title, _)| *title).collect();
    let rows = rows.iter().map(|row| columns.iter().map(|(_, at)| cell(row, at).unwrap_or_default()).collect());
    output::grid(&titles, rows, width)
}

/// A line for each field that says something.
pub(super) fn one(value: &Value, fields: Columns, width: Option<u16>) -> String {
    let rows = fields.iter().filter_map(|(title, at)| Some(vec![(*title).to_owned(), cell(value, at)?]));
    output::grid(&[], rows, width)
}

fn cell(value: &Value, at: &str) -> Option<String> {
    match value.pointer(&format!("/{at}"))? {
        Value::Null => None,
        Value::String(text) if at.ends_with("_at") => Some(output::short_time(text)),
        Value::String(text) => Some(output::shortened(text)),
        Value::Bool(on) => Some(if *on { "yes" } else { "no" }.into()),
        Value::Array(items) if items.is_empty() => None,
        Value::Object(fields) if fields.is_empty() => None,
        Value::Array(items) if items.iter().all(Value::is_string) => {
            Some(items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n"))
        }
        other => Some(output::shortened(&other.to_string())),
    }
}

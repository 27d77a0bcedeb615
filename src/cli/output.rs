//! Tasks as tables. Every text of a task is untrusted: whoever submitted it chose it.

use comfy_table::{ColumnConstraint, ContentArrangement, Table, presets};

use super::terminal::clean;
use crate::client::Task;

/// Longest JSON shown in a table, in bytes.
const MAX_JSON: usize = 2_000;
/// Terminals narrower than this wrap the identifiers as well.
const ROOM_FOR_IDS: u16 = 80;

/// Tasks, one a line.
pub(super) fn tasks(tasks: &[Task], width: Option<u16>) -> String {
    let rows = tasks.iter().map(|task| {
        vec![
            task.id.to_string(),
            task.name.clone(),
            task.queue.clone(),
            task.priority.to_string(),
            task.status.to_string(),
            format!("{}/{}", task.attempt, u64::from(task.max_retries) + 1),
            short_time(&task.created_at),
        ]
    });
    grid(&["ID", "NAME", "QUEUE", "PRIO", "STATUS", "ATTEMPT", "CREATED"], rows, width)
}

/// One task, a line for each of its properties that says something.
pub(super) fn task(task: &Task, width: Option<u16>) -> String {
    let json = |value: &Option<Box<serde_json::value::RawValue>>| value.as_deref().map(|value| shortened(value.get()));
    let rows = [
        ("id", Some(task.id.to_string())),
        ("name", Some(task.name.clone())),
        ("status", Some(task.status.to_string())),
        ("queue", Some(format!("{}, priority {}", task.queue, task.priority))),
        ("attempt", Some(format!("{} of {}", task.attempt, u64::from(task.max_retries) + 1))),
        ("crashes", (task.crashes > 0).then(|| task.crashes.to_string())),
        ("snoozes", (task.snoozes > 0).then(|| task.snoozes.to_string())),
        ("cancel", task.cancel_requested.then(|| "requested".to_owned())),
        ("args", json(&task.args)),
        ("kwargs", json(&task.kwargs)),
        ("result", json(&task.result)),
        ("error", task.error.as_ref().map(|error| error.message.clone())),
        ("detail", task.error.as_ref().and_then(|error| error.detail.as_deref().map(shortened))),
        ("created", Some(short_time(&task.created_at))),
        ("not before", task.run_at.as_deref().map(short_time)),
        ("expires", task.expires_at.as_deref().map(short_time)),
        ("started", task.started_at.as_deref().map(short_time)),
        ("finished", task.finished_at.as_deref().map(short_time)),
        ("duration", task.duration_ms.map(|ms| format!("{ms} ms"))),
        ("worker", task.worker_id.clone()),
        ("workflow", task.workflow_id.map(|id| id.to_string())),
        ("node", task.node.clone()),
        ("unique key", task.unique_key.clone()),
        ("fair key", task.fair_key.clone()),
        ("rate key", rate_key(task)),
        ("concurrency key", task.concurrency_key.clone()),
        ("requires", (!task.requires.is_empty()).then(|| task.requires.join(", "))),
        ("tags", (!task.tags.is_empty()).then(|| task.tags.join(", "))),
    ];
    let shown = rows.into_iter().filter_map(|(name, value)| value.map(|value| vec![name.to_owned(), value]));
    grid(&[], shown, width)
}

/// With what the task uses of its limit, where that is not one.
fn rate_key(task: &Task) -> Option<String> {
    let key = task.rate_key.clone()?;
    Some(task.cost.filter(|cost| *cost > 1).map_or_else(|| key.clone(), |cost| format!("{key}, cost {cost}")))
}

/// Rows under a header, at most `width` columns wide; without a width nothing is wrapped.
pub(super) fn grid(header: &[&str], rows: impl Iterator<Item = Vec<String>>, width: Option<u16>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if let Some(width) = width {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    if !header.is_empty() {
        table.set_header(header.iter().copied());
    }
    table.add_rows(rows.map(|row| row.iter().map(|cell| clean(cell)).collect::<Vec<_>>()));
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    if width.is_none_or(|width| width >= ROOM_FOR_IDS)
        && let Some(column) = table.column_mut(0)
    {
        // An identifier in two pieces cannot be copied.
        column.set_constraint(ColumnConstraint::ContentWidth);
    }
    table.trim_fmt()
}

/// To the second and without the T: `2026-01-31 12:00:00Z`.
pub(super) fn short_time(text: &str) -> String {
    let Ok(time) = text.parse::<jiff::Timestamp>() else { return text.to_owned() };
    format!("{time:.0}").replace('T', " ")
}

pub(super) fn shortened(text: &str) -> String {
    if text.len() <= MAX_JSON {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(MAX_JSON);
    format!("{}… ({} bytes in all: --output json)", &text[..end], text.len())
}

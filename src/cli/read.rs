//! `status`, `list`, `result` and `explain`.

use std::time::Duration;

use clap::Args;

use super::{
    Failure, Remote,
    args::{Output, examples},
    input, output,
    view::{self, Columns},
};
use crate::{
    client::{Call, ListQuery, Page, Task, TaskResult},
    task::{Status, TaskId},
};

#[derive(Debug, Args)]
#[command(after_long_help = examples!(
    "  jobqueue status 01920000-0000-7000-8000-000000000001
  jobqueue status 01920000-0000-7000-8000-000000000001 --watch
  jobqueue status 01920000-0000-7000-8000-000000000001 --json | jq .result

With --watch, a task that did not end in success is exit code 1; with --json, each change is one line."
))]
pub(super) struct StatusArgs {
    /// The task
    id: TaskId,
    /// Follow it to its end
    #[arg(long)]
    watch: bool,
}

#[derive(Debug, Args)]
#[command(after_long_help = examples!(
    "  jobqueue list
  jobqueue list --status failed --queue reports
  jobqueue list --tag nightly --limit 200 --json | jq -r '.data[].id'"
))]
pub(super) struct ListArgs {
    /// Only tasks of this status
    #[arg(long, value_parser = input::status, help_heading = "Filter")]
    status: Option<Status>,
    /// Only tasks of this queue
    #[arg(long, value_parser = input::queue_name, help_heading = "Filter")]
    queue: Option<String>,
    /// Only tasks of this name
    #[arg(long, value_parser = input::task_name, help_heading = "Filter")]
    name: Option<String>,
    /// Only tasks with this tag
    #[arg(long, help_heading = "Filter")]
    tag: Option<String>,
    /// Tasks per page
    #[arg(long, value_name = "N", help_heading = "Page")]
    limit: Option<u32>,
    /// Where to go on: the next_cursor of the page before
    #[arg(long, help_heading = "Page")]
    cursor: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_long_help = examples!(
    "  jobqueue result 01920000-0000-7000-8000-000000000001
  jobqueue result 01920000-0000-7000-8000-000000000001 --wait=1m
  jobqueue result 01920000-0000-7000-8000-000000000001 --json | jq .duration_ms

Prints the result itself; with --json, all the server says of it. A task that is not over, or did not end in success,
is exit code 1."
))]
pub(super) struct ResultArgs {
    /// The task
    id: TaskId,
    /// Wait for the end; without a time, 30s
    #[arg(long, value_name = "TIME", value_parser = input::time)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "30s")]
    wait: Option<Duration>,
}

#[derive(Debug, Args)]
#[command(after_long_help = examples!("  jobqueue explain 01920000-0000-7000-8000-000000000001"))]
pub(super) struct ExplainArgs {
    /// The task
    id: TaskId,
}

pub(super) async fn status(remote: &mut Remote<'_, '_>, args: StatusArgs) -> Result<(), Failure> {
    let mut seen = None;
    loop {
        let reply = remote.client.send(&Call::get(args.id)).await?;
        let task: Task = reply.json()?;
        if !args.watch {
            return show(remote, &reply.body, &task);
        }
        if task.status.is_terminal() {
            return show_end(remote, &reply.body, &task);
        }
        let state = (task.status, task.attempt);
        if seen.replace(state) != Some(state) {
            match remote.output {
                Output::Json => remote.terminal.line(&reply.body)?,
                Output::Table => remote.terminal.line(&format!("{} (attempt {})", task.status, task.attempt))?,
            }
        }
        // Held back by the server until the task ends: the end is seen at once, other changes within a second.
        if remote.client.wait(args.id, Duration::from_secs(1)).await.is_err() {
            // If it matters, the next round meets it too; until then the server is not asked in a tight loop.
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

pub(super) async fn list(remote: &mut Remote<'_, '_>, args: ListArgs) -> Result<(), Failure> {
    let ListArgs { status, queue, name, tag, limit, cursor } = args;
    let query = ListQuery { status, queue, name, tag, limit, cursor, include_payload: false };
    let reply = remote.client.send(&Call::list(&query)).await?;
    if remote.output == Output::Json {
        return remote.terminal.line(&reply.body);
    }
    let page: Page<Task> = reply.json()?;
    if page.data.is_empty() {
        remote.terminal.note("no tasks");
        return Ok(());
    }
    let width = remote.terminal.width;
    remote.terminal.line(&output::tasks(&page.data, width))?;
    if let Some(cursor) = page.next_cursor {
        remote.terminal.note(&format!("more: the same with --cursor '{cursor}'"));
    }
    Ok(())
}

fn show(remote: &mut Remote<'_, '_>, body: &str, task: &Task) -> Result<(), Failure> {
    match remote.output {
        Output::Json => remote.terminal.line(body),
        Output::Table => {
            let width = remote.terminal.width;
            remote.terminal.line(&output::task(task, width))
        }
    }
}

/// A task whose end was waited for: anything but success is a failure.
pub(super) fn show_end(remote: &mut Remote<'_, '_>, body: &str, task: &Task) -> Result<(), Failure> {
    show(remote, body, task)?;
    match task.status {
        Status::Success => Ok(()),
        status if status.is_terminal() => Err(Failure::silent(1)),
        status => Err(Failure::failed(format!(
            "the task is still {status}; follow it with `jobqueue status {} --watch`",
            task.id
        ))),
    }
}

pub(super) async fn result(remote: &mut Remote<'_, '_>, args: ResultArgs) -> Result<(), Failure> {
    if let Some(wait) = args.wait {
        remote.client.wait(args.id, wait).await?;
    }
    let reply = remote.client.send(&Call::result(args.id, Duration::ZERO)).await?;
    let end: TaskResult = reply.json()?;
    if remote.output == Output::Json {
        remote.terminal.line(&reply.body)?;
    } else if end.status == Status::Success {
        remote.terminal.line(end.result.as_deref().map_or("null", |result| result.get()))?;
    }
    match (end.status, end.error) {
        (Status::Success, _) => Ok(()),
        (status, Some(error)) if status.is_terminal() => {
            Err(Failure::failed(format!("the task ended as {status}: {}", error.message)))
        }
        (status, _) if status.is_terminal() => Err(Failure::failed(format!("the task ended as {status}"))),
        (status, _) => {
            Err(Failure::failed(format!("the task is {status}: there is no result yet; --wait waits for it")))
        }
    }
}

const EXPLAINED: Columns =
    &[("task", "task_id"), ("status", "status"), ("because", "summary"), ("not before", "not_before")];
const REASONS: Columns =
    &[("REASON", "code"), ("COUNT", "count"), ("UNTIL", "until"), ("MISSING", "missing"), ("PARENTS", "parents")];

pub(super) async fn explain(remote: &mut Remote<'_, '_>, args: ExplainArgs) -> Result<(), Failure> {
    let reply = remote.client.send(&Call::read(format!("/tasks/{}/explain", args.id))).await?;
    remote.print_one(&reply, EXPLAINED)?;
    let explained: serde_json::Value = reply.json()?;
    match explained["reasons"].as_array().map(Vec::as_slice) {
        None | Some([]) => Ok(()),
        Some(_) if remote.output == Output::Json => Ok(()),
        Some(reasons) => {
            let table = view::table(reasons, REASONS, remote.terminal.width);
            remote.terminal.line(&format!("\n{table}"))
        }
    }
}

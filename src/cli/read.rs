//! `status` and `list`.

use std::time::Duration;

use clap::Args;

use super::{
    Failure, Remote,
    args::{Output, examples},
    input, output,
};
use crate::{
    client::{Call, ListQuery, Page, Task},
    task::{Status, TaskId},
};

#[derive(Debug, Args)]
#[command(after_long_help = examples!(
    "  jobqueue status 01920000-0000-7000-8000-000000000001
  jobqueue status 01920000-0000-7000-8000-000000000001 --watch
  jobqueue status 01920000-0000-7000-8000-000000000001 --output json | jq .result

With --watch, a task that did not end in success is exit code 1; with --output json, each change is one line."
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
  jobqueue list --tag nightly --limit 200 --output json | jq -r '.data[].id'"
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

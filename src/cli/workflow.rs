//! `workflow`: graphs of tasks.

use std::time::Duration;

use clap::Subcommand;
use serde_json::Value;

use super::{
    Failure, Remote,
    args::{Output, examples},
    input::{self, Shape},
    view::Columns,
};
use crate::{
    client::{Call, Reply},
    task::TaskId,
};

#[derive(Debug, Subcommand)]
pub(super) enum WorkflowCommand {
    /// Submit a workflow: all of its tasks or none
    #[command(after_long_help = examples!(
        "  jobqueue workflow submit nightly.json --wait
  echo '{\"chain\": [{\"name\": \"demo.echo\"}, {\"name\": \"demo.echo\"}]}' | jobqueue workflow submit -

With --wait, a workflow that did not end in success is exit code 1."
    ))]
    Submit {
        /// A file with the workflow as the API takes it, or - for standard input
        file: String,
        /// Repeating the command with the same key within a day does not submit again
        #[arg(long, value_name = "KEY")]
        idempotency_key: Option<String>,
        /// Follow it to its end
        #[arg(long)]
        wait: bool,
    },
    /// List workflows, the newest first
    #[command(after_long_help = examples!("  jobqueue workflow list --state failed"))]
    List {
        /// running, success, failed, cancelled: several separated by commas
        #[arg(long, value_name = "STATES", help_heading = "Which")]
        state: Option<String>,
        /// The whole name
        #[arg(long, value_parser = input::task_name, help_heading = "Which")]
        name: Option<String>,
        /// Workflows per page, 1 to 200
        #[arg(long, value_name = "N", help_heading = "Page")]
        limit: Option<u32>,
        /// Where to go on: the next_cursor of the page before
        #[arg(long, help_heading = "Page")]
        cursor: Option<String>,
    },
    /// Show how far a workflow has come, or follow it to its end
    #[command(after_long_help = examples!(
        "  jobqueue workflow show 01920000-0000-7000-8000-000000000001 --watch
  jobqueue workflow show 01920000-0000-7000-8000-000000000001 --tasks"
    ))]
    Show {
        /// The workflow
        id: TaskId,
        /// Follow it to its end
        #[arg(long)]
        watch: bool,
        /// Its tasks, parents before their children
        #[arg(long, conflicts_with = "watch")]
        tasks: bool,
    },
    /// Cancel those of its tasks that wait, and ask those that run to stop
    #[command(after_long_help = examples!("  jobqueue workflow cancel 01920000-0000-7000-8000-000000000001"))]
    Cancel {
        /// The workflow
        id: TaskId,
        /// Why; becomes part of the error of each task
        #[arg(long)]
        reason: Option<String>,
    },
    /// Run what did not succeed again; what has succeeded stays
    #[command(after_long_help = examples!("  jobqueue workflow retry 01920000-0000-7000-8000-000000000001"))]
    Retry {
        /// The workflow
        id: TaskId,
    },
}

const LISTED: Columns = &[
    ("ID", "id"),
    ("NAME", "name"),
    ("STATE", "state"),
    ("TASKS", "progress/total"),
    ("OPEN", "progress/open"),
    ("FAILED", "progress/failed"),
    ("CREATED", "created_at"),
    ("FINISHED", "finished_at"),
];
const SHOWN: Columns = &[
    ("workflow", "id"),
    ("name", "name"),
    ("state", "state"),
    ("tasks", "progress/total"),
    ("open", "progress/open"),
    ("success", "progress/success"),
    ("failed", "progress/failed"),
    ("timeout", "progress/timeout"),
    ("cancelled", "progress/cancelled"),
    ("expired", "progress/expired"),
    ("skipped", "progress/skipped"),
    ("unneeded", "progress/unneeded"),
    ("on success", "callbacks/on_success/status"),
    ("on failure", "callbacks/on_failure/status"),
    ("queues", "queues"),
    ("tags", "tags"),
    ("created", "created_at"),
    ("finished", "finished_at"),
];
const TASKS: Columns = &[("TASK", "node"), ("STATUS", "status"), ("NAME", "name"), ("QUEUE", "queue"), ("ID", "id")];
const CANCELLED: Columns =
    &[("workflow", "id"), ("state", "state"), ("cancelled", "cancelled"), ("stopping", "stopping")];
const RETRIED: Columns = &[("workflow", "id"), ("state", "state"), ("retried", "retried"), ("left", "left")];

pub(super) async fn run(remote: &mut Remote<'_, '_>, command: WorkflowCommand) -> Result<(), Failure> {
    match command {
        WorkflowCommand::Submit { file, idempotency_key, wait } => {
            submit(remote, &file, idempotency_key.as_deref(), wait).await
        }
        WorkflowCommand::List { state, name, limit, cursor } => {
            let limit = limit.map(|limit| limit.to_string());
            let query = [
                ("state", state.as_deref()),
                ("name", name.as_deref()),
                ("limit", limit.as_deref()),
                ("cursor", cursor.as_deref()),
            ];
            remote.show_list(&Call::read("/workflows").query(&query), LISTED, "no workflows").await
        }
        WorkflowCommand::Show { id, tasks: true, .. } => tasks(remote, id).await,
        WorkflowCommand::Show { id, watch: false, .. } => remote.show_one(&read(&id.to_string()), SHOWN).await,
        WorkflowCommand::Show { id, watch: true, .. } => follow(remote, &id.to_string()).await,
        WorkflowCommand::Cancel { id, reason } => {
            let body = reason.map_or_else(|| serde_json::json!({}), |reason| serde_json::json!({"reason": reason}));
            remote.show_one(&Call::post(format!("/workflows/{id}/cancel"), &body)?, CANCELLED).await
        }
        WorkflowCommand::Retry { id } => {
            let call = Call::post(format!("/workflows/{id}/retry"), &serde_json::json!({}))?;
            remote.show_one(&call, RETRIED).await
        }
    }
}

async fn submit(remote: &mut Remote<'_, '_>, file: &str, key: Option<&str>, wait: bool) -> Result<(), Failure> {
    let given = if file == "-" { file.to_owned() } else { format!("@{file}") };
    let body = input::json("FILE", &given, Shape::Object, remote.terminal)?;
    let reply = remote.client.send(&Call::submit_workflow(body.get().to_owned(), key)?).await?;
    if reply.replayed {
        remote.terminal.note("note: the idempotency key was used before; this is the answer it got then");
    }
    let submitted: Value = reply.json()?;
    let id = submitted["id"].as_str().unwrap_or_default();
    if wait {
        return follow(remote, id).await;
    }
    match remote.output {
        Output::Json => remote.terminal.line(&reply.body),
        Output::Table => remote.show_one(&read(id), SHOWN).await,
    }
}

fn read(id: &str) -> Call {
    Call::read(format!("/workflows/{id}"))
}

async fn tasks(remote: &mut Remote<'_, '_>, id: TaskId) -> Result<(), Failure> {
    let reply: Reply = remote.client.send(&Call::read(format!("/workflows/{id}/graph"))).await?;
    if remote.output == Output::Json {
        return remote.terminal.line(&reply.body);
    }
    let graph: Value = reply.json()?;
    let nodes = graph["nodes"].as_array().map_or(&[][..], Vec::as_slice);
    let width = remote.terminal.width;
    remote.terminal.line(&super::view::table(nodes, TASKS, width))
}

async fn follow(remote: &mut Remote<'_, '_>, id: &str) -> Result<(), Failure> {
    loop {
        let reply = remote.client.send(&read(id)).await?;
        let workflow: Value = reply.json()?;
        if workflow["state"] != "running" {
            remote.print_one(&reply, SHOWN)?;
            return if workflow["state"] == "success" { Ok(()) } else { Err(Failure::silent(1)) };
        }
        // There is nothing to wait on: the server tells the end of a workflow to nobody.
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

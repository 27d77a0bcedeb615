//! `worker`: the nodes.

use clap::Subcommand;
use serde_json::Value;

use super::{
    Failure, Remote,
    args::{Output, examples},
    view::{self, Columns},
};
use crate::{client::Call, task::WorkerId};

#[derive(Debug, Subcommand)]
pub(super) enum WorkerCommand {
    /// List the workers, the latest first
    #[command(after_long_help = examples!("  jobqueue worker list\n  jobqueue worker list --json | jq '.data[].state'"))]
    List,
    /// Show a worker and what its slots run
    #[command(after_long_help = examples!("  jobqueue worker show 01920000-0000-7000-8000-000000000001"))]
    Show {
        /// The worker
        id: WorkerId,
    },
}

const LISTED: Columns = &[
    ("ID", "id"),
    ("STATE", "state"),
    ("HOST", "host"),
    ("PID", "pid"),
    ("SLOTS", "slots_total"),
    ("PROCESSED", "processed"),
    ("FAILED", "failed"),
    ("BEAT AGE", "heartbeat_age_s"),
    ("STARTED", "started_at"),
];
const SHOWN: Columns = &[
    ("id", "id"),
    ("state", "state"),
    ("host", "host"),
    ("pid", "pid"),
    ("version", "version"),
    ("slots", "slots_total"),
    ("processed", "processed"),
    ("failed", "failed"),
    ("heartbeat age (s)", "heartbeat_age_s"),
    ("started", "started_at"),
];
const SLOTS: Columns = &[("SLOT", "slot"), ("TASK", "task_id"), ("NAME", "name"), ("SINCE", "started_at")];

pub(super) async fn run(remote: &mut Remote<'_, '_>, command: WorkerCommand) -> Result<(), Failure> {
    match command {
        WorkerCommand::List => remote.show_list(&Call::read("/workers"), LISTED, "no workers").await,
        WorkerCommand::Show { id } => show(remote, id).await,
    }
}

async fn show(remote: &mut Remote<'_, '_>, id: WorkerId) -> Result<(), Failure> {
    let reply = remote.client.send(&Call::read(format!("/workers/{id}"))).await?;
    remote.print_one(&reply, SHOWN)?;
    let worker: Value = reply.json()?;
    let busy: Vec<Value> = worker["slots"]
        .as_array()
        .map(|slots| slots.iter().filter(|slot| slot["task_id"].is_string()).cloned().collect())
        .unwrap_or_default();
    if remote.output == Output::Json || busy.is_empty() {
        return Ok(());
    }
    let table = view::table(&busy, SLOTS, remote.terminal.width);
    remote.terminal.line(&format!("\n{table}"))
}

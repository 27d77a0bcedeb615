//! `worker`: the nodes and remote workers, and what is wanted of them.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    Failure, Remote, act,
    args::{Output, examples},
    view::{self, Columns},
};
use crate::{
    client::{Call, Reply},
    task::WorkerId,
};

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
    /// Have workers start nothing new; what they run goes on
    #[command(after_long_help = examples!("  jobqueue worker quiet 01920000-0000-7000-8000-000000000001\n  jobqueue worker quiet --all"))]
    Quiet(WhichArgs),
    /// Have workers that are quiet work again
    #[command(after_long_help = examples!("  jobqueue worker resume --all"))]
    Resume(WhichArgs),
    /// Have workers end: they start nothing new and stop once what they run has ended
    ///
    /// A node ends as by SIGTERM: what still runs after its drain timeout goes back to its queue, and no attempt is used up.
    #[command(after_long_help = examples!("  jobqueue worker stop 01920000-0000-7000-8000-000000000001"))]
    Stop(WhichArgs),
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct WhichArgs {
    /// The workers
    #[arg(value_name = "ID")]
    ids: Vec<WorkerId>,
    /// All that are alive
    #[arg(long)]
    all: bool,
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
const ASKED: Columns = &[("ID", "id"), ("STATE", "state"), ("ASKED", "asked"), ("HOST", "host"), ("PID", "pid")];
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
const STUCK: Columns =
    &[("STUCK IN", "slot"), ("TASK", "task_id"), ("NAME", "name"), ("SINCE", "since"), ("REPLACED", "replaced")];
const SLOTS: Columns = &[("SLOT", "slot"), ("TASK", "task_id"), ("NAME", "name"), ("SINCE", "started_at")];

pub(super) async fn run(remote: &mut Remote<'_, '_>, command: WorkerCommand) -> Result<(), Failure> {
    match command {
        WorkerCommand::List => remote.show_list(&Call::read("/workers"), LISTED, "no workers").await,
        WorkerCommand::Show { id } => show(remote, id).await,
        WorkerCommand::Quiet(which) => ask(remote, which, "quiet").await,
        WorkerCommand::Resume(which) => ask(remote, which, "resume").await,
        WorkerCommand::Stop(which) => ask(remote, which, "stop").await,
    }
}

async fn ask(remote: &mut Remote<'_, '_>, which: WhichArgs, verb: &str) -> Result<(), Failure> {
    let ids = if which.all { alive(remote).await? } else { which.ids };
    let call = |id: WorkerId| Ok(Call::post(format!("/workers/{id}/{verb}"), &json!({}))?);
    let (replies, failures) = act::each(remote, ids, call).await?;
    if remote.output == Output::Table {
        let rows = replies.iter().map(Reply::json).collect::<Result<Vec<Value>, _>>()?;
        let text = if rows.is_empty() { "no workers".into() } else { view::table(&rows, ASKED, remote.terminal.width) };
        remote.terminal.line(&text)?;
    }
    failures.end()
}

/// Those that may have something to do.
async fn alive(remote: &mut Remote<'_, '_>) -> Result<Vec<WorkerId>, Failure> {
    let listed: Value = remote.client.send(&Call::read("/workers")).await?.json()?;
    let is_alive = |worker: &&Value| ["alive", "quiet"].contains(&worker["state"].as_str().unwrap_or_default());
    let workers = listed["data"].as_array().map(Vec::as_slice).unwrap_or_default();
    let id = |worker: &Value| worker["id"].as_str().and_then(|id| id.parse().ok());
    Ok(workers.iter().filter(is_alive).filter_map(id).collect())
}

async fn show(remote: &mut Remote<'_, '_>, id: WorkerId) -> Result<(), Failure> {
    let reply = remote.client.send(&Call::read(format!("/workers/{id}"))).await?;
    remote.print_one(&reply, SHOWN)?;
    let worker: Value = reply.json()?;
    let busy: Vec<Value> = worker["slots"]
        .as_array()
        .map(|slots| slots.iter().filter(|slot| slot["task_id"].is_string()).cloned().collect())
        .unwrap_or_default();
    if remote.output == Output::Json {
        return Ok(());
    }
    let stuck = worker["stuck"].as_array().cloned().unwrap_or_default();
    for (rows, columns) in [(busy, SLOTS), (stuck, STUCK)] {
        if !rows.is_empty() {
            let table = view::table(&rows, columns, remote.terminal.width);
            remote.terminal.line(&format!("\n{table}"))?;
        }
    }
    Ok(())
}

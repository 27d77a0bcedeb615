//! Commands that are requests to a server.

use clap::Subcommand;

use super::{
    Failure, act,
    act::IdsArgs,
    amend,
    args::{Globals, Output, examples},
    dlq, key, operation, queue, read, schedule,
    submit::{self, SubmitArgs},
    terminal::Terminal,
    worker, workflow,
};
use crate::{
    client::Client,
    config::{Config, Sources},
};

#[derive(Debug, Subcommand)]
pub(super) enum RemoteCommand {
    /// Submit a task
    Submit(Box<SubmitArgs>),
    /// Show a task, or follow it to its end
    Status(read::StatusArgs),
    /// List tasks, newest first
    List(read::ListArgs),
    /// Print a task's result
    Result(read::ResultArgs),
    /// Say why a task does not run, and when it will
    Explain(read::ExplainArgs),
    /// Cancel tasks: those that wait at once, running ones after a grace
    #[command(after_long_help = examples!(
        "  jobqueue cancel 01920000-0000-7000-8000-000000000001 --reason 'no longer needed'
  jobqueue list --queue bulk --status queued --json | jq -r '.data[].id' | xargs jobqueue cancel"
    ))]
    Cancel(act::CancelArgs),
    /// Run tasks that have ended once more
    #[command(after_long_help = examples!(
        "  jobqueue retry 01920000-0000-7000-8000-000000000001
  jobqueue list --status failed --json | jq -r '.data[].id' | xargs jobqueue retry"
    ))]
    Retry(IdsArgs),
    /// Change a task that waits: its priority, its time
    Amend(amend::AmendArgs),
    /// Run tasks that wait for their time or their next attempt now
    #[command(after_long_help = examples!("  jobqueue run-now 01920000-0000-7000-8000-000000000001"))]
    RunNow(IdsArgs),
    /// Delete tasks that are over
    #[command(after_long_help = examples!("  jobqueue delete 01920000-0000-7000-8000-000000000001"))]
    Delete(IdsArgs),
    /// Queues: list, settings, limits, pause, purge
    #[command(subcommand_required = true, arg_required_else_help = true, after_long_help = examples!(
        "  jobqueue queue list
  jobqueue queue set reports --concurrency 2 --weight 3
  jobqueue queue limit set reports 100 --per 60s"
    ))]
    Queue {
        #[command(subcommand)]
        command: queue::QueueCommand,
    },
    /// Dead letters: tasks that are out of retries
    #[command(subcommand_required = true, arg_required_else_help = true, after_long_help = examples!(
        "  jobqueue dlq groups
  jobqueue dlq redrive --queue mail --rate 10/s --dry-run"
    ))]
    Dlq {
        #[command(subcommand)]
        command: dlq::DlqCommand,
    },
    /// Workflows: graphs of tasks, submitted, followed, cancelled and retried as one
    #[command(subcommand_required = true, arg_required_else_help = true, after_long_help = examples!(
        "  jobqueue workflow submit nightly.json --wait
  jobqueue workflow list --state failed
  jobqueue workflow retry 01920000-0000-7000-8000-000000000001"
    ))]
    Workflow {
        #[command(subcommand)]
        command: workflow::WorkflowCommand,
    },
    /// Work on many tasks that was asked for: follow it, stop it
    #[command(subcommand_required = true, arg_required_else_help = true, after_long_help = examples!(
        "  jobqueue operation list
  jobqueue operation show 01920000-0000-7000-8000-000000000001 --watch"
    ))]
    Operation {
        #[command(subcommand)]
        command: operation::OperationCommand,
    },
    /// Schedules: what makes tasks by the clock
    #[command(subcommand_required = true, arg_required_else_help = true, after_long_help = examples!(
        "  jobqueue schedule list
  jobqueue schedule set nightly --cron '30 2 * * *' --timezone Europe/Berlin --task report
  jobqueue schedule preview nightly"
    ))]
    Schedule {
        #[command(subcommand)]
        command: schedule::ScheduleCommand,
    },
    /// Workers: the nodes and what they run
    #[command(subcommand_required = true, arg_required_else_help = true, after_long_help = examples!(
        "  jobqueue worker list
  jobqueue worker show 01920000-0000-7000-8000-000000000001"
    ))]
    Worker {
        #[command(subcommand)]
        command: worker::WorkerCommand,
    },
    /// Show what operators did, the latest first
    Audit(key::AuditArgs),
}

/// A server, and where its answers go.
pub(super) struct Remote<'s, 't> {
    pub(super) client: Client,
    pub(super) output: Output,
    pub(super) terminal: &'s mut Terminal<'t>,
}

impl<'s, 't> Remote<'s, 't> {
    pub(super) fn open(globals: &Globals, sources: Sources, terminal: &'s mut Terminal<'t>) -> Result<Self, Failure> {
        let config = Config::load_client(&Sources { flags: globals.flags(), ..sources })?.client;
        let mut builder = Client::builder(config.url);
        if let Some(key) = config.api_key {
            builder = builder.api_key(key.reveal());
        }
        Ok(Self { client: builder.build()?, output: globals.output(), terminal })
    }

    pub(super) fn run(self, command: RemoteCommand) -> Result<(), Failure> {
        self.drive(async |remote| remote.execute(command).await)
    }

    pub(super) fn drive(mut self, work: impl AsyncFnOnce(&mut Self) -> Result<(), Failure>) -> Result<(), Failure> {
        runtime()?.block_on(work(&mut self))
    }

    async fn execute(&mut self, command: RemoteCommand) -> Result<(), Failure> {
        match command {
            RemoteCommand::Submit(args) => submit::run(self, *args).await,
            RemoteCommand::Status(args) => read::status(self, args).await,
            RemoteCommand::List(args) => read::list(self, args).await,
            RemoteCommand::Result(args) => read::result(self, args).await,
            RemoteCommand::Explain(args) => read::explain(self, args).await,
            RemoteCommand::Cancel(args) => act::cancel(self, args).await,
            RemoteCommand::Retry(args) => act::retry(self, args).await,
            RemoteCommand::Amend(args) => amend::amend(self, args).await,
            RemoteCommand::RunNow(args) => act::run_now(self, args).await,
            RemoteCommand::Delete(args) => act::delete(self, args).await,
            RemoteCommand::Queue { command } => queue::run(self, command).await,
            RemoteCommand::Dlq { command } => dlq::run(self, command).await,
            RemoteCommand::Operation { command } => operation::run(self, command).await,
            RemoteCommand::Schedule { command } => schedule::run(self, command).await,
            RemoteCommand::Workflow { command } => workflow::run(self, command).await,
            RemoteCommand::Worker { command } => worker::run(self, command).await,
            RemoteCommand::Audit(args) => key::audit(self, args).await,
        }
    }
}

/// One thread: a command asks one thing after the other.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("cannot start: {error}")))
}

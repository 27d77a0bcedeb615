//! Persistent commands: a child process that runs one task after the other, a JSON line for each both ways.
//!
//! The protocol, version 1 (`JOBQUEUE_PROTOCOL=1` in the child's environment; `docs/persistent.md` for authors of children):
//! each task is one line on stdin, as it would be for a command that is started for it. The child answers on stdout with one
//! line that carries the task's `id` and one of `result`, `error` and `snooze`. The end of stdin means: end.
//!
//! A child is used by one attempt at a time, so there are at most as many as slots. What goes wrong with one fails the attempt
//! in flight and no other.

mod answer;
mod child;
mod lines;
mod pool;

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;

use self::{child::Child, pool::Pool};
use super::{Guard, Handler, InvalidCommand, TaskContext, spec::Launch};
use crate::{
    task::{ErrorKind, Outcome},
    work::CommandSpec,
};

/// How long a child that is not needed any more may take to end by itself.
const FAREWELL: Duration = Duration::from_secs(5);

/// When a child is replaced by a new one, after the task it has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recycling {
    /// After so many tasks; 0: never for that.
    pub max_tasks: u32,
    /// When it holds more memory than this, in bytes.
    pub memory: Option<u64>,
}

/// Hands tasks to children that stay.
pub struct PersistentHandler {
    shared: Arc<Shared>,
}

struct Shared {
    launch: Launch,
    recycling: Recycling,
    idle: Pool,
}

impl PersistentHandler {
    /// `guard` ends what the children started when this process is killed.
    pub fn new(spec: CommandSpec, recycling: Recycling, guard: Option<Guard>) -> Result<Self, InvalidCommand> {
        let launch = Launch::new(spec, guard)?;
        Ok(Self { shared: Arc::new(Shared { launch, recycling, idle: Pool::default() }) })
    }
}

impl Handler for PersistentHandler {
    fn kind(&self) -> &'static str {
        "persistent"
    }

    fn run(&self, context: TaskContext) -> BoxFuture<'static, Outcome> {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            let child = match shared.idle.take() {
                Some(child) => Ok(child),
                None => Child::start(&shared.launch).await,
            };
            match child {
                Ok(child) => serve(&shared, child, &context).await,
                Err(error) => Outcome::failure(ErrorKind::Spawn, shared.launch.cannot_start(&error)),
            }
        })
    }
}

/// Dropped in the midst of it, the child is killed.
async fn serve(shared: &Arc<Shared>, mut child: Child, context: &TaskContext) -> Outcome {
    let served = child.serve(&shared.launch.spec, context).await;
    let failed = match served {
        child::Served::Answered(outcome) if child.is_worn(shared.recycling) => {
            // The next task is not to wait for the start of another child.
            tokio::spawn(replace(Arc::clone(shared), child));
            return outcome;
        }
        child::Served::Answered(outcome) => {
            shared.idle.put(child);
            return outcome;
        }
        child::Served::Failed(failed) => failed,
    };
    child.outcome(failed, &shared.launch.spec).await
}

async fn replace(shared: Arc<Shared>, worn: Child) {
    match Child::start(&shared.launch).await {
        Ok(child) => shared.idle.put(child),
        // The next task says so.
        Err(error) => log::warn!("A worn child is not replaced yet: {}", shared.launch.cannot_start(&error)),
    }
    worn.retire(FAREWELL).await;
}

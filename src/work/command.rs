//! Commands as handlers: one child process per attempt.
//!
//! stdin is one JSON object in one line, then its end; stdout is one JSON value, the result; stderr is the log; the exit
//! code decides, and where it is not 0 stdout may say what is to follow (`said`). The child leads a process group of its
//! own, and whatever is still in that group when the attempt is over, for whatever reason, is killed; so is what has left
//! the group (`leftovers`).

mod limits;
mod persistent;
mod pipes;
mod process;
mod said;
mod spawner;
mod spec;
mod verdict;

use std::{pin::pin, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use nix::sys::signal::Signal;
use tokio::time::timeout;

use self::{
    pipes::{TooLong, feed, read},
    process::Group,
    spec::Launch,
    verdict::Ended,
};
use super::{Guard, Handler, TaskContext};
use crate::task::{ErrorKind, Outcome};

pub use limits::Limits;
pub use persistent::{PersistentHandler, Recycling};
pub use spec::{CommandSpec, InvalidCommand};

/// How long what the child left running may hold its output open. The result is usually complete by then.
const LINGER: Duration = Duration::from_secs(1);
/// How long output may stay open after all that can be found was killed.
const AFTER_KILL: Duration = Duration::from_millis(200);

/// Runs a command for each task.
#[derive(Debug)]
pub struct CommandHandler {
    launch: Arc<Launch>,
}

impl CommandHandler {
    /// `guard` ends what the commands started when this process is killed; without it only the direct children end.
    pub fn new(spec: CommandSpec, guard: Option<Guard>) -> Result<Self, InvalidCommand> {
        Ok(Self { launch: Arc::new(Launch::new(spec, guard)?) })
    }
}

impl Handler for CommandHandler {
    fn kind(&self) -> &'static str {
        "command"
    }

    fn run(&self, context: TaskContext) -> BoxFuture<'static, Outcome> {
        let launch = Arc::clone(&self.launch);
        Box::pin(async move {
            match Group::start(launch.command_for(&context), launch.spec.limits, launch.guard.clone()).await {
                Ok(group) => attend(group, &launch.spec, &context).await,
                Err(error) => Outcome::failure(ErrorKind::Spawn, launch.cannot_start(&error)),
            }
        })
    }
}

/// Serves the child until it has ended.
async fn attend(mut group: Group, spec: &CommandSpec, context: &TaskContext) -> Outcome {
    let mut ended = Ended::default();
    let (stdin, stdout, stderr) = group.pipes();
    {
        let mut feeding = pin!(feed(stdin, spec::input(context)));
        let (output, log) =
            ((stdout, &mut ended.output, spec.output_limit), (stderr, &mut ended.log, spec.stderr_limit));
        let mut reading = pin!(read(output, log, &**context.notes()));
        let (mut fed, mut complete) = (false, false);
        loop {
            tokio::select! {
                () = &mut feeding, if !fed => fed = true,
                result = &mut reading, if !complete => {
                    complete = true;
                    if let Err(TooLong) = result {
                        ended.too_long = true;
                        group.signal(Signal::SIGKILL);
                    }
                }
                () = group.exited() => break,
                () = context.cancelled(), if !ended.asked => {
                    ended.asked = true;
                    group.terminate();
                }
            }
        }
        // Whoever inherited the pipes may outlive the child and keep them open for ever.
        for patience in [LINGER, AFTER_KILL] {
            if complete {
                break;
            }
            match timeout(patience, &mut reading).await {
                Ok(result) => (complete, ended.too_long) = (true, ended.too_long || result.is_err()),
                Err(_) => group.kill().await,
            }
        }
    }
    if ended.asked {
        group.kill().await;
    }
    let status = group.finish().await;
    ended.outcome(status, spec)
}

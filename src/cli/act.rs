//! `cancel`, `retry`, `run-now` and `delete`: one request for each task named.

use clap::Args;

use super::{Failure, Remote, args::Output, output};
use crate::{
    client::{Call, CancelAnswer, Reply, Task},
    task::TaskId,
};

#[derive(Debug, Args)]
pub(super) struct IdsArgs {
    /// The tasks
    #[arg(required = true, value_name = "ID")]
    pub(super) ids: Vec<TaskId>,
}

#[derive(Debug, Args)]
pub(super) struct CancelArgs {
    #[command(flatten)]
    ids: IdsArgs,
    /// Why; becomes part of the task's error
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// End running ones at once: their handlers get no time to leave things tidy
    #[arg(long)]
    force: bool,
}

pub(super) async fn cancel(remote: &mut Remote<'_, '_>, args: CancelArgs) -> Result<(), Failure> {
    let CancelArgs { ids, reason, force } = args;
    let (replies, failures) = each(remote, ids.ids, |id| Ok(Call::cancel(id, reason.as_deref(), force)?)).await?;
    if remote.output == Output::Table && !replies.is_empty() {
        let answers = replies.iter().map(Reply::json::<CancelAnswer>).collect::<Result<Vec<_>, _>>()?;
        let rows = answers.iter().map(|answer| {
            let note = if answer.status.is_terminal() { "" } else { "asked to stop" };
            vec![answer.id.to_string(), answer.status.to_string(), note.to_owned()]
        });
        let table = output::grid(&["ID", "STATUS", ""], rows, remote.terminal.width);
        remote.terminal.line(&table)?;
    }
    failures.end()
}

pub(super) async fn retry(remote: &mut Remote<'_, '_>, args: IdsArgs) -> Result<(), Failure> {
    again(remote, args.ids, |id| Ok(Call::retry(id))).await
}

pub(super) async fn run_now(remote: &mut Remote<'_, '_>, args: IdsArgs) -> Result<(), Failure> {
    again(remote, args.ids, |id| Ok(Call::post(format!("/tasks/{id}/run-now"), &serde_json::json!({}))?)).await
}

/// What answers with the task as it is now.
pub(super) async fn again(
    remote: &mut Remote<'_, '_>,
    ids: Vec<TaskId>,
    call: impl Fn(TaskId) -> Result<Call, Failure>,
) -> Result<(), Failure> {
    let (replies, failures) = each(remote, ids, call).await?;
    if remote.output == Output::Table && !replies.is_empty() {
        let tasks = replies.iter().map(Reply::json::<Task>).collect::<Result<Vec<_>, _>>()?;
        let table = output::tasks(&tasks, remote.terminal.width);
        remote.terminal.line(&table)?;
    }
    failures.end()
}

pub(super) async fn delete(remote: &mut Remote<'_, '_>, args: IdsArgs) -> Result<(), Failure> {
    gone(remote, args.ids, |id| Ok(Call::delete(format!("/tasks/{id}")))).await
}

/// What answers with nothing but that it is done.
pub(super) async fn gone(
    remote: &mut Remote<'_, '_>,
    ids: Vec<TaskId>,
    call: impl Fn(TaskId) -> Result<Call, Failure>,
) -> Result<(), Failure> {
    let (replies, failures) = each(remote, ids, call).await?;
    if remote.output == Output::Table && !replies.is_empty() {
        remote.terminal.line(&format!("deleted {}", replies.len()))?;
    }
    failures.end()
}

/// Exit codes of what failed; the sentences have been said.
#[derive(Default)]
pub(super) struct Failures(Vec<u8>);

impl Failures {
    /// The code they have in common, else 1.
    pub(super) fn end(self) -> Result<(), Failure> {
        match self.0.split_first() {
            None => Ok(()),
            Some((first, rest)) if rest.iter().all(|code| code == first) => Err(Failure::silent(*first)),
            Some(_) => Err(Failure::silent(1)),
        }
    }
}

/// Asks for every task in turn; one that fails does not stop the others, a server that cannot be reached does. As JSON
/// the answers are printed as they come, one a line.
pub(super) async fn each<Id: Copy + std::fmt::Display>(
    remote: &mut Remote<'_, '_>,
    ids: Vec<Id>,
    call: impl Fn(Id) -> Result<Call, Failure>,
) -> Result<(Vec<Reply>, Failures), Failure> {
    let (mut replies, mut failures) = (Vec::new(), Failures::default());
    for id in ids {
        match remote.client.send(&call(id)?).await {
            Ok(reply) => {
                if remote.output == Output::Json && !reply.body.is_empty() {
                    remote.terminal.line(&reply.body)?;
                }
                replies.push(reply);
            }
            Err(error) if error.is_unreachable() => return Err(error.into()),
            Err(error) => {
                remote.terminal.note(&format!("error: {id}: {error}"));
                failures.0.push(Failure::from(error).code());
            }
        }
    }
    Ok((replies, failures))
}

//! `amend`: a task that waits gets another priority or another time.

use std::time::Duration;

use clap::{ArgGroup, Args};
use serde_json::{Map, Value};

use super::{
    Failure, Remote,
    args::{Output, examples},
    input, output,
};
use crate::{
    client::{Call, Task},
    task::{Priority, TaskId},
};

#[derive(Debug, Args)]
#[command(after_long_help = examples!(
    "  jobqueue amend 01920000-0000-7000-8000-000000000001 --priority high
  jobqueue amend 01920000-0000-7000-8000-000000000001 --delay 2h"
))]
#[command(group = ArgGroup::new("change").args(["priority", "run_at", "delay"]).multiple(true).required(true))]
#[group(skip)]
pub(super) struct AmendArgs {
    /// The task
    id: TaskId,
    /// high, medium, low, or 0 (last) to 9 (first)
    #[arg(long, value_parser = input::priority)]
    priority: Option<Priority>,
    /// Not before this time, such as 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME", value_parser = input::moment)]
    run_at: Option<jiff::Timestamp>,
    /// Not before this much time has passed, such as 30s or 2h
    #[arg(long, value_name = "TIME", value_parser = input::time, conflicts_with = "run_at")]
    delay: Option<Duration>,
}

pub(super) async fn amend(remote: &mut Remote<'_, '_>, args: AmendArgs) -> Result<(), Failure> {
    let AmendArgs { id, priority, run_at, delay } = args;
    let mut change = Map::new();
    if let Some(priority) = priority {
        change.insert("priority".into(), priority.level().into());
    }
    let later = delay.map(|delay| {
        let delay = jiff::SignedDuration::try_from(delay).unwrap_or(jiff::SignedDuration::MAX);
        jiff::Timestamp::now().checked_add(delay)
    });
    let later = later.transpose().map_err(|_| Failure::usage("--delay: that is beyond all calendars"))?;
    if let Some(at) = run_at.or(later) {
        change.insert("run_at".into(), Value::from(format!("{at:.3}")));
    }
    let reply = remote.client.send(&Call::patch(format!("/tasks/{id}"), &change)?).await?;
    match remote.output {
        Output::Json => remote.terminal.line(&reply.body),
        Output::Table => {
            let table = output::task(&reply.json::<Task>()?, remote.terminal.width);
            remote.terminal.line(&table)
        }
    }
}

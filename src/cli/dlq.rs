//! `dlq`: tasks that are out of retries.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, Value, json};

use super::{
    Failure, Remote, act,
    act::IdsArgs,
    args::{Output, examples},
    confirm::{Consent, Deed},
    input::{self, Shape},
    operation,
    view::{self, Columns},
};
use crate::{client::Call, task::TaskId};

#[derive(Debug, Subcommand)]
pub(super) enum DlqCommand {
    /// List dead letters, the newest task first
    #[command(after_long_help = examples!("  jobqueue dlq list --queue mail --error timeout"))]
    List {
        #[command(flatten)]
        filter: Filter,
        /// Dead letters per page, 1 to 200
        #[arg(long, value_name = "N", help_heading = "Page")]
        limit: Option<u32>,
        /// Where to go on: the next_cursor of the page before
        #[arg(long, help_heading = "Page")]
        cursor: Option<String>,
    },
    /// Show a dead letter
    #[command(after_long_help = examples!("  jobqueue dlq show 01920000-0000-7000-8000-000000000001"))]
    Show {
        /// The task
        id: TaskId,
    },
    /// Count the dead letters by reason, queue and name
    #[command(after_long_help = examples!("  jobqueue dlq stats"))]
    Stats,
    /// Group the dead letters by what they died of, most first
    #[command(after_long_help = examples!("  jobqueue dlq groups --window 24h"))]
    Groups {
        /// Only those of this queue
        #[arg(long, value_parser = input::queue_name)]
        queue: Option<String>,
        /// Only tasks of this name
        #[arg(long, value_parser = input::task_name)]
        name: Option<String>,
        /// Only those that died within this time, such as 1h or 7d
        #[arg(long, value_name = "TIME")]
        window: Option<String>,
    },
    /// Run dead letters again, also with other arguments
    Retry(RetryArgs),
    /// Run many dead letters again
    #[command(after_long_help = examples!(
        "  jobqueue dlq redrive --queue mail --dry-run
  jobqueue dlq redrive --error 'connection refused' --rate 10/s --yes
  jobqueue dlq redrive --all --yes --wait"
    ))]
    Redrive {
        #[command(flatten)]
        many: Many,
        /// Tasks a second at most, such as 10/s, 100/m or 5/h
        #[arg(long)]
        rate: Option<String>,
        /// Only those that died for this reason
        #[arg(long, value_enum, help_heading = "Filter")]
        reason: Option<Reason>,
    },
    /// Delete dead letters and their tasks
    #[command(after_long_help = examples!("  jobqueue dlq delete 01920000-0000-7000-8000-000000000001"))]
    Delete(IdsArgs),
    /// Delete many dead letters and their tasks
    #[command(after_long_help = examples!(
        "  jobqueue dlq purge --name report --dry-run\n  jobqueue dlq purge --all --yes"
    ))]
    Purge(Many),
}

#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(super) enum Reason {
    /// Out of retries
    Exhausted,
    /// The last attempt ran out of time
    Timeout,
    /// Its handler said that another try is of no use
    NotRetryable,
    /// It expires before another attempt could start
    Expired,
    /// Its worker died again and again
    Poison,
}

impl Reason {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Exhausted => "exhausted",
            Self::Timeout => "timeout",
            Self::NotRetryable => "not_retryable",
            Self::Expired => "expired",
            Self::Poison => "poison",
        }
    }
}

/// Which dead letters: all conditions together.
#[derive(Debug, Args)]
pub(super) struct Conditions {
    /// Only those of this queue
    #[arg(long, value_parser = input::queue_name, help_heading = "Filter")]
    queue: Option<String>,
    /// Only tasks of this name
    #[arg(long, value_parser = input::task_name, help_heading = "Filter")]
    name: Option<String>,
    /// Only those whose error has this in its message
    #[arg(long, value_name = "TEXT", help_heading = "Filter")]
    error: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Filter {
    #[command(flatten)]
    conditions: Conditions,
    /// Only those that died for this reason
    #[arg(long, value_enum, help_heading = "Filter")]
    reason: Option<Reason>,
}

#[derive(Debug, Args)]
pub(super) struct Many {
    #[command(flatten)]
    conditions: Conditions,
    /// All of them, where no condition is given
    #[arg(long, help_heading = "Filter")]
    all: bool,
    #[command(flatten)]
    consent: Consent,
    /// Wait until it is done
    #[arg(long)]
    wait: bool,
}

impl Many {
    fn check(&self, reason: Option<Reason>) -> Result<(), Failure> {
        let Conditions { queue, name, error } = &self.conditions;
        if self.all || reason.is_some() || [queue, name, error].iter().any(|condition| condition.is_some()) {
            return Ok(());
        }
        Err(Failure::usage("which dead letters? Give --queue, --name or --error, or --all for every one"))
    }
}

#[derive(Debug, Args)]
#[command(after_long_help = examples!(
    "  jobqueue dlq retry 01920000-0000-7000-8000-000000000001
  jobqueue dlq retry 01920000-0000-7000-8000-000000000001 --args '[1, 2]'"
))]
pub(super) struct RetryArgs {
    #[command(flatten)]
    tasks: IdsArgs,
    /// Positional arguments instead of its own: a JSON array, @FILE, or - for standard input
    #[arg(long, value_name = "JSON")]
    args: Option<String>,
    /// Named arguments instead of its own: a JSON object, @FILE, or - for standard input
    #[arg(long, value_name = "JSON")]
    kwargs: Option<String>,
}

const SHOWN: Columns = &[
    ("task", "task_id"),
    ("name", "name"),
    ("queue", "queue"),
    ("priority", "priority"),
    ("reason", "reason"),
    ("attempts", "attempts"),
    ("error", "error/message"),
    ("detail", "error/detail"),
    ("died", "died_at"),
];
const LISTED: Columns = &[
    ("ID", "task_id"),
    ("NAME", "name"),
    ("QUEUE", "queue"),
    ("REASON", "reason"),
    ("ATTEMPTS", "attempts"),
    ("DIED", "died_at"),
    ("ERROR", "error/message"),
];
const GROUPED: Columns = &[
    ("COUNT", "count"),
    ("QUEUE", "queue"),
    ("NAME", "name"),
    ("REASON", "reason"),
    ("ERROR", "error"),
    ("LAST", "last_at"),
    ("EXAMPLE", "example_id"),
];

pub(super) async fn run(remote: &mut Remote<'_, '_>, command: DlqCommand) -> Result<(), Failure> {
    match command {
        DlqCommand::List { filter, limit, cursor } => {
            let Filter { conditions: Conditions { queue, name, error }, reason } = filter;
            let limit = limit.map(|limit| limit.to_string());
            let call = Call::read("/dlq").query(&[
                ("queue", queue.as_deref()),
                ("name", name.as_deref()),
                ("error", error.as_deref()),
                ("reason", reason.map(Reason::as_str)),
                ("limit", limit.as_deref()),
                ("cursor", cursor.as_deref()),
            ]);
            remote.show_list(&call, LISTED, "no dead letters").await
        }
        DlqCommand::Show { id } => remote.show_one(&Call::read(format!("/dlq/{id}")), SHOWN).await,
        DlqCommand::Stats => stats(remote).await,
        DlqCommand::Groups { queue, name, window } => {
            let pairs = [("queue", queue.as_deref()), ("name", name.as_deref()), ("window", window.as_deref())];
            remote.show_list(&Call::read("/dlq/groups").query(&pairs), GROUPED, "no dead letters").await
        }
        DlqCommand::Retry(args) => retry(remote, args).await,
        DlqCommand::Redrive { many, rate, reason } => redrive(remote, many, rate, reason).await,
        DlqCommand::Delete(args) => act::gone(remote, args.ids, |id| Ok(Call::delete(format!("/dlq/{id}")))).await,
        DlqCommand::Purge(many) => purge(remote, many).await,
    }
}

async fn stats(remote: &mut Remote<'_, '_>) -> Result<(), Failure> {
    const TOTALS: Columns = &[
        ("dead letters", "total"),
        ("last hour", "last_hour"),
        ("last day", "last_day"),
        ("alert at", "alert_at"),
        ("alert", "alert"),
    ];
    const COUNTED: Columns = &[("", "key"), ("COUNT", "count")];
    let reply = remote.client.send(&Call::read("/dlq/stats")).await?;
    remote.print_one(&reply, TOTALS)?;
    if remote.output == Output::Json {
        return Ok(());
    }
    let stats: Value = reply.json()?;
    for by in ["reason", "queue", "name"] {
        let rows = stats[format!("by_{by}")].as_array().map_or(&[][..], Vec::as_slice);
        if !rows.is_empty() {
            let table = view::table(rows, COUNTED, remote.terminal.width);
            remote.terminal.line(&format!("\nby {by}\n{table}"))?;
        }
    }
    Ok(())
}

async fn retry(remote: &mut Remote<'_, '_>, given: RetryArgs) -> Result<(), Failure> {
    let RetryArgs { tasks, args, kwargs } = given;
    if args.as_deref() == Some("-") && kwargs.as_deref() == Some("-") {
        return Err(Failure::usage("--args and --kwargs cannot both be read from standard input"));
    }
    let args = args.map(|text| input::json("--args", &text, Shape::Array, remote.terminal)).transpose()?;
    let kwargs = kwargs.map(|text| input::json("--kwargs", &text, Shape::Object, remote.terminal)).transpose()?;
    #[derive(serde::Serialize)]
    struct Body {
        #[serde(skip_serializing_if = "Option::is_none")]
        args: Option<Box<serde_json::value::RawValue>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        kwargs: Option<Box<serde_json::value::RawValue>>,
    }
    let body = Body { args, kwargs };
    act::again(remote, tasks.ids, |id| Ok(Call::post(format!("/dlq/{id}/retry"), &body)?)).await
}

async fn redrive(
    remote: &mut Remote<'_, '_>,
    many: Many,
    rate: Option<String>,
    reason: Option<Reason>,
) -> Result<(), Failure> {
    many.check(reason)?;
    let Many { conditions: Conditions { queue, name, error }, all, consent, wait } = many;
    let reason = reason.map(|reason| reason.as_str().to_owned());
    let conditions = [("queue", queue), ("name", name), ("error", error), ("reason", reason)];
    let filter: Map<String, Value> =
        conditions.into_iter().filter_map(|(field, value)| Some((field.to_owned(), value?.into()))).collect();
    let mut body = json!({"filter": filter, "all": all});
    if let Some(rate) = rate {
        body["rate"] = rate.into();
    }
    let act = Call::post("/dlq/redrive", &body)?;
    body["dry_run"] = true.into();
    let count = Call::post("/dlq/redrive", &body)?;
    if consent.given(remote, Deed { verb: "redrive", things: "dead letters" }, &count).await? {
        let reply = remote.client.send(&act).await?;
        operation::begun(remote, &reply, wait).await?;
    }
    Ok(())
}

async fn purge(remote: &mut Remote<'_, '_>, many: Many) -> Result<(), Failure> {
    many.check(None)?;
    let Many { conditions: Conditions { queue, name, error }, all, consent, wait } = many;
    let act = Call::delete("/dlq").query(&[
        ("queue", queue.as_deref()),
        ("name", name.as_deref()),
        ("error", error.as_deref()),
        ("all", all.then_some("true")),
    ]);
    let count = act.clone().query(&[("dry_run", Some("true"))]);
    if consent.given(remote, Deed { verb: "delete", things: "dead letters and their tasks" }, &count).await? {
        let reply = remote.client.send(&act).await?;
        operation::begun(remote, &reply, wait).await?;
    }
    Ok(())
}

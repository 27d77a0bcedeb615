//! `queue`: what waits, pause and resume, settings, purge.

use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand};
use serde_json::{Value, json};

use super::{
    Failure, Remote,
    args::examples,
    confirm::{Consent, Deed},
    input,
    limit::{self, By, LimitCommand},
    operation,
    view::Columns,
};
use crate::{
    client::{Call, encode},
    task::{Status, duration},
};

#[derive(Debug, Subcommand)]
pub(super) enum QueueCommand {
    /// List the queues
    #[command(after_long_help = examples!("  jobqueue queue list\n  jobqueue queue list --json | jq '.data[].total_queued'"))]
    List,
    /// Show a queue: what waits in it and what is set for it
    #[command(after_long_help = examples!("  jobqueue queue show reports"))]
    Show(Name),
    /// Start nothing more in a queue; what runs goes on
    #[command(after_long_help = examples!("  jobqueue queue pause reports"))]
    Pause(Name),
    /// Start tasks of a queue again
    #[command(after_long_help = examples!("  jobqueue queue resume reports"))]
    Resume(Name),
    /// Cancel all tasks that wait in a queue
    #[command(after_long_help = examples!("  jobqueue queue purge reports --dry-run\n  jobqueue queue purge reports --yes"))]
    Purge {
        #[command(flatten)]
        queue: Name,
        #[command(flatten)]
        consent: Consent,
        /// Wait until it is done
        #[arg(long)]
        wait: bool,
    },
    /// Change settings of a queue; those not named stay as they are
    Set(Box<SetArgs>),
    /// Delete a queue that has no tasks
    #[command(after_long_help = examples!("  jobqueue queue delete reports"))]
    Delete(Name),
    /// The rate limit of a queue
    #[command(subcommand_required = true, arg_required_else_help = true, after_long_help = examples!(
        "  jobqueue queue limit get reports\n  jobqueue queue limit set reports 100 --per 60s\n  jobqueue queue limit remove reports"
    ))]
    Limit {
        #[command(subcommand)]
        command: LimitCommand,
    },
}

#[derive(Debug, Args)]
pub(super) struct Name {
    /// The queue
    #[arg(value_parser = input::queue_name)]
    pub(super) queue: String,
}

impl Name {
    pub(super) fn path(&self) -> String {
        format!("/queues/{}", encode(&self.queue))
    }
}

#[derive(Debug, Args)]
#[command(after_long_help = examples!(
    "  jobqueue queue set reports --concurrency 2 --weight 3
  jobqueue queue set reports --timeout 5m --max-retries default
  jobqueue queue set reports --max-depth 10000 --version 4
  jobqueue queue set reports --key-rate-limit 100/1m --key-concurrency 5 --fair-weight tenant-7=3
  jobqueue queue set reports --ageing 10m

\"default\" gives a setting back to the server. If somebody else changes the queue meanwhile, nothing is changed and
the exit code is 1."
))]
#[command(group = ArgGroup::new("settings").args(["weight", "concurrency", "ageing", "max_depth", "max_retries", "timeout", "max_age", "key_concurrency", "at_cap", "key_rate_limit", "fair_weights", "keep_success", "keep_others"]).multiple(true).required(true))]
#[group(skip)]
pub(super) struct SetArgs {
    #[command(flatten)]
    name: Name,
    /// Share of the slots against that of other queues, 1 to 1000
    #[arg(long, value_name = "N")]
    weight: Option<u32>,
    /// Most tasks running at a time, or "default" (no cap)
    #[arg(long, value_name = "N", value_parser = number)]
    concurrency: Option<Value>,
    /// Time that a task waits for one more level of priority, 1 s to 30 days, or "default" (priorities are strict)
    #[arg(long, value_name = "TIME", value_parser = time_or_default)]
    ageing: Option<Choice>,
    /// Tasks of one rate key that may start in a time, such as 100/1m, or "default" (no limit)
    #[arg(long, value_name = "N/TIME", value_parser = rate_or_default, help_heading = "Sharing by keys")]
    key_rate_limit: Option<Choice>,
    /// Most tasks of one concurrency key running at a time, or "default" (no cap)
    #[arg(long, value_name = "N", value_parser = number, help_heading = "Sharing by keys")]
    key_concurrency: Option<Value>,
    /// What becomes of submissions while tasks that are not over take up all of a cap
    #[arg(long, value_name = "WHAT", value_parser = ["wait", "reject"])]
    at_cap: Option<String>,
    /// Tasks of a fair key that start when it is its turn, 1 to 1000, or "default" (one); can be repeated
    #[arg(long = "fair-weight", value_name = "KEY=N", value_parser = weight, help_heading = "Sharing by keys")]
    fair_weights: Vec<(String, Value)>,
    /// Most tasks waiting, or "default" (no cap); submissions beyond are refused
    #[arg(long, value_name = "N", value_parser = number)]
    max_depth: Option<Value>,
    /// Retries of tasks that bring none, or "default"
    #[arg(long, value_name = "N", value_parser = number)]
    max_retries: Option<Value>,
    /// Time limit of tasks that bring none, "none" for no limit, or "default"
    #[arg(long, value_name = "TIME", value_parser = limit_or_default)]
    timeout: Option<Choice>,
    /// How long after their submission tasks that do not say so themselves may be started, or "default" (for ever)
    #[arg(long, value_name = "TIME", value_parser = time_or_default)]
    max_age: Option<Choice>,
    /// How long tasks that succeeded are kept, or "default"
    #[arg(long, value_name = "TIME", value_parser = time_or_default)]
    keep_success: Option<Choice>,
    /// How long other finished tasks are kept, or "default"; dead letters stay
    #[arg(long, value_name = "TIME", value_parser = time_or_default)]
    keep_others: Option<Choice>,
    /// Only if the queue is at this version; otherwise at the one it has now
    #[arg(long, value_name = "N")]
    version: Option<u32>,
}

/// A setting's new value; `None`: the server's.
#[derive(Debug, Clone)]
struct Choice(Option<Value>);

fn number(text: &str) -> Result<Value, String> {
    match text {
        "default" => Ok(Value::Null),
        text => text.parse::<u32>().map(Value::from).map_err(|_| "expected a whole number, or \"default\"".into()),
    }
}

fn time_or_default(text: &str) -> Result<Choice, String> {
    let written = |time: Duration| duration::to_text(i64::try_from(time.as_millis()).unwrap_or(i64::MAX)).into();
    match text {
        "default" => Ok(Choice(None)),
        text => input::time(text).map(|time| Choice(Some(written(time)))).map_err(|e| format!("{e}, or \"default\"")),
    }
}

/// `100/1m`.
fn rate_or_default(text: &str) -> Result<Choice, String> {
    let expected = || "expected a number and a time, such as 100/1m, or \"default\"".to_owned();
    if text == "default" {
        return Ok(Choice(None));
    }
    let (limit, per) = text.split_once('/').ok_or_else(expected)?;
    let limit: u32 = limit.trim().parse().map_err(|_| expected())?;
    let Choice(per) = time_or_default(per.trim()).map_err(|_| expected())?;
    let per = per.ok_or_else(expected)?;
    Ok(Choice(Some(json!({"limit": limit, "per": per}))))
}

/// `KEY=N`; the key may have a `=` in it.
fn weight(text: &str) -> Result<(String, Value), String> {
    let (key, weight) = text.rsplit_once('=').ok_or("expected KEY=N, such as tenant-7=3")?;
    Ok((input::key(key)?, number(weight)?))
}

fn limit_or_default(text: &str) -> Result<Choice, String> {
    if text == "none" { Ok(Choice(Some(Value::Null))) } else { time_or_default(text) }
}

const LISTED: Columns = &[
    ("QUEUE", "name"),
    ("PAUSED", "paused"),
    ("WAITING", "total_queued"),
    ("HIGH", "queued_by_priority/high"),
    ("MEDIUM", "queued_by_priority/medium"),
    ("LOW", "queued_by_priority/low"),
    ("RUNNING", "status_counts/running"),
    ("OLDEST (S)", "oldest_ready_s"),
    ("WEIGHT", "weight"),
    ("LIMIT", "rate_limit"),
];
const SHOWN: Columns = &[
    ("queue", "name"),
    ("paused", "paused"),
    ("waiting", "total_queued"),
    ("  high", "queued_by_priority/high"),
    ("  medium", "queued_by_priority/medium"),
    ("  low", "queued_by_priority/low"),
    ("running", "status_counts/running"),
    ("succeeded", "status_counts/success"),
    ("failed", "status_counts/failed"),
    ("timed out", "status_counts/timeout"),
    ("oldest (s)", "oldest_ready_s"),
    ("weight", "weight"),
    ("rate limit", "rate_limit"),
    ("concurrency", "concurrency"),
    ("ageing", "ageing"),
    ("key rate limit", "key_rate_limit"),
    ("key concurrency", "key_concurrency"),
    ("at cap", "at_cap"),
    ("fair weights", "fair_weights"),
    ("max depth", "max_depth"),
    ("max retries", "max_retries"),
    ("timeout", "timeout"),
    ("max age", "max_age"),
    ("keep success", "retention/success"),
    ("keep others", "retention/others"),
    ("version", "version"),
];

pub(super) async fn run(remote: &mut Remote<'_, '_>, command: QueueCommand) -> Result<(), Failure> {
    match command {
        QueueCommand::List => remote.show_list(&Call::read("/queues"), LISTED, "no queues").await,
        QueueCommand::Show(name) => remote.show_one(&Call::read(name.path()), SHOWN).await,
        QueueCommand::Pause(name) => post(remote, &name, "pause").await,
        QueueCommand::Resume(name) => post(remote, &name, "resume").await,
        QueueCommand::Purge { queue, consent, wait } => purge(remote, &queue, consent, wait).await,
        QueueCommand::Set(args) => set(remote, *args).await,
        QueueCommand::Delete(name) => remote.done(&Call::delete(name.path()), &format!("deleted {}", name.queue)).await,
        QueueCommand::Limit { command } => limit::run(remote, command).await,
    }
}

async fn post(remote: &mut Remote<'_, '_>, name: &Name, verb: &str) -> Result<(), Failure> {
    remote.show_one(&Call::post(format!("{}/{verb}", name.path()), &json!({}))?, SHOWN).await
}

async fn purge(remote: &mut Remote<'_, '_>, name: &Name, consent: Consent, wait: bool) -> Result<(), Failure> {
    // A queue that does not exist is to be told as such, not as one that is empty.
    remote.client.send(&Call::read(name.path())).await?;
    let waiting: Vec<_> = Status::ALL.into_iter().filter(|status| status.is_waiting()).collect();
    let filter = json!({"queue": name.queue, "status": waiting});
    let count = Call::post("/tasks/bulk", &json!({"action": "cancel", "filter": filter, "dry_run": true}))?;
    if consent.given(remote, Deed { verb: "cancel", things: "waiting tasks" }, &count).await? {
        let reply = remote.client.send(&Call::post(format!("{}/purge", name.path()), &json!({}))?).await?;
        operation::begun(remote, &reply, wait).await?;
    }
    Ok(())
}

/// The API replaces all settings at once: what is not named is read first, and its version sent along.
async fn set(remote: &mut Remote<'_, '_>, args: SetArgs) -> Result<(), Failure> {
    let SetArgs { name, weight, concurrency, max_depth, max_retries, timeout, max_age, .. } = args;
    let SetArgs { keep_success, keep_others, version, .. } = args;
    let SetArgs { key_rate_limit, key_concurrency, fair_weights, .. } = args;
    let SetArgs { ageing, .. } = args;
    let mut body = settings_now(remote, &name).await?;
    let given = [
        ("weight", weight.map(Value::from)),
        ("concurrency", concurrency),
        ("max_depth", max_depth),
        ("max_retries", max_retries),
        ("key_concurrency", key_concurrency),
        ("at_cap", args.at_cap.map(Value::from)),
        ("key_rate_limit", key_rate_limit.map(|Choice(rule)| rule.unwrap_or_default())),
    ];
    for (field, value) in given {
        if let Some(value) = value {
            body[field] = value;
        }
    }
    set_weights(&mut body, fair_weights);
    if let Some(Choice(value)) = ageing {
        body["ageing"] = value.unwrap_or_default();
    }
    for (field, choice) in [("success", keep_success), ("others", keep_others)] {
        if let Some(Choice(value)) = choice {
            body["retention"][field] = value.unwrap_or_default();
        }
    }
    if let Some(Choice(value)) = max_age {
        body["max_age"] = value.unwrap_or_default();
    }
    match timeout {
        // Null would mean: no limit.
        Some(Choice(None)) => drop(body.as_object_mut().and_then(|body| body.remove("timeout"))),
        Some(Choice(Some(value))) => body["timeout"] = value,
        None => {}
    }
    if let Some(version) = version {
        body["version"] = version.into();
    }
    remote.show_one(&Call::put(name.path(), &body)?, SHOWN).await
}

/// Those of other keys stay.
fn set_weights(body: &mut Value, given: Vec<(String, Value)>) {
    for (key, weight) in given {
        if !weight.is_null() {
            body["fair_weights"][key] = weight;
        } else if let Some(weights) = body["fair_weights"].as_object_mut() {
            weights.remove(&key);
        }
    }
}

/// What is set for a queue, as it is written; of one that does not exist, nothing.
async fn settings_now(remote: &mut Remote<'_, '_>, name: &Name) -> Result<Value, Failure> {
    const FIELDS: [&str; 14] = [
        "paused",
        "weight",
        "concurrency",
        "key_concurrency",
        "at_cap",
        "fair_weights",
        "ageing",
        "max_depth",
        "max_retries",
        "retry",
        "timeout",
        "max_age",
        "retention",
        "version",
    ];
    let found: Value = match remote.client.send(&Call::read(name.path())).await {
        Ok(reply) => reply.json()?,
        Err(error) if error.is_not_found() => {
            remote.terminal.note(&format!("note: there was no queue {:?}; it is made", name.queue));
            return Ok(json!({"retention": {}}));
        }
        Err(error) => return Err(error.into()),
    };
    let set = FIELDS.iter().filter_map(|field| Some(((*field).to_owned(), found.get(field)?.clone())));
    let mut body: Value = Value::Object(set.collect());
    for (field, by) in [("rate_limit", By::Queue), ("key_rate_limit", By::RateKey)] {
        if found[field].is_string() {
            body[field] = limit::own(remote, name, by).await?;
        }
    }
    Ok(body)
}

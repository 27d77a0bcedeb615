//! `schedule`.

use std::collections::BTreeMap;

use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use serde_json::{json, value::RawValue};

use super::{
    Failure, Remote,
    args::examples,
    input::{self, Shape},
    view::Columns,
};
use crate::{
    client::{Call, encode},
    task::{Priority, duration, schedule},
};

#[derive(Debug, Subcommand)]
pub(super) enum ScheduleCommand {
    /// List the schedules, by name
    #[command(after_long_help = examples!("  jobqueue schedule list\n  jobqueue schedule list --queue reports --json"))]
    List {
        /// Those whose task goes to this queue
        #[arg(long, value_parser = input::queue_name)]
        queue: Option<String>,
        /// Those that are paused
        #[arg(long)]
        paused: bool,
        /// At most so many, 1 to 200
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=200))]
        limit: u16,
        /// Go on where a page ended: its `next_cursor`
        #[arg(long)]
        cursor: Option<String>,
    },
    /// Show a schedule and what became of its last ticks
    #[command(after_long_help = examples!("  jobqueue schedule show nightly"))]
    Show(Name),
    /// Make a schedule, or change the one there is: what is not named stays
    Set(Box<SetArgs>),
    /// Make a schedule, if there is none of its name
    Create(Box<SetArgs>),
    /// Delete a schedule; the tasks it has made stay
    #[command(after_long_help = examples!("  jobqueue schedule delete nightly"))]
    Delete(Name),
    /// Let a schedule tick no more, until it is resumed
    #[command(after_long_help = examples!("  jobqueue schedule pause nightly"))]
    Pause(Name),
    /// Let a schedule tick again, from now on
    #[command(after_long_help = examples!("  jobqueue schedule resume nightly"))]
    Resume(Name),
    /// Make the task of a schedule now, out of turn
    #[command(after_long_help = examples!("  jobqueue schedule trigger nightly"))]
    Trigger(Name),
    /// Show the next ticks of a schedule, or of a rule that is tried
    Preview(PreviewArgs),
}

#[derive(Debug, Args)]
pub(super) struct Name {
    /// The schedule
    #[arg(value_name = "NAME", value_parser = schedule_name)]
    schedule: String,
}

impl Name {
    fn path(&self, below: &str) -> String {
        format!("/schedules/{}{below}", encode(&self.schedule))
    }
}

fn schedule_name(text: &str) -> Result<String, String> {
    schedule::check_name(text).map(|()| text.to_owned()).map_err(|fault| fault.to_string())
}

/// A JSON object whose values stay as they are written: numbers of any size are exact.
type Body = BTreeMap<String, Box<RawValue>>;

fn raw(value: &impl serde::Serialize) -> Result<Box<RawValue>, Failure> {
    serde_json::value::to_raw_value(value).map_err(|error| Failure::failed(error.to_string()))
}

/// When it ticks.
#[derive(Debug, Args)]
#[command(next_help_heading = "When")]
struct RuleArgs {
    /// Five fields, or six with seconds in front: "30 2 * * MON-FRI"
    #[arg(long, value_name = "PATTERN", conflicts_with = "every")]
    cron: Option<String>,
    /// Time between two ticks, 1 s to 366 days
    #[arg(long, value_name = "TIME", value_parser = written_time)]
    every: Option<String>,
    /// Zone of the pattern, such as Europe/Berlin; UTC if not given
    #[arg(long, value_name = "ZONE")]
    timezone: Option<String>,
    /// Each tick comes later by up to this time, always by the same
    #[arg(long, value_name = "TIME", value_parser = written_time)]
    jitter: Option<String>,
}

impl RuleArgs {
    fn put(self, body: &mut Body) -> Result<(), Failure> {
        let Self { cron, every, timezone, jitter } = self;
        if cron.is_some() {
            body.remove("every");
        }
        if every.is_some() {
            body.remove("cron");
            body.remove("timezone");
        }
        for (field, given) in [("cron", cron), ("every", every), ("timezone", timezone), ("jitter", jitter)] {
            if let Some(given) = given {
                body.insert(field.into(), raw(&given)?);
            }
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum CatchUp {
    /// Leave them out
    Skip,
    /// Make the last of them
    One,
    /// Make the last thousand of them
    All,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Overlap {
    /// Make another task
    Allow,
    /// Leave the tick out
    Skip,
}

#[derive(Debug, Args)]
#[command(after_long_help = examples!(
    "  jobqueue schedule set nightly --cron '30 2 * * *' --timezone Europe/Berlin --task report --args '[1]'
  jobqueue schedule set poll --every 30s --overlap skip --task poll --queue slow
  jobqueue schedule set nightly --catch-up all
  jobqueue schedule create weekly --cron @weekly --task-body @task.json

If somebody else changes the schedule meanwhile, nothing is changed and the exit code is 1."
))]
#[command(group = ArgGroup::new("settings").args(["cron", "every", "timezone", "jitter", "catch_up", "overlap", "task", "args", "kwargs", "queue", "priority", "task_body", "version"]).multiple(true).required(true))]
#[group(skip)]
pub(super) struct SetArgs {
    #[command(flatten)]
    name: Name,
    #[command(flatten)]
    rule: RuleArgs,
    /// What happens to ticks that nobody was there to make; one if not given
    #[arg(long, value_enum, value_name = "HOW", help_heading = "When")]
    catch_up: Option<CatchUp>,
    /// What happens to a tick while its last task is not over; allow if not given
    #[arg(long, value_enum, value_name = "HOW", help_heading = "When")]
    overlap: Option<Overlap>,
    /// Name of the task
    #[arg(long, value_name = "NAME", value_parser = input::task_name, help_heading = "Task")]
    task: Option<String>,
    /// Positional arguments: a JSON array, @FILE, or - for standard input
    #[arg(long, value_name = "JSON", help_heading = "Task")]
    args: Option<String>,
    /// Named arguments: a JSON object, @FILE, or - for standard input
    #[arg(long, value_name = "JSON", help_heading = "Task")]
    kwargs: Option<String>,
    /// Queue
    #[arg(long, value_parser = input::queue_name, help_heading = "Task")]
    queue: Option<String>,
    /// high, medium, low, or 0 (last) to 9 (first)
    #[arg(long, value_parser = input::priority, help_heading = "Task")]
    priority: Option<Priority>,
    /// The whole task as it would be submitted: a JSON object, @FILE, or - for standard input
    #[arg(long, value_name = "JSON", conflicts_with_all = ["task", "args", "kwargs", "queue", "priority"])]
    #[arg(help_heading = "Task")]
    task_body: Option<String>,
    /// Only if the schedule is at this version; otherwise at the one it has now
    #[arg(long, value_name = "N")]
    version: Option<u32>,
}

#[derive(Debug, Args)]
#[command(after_long_help = examples!(
    "  jobqueue schedule preview nightly
  jobqueue schedule preview --cron '30 2 * * *' --timezone Europe/Berlin -n 20"
))]
pub(super) struct PreviewArgs {
    /// The schedule
    #[arg(value_name = "NAME", value_parser = schedule_name, required_unless_present_any = ["cron", "every"])]
    #[arg(conflicts_with_all = ["cron", "every", "timezone", "jitter"])]
    schedule: Option<String>,
    #[command(flatten)]
    rule: RuleArgs,
    /// How many ticks, 1 to 100
    #[arg(short, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=100))]
    n: u16,
}

fn written_time(text: &str) -> Result<String, String> {
    input::time(text).map(|time| duration::to_text(i64::try_from(time.as_millis()).unwrap_or(i64::MAX)))
}

const LISTED: Columns = &[
    ("SCHEDULE", "name"),
    ("CRON", "cron"),
    ("EVERY", "every"),
    ("ZONE", "timezone"),
    ("TASK", "task/name"),
    ("QUEUE", "task/queue"),
    ("ENABLED", "enabled"),
    ("NEXT", "next_at"),
    ("MADE", "made"),
];
const SHOWN: Columns = &[
    ("schedule", "name"),
    ("cron", "cron"),
    ("every", "every"),
    ("timezone", "timezone"),
    ("catch up", "catch_up"),
    ("overlap", "overlap"),
    ("jitter", "jitter"),
    ("task", "task"),
    ("enabled", "enabled"),
    ("paused by", "paused_by"),
    ("set by", "origin"),
    ("next tick", "next_tick"),
    ("due at", "next_at"),
    ("last task", "last_task_id"),
    ("made", "made"),
    ("missed", "missed"),
    ("overlapped", "overlapped"),
    ("refused", "refused"),
    ("last reason", "runs/0/reason"),
    ("version", "version"),
];
const TICKS: Columns = &[("TICK", "tick"), ("LOCAL", "local"), ("DUE AT", "due_at")];
const MADE: Columns = &[("task", "id"), ("name", "name"), ("queue", "queue"), ("status", "status")];

pub(super) async fn run(remote: &mut Remote<'_, '_>, command: ScheduleCommand) -> Result<(), Failure> {
    match command {
        ScheduleCommand::List { queue, paused, limit, cursor } => {
            let limit = limit.to_string();
            let call = Call::read("/schedules").query(&[
                ("queue", queue.as_deref()),
                ("enabled", paused.then_some("false")),
                ("limit", Some(&limit)),
                ("cursor", cursor.as_deref()),
            ]);
            remote.show_list(&call, LISTED, "no schedules").await
        }
        ScheduleCommand::Show(name) => remote.show_one(&Call::read(name.path("")), SHOWN).await,
        ScheduleCommand::Set(args) => set(remote, *args, false).await,
        ScheduleCommand::Create(args) => set(remote, *args, true).await,
        ScheduleCommand::Delete(name) => {
            remote.done(&Call::delete(name.path("")), &format!("deleted {}", name.schedule)).await
        }
        ScheduleCommand::Pause(name) => remote.show_one(&Call::post(name.path("/pause"), &json!({}))?, SHOWN).await,
        ScheduleCommand::Resume(name) => remote.show_one(&Call::post(name.path("/resume"), &json!({}))?, SHOWN).await,
        ScheduleCommand::Trigger(name) => remote.show_one(&Call::post(name.path("/trigger"), &json!({}))?, MADE).await,
        ScheduleCommand::Preview(args) => preview(remote, args).await,
    }
}

async fn preview(remote: &mut Remote<'_, '_>, args: PreviewArgs) -> Result<(), Failure> {
    let n = args.n.to_string();
    let call = if let Some(schedule) = args.schedule {
        Call::read(Name { schedule }.path("/preview"))
    } else {
        let mut body = Body::new();
        args.rule.put(&mut body)?;
        Call::post("/schedules/preview", &body)?
    };
    remote.show_list(&call.query(&[("n", Some(&n))]), TICKS, "it ticks no more").await
}

/// The API replaces all of it: what is not named is read first, and its version sent along.
async fn set(remote: &mut Remote<'_, '_>, args: SetArgs, only_new: bool) -> Result<(), Failure> {
    let SetArgs { name, rule, catch_up, overlap, task, args, kwargs, queue, priority, task_body, version } = args;
    if args.as_deref() == Some("-") && kwargs.as_deref() == Some("-") {
        return Err(Failure::usage("--args and --kwargs cannot both be read from standard input"));
    }
    let mut body = if only_new { Body::new() } else { now(remote, &name).await? };
    rule.put(&mut body)?;
    if let Some(catch_up) = catch_up.as_ref().and_then(ValueEnum::to_possible_value) {
        body.insert("catch_up".into(), raw(&catch_up.get_name())?);
    }
    if let Some(overlap) = overlap.as_ref().and_then(ValueEnum::to_possible_value) {
        body.insert("overlap".into(), raw(&overlap.get_name())?);
    }
    let mut fields = match (&task_body, body.get("task")) {
        (Some(text), _) => parsed(&input::json("--task-body", text, Shape::Object, remote.terminal)?)?,
        (None, Some(task)) => parsed(task)?,
        (None, None) => Body::new(),
    };
    for (field, given) in [("name", task), ("queue", queue)] {
        if let Some(given) = given {
            fields.insert(field.into(), raw(&given)?);
        }
    }
    if let Some(priority) = priority {
        fields.insert("priority".into(), raw(&priority.level())?);
    }
    for (field, flag, given, shape) in
        [("args", "--args", args, Shape::Array), ("kwargs", "--kwargs", kwargs, Shape::Object)]
    {
        if let Some(text) = given {
            fields.insert(field.into(), input::json(flag, &text, shape, remote.terminal)?);
        }
    }
    if !fields.is_empty() {
        body.insert("task".into(), raw(&fields)?);
    }
    if let Some(version) = version {
        body.insert("version".into(), raw(&version)?);
    }
    let call = if only_new {
        body.insert("name".into(), raw(&name.schedule)?);
        Call::post("/schedules", &body)?
    } else {
        Call::put(name.path(""), &body)?
    };
    remote.show_one(&call, SHOWN).await
}

fn parsed(object: &RawValue) -> Result<Body, Failure> {
    serde_json::from_str(object.get()).map_err(|error| Failure::failed(error.to_string()))
}

/// What is set, as it is written; of one that does not exist, nothing.
async fn now(remote: &mut Remote<'_, '_>, name: &Name) -> Result<Body, Failure> {
    const FIELDS: [&str; 9] =
        ["cron", "every", "timezone", "catch_up", "overlap", "jitter", "task", "enabled", "version"];
    let mut found: Body = match remote.client.send(&Call::read(name.path(""))).await {
        Ok(reply) => parsed(reply.json::<Box<RawValue>>()?.as_ref())?,
        Err(error) if error.is_not_found() => return Ok(Body::new()),
        Err(error) => return Err(error.into()),
    };
    found.retain(|field, value| FIELDS.contains(&field.as_str()) && value.get() != "null");
    Ok(found)
}

//! `queue limit`: the rate limit of a queue.

use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use serde_json::{Map, Value, json};

use super::{Failure, Remote, args::examples, input, queue::Name, view::Columns};
use crate::{client::Call, task::duration};

#[derive(Debug, Subcommand)]
pub(super) enum LimitCommand {
    /// Show the limit in force and how much of it is used
    #[command(after_long_help = examples!(
        "  jobqueue queue limit get reports\n  jobqueue queue limit get reports --by rate-key --key tenant-7"
    ))]
    Get {
        #[command(flatten)]
        which: Which,
        /// How the limit stands for this rate key
        #[arg(long, value_name = "KEY", value_parser = input::key, requires = "by")]
        key: Option<String>,
    },
    /// Set a limit; it is in force with the next task that starts
    Set(LimitArgs),
    /// Take the queue's own limit away
    #[command(after_long_help = examples!(
        "  jobqueue queue limit remove reports\n  jobqueue queue limit remove reports --by rate-key"
    ))]
    Remove(Which),
}

/// One of the two limits of a queue.
#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Which {
    #[command(flatten)]
    name: Name,
    /// Of whom; the tasks of the queue, if not given
    #[arg(long, value_enum)]
    by: Option<By>,
}

/// Who shares a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum By {
    /// All tasks of the queue
    Queue,
    /// The tasks of each rate key have it for themselves
    RateKey,
}

/// Which limit a request is about.
fn chosen(call: Call, by: Option<By>, key: Option<&str>) -> Call {
    let by = by.filter(|by| *by == By::RateKey || key.is_some());
    let word = by.map(|by| if by == By::RateKey { "rate_key" } else { "queue" });
    call.query(&[("by", word), ("key", key)])
}

#[derive(Debug, Args)]
#[command(after_long_help = examples!(
    "  jobqueue queue limit set reports 100 --per 60s
  jobqueue queue limit set reports --high 100 --medium 50 --low 10
  jobqueue queue limit set reports 10 --per 1s --algorithm token-bucket --burst 50
  jobqueue queue limit set reports 100 --per 1m --by rate-key"
))]
#[command(group = ArgGroup::new("each").args(["high", "medium", "low"]).multiple(true).conflicts_with_all(["limit", "by"]))]
#[group(skip)]
pub(super) struct LimitArgs {
    #[command(flatten)]
    which: Which,
    /// Tasks that may start within --per
    #[arg(value_name = "N", required_unless_present = "each")]
    limit: Option<u32>,
    /// The time for which the number holds, 10ms to 30d
    #[arg(long, value_name = "TIME", value_parser = input::time, default_value = "60s")]
    per: std::time::Duration,
    /// Tasks of high priority (7 to 9) that may start
    #[arg(long, value_name = "N", requires = "medium", requires = "low", help_heading = "By priority")]
    high: Option<u32>,
    /// Tasks of medium priority (4 to 6) that may start
    #[arg(long, value_name = "N", requires = "high", help_heading = "By priority")]
    medium: Option<u32>,
    /// Tasks of low priority (0 to 3) that may start
    #[arg(long, value_name = "N", requires = "high", help_heading = "By priority")]
    low: Option<u32>,
    /// How permits come back
    #[arg(long, value_enum, default_value_t = Algorithm::SlidingWindow)]
    algorithm: Algorithm,
    /// Most starts at once of a token bucket
    #[arg(long, value_name = "N")]
    burst: Option<u32>,
    /// Keep the limit without applying it
    #[arg(long)]
    disabled: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Algorithm {
    /// In no span of the time do more start
    SlidingWindow,
    /// A burst may start at once, and the number in each time after that
    TokenBucket,
}

const SHOWN: Columns = &[
    ("limit", "limit"),
    ("per", "per"),
    ("by", "by"),
    ("algorithm", "algorithm"),
    ("burst", "burst"),
    ("enabled", "enabled"),
    ("used", "used"),
    ("remaining", "remaining"),
    ("next permit in (s)", "next_permit_in_s"),
    ("by priority", "by_priority"),
    ("set for", "source"),
];

fn path(name: &Name) -> String {
    format!("{}/rate-limit", name.path())
}

pub(super) async fn run(remote: &mut Remote<'_, '_>, command: LimitCommand) -> Result<(), Failure> {
    match command {
        LimitCommand::Get { which: Which { name, by }, key } => {
            remote.show_one(&chosen(Call::read(path(&name)), by, key.as_deref()), SHOWN).await
        }
        LimitCommand::Set(args) => remote.show_one(&Call::put(path(&args.which.name), &body(&args))?, SHOWN).await,
        LimitCommand::Remove(Which { name, by }) => {
            let what = match by {
                Some(By::RateKey) => format!("rate keys of {} have no limit any more", name.queue),
                _ => format!("{} has no limit of its own any more", name.queue),
            };
            remote.done(&chosen(Call::delete(path(&name)), by, None), &what).await
        }
    }
}

fn body(args: &LimitArgs) -> Value {
    let per = duration::to_text(i64::try_from(args.per.as_millis()).unwrap_or(i64::MAX));
    let algorithm = match args.algorithm {
        Algorithm::SlidingWindow => "sliding_window",
        Algorithm::TokenBucket => "token_bucket",
    };
    let mut body = json!({"per": per, "algorithm": algorithm, "enabled": !args.disabled});
    match (args.limit, args.high) {
        (Some(limit), _) => body["limit"] = limit.into(),
        (None, high) => {
            body["by"] = "priority".into();
            body["limit"] = json!({"high": high, "medium": args.medium, "low": args.low});
        }
    }
    if args.which.by == Some(By::RateKey) {
        body["by"] = "rate_key".into();
    }
    if let Some(burst) = args.burst {
        body["burst"] = burst.into();
    }
    body
}

/// A queue's own limit, or that of its rate keys, as it is written.
pub(super) async fn own(remote: &mut Remote<'_, '_>, name: &Name, by: By) -> Result<Value, Failure> {
    let shown: Value = remote.client.send(&chosen(Call::read(path(name)), Some(by), None)).await?.json()?;
    let fields = ["limit", "per", "by", "algorithm", "burst", "enabled"];
    let written: Map<String, Value> =
        fields.iter().filter_map(|field| Some(((*field).to_owned(), shown.get(field)?.clone()))).collect();
    Ok(written.into())
}

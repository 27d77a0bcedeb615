//! `submit`.

use std::time::Duration;

use clap::{ArgGroup, Args};

use super::{
    Failure, Remote,
    args::{Output, examples},
    input::{self, Limit, Shape},
    output, read,
};
use crate::{
    client::{self, Call, LONGEST_WAIT, TaskRequest},
    task::{KeyScope, Priority, UniqueConflict},
};

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("key").args(["unique_key", "unique_by"])))]
#[command(after_long_help = examples!(
    "  jobqueue submit process_data --args '[1, 2, 3]' --kwargs '{\"multiplier\": 2}'
  jobqueue submit report --kwargs @report.json --delay 10m --unique-key report-today
  jobqueue submit index --args '[17]' --unique-by name,args.0 --unique-while waiting --on-conflict replace --delay 30s
  jobqueue submit demo.add --args '[1, 2]' --wait=5s --json | jq .result
  jobqueue submit report --fair-key tenant-7 --rate-key tenant-7 --cost 5

With --wait, a task that did not end in success is exit code 1."
))]
pub(super) struct SubmitArgs {
    /// Name of the task
    #[arg(value_parser = input::task_name)]
    name: String,
    /// Positional arguments: a JSON array, @FILE, or - for standard input
    #[arg(long, value_name = "JSON", help_heading = "Arguments of the task")]
    args: Option<String>,
    /// Named arguments: a JSON object, @FILE, or - for standard input
    #[arg(long, value_name = "JSON", help_heading = "Arguments of the task")]
    kwargs: Option<String>,
    /// Queue
    #[arg(long, value_parser = input::queue_name, help_heading = "When and where")]
    queue: Option<String>,
    /// high, medium, low, or 0 (last) to 9 (first)
    #[arg(long, value_parser = input::priority, help_heading = "When and where")]
    priority: Option<Priority>,
    /// Not before this much time has passed, such as 30s or 2h
    #[arg(long, value_name = "TIME", value_parser = input::time, conflicts_with = "run_at")]
    #[arg(help_heading = "When and where")]
    delay: Option<Duration>,
    /// Not before this time, such as 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME", value_parser = input::moment, help_heading = "When and where")]
    run_at: Option<jiff::Timestamp>,
    /// Retries after the first attempt
    #[arg(long, value_name = "N", help_heading = "Limits")]
    max_retries: Option<u32>,
    /// Time limit of an attempt, or "none"
    #[arg(long, value_name = "TIME", value_parser = input::limit, help_heading = "Limits")]
    timeout: Option<Limit>,
    /// How long after its submission it may be started, retries and snoozes too, or "none"
    #[arg(long, value_name = "TIME", value_parser = input::limit, help_heading = "Limits")]
    max_age: Option<Limit>,
    /// Tasks of different fair keys, such as one for each tenant, take turns
    #[arg(long, value_name = "KEY", value_parser = input::key, help_heading = "Sharing the queue")]
    fair_key: Option<String>,
    /// Tasks of one rate key share the limit that the queue sets for each
    #[arg(long, value_name = "KEY", value_parser = input::key, help_heading = "Sharing the queue")]
    rate_key: Option<String>,
    /// How much of the limit of its rate key it uses, 1 to 1000000; 1 if not given
    #[arg(long, value_name = "N", requires = "rate_key", help_heading = "Sharing the queue")]
    cost: Option<u32>,
    /// Of one concurrency key no more run at a time than the queue allows
    #[arg(long, value_name = "KEY", value_parser = input::key, help_heading = "Sharing the queue")]
    concurrency_key: Option<String>,
    /// Only for a worker that bears this label, such as gpu; can be repeated
    #[arg(long, value_name = "LABEL", value_parser = input::label, help_heading = "When and where")]
    requires: Vec<String>,
    /// At most one live task of the queue has this key; if there is one, it is the answer
    #[arg(long, value_name = "KEY", help_heading = "Once only")]
    unique_key: Option<String>,
    /// Make the unique key of these parts, separated by commas: name, args, kwargs, meta, or a path such as args.0
    #[arg(
        long,
        value_name = "PARTS",
        value_delimiter = ',',
        conflicts_with = "unique_key",
        help_heading = "Once only"
    )]
    unique_by: Vec<String>,
    /// Keep the key for so long after the submission, also beyond the end
    #[arg(long, value_name = "TIME", value_parser = input::time, requires = "key", help_heading = "Once only")]
    unique_for: Option<Duration>,
    /// Keep the key in these statuses, separated by commas [default: waiting,running]
    #[arg(long, value_name = "STATUSES", value_delimiter = ',', requires = "key", help_heading = "Once only")]
    #[arg(value_parser = KeyScope::words())]
    unique_while: Vec<String>,
    /// What to do where another task has the key: replace is for one that waits [default: return]
    #[arg(long, value_name = "WHAT", requires = "key", help_heading = "Once only")]
    #[arg(value_parser = UniqueConflict::ALL.map(|(word, _)| word))]
    on_conflict: Option<String>,
    /// Repeating the command with the same key within a day does not submit again
    #[arg(long, value_name = "KEY", help_heading = "Once only")]
    idempotency_key: Option<String>,
    /// Label to find it by; can be repeated
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Wait for the end and show the result; without a time, 30s
    #[arg(long, value_name = "TIME", value_parser = input::time)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "30s")]
    wait: Option<Duration>,
}

pub(super) async fn run(remote: &mut Remote<'_, '_>, args: SubmitArgs) -> Result<(), Failure> {
    let wait = args.wait;
    let request = request(remote, args)?;
    let call = Call::submit(&request, wait.map(|wait| wait.min(LONGEST_WAIT)))?;
    let asked = tokio::time::Instant::now();
    let reply = remote.client.send(&call).await?;
    let submitted = client::submitted(&reply)?;
    if submitted.deduplicated {
        remote.terminal.note("note: the unique key is held by this task; nothing was added");
    }
    if submitted.replaced {
        remote.terminal.note("note: the unique key was held by this task, which waited; it is now what was submitted");
    }
    if submitted.replayed {
        remote.terminal.note("note: the idempotency key was used before; this is the answer it got then");
    }
    let Some(wait) = wait else {
        return match remote.output {
            Output::Json => remote.terminal.line(&reply.body),
            Output::Table => {
                let width = remote.terminal.width;
                remote.terminal.line(&output::tasks(std::slice::from_ref(&submitted.task), width))
            }
        };
    };
    if submitted.task.status.is_terminal() {
        return read::show_end(remote, &reply.body, &submitted.task);
    }
    remote.client.wait(submitted.task.id, (asked + wait).duration_since(tokio::time::Instant::now())).await?;
    let reply = remote.client.send(&Call::get(submitted.task.id)).await?;
    read::show_end(remote, &reply.body, &reply.json()?)
}

/// Everything is checked here, before anything is sent.
fn request(remote: &mut Remote<'_, '_>, given: SubmitArgs) -> Result<TaskRequest, Failure> {
    let SubmitArgs { name, args, kwargs, queue, priority, delay, run_at, .. } = given;
    let SubmitArgs { max_retries, timeout, max_age, unique_key, idempotency_key, tags, .. } = given;
    let SubmitArgs { unique_by, unique_for, unique_while, on_conflict, .. } = given;
    let SubmitArgs { fair_key, rate_key, cost, concurrency_key, requires, .. } = given;
    if args.as_deref() == Some("-") && kwargs.as_deref() == Some("-") {
        return Err(Failure::usage("--args and --kwargs cannot both be read from standard input"));
    }
    let mut request = TaskRequest::new(name);
    if let Some(text) = args {
        request = request.args(&input::json("--args", &text, Shape::Array, remote.terminal)?)?;
    }
    if let Some(text) = kwargs {
        request = request.kwargs(&input::json("--kwargs", &text, Shape::Object, remote.terminal)?)?;
    }
    request = set(request, queue, TaskRequest::queue);
    request = set(request, priority, TaskRequest::priority);
    request = set(request, delay, TaskRequest::delay);
    request = set(request, run_at, TaskRequest::run_at);
    request = set(request, max_retries, TaskRequest::max_retries);
    request = set(request, timeout, |request, Limit(limit)| request.timeout(limit));
    request = set(request, max_age, |request, Limit(age)| request.max_age(age));
    request = set(request, unique_key, TaskRequest::unique_key);
    request = set(request, filled(unique_by), TaskRequest::unique_by);
    request = set(request, filled(unique_while), TaskRequest::unique_while);
    request = set(request, unique_for, TaskRequest::unique_for);
    request = match on_conflict.as_deref() {
        Some("reject") => request.reject_duplicates(),
        Some("replace") => request.replace_waiting(),
        _ => request,
    };
    request = set(request, idempotency_key, TaskRequest::idempotency_key);
    request = set(request, fair_key, TaskRequest::fair_key);
    request = set(request, rate_key, TaskRequest::rate_key);
    request = set(request, cost, TaskRequest::cost);
    request = set(request, concurrency_key, TaskRequest::concurrency_key);
    request = requires.into_iter().fold(request, TaskRequest::requires);
    Ok(tags.into_iter().fold(request, TaskRequest::tag))
}

fn filled(list: Vec<String>) -> Option<Vec<String>> {
    Some(list).filter(|list| !list.is_empty())
}

fn set<T>(request: TaskRequest, value: Option<T>, setter: impl FnOnce(TaskRequest, T) -> TaskRequest) -> TaskRequest {
    match value {
        Some(value) => setter(request, value),
        None => request,
    }
}

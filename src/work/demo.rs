//! Small handlers to try the queue with, and faulty ones to test it with.

use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Arguments, RegisterError, Registry, Snooze, TaskContext, TaskFailure};

/// Longest sleep: a year. Beyond a few centuries a moment in the future cannot be computed.
const LONGEST: f64 = 365.0 * 86_400.0;

/// Registers `demo.echo`, `demo.sleep`, `demo.fail`, `demo.snooze` and `demo.add`.
pub fn register(registry: &mut Registry) -> Result<(), RegisterError> {
    registry
        .task("demo.echo", |_, given: Arguments| async move { Ok::<_, TaskFailure>(given) })?
        .task("demo.sleep", sleep)?
        .task("demo.fail", fail)?
        .task("demo.snooze", snooze)?
        .task("demo.add", |_, numbers: Vec<Box<RawValue>>| async move { add(&numbers) })?;
    Ok(())
}

/// Registers `fault.panic`, `fault.abort`, `fault.overflow`, `fault.block`, `fault.clock` (when did it start?), `fault.noop`,
/// `fault.flood`, `fault.spin` (never yields) and the same on threads of their own (`fault.thread.*`, where `deaf` does not hear
/// that it is to stop): for tests, never in production.
pub fn register_faults(registry: &mut Registry) -> Result<(), RegisterError> {
    registry
        .task("fault.panic", |context, _: Arguments| async move { panic_in(&context) })?
        .task("fault.abort", |_, _: Arguments| async move { abort() })?
        .task("fault.overflow", |_, _: Arguments| async move { Ok::<_, TaskFailure>(overflow(1)) })?
        .task("fault.block", |_, Seconds { seconds }: Seconds| async move {
            tokio::time::sleep(span(seconds)?).await;
            Ok::<_, TaskFailure>(seconds)
        })?
        .task("fault.clock", |_, _: Arguments| async move { Ok::<_, TaskFailure>(unix_ms()) })?
        .task("fault.noop", |_, _: Arguments| async move { Ok::<_, TaskFailure>(()) })?
        .task("fault.flood", |_, _: Arguments| async move { Ok::<_, TaskFailure>("x".repeat(FLOOD)) })?
        .task("fault.spin", |_, Seconds { seconds }: Seconds| async move { sleep_deaf(seconds) })?
        .blocking_task("fault.thread.noop", |_, _: Arguments| Ok::<_, TaskFailure>(()))?
        .blocking_task("fault.thread.fail", |_, _: Arguments| Err::<(), _>("failed as it was asked to"))?
        .blocking_task("fault.thread.panic", |context, _: Arguments| panic_in(&context))?
        .blocking_task("fault.thread.flood", |_, _: Arguments| Ok::<_, TaskFailure>("x".repeat(FLOOD)))?
        .blocking_task("fault.thread.sleep", |context, Seconds { seconds }: Seconds| {
            match context.cancelled_within(span(seconds)?) {
                true => Err(TaskFailure::new("was asked to stop before the time was over")),
                false => Ok(seconds),
            }
        })?
        .blocking_task("fault.thread.deaf", |_, Seconds { seconds }: Seconds| sleep_deaf(seconds))?;
    Ok(())
}

/// Longer than any result may be.
const FLOOD: usize = 17 * 1024 * 1024;

/// Keeps its thread.
fn sleep_deaf(seconds: f64) -> Result<f64, TaskFailure> {
    std::thread::sleep(span(seconds)?);
    Ok(seconds)
}

fn unix_ms() -> u64 {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[derive(Deserialize)]
struct Seconds {
    seconds: f64,
}

fn span(seconds: f64) -> Result<Duration, TaskFailure> {
    if (0.0..=LONGEST).contains(&seconds) {
        return Ok(Duration::from_secs_f64(seconds));
    }
    Err(TaskFailure::arguments(format!("argument `seconds`: expected 0 to {LONGEST}, not {seconds}")))
}

/// `args[0]` or `kwargs.seconds`: sleeps that long, ends at once when asked to.
async fn sleep(context: TaskContext, Seconds { seconds }: Seconds) -> Result<f64, TaskFailure> {
    tokio::select! {
        () = tokio::time::sleep(span(seconds)?) => Ok(seconds),
        () = context.cancelled() => Err(TaskFailure::new("was asked to stop before the time was over")),
    }
}

#[derive(Deserialize)]
struct Fail {
    /// The message.
    args: Vec<String>,
    kwargs: FailOptions,
}

#[derive(Deserialize)]
struct FailOptions {
    message: Option<String>,
    /// How many attempts fail; `None`: all.
    times: Option<u32>,
    /// False: it fails for good.
    #[serde(default = "yes")]
    retryable: bool,
    /// Seconds until the next attempt.
    retry_after: Option<f64>,
}

const fn yes() -> bool {
    true
}

/// Fails with `args[0]` (or `kwargs.message`), only in the first `kwargs.times` attempts if that is given.
async fn fail(context: TaskContext, Fail { args, kwargs }: Fail) -> Result<String, TaskFailure> {
    let attempt = context.attempt();
    if kwargs.times.is_some_and(|times| attempt > times) {
        return Ok(format!("succeeded at attempt {attempt}"));
    }
    let message = args.into_iter().next().or(kwargs.message);
    let mut failure = TaskFailure::new(message.unwrap_or_else(|| "failed as it was asked to".into()));
    if let Some(seconds) = kwargs.retry_after {
        failure = failure.retry_after(span(seconds)?);
    }
    Err(if kwargs.retryable { failure } else { failure.not_retryable() })
}

#[derive(Deserialize)]
struct PutOff {
    seconds: f64,
    /// How often; once if not given.
    #[serde(default = "once")]
    times: u32,
}

const fn once() -> u32 {
    1
}

/// `args[0]` or `kwargs.seconds`: puts itself off by so long, `args[1]` or `kwargs.times` times; then says how often it has.
async fn snooze(context: TaskContext, PutOff { seconds, times }: PutOff) -> Result<u32, TaskFailure> {
    if context.snoozes() < times {
        return Err(Snooze(span(seconds)?).into());
    }
    Ok(context.snoozes())
}

/// The sum: exact while all numbers are integers, else as 64-bit floats.
fn add(numbers: &[Box<RawValue>]) -> Result<Box<RawValue>, TaskFailure> {
    let mut exact = Some(0_i128);
    let mut float = 0.0_f64;
    for (index, number) in numbers.iter().map(|number| number.get()).enumerate() {
        if !number.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
            return Err(TaskFailure::arguments(format!("argument `[{index}]`: expected a number, not {number}")));
        }
        if number.contains(['.', 'e', 'E']) {
            exact = None;
        } else if let Some(sum) = exact {
            let sum = number.parse::<i128>().ok().and_then(|number| sum.checked_add(number));
            exact = Some(sum.ok_or_else(|| TaskFailure::new("the sum exceeds 128 bits").not_retryable())?);
        }
        float += number.parse::<f64>()?;
    }
    match exact {
        Some(sum) => Ok(serde_json::value::to_raw_value(&sum)?),
        None if float.is_finite() => Ok(serde_json::value::to_raw_value(&float)?),
        None => Err(TaskFailure::new("the sum exceeds the range of a 64-bit float").not_retryable()),
    }
}

#[expect(clippy::panic, reason = "this handler exists to panic")]
fn panic_in(context: &TaskContext) -> Result<(), TaskFailure> {
    panic!("fault.panic was asked to panic in attempt {}", context.attempt())
}

fn abort() -> Result<(), TaskFailure> {
    std::process::abort()
}

/// Deeper than any stack. Each frame is used after the call, so that no loop comes of it.
#[expect(unconditional_recursion, reason = "this handler exists to use up its stack")]
fn overflow(depth: u64) -> u64 {
    let frame = std::hint::black_box([depth; 64]);
    overflow(depth + 1) + frame[(depth % 64) as usize]
}

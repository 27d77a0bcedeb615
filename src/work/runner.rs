//! One attempt: find the handler, run it, end it in time.
//!
//! ```text
//!   handler returns ───────────────────────────────► its outcome
//!   cancel | interrupt | time over ──► asked to stop ──► returns within the grace ──┐
//!                                            └──► grace over: dropped ──────────────┴─► Cancelled | Interrupted | TimedOut
//! ```
//! A success within the grace of a cancel or an interrupt counts: the work is done. After the time limit it does not:
//! a limit that is sometimes none would let a task that is always too slow seem sound.

use std::{
    future::{self, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use futures_util::FutureExt;
use tokio::time::{Instant, sleep_until, timeout};

use super::{Assignment, Registry, StopReason, StopSignal, TaskContext, failure::panicked, witness};
use crate::task::{ErrorKind, Millis, Outcome, TaskError, duration};

/// Runs one attempt of a task. `grace` is the time between asking the handler to stop and dropping it.
///
/// Dropping this future drops the handler's, which ends all it started. Needs a runtime with time enabled where the
/// task has a limit or can be stopped. A handler that never yields cannot be ended by anyone: whoever waits for this future
/// gives it up ([`given_up`]).
pub async fn perform(
    registry: &Registry,
    assignment: impl Into<Assignment>,
    stop: &StopSignal,
    grace: Duration,
) -> Outcome {
    let assignment = assignment.into();
    let task = &assignment.task;
    if let Some(reason) = stop.reason() {
        return stopped(reason, None, task.timeout_ms);
    }
    let Some(handler) = registry.get(&task.name) else { return no_handler(&task.name) };
    let limit = task.timeout_ms;
    let deadline = limit.and_then(|limit| Instant::now().checked_add(Duration::from_millis(limit.max(0) as u64)));
    let token = task.token();
    let context =
        TaskContext::new(assignment, stop.clone(), deadline.map(Instant::into_std)).with_state(registry.state());

    // What a handler does before its first await may panic as well.
    let mut handling =
        match catch_unwind(AssertUnwindSafe(|| witness::during(token, || registry.start(handler, context)))) {
            Ok(handling) => handling,
            Err(payload) => return panicked(&*payload),
        };
    let polling = poll_fn(move |turn| witness::during(token, || handling.poll_unpin(turn)));
    let mut handling =
        AssertUnwindSafe(polling).catch_unwind().map(|ended| ended.unwrap_or_else(|payload| panicked(&*payload)));

    // In this order: a handler that is done at its first poll costs neither a timer nor a place in the signal's list.
    tokio::select! {
        biased;
        outcome = &mut handling => return match stop.reason() {
            // The signal may wake the handler and this task at once, and the handler has answered it first.
            Some(reason) => stopped(reason, Some(outcome), limit),
            None => outcome,
        },
        () = stop.requested() => {}
        () = reached(deadline) => stop.time_out(),
    }
    let last = tokio::select! {
        biased;
        ended = timeout(grace, &mut handling) => ended.ok(),
        () = stop.at_once() => None,
    };
    // Dropping it runs its destructors: code of the handler's author, which may panic like the rest.
    let _ = catch_unwind(AssertUnwindSafe(move || witness::during(token, || drop(handling))));
    // Asked again: what began as an interrupt may have become a cancel.
    stopped(stop.reason().unwrap_or(StopReason::Interrupt), last, limit)
}

/// The outcome of an attempt that ignores that it was to end, for whatever reason.
pub fn given_up(stop: &StopSignal, limit: Option<Millis>) -> Outcome {
    if stop.reason().is_none() {
        stop.time_out();
    }
    match stopped(stop.reason().unwrap_or(StopReason::Timeout), None, limit) {
        Outcome::TimedOut(error) => Outcome::TimedOut(error.with_detail("its handler does not end: it is stuck")),
        outcome => outcome,
    }
}

async fn reached(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => future::pending().await,
    }
}

fn no_handler(name: &str) -> Outcome {
    Outcome::failure(ErrorKind::NoHandler, format!("no handler named {name:?} is registered on this node"))
}

/// What becomes of an attempt that was asked to stop; `last` is what the handler returned, if it still did.
fn stopped(reason: StopReason, last: Option<Outcome>, limit: Option<Millis>) -> Outcome {
    match (reason, last) {
        (StopReason::Timeout, last) => Outcome::TimedOut(out_of_time(last, limit)),
        (_, Some(Outcome::Success(result))) => Outcome::Success(result),
        (StopReason::Cancel, _) => Outcome::Cancelled,
        (StopReason::Interrupt, _) => Outcome::Interrupted,
    }
}

fn out_of_time(last: Option<Outcome>, limit: Option<Millis>) -> TaskError {
    let limit = duration::to_text(limit.unwrap_or_default());
    let error = TaskError::new(ErrorKind::Timeout, format!("did not finish within {limit}"));
    match last {
        // How it ended when asked to: the end of its stderr tells where it was stuck.
        Some(Outcome::Failure { error: TaskError { message, detail, .. }, .. }) => {
            error.with_detail(detail.map_or(message.clone(), |detail| format!("{message}\n{detail}")))
        }
        _ => error,
    }
}

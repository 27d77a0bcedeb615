//! Filters of tasks in a request's body, and rates.

use serde::Deserialize;
use utoipa::ToSchema;

use super::{check::Faults, time::parse};
use crate::{
    store::{Action, DeadFilter, TaskFilter},
    task::{DeadReason, Millis, Status, name},
};

/// Which tasks: all conditions together.
#[derive(Deserialize, ToSchema, Default)]
#[serde(deny_unknown_fields, default, expecting = "an object")]
#[schema(as = TaskFilter)]
pub(super) struct FilterDraft {
    /// In one of these; if not given, all in which the action can be done (retry: dead ones).
    status: Vec<Status>,
    queue: Option<String>,
    /// The whole name.
    name: Option<String>,
    tag: Option<String>,
    /// Part of the name, or the whole id.
    q: Option<String>,
    #[schema(format = DateTime)]
    created_after: Option<String>,
    #[schema(format = DateTime)]
    created_before: Option<String>,
    /// Id of a worker.
    worker: Option<String>,
    /// Id of a workflow.
    workflow: Option<String>,
}

/// Which dead letters: all conditions together.
#[derive(Deserialize, ToSchema, Default)]
#[serde(deny_unknown_fields, default, expecting = "an object")]
#[schema(as = DeadLetterFilter)]
pub(super) struct DeadFilterDraft {
    pub(super) queue: Option<String>,
    /// The whole name.
    pub(super) name: Option<String>,
    pub(super) reason: Option<DeadReason>,
    /// Part of the error's message.
    pub(super) error: Option<String>,
    /// The `error` of a group.
    pub(super) cause: Option<String>,
    /// Those that died at this moment or later.
    #[schema(format = DateTime)]
    pub(super) died_after: Option<String>,
}

/// Statuses in which an action can be done to a task.
pub(super) fn possible(action: Action) -> &'static [Status] {
    use Status::{Cancelled, Expired, Failed, Pending, Queued, Retry, Running, Scheduled, Skipped, Success, Timeout};
    match action {
        Action::Cancel => &[Pending, Scheduled, Queued, Running, Retry],
        Action::Retry | Action::Delete => &[Success, Failed, Timeout, Cancelled, Expired, Skipped],
        Action::Redrive | Action::Discard => &[Failed, Timeout],
    }
}

impl FilterDraft {
    /// It leaves nothing out but what the action cannot be done to.
    pub(super) fn is_everything(&self) -> bool {
        let Self { status, queue, name, tag, q, created_after, created_before, worker, workflow } = self;
        let given = [queue, name, tag, q, created_after, created_before, worker, workflow];
        let given = given.iter().any(|field| field.is_some());
        status.is_empty() && !given
    }

    pub(super) fn check(self, faults: &mut Faults, action: Action) -> TaskFilter {
        let possible = possible(action);
        if let Some(status) = self.status.iter().find(|status| !possible.contains(status)) {
            let known: Vec<_> = possible.iter().map(|status| status.as_str()).collect();
            let detail =
                format!("cannot {} tasks that are {status}; possible are {}", action.as_str(), known.join(", "));
            faults.invalid("/filter/status", detail);
        }
        names(faults, self.queue.as_deref(), self.name.as_deref());
        for (field, text) in [("tag", &self.tag), ("q", &self.q)] {
            if let Some(text) = text {
                faults.named(&format!("/filter/{field}"), name::free(text, 256, "it"));
            }
        }
        let default = if action == Action::Retry { &[Status::Failed, Status::Timeout][..] } else { possible };
        let statuses = if self.status.is_empty() { default.to_vec() } else { self.status };
        TaskFilter {
            statuses,
            queue: self.queue,
            name: self.name,
            tag: self.tag,
            worker: id(faults, "worker", self.worker.as_deref()),
            workflow: id(faults, "workflow", self.workflow.as_deref()),
            text: self.q,
            created_after: moment(faults, "created_after", self.created_after.as_deref()),
            created_before: moment(faults, "created_before", self.created_before.as_deref()),
            with_args: false,
            with_result: false,
            within: None,
        }
    }
}

impl DeadFilterDraft {
    pub(super) fn is_everything(&self) -> bool {
        let Self { queue, name, reason, error, cause, died_after } = self;
        [queue, name, error, cause, died_after].iter().all(|field| field.is_none()) && reason.is_none()
    }

    pub(super) fn check(self, faults: &mut Faults) -> DeadFilter {
        names(faults, self.queue.as_deref(), self.name.as_deref());
        if let Some(error) = &self.error {
            faults.named("/filter/error", name::free(error, 500, "part of a message"));
        }
        if let Some(cause) = self.cause.as_deref().filter(|text| !text.is_empty()) {
            faults.named("/filter/cause", name::free(cause, 500, "what a group shares"));
        }
        DeadFilter {
            queue: self.queue,
            name: self.name,
            reason: self.reason,
            error: self.error,
            cause: self.cause,
            died_after: moment(faults, "died_after", self.died_after.as_deref()),
            ..DeadFilter::default()
        }
    }
}

fn names(faults: &mut Faults, queue: Option<&str>, task: Option<&str>) {
    if let Some(queue) = queue {
        faults.named("/filter/queue", name::queue(queue));
    }
    if let Some(task) = task {
        faults.named("/filter/name", name::task(task));
    }
}

fn id<T: std::str::FromStr<Err: std::fmt::Display>>(faults: &mut Faults, field: &str, text: Option<&str>) -> Option<T> {
    text?.parse().map_err(|error: T::Err| faults.invalid(format!("/filter/{field}"), error.to_string())).ok()
}

fn moment(faults: &mut Faults, field: &str, text: Option<&str>) -> Option<Millis> {
    let parsed = parse(text?);
    if parsed.is_none() {
        faults.invalid(format!("/filter/{field}"), "must be a time such as 2026-01-31T12:00:00Z");
    }
    parsed
}

/// `"10/s"`, `"100/m"`, `"5/h"` as tasks a second.
pub(super) fn rate(faults: &mut Faults, text: Option<&str>) -> Option<f64> {
    let parsed = text?.split_once('/').and_then(|(number, unit)| {
        let seconds = match unit.trim() {
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3_600.0,
            _ => return None,
        };
        let rate = number.trim().parse::<f64>().ok()? / seconds;
        (rate.is_finite() && (1.0 / 86_400.0..=1_000_000.0).contains(&rate)).then_some(rate)
    });
    if parsed.is_none() {
        faults.invalid("/rate", "must be more than 0, such as \"10/s\", \"100/m\" or \"5/h\"");
    }
    parsed
}

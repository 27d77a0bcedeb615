//! `GET /tasks/{id}/explain`: why a task does not run now, and when it will.

use actix_web::{HttpResponse, web::Data};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    ApiState,
    caller::Caller,
    problem::Problem,
    query::{Nothing, Query},
    rate_limit::RateLimitView,
    reply,
    tasks::{Id, no_task},
    time::Time,
};
use crate::{
    engine::{MOST_AHEAD, MOST_LANES, Reason},
    store::TaskRow,
    task::{FlowKeys, Lack, Millis, Status, TaskId},
};

#[derive(Serialize, ToSchema)]
#[schema(as = Explanation)]
pub(super) struct ExplanationView {
    #[schema(value_type = String, format = Uuid)]
    task_id: TaskId,
    status: Status,
    /// In one sentence.
    summary: String,
    /// Everything that keeps it from starting now; empty where it starts as soon as a slot is free.
    reasons: Vec<ReasonView>,
    /// It does not start before this moment; null where time is not what it waits for.
    not_before: Option<Time>,
    /// It expires if it has not started by this moment, nor is it tried again after it.
    expires_at: Option<Time>,
    /// What says so: `max_age`, or the `expires_at` or `expires_in` it was submitted with.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_by: Option<&'static str>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Reason)]
pub(super) struct ReasonView {
    /// Stable, for programs: `parents`, `not_due`, `queue_paused`, `rate_limit`, `concurrency`, `key_rate_limit`,
    /// `key_concurrency`, `no_worker`, `expired`, `expires`, `suspect`, `ahead`, `turns`, `higher_priority`, `slots`, `running` or
    /// `over`.
    code: &'static str,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Time>,
    /// Tasks ahead, parents that are not over, or tasks that run.
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    /// What no live worker has that has the rest: `queue`, `name` or `label`.
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<&'static str>,
    /// Some of the parents that are not over.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    parents: Vec<TaskId>,
}

fn tasks_of_key(n: u32) -> String {
    if n == 1 { "1 task of its concurrency key".into() } else { format!("{n} tasks of its concurrency key") }
}

/// Why nobody runs it, and what would.
fn no_worker(task: &TaskRow, lack: Option<Lack>) -> ReasonView {
    let TaskRow { queue, name, flow, .. } = task;
    let requires = flow.as_ref().map(|keys| keys.requires.join(", ")).unwrap_or_default();
    let (missing, detail) = match lack {
        None => (None, "No worker is alive and takes tasks: start one, or resume one that is quiet".to_owned()),
        Some(Lack::Queue) => (
            Some("queue"),
            format!("No live worker takes tasks of queue {queue:?}: start one that does, see its `worker.queues`"),
        ),
        Some(Lack::Name) => (
            Some("name"),
            format!(
                "No live worker of queue {queue:?} has a handler named {name:?}: start one that has, or cancel the task"
            ),
        ),
        Some(Lack::Label) => (
            Some("label"),
            format!("No live worker that runs {name:?} bears the labels it requires ({requires}): start one with them"),
        ),
    };
    ReasonView { missing, ..plain("no_worker", detail) }
}

const fn plain(code: &'static str, detail: String) -> ReasonView {
    ReasonView { code, detail, until: None, count: None, missing: None, parents: Vec::new() }
}

fn view(task: &TaskRow, reason: &Reason) -> ReasonView {
    match reason {
        Reason::Running => plain("running", "It is running".into()),
        Reason::Over(status) => plain("over", format!("It is over: {status}")),
        Reason::Parents { unmet, some } => ReasonView {
            count: Some((*unmet).into()),
            parents: some.clone(),
            ..plain("parents", format!("It waits for {unmet} other task{}", if *unmet == 1 { "" } else { "s" }))
        },
        Reason::NotDue(at) => {
            ReasonView { until: Some(Time(*at)), ..plain("not_due", "Its time has not come yet".into()) }
        }
        Reason::Expired => plain("expired", "It was not started in time and is about to expire".into()),
        Reason::Paused => plain("queue_paused", "Its queue is paused".into()),
        Reason::RateLimit { rule, until } => ReasonView {
            until: Some(Time(*until)),
            ..plain("rate_limit", format!("The rate limit of its queue is used up ({})", RateLimitView::short(*rule)))
        },
        Reason::Concurrency { limit, running } => ReasonView {
            count: Some((*running).into()),
            ..plain("concurrency", format!("{running} tasks of its queue run, at most {limit} may"))
        },
        Reason::KeyRateLimit { rule, until } => ReasonView {
            until: Some(Time(*until)),
            ..plain(
                "key_rate_limit",
                format!("The rate limit of its rate key is used up ({})", RateLimitView::short(*rule)),
            )
        },
        Reason::KeyConcurrency { limit, running } => ReasonView {
            count: Some((*running).into()),
            ..plain("key_concurrency", format!("{} may run at a time, and as many do", tasks_of_key(*limit)))
        },
        Reason::Turns { lanes, before, next } => {
            let detail = match *lanes {
                1 => "Tasks of 1 other key take turns with those of its own".into(),
                lanes if lanes >= MOST_LANES - 1 => {
                    format!("Tasks of {lanes} or more other keys take turns with those of its own")
                }
                lanes => format!("Tasks of {lanes} other keys take turns with those of its own"),
            };
            let detail = detail + &whose_turn(*before, next.as_ref());
            ReasonView { count: Some(*lanes), ..plain("turns", detail) }
        }
        Reason::NoWorker(lack) => no_worker(task, *lack),
        Reason::HigherLanes => {
            let detail = "Tasks of a higher priority wait, and come first unless they are at a limit";
            plain("higher_priority", detail.into())
        }
        Reason::Suspect => {
            plain("suspect", "It has outlived two workers and waits until no other such task runs".into())
        }
        Reason::Expires(at) => {
            ReasonView { until: Some(Time(*at)), ..plain("expires", "It expires before it can start".into()) }
        }
        Reason::Ahead(n) => {
            let detail = match *n {
                1 => "1 task of its queue comes first".into(),
                n if n >= MOST_AHEAD => format!("{n} or more tasks of its queue come first"),
                n => format!("{n} tasks of its queue come first"),
            };
            ReasonView { count: Some(*n), ..plain("ahead", detail) }
        }
        Reason::Slots => plain("slots", "All slots of this node are taken".into()),
    }
}

/// Whose turn it is, as far as is known.
fn whose_turn(before: Option<u64>, next: Option<&FlowKeys>) -> String {
    let key = next.and_then(|flow| {
        let key = |name, key: &Option<String>| key.as_ref().map(|key| format!("{name} {key:?}"));
        key("fair key", &flow.fair_key)
            .or_else(|| key("rate key", &flow.rate_key))
            .or_else(|| key("concurrency key", &flow.concurrency_key))
    });
    match (before, key) {
        (None, _) => String::new(),
        (Some(0), _) => "; on this node it is the turn of its own".into(),
        (Some(n), None) => format!("; on this node its own turn comes after {n} of theirs"),
        (Some(n), Some(key)) => {
            format!("; on this node it is the turn of {key}, and its own comes after {n} of theirs")
        }
    }
}

/// Until when a task that is not over may be started, and by which of the bounds it was given.
fn bound(task: &TaskRow) -> Option<(Millis, &'static str)> {
    let at = task.expires_at.filter(|_| !task.status.is_terminal())?;
    // Of one that was started anew the age alone is left.
    let by_age = task.max_age_ms.is_some_and(|age| task.generation > 1 || task.created_at + age <= at);
    Some((at, if by_age { "max_age" } else { "expires_at" }))
}

/// Explains why a task does not run
#[utoipa::path(
    get, path = "/api/v1/tasks/{id}/explain", operation_id = "explain_task", tag = "tasks",
    params(("id" = String, Path, format = Uuid)),
    responses((status = 200, body = ExplanationView))
)]
pub(super) async fn get(
    state: Data<ApiState>,
    caller: Caller,
    id: Id,
    _: Query<Nothing>,
) -> Result<HttpResponse, Problem> {
    let (id, engine, slots) = (id.0, state.engine.clone(), state.node.slots);
    let explained = state.read(move |_| engine.explain(id, slots)).await?.ok_or_else(|| no_task(id))?;
    let mut reasons: Vec<_> = explained.reasons.iter().map(|reason| view(&explained.task, reason)).collect();
    let parents = reasons.iter().flat_map(|reason| reason.parents.iter().copied()).collect();
    let hidden = caller.hidden(&state, parents).await?;
    reasons.iter_mut().for_each(|reason| reason.parents.retain(|id| !hidden.contains(id)));
    let summary = match &reasons[..] {
        [] => "It starts as soon as a slot asks for it".to_owned(),
        reasons => reasons.iter().map(|reason| reason.detail.as_str()).collect::<Vec<_>>().join(". "),
    };
    let end = bound(&explained.task);
    reply::ok(&ExplanationView {
        task_id: id,
        status: explained.task.status,
        summary,
        reasons,
        not_before: explained.not_before.map(Time),
        expires_at: end.map(|(at, _)| Time(at)),
        expires_by: end.map(|(_, by)| by),
    })
}

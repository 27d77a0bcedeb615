//! What can be done to one task that waits, or that is over: change it, run it now, delete it.

use std::borrow::Cow;

use actix_web::{HttpResponse, web::Data};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{
    ApiState,
    actions::Empty,
    body::Body,
    bulk::one_fault,
    caller::Caller,
    check::Faults,
    code::Code,
    draft::PriorityField,
    problem::Problem,
    query::{Nothing, Query},
    reply, shape,
    tasks::{Id, no_task},
    time::Time,
    times::{Age, Times},
    view::{Shown, TaskView},
};
use crate::{
    store::{Act, Amended, Amendment, Deleted},
    task::{Priority, TaskId},
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object with `priority` or `run_at`")]
#[schema(as = TaskChange)]
pub(super) struct ChangeBody<'a> {
    #[serde(default)]
    #[schema(value_type = Option<u8>)]
    priority: Option<PriorityField>,
    /// Not before this moment.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    run_at: Option<Cow<'a, str>>,
}

/// Changes a task that waits
#[utoipa::path(
    patch, path = "/api/v1/tasks/{id}", operation_id = "change_task", tag = "tasks",
    params(("id" = String, Path, format = Uuid)),
    request_body = ChangeBody,
    responses((status = 200, body = TaskView))
)]
pub(super) async fn patch(
    state: Data<ApiState>,
    caller: Caller,
    id: Id,
    _: Query<Nothing>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let ChangeBody { priority, run_at } = shape::parse(&body.0)?;
    let mut faults = Faults::default();
    let run_at = Times::check(&mut faults, (run_at, None), (None, None), Age::default(), state.now()).run_at;
    faults.none()?;
    let priority: Option<Priority> = priority.map(|priority| priority.0);
    if priority.is_none() && run_at.is_none() {
        return Err(one_fault("", "give `priority` or `run_at`, or both"));
    }
    let detail = json!({"priority": priority, "run_at": run_at.map(Time)});
    amended(&state, id.0, Amendment { priority, run_at }, caller.act("task.change", id.0).with(detail)).await
}

/// Runs a task that waits for its time or its next attempt now
#[utoipa::path(
    post, path = "/api/v1/tasks/{id}/run-now", operation_id = "run_task_now", tag = "tasks",
    params(("id" = String, Path, format = Uuid)),
    responses((status = 200, body = TaskView))
)]
pub(super) async fn run_now(
    state: Data<ApiState>,
    caller: Caller,
    id: Id,
    _: Query<Nothing>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    shape::parse_or_empty::<Empty>(&body.0)?;
    let change = Amendment { priority: None, run_at: Some(state.now()) };
    amended(&state, id.0, change, caller.act("task.run_now", id.0)).await
}

async fn amended(state: &ApiState, id: TaskId, change: Amendment, act: Act) -> Result<HttpResponse, Problem> {
    match state.engine.amend(id, change, act).await? {
        Amended::Done(..) => {}
        Amended::NotFound => return Err(no_task(id)),
        Amended::Not(status) => {
            let detail = format!("Only a task that waits can be changed: its status is {status}");
            return Err(Problem::new(Code::TaskNotWaiting, detail));
        }
    }
    let row = state.task(id).await?;
    reply::ok(&state.view(&row, Shown::ALL))
}

/// Deletes a task that is over
#[utoipa::path(
    delete, path = "/api/v1/tasks/{id}", operation_id = "delete_task", tag = "tasks",
    params(("id" = String, Path, format = Uuid)),
    responses((status = 204, description = "Deleted"))
)]
pub(super) async fn delete(
    state: Data<ApiState>,
    caller: Caller,
    id: Id,
    _: Query<Nothing>,
) -> Result<HttpResponse, Problem> {
    deleted(&state, &caller, id.0).await
}

pub(super) async fn deleted(state: &ApiState, caller: &Caller, id: TaskId) -> Result<HttpResponse, Problem> {
    match state.engine.delete(id, caller.act("task.delete", id)).await? {
        Deleted::Done => Ok(HttpResponse::NoContent().finish()),
        Deleted::NotFound => Err(no_task(id)),
        Deleted::Live => {
            let detail = "The task is not over, or others still wait to hear how it ended: cancel it first";
            Err(Problem::new(Code::TaskNotFinished, detail))
        }
    }
}

//! What can be done to a task: cancel, retry.

use actix_web::{HttpResponse, web::Data};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{
    ApiState,
    body::Body,
    caller::Caller,
    code::Code,
    problem::{Fault, Problem},
    query::{Nothing, Query},
    reply, shape,
    tasks::{Id, no_task},
    view::{Shown, TaskView},
};
use crate::{
    store::{Act, Cancelled, Redriven},
    task::{Status, TaskId, name},
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[schema(as = Cancel)]
pub(super) struct CancelBody {
    /// Why; becomes part of the task's error.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 500)]
    reason: Option<String>,
    /// Ends a running task at once: its handler is given no time to leave things tidy.
    #[serde(default)]
    force: bool,
}

/// No field at all: `{}`, or nothing.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object without fields, or no body")]
pub(super) struct Empty {}

#[derive(Serialize, ToSchema)]
#[schema(as = CancelReply)]
pub(super) struct CancelReply {
    #[schema(value_type = String, format = Uuid)]
    id: TaskId,
    /// `cancelled`, or `running` where its handler has been asked to stop.
    status: Status,
    cancel_requested: bool,
}

/// Cancels a task
///
/// One that waits is cancelled at once, one that runs is asked to stop and ended after its grace, or at once by `force`.
#[utoipa::path(
    post, path = "/api/v1/tasks/{id}/cancel", operation_id = "cancel_task", tag = "tasks",
    params(("id" = String, Path, format = Uuid)),
    request_body(content = Option<CancelBody>, example = json!({ "reason": "no longer needed" })),
    responses((status = 200, body = CancelReply))
)]
pub(super) async fn cancel(
    state: Data<ApiState>,
    caller: Caller,
    id: Id,
    _: Query<Nothing>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let id = id.0;
    let CancelBody { reason, force } = shape::parse_or_empty(&body.0)?;
    if let Some(reason) = &reason {
        let invalid = |error: name::InvalidName| vec![Fault::at("/reason", error.to_string())];
        name::free(reason, 500, "a reason").map_err(|error| Problem::invalid(Code::InvalidField, invalid(error)))?;
    }
    let act = caller.act("task.cancel", id);
    let act = match (&reason, force) {
        (None, false) => act,
        (Some(reason), false) => act.with(json!({"reason": reason})),
        (reason, true) => act.with(json!({"reason": reason, "force": true})),
    };
    let status = match state.engine.cancel(id, reason.clone(), force, act).await? {
        Cancelled::Done(_) => Status::Cancelled,
        Cancelled::Asked { .. } => Status::Running,
        Cancelled::Terminal(status) => {
            return Err(Problem::new(Code::TaskFinished, format!("The task is over: its status is {status}")));
        }
        Cancelled::NotFound => return Err(no_task(id)),
    };
    log::info!(task = id.to_string().as_str(), reason = reason.as_deref().unwrap_or(""); "A task is cancelled by request");
    reply::ok(&CancelReply { id, status, cancel_requested: true })
}

/// Runs a task that is over again
#[utoipa::path(
    post, path = "/api/v1/tasks/{id}/retry", operation_id = "retry_task", tag = "tasks",
    params(("id" = String, Path, format = Uuid)),
    responses((status = 200, body = TaskView))
)]
pub(super) async fn retry(
    state: Data<ApiState>,
    caller: Caller,
    id: Id,
    _: Query<Nothing>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    shape::parse_or_empty::<Empty>(&body.0)?;
    redriven(&state, &caller, id.0, None, caller.act("task.retry", id.0)).await
}

pub(super) async fn redriven(
    state: &ApiState,
    caller: &Caller,
    id: TaskId,
    arguments: Option<(String, String)>,
    act: Act,
) -> Result<HttpResponse, Problem> {
    match state.engine.redrive(id, arguments, act).await? {
        Redriven::Done(_) | Redriven::Waits(_) => {}
        Redriven::ParentFailed(parent) if caller.hidden(state, vec![parent]).await?.contains(&parent) => {
            let detail = "The task waits for the success of a task of another queue, which has failed";
            return Err(Problem::new(Code::ParentFailed, detail));
        }
        Redriven::ParentFailed(parent) => {
            let detail = format!("The task waits for the success of {parent}, which has failed: retry that one first");
            return Err(Problem::new(Code::ParentFailed, detail).about(parent));
        }
        Redriven::ParentGone(_) if caller.is_restricted() => {
            let detail =
                "The task waits for the success of one that did not succeed and is deleted: submit the task anew";
            return Err(Problem::new(Code::ParentGone, detail));
        }
        Redriven::ParentGone(parent) => {
            let detail = format!(
                "The task waits for the success of {parent}, which did not succeed and is deleted: submit the task anew"
            );
            return Err(Problem::new(Code::ParentGone, detail).about(parent));
        }
        Redriven::Live(status) => {
            return Err(Problem::new(Code::TaskNotFinished, format!("The task is not over: its status is {status}")));
        }
        Redriven::KeyTaken(holder) => return Err(super::submit::key_held(holder)),
        Redriven::NotFound => return Err(no_task(id)),
    }
    let row = state.task(id).await?;
    reply::ok(&state.view(&row, Shown::ALL))
}

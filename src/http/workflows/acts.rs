//! What can be done to a workflow: cancel, retry.

use actix_web::{HttpResponse, web::Data};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::read::no_workflow;
use crate::{
    http::{
        ApiState,
        actions::Empty,
        body::Body,
        caller::Caller,
        code::Code,
        problem::{Fault, Problem},
        query::{Nothing, Query},
        reply, shape,
        tasks::Id,
    },
    store::{Redriven, WorkflowCancelled, WorkflowRetried},
    task::{TaskId, WorkflowState, name},
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[schema(as = CancelWorkflow)]
pub(in crate::http) struct CancelBody {
    /// Why; becomes part of the error of each task.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 500)]
    reason: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = WorkflowCancelled)]
pub(in crate::http) struct CancelledView {
    #[schema(value_type = String, format = Uuid)]
    id: TaskId,
    state: WorkflowState,
    /// Tasks that waited and are cancelled.
    cancelled: usize,
    /// Tasks that run and are asked to stop: the workflow is over when they are.
    stopping: usize,
}

#[derive(Serialize, ToSchema)]
#[schema(as = WorkflowRetried)]
pub(in crate::http) struct RetriedView {
    #[schema(value_type = String, format = Uuid)]
    id: TaskId,
    state: WorkflowState,
    /// Tasks that start anew.
    retried: usize,
    /// Tasks that did not succeed and stay as they are: they were not needed, or what they wait for is not of this workflow.
    left: usize,
}

impl ApiState {
    async fn workflow_state(&self, id: TaskId) -> Result<WorkflowState, Problem> {
        let row = self.read(move |reader| reader.workflow(id)).await?;
        row.map(|row| row.state).ok_or_else(|| no_workflow(id))
    }
}

/// Cancels a workflow
///
/// All of its tasks that wait at once and together; those that run are asked to stop. Its callbacks are not cancelled.
#[utoipa::path(
    post, path = "/api/v1/workflows/{id}/cancel", operation_id = "cancel_workflow", tag = "workflows",
    params(("id" = String, Path, format = Uuid)),
    request_body = Option<CancelBody>,
    responses((status = 200, body = CancelledView))
)]
pub(in crate::http) async fn cancel(
    state: Data<ApiState>,
    caller: Caller,
    id: Id,
    _: Query<Nothing>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let id = id.0;
    let CancelBody { reason } = shape::parse_or_empty(&body.0)?;
    if let Some(reason) = &reason {
        let invalid = |error: name::InvalidName| vec![Fault::at("/reason", error.to_string())];
        name::free(reason, 500, "a reason").map_err(|error| Problem::invalid(Code::InvalidField, invalid(error)))?;
    }
    let act = caller.act("workflow.cancel", id);
    let act = match &reason {
        Some(reason) => act.with(json!({"reason": reason})),
        None => act,
    };
    match state.engine.cancel_workflow(id, reason, act).await? {
        WorkflowCancelled::Done { cancelled, running, .. } => {
            log::info!(workflow = id.to_string().as_str(), cancelled; "A workflow is cancelled by request");
            let state = state.workflow_state(id).await?;
            reply::ok(&CancelledView { id, state, cancelled, stopping: running.len() })
        }
        WorkflowCancelled::Over(state) => {
            Err(Problem::new(Code::WorkflowFinished, format!("The workflow is over: its state is {state}")))
        }
        WorkflowCancelled::NotFound => Err(no_workflow(id)),
    }
}

/// Runs what did not succeed again
///
/// Tasks that failed, ran out of time, expired or were cancelled start anew; those that were skipped wait for them again.
/// What has succeeded stays. The callbacks wait for the next end.
#[utoipa::path(
    post, path = "/api/v1/workflows/{id}/retry", operation_id = "retry_workflow", tag = "workflows",
    params(("id" = String, Path, format = Uuid)),
    responses((status = 200, body = RetriedView))
)]
pub(in crate::http) async fn retry(
    state: Data<ApiState>,
    caller: Caller,
    id: Id,
    _: Query<Nothing>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let id = id.0;
    shape::parse_or_empty::<Empty>(&body.0)?;
    match state.engine.retry_workflow(id, caller.act("workflow.retry", id)).await? {
        WorkflowRetried::Done { tasks, left } => {
            log::info!(workflow = id.to_string().as_str(), retried = tasks.len(); "A workflow is retried by request");
            let state = state.workflow_state(id).await?;
            reply::ok(&RetriedView { id, state, retried: tasks.len(), left })
        }
        WorkflowRetried::Nothing { state, why } => Err(nothing(&caller, state, why)),
        WorkflowRetried::KeyTaken { task, holder } => {
            let detail = format!("The unique key of its task {task} is held by task {holder}");
            Err(Problem::new(Code::UniqueKeyHeld, detail).about(holder))
        }
        WorkflowRetried::Callback(task) => {
            let detail = format!("A callback of its last end runs: task {task}. Retry the workflow when that is over");
            Err(Problem::new(Code::WorkflowCallbackRuns, detail).about(task))
        }
        WorkflowRetried::NotFound => Err(no_workflow(id)),
    }
}

fn nothing(caller: &Caller, state: WorkflowState, why: Option<(TaskId, Redriven)>) -> Problem {
    let Some((task, refused)) = why else {
        return Problem::new(Code::NothingFailed, format!("None of its tasks has failed: its state is {state}"));
    };
    let parent = match refused {
        Redriven::ParentFailed(parent) => format!("{parent}, which has ended otherwise"),
        Redriven::ParentGone(parent) => format!("{parent}, which is deleted"),
        _ => "another one".to_owned(),
    };
    // Which may be a task of another queue.
    let parent = if caller.is_restricted() { "another one".to_owned() } else { parent };
    Problem::new(Code::NothingFailed, format!("None of its tasks can run again: {task} waits for {parent}")).about(task)
}

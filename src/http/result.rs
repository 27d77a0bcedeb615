//! A task's result: given out until its time is over.

use actix_web::{HttpResponse, http::StatusCode, web::Data};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    ApiState, TaskDefaults,
    body::Body,
    caller::Caller,
    check::MAX_RESULT_TTL,
    code::Code,
    draft::DurationWritten,
    problem::{Fault, Problem},
    query::{self, Nothing, Query},
    reply, shape,
    tasks::{Id, no_task},
    time::Time,
    view::{self, Raw, Shown, TaskView},
};
use crate::{
    store::{ResultChanged, TaskRow},
    task::{Millis, Status, TaskError, TaskId, duration},
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct WaitQuery {
    /// Answer only when the task is over, or after this time: at most 300s.
    #[param(example = "30s")]
    wait: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = TaskResult)]
pub(super) struct ResultView<'a> {
    #[schema(value_type = String, format = Uuid)]
    task_id: TaskId,
    status: Status,
    #[schema(value_type = Option<Value>)]
    result: Raw<'a>,
    error: Option<&'a TaskError>,
    started_at: Option<Time>,
    finished_at: Option<Time>,
    duration_ms: Option<Millis>,
    /// Until when the result is given out; null while the task is not over.
    expires_at: Option<Time>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object with `ttl`")]
#[schema(as = ResultTtl)]
pub(super) struct TtlBody {
    /// From the end of the task; 0 to 366 days.
    #[serde(deserialize_with = "duration::deserialize")]
    #[schema(value_type = DurationWritten)]
    ttl: Millis,
}

/// Until when a result is given out. Only a success has one.
fn expires_at(row: &TaskRow, defaults: &TaskDefaults) -> Option<Millis> {
    Some(row.finished_at? + row.result_ttl_ms.unwrap_or(defaults.result_ttl_ms))
}

impl ApiState {
    /// A task as it is shown: without a result that is not given out any more.
    pub(super) fn view<'a>(&self, row: &'a TaskRow, shown: Shown) -> TaskView<'a> {
        let expired = is_expired(row, &self.defaults, self.now());
        TaskView::of(row, Shown { result: shown.result && !expired, ..shown })
    }
}

/// It had a result, which is not given out any more.
pub(super) fn is_expired(row: &TaskRow, defaults: &TaskDefaults, now: Millis) -> bool {
    row.status == Status::Success && expires_at(row, defaults).is_some_and(|at| at <= now)
}

/// Reads a task's result
#[utoipa::path(
    get, path = "/api/v1/tasks/{id}/result", operation_id = "get_result", tag = "tasks",
    params(("id" = String, Path, format = Uuid), WaitQuery),
    responses(
        (status = 200, body = ResultView, description = "The task is over"),
        (status = 202, body = ResultView, description = "The task is not over"),
        (status = 410, description = "The result has expired or was deleted"),
    )
)]
pub(super) async fn get(
    state: Data<ApiState>,
    caller: Caller,
    id: Id,
    query: Query<WaitQuery>,
) -> Result<HttpResponse, Problem> {
    let row = match query::wait(query.0.wait.as_deref())? {
        Some(patience) => state.wait_for(&caller, id.0, patience).await?.ok_or_else(|| no_task(id.0))?,
        None => state.task(id.0).await?,
    };
    answer(&state, &row)
}

fn answer(state: &ApiState, row: &TaskRow) -> Result<HttpResponse, Problem> {
    if is_expired(row, &state.defaults, state.now()) {
        let detail = "The result has expired or was deleted; the task itself is still there";
        return Err(Problem::new(Code::ResultExpired, detail).about(row.id));
    }
    let view = ResultView {
        task_id: row.id,
        status: row.status,
        result: Raw::or_null(row.result.as_deref()),
        error: row.error.as_ref(),
        started_at: row.started_at.map(Time),
        finished_at: row.finished_at.map(Time),
        duration_ms: view::took(row),
        expires_at: expires_at(row, &state.defaults).filter(|_| row.status == Status::Success).map(Time),
    };
    reply::json(if row.status.is_terminal() { StatusCode::OK } else { StatusCode::ACCEPTED }, &view)
}

/// Sets how long a task's result is given out
///
/// Counted from the end of the task, also before that.
#[utoipa::path(
    put, path = "/api/v1/tasks/{id}/result/ttl", operation_id = "put_result_ttl", tag = "tasks",
    params(("id" = String, Path, format = Uuid)),
    request_body = TtlBody,
    responses((status = 200, body = ResultView), (status = 202, body = ResultView))
)]
pub(super) async fn put_ttl(
    state: Data<ApiState>,
    caller: Caller,
    id: Id,
    _: Query<Nothing>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let TtlBody { ttl } = shape::parse(&body.0)?;
    if ttl > MAX_RESULT_TTL {
        return Err(Problem::invalid(Code::InvalidField, vec![Fault::at("/ttl", "must be at most 366 days")]));
    }
    let row = state.task(id.0).await?;
    if is_expired(&row, &state.defaults, state.now()) {
        return answer(&state, &row); // what is gone does not come back
    }
    let act = caller.act("result.ttl", id.0).with(serde_json::json!({"ttl": duration::to_text(ttl)}));
    match state.engine.set_result_ttl(id.0, ttl, act).await? {
        ResultChanged::Done => answer(&state, &state.task(id.0).await?),
        ResultChanged::NotOver(_) | ResultChanged::NotFound => Err(no_task(id.0)),
    }
}

/// Deletes a task's result
///
/// The task stays; its result is answered 410 from now on.
#[utoipa::path(
    delete, path = "/api/v1/tasks/{id}/result", operation_id = "delete_result", tag = "tasks",
    params(("id" = String, Path, format = Uuid)),
    responses((status = 204, description = "Deleted"))
)]
pub(super) async fn delete(
    state: Data<ApiState>,
    caller: Caller,
    id: Id,
    _: Query<Nothing>,
) -> Result<HttpResponse, Problem> {
    match state.engine.delete_result(id.0, caller.act("result.delete", id.0)).await? {
        ResultChanged::Done => Ok(HttpResponse::NoContent().finish()),
        ResultChanged::NotFound => Err(no_task(id.0)),
        ResultChanged::NotOver(status) => {
            let detail = format!("The task has no result: its status is {status}");
            Err(Problem::new(Code::NoResult, detail))
        }
    }
}

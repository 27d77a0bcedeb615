//! One task: itself, its result, its attempts.

use actix_web::{FromRequest, HttpRequest, HttpResponse, dev, http::StatusCode, web::Data};
use serde::{Deserialize, Serialize};
use std::{
    future::{Ready, ready},
    str::FromStr,
};
use utoipa::{IntoParams, ToSchema};

use super::{
    ApiState,
    code::Code,
    problem::Problem,
    query::{self, Nothing, Query},
    reply,
    time::Time,
    view::{self, Raw, Shown, TaskView},
};
use crate::{
    store::TaskRow,
    task::{Millis, Status, TaskError, TaskId},
};

/// The `{id}` of the path. A text that is no id is the id of nothing: 404.
pub(super) struct Id<T = TaskId>(pub(super) T);

impl<T: FromStr<Err: std::fmt::Display>> FromRequest for Id<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        let text = request.match_info().get("id").unwrap_or_default();
        ready(text.parse().map(Self).map_err(|error: T::Err| Problem::new(Code::InvalidId, error.to_string())))
    }
}

pub(super) fn no_task(id: TaskId) -> Problem {
    Problem::new(Code::TaskNotFound, format!("There is no task {id}; it may have been deleted after its retention"))
}

impl ApiState {
    pub(super) async fn task(&self, id: TaskId) -> Result<TaskRow, Problem> {
        self.read(move |reader| reader.task(id)).await?.ok_or_else(|| no_task(id))
    }
}

/// Reads a task
#[utoipa::path(
    get, path = "/api/v1/tasks/{id}", operation_id = "get_task", tag = "tasks",
    params(("id" = String, Path, format = Uuid)),
    responses((status = 200, body = TaskView))
)]
pub(super) async fn get(state: Data<ApiState>, id: Id, _: Query<Nothing>) -> Result<HttpResponse, Problem> {
    let row = state.task(id.0).await?;
    reply::ok(&TaskView::of(&row, Shown::ALL))
}

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
    /// When the result is deleted; null: with its task.
    expires_at: Option<Time>,
}

/// Reads a task's result
#[utoipa::path(
    get, path = "/api/v1/tasks/{id}/result", operation_id = "get_result", tag = "tasks",
    params(("id" = String, Path, format = Uuid), WaitQuery),
    responses(
        (status = 200, body = ResultView, description = "The task is over"),
        (status = 202, body = ResultView, description = "The task is not over"),
    )
)]
pub(super) async fn result(state: Data<ApiState>, id: Id, query: Query<WaitQuery>) -> Result<HttpResponse, Problem> {
    let row = match query::wait(query.0.wait.as_deref())? {
        Some(patience) => state.wait_for(id.0, patience).await?.ok_or_else(|| no_task(id.0))?,
        None => state.task(id.0).await?,
    };
    let view = ResultView {
        task_id: row.id,
        status: row.status,
        result: Raw::or_null(row.result.as_deref()),
        error: row.error.as_ref(),
        started_at: row.started_at.map(Time),
        finished_at: row.finished_at.map(Time),
        duration_ms: view::took(&row),
        expires_at: None,
    };
    reply::json(if row.status.is_terminal() { StatusCode::OK } else { StatusCode::ACCEPTED }, &view)
}

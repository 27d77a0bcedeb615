//! One task.

use actix_web::{FromRequest, HttpRequest, HttpResponse, dev, web::Data};
use std::{
    future::{Ready, ready},
    str::FromStr,
};

use super::{
    ApiState,
    code::Code,
    problem::Problem,
    query::{Nothing, Query},
    reply,
    view::{ProgressView, Shown, TaskView},
};
use crate::{store::TaskRow, task::TaskId};

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
    let id = id.0;
    let found = state.read(move |reader| {
        let Some(row) = reader.task(id)? else { return Ok(None) };
        let (node, said) = (reader.node_of(&row)?, reader.progress(&[id])?.pop());
        Ok(Some((row, node, said)))
    });
    let (row, node, said) = found.await?.ok_or_else(|| no_task(id))?;
    let mut view = state.view(&row, Shown::ALL);
    view.progress = ProgressView::of(&row, said);
    if let Some((workflow, node)) = node {
        (view.workflow_id, view.node) = (Some(workflow), Some(node));
    }
    reply::ok(&view)
}

//! The tasks around one: whom it waits for, who waits for it.

use actix_web::{HttpResponse, web::Data};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    ApiState,
    caller::Caller,
    problem::Problem,
    query::{Nothing, Query},
    reply,
    tasks::{Id, no_task},
};
use crate::{
    store::ParentRow,
    task::{OnFailure, Status, TaskId},
};

/// Most children told; there may be more.
const MOST: usize = 1_000;

#[derive(Serialize, ToSchema)]
#[schema(as = Dependencies)]
pub(super) struct RelativesView<'a> {
    #[schema(value_type = String, format = Uuid)]
    task_id: TaskId,
    status: Status,
    /// Tasks it waits, or has waited, for.
    parents: Vec<RelativeView<'a>>,
    /// Tasks that wait, or have waited, for it: at most 1000.
    children: Vec<RelativeView<'a>>,
    more_children: bool,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Relative)]
struct RelativeView<'a> {
    #[schema(value_type = String, format = Uuid)]
    id: TaskId,
    /// Of a task; of a workflow its own, which may be empty.
    name: &'a str,
    /// Null: it is a workflow.
    queue: Option<&'a str>,
    status: Status,
    /// What becomes of the child where the parent does not succeed.
    on_failure: OnFailure,
}

impl<'a> From<&'a ParentRow> for RelativeView<'a> {
    fn from(row: &'a ParentRow) -> Self {
        let ParentRow { id, name, queue, status, on_failure, .. } = row;
        Self { id: *id, name, queue: queue.as_deref(), status: *status, on_failure: *on_failure }
    }
}

fn views(rows: &[ParentRow]) -> Vec<RelativeView<'_>> {
    rows.iter().map(RelativeView::from).collect()
}

/// Reads the tasks around one
#[utoipa::path(
    get, path = "/api/v1/tasks/{id}/dependencies", operation_id = "get_dependencies", tag = "tasks",
    params(("id" = String, Path, format = Uuid)),
    responses((status = 200, body = RelativesView))
)]
pub(super) async fn get(
    state: Data<ApiState>,
    caller: Caller,
    id: Id,
    _: Query<Nothing>,
) -> Result<HttpResponse, Problem> {
    let id = id.0;
    let found = state.read(move |reader| {
        let Some(task) = reader.task(id)? else { return Ok(None) };
        Ok(Some((task.status, reader.parent_states(id, task.parents)?, reader.children(id, MOST + 1)?)))
    });
    let (status, mut parents, mut children) = found.await?.ok_or_else(|| no_task(id))?;
    let more_children = children.len() > MOST;
    // Of whole workflows only those are told who see every queue.
    let seen = |row: &ParentRow| row.queue.as_ref().map_or(!caller.is_restricted(), |queue| caller.sees(queue));
    parents.retain(seen);
    children.retain(seen);
    children.truncate(MOST);
    let (parents, children) = (views(&parents), views(&children));
    reply::ok(&RelativesView { task_id: id, status, parents, children, more_children })
}

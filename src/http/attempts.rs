//! `GET /tasks/{id}/attempts`.

use actix_web::{HttpResponse, web::Data};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    ApiState,
    problem::Problem,
    query::{Nothing, Query},
    reply::{self, Listed},
    tasks::{Id, no_task},
    time::Time,
    view,
};
use crate::{
    store::{self, AttemptRow, TaskRow},
    task::{Millis, Status, TaskError, WorkerId},
};

#[derive(Serialize, ToSchema)]
#[schema(as = Attempt)]
pub(super) struct AttemptView {
    number: u32,
    generation: u32,
    #[schema(value_type = Option<String>, format = Uuid)]
    worker_id: Option<WorkerId>,
    started_at: Option<Time>,
    finished_at: Option<Time>,
    duration_ms: Option<Millis>,
    /// running, success, failure, timeout, cancelled, expired, crashed or released.
    outcome: String,
    error: Option<TaskError>,
    /// Milliseconds until the next attempt, where one followed.
    next_delay_ms: Option<Millis>,
}

impl From<AttemptRow> for AttemptView {
    fn from(row: AttemptRow) -> Self {
        Self {
            number: row.number,
            generation: row.generation,
            worker_id: row.worker_id,
            started_at: row.started_at.map(Time),
            finished_at: row.finished_at.map(Time),
            duration_ms: row.started_at.zip(row.finished_at).map(|(from, to)| (to - from).max(0)),
            outcome: row.outcome,
            error: row.error,
            next_delay_ms: row.next_delay_ms,
        }
    }
}

/// Lists a task's attempts, oldest first
///
/// Those that have put the task off are not among them: its `snoozes` count them.
#[utoipa::path(
    get, path = "/api/v1/tasks/{id}/attempts", operation_id = "list_attempts", tag = "tasks",
    params(("id" = String, Path, format = Uuid)),
    responses((status = 200, body = Listed<AttemptView>))
)]
pub(super) async fn attempts(state: Data<ApiState>, id: Id, _: Query<Nothing>) -> Result<HttpResponse, Problem> {
    let id = id.0;
    let (task, stored) = state.read(move |reader| Ok((reader.task(id)?, reader.attempts(id)?))).await?;
    let task = task.ok_or_else(|| no_task(id))?;
    let last = last(&task, &stored);
    let data = stored.into_iter().map(AttemptView::from).chain(last).collect();
    reply::ok(&Listed::whole(data))
}

/// The attempt that none followed: the task itself tells it, unless it waits for its next one.
fn last(task: &TaskRow, stored: &[AttemptRow]) -> Option<AttemptView> {
    let known = stored.iter().any(|row| row.generation == task.generation && row.number == task.attempt);
    // A task that was cancelled while it waited has not made an attempt of that outcome.
    let ended = task.status == Status::Running || (task.status.is_terminal() && task.worker_id.is_some());
    if task.attempt == 0 || known || !ended {
        return None;
    }
    Some(AttemptView {
        number: task.attempt,
        generation: task.generation,
        worker_id: task.worker_id,
        started_at: task.started_at.map(Time),
        finished_at: task.finished_at.map(Time),
        duration_ms: view::took(task),
        outcome: store::attempt_outcome(task.status).to_owned(),
        error: task.error.clone(),
        next_delay_ms: None,
    })
}

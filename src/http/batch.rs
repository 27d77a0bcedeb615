//! `POST /tasks/batch`.

use actix_web::{HttpRequest, HttpResponse, web::Data};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{
    ApiState,
    body::{Body, LARGE},
    check,
    code::Code,
    draft::Draft,
    problem::{Fault, Problem},
    query::{Nothing, Query},
    reply, shape, submit,
};
use crate::{
    engine::Submission,
    store::StoredOutcome,
    task::{NewTask, TaskId},
};

const MOST: usize = 1_000;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object with a list `tasks`")]
#[schema(as = Batch)]
pub(super) struct BatchBody<'a> {
    /// Read one by one, so that a task that is wrong does not take the others along.
    #[serde(borrow)]
    #[schema(value_type = Vec<Draft>, min_items = 1, max_items = 1000)]
    tasks: Vec<&'a RawValue>,
    /// All of them or none: the first that is refused then fails the whole request.
    #[serde(default)]
    atomic: bool,
}

/// What became of each task, in the order of the request.
#[derive(Serialize, ToSchema)]
pub(super) struct BatchReply<'a> {
    results: Vec<ItemReply<'a>>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct ItemReply<'a> {
    index: usize,
    /// What a submission of its own would have been answered: 201, 200 (`id` holds its unique key), 409 or 422.
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Uuid)]
    id: Option<TaskId>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    deduplicated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ItemError<'a>>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct ItemError<'a> {
    code: Code,
    detail: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [Fault],
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Uuid)]
    task_id: Option<TaskId>,
}

/// Submits up to 1000 tasks
///
/// Each task is answered for itself, unless the batch is atomic.
#[utoipa::path(
    post, path = "/api/v1/tasks/batch", operation_id = "submit_batch", tag = "tasks",
    params(("Idempotency-Key" = Option<String>, Header, description = "A repeat of the same request under the same key gets the first answer again, for 24 hours")),
    request_body(
        content = BatchBody,
        example = json!({ "tasks": [{ "name": "demo.add", "args": [1, 2] }, { "name": "demo.echo" }] })
    ),
    responses((status = 200, body = BatchReply))
)]
pub(super) async fn submit_batch(
    request: HttpRequest,
    state: Data<ApiState>,
    _: Query<Nothing>,
    body: Body<LARGE>,
) -> Result<HttpResponse, Problem> {
    let now = state.now();
    let idempotency = submit::idempotency_key(&request, "POST /tasks/batch", &body.0, now)?;
    let batch: BatchBody<'_> = shape::parse(&body.0)?;
    if !(1..=MOST).contains(&batch.tasks.len()) {
        let detail = format!("a batch has 1 to {MOST} tasks, not {}", batch.tasks.len());
        return Err(Problem::invalid(Code::InvalidField, vec![Fault::at("/tasks", detail)]));
    }
    let (mut tasks, mut refused) = (Vec::with_capacity(batch.tasks.len()), Vec::new());
    for (index, text) in batch.tasks.iter().enumerate() {
        match read(text.get(), &state, now) {
            Ok(task) => tasks.push(task),
            Err(problem) if batch.atomic => return Err(problem.under(&format!("/tasks/{index}"))),
            Err(problem) => refused.push((index, problem)),
        }
    }
    let (mut outcomes, mut replayed) = (Vec::new(), false);
    let stored = tasks.len();
    if stored > 0 {
        let done = state.engine.submit(Submission { tasks, atomic: batch.atomic, idempotency }).await?;
        (outcomes, replayed) = (done.outcomes, done.replayed);
    }
    if outcomes.len() != stored {
        // Only by a replay: what was beyond the limits of time at first is within them now.
        let detail = "the first request of this key was answered when fewer of its tasks were valid";
        return Err(Problem::invalid(Code::IdempotencyKeyReused, vec![Fault::header("Idempotency-Key", detail)]));
    }
    let response = reply::ok(&answer(batch.tasks.len(), &outcomes, &refused))?;
    Ok(if replayed { submit::replayed(response) } else { response })
}

fn read(text: &str, state: &ApiState, now: crate::task::Millis) -> Result<NewTask, Problem> {
    check::check(shape::parse_text::<Draft<'_>>(text)?, &state.defaults, now).map(|(task, _)| task)
}

/// Puts what the store said and what was refused before it back into one row.
fn answer<'a>(length: usize, outcomes: &[StoredOutcome], refused: &'a [(usize, Problem)]) -> BatchReply<'a> {
    let (mut outcomes, mut refused) = (outcomes.iter(), refused.iter().peekable());
    let one = |index| {
        let item = |status, id, deduplicated| ItemReply { index, status, id, deduplicated, error: None };
        if let Some((_, problem)) = refused.next_if(|(at, _)| *at == index) {
            let error = ItemError {
                code: problem.code(),
                detail: problem.detail(),
                errors: problem.errors(),
                task_id: problem.task_id(),
            };
            return Some(ItemReply { error: Some(error), ..item(problem.status().as_u16(), None, false) });
        }
        Some(match outcomes.next()? {
            StoredOutcome::Created { id, .. } => item(201, Some(*id), false),
            StoredOutcome::Deduplicated { id } => item(200, Some(*id), true),
            StoredOutcome::Rejected { id } => {
                let detail = "The unique key is held by a live task";
                let error = ItemError { code: Code::UniqueKeyHeld, detail, errors: &[], task_id: Some(*id) };
                ItemReply { error: Some(error), ..item(409, None, false) }
            }
        })
    };
    BatchReply { results: (0..length).filter_map(one).collect() }
}

//! Dead letters: tasks that are out of retries.

use actix_web::{HttpResponse, web::Data};
use serde::{Deserialize, Serialize};
use serde_json::{json, value::RawValue};
use utoipa::{IntoParams, ToSchema};

use super::{
    ApiState, actions, amend,
    body::Body,
    caller::Caller,
    check::{self, Faults},
    code::Code,
    cursor::Binding,
    dead_letters, list,
    problem::Problem,
    query::{self, Nothing, Query},
    reply::{self, Listed},
    shape,
    tasks::Id,
    time::Time,
    view::TaskView,
};
use crate::{
    store::{DeadFilter, DeadRow},
    task::{DeadReason, Priority, Scope, TaskError, TaskId, name},
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DeadQuery {
    queue: Option<String>,
    /// The whole name.
    name: Option<String>,
    /// exhausted, timeout, not_retryable, expired or poison.
    reason: Option<String>,
    /// Part of the error's message.
    error: Option<String>,
    /// The `error` of a group.
    cause: Option<String>,
    /// Only those that died within this time, such as 1h or 7d.
    #[param(example = "24h")]
    window: Option<String>,
    /// 1 to 200; 50 if not given.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = DeadLetter)]
pub(super) struct DeadView {
    #[schema(value_type = String, format = Uuid)]
    task_id: TaskId,
    name: String,
    queue: String,
    #[schema(value_type = u8)]
    priority: Priority,
    reason: DeadReason,
    error: Option<TaskError>,
    attempts: u32,
    died_at: Time,
}

impl From<DeadRow> for DeadView {
    fn from(row: DeadRow) -> Self {
        let DeadRow { task_id, queue, name, priority, reason, error, attempts, died_at } = row;
        Self { task_id, name, queue, priority, reason, error, attempts, died_at: Time(died_at) }
    }
}

/// Lists dead letters, the newest task first
#[utoipa::path(
    get, path = "/api/v1/dlq", operation_id = "list_dead_letters", tag = "dead letters",
    params(DeadQuery),
    responses((status = 200, body = Listed<DeadView>))
)]
pub(super) async fn dead_letters(
    state: Data<ApiState>,
    caller: Caller,
    query: Query<DeadQuery>,
) -> Result<HttpResponse, Problem> {
    let DeadQuery { queue, name, reason, error, cause, window, limit, cursor } = query.0;
    let within = caller.narrowed(queue.as_deref())?;
    let filter = filter(queue, name, reason.as_deref(), error, cause)?;
    let binding = Binding::new(&("dlq", &filter, &window));
    let page = binding.page(cursor.as_deref(), query::limit(limit.as_deref())?, false)?;
    let died_after = dead_letters::since(&state, "window", window.as_deref())?;
    let filter = DeadFilter { died_after, within, ..filter };
    let listed = state.read(move |reader| reader.dead_letters(&filter, &page)).await?;
    let (next_cursor, prev_cursor) = binding.neighbours(&listed);
    let data: Vec<_> = listed.rows.into_iter().map(DeadView::from).collect();
    reply::ok(&Listed { data, next_cursor, prev_cursor })
}

/// The conditions, if they could hold for any.
pub(super) fn filter(
    queue: Option<String>,
    name: Option<String>,
    reason: Option<&str>,
    error: Option<String>,
    cause: Option<String>,
) -> Result<DeadFilter, Problem> {
    list::checked("queue", queue.as_deref(), name::queue)?;
    list::checked("name", name.as_deref(), name::task)?;
    let reason = match reason.map(DeadReason::parse) {
        None => None,
        Some(Some(reason)) => Some(reason),
        Some(None) => return Err(query::invalid("reason", "is exhausted, timeout, not_retryable, expired or poison")),
    };
    list::checked("error", error.as_deref(), |text| name::free(text, 500, "part of a message"))?;
    // That of those that died without a message is empty.
    let said = cause.as_deref().filter(|text| !text.is_empty());
    list::checked("cause", said, |text| name::free(text, 500, "what a group shares"))?;
    Ok(DeadFilter { queue, name, reason, error, cause, ..DeadFilter::default() })
}

impl ApiState {
    async fn dead_letter(&self, id: TaskId) -> Result<DeadRow, Problem> {
        let found = self.read(move |reader| reader.dead_letter(id)).await?;
        found.ok_or_else(|| no_dead_letter(id))
    }
}

pub(super) fn no_dead_letter(id: TaskId) -> Problem {
    Problem::new(Code::DeadLetterNotFound, format!("No dead letter is task {id}"))
}

/// Reads a dead letter
#[utoipa::path(
    get, path = "/api/v1/dlq/{id}", operation_id = "get_dead_letter", tag = "dead letters",
    params(("id" = String, Path, format = Uuid)),
    responses((status = 200, body = DeadView))
)]
pub(super) async fn dead_letter(state: Data<ApiState>, id: Id, _: Query<Nothing>) -> Result<HttpResponse, Problem> {
    reply::ok(&DeadView::from(state.dead_letter(id.0).await?))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object, or no body")]
#[schema(as = RetryDeadLetter)]
pub(super) struct RetryBody<'a> {
    /// To run with instead of its own arguments.
    #[serde(borrow, default)]
    #[schema(value_type = Option<Vec<Value>>)]
    args: Option<&'a RawValue>,
    #[serde(borrow, default)]
    #[schema(value_type = Option<Object>)]
    kwargs: Option<&'a RawValue>,
}

/// Runs a dead letter's task again
///
/// With its own arguments, or with those given.
#[utoipa::path(
    post, path = "/api/v1/dlq/{id}/retry", operation_id = "retry_dead_letter", tag = "dead letters",
    params(("id" = String, Path, format = Uuid)),
    request_body = Option<RetryBody>,
    responses((status = 200, body = TaskView))
)]
pub(super) async fn retry(
    state: Data<ApiState>,
    caller: Caller,
    id: Id,
    _: Query<Nothing>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let RetryBody { args, kwargs } = shape::parse_or_empty(&body.0)?;
    let mut faults = Faults::default();
    check::part(&mut faults, "/args", args, '[', "a JSON array");
    check::part(&mut faults, "/kwargs", kwargs, '{', "a JSON object");
    faults.none()?;
    state.dead_letter(id.0).await?;
    let given = args.is_some() || kwargs.is_some();
    let text = |part: Option<&RawValue>, own: String| part.map_or(own, |part| part.get().to_owned());
    if given && !caller.may(Scope::Submit) {
        let detail = "To run a task with other arguments is to submit one: this needs the scope submit too";
        return Err(Problem::new(Code::MissingScope, detail));
    }
    let arguments = if given {
        let own = state.task(id.0).await?;
        Some((text(args, own.args), text(kwargs, own.kwargs)))
    } else {
        None
    };
    let act = caller.act("task.retry", id.0).with(json!({"new_arguments": given}));
    actions::redriven(&state, &caller, id.0, arguments, act).await
}

/// Deletes a dead letter and its task
#[utoipa::path(
    delete, path = "/api/v1/dlq/{id}", operation_id = "delete_dead_letter", tag = "dead letters",
    params(("id" = String, Path, format = Uuid)),
    responses((status = 204, description = "Deleted"))
)]
pub(super) async fn delete(
    state: Data<ApiState>,
    caller: Caller,
    id: Id,
    _: Query<Nothing>,
) -> Result<HttpResponse, Problem> {
    state.dead_letter(id.0).await?;
    amend::deleted(&state, &caller, id.0).await
}

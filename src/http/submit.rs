//! `POST /tasks`.

use std::time::Duration;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{HeaderName, HeaderValue, LOCATION, RETRY_AFTER},
    },
    web::Data,
};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use utoipa::IntoParams;

use super::{
    ApiState,
    body::Body,
    caller::Caller,
    check::{self, Checked},
    code::Code,
    draft::Draft,
    problem::{Fault, Problem},
    query::{self, Query},
    reply, shape,
    view::{Shown, TaskView},
};
use crate::{
    engine::Submission,
    store::{IdempotencyKey, StoredOutcome},
    task::{Millis, NewTask, Parent, Scope, TaskId, UniqueConflict},
};

/// Seconds after which to try a full queue again.
const FULL_FOR: u64 = 5;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SubmitQuery {
    /// Answer only when the task is over, or after this time: at most 300s.
    #[param(example = "30s")]
    wait: Option<String>,
}

/// Submits a task
///
/// With `wait` the answer is 200 and the finished task, or 202 if it is not finished by then.
#[utoipa::path(
    post, path = "/api/v1/tasks", operation_id = "submit_task", tag = "tasks",
    params(SubmitQuery, ("Idempotency-Key" = Option<String>, Header, description = "A repeat of the same request under the same key gets the first answer again, for 24 hours. Each API key has keys of its own")),
    request_body(content = Draft, example = json!({ "name": "demo.add", "args": [1, 2] })),
    responses(
        (status = 201, body = TaskView, description = "Stored"),
        (status = 200, body = TaskView, description = "Finished, or the task that holds the unique key, or the one that is replaced"),
        (status = 202, body = TaskView, description = "Stored, not finished yet"),
    )
)]
pub(super) async fn submit(
    request: HttpRequest,
    state: Data<ApiState>,
    caller: Caller,
    query: Query<SubmitQuery>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let wait = query::wait(query.0.wait.as_deref())?;
    let now = state.now();
    let idempotency = idempotency_key(&request, &caller, "POST /tasks", &body.0, now)?;
    let Checked { task, parts, siblings } = check::check(shape::parse::<Draft<'_>>(&body.0)?, &state, now)?;
    if let Some(sibling) = siblings.first() {
        let fault = sibling.fault("has a meaning in a batch only; name the task by its `id`");
        return Err(Problem::invalid(Code::InvalidField, vec![fault]));
    }
    caller.check_queue(&task.queue)?;
    let parents = task.parents.clone();
    // A child reads its parents' results: a parent in a queue that the caller does not see is none.
    if let Some(id) = caller.hidden(&state, parents.iter().map(|parent| parent.id).collect()).await?.into_iter().next()
    {
        return Err(no_parent(&parents, id));
    }
    let submission = Submission { tasks: vec![task], atomic: false, idempotency, workflow: None };
    let mut done = state.engine.submit(submission).await?;
    let (Some(mut task), Some(outcome)) = (done.tasks.pop(), done.outcomes.pop()) else {
        return Err(Problem::internal());
    };
    let response = match outcome {
        StoredOutcome::Rejected { id }
            if task.unique.as_ref().is_some_and(|one| one.conflict == UniqueConflict::Replace) =>
        {
            return Err(not_waiting(id));
        }
        StoredOutcome::Rejected { id } => return Err(key_held(id)),
        StoredOutcome::Deduplicated { id } => another(&state, &caller, id, wait, false).await?,
        StoredOutcome::Replaced { id } => another(&state, &caller, id, wait, true).await?,
        StoredOutcome::NoParent { id } => return Err(no_parent(&parents, id)),
        StoredOutcome::Full => return Err(queue_full(&task.queue)),
        StoredOutcome::AtCap => return Err(at_cap(&task)),
        StoredOutcome::Created { id, at, by_parents } => {
            task.by_parents = by_parents;
            if done.replayed {
                parts.as_of(&mut task, id, at);
            }
            match wait {
                None => created(&parts.view(&task), StatusCode::CREATED)?,
                Some(patience) => waited(&state, &caller, id, patience).await?,
            }
        }
    };
    Ok(if done.replayed { replayed(response) } else { response })
}

/// Another's task is shown in full to those only who could read it.
fn shown(caller: &Caller) -> Shown {
    let all = caller.may(Scope::Read);
    Shown { args: all, result: all }
}

/// The task that has the key.
async fn another(
    state: &ApiState,
    caller: &Caller,
    id: TaskId,
    wait: Option<Duration>,
    replaced: bool,
) -> Result<HttpResponse, Problem> {
    let row = state.wait_for(caller, id, wait.unwrap_or_default()).await?;
    let Some(row) = row else {
        let detail = "The task that held the unique key has just been deleted: submit again";
        return Err(Problem::new(Code::UniqueKeyReleased, detail).about(id));
    };
    let mut view = state.view(&row, shown(caller));
    (view.deduplicated, view.replaced) = (!replaced, replaced);
    let unfinished = wait.is_some() && !row.status.is_terminal();
    reply::json(if unfinished { StatusCode::ACCEPTED } else { StatusCode::OK }, &view)
}

async fn waited(state: &ApiState, caller: &Caller, id: TaskId, patience: Duration) -> Result<HttpResponse, Problem> {
    let row = state.wait_for(caller, id, patience).await?.ok_or_else(|| super::tasks::no_task(id))?;
    let status = if row.status.is_terminal() { StatusCode::OK } else { StatusCode::ACCEPTED };
    created(&state.view(&row, Shown::ALL), status)
}

pub(super) fn created(view: &TaskView<'_>, status: StatusCode) -> Result<HttpResponse, Problem> {
    let mut response = reply::json(status, view)?;
    if let Ok(location) = HeaderValue::from_str(&format!("/api/v1/tasks/{}", view.id)) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

pub(super) fn replayed(mut response: HttpResponse) -> HttpResponse {
    let name = HeaderName::from_static("idempotent-replayed");
    response.headers_mut().insert(name, HeaderValue::from_static("true"));
    response
}

pub(super) fn no_parent(parents: &[Parent], id: TaskId) -> Problem {
    let place = parents.iter().position(|parent| parent.id == id).unwrap_or_default();
    let detail = format!("there is no task {id}; it may have been deleted after its retention");
    Problem::invalid(Code::ParentNotFound, vec![Fault::at(format!("/depends_on/{place}"), detail)])
}

pub(super) fn queue_full(queue: &str) -> Problem {
    let detail = format!("As many tasks wait in queue {queue:?} as it may hold (max_depth)");
    let problem = Problem::new(Code::QueueFull, detail);
    problem.with(RETRY_AFTER, HeaderValue::from(FULL_FOR))
}

fn at_cap(task: &NewTask) -> Problem {
    let key = task.flow.as_ref().and_then(|flow| flow.concurrency_key.as_ref());
    let of_key =
        key.map_or_else(String::new, |key| format!(", or those of concurrency_key {key:?} its key_concurrency"));
    let detail = format!("Tasks of queue {:?} that are not over take up its concurrency{of_key}", task.queue);
    Problem::new(Code::AtCap, detail).with(RETRY_AFTER, HeaderValue::from(FULL_FOR))
}

pub(super) fn key_held(holder: TaskId) -> Problem {
    Problem::new(Code::UniqueKeyHeld, format!("The unique key is held by task {holder}")).about(holder)
}

fn not_waiting(holder: TaskId) -> Problem {
    let detail = format!(
        "The unique key is held by task {holder}, and only a task that waits and is of no workflow can be replaced"
    );
    Problem::new(Code::UniqueKeyHeld, detail).about(holder)
}

/// The header, with what the request was: a repeat is one by the same caller, of the same route and body. Each API key has
/// idempotency keys of its own, or one could learn by them what another has submitted, or take them away from it.
pub(super) fn idempotency_key(
    request: &HttpRequest,
    caller: &Caller,
    route: &str,
    body: &[u8],
    now: Millis,
) -> Result<Option<IdempotencyKey>, Problem> {
    const NAME: &str = "Idempotency-Key";
    let Some(value) = request.headers().get(NAME) else { return Ok(None) };
    let key = value.to_str().ok().filter(|key| (1..=255).contains(&key.len()) && !key.contains('\t'));
    let Some(key) = key else {
        let fault = Fault::header(NAME, "must be 1 to 255 printable ASCII characters");
        return Err(Problem::invalid(Code::InvalidHeader, vec![fault]));
    };
    let hash = Sha256::new().chain_update(route).chain_update([0]).chain_update(body).finalize();
    // No key that is sent has a tab in it. Names of configured keys, which have no id, are no ids.
    let key = match caller.key().map(|key| (key.id, &key.name)) {
        None => key.to_owned(),
        Some((Some(id), _)) => format!("{id}\t{key}"),
        Some((None, name)) => format!("{name}\t{key}"),
    };
    Ok(Some(IdempotencyKey { key, body_hash: hash.to_vec(), created_at: now }))
}

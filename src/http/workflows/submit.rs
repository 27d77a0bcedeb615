//! `POST /workflows`.

use std::fmt;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{HeaderValue, LOCATION, RETRY_AFTER},
    },
    web::{self, Data},
};
use serde::{Serialize, Serializer, ser::SerializeMap as _};
use utoipa::ToSchema;

use super::{
    body::WorkflowBody,
    plan::{Planned, plan},
};
use crate::{
    engine::{Submission, SubmitError},
    http::{
        ApiState,
        body::{Body, HUGE},
        caller::Caller,
        code::Code,
        problem::{Fault, Problem},
        query::{Nothing, Query},
        reply, submit,
    },
    store::StoredOutcome,
    task::{Role, TaskId},
};

/// A workflow that is stored.
#[derive(Serialize, ToSchema)]
#[schema(as = WorkflowSubmitted)]
pub(in crate::http) struct SubmittedView<'a> {
    #[schema(value_type = String, format = Uuid)]
    id: TaskId,
    /// The ids of its tasks by their names.
    #[schema(value_type = std::collections::HashMap<String, String>)]
    tasks: ByName<'a>,
    /// The ids of `on_success` and `on_failure`, those that were given.
    #[schema(value_type = std::collections::HashMap<String, String>)]
    callbacks: ByName<'a>,
}

struct ByName<'a>(Vec<(&'a str, TaskId)>);

impl Serialize for ByName<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, id) in &self.0 {
            map.serialize_entry(name, id)?;
        }
        map.end()
    }
}

/// Submits a workflow
///
/// Up to 10,001 tasks with up to 100,000 dependencies between them, all of them or none. A unique key that is held by a live
/// task refuses it.
#[utoipa::path(
    post, path = "/api/v1/workflows", operation_id = "submit_workflow", tag = "workflows",
    params(("Idempotency-Key" = Option<String>, Header, description = "A repeat of the same request under the same key gets the first answer again, for 24 hours. Each API key has keys of its own")),
    request_body(
        content = WorkflowBody,
        example = json!({ "name": "sums", "tasks": {
            "a": { "name": "demo.add", "args": [1, 2] }, "b": { "name": "demo.echo", "depends_on": ["a"] }
        } })
    ),
    responses((status = 201, body = SubmittedView))
)]
pub(in crate::http) async fn submit(
    request: HttpRequest,
    state: Data<ApiState>,
    caller: Caller,
    _: Query<Nothing>,
    body: Body<HUGE>,
) -> Result<HttpResponse, Problem> {
    let now = state.now();
    let idempotency = submit::idempotency_key(&request, &caller, "POST /workflows", &body.0, now)?;
    // Thousands of tasks take longer to read than others on this thread may be kept waiting.
    let (shared, who, bytes) = (state.clone(), caller.clone(), body.0);
    let planned = web::block(move || plan(&bytes, &shared, &who, now)).await.map_err(|_| Problem::internal())??;
    let Planned { workflow, tasks, places, written, outside } = planned;
    let at = |parent: TaskId| {
        let of = tasks.iter().position(|task| task.parents.iter().any(|one| one.id == parent)).unwrap_or(0);
        format!("{}/depends_on", places[of])
    };
    if let Some(id) = caller.hidden(&state, outside).await?.into_iter().next() {
        return Err(unknown(at(id), id));
    }
    let members = workflow.members.clone();
    let submission = Submission { tasks, atomic: true, idempotency, workflow: Some(workflow) };
    let done = state.engine.submit(submission).await.map_err(|error| refused(error, &places))?;
    let Some(id) = done.workflow else { return Err(Problem::internal()) };
    let ids: Vec<TaskId> = done.outcomes.iter().filter_map(created).collect();
    if ids.len() != members.len() {
        return Err(Problem::internal());
    }
    let nodes = written.iter().map(|place| (&*members[*place].0, ids[*place])).collect();
    let callbacks = members.iter().zip(&ids).filter(|((_, role), _)| *role != Role::Node);
    let callbacks = callbacks.map(|((name, _), id)| (&**name, *id)).collect();
    let view = SubmittedView { id, tasks: ByName(nodes), callbacks: ByName(callbacks) };
    let mut response = reply::json(StatusCode::CREATED, &view)?;
    if let Ok(location) = HeaderValue::from_str(&format!("/api/v1/workflows/{id}")) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(if done.replayed { submit::replayed(response) } else { response })
}

fn created(outcome: &StoredOutcome) -> Option<TaskId> {
    match outcome {
        StoredOutcome::Created { id, .. } => Some(*id),
        _ => None,
    }
}

fn unknown(pointer: String, id: impl fmt::Display) -> Problem {
    let detail = format!("there is no task {id}; it may have been deleted after its retention");
    Problem::invalid(Code::ParentNotFound, vec![Fault::at(pointer, detail)])
}

/// Where the store refuses one of the tasks, by the place the client wrote it at.
fn refused(error: SubmitError, places: &[String]) -> Problem {
    let place = |index: usize| places.get(index).cloned().unwrap_or_default();
    match error {
        SubmitError::Conflict { index, holder } => {
            let detail = format!("{}/unique_key: it is held by task {holder}", place(index));
            Problem::new(Code::UniqueKeyHeld, detail).about(holder)
        }
        SubmitError::NoParent { index, parent } => unknown(format!("{}/depends_on", place(index)), parent),
        SubmitError::Full { index } => {
            let detail = format!(
                "{}/queue: with the tasks of this workflow more would wait in the queue than it may hold (max_depth)",
                place(index)
            );
            Problem::new(Code::QueueFull, detail).with(RETRY_AFTER, HeaderValue::from(5))
        }
        SubmitError::AtCap { index } => {
            let detail = format!(
                "{}: with the tasks of this workflow more would be under way than may run at a time in its queue, or of its \
                 concurrency_key (at_cap)",
                place(index)
            );
            Problem::new(Code::AtCap, detail).with(RETRY_AFTER, HeaderValue::from(5))
        }
        other => other.into(),
    }
}

//! `POST /tasks/batch`.

use std::collections::HashSet;

use actix_web::{HttpRequest, HttpResponse, web::Data};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{
    ApiState,
    body::{Body, LARGE},
    caller::Caller,
    check,
    code::Code,
    draft::Draft,
    parents::Sibling,
    problem::{Fault, Problem},
    query::{Nothing, Query},
    reply, shape, submit,
};
use crate::{
    engine::Submission,
    store::StoredOutcome,
    task::{Millis, NewTask, Parent, TaskId, graph},
};

const MOST: usize = 1_000;
/// Dependencies of all tasks of a request: they are tied in one transaction, for which others wait.
const MOST_TIES: usize = 100_000;

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
    /// What a submission of its own would have been answered: 201, 200 (`id` holds its unique key, or is replaced), 409, 422 or
    /// 429.
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Uuid)]
    id: Option<TaskId>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    deduplicated: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    replaced: bool,
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
    params(("Idempotency-Key" = Option<String>, Header, description = "A repeat of the same request under the same key gets the first answer again, for 24 hours. Each API key has keys of its own")),
    request_body(
        content = BatchBody,
        example = json!({ "tasks": [{ "name": "demo.add", "args": [1, 2] }, { "name": "demo.echo" }] })
    ),
    responses((status = 200, body = BatchReply))
)]
pub(super) async fn submit_batch(
    request: HttpRequest,
    state: Data<ApiState>,
    caller: Caller,
    _: Query<Nothing>,
    body: Body<LARGE>,
) -> Result<HttpResponse, Problem> {
    let now = state.now();
    let idempotency = submit::idempotency_key(&request, &caller, "POST /tasks/batch", &body.0, now)?;
    let batch: BatchBody<'_> = shape::parse(&body.0)?;
    if !(1..=MOST).contains(&batch.tasks.len()) {
        let detail = format!("a batch has 1 to {MOST} tasks, not {}", batch.tasks.len());
        return Err(Problem::invalid(Code::InvalidField, vec![Fault::at("/tasks", detail)]));
    }
    let items = read_all(&batch, &state, &caller, now);
    check_ties(&items)?;
    let parents = items.iter().flatten().flat_map(|(task, _)| task.parents.iter().map(|parent| parent.id)).collect();
    let hidden = caller.hidden(&state, parents).await?;
    let (tasks, refused) = sort(items, &hidden, batch.atomic)?;
    let (mut outcomes, mut replayed) = (Vec::new(), false);
    let stored = tasks.len();
    if stored > 0 {
        let done = state.engine.submit(Submission { tasks, atomic: batch.atomic, idempotency, workflow: None }).await?;
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

type Refused = (usize, Problem);

type Item = Result<(NewTask, Vec<Sibling>), Problem>;

fn read_all(batch: &BatchBody<'_>, state: &ApiState, caller: &Caller, now: Millis) -> Vec<Item> {
    let one = |text: &&RawValue| {
        let item = check::check(shape::parse_text::<Draft<'_>>(text.get())?, state, now)?;
        caller.check_queue(&item.task.queue)?;
        Ok((item.task, item.siblings))
    };
    batch.tasks.iter().map(one).collect()
}

fn check_ties(items: &[Item]) -> Result<(), Problem> {
    let mut ties = 0;
    for (index, item) in items.iter().enumerate() {
        ties += item.as_ref().map_or(0, |(task, siblings)| task.parents.len() + siblings.len());
        if ties > MOST_TIES {
            let detail =
                format!("the tasks of a request have at most {MOST_TIES} dependencies together: send fewer tasks");
            return Err(Problem::invalid(
                Code::InvalidField,
                vec![Fault::at(format!("/tasks/{index}/depends_on"), detail)],
            ));
        }
    }
    Ok(())
}

/// The tasks that can be stored, and the others with what is wrong. An atomic batch fails with its first fault.
fn sort(items: Vec<Item>, hidden: &HashSet<TaskId>, atomic: bool) -> Result<(Vec<NewTask>, Vec<Refused>), Problem> {
    let ids: Vec<Option<TaskId>> = items.iter().map(|item| item.as_ref().ok().map(|(task, _)| task.id)).collect();
    let (mut tasks, mut refused) = (Vec::with_capacity(items.len()), Vec::new());
    for (index, item) in items.into_iter().enumerate() {
        let parented =
            item.and_then(|(task, siblings)| match task.parents.iter().find(|parent| hidden.contains(&parent.id)) {
                Some(parent) => Err(submit::no_parent(&task.parents, parent.id)),
                None => with_siblings(task, &siblings, &ids),
            });
        match parented {
            Ok(task) => tasks.push((index, task)),
            Err(problem) if atomic => return Err(problem.under(&format!("/tasks/{index}"))),
            Err(problem) => refused.push((index, problem)),
        }
    }
    if !atomic {
        take_out_circles(&mut tasks, &mut refused);
    }
    Ok((tasks.into_iter().map(|(_, task)| task).collect(), refused))
}

/// Tasks that could never start, because they wait for themselves, are refused each for itself, and so are those that wait
/// for them.
fn take_out_circles(tasks: &mut Vec<(usize, NewTask)>, refused: &mut Vec<Refused>) {
    let stuck = graph::stuck(tasks.iter().map(|(_, task)| (task.id, task.parents.as_slice())));
    if stuck.is_empty() {
        return;
    }
    let stuck: HashSet<usize> = stuck.into_iter().map(|place| tasks[place].0).collect();
    tasks.retain(|(index, _)| !stuck.contains(index));
    refused.extend(stuck.into_iter().map(|index| {
        let fault = Fault::at("/depends_on", "leads to tasks of this batch that wait for each other in a circle");
        (index, Problem::invalid(Code::DependencyCycle, vec![fault]))
    }));
    refused.sort_unstable_by_key(|(index, _)| *index);
}

/// Siblings have their ids now, unless they are refused.
fn with_siblings(mut task: NewTask, siblings: &[Sibling], ids: &[Option<TaskId>]) -> Result<NewTask, Problem> {
    for sibling in siblings {
        let invalid = |detail: String| Problem::invalid(Code::InvalidField, vec![sibling.fault(detail)]);
        let id = match ids.get(sibling.index) {
            None => return Err(invalid(format!("the batch has {} tasks, counted from 0", ids.len()))),
            Some(None) => return Err(invalid(format!("task {} of this batch is refused itself", sibling.index))),
            Some(Some(id)) if *id == task.id => return Err(invalid("a task cannot wait for itself".into())),
            Some(Some(id)) => *id,
        };
        if task.parents.iter().any(|parent| parent.id == id) {
            return Err(invalid("is named twice".into()));
        }
        task.parents.push(Parent { id, on_failure: sibling.on_failure });
    }
    Ok(task)
}

/// Puts what the store said and what was refused before it back into one row.
fn answer<'a>(length: usize, outcomes: &[StoredOutcome], refused: &'a [Refused]) -> BatchReply<'a> {
    let (mut outcomes, mut refused) = (outcomes.iter(), refused.iter().peekable());
    let one = |index| {
        let item =
            |status, id, deduplicated| ItemReply { index, status, id, deduplicated, replaced: false, error: None };
        if let Some((_, problem)) = refused.next_if(|(at, _)| *at == index) {
            let error = ItemError {
                code: problem.code(),
                detail: problem.detail(),
                errors: problem.errors(),
                task_id: problem.task_id(),
            };
            return Some(ItemReply { error: Some(error), ..item(problem.status().as_u16(), None, false) });
        }
        let failed = |status, code, detail, task_id| {
            let error = ItemError { code, detail, errors: &[], task_id };
            ItemReply { error: Some(error), ..item(status, None, false) }
        };
        Some(match outcomes.next()? {
            StoredOutcome::Created { id, .. } => item(201, Some(*id), false),
            StoredOutcome::Deduplicated { id } => item(200, Some(*id), true),
            StoredOutcome::Replaced { id } => ItemReply { replaced: true, ..item(200, Some(*id), false) },
            StoredOutcome::Rejected { id } => {
                let detail =
                    "Another task has the unique key; to be replaced it would have to wait, and be of no workflow";
                failed(409, Code::UniqueKeyHeld, detail, Some(*id))
            }
            StoredOutcome::NoParent { id } => {
                failed(422, Code::ParentNotFound, "depends_on names a task that does not exist", Some(*id))
            }
            StoredOutcome::Full => failed(429, Code::QueueFull, "As many tasks wait in its queue as it may hold", None),
            StoredOutcome::AtCap => {
                failed(429, Code::AtCap, "Tasks that are not over take up all of a cap of its queue", None)
            }
        })
    };
    BatchReply { results: (0..length).filter_map(one).collect() }
}

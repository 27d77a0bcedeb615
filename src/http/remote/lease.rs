//! `POST /workers/{id}/lease`: a remote worker asks for tasks, and waits for some.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    convert::Infallible,
    sync::Arc,
    time::Duration,
};

use actix_web::{
    HttpResponse,
    web::{Bytes, Data},
};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::{sync::oneshot, time::timeout};
use utoipa::ToSchema;

use super::{
    super::{
        ApiState,
        body::Body,
        caller::Caller,
        check::Faults,
        code::Code,
        draft::DurationWritten,
        problem::{Fault, Problem},
        query::{Nothing, Query},
        reply, shape,
        tasks::Id,
        time::Time,
        view::Raw,
    },
    draining, worker_dead,
};
use crate::{
    actors::{
        remote::{Brought, InHand, Poll},
        slot::too_much,
    },
    engine::Claimer,
    store::{Hold, MOST_PASSED_ON, Reader, StoreError, WorkerRow},
    task::{Granted, Millis, Priority, Serves, TaskId, WorkerId, duration},
};

const LONGEST_WAIT: Millis = 60_000;
const MOST: u32 = 1_000;
/// So long it waits before the head of the answer is sent, which says that the worker lives and is known.
const AT_FIRST: Duration = Duration::from_millis(50);
const NOTHING: &str = r#"{"data":[],"quiet":false}"#;
const QUIET: &str = r#"{"data":[],"quiet":true}"#;
/// Whoever does not wait is answered when its queues have been looked at.
const LOOK: Duration = Duration::from_secs(30);

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[schema(as = LeaseRequest)]
pub(in crate::http) struct LeaseBody {
    /// At most so many, up to its `concurrency` and `prefetch`; 1 if not given.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 1000)]
    max: Option<u32>,
    /// How long it waits where there is nothing: at most 60s; not at all if not given.
    #[serde(default, deserialize_with = "duration::deserialize_option")]
    #[schema(value_type = Option<DurationWritten>)]
    wait: Option<Millis>,
    /// Some of its queues only.
    #[serde(default)]
    #[schema(min_items = 1)]
    queues: Option<Vec<String>>,
    /// Tasks of some of its names only.
    #[serde(default)]
    #[schema(min_items = 1)]
    names: Option<Vec<String>>,
}

/// A task in a remote worker's hands.
#[derive(Serialize, ToSchema)]
#[schema(as = LeasedTask)]
pub(in crate::http) struct LeasedView<'a> {
    #[schema(value_type = String, format = Uuid)]
    id: TaskId,
    /// By which everything about this attempt is said.
    lease_id: String,
    name: &'a str,
    queue: &'a str,
    #[schema(value_type = u8, minimum = 0, maximum = 9)]
    priority: Priority,
    #[schema(value_type = Vec<Value>)]
    args: Raw<'a>,
    #[schema(value_type = Object)]
    kwargs: Raw<'a>,
    /// Number of this attempt, 1 = the first.
    attempt: u32,
    max_retries: u32,
    failures: u32,
    snoozes: u32,
    generation: u32,
    /// Seconds that the attempt may take; null: no limit.
    timeout_s: Option<f64>,
    /// When they are over.
    deadline: Option<Time>,
    created_at: Time,
    #[schema(value_type = Option<Object>)]
    meta: Raw<'a>,
    tags: Vec<String>,
    /// The results of the tasks it has waited for, by id; null where one has none.
    #[schema(value_type = Object)]
    parents: BTreeMap<TaskId, Raw<'a>>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Leased)]
pub(in crate::http) struct LeaseView<'a> {
    data: Vec<LeasedView<'a>>,
    /// It is to lease nothing more.
    quiet: bool,
}

/// Leases tasks to a remote worker
///
/// Answered as soon as there is one, and with none after `wait`: the head of the answer comes before, its body then. A task leased
/// counts as started.
#[utoipa::path(
    post, path = "/api/v1/workers/{id}/lease", operation_id = "lease_tasks", tag = "remote workers",
    params(("id" = String, Path, format = Uuid)),
    request_body(content = Option<LeaseBody>),
    responses((status = 200, body = LeaseView))
)]
pub(in crate::http) async fn lease(
    state: Data<ApiState>,
    caller: Caller,
    id: Id<WorkerId>,
    _: Query<Nothing>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let given: LeaseBody = shape::parse_or_empty(&body.0)?;
    let wait = wait(given.wait)?;
    if state.is_draining() {
        return Err(draining());
    }
    let row = state.remote_worker(id.0).await?;
    let (queues, names, want) = wanted(given, &row)?;
    queues.iter().try_for_each(|queue| caller.check_queue(queue))?;
    if row.asked.is_some() {
        return Ok(reply::text(QUIET.to_owned()));
    }
    let serves = Serves::new(Some(names.into_iter().collect()), row.offer.labels.iter().cloned().collect());
    let claimer = Claimer { worker: id.0, serves: state.remote.shared(serves) };
    drop((row, body));
    let mut answer = state.remote.poll(|reply| Poll { claimer, queues, want, once: wait.is_zero(), reply });
    let patience = if wait.is_zero() { LOOK } else { wait };
    let at_first = patience.min(AT_FIRST);
    let left = patience - at_first;
    let found = match timeout(at_first, &mut answer).await {
        Ok(found) => Some(found.unwrap_or(Brought::Nothing)),
        Err(_) if left.is_zero() => Some(last(&mut answer)),
        Err(_) => None,
    };
    if let Some(brought) = found {
        return Ok(reply::text(written(&state, &caller, brought).await?));
    }
    // Who waits longer does so in the body of its answer: of ten thousand, each then keeps hardly more than its connection.
    let rest = async move {
        let brought = match timeout(left, &mut answer).await {
            Ok(found) => found.unwrap_or(Brought::Nothing),
            Err(_) => last(&mut answer),
        };
        let text = Box::pin(written(&state, &caller, brought)).await;
        Ok::<_, Infallible>(Bytes::from(text.unwrap_or_else(|_| NOTHING.to_owned())))
    };
    Ok(HttpResponse::Ok().content_type("application/json").streaming(stream::once(rest)))
}

/// What has come in the last moment. What is granted from now on goes back at once.
fn last(answer: &mut oneshot::Receiver<Brought>) -> Brought {
    answer.close();
    answer.try_recv().unwrap_or(Brought::Nothing)
}

/// The answer as JSON.
async fn written(state: &ApiState, caller: &Caller, brought: Brought) -> Result<String, Problem> {
    match brought {
        Brought::Tasks(tasks) => deliver(state, caller, tasks).await,
        Brought::Nothing => Ok(NOTHING.to_owned()),
        Brought::Quiet => Ok(QUIET.to_owned()),
        Brought::Fenced => Err(worker_dead("dead")),
    }
}

async fn deliver(state: &ApiState, caller: &Caller, mut hand: InHand) -> Result<String, Problem> {
    caller.check_still_good(state)?;
    let asked: Vec<(TaskId, u32)> = hand.tasks().iter().map(|task| (task.id, task.parents)).collect();
    let more = state.read(move |reader| More::read(reader, &asked)).await?;
    hand.give_back(&more.later);
    let (worker, refused) = (hand.worker(), hand.take(&more.too_much));
    let refused = refused.into_iter().map(|task| {
        let outcome = too_much(task.parents);
        (Hold { task, worker, cancel_requested: false, deadline: None }, outcome)
    });
    state.engine.conclude(refused.collect()).await?;
    let data = hand.tasks().iter().map(|task| leased(task, &more)).collect();
    let text = serde_json::to_string(&LeaseView { data, quiet: false }).map_err(|error| {
        log::error!("An answer cannot be written: {error}");
        Problem::internal()
    })?;
    // From here on the worker has them, or its heartbeats tell that it has not.
    hand.delivered();
    Ok(text)
}

/// Results by the ids of their tasks.
type Results = Vec<(TaskId, Option<Box<RawValue>>)>;

/// What a worker asks for: its queues, names, and how many tasks.
type Wanted = (Vec<Arc<str>>, Vec<String>, usize);

/// What a grant does not bring.
struct More {
    origins: HashMap<TaskId, (Millis, Vec<String>)>,
    /// Of each task its parents' results.
    parents: HashMap<TaskId, Results>,
    /// Those to which their parents pass on more than a task may be given.
    too_much: HashSet<TaskId>,
    /// Those for which there is no more room in this answer.
    later: HashSet<TaskId>,
}

impl More {
    fn read(reader: &dyn Reader, asked: &[(TaskId, u32)]) -> Result<Self, StoreError> {
        let ids: Vec<TaskId> = asked.iter().map(|(id, _)| *id).collect();
        let origins = reader.origins(&ids)?.into_iter().map(|(id, at, tags)| (id, (at, tags))).collect();
        let (mut parents, mut too_much, mut later, mut bytes) = (HashMap::new(), HashSet::new(), HashSet::new(), 0);
        for (id, count) in asked.iter().filter(|(_, count)| *count > 0) {
            if bytes > MOST_PASSED_ON {
                later.insert(*id);
                continue;
            }
            let Some(rows) = reader.parents(*id, *count)? else {
                too_much.insert(*id);
                continue;
            };
            bytes += rows.iter().map(|row| row.result.as_ref().map_or(0, String::len)).sum::<usize>();
            let result = |text: Option<String>| text.and_then(|text| RawValue::from_string(text).ok());
            parents.insert(*id, rows.into_iter().map(|row| (row.id, result(row.result))).collect());
        }
        Ok(Self { origins, parents, too_much, later })
    }
}

fn leased<'a>(task: &'a Granted, more: &'a More) -> LeasedView<'a> {
    let (created_at, tags) = more.origins.get(&task.id).cloned().unwrap_or((task.started_at, Vec::new()));
    let parents = more.parents.get(&task.id).into_iter().flatten();
    LeasedView {
        id: task.id,
        lease_id: task.token().to_string(),
        name: &task.name,
        queue: &task.queue,
        priority: task.priority,
        args: Raw::of(&task.args),
        kwargs: Raw::of(&task.kwargs),
        attempt: task.attempt,
        max_retries: task.max_retries,
        failures: task.failures,
        snoozes: task.snoozes,
        generation: task.generation,
        timeout_s: task.timeout_ms.map(|limit| limit as f64 / 1_000.0),
        deadline: task.deadline().map(Time),
        created_at: Time(created_at),
        meta: Raw::or_null(task.meta.as_deref()),
        tags,
        parents: parents.map(|(id, result)| (*id, result.as_deref().map_or(Raw::Null, Raw::Text))).collect(),
    }
}

pub(super) fn too_long() -> Problem {
    Problem::invalid(Code::InvalidField, vec![Fault::at("/wait", "must be at most 60s")])
}

fn wait(given: Option<Millis>) -> Result<Duration, Problem> {
    match given.unwrap_or_default() {
        wait if wait > LONGEST_WAIT => Err(too_long()),
        wait => Ok(Duration::from_millis(wait.unsigned_abs())),
    }
}

/// Of its queues and names those that are asked for, and how many tasks.
fn wanted(given: LeaseBody, row: &WorkerRow) -> Result<Wanted, Problem> {
    let mut faults = Faults::default();
    let some = |faults: &mut Faults, pointer: &str, given: Option<Vec<String>>, own: &[String]| {
        let Some(given) = given else { return own.to_vec() };
        if given.is_empty() {
            faults.invalid(pointer, "must not be empty: leave it out for all of them");
        }
        for (index, one) in given.iter().enumerate().filter(|(_, one)| !own.contains(one)) {
            faults.invalid(format!("{pointer}/{index}"), format!("{one:?} is not among those it registered with"));
        }
        given
    };
    let mut queues = some(&mut faults, "/queues", given.queues, &row.offer.queues);
    let names = some(&mut faults, "/names", given.names, row.offer.names.as_deref().unwrap_or_default());
    let max = given.max.unwrap_or(1);
    let most = (row.slots + row.prefetch).min(MOST);
    if !(1..=most).contains(&max) {
        faults.invalid("/max", format!("must be a number from 1 to {most}: its concurrency and what it prefetches"));
    }
    faults.none()?;
    queues.sort_unstable();
    queues.dedup();
    Ok((queues.iter().map(|queue| queue.as_str().into()).collect(), names, max as usize))
}

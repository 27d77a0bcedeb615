//! `POST /workers`: a process of its own asks for work from now on.

use std::sync::Arc;

use actix_web::{HttpResponse, http::StatusCode, web::Data};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    super::{
        ApiState,
        body::Body,
        caller::Caller,
        check::{DEFAULT_QUEUE, Faults},
        query::{Nothing, Query},
        reply, shape,
        tasks::Id,
        workers::no_worker,
    },
    draining,
};
use crate::{
    store::WorkerInfo,
    task::{Serves, WorkerId, WorkerKind, name, patience},
};

/// Of the calls of remote workers.
const PROTOCOL: u32 = 1;
const MOST_QUEUES: usize = 100;
const MOST_NAMES: usize = 1_000;
const MOST_LABELS: usize = 16;
const MOST_TASKS: u32 = 1_000;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "a worker: an object with `names` and `concurrency`")]
#[schema(as = NewWorker)]
pub(in crate::http) struct WorkerBody {
    /// What it is called where workers are listed.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 128)]
    name: Option<String>,
    #[serde(default)]
    #[schema(min_length = 1, max_length = 128)]
    host: Option<String>,
    #[serde(default)]
    pid: Option<u32>,
    /// The program by which it speaks to the API, such as `jobqueue-python/0.1.0`.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 128)]
    client: Option<String>,
    /// The queues it takes tasks of, by name; `default` if not given.
    #[serde(default)]
    #[schema(min_items = 1, max_items = 100)]
    queues: Option<Vec<String>>,
    /// The names of the tasks that it can run.
    #[schema(min_items = 1, max_items = 1000)]
    names: Vec<String>,
    /// What it bears of that which tasks require.
    #[serde(default)]
    #[schema(max_items = 16)]
    labels: Vec<String>,
    /// Tasks that it runs at a time.
    #[schema(minimum = 1, maximum = 1000)]
    concurrency: u32,
    /// Tasks that it may hold beyond those, which wait in it; none if not given.
    #[serde(default)]
    #[schema(maximum = 1000)]
    prefetch: u32,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RegisteredWorker)]
pub(in crate::http) struct Registered {
    #[schema(value_type = String, format = Uuid)]
    worker_id: WorkerId,
    /// Seconds between two heartbeats.
    heartbeat_every_s: f64,
    /// Without one for so long it is held to be dead, and what it runs is run elsewhere.
    ttl_s: f64,
    /// The version of these calls.
    protocol: u32,
}

/// Registers a remote worker
///
/// Any node of the cluster answers for it from then on. A process that starts again registers again.
#[utoipa::path(
    post, path = "/api/v1/workers", operation_id = "register_worker", tag = "remote workers",
    request_body = WorkerBody,
    responses((status = 201, body = Registered))
)]
pub(in crate::http) async fn register(
    state: Data<ApiState>,
    caller: Caller,
    _: Query<Nothing>,
    body: Body,
) -> Result<HttpResponse, crate::http::problem::Problem> {
    let mut given: WorkerBody = shape::parse(&body.0)?;
    let queues = given.queues.take().unwrap_or_else(|| vec![DEFAULT_QUEUE.to_owned()]);
    check(&given, &queues)?;
    queues.iter().try_for_each(|queue| caller.check_queue(queue))?;
    if state.is_draining() {
        return Err(draining());
    }
    let (heartbeat, names) = (state.remote.heartbeat(), given.names.into_iter().collect());
    let worker = WorkerInfo {
        id: WorkerId::new(),
        kind: WorkerKind::Remote,
        name: given.name,
        version: version(given.client.as_deref()),
        client: given.client,
        host: given.host.unwrap_or_default(),
        pid: given.pid.unwrap_or_default(),
        slots: given.concurrency,
        prefetch: given.prefetch,
        queues: sorted(queues),
        serves: Arc::new(Serves::new(Some(names), given.labels.into_iter().collect())),
        started_at: state.now(),
        patience: patience(heartbeat),
        node: None,
    };
    let registered = Registered {
        worker_id: worker.id,
        heartbeat_every_s: heartbeat.as_secs_f64(),
        ttl_s: worker.patience as f64 / 1_000.0,
        protocol: PROTOCOL,
    };
    state.engine.register_worker(worker).await?;
    reply::json(StatusCode::CREATED, &registered)
}

/// Lets a remote worker go
///
/// What it still holds goes back to its queues, and no attempt is used up.
#[utoipa::path(
    delete, path = "/api/v1/workers/{id}", operation_id = "leave_worker", tag = "remote workers",
    params(("id" = String, Path, format = Uuid)),
    responses((status = 204, description = "It is no worker any more"))
)]
pub(in crate::http) async fn leave(
    state: Data<ApiState>,
    id: Id<WorkerId>,
    _: Query<Nothing>,
) -> Result<HttpResponse, crate::http::problem::Problem> {
    let id = id.0;
    let found = state.read(move |reader| reader.worker(id)).await?;
    // A node goes by a stop, not by what others say of it.
    found.filter(|row| row.kind == WorkerKind::Remote).ok_or_else(|| no_worker(id))?;
    if state.engine.leave(id).await? { Ok(HttpResponse::NoContent().finish()) } else { Err(no_worker(id)) }
}

fn check(given: &WorkerBody, queues: &[String]) -> Result<(), crate::http::problem::Problem> {
    let mut faults = Faults::default();
    for (pointer, text, what) in
        [("/name", &given.name, "a name"), ("/host", &given.host, "a host"), ("/client", &given.client, "a client")]
    {
        if let Some(text) = text {
            faults.named(pointer, name::free(text, 128, what));
        }
    }
    list(&mut faults, "/queues", queues, 1..=MOST_QUEUES, name::queue);
    list(&mut faults, "/names", &given.names, 1..=MOST_NAMES, name::task);
    list(&mut faults, "/labels", &given.labels, 0..=MOST_LABELS, name::label);
    if !(1..=MOST_TASKS).contains(&given.concurrency) {
        faults.invalid("/concurrency", format!("must be a number from 1 to {MOST_TASKS}"));
    }
    if given.prefetch > MOST_TASKS {
        faults.invalid("/prefetch", format!("must be a number from 0 to {MOST_TASKS}"));
    }
    if given.pid.is_some_and(|pid| i32::try_from(pid).is_err()) {
        faults.invalid("/pid", "must be the number of a process");
    }
    faults.none()
}

fn list(
    faults: &mut Faults,
    pointer: &str,
    given: &[String],
    room: std::ops::RangeInclusive<usize>,
    check: impl Fn(&str) -> Result<(), name::InvalidName>,
) {
    if !room.contains(&given.len()) {
        faults.invalid(pointer, format!("has {} to {} members, not {}", room.start(), room.end(), given.len()));
        return;
    }
    for (index, one) in given.iter().enumerate() {
        faults.named(&format!("{pointer}/{index}"), check(one));
    }
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort_unstable();
    names.dedup();
    names
}

/// What comes after the slash.
fn version(client: Option<&str>) -> String {
    client.and_then(|client| client.split_once('/')).map(|(_, version)| version.to_owned()).unwrap_or_default()
}

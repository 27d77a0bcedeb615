//! Queues: what waits in them, and pausing.

use std::collections::HashMap;

use actix_web::{HttpRequest, HttpResponse, web::Data};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    ApiState,
    actions::Empty,
    body::Body,
    caller::Caller,
    code::Code,
    counts::{ByPriority, StatusCounts},
    limits,
    problem::Problem,
    query::{Nothing, Query},
    rate_limit::RateLimitView,
    reply::{self, Listed},
    settings::SettingsView,
    shape,
    time::seconds,
};
use crate::{
    engine::MOST_WORKERS,
    store::{CounterRow, QueueRow, Reader, StoreError},
    task::{Millis, Offer},
};

#[derive(Serialize, ToSchema)]
#[schema(as = Queue)]
pub(super) struct QueueView {
    name: String,
    paused: bool,
    /// Its share of the slots, against that of other queues.
    weight: u32,
    /// Raised by each change of its settings.
    version: u32,
    /// Its own limit in short, such as `100 per 60s`; see its `rate-limit` for more.
    rate_limit: Option<String>,
    #[serde(flatten)]
    settings: SettingsView,
    /// Tasks that wait for a worker or for their time.
    total_queued: i64,
    queued_by_priority: ByPriority,
    status_counts: StatusCounts,
    /// Tasks that wait and that no live worker can run, as far as they are first in their lanes: for want of a handler of their name, a
    /// label they require, or a worker that takes tasks of this queue.
    unservable: u64,
    /// How long the first task that could run has waited; null where none could. Of tasks with keys only a thousand are looked at.
    oldest_ready_s: Option<f64>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = QueueStats)]
pub(super) struct QueueStats {
    queue: String,
    total_queued: i64,
    queued_by_priority: ByPriority,
    status_counts: StatusCounts,
    oldest_ready_s: Option<f64>,
    /// Null: none.
    rate_limit: Option<RateLimitView>,
}

impl QueueView {
    fn read(
        reader: &dyn Reader,
        row: QueueRow,
        counters: &[CounterRow],
        offers: &[Offer],
        now: Millis,
    ) -> Result<Self, StoreError> {
        let queued_by_priority = ByPriority::of(counters);
        let total_queued = queued_by_priority.total();
        let oldest_ready_s = if total_queued > 0 { oldest_ready(reader, &row.name, now)? } else { None };
        let unservable = unservable(reader, &row.name, total_queued, offers)?;
        Ok(Self {
            unservable,
            paused: row.paused,
            weight: row.weight,
            version: row.version,
            rate_limit: row.settings.rate_limit.map(RateLimitView::short),
            settings: SettingsView::from(&row.settings),
            total_queued,
            queued_by_priority,
            status_counts: StatusCounts::of(counters),
            oldest_ready_s,
            name: row.name,
        })
    }

    /// The queue named in the request's path.
    pub(super) async fn of(state: &ApiState, request: &HttpRequest) -> Result<Self, Problem> {
        let (name, now) = (name(request), state.now());
        let wanted = name.clone();
        state.read(move |reader| Self::find(reader, &wanted, now)).await?.ok_or_else(|| no_queue(&name))
    }

    fn find(reader: &dyn Reader, name: &str, now: Millis) -> Result<Option<Self>, StoreError> {
        let Some(row) = reader.queue(name)? else { return Ok(None) };
        let counters = reader.counters(Some(name))?;
        Self::read(reader, row, &counters, &reader.offers(MOST_WORKERS)?, now).map(Some)
    }
}

/// Seconds since the queue's first claimable task became ready; `None` where that is still to come.
pub(super) fn oldest_ready(reader: &dyn Reader, queue: &str, now: Millis) -> Result<Option<f64>, StoreError> {
    Ok(reader.oldest_ready(queue)?.filter(|at| *at <= now).map(|at| seconds(at, now)))
}

/// Of tasks that wait: those that no live worker can run.
pub(super) fn unservable(reader: &dyn Reader, queue: &str, waiting: i64, offers: &[Offer]) -> Result<u64, StoreError> {
    // One that was not looked at may be able to.
    if waiting <= 0 || offers.len() >= MOST_WORKERS {
        return Ok(0);
    }
    if offers.iter().all(|offer| offer.lacks(queue, None, &[]).is_some()) {
        return Ok(u64::try_from(waiting).unwrap_or(0));
    }
    reader.unservable(queue, offers)
}

pub(super) fn name(request: &HttpRequest) -> String {
    request.match_info().get("queue").unwrap_or_default().to_owned()
}

pub(super) fn no_queue(name: &str) -> Problem {
    Problem::new(Code::QueueNotFound, format!("There is no queue {name:?}: it comes into being with its first task"))
}

/// Lists the queues
#[utoipa::path(
    get, path = "/api/v1/queues", operation_id = "list_queues", tag = "queues",
    responses((status = 200, body = Listed<QueueView>))
)]
pub(super) async fn list(state: Data<ApiState>, caller: Caller, _: Query<Nothing>) -> Result<HttpResponse, Problem> {
    let now = state.now();
    let queues = state
        .read(move |reader| {
            let mut counters: HashMap<String, Vec<CounterRow>> = HashMap::new();
            for row in reader.counters(None)? {
                counters.entry(row.queue.clone()).or_default().push(row);
            }
            let offers = reader.offers(MOST_WORKERS)?;
            let view = |row: QueueRow| {
                let counters = counters.get(&row.name).map_or(&[][..], Vec::as_slice);
                QueueView::read(reader, row, counters, &offers, now)
            };
            reader.queues()?.into_iter().filter(|row| caller.sees(&row.name)).map(view).collect::<Result<Vec<_>, _>>()
        })
        .await?;
    reply::ok(&Listed::whole(queues))
}

/// Reads a queue
#[utoipa::path(
    get, path = "/api/v1/queues/{queue}", operation_id = "get_queue", tag = "queues",
    params(("queue" = String, Path)),
    responses((status = 200, body = QueueView))
)]
pub(super) async fn get(
    state: Data<ApiState>,
    request: HttpRequest,
    _: Query<Nothing>,
) -> Result<HttpResponse, Problem> {
    reply::ok(&QueueView::of(&state, &request).await?)
}

/// Reads a queue's figures
#[utoipa::path(
    get, path = "/api/v1/queues/{queue}/stats", operation_id = "get_queue_stats", tag = "queues",
    params(("queue" = String, Path)),
    responses((status = 200, body = QueueStats))
)]
pub(super) async fn stats(
    state: Data<ApiState>,
    request: HttpRequest,
    _: Query<Nothing>,
) -> Result<HttpResponse, Problem> {
    let view = QueueView::of(&state, &request).await?;
    let (name, now, engine) = (view.name.clone(), state.now(), state.engine.clone());
    let limit = state.read(move |reader| {
        let row = reader.queue(&name)?;
        row.map_or(Ok(None), |row| limits::limit_of(reader, &engine, &row, now))
    });
    reply::ok(&QueueStats {
        rate_limit: limit.await?,
        queue: view.name,
        total_queued: view.total_queued,
        queued_by_priority: view.queued_by_priority,
        status_counts: view.status_counts,
        oldest_ready_s: view.oldest_ready_s,
    })
}

/// Pauses a queue
///
/// Nothing in it starts until it is resumed; what runs goes on.
#[utoipa::path(
    post, path = "/api/v1/queues/{queue}/pause", operation_id = "pause_queue", tag = "queues",
    params(("queue" = String, Path)),
    responses((status = 200, body = QueueView))
)]
pub(super) async fn pause(
    state: Data<ApiState>,
    caller: Caller,
    request: HttpRequest,
    _: Query<Nothing>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    set_paused(&state, &caller, &request, &body, true).await
}

/// Resumes a queue
#[utoipa::path(
    post, path = "/api/v1/queues/{queue}/resume", operation_id = "resume_queue", tag = "queues",
    params(("queue" = String, Path)),
    responses((status = 200, body = QueueView))
)]
pub(super) async fn resume(
    state: Data<ApiState>,
    caller: Caller,
    request: HttpRequest,
    _: Query<Nothing>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    set_paused(&state, &caller, &request, &body, false).await
}

async fn set_paused(
    state: &ApiState,
    caller: &Caller,
    request: &HttpRequest,
    body: &Body,
    paused: bool,
) -> Result<HttpResponse, Problem> {
    shape::parse_or_empty::<Empty>(&body.0)?;
    let name = name(request);
    let act = caller.act(if paused { "queue.pause" } else { "queue.resume" }, &name);
    if !state.engine.set_paused(&name, paused, act).await? {
        return Err(no_queue(&name));
    }
    reply::ok(&QueueView::of(state, request).await?)
}

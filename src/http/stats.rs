//! `GET /stats`: the whole server in figures.

use std::collections::HashMap;

use actix_web::{HttpResponse, web::Data};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    ApiState,
    caller::Caller,
    counts::{StatusCounts, sum},
    problem::Problem,
    query::Query,
    queues, reply,
    window::{Window, WindowQuery, WindowView},
};
use crate::{
    engine::Engine,
    store::{Counted, CounterRow, Reader, StoreError},
    task::{Millis, Status},
};

/// Queues asked for their oldest task: those with most to do, so that the answer stays quick with thousands of them.
const LOOKED_AT: usize = 200;

#[derive(Serialize, ToSchema)]
#[schema(as = Stats)]
pub(super) struct StatsView {
    status_counts: StatusCounts,
    dead_letters: i64,
    queues: usize,
    /// Those alive.
    workers: usize,
    slots: Slots,
    totals: Totals,
    oldest_ready_s: Option<f64>,
    /// What has happened in the window that was asked for.
    window: WindowView,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Slots {
    total: usize,
    busy: usize,
}

/// How many there have ever been.
#[derive(Serialize, ToSchema)]
pub(super) struct Totals {
    submitted: i64,
    succeeded: i64,
    failed_attempts: i64,
    dead: i64,
    cancelled: i64,
}

/// Reads the server's figures
///
/// All but `window` are of the whole server and of now, whatever is asked for.
#[utoipa::path(
    get, path = "/api/v1/stats", operation_id = "get_stats", tag = "system",
    params(WindowQuery),
    responses((status = 200, body = StatsView))
)]
pub(super) async fn stats(
    state: Data<ApiState>,
    caller: Caller,
    query: Query<WindowQuery>,
) -> Result<HttpResponse, Problem> {
    let window = query.0.read(&state, &caller).await?;
    let busy = state.engine.held().list().iter().filter(|held| held.slot.is_some()).count();
    let engine = state.engine.clone();
    let view = state.read(move |reader| read(&engine, reader, &caller, busy, &window)).await?;
    reply::ok(&view)
}

fn read(
    engine: &Engine,
    reader: &dyn Reader,
    caller: &Caller,
    busy: usize,
    window: &Window,
) -> Result<StatsView, StoreError> {
    let mut counters = reader.counters(None)?;
    counters.retain(|row| caller.sees(&row.queue));
    let alive: Vec<_> = reader.workers()?.into_iter().filter(|worker| worker.state == "alive").collect();
    let total = |kind| sum(&counters, |row| row.kind == kind);
    Ok(StatsView {
        status_counts: StatusCounts::of(&counters),
        dead_letters: sum(&counters, |row| matches!(row.kind, Counted::In(status) if status.is_dead())),
        queues: reader.queues()?.iter().filter(|row| caller.sees(&row.name)).count(),
        workers: alive.len(),
        slots: Slots { total: alive.iter().map(|worker| worker.slots as usize).sum(), busy },
        totals: Totals {
            submitted: total(Counted::Submitted),
            succeeded: total(Counted::Succeeded),
            failed_attempts: total(Counted::FailedAttempts),
            dead: total(Counted::Dead),
            cancelled: total(Counted::CancelledTotal),
        },
        oldest_ready_s: oldest_ready(reader, &counters, window.to)?,
        window: window.view(engine, reader)?,
    })
}

fn oldest_ready(reader: &dyn Reader, counters: &[CounterRow], now: Millis) -> Result<Option<f64>, StoreError> {
    let mut oldest: Option<f64> = None;
    for (queue, _) in busiest(counters) {
        let age = queues::oldest_ready(reader, queue, now)?;
        oldest = [oldest, age].into_iter().flatten().reduce(f64::max);
    }
    Ok(oldest)
}

/// Queues in which something waits and how much, those with most first.
pub(super) fn busiest(counters: &[CounterRow]) -> impl Iterator<Item = (&str, i64)> {
    let mut waiting: HashMap<&str, i64> = HashMap::new();
    for row in counters {
        if matches!(row.kind, Counted::In(status) if Status::CLAIMABLE.contains(&status)) {
            *waiting.entry(&row.queue).or_default() += row.n;
        }
    }
    let mut waiting: Vec<_> = waiting.into_iter().filter(|(_, n)| *n > 0).collect();
    waiting.sort_unstable_by_key(|(_, n)| std::cmp::Reverse(*n));
    waiting.into_iter().take(LOOKED_AT)
}

//! Workers: the nodes and what their slots run.

use actix_web::{HttpResponse, web::Data};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    ApiState,
    caller::Caller,
    code::Code,
    problem::Problem,
    query::{Nothing, Query},
    reply::{self, Listed},
    tasks::Id,
    time::{Time, seconds},
};
use crate::{
    store::WorkerRow,
    task::{TaskId, WorkerId},
};

#[derive(Serialize, ToSchema)]
#[schema(as = Worker)]
pub(super) struct WorkerView {
    #[schema(value_type = String, format = Uuid)]
    id: WorkerId,
    host: String,
    pid: u32,
    version: String,
    /// alive, draining, stopped or dead.
    state: String,
    started_at: Time,
    heartbeat_age_s: f64,
    slots_total: u32,
    /// The only queues it takes tasks of; empty: all.
    queues: Vec<String>,
    /// Of the tasks it can run, at most 1000; null: it runs tasks of any name.
    names: Option<Vec<String>>,
    /// What tasks may require of it.
    labels: Vec<String>,
    /// What each slot runs; empty for other nodes than the one asked.
    slots: Vec<SlotView>,
    /// Attempts ended since the start; null for other nodes than the one asked.
    processed: Option<u64>,
    failed: Option<u64>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = WorkerSlot)]
pub(super) struct SlotView {
    slot: usize,
    /// Null: idle, or where `started_at` is set, a task that this key may not see.
    #[schema(value_type = Option<String>, format = Uuid)]
    task_id: Option<TaskId>,
    name: Option<String>,
    started_at: Option<Time>,
}

impl WorkerView {
    fn of(row: WorkerRow, state: &ApiState, caller: &Caller) -> Self {
        let own = row.id == state.engine.worker();
        Self {
            id: row.id,
            host: row.host,
            pid: row.pid,
            version: row.version,
            state: row.state,
            started_at: Time(row.started_at),
            heartbeat_age_s: seconds(row.beat_at, state.now()),
            slots_total: row.slots,
            queues: row.offer.queues,
            names: row.offer.names,
            labels: row.offer.labels,
            slots: if own { slots(state, caller) } else { Vec::new() },
            processed: own.then(|| state.engine.processed()),
            failed: own.then(|| state.engine.failed()),
        }
    }
}

/// This node's slots, the idle ones too. What runs in a queue that the caller does not see is no more than busy.
fn slots(state: &ApiState, caller: &Caller) -> Vec<SlotView> {
    let idle = |slot| SlotView { slot, task_id: None, name: None, started_at: None };
    let mut slots: Vec<_> = (1..=state.node.slots).map(idle).collect();
    for held in state.engine.held().list() {
        if let Some(view) = held.slot.and_then(|slot| slots.get_mut(slot.checked_sub(1)?)) {
            if caller.sees(&held.task.queue) {
                view.task_id = Some(held.task.id);
                view.name = Some(held.task.name.clone());
            }
            view.started_at = Some(Time(held.task.started_at));
        }
    }
    slots
}

/// Lists the workers, the latest first
#[utoipa::path(
    get, path = "/api/v1/workers", operation_id = "list_workers", tag = "workers",
    responses((status = 200, body = Listed<WorkerView>))
)]
pub(super) async fn list(state: Data<ApiState>, caller: Caller, _: Query<Nothing>) -> Result<HttpResponse, Problem> {
    let rows = state.read(|reader| reader.workers()).await?;
    let data = rows.into_iter().map(|row| WorkerView::of(row, &state, &caller)).collect();
    reply::ok(&Listed::whole(data))
}

/// Reads a worker
#[utoipa::path(
    get, path = "/api/v1/workers/{id}", operation_id = "get_worker", tag = "workers",
    params(("id" = String, Path, format = Uuid)),
    responses((status = 200, body = WorkerView))
)]
pub(super) async fn get(
    state: Data<ApiState>,
    caller: Caller,
    id: Id<WorkerId>,
    _: Query<Nothing>,
) -> Result<HttpResponse, Problem> {
    let rows = state.read(|reader| reader.workers()).await?;
    let found = rows.into_iter().find(|row| row.id == id.0);
    let row = found.ok_or_else(|| Problem::new(Code::WorkerNotFound, format!("There is no worker {}", id.0)))?;
    reply::ok(&WorkerView::of(row, &state, &caller))
}

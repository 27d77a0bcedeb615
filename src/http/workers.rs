//! Workers: the nodes and what their slots run, and those that ask for tasks over the API.

use std::collections::HashMap;

use actix_web::{HttpResponse, web::Data};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    ApiState,
    actions::Empty,
    body::Body,
    caller::Caller,
    code::Code,
    problem::Problem,
    query::{Nothing, Query},
    reply::{self, Listed},
    shape,
    tasks::Id,
    time::{Time, seconds},
};
use crate::{
    actors::stuck::StuckHandler,
    store::{Holding, WorkerAsked, WorkerRow},
    task::{Asked, Offer, TaskId, WorkerId, WorkerKind},
};

#[derive(Serialize, ToSchema)]
#[schema(as = Worker)]
pub(super) struct WorkerView {
    #[schema(value_type = String, format = Uuid)]
    id: WorkerId,
    kind: WorkerKind,
    /// What a remote worker calls itself, and the program by which it speaks to the API.
    name: Option<String>,
    client: Option<String>,
    host: String,
    pid: u32,
    version: String,
    /// alive, quiet (it starts nothing new), draining, stopped or dead.
    state: String,
    /// What an operator wants of it: `quiet`, that it starts nothing new; `stop`, that it ends.
    asked: Option<Asked>,
    started_at: Time,
    heartbeat_age_s: f64,
    /// Memory that a remote worker says it holds.
    rss_bytes: Option<u64>,
    slots_total: u32,
    /// The only queues it takes tasks of; empty: all.
    queues: Vec<String>,
    /// Of the tasks it can run, at most 1000; null: it runs tasks of any name.
    names: Option<Vec<String>>,
    /// What tasks may require of it.
    labels: Vec<String>,
    /// What each slot runs, of a remote worker what it has leased; empty for other nodes than the one asked.
    slots: Vec<SlotView>,
    /// Handlers that go on although their attempts were ended; empty for other nodes than the one asked.
    stuck: Vec<StuckView>,
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

#[derive(Serialize, ToSchema)]
#[schema(as = StuckHandler)]
pub(super) struct StuckView {
    /// Where it ran.
    slot: usize,
    /// Null: a task that this key may not see.
    #[schema(value_type = Option<String>, format = Uuid)]
    task_id: Option<TaskId>,
    name: Option<String>,
    /// When it was given up.
    since: Time,
    /// The slot runs other tasks; false: there are too many stuck ones, and it waits.
    replaced: bool,
}

impl WorkerView {
    fn of(row: WorkerRow, state: &ApiState, caller: &Caller, held: &HashMap<WorkerId, Vec<Holding>>) -> Self {
        let own = row.id == state.engine.worker();
        // Of this node it is known whether it has heard of it yet.
        let shown = match row.shown_state() {
            "alive" | "quiet" if own && state.standing.is_quiet() => "quiet".to_owned(),
            "alive" | "quiet" if own => "alive".to_owned(),
            shown => shown.to_owned(),
        };
        let Offer { queues, names, labels, .. } = row.offer;
        Self {
            id: row.id,
            kind: row.kind,
            name: row.name,
            client: row.client,
            host: row.host,
            pid: row.pid,
            version: row.version,
            state: shown,
            asked: row.asked,
            started_at: Time(row.started_at),
            heartbeat_age_s: seconds(row.beat_at, state.now()),
            rss_bytes: row.rss_bytes,
            queues: queues.into_iter().filter(|queue| caller.sees(queue)).collect(),
            names,
            labels,
            slots_total: row.slots,
            slots: if own { slots(state, caller) } else { leased(held.get(&row.id), caller) },
            stuck: if own { stuck(state, caller) } else { Vec::new() },
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

/// Of a remote worker.
fn leased(held: Option<&Vec<Holding>>, caller: &Caller) -> Vec<SlotView> {
    let view = |(index, holding): (usize, &Holding)| {
        let seen = caller.sees(&holding.queue);
        SlotView {
            slot: index + 1,
            task_id: seen.then_some(holding.token.task),
            name: seen.then(|| holding.name.clone()),
            started_at: Some(Time(holding.granted_at)),
        }
    };
    held.into_iter().flatten().enumerate().map(view).collect()
}

impl ApiState {
    /// What the remote ones of these hold.
    async fn held(&self, rows: &[WorkerRow]) -> Result<HashMap<WorkerId, Vec<Holding>>, Problem> {
        let remote = rows.iter().filter(|row| row.kind == WorkerKind::Remote && row.is_alive()).map(|row| row.id);
        let remote: Vec<_> = remote.collect();
        Ok(if remote.is_empty() { HashMap::new() } else { self.engine.holdings(remote).await? })
    }
}

fn stuck(state: &ApiState, caller: &Caller) -> Vec<StuckView> {
    let view = |handler: StuckHandler| {
        let seen = caller.sees(&handler.queue);
        StuckView {
            slot: handler.slot,
            task_id: seen.then_some(handler.task),
            name: seen.then_some(handler.name),
            since: Time(handler.since),
            replaced: handler.replaced,
        }
    };
    state.stuck.list().into_iter().map(view).collect()
}

/// Lists the workers, the latest first
#[utoipa::path(
    get, path = "/api/v1/workers", operation_id = "list_workers", tag = "workers",
    responses((status = 200, body = Listed<WorkerView>))
)]
pub(super) async fn list(state: Data<ApiState>, caller: Caller, _: Query<Nothing>) -> Result<HttpResponse, Problem> {
    let rows = state.read(|reader| reader.workers()).await?;
    let held = state.held(&rows).await?;
    let data = rows.into_iter().map(|row| WorkerView::of(row, &state, &caller, &held)).collect();
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
    reply::ok(&state.worker(id.0, &caller).await?)
}

impl ApiState {
    async fn worker(&self, id: WorkerId, caller: &Caller) -> Result<WorkerView, Problem> {
        let found = self.read(move |reader| reader.worker(id)).await?;
        let row = found.ok_or_else(|| no_worker(id))?;
        let held = self.held(std::slice::from_ref(&row)).await?;
        Ok(WorkerView::of(row, self, caller, &held))
    }

    async fn ask(
        &self,
        caller: &Caller,
        id: WorkerId,
        asked: Option<Asked>,
        action: &'static str,
    ) -> Result<HttpResponse, Problem> {
        match self.engine.ask_worker(id, asked, caller.act(action, id)).await? {
            WorkerAsked::Done { .. } => reply::ok(&self.worker(id, caller).await?),
            WorkerAsked::Gone(now) => {
                Err(Problem::new(Code::WorkerGone, format!("The worker works no more: it is {now}")))
            }
            WorkerAsked::NotFound => Err(no_worker(id)),
        }
    }
}

pub(super) fn no_worker(id: WorkerId) -> Problem {
    Problem::new(Code::WorkerNotFound, format!("There is no worker {id}"))
}

macro_rules! wishes {
    ($($(#[$doc:meta])* $name:ident: $path:literal, $id:literal, $action:literal, $asked:expr;)+) => {$(
        $(#[$doc])*
        #[utoipa::path(
            post, path = $path, operation_id = $id, tag = "workers",
            params(("id" = String, Path, format = Uuid)),
            responses((status = 200, body = WorkerView))
        )]
        pub(super) async fn $name(
            state: Data<ApiState>,
            caller: Caller,
            id: Id<WorkerId>,
            _: Query<Nothing>,
            body: Body,
        ) -> Result<HttpResponse, Problem> {
            shape::parse_or_empty::<Empty>(&body.0)?;
            state.ask(&caller, id.0, $asked, $action).await
        }
    )+};
}

wishes! {
    /// Asks a worker to start nothing new
    ///
    /// What it runs goes on.
    quiet: "/api/v1/workers/{id}/quiet", "quiet_worker", "worker.quiet", Some(Asked::Quiet);
    /// Asks a worker to work again
    resume: "/api/v1/workers/{id}/resume", "resume_worker", "worker.resume", None;
    /// Asks a worker to end
    ///
    /// It starts nothing new, and ends once what it runs has ended.
    stop: "/api/v1/workers/{id}/stop", "stop_worker", "worker.stop", Some(Asked::Stop);
}

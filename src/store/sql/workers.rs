//! Workers: they register, are renewed, and are asked to go.

use std::collections::HashMap;

use diesel::prelude::*;

use super::{
    Connection,
    key::{Uid, uid},
    reader::PooledReader,
    reap::{held_by, release},
    records::{reading, worker_id},
    remote,
    schema::{leases, workers},
    tx::Writer,
};
use crate::{
    store::{
        Holding, Leased, Overdue, Renewed, StoreError, WorkerAsked, WorkerInfo, WorkerReader, WorkerRow, WorkerTx,
    },
    task::{Asked, LeaseId, LeaseToken, Millis, Ready, TaskId, WorkerId, WorkerKind},
};

/// In these states a worker may hold tasks.
const ALIVE: [&str; 2] = ["alive", "draining"];
/// Most that are shown.
const LISTED: i64 = 200;

impl WorkerTx for Writer {
    fn register_worker(&mut self, worker: &WorkerInfo) -> Result<(), StoreError> {
        let row = (
            workers::id.eq(uid(worker.id.as_bytes())),
            workers::kind.eq(worker.kind.as_str()),
            workers::name.eq(&worker.name),
            workers::client.eq(&worker.client),
            workers::host.eq(&worker.host),
            workers::pid.eq(reading::signed(worker.pid)),
            workers::version.eq(&worker.version),
            workers::state.eq("alive"),
            workers::slots.eq(reading::signed(worker.slots)),
            workers::prefetch.eq(reading::signed(worker.prefetch)),
            workers::started_at.eq(worker.started_at),
            workers::beat_at.eq(worker.started_at),
            workers::patience_ms.eq(worker.patience),
            workers::node.eq(&worker.node),
            workers::offer.eq(serde_json::to_string(&worker.offer()).unwrap_or_default()),
        );
        let done = diesel::insert_into(workers::table).values(row).execute(&mut self.connection);
        self.told(done).map(|_| ())
    }

    fn beat(&mut self, worker: WorkerId, now: Millis) -> Result<bool, StoreError> {
        let alive = workers::table.find(uid(worker.as_bytes())).filter(workers::state.eq_any(ALIVE));
        let renew = diesel::update(alive).set((workers::beat_seq.eq(workers::beat_seq + 1), workers::beat_at.eq(now)));
        let done = renew.execute(&mut self.connection);
        self.told(done).map(|rows| rows > 0)
    }

    fn beat_all(&mut self, beats: &[(WorkerId, Option<u64>)], now: Millis) -> Result<Vec<Renewed>, StoreError> {
        let done = beat_all(&mut self.connection, beats, now);
        self.told(done)
    }

    fn set_worker_state(&mut self, worker: WorkerId, state: &str) -> Result<(), StoreError> {
        // One that was declared dead stays so: its tasks are elsewhere.
        let alive = workers::table.find(uid(worker.as_bytes())).filter(workers::state.eq_any(ALIVE));
        let done = diesel::update(alive).set(workers::state.eq(state)).execute(&mut self.connection);
        self.told(done).map(|_| ())
    }

    fn ask_worker(&mut self, worker: WorkerId, asked: Option<Asked>) -> Result<WorkerAsked, StoreError> {
        let done = ask(&mut self.connection, worker, asked);
        self.told(done)
    }

    fn leave(&mut self, worker: WorkerId, now: Millis) -> Result<Option<Vec<Ready>>, StoreError> {
        let done = leave(self, worker, now);
        self.told(done)
    }

    fn extend(&mut self, token: LeaseToken, by: Millis, latest: Millis) -> Result<Option<Millis>, StoreError> {
        let done = remote::extend(&mut self.connection, token, by, latest);
        self.told(done)
    }

    fn set_due(&mut self, lease: LeaseId, due: Option<Millis>) -> Result<(), StoreError> {
        let row = leases::table.find(uid(lease.as_bytes()));
        let done = diesel::update(row).set(leases::due.eq(due)).execute(&mut self.connection);
        self.told(done).map(|_| ())
    }
}

impl WorkerReader for PooledReader {
    fn worker(&self, id: WorkerId) -> Result<Option<WorkerRow>, StoreError> {
        self.read(|connection| {
            let found = workers::table.find(uid(id.as_bytes())).select(Record::as_select()).first(connection);
            Ok(found.optional()?.and_then(row))
        })
    }

    fn asked_workers(&self) -> Result<Vec<(WorkerId, Asked)>, StoreError> {
        let wanted = workers::table
            .filter(workers::asked.is_not_null())
            .filter(workers::kind.eq(WorkerKind::Remote.as_str()).and(workers::state.eq_any(ALIVE)))
            .select((workers::id, workers::asked));
        let rows: Vec<(Vec<u8>, Option<String>)> = self.read(|connection| wanted.load(connection))?;
        let read = |(id, asked): (_, Option<String>)| Some((worker_id(Some(id))?, Asked::parse(&asked?)?));
        Ok(rows.into_iter().filter_map(read).collect())
    }

    fn holdings(&self, workers: &[WorkerId]) -> Result<Vec<Holding>, StoreError> {
        self.read(|connection| remote::holdings(connection, workers))
    }

    fn leased(&self, tokens: &[LeaseToken]) -> Result<Vec<Leased>, StoreError> {
        self.read(|connection| remote::leased(connection, tokens))
    }

    fn overdue(&self, by: Millis, limit: usize) -> Result<Vec<Overdue>, StoreError> {
        self.read(|connection| remote::overdue(connection, by, limit))
    }

    fn origins(&self, ids: &[TaskId]) -> Result<Vec<(TaskId, Millis, Vec<String>)>, StoreError> {
        self.read(|connection| remote::origins(connection, ids))
    }
}

/// Of those that say nothing of their memory all at once.
fn beat_all(connection: &mut Connection, beats: &[(WorkerId, Option<u64>)], now: Millis) -> QueryResult<Vec<Renewed>> {
    let mut ids: Vec<Uid> = Vec::with_capacity(beats.len());
    let mut order: Vec<_> = beats.iter().collect();
    // As every batch is locked.
    order.sort_unstable();
    for (worker, rss) in order {
        let Some(rss) = rss else {
            ids.push(uid(worker.as_bytes()));
            continue;
        };
        let alive = workers::table.find(uid(worker.as_bytes())).filter(workers::state.eq_any(ALIVE));
        let rss = i64::try_from(*rss).unwrap_or(i64::MAX);
        diesel::update(alive)
            .set((workers::beat_seq.eq(workers::beat_seq + 1), workers::beat_at.eq(now), workers::rss_bytes.eq(rss)))
            .execute(connection)?;
    }
    if !ids.is_empty() {
        let alive = workers::table.filter(workers::id.eq_any(ids)).filter(workers::state.eq_any(ALIVE));
        diesel::update(alive)
            .set((workers::beat_seq.eq(workers::beat_seq + 1), workers::beat_at.eq(now)))
            .execute(connection)?;
    }
    let all: Vec<Uid> = beats.iter().map(|(worker, _)| uid(worker.as_bytes())).collect();
    let found = workers::table.filter(workers::id.eq_any(all)).select((workers::id, workers::state, workers::asked));
    let found: Vec<(Vec<u8>, String, Option<String>)> = found.load(connection)?;
    let by_id: HashMap<_, _> =
        found.into_iter().filter_map(|(id, state, asked)| Some((worker_id(Some(id))?, (state, asked)))).collect();
    let renewed = |(worker, _): &(WorkerId, _)| match by_id.get(worker) {
        Some((state, asked)) if ALIVE.contains(&state.as_str()) => {
            Renewed::Alive(asked.as_deref().and_then(Asked::parse))
        }
        Some((state, _)) => Renewed::Gone(state.clone()),
        None => Renewed::NotFound,
    };
    Ok(beats.iter().map(renewed).collect())
}

fn leave(writer: &mut Writer, worker: WorkerId, now: Millis) -> QueryResult<Option<Vec<Ready>>> {
    let row = workers::table.find(uid(worker.as_bytes()));
    // Held first, so that a claim of its that is under way ends before its tasks are looked at.
    let state: Option<String> = locked!(row.select(workers::state)).first(&mut writer.connection).optional()?;
    let Some(state) = state else { return Ok(None) };
    if ALIVE.contains(&state.as_str()) {
        diesel::update(row).set(workers::state.eq("stopped")).execute(&mut writer.connection)?;
    }
    let held = held_by(&mut writer.connection, worker.as_bytes())?;
    let held: Vec<_> = held.into_iter().map(|(lease, _, task)| (task, lease)).collect();
    release(writer, &held, now).map(Some)
}

fn ask(connection: &mut Connection, worker: WorkerId, asked: Option<Asked>) -> QueryResult<WorkerAsked> {
    let row = workers::table.find(uid(worker.as_bytes())).select((workers::state, workers::asked));
    let found: Option<(String, Option<String>)> = locked!(row).first(connection).optional()?;
    let Some((state, before)) = found else { return Ok(WorkerAsked::NotFound) };
    if !ALIVE.contains(&state.as_str()) {
        return Ok(WorkerAsked::Gone(state));
    }
    let asked = asked.map(Asked::as_str);
    let again = before.as_deref() == asked;
    if !again {
        let row = workers::table.find(uid(worker.as_bytes()));
        diesel::update(row).set(workers::asked.eq(asked)).execute(connection)?;
    }
    Ok(WorkerAsked::Done { again })
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = workers)]
struct Record {
    id: Vec<u8>,
    host: String,
    pid: i32,
    version: String,
    state: String,
    slots: i32,
    started_at: i64,
    beat_at: i64,
    kind: String,
    name: Option<String>,
    client: Option<String>,
    asked: Option<String>,
    offer: String,
    prefetch: i32,
    rss_bytes: Option<i64>,
}

/// The latest first.
pub(super) fn list(connection: &mut Connection) -> QueryResult<Vec<WorkerRow>> {
    let rows = workers::table.order(workers::started_at.desc()).limit(LISTED).select(Record::as_select());
    let rows: Vec<Record> = rows.load(connection)?;
    Ok(rows.into_iter().filter_map(row).collect())
}

fn row(record: Record) -> Option<WorkerRow> {
    Some(WorkerRow {
        id: worker_id(Some(record.id))?,
        kind: WorkerKind::parse(&record.kind).unwrap_or(WorkerKind::Node),
        name: record.name,
        client: record.client,
        host: record.host,
        pid: reading::count(record.pid),
        version: record.version,
        state: record.state,
        asked: record.asked.as_deref().and_then(Asked::parse),
        slots: reading::count(record.slots),
        prefetch: reading::count(record.prefetch),
        // Of a later version: it may take anything.
        offer: serde_json::from_str(&record.offer).unwrap_or_default(),
        rss_bytes: record.rss_bytes.and_then(|bytes| u64::try_from(bytes).ok()),
        started_at: record.started_at,
        beat_at: record.beat_at,
    })
}

//! Granting ready tasks to a worker.

use diesel::{prelude::*, sqlite::Sqlite};

use super::{
    expiry,
    hot::InsertLease,
    own::MarkRunning,
    records::{StateRecord, bytes, reading, task_id},
    schema::tasks,
    tx::Writer,
};
use crate::{
    store::{Claim, Claimed},
    task::{
        FlowKeys, Granted, KeyScope, Mark, Millis, Priority, Ready, Status, TaskId,
        admission::{self, Hold},
    },
};

/// How long a suspect is put off while another one is aboard.
const PUT_OFF: Millis = 1_000;

#[derive(Queryable, Selectable)]
#[diesel(table_name = tasks, check_for_backend(Sqlite))]
struct Candidate {
    seq: i64,
    name: String,
    priority: i32,
    status: i32,
    ready_at: Option<i64>,
    attempt: i32,
    failures: i32,
    crashes: i32,
    snoozes: Option<i32>,
    max_retries: i32,
    timeout_ms: Option<i64>,
    expires_at: Option<i64>,
    generation: i32,
    unique_while: Option<i32>,
    retry: Option<String>,
    parents: i32,
    workflow_id: Option<Vec<u8>>,
    has_dependants: bool,
    meta: Option<String>,
    flow: Option<String>,
    lane: Option<i64>,
    laned: bool,
    args: String,
    kwargs: String,
}

pub(super) fn claim(writer: &mut Writer, claim: &Claim, hints: &[(Priority, Mark)]) -> QueryResult<Claimed> {
    let mut claimed = Claimed::default();
    let mut suspect_allowed = claim.suspect_allowed;
    claimed.tasks.reserve(hints.len());
    for &(lane, (_, id)) in hints {
        let Some(found) = candidate(&mut writer.connection, id)? else { continue };
        if reading::priority(found.priority) != lane {
            continue; // changed meanwhile: its place and its limit are another lane's, which was told
        }
        if (found.lane.is_some(), found.laned) != (claim.laned, claim.laned) {
            continue; // its keys decide when it starts
        }
        match found.admission().hold(suspect_allowed, claim.now) {
            None => {}
            // A stale hint: it runs already, has ended, or its time was moved.
            Some(Hold::NotWaiting | Hold::NotDue(_)) => continue,
            Some(Hold::Expired) => {
                if let Some(task) = StateRecord::find(&mut writer.connection, id)? {
                    expiry::expire(writer, &task, claim.now)?;
                }
                continue;
            }
            Some(Hold::Suspect) if claim.serves.has_name(&found.name) => {
                claimed.put_off.push(put_off(writer, claim, id, &found)?);
                continue;
            }
            Some(Hold::Suspect) => {}
        }
        if !claim.serves.has_name(&found.name) {
            claimed.moved.push(move_to_lane(writer, claim, id, &found)?);
            continue;
        }
        suspect_allowed &= !found.admission().is_suspect();
        grant(writer, claim, id, found, &mut claimed.tasks)?;
    }
    keep_lease(writer, claim, &claimed.tasks)?;
    Ok(claimed)
}

fn candidate(connection: &mut SqliteConnection, id: TaskId) -> QueryResult<Option<Candidate>> {
    let row = tasks::table.filter(tasks::id.eq(bytes(id.as_bytes()))).select(Candidate::as_select());
    row.get_result(connection).optional()
}

fn grant(
    writer: &mut Writer,
    claim: &Claim,
    id: TaskId,
    found: Candidate,
    granted: &mut Vec<Granted>,
) -> QueryResult<()> {
    MarkRunning {
        worker: bytes(claim.worker.as_bytes()),
        lease: bytes(claim.lease.as_bytes()),
        now: claim.now,
        seq: found.seq,
    }
    .execute(&mut writer.connection)?;
    if !KeyScope::from_code(found.unique_while).holds(Status::Running) {
        let row = tasks::table.find(found.seq);
        diesel::update(row).set(tasks::live_key.eq(None::<String>)).execute(&mut writer.connection)?;
    }
    let (priority, from) = (reading::priority(found.priority), reading::status(found.status));
    writer.deltas.step(&claim.queue, priority, from, Status::Running);
    granted.push(Granted {
        id,
        lease: claim.lease,
        name: found.name,
        queue: claim.queue.clone(),
        priority,
        args: found.args,
        kwargs: found.kwargs,
        meta: found.meta,
        attempt: reading::count(found.attempt) + 1,
        failures: reading::count(found.failures),
        crashes: reading::count(found.crashes),
        snoozes: found.snoozes.map_or(0, reading::count),
        max_retries: reading::count(found.max_retries),
        retry: reading::json(found.retry),
        timeout_ms: found.timeout_ms,
        expires_at: found.expires_at,
        generation: reading::count(found.generation),
        keyed: claim.laned,
        parents: reading::count(found.parents),
        workflow: found.workflow_id.as_deref().map(task_id),
        has_dependants: found.has_dependants,
        ready_at: found.ready_at.unwrap_or(claim.now),
        started_at: claim.now,
    });
    Ok(())
}

impl Candidate {
    fn admission(&self) -> admission::Candidate {
        let crashes = reading::count(self.crashes);
        admission::Candidate { ready_at: self.ready_at, expires_at: self.expires_at, crashes }
    }
}

/// A moved time instead of a refusal: nobody asks again until then.
fn put_off(writer: &mut Writer, claim: &Claim, id: TaskId, found: &Candidate) -> QueryResult<Ready> {
    let later = claim.now + PUT_OFF;
    diesel::update(tasks::table.find(found.seq))
        .set((tasks::ready_at.eq(later), tasks::laned.eq(false)))
        .execute(&mut writer.connection)?;
    let priority = reading::priority(found.priority);
    Ok(Ready { queue: claim.queue.clone(), priority, keyed: claim.laned, mark: (later, id) })
}

/// To where only those look who can run it.
fn move_to_lane(writer: &mut Writer, claim: &Claim, id: TaskId, found: &Candidate) -> QueryResult<Ready> {
    let flow: Option<FlowKeys> = reading::json(found.flow.clone());
    let flow = flow.unwrap_or_default().of_handler(&found.name);
    let place = flow.lane();
    diesel::update(tasks::table.find(found.seq))
        .set((
            tasks::flow.eq(serde_json::to_string(&flow).unwrap_or_default()),
            tasks::lane.eq(place.lane),
            tasks::sublane.eq(place.sublane),
            tasks::laned.eq(true),
        ))
        .execute(&mut writer.connection)?;
    let mark = (found.ready_at.unwrap_or(claim.now), id);
    Ok(Ready { queue: claim.queue.clone(), priority: reading::priority(found.priority), keyed: true, mark })
}

fn keep_lease(writer: &mut Writer, claim: &Claim, granted: &[Granted]) -> QueryResult<()> {
    if granted.is_empty() {
        return Ok(());
    }
    let ids: Vec<u8> = granted.iter().flat_map(|task| *task.id.as_bytes()).collect();
    InsertLease {
        lease: bytes(claim.lease.as_bytes()),
        worker: bytes(claim.worker.as_bytes()),
        now: claim.now,
        open: i32::try_from(granted.len()).unwrap_or(i32::MAX),
        ids: &ids,
        due: if claim.timed { granted.iter().filter_map(Granted::deadline).min() } else { None },
    }
    .execute(&mut writer.connection)
    .map(|_| ())
}

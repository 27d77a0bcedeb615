//! Who has a unique key: who is in the index of `live_key`, unless it is over and its time is too.

use diesel::{dsl::sql, expression::SqlLiteral, prelude::*, sql_types};

use super::{
    expiry,
    key::{Uid, uid},
    records::{StateRecord, reading, task_id},
    schema::tasks,
    tx::Writer,
    wanted,
};
use crate::{
    store::{Counted, Inserted},
    task::{Millis, NewTask, Ready, Status, TaskId, UniqueConflict, unique::bit},
};

/// What is in the index under a key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Holder {
    pub(super) id: TaskId,
    pub(super) status: Status,
    pub(super) until: Option<Millis>,
}

impl Holder {
    pub(super) fn of((id, status, until): (Vec<u8>, i32, Option<i64>)) -> Self {
        Self { id: task_id(&id), status: reading::status(status), until }
    }

    fn is_past(&self, now: Millis) -> bool {
        self.status.is_terminal() && self.until.is_some_and(|until| until <= now)
    }
}

/// What is left of the key of a task that ends so.
pub(super) fn kept(status: Status) -> SqlLiteral<sql_types::Nullable<sql_types::Text>> {
    sql(&format!("CASE WHEN (unique_while & {}) <> 0 THEN live_key END", bit(status)))
}

pub(super) fn find(writer: &mut Writer, queue: &str, key: &str) -> QueryResult<Option<Holder>> {
    let held = tasks::table.filter(tasks::queue.eq(queue)).filter(tasks::live_key.eq(key));
    let held = held.select((tasks::id, tasks::status, tasks::unique_until)).first(&mut writer.connection).optional()?;
    Ok(held.map(Holder::of))
}

/// Takes a key from a task whose time is over, if it still has it. Nobody waits for a sweep: it is over when it says so.
pub(super) fn take_over(writer: &mut Writer, holder: &Holder, now: Millis) -> QueryResult<bool> {
    if !holder.is_past(now) {
        return Ok(false);
    }
    let row = tasks::table
        .filter(tasks::id.eq(uid(holder.id.as_bytes())))
        .filter(tasks::status.ge(i32::from(Status::Success.code())))
        .filter(tasks::unique_until.le(now));
    diesel::update(row).set(tasks::live_key.eq(None::<String>)).execute(&mut writer.connection)?;
    Ok(true)
}

/// What becomes of a task whose key another has; `None`: the key is free by now, or about to be.
pub(super) fn meet(writer: &mut Writer, task: &NewTask, holder: &Holder) -> QueryResult<Option<Inserted>> {
    if take_over(writer, holder, task.created_at)? {
        return Ok(None);
    }
    let replaces = task.unique.as_ref().is_some_and(|unique| unique.conflict == UniqueConflict::Replace);
    // One that runs is not waited for: its end may be under way, and want what this transaction holds.
    if !replaces || !holder.status.is_waiting() {
        return Ok(Some(Inserted::KeyHeld(holder.id)));
    }
    // Held from here on: a claim that was quicker is seen, one that comes later finds the new task.
    let Some(waiting) = StateRecord::find(&mut writer.connection, holder.id)? else { return Ok(None) };
    let row = tasks::table.filter(tasks::id.eq(uid(&waiting.id))).select((tasks::live_key, tasks::ready_at));
    let (key, ready_at): (Option<String>, Option<i64>) = row.first(&mut writer.connection)?;
    if !waiting.status().is_waiting() || key.as_deref() != task.unique_key() {
        return Ok(None);
    }
    // It would put a stranger into a graph that was submitted as one.
    if waiting.workflow_id.is_some() || wanted::is_callback(writer, &waiting)? {
        return Ok(Some(Inserted::KeyHeld(holder.id)));
    }
    replace(writer, &waiting, ready_at, task)?;
    Ok(Some(Inserted::Replaced(holder.id)))
}

/// Makes of a task that waits what was asked for, as a new generation of it. It keeps its id, what it waits for and who waits
/// for it, and its place among those that are ready, unless another time was asked for.
fn replace(writer: &mut Writer, old: &StateRecord, ready_at: Option<Millis>, new: &NewTask) -> QueryResult<()> {
    let (from, now) = (old.status(), new.created_at);
    // Parents come first.
    let ready_at = ready_at.map(|at| new.run_at.map_or(at.min(now), |run_at| run_at.max(now)));
    let to = match ready_at {
        None => Status::Pending,
        Some(at) if at > now => Status::Scheduled,
        Some(_) => Status::Queued,
    };
    let place = new.lane();
    let unique = new.unique.as_ref();
    let tags = (!new.tags.is_empty()).then(|| serde_json::to_string(&new.tags).unwrap_or_default());
    let retry = new.retry.as_ref().map(|policy| serde_json::to_string(policy).unwrap_or_default());
    let priority = i32::from(new.priority.level());
    diesel::update(tasks::table.filter(tasks::id.eq(uid(&old.id))))
        .set((
            (tasks::name.eq(&new.name), tasks::args.eq(&new.args), tasks::kwargs.eq(&new.kwargs)),
            (tasks::priority.eq(priority), tasks::status.eq(i32::from(to.code())), tasks::ready_at.eq(ready_at)),
            (tasks::run_at.eq(new.run_at), tasks::expires_at.eq(new.expires_at), tasks::max_age_ms.eq(new.max_age_ms)),
            (tasks::max_retries.eq(reading::signed(new.max_retries)), tasks::retry.eq(retry)),
            (tasks::timeout_ms.eq(new.timeout_ms), tasks::result_ttl_ms.eq(new.result_ttl_ms)),
            (tasks::tags.eq(tags), tasks::meta.eq(&new.meta)),
            (tasks::flow.eq(new.flow_text()), tasks::lane.eq(place.map(|place| place.lane))),
            // It finds its lane when its time has come.
            (tasks::sublane.eq(place.map(|place| place.sublane)), tasks::laned.eq(false)),
            tasks::unique_while.eq(unique.and_then(|unique| unique.scope.code())),
            tasks::unique_until.eq(unique.and_then(|unique| unique.until)),
            tasks::generation.eq(tasks::generation + 1),
            (tasks::attempt.eq(0), tasks::failures.eq(0), tasks::crashes.eq(0), tasks::snoozes.eq(None::<i32>)),
            (tasks::started_at.eq(None::<i64>), tasks::finished_at.eq(None::<i64>), tasks::error.eq(None::<String>)),
            (tasks::worker_id.eq(None::<Uid>), tasks::lease_id.eq(None::<Uid>)),
        ))
        .execute(&mut writer.connection)?;
    if let Some(at) = new.expires_at {
        expiry::note(writer, old.id(), at)?;
    }
    let (queue, priority, id) = (old.queue(), new.priority, old.id());
    writer.deltas.add(&queue, old.priority(), Counted::In(from), -1);
    writer.deltas.add(&queue, priority, Counted::In(to), 1);
    writer.effects.changed.push((id, queue.clone(), to));
    let keyed = place.is_some();
    writer.effects.ready.extend(ready_at.map(|at| Ready { queue, priority, keyed, mark: (at, id) }));
    Ok(())
}

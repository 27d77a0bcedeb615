//! New tasks, one prepared statement each: a call into the library costs less than the row.

use diesel::prelude::*;

use super::{
    dependencies::Bonds,
    own::{InsertTask, NoteExpiry},
    records::{bytes, reading},
    ties,
    tx::Writer,
    unique,
};
use crate::{
    store::{Counted, Inserted},
    task::{NewTask, Status},
};

pub(super) fn insert(writer: &mut Writer, tasks: &[&NewTask]) -> QueryResult<Vec<Inserted>> {
    if tasks.len() < 2 || tasks.iter().all(|task| task.unique.is_none()) {
        return tasks.iter().map(|task| insert_one(writer, task)).collect();
    }
    // In the order of their keys, so that each page of the index is visited once; of one key in the order given.
    let mut order: Vec<usize> = (0..tasks.len()).collect();
    order.sort_by_key(|place| tasks[*place].unique_key());
    let mut inserted = vec![None; tasks.len()];
    for place in order {
        inserted[place] = Some(insert_one(writer, tasks[place])?);
    }
    Ok(inserted.into_iter().flatten().collect())
}

fn insert_one(writer: &mut Writer, task: &NewTask) -> QueryResult<Inserted> {
    let bonds = match ties::look_up(writer, task)? {
        Ok(bonds) => bonds,
        Err(unknown) => return Ok(Inserted::NoParent(unknown)),
    };
    let status = if bonds.unmet > 0 { Status::Pending } else { task.first_status() };
    while insert_row(writer, task, &bonds, status)? == 0 {
        // There is a holder: the insert has just met it in this transaction.
        let holder =
            unique::find(writer, &task.queue, task.unique_key().unwrap_or_default())?.ok_or(diesel::NotFound)?;
        if let Some(met) = unique::meet(writer, task, &holder)? {
            return Ok(met);
        }
    }
    writer.deltas.add(&task.queue, task.priority, Counted::In(status), 1);
    writer.deltas.add(&task.queue, task.priority, Counted::Submitted, 1);
    if let Some(at) = task.expires_at {
        NoteExpiry { at, task: bytes(task.id.as_bytes()) }.execute(&mut writer.connection)?;
    }
    if task.parents.is_empty() { Ok(Inserted::As(status)) } else { ties::tie(writer, task, &bonds, status) }
}

/// How many were stored: none where another has the key.
fn insert_row(writer: &mut Writer, task: &NewTask, bonds: &Bonds, status: Status) -> QueryResult<usize> {
    let tags = (!task.tags.is_empty()).then(|| serde_json::to_string(&task.tags).unwrap_or_default());
    let retry = task.retry.as_ref().map(|policy| serde_json::to_string(policy).unwrap_or_default());
    let key = task.unique_key();
    let (flow, lane) = (task.flow_text(), task.lane());
    InsertTask {
        id: bytes(task.id.as_bytes()),
        queue: &task.queue,
        name: &task.name,
        priority: task.priority.level().into(),
        status: status.code().into(),
        ready_at: (status != Status::Pending).then(|| task.ready_at()),
        created_at: task.created_at,
        run_at: task.run_at,
        expires_at: task.expires_at,
        max_age_ms: task.max_age_ms,
        max_retries: reading::signed(task.max_retries),
        timeout_ms: task.timeout_ms,
        unique_key: key,
        live_key: key,
        unique_while: task.unique.as_ref().and_then(|unique| unique.scope.code()),
        unique_until: task.unique.as_ref().and_then(|unique| unique.until),
        retry: retry.as_deref(),
        result_ttl_ms: task.result_ttl_ms,
        parents: i32::try_from(task.parents.len()).unwrap_or(i32::MAX),
        unmet: reading::signed(bonds.unmet),
        workflow: task.workflow.as_ref().map(|id| bytes(id.as_bytes())),
        has_dependants: task.has_dependants,
        tags: tags.as_deref(),
        meta: task.meta.as_deref(),
        flow: flow.as_deref(),
        lane: lane.map(|place| place.lane),
        sublane: lane.map(|place| place.sublane),
        laned: lane.is_some() && status == Status::Queued,
        args: &task.args,
        kwargs: &task.kwargs,
    }
    .execute(&mut writer.connection)
}

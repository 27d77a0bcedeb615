//! What a claim finds at the door of a queue.

use diesel::{prelude::*, result::Error};

use super::{
    key::uid,
    limits,
    records::reading,
    schema::{queues, workers},
    tx::Writer,
};
use crate::{store::Entrance, task::WorkerId};

/// Holds the worker, so that it is not declared dead before its grants can be seen, and the queue, so that it is not paused
/// meanwhile: shared with other claims, or for this one alone where there is something to be counted.
pub(super) fn entrance(writer: &mut Writer, queue: &str, worker: WorkerId, limited: bool) -> QueryResult<Entrance> {
    let alive = workers::table.find(uid(worker.as_bytes())).select(workers::state).for_key_share();
    let state: Option<String> = alive.first(&mut writer.connection).optional()?;
    if !matches!(state.as_deref(), Some("alive" | "draining")) {
        return Ok(Entrance { fenced: true, ..Entrance::default() });
    }
    // A lock that is shared by two cannot be made exclusive by both: which it must be is asked first.
    let row = queues::table.find(queue).select((queues::paused, queues::weight, queues::settings));
    let before = entrance_of(row.first(&mut writer.connection).optional()?);
    let alone = limited || !before.settings.is_unlimited();
    let held = if alone {
        row.for_update().first(&mut writer.connection).optional()?
    } else {
        row.for_key_share().first(&mut writer.connection).optional()?
    };
    let entrance = entrance_of(held);
    // A limit was set in between: once more.
    if alone || entrance.settings.is_unlimited() { Ok(entrance) } else { Err(Error::RollbackTransaction) }
}

fn entrance_of(row: Option<(bool, i32, String)>) -> Entrance {
    let (paused, weight, text) = row.unwrap_or_else(|| (false, 1, "{}".into()));
    Entrance { fenced: false, paused, weight: reading::count(weight), settings: limits::settings(&text) }
}

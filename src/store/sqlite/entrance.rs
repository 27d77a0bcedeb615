//! What a claim finds at the door of a queue.

use diesel::prelude::*;

use super::{
    limits,
    own::SeeLanes,
    records::{bytes, reading},
    schema::{queues, workers},
    tx::Writer,
};
use crate::{store::Entrance, task::WorkerId};

pub(super) fn entrance(writer: &mut Writer, queue: &str, worker: WorkerId, _: bool) -> QueryResult<Entrance> {
    let alive = workers::table.find(bytes(worker.as_bytes())).select(workers::state);
    let state: Option<String> = alive.first(&mut writer.connection).optional()?;
    if !matches!(state.as_deref(), Some("alive" | "draining")) {
        return Ok(Entrance { fenced: true, ..Entrance::default() });
    }
    let row = queues::table.find(queue).select((queues::paused, queues::weight, queues::settings));
    let found: Option<(bool, i32, String)> = row.first(&mut writer.connection).optional()?;
    let (paused, weight, text) = found.unwrap_or_else(|| (false, 1, "{}".into()));
    let seen: Vec<(bool, Option<i64>)> = SeeLanes { queue, queue_too: queue }.load(&mut writer.connection)?;
    let (laned, unlaned) = seen.into_iter().next().unwrap_or_default();
    let (weight, settings) = (reading::count(weight), limits::settings(&text));
    Ok(Entrance { fenced: false, paused, weight, settings, laned, unlaned })
}

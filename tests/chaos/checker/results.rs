//! A result reads the same at any node until its time is over, and is gone from then on (14).

use std::collections::{HashMap, HashSet};

use jobqueue::task::Status;
use serde_json::Value;
use uuid::Uuid;

use super::Look;
use crate::history::{Micros, Read};

pub(super) fn check(look: &mut Look<'_>) {
    let history = look.history;
    let stored: HashMap<Uuid, Option<&str>> =
        history.store.tasks.iter().map(|task| (task.id, task.result.as_deref())).collect();
    let value = |text: &str| serde_json::from_str::<Value>(text).ok();
    let is_stored = |task: &Uuid, shown: &str| stored.get(task).copied().flatten().and_then(value) == value(shown);
    for (task, shown) in &history.results {
        // Its time may be over: such results were read all along, and follow below.
        if look.result_over(*task).is_none() && !is_stored(task, shown) {
            look.broken(14, "a result reads otherwise", *task, &format!("was given out as {shown}"));
        }
    }
    let mut given: HashSet<Uuid> = HashSet::new();
    for read in &history.reads {
        let Some(over) = look.result_over(read.task) else { continue };
        let broken = match read.status {
            200 if !is_stored(&read.task, &read.result) => Some("a result reads otherwise"),
            // The server's clock counts whole milliseconds.
            200 if read.from >= over + 1_000 => Some("a result is given out after its time"),
            410 if read.until < over => Some("a result is gone before its time"),
            202 if given.contains(&read.task) => Some("a result was given out and is not there"),
            _ => None,
        };
        if read.status == 200 {
            given.insert(read.task);
        }
        if let Some(name) = broken {
            look.broken(14, name, read.task, &format!("its time is over at {over}: {}", shown(read)));
        }
    }
}

fn shown(read: &Read) -> String {
    format!("asked for at {}, at {} there was {} {}", read.from, read.until, read.status, read.result)
}

impl Look<'_> {
    /// When the result of a task that has succeeded is not given out any more.
    fn result_over(&self, task: Uuid) -> Option<Micros> {
        let row = self.tasks.get(&task).filter(|row| row.status == Status::Success)?;
        let (_, planned) = self.planned(row)?;
        Some((row.finished_at? + planned.result_ttl_ms?) * 1_000)
    }
}

//! Writes down what handlers have said, once a second for all of them, and tells those who watch.

use std::time::Duration;

use actix::prelude::*;
use serde_json::json;

use super::{
    events::{EventHub, Topic},
    supervision::{Shutdown, tree_actor},
};
use crate::engine::{Engine, Noted};

const EVERY: Duration = Duration::from_secs(1);
/// Told each time at most; the others are there to be read.
const MOST_TOLD: usize = 100;
/// Lines in one event: the last.
const MOST_LINES: usize = 20;
/// Bytes of a line in an event.
const LONGEST: usize = 500;

/// The clerk of what is said.
pub struct NoteTaker {
    engine: Engine,
    events: EventHub,
}

impl NoteTaker {
    pub fn new(engine: Engine, events: EventHub) -> Self {
        Self { engine, events }
    }

    fn flush(&mut self, ctx: &mut Context<Self>) {
        let engine = self.engine.clone();
        let work = async move { engine.flush_notes().await };
        ctx.spawn(work.into_actor(self).map(|noted, actor, ctx| {
            match noted {
                Ok(noted) => tell(&actor.events, &noted),
                Err(error) => log::warn!("What handlers have said could not be written down and is lost: {error}"),
            }
            ctx.run_later(EVERY, Self::flush);
        }));
    }
}

/// To those who watch: how far tasks have come, and the last lines of their logs.
pub(super) fn tell(events: &EventHub, noted: &[Noted]) {
    if !events.is_watched() {
        return;
    }
    for Noted { queue, note } in noted.iter().take(MOST_TOLD) {
        let attempt = &note.attempt;
        if let Some(progress) = &note.progress {
            let data = json!({
                "task_id": attempt.task, "queue": queue, "attempt": attempt.number, "generation": attempt.generation,
                "percent": progress.percent, "message": progress.message,
            });
            events.tell(Topic::Progress, &data);
        }
        if !note.lines.is_empty() {
            let first = note.lines.len().saturating_sub(MOST_LINES);
            let line = |line: &crate::task::LogLine| {
                let end = line.message.floor_char_boundary(LONGEST);
                json!({"at": jiff::Timestamp::from_millisecond(line.at).ok().map(|at| format!("{at:.3}")), "level": line.level, "message": line.message[..end]})
            };
            let lines: Vec<_> = note.lines[first..].iter().map(line).collect();
            let data = json!({
                "task_id": attempt.task, "queue": queue, "attempt": attempt.number, "generation": attempt.generation,
                "lines": lines, "more": first > 0 || note.dropped > 0,
            });
            events.tell(Topic::Log, &data);
        }
    }
}

impl Actor for NoteTaker {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.flush(ctx);
    }
}

impl Handler<Shutdown> for NoteTaker {
    type Result = ();

    fn handle(&mut self, _: Shutdown, ctx: &mut Self::Context) {
        // What the last handlers have said while the node drained.
        let engine = self.engine.clone();
        ctx.wait(async move { drop(engine.flush_notes().await) }.into_actor(self).map(|(), _, ctx| ctx.stop()));
    }
}

tree_actor!(NoteTaker);

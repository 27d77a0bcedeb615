//! What the store knows: the same from whichever node it is asked for.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::{
    families::{DEAD_LETTERS, HEAD, OLDEST_READY, QUEUES, TASKS, UNSERVABLE, WORKERS},
    text::Text,
};
use crate::{
    engine::{Engine, MOST_WORKERS},
    http::{queues, stats},
    store::{Counted, Reader, StoreError},
    task::{Millis, Status},
};

/// The states a worker's row may have, so that a series does not go when its last worker does.
const STATES: [&str; 5] = ["alive", "quiet", "draining", "stopped", "dead"];

/// Of a queue, or of those that share a label.
#[derive(Default)]
struct Queue {
    tasks: [i64; Status::ALL.len()],
    oldest: Option<f64>,
    unservable: u64,
    head: usize,
}

pub(super) struct Stored {
    queues: BTreeMap<Arc<str>, Queue>,
    count: usize,
    workers: [usize; STATES.len()],
}

impl Stored {
    /// Blocks.
    pub(super) fn read(engine: &Engine, reader: &dyn Reader, now: Millis) -> Result<Self, StoreError> {
        let (rows, counters) = (reader.queues()?, reader.counters(None)?);
        let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
        let labels = engine.meter().labels(names.iter().copied());
        let labels: HashMap<&str, Arc<str>> = names.iter().copied().zip(labels).collect();
        let mut queues: BTreeMap<Arc<str>, Queue> = BTreeMap::new();
        for (name, label) in &labels {
            queues.entry(label.clone()).or_default().head += engine.broker().depth(name);
        }
        // Counters of a queue that was deleted are left where they are: they are zero.
        for row in &counters {
            let place = |status| Status::ALL.iter().position(|known| *known == status);
            if let (Counted::In(status), Some(label)) = (row.kind, labels.get(row.queue.as_str()))
                && let (Some(queue), Some(place)) = (queues.get_mut(label), place(status))
            {
                queue.tasks[place] += row.n;
            }
        }
        let offers = reader.offers(MOST_WORKERS)?;
        for (name, waiting) in stats::busiest(&counters) {
            let Some(queue) = labels.get(name).and_then(|label| queues.get_mut(label)) else { continue };
            queue.unservable += queues::unservable(reader, name, waiting, &offers)?;
            let age = queues::oldest_ready(reader, name, now)?;
            queue.oldest = [queue.oldest, age].into_iter().flatten().reduce(f64::max);
        }
        let mut workers = [0; STATES.len()];
        for worker in reader.workers()? {
            if let Some(place) = STATES.iter().position(|state| *state == worker.shown_state()) {
                workers[place] += 1;
            }
        }
        Ok(Self { queues, count: rows.len(), workers })
    }

    pub(super) fn write(&self, text: &mut Text) {
        let mut tasks = text.family(&TASKS);
        for (name, queue) in &self.queues {
            for (status, n) in Status::ALL.iter().zip(queue.tasks) {
                tasks.add(&[("queue", name), ("status", status.as_str())], n as f64);
            }
        }
        let mut dead = text.family(&DEAD_LETTERS);
        for (name, queue) in &self.queues {
            let all = Status::ALL.iter().zip(queue.tasks).filter(|(status, _)| status.is_dead());
            dead.add(&[("queue", name)], all.map(|(_, n)| n).sum::<i64>() as f64);
        }
        let mut unservable = text.family(&UNSERVABLE);
        for (name, queue) in &self.queues {
            unservable.add(&[("queue", name)], queue.unservable as f64);
        }
        let mut oldest = text.family(&OLDEST_READY);
        for (name, queue) in &self.queues {
            oldest.add(&[("queue", name)], queue.oldest.unwrap_or(0.0));
        }
        let mut head = text.family(&HEAD);
        for (name, queue) in &self.queues {
            head.add(&[("queue", name)], queue.head as f64);
        }
        text.single(&QUEUES, self.count as f64);
        let mut workers = text.family(&WORKERS);
        for (state, n) in STATES.iter().zip(self.workers) {
            workers.add(&[("state", state)], n as f64);
        }
    }
}

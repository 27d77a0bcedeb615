//! What was acknowledged exists, once, as it was sent, and is over (1, 13, 16).

use std::collections::HashMap;

use jobqueue::task::Status;
use uuid::Uuid;

use super::{Look, number};
use crate::{
    history::{Micros, Submitted, Told},
    node::hash,
};

pub(super) fn check(look: &mut Look<'_>) {
    acknowledged(look);
    over_as_planned(look);
    only_what_was_sent(look);
    unique_keys(look);
}

fn acknowledged(look: &mut Look<'_>) {
    let history = look.history;
    for submitted in &history.submitted {
        let Submitted { n, told, detail, .. } = submitted;
        match told {
            Told::Created(id) if !look.tasks.contains_key(id) => {
                look.broken(1, "acknowledged and lost", *id, &format!("{submitted:?}"));
            }
            Told::Deduplicated(id) => {
                let holder = look.tasks.get(id).and_then(|row| row.unique_key.as_ref());
                if holder.is_none() || holder != history.plan[*n].unique_key.as_ref() {
                    look.broken(13, "the holder of a unique key does not have it", *id, &format!("{submitted:?}"));
                }
            }
            Told::Refused => {
                look.broken_by_none(1, "a valid submission was refused", format!("task {n} of the plan: {detail}"));
            }
            Told::Created(_) | Told::KeyHeld | Told::Nothing => {}
        }
    }
}

fn over_as_planned(look: &mut Look<'_>) {
    let history = look.history;
    let dead: HashMap<Uuid, &str> = history.store.dead.iter().map(|dead| (dead.task, dead.reason.as_str())).collect();
    for task in &history.store.tasks {
        let Some((_, planned)) = look.planned(task) else { continue };
        let status = task.status;
        if !status.is_terminal() {
            // One that waits for parents which are over is named there.
            if status != Status::Pending {
                look.broken(1, "not over", task.id, &format!("is still {status}"));
            }
            continue;
        }
        let poisoned = dead.get(&task.id) == Some(&"poison") && task.crashes >= 3;
        let expected = match status {
            Status::Success => planned.fails < 100,
            Status::Failed => poisoned || (planned.fails > 0 && task.failures == task.max_retries + 1),
            Status::Cancelled => planned.cancel.is_some(),
            Status::Expired => planned.expires_in_ms.is_some(),
            Status::Skipped => !planned.parents.is_empty(),
            _ => false,
        };
        if !expected {
            look.broken(1, "another end than planned", task.id, &format!("is {status}, planned as {planned:?}"));
        }
    }
}

fn only_what_was_sent(look: &mut Look<'_>) {
    let history = look.history;
    let mut ids: HashMap<usize, Uuid> = HashMap::new();
    for task in &history.store.tasks {
        let Some((n, planned)) = look.planned(task) else {
            look.broken(16, "a task nobody has submitted", task.id, "is not of the plan");
            continue;
        };
        if let Some(other) = ids.insert(n, task.id) {
            look.broken(13, "two tasks by one idempotency key", task.id, &format!("is a second {other}"));
        }
        if hash(&task.kwargs) != hash(&planned.kwargs(n).to_string()) || task.queue != planned.queue {
            look.broken(16, "a payload has changed", task.id, &format!("was sent as {planned:?}"));
        }
        let told = look.submitted.get(&n).map(|submitted| submitted.told);
        if let Some(Told::Refused | Told::KeyHeld | Told::Deduplicated(_)) = told {
            look.broken(13, "stored although it was answered otherwise", task.id, &format!("{told:?}"));
        }
        if let Some(Told::Created(id)) = told
            && id != task.id
        {
            look.broken(13, "two tasks by one idempotency key", task.id, &format!("{id} was acknowledged"));
        }
    }
    for execution in &history.executions {
        let start = &execution.start;
        match look.tasks.get(&start.task) {
            None => look.broken(16, "a task that does not exist has run", start.task, "is not in the store"),
            Some(row)
                if number(row) != Some(start.n) || hash(&row.kwargs) != start.hash || row.queue != start.queue =>
            {
                look.broken(16, "a payload has changed", start.task, "its handler was given something else");
            }
            Some(_) => {}
        }
    }
}

/// From, until, of this task.
type Span = (Micros, Micros, Uuid);

/// A task with a key is live for sure from its acknowledgement until its end, and while it runs under a live lease.
fn unique_keys(look: &mut Look<'_>) {
    let history = look.history;
    let mut live: HashMap<(&str, &str), Vec<Span>> = HashMap::new();
    for task in &history.store.tasks {
        let Some(key) = task.unique_key.as_deref() else { continue };
        let spans = live.entry((&task.queue, key)).or_default();
        let end = task.finished_at.map_or(Micros::MAX, |at| at * 1_000);
        let submitted = number(task).and_then(|n| look.submitted.get(&n));
        if let Some(submitted) = submitted.filter(|submitted| matches!(submitted.told, Told::Created(_))) {
            spans.push((submitted.answered, end, task.id));
        }
        let runs = look.executions(task.id).iter();
        spans.extend(runs.map(|run| (run.start.at, look.lease_end(run), task.id)));
    }
    for ((_, key), mut spans) in live {
        spans.retain(|(from, until, _)| from < until);
        spans.sort_unstable();
        let mut latest: Option<(Micros, Uuid)> = None;
        for (from, until, task) in spans {
            if let Some((end, other)) = latest.filter(|(end, other)| from < *end && *other != task) {
                let what = format!("was live with the unique key {key:?} at {from}, and so was {other} until {end}");
                look.broken(13, "two live tasks with one unique key", task, &what);
            }
            latest = latest.filter(|(end, _)| *end > until).or(Some((until, task)));
        }
    }
}

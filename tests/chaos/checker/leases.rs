//! One holder at a time, what it says is kept and nothing else, and leases are lost only where something was done to their
//! node (2, 3, 4, 12).

use std::collections::{HashMap, HashSet};

use jobqueue::task::Status;

use super::Look;
use crate::{
    history::{Execution, Harm, Moment, TaskRow},
    nemesis::CUT_OFF,
    node,
};

pub(super) fn check(look: &mut Look<'_>) {
    let history = look.history;
    for task in &history.store.tasks {
        one_at_a_time(look, task);
        granted(look, task);
        result_of_the_last(look, task);
        attempts_add_up(look, task);
    }
    lost_for_a_reason(look);
    spool_is_heard(look);
}

fn one_at_a_time(look: &mut Look<'_>, task: &TaskRow) {
    let runs = look.executions(task.id).to_vec();
    for pair in runs.windows(2) {
        let (before, next) = (pair[0], pair[1]);
        if before.start.attempt == next.start.attempt {
            let what = format!("attempt {} has started twice", next.start.attempt);
            look.broken(2, "two starts by one grant", task.id, &what);
        } else if next.start.at < look.lease_end(before) {
            let what = format!("attempt {} started while the lease of the one before was live", next.start.attempt);
            look.broken(2, "two live leases", task.id, &what);
        }
    }
}

fn granted(look: &mut Look<'_>, task: &TaskRow) {
    for execution in look.executions(task.id).to_vec() {
        let start = &execution.start;
        let why = match look.grant(task.id, start.attempt) {
            None => Some("the store knows of no such attempt".to_owned()),
            Some((Some(at), _)) if start.at / 1_000 < at => Some(format!("it was granted only at {at}")),
            Some((_, Some(worker))) if look.workers.get(&worker).is_some_and(|row| row.pid != start.pid) => {
                Some(format!("it was granted to worker {worker}, another process"))
            }
            Some(_) if start.attempt == task.attempt && task.lease.is_some_and(|lease| lease != start.lease) => {
                Some("it was granted under another lease".to_owned())
            }
            Some(_) => None,
        };
        if let Some(why) = why {
            look.broken(2, "a start without a grant", task.id, &format!("attempt {}: {why}", start.attempt));
        }
    }
}

fn ended(run: &Execution, attempt: u32, moment: Moment) -> bool {
    run.start.attempt == attempt && run.end.is_some_and(|(_, what)| what == moment)
}

fn result_of_the_last(look: &mut Look<'_>, task: &TaskRow) {
    let runs = look.executions(task.id).to_vec();
    if task.status == Status::Success {
        let given: Option<serde_json::Value> =
            task.result.as_deref().and_then(|result| serde_json::from_str(result).ok());
        let returned = |run: &&&Execution| {
            let Execution { start, .. } = run;
            let result = node::result(start.n, start.attempt, start.lease, &start.node);
            ended(run, task.attempt, Moment::Success) && given.as_ref() == Some(&result)
        };
        if !runs.iter().any(|run| returned(&run)) {
            look.broken(3, "a result that its last holder has not returned", task.id, "its result is somebody else's");
        }
    } else if task.result.is_some() {
        look.broken(3, "a result of a task without success", task.id, "has a result");
    }
    let attempts: Vec<_> = look.history.store.attempts.iter().filter(|attempt| attempt.task == task.id).collect();
    for attempt in attempts {
        let (number, outcome) = (attempt.number, attempt.outcome.as_str());
        let failed = runs.iter().any(|run| ended(run, number, Moment::Failure) || ended(run, number, Moment::Stopped));
        if outcome == "failure" && !failed {
            look.broken(3, "a failure that its holder has not reported", task.id, &format!("attempt {number}"));
        }
    }
}

fn attempts_add_up(look: &mut Look<'_>, task: &TaskRow) {
    // The last is among them only if the task went back to its queue, and ended there.
    let rows: Vec<_> = (1..=task.attempt).map(|number| look.attempts.get(&(task.id, number)).copied()).collect();
    if rows.iter().rev().skip(1).any(Option::is_none) {
        return look.broken(12, "an attempt is missing", task.id, "its attempts are not numbered without a gap");
    }
    let with = |outcome: &str| rows.iter().flatten().filter(|row| row.outcome == outcome).count() as u32;
    let reason = look.history.store.dead.iter().find(|dead| dead.task == task.id).map(|dead| dead.reason.as_str());
    let died = u32::from(task.status.is_dead() && reason != Some("poison"));
    let failures = with("failure") + with("timeout") + died;
    if task.failures != failures {
        look.broken(12, "failures do not add up", task.id, &format!("{failures} are recorded"));
    }
    if task.failures > task.max_retries + 1 || (reason == Some("exhausted") && task.failures != task.max_retries + 1) {
        look.broken(12, "retries are not what was asked for", task.id, &format!("dead for the reason {reason:?}"));
    }
    // The third crash ends the task itself.
    if task.crashes > with("crashed") + u32::from(reason == Some("poison")) {
        look.broken(12, "crashes do not add up", task.id, "more are charged than there were");
    }
}

fn lost_for_a_reason(look: &mut Look<'_>) {
    let history = look.history;
    let harmed: HashSet<u32> = history.harms.iter().map(|harm| harm.pid).collect();
    let mut lost: HashMap<_, usize> = HashMap::new();
    for attempt in history.store.attempts.iter().filter(|attempt| attempt.outcome == "crashed") {
        *lost.entry(attempt.worker).or_default() += 1;
    }
    let untouched = history.store.workers.iter().filter(|worker| !harmed.contains(&worker.pid));
    for worker in untouched.filter(|worker| worker.state == "dead" || lost.contains_key(&Some(worker.id))) {
        let tasks = lost.get(&Some(worker.id)).copied().unwrap_or_default();
        let what = format!("{worker:?} was declared dead with {tasks} tasks, and nothing had been done to it");
        look.broken_by_none(4, "leases lost without a cause", what);
    }
    for exit in &history.exits {
        look.broken_by_none(4, "a node has ended by itself", format!("{exit:?}"));
    }
}

/// What was on a node's disk when it was killed its next life records, if it is back before others take the node's tasks.
fn spool_is_heard(look: &mut Look<'_>) {
    let history = look.history;
    for spooled in &history.spooled {
        let is_cut = |harm: &&Harm| (&harm.node, harm.pid, &*harm.what) == (&spooled.node, spooled.pid, CUT_OFF);
        let cut = history.harms.iter().find(is_cut);
        let lost = look.attempts.get(&(spooled.task, spooled.attempt)).filter(|row| row.outcome == "crashed");
        let Some((cut, at)) = cut.zip(lost.and_then(|row| row.finished_at)) else { continue };
        // Three heartbeats and 3 s are waited for, of which one may have gone by before the cut.
        if at < cut.at / 1_000 + history.patience_ms as i64 * 2 / 3 + 1_000 {
            let what = format!("attempt {} was in the spool of {} when it was killed", spooled.attempt, spooled.node);
            look.broken(4, "run again although its outcome was on the disk", spooled.task, &what);
        }
    }
}

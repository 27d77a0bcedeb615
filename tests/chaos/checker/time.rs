//! Never early, never too many, never while paused (5, 7, 8, 15).

use std::collections::BTreeSet;

use uuid::Uuid;

use super::Look;
use crate::history::{Bounds, Execution, Micros, Moment};

pub(super) fn check(look: &mut Look<'_>) {
    not_early(look);
    let history = look.history;
    for bounds in &history.bounds {
        let tenants: BTreeSet<_> = history.plan.iter().map(|planned| planned.tenant).collect();
        for tenant in if bounds.of_each { tenants } else { [None].into() } {
            let runs = |run: &&Execution| {
                run.start.queue == bounds.queue
                    && (!bounds.of_each
                        || history.plan.get(run.start.n).is_some_and(|planned| planned.tenant == tenant))
            };
            let runs: Vec<&Execution> = history.executions.iter().filter(runs).collect();
            if let Some((limit, per)) = bounds.rate {
                rate(look, bounds, &runs, limit, per);
            }
            if let Some(most) = bounds.concurrency {
                cap(look, bounds, &runs, most);
            }
        }
    }
    for pause in &history.pauses {
        for (task, queue, at) in look.grants() {
            // The time of a grant is that at which its transaction began: it was surely granted before the resume if it has
            // also started by then.
            let started = look.executions(task).iter().any(|run| (at * 1_000..pause.until).contains(&run.start.at));
            if queue == pause.queue && at * 1_000 > pause.from && started {
                look.broken(15, "started while its queue was paused", task, &format!("granted at {at}, {pause:?}"));
            }
        }
    }
}

fn not_early(look: &mut Look<'_>) {
    let history = look.history;
    for task in &history.store.tasks {
        let Some((n, planned)) = look.planned(task) else { continue };
        let runs = look.executions(task.id).to_vec();
        let asked = look.submitted.get(&n).filter(|_| planned.delay_ms > 0);
        // The server's clock counts whole milliseconds.
        let asked = asked.map(|submitted| submitted.sent / 1_000 + planned.delay_ms);
        for run in &runs {
            let early = [asked, task.run_at].into_iter().flatten().any(|at| run.start.at / 1_000 < at);
            if early {
                look.broken(
                    5,
                    "before its time",
                    task.id,
                    &format!("started at {}, delay {} ms", run.start.at, planned.delay_ms),
                );
            }
            back_off(look, run, &runs, planned.backoff_ms);
        }
        let late = |at: i64| task.expires_at.is_some_and(|expires_at| at >= expires_at);
        if (1..=task.attempt).any(|attempt| look.grant(task.id, attempt).is_some_and(|grant| grant.0.is_some_and(late)))
        {
            look.broken(5, "after its expiry", task.id, "was granted when it had expired");
        }
    }
}

/// An attempt that failed is followed by its back-off.
fn back_off(look: &mut Look<'_>, run: &Execution, runs: &[&Execution], wanted: i64) {
    let (task, attempt) = (run.start.task, run.start.attempt);
    let Some(row) = look.attempts.get(&(task, attempt.saturating_sub(1))).filter(|row| row.outcome == "failure") else {
        return;
    };
    let stored = row.finished_at.zip(row.next_delay_ms).map(|(at, delay)| at + delay);
    let before = runs.iter().find(|before| before.start.attempt + 1 == attempt);
    let reported = before.and_then(|before| before.end).filter(|(_, what)| *what == Moment::Failure);
    let asked = reported.map(|(at, _)| at / 1_000 + wanted);
    if [stored, asked].into_iter().flatten().any(|at| run.start.at / 1_000 < at) {
        let what = format!("attempt {attempt} started before the back-off of {wanted} ms was over");
        look.broken(5, "before its back-off was over", task, &what);
    }
}

/// A start counts from its grant at the earliest and, where its process was stopped between the two, as long after it as a
/// start may be.
fn rate(look: &mut Look<'_>, bounds: &Bounds, runs: &[&Execution], limit: usize, per: i64) {
    let latest = (per / 50).clamp(100, 2_000) * 1_000;
    let mut starts: Vec<(Micros, Uuid)> = Vec::new();
    for run in runs {
        let granted = look.grant(run.start.task, run.start.attempt).and_then(|grant| grant.0);
        let at = granted.map_or(run.start.at, |granted| run.start.at.min((granted + 1) * 1_000 + latest));
        starts.push((at, run.start.task));
    }
    starts.sort_unstable();
    for window in starts.windows(limit + 1) {
        let ((first, _), (last, task)) = (window[0], window[limit]);
        // What is cut off of the milliseconds on both sides.
        if last - first < (per - 2) * 1_000 {
            let what = format!("is start {} of {} within {} ms", limit + 1, bounds.queue, (last - first) / 1_000);
            return look.broken(7, "more starts than the rate allows", task, &what);
        }
    }
}

fn cap(look: &mut Look<'_>, bounds: &Bounds, runs: &[&Execution], most: usize) {
    let mut changes: Vec<(Micros, i32, Uuid)> = Vec::new();
    for run in runs {
        let end = look.lease_end(run);
        if run.start.at < end {
            changes.push((run.start.at, 1, run.start.task));
            changes.push((end, -1, run.start.task));
        }
    }
    // Of one moment the ends first.
    changes.sort_unstable();
    let mut running = 0;
    for (at, change, task) in changes {
        running += change;
        if running > most as i32 {
            let what = format!("is number {running} of {} at {at}", bounds.queue);
            return look.broken(8, "more at a time than the cap allows", task, &what);
        }
    }
}

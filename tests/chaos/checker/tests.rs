//! Hand-written histories: a good one, and for each promise the same with one thing changed that breaks it.

use jobqueue::{store::Counted, task::Status};
use uuid::Uuid;

use super::check;
use crate::{
    history::{
        AttemptRow, Bounds, Cancel, CancelTold, CounterRow, DeadRow, Execution, Exit, Harm, History, Line, Micros,
        Moment, Pause, Read, Spooled, Store, Submitted, TaskRow, TieRow, Told, WorkerRow, Written,
    },
    load::{Planned, Tie, When},
    nemesis::CUT_OFF,
    node::{hash, result},
};

const SECOND: Micros = 1_000_000;
const WORKER: Uuid = Uuid::from_u128(77);
const PID: u32 = 700;

fn id(n: usize) -> Uuid {
    Uuid::from_u128(1_000 + n as u128)
}

fn lease(n: usize, attempt: u32) -> Uuid {
    Uuid::from_u128(9_000 + 10 * n as u128 + u128::from(attempt))
}

fn planned() -> Planned {
    Planned { queue: "q", fails: 50, backoff_ms: 200, ..Planned::default() }
}

fn run(n: usize, attempt: u32, from: Micros, until: Micros, what: Moment) -> Execution {
    let start = Line {
        at: from,
        what: Moment::Start,
        task: id(n),
        attempt,
        lease: lease(n, attempt),
        n,
        queue: "q".into(),
        node: "a".into(),
        pid: PID,
        hash: hash(&planned().kwargs(n).to_string()),
    };
    Execution { start, end: Some((until, what)) }
}

/// A task that has succeeded at its only attempt.
fn row(n: usize, from: Micros, until: Micros) -> TaskRow {
    TaskRow {
        id: id(n),
        queue: "q".into(),
        status: Status::Success,
        created_at: 0,
        run_at: None,
        expires_at: None,
        started_at: Some(from / 1_000),
        finished_at: Some(until / 1_000),
        attempt: 1,
        failures: 0,
        crashes: 0,
        max_retries: 0,
        worker: Some(WORKER),
        lease: Some(lease(n, 1)),
        unique_key: None,
        kwargs: planned().kwargs(n).to_string(),
        result: Some(result(n, 1, lease(n, 1), "a").to_string()),
    }
}

fn attempt(n: usize, number: u32, from: Micros, until: Micros, outcome: &str) -> AttemptRow {
    AttemptRow {
        task: id(n),
        number,
        worker: Some(WORKER),
        started_at: Some(from / 1_000),
        finished_at: Some(until / 1_000),
        outcome: outcome.into(),
        next_delay_ms: (outcome == "failure").then_some(200),
    }
}

fn submitted(n: usize, told: Told) -> Submitted {
    Submitted { n, sent: 0, answered: 1_000, tries: 1, told, detail: String::new() }
}

fn recount(history: &mut History) {
    let mut counters = Vec::new();
    let mut add = |kind: Counted, sum: usize| {
        counters.push(CounterRow { queue: "q".into(), kind: kind.code().into(), sum: sum as i64 });
    };
    let tasks = &history.store.tasks;
    let of = |status| tasks.iter().filter(|task| task.status == status).count();
    for code in 0..=10 {
        let status = Status::from_code(code).unwrap();
        add(Counted::In(status), of(status));
    }
    add(Counted::Submitted, tasks.len());
    add(Counted::Succeeded, of(Status::Success));
    add(Counted::Dead, of(Status::Failed));
    add(Counted::CancelledTotal, of(Status::Cancelled));
    add(Counted::ExpiredTotal, of(Status::Expired));
    add(Counted::FailedAttempts, tasks.iter().map(|task| task.failures as usize).sum());
    add(Counted::Retried, history.store.attempts.iter().filter(|row| row.outcome == "failure").count());
    history.store.counters = counters;
}

/// Three tasks one second after the other: 0 by itself, 1 fails once, 2 is the child of 0.
fn good() -> History {
    let mut history = History {
        plan: vec![
            planned(),
            Planned { max_retries: 3, ..planned() },
            Planned { parents: vec![Tie { parent: 0, run_anyway: false }], ..planned() },
        ],
        submitted: (0..3).map(|n| submitted(n, Told::Created(id(n)))).collect(),
        executions: vec![
            run(0, 1, SECOND, SECOND + 500_000, Moment::Success),
            run(1, 1, 2 * SECOND, 2 * SECOND + 500_000, Moment::Failure),
            run(1, 2, 3 * SECOND, 3 * SECOND + 500_000, Moment::Success),
            run(2, 1, 4 * SECOND, 4 * SECOND + 500_000, Moment::Success),
        ],
        store: Store {
            tasks: vec![
                row(0, SECOND, SECOND + 500_000),
                TaskRow {
                    attempt: 2,
                    failures: 1,
                    max_retries: 3,
                    lease: Some(lease(1, 2)),
                    result: Some(result(1, 2, lease(1, 2), "a").to_string()),
                    ..row(1, 3 * SECOND, 3 * SECOND + 500_000)
                },
                row(2, 4 * SECOND, 4 * SECOND + 500_000),
            ],
            attempts: vec![attempt(1, 1, 2 * SECOND, 2 * SECOND + 500_000, "failure")],
            workers: vec![WorkerRow { id: WORKER, pid: PID, state: "alive".into() }],
            ties: vec![TieRow { parent: id(0), child: id(2), run_anyway: false }],
            ..Store::default()
        },
        ..History::default()
    };
    recount(&mut history);
    history
}

#[test]
fn a_task_that_went_back_to_its_queue_may_end_there() {
    let mut history = good();
    history.plan[0].expires_in_ms = Some(2_000);
    history.executions[0].end = None;
    history.harms.push(Harm { node: "a".into(), pid: PID, what: "killed".into(), at: SECOND });
    history.store.workers[0].state = "dead".into();
    history.store.attempts.push(attempt(0, 1, SECOND, SECOND + 400_000, "crashed"));
    let back = TaskRow {
        crashes: 1,
        expires_at: Some(2_000),
        worker: None,
        lease: None,
        result: None,
        ..row(0, 0, 2 * SECOND)
    };
    history.store.tasks[0] = TaskRow { status: Status::Expired, started_at: None, ..back };
    history.store.ties[0].run_anyway = true;
    recount(&mut history);
    let found = check(&history);
    assert!(found.is_empty(), "{found:?}");
}

/// The promises found broken after a change.
#[track_caller]
fn breaks(number: u32, name: &str, change: impl FnOnce(&mut History)) {
    let mut history = good();
    change(&mut history);
    if number != 17 {
        recount(&mut history);
    }
    let found = check(&history);
    assert!(found.iter().any(|found| (found.number, found.name) == (number, name)), "{name}: {found:?}");
}

#[test]
fn a_good_history_breaks_nothing() {
    let found = check(&good());
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn what_was_acknowledged_is_there_once_as_it_was_sent_and_over() {
    breaks(1, "acknowledged and lost", |history| history.submitted[0].told = Told::Created(id(9)));
    breaks(1, "a valid submission was refused", |history| history.submitted[0].told = Told::Refused);
    breaks(1, "not over", |history| history.store.tasks[0].status = Status::Queued);
    breaks(1, "another end than planned", |history| history.store.tasks[0].status = Status::Cancelled);
    breaks(13, "two tasks by one idempotency key", |history| {
        history.store.tasks.push(TaskRow { id: id(9), ..row(0, SECOND, SECOND + 1) });
    });
    breaks(13, "stored although it was answered otherwise", |history| history.submitted[0].told = Told::KeyHeld);
    breaks(16, "a payload has changed", |history| history.executions[0].start.hash += 1);
    breaks(16, "a task nobody has submitted", |history| history.store.tasks[2].kwargs = r#"{"n":99}"#.into());
    breaks(16, "a task that does not exist has run", |history| history.executions[0].start.task = id(9));
}

#[test]
fn a_unique_key_is_held_once() {
    breaks(13, "two live tasks with one unique key", |history| {
        for n in [0, 1] {
            history.plan[n].unique_key = Some("k".into());
            history.store.tasks[n].unique_key = Some("k".into());
        }
    });
    breaks(13, "the holder of a unique key does not have it", |history| {
        history.plan.push(Planned { unique_key: Some("k".into()), ..planned() });
        history.submitted.push(submitted(3, Told::Deduplicated(id(0))));
    });
}

#[test]
fn a_lease_has_one_holder_and_its_result_counts() {
    breaks(2, "two starts by one grant", |history| {
        history.executions.push(run(0, 1, 5 * SECOND, 6 * SECOND, Moment::Success));
    });
    breaks(2, "two live leases", |history| {
        history.executions[1].end = Some((4 * SECOND, Moment::Failure));
        history.store.attempts[0].finished_at = Some(4_000);
    });
    breaks(2, "a start without a grant", |history| history.executions[0].start.pid += 1);
    breaks(2, "a start without a grant", |history| {
        history.executions.push(run(0, 2, 5 * SECOND, 6 * SECOND, Moment::Success));
    });
    breaks(3, "a result that its last holder has not returned", |history| {
        history.store.tasks[1].result = Some(result(1, 1, lease(1, 1), "a").to_string());
    });
    breaks(3, "a result of a task without success", |history| history.store.tasks[0].status = Status::Cancelled);
    breaks(3, "a failure that its holder has not reported", |history| {
        history.executions[1].end = Some((2 * SECOND + 500_000, Moment::Success));
    });
}

#[test]
fn leases_are_lost_for_a_reason_and_attempts_add_up() {
    breaks(4, "leases lost without a cause", |history| history.store.workers[0].state = "dead".into());
    breaks(4, "a node has ended by itself", |history| {
        history.exits.push(Exit { node: "a".into(), pid: PID, code: "1".into(), log: String::new() });
    });
    breaks(12, "an attempt is missing", |history| history.store.attempts.clear());
    breaks(12, "failures do not add up", |history| history.store.tasks[0].failures = 1);
    breaks(12, "crashes do not add up", |history| history.store.tasks[0].crashes = 1);
    breaks(12, "retries are not what was asked for", |history| {
        let dead = DeadRow { task: id(1), reason: "exhausted".into() };
        history.store.dead.push(dead);
        history.store.tasks[1].status = Status::Failed;
        history.store.tasks[1].failures = 2;
    });
}

#[test]
fn nothing_is_early_or_too_much_or_paused() {
    breaks(5, "before its time", |history| history.store.tasks[0].run_at = Some(1_001));
    breaks(5, "before its time", |history| history.plan[0].delay_ms = 1_001);
    breaks(5, "before its back-off was over", |history| history.store.attempts[0].next_delay_ms = Some(501));
    breaks(5, "before its back-off was over", |history| history.plan[1].backoff_ms = 501);
    breaks(5, "after its expiry", |history| history.store.tasks[0].expires_at = Some(1_000));
    breaks(7, "more starts than the rate allows", |history| {
        history.bounds.push(Bounds { queue: "q".into(), rate: Some((3, 4_000)), ..Bounds::default() });
    });
    breaks(8, "more at a time than the cap allows", |history| {
        history.bounds.push(Bounds { queue: "q".into(), concurrency: Some(1), ..Bounds::default() });
        history.executions[0].end = Some((5 * SECOND, Moment::Success));
        history.store.tasks[0].finished_at = Some(5_000);
    });
    breaks(15, "started while its queue was paused", |history| {
        history.pauses.push(Pause { queue: "q".into(), from: SECOND - 1, until: SECOND + 2_000 });
    });
}

#[test]
fn a_child_comes_after_its_parents() {
    breaks(9, "a child started before its parents were over", |history| {
        history.store.tasks[0].finished_at = Some(4_001)
    });
    breaks(9, "started although a parent has failed", |history| history.store.tasks[0].status = Status::Failed);
    breaks(9, "skipped without a reason", |history| history.store.tasks[2].status = Status::Skipped);
    breaks(9, "pending for ever", |history| history.store.tasks[2].status = Status::Pending);
    breaks(9, "a dependency is lost", |history| history.store.ties.clear());
}

#[test]
fn ends_are_what_was_said() {
    let cancel = |history: &mut History, at| {
        history.plan[0].cancel = Some(When::AtOnce);
        let told = CancelTold::WhileWaiting;
        history.cancels.push(Cancel { task: id(0), answered: at, told });
    };
    breaks(10, "cancelled while it waited, and ended otherwise", |history| cancel(history, 6 * SECOND));
    breaks(10, "cancelled while it waited, and started", |history| cancel(history, SECOND - 1));
    breaks(11, "the dead letters are not the dead tasks", |history| history.store.tasks[0].status = Status::Failed);
    breaks(11, "the dead letters are not the dead tasks", |history| {
        history.store.dead.push(DeadRow { task: id(0), reason: "exhausted".into() });
    });
    breaks(14, "a result reads otherwise", |history| history.results.push((id(0), "1".into())));
    breaks(17, "a counter is not the count", |history| history.store.counters[5].sum += 1);
    breaks(17, "leases are left", |history| history.store.leases = 1);
}

/// Reads of the first task's result, which is over at 1.5 s and given out for one second.
fn reads(history: &mut History, reads: &[(Micros, u16)]) {
    history.plan[0].result_ttl_ms = Some(1_000);
    let result = history.store.tasks[0].result.clone().unwrap();
    history.reads = reads
        .iter()
        .map(|(from, status)| {
            let result = if *status == 200 { result.clone() } else { "null".into() };
            Read { task: id(0), from: *from, until: from + 1_000, status: *status, result }
        })
        .collect();
}

#[test]
fn a_result_is_given_out_until_its_time_is_over() {
    const OVER: Micros = 2 * SECOND + 500_000;
    let mut history = good();
    reads(&mut history, &[(SECOND, 202), (2 * SECOND, 200), (OVER - 500, 410), (OVER, 200), (OVER + SECOND, 410)]);
    let found = check(&history);
    assert!(found.is_empty(), "{found:?}");
    breaks(14, "a result is given out after its time", |history| reads(history, &[(OVER + 1_000, 200)]));
    breaks(14, "a result is gone before its time", |history| reads(history, &[(OVER - 2_000, 410)]));
    breaks(14, "a result was given out and is not there", |history| {
        reads(history, &[(SECOND, 200), (SECOND + 1, 202)])
    });
    breaks(14, "a result reads otherwise", |history| {
        reads(history, &[(SECOND, 200)]);
        history.reads[0].result = "1".into();
    });
}

/// So many tasks of a low priority, and one of a high one that comes after them all, one second after the other.
fn in_a_row(history: &mut History, low: usize) {
    for n in 3..=3 + low {
        let (from, priority) = (4 * SECOND + n as Micros * SECOND, if n == 3 + low { 8 } else { 2 });
        history.plan.push(Planned { priority, ..planned() });
        history.submitted.push(submitted(n, Told::Created(id(n))));
        history.executions.push(run(n, 1, from, from + 500_000, Moment::Success));
        history.store.tasks.push(row(n, from, from + 500_000));
    }
}

#[test]
fn a_high_priority_is_not_overtaken() {
    breaks(6, "overtaken by lower priorities", |history| in_a_row(history, 37));
    // As many as the nodes may have had in hand.
    let mut history = good();
    in_a_row(&mut history, 36);
    recount(&mut history);
    let found = check(&history);
    assert!(found.is_empty(), "{found:?}");
    breaks(6, "overtaken by lower priorities", |history| {
        in_a_row(history, 60);
        history.deeds.push(SECOND);
    });
}

#[test]
fn nothing_secret_is_written() {
    breaks(18, "a secret was written", |history| {
        history.secrets = vec!["hunter2"];
        let text = "INFO up\nWARN cannot reach redis://:hunter2@redis\n".into();
        history.written.push(Written { place: "a.log".into(), text });
    });
}

#[test]
fn an_outcome_on_the_disk_of_a_node_is_not_lost() {
    // Attempt 1 of task 1, taken back at that time.
    let found = |at: Micros, attempt| {
        let mut history = good();
        history.harms = vec![Harm { node: "a".into(), pid: PID, what: CUT_OFF.into(), at: 2 * SECOND }];
        history.spooled = vec![Spooled { node: "a".into(), pid: PID, task: id(1), attempt }];
        history.patience_ms = 6_000;
        history.store.attempts[0].outcome = "crashed".into();
        history.store.attempts[0].finished_at = Some(at / 1_000);
        check(&history).iter().any(|found| found.name == "run again although its outcome was on the disk")
    };
    assert!(found(6 * SECOND, 1), "on the disk, and taken back by its next life");
    assert!(!found(6 * SECOND, 2), "another attempt");
    assert!(!found(7 * SECOND, 1), "taken by others meanwhile");
}

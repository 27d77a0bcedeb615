//! What is counted is what there is (17).

use std::collections::BTreeMap;

use jobqueue::{store::Counted, task::Status};

use super::Look;

pub(super) fn check(look: &mut Look<'_>) {
    let history = look.history;
    let mut expected: BTreeMap<(&str, i16), i64> = BTreeMap::new();
    let mut add = |queue, kind: Counted, n: i64| *expected.entry((queue, kind.code())).or_default() += n;
    for task in &history.store.tasks {
        let queue = task.queue.as_str();
        add(queue, Counted::In(task.status), 1);
        add(queue, Counted::Submitted, 1);
        add(queue, Counted::FailedAttempts, task.failures.into());
        match task.status {
            Status::Success => add(queue, Counted::Succeeded, 1),
            Status::Failed | Status::Timeout => add(queue, Counted::Dead, 1),
            Status::Cancelled => add(queue, Counted::CancelledTotal, 1),
            Status::Expired => add(queue, Counted::ExpiredTotal, 1),
            _ => {}
        }
    }
    for attempt in history.store.attempts.iter().filter(|row| ["failure", "timeout"].contains(&row.outcome.as_str())) {
        if let Some(task) = look.tasks.get(&attempt.task) {
            add(&task.queue, Counted::Retried, 1);
        }
    }
    let kind = |kind: i32| i16::try_from(kind).unwrap_or(-1);
    let mut counted: BTreeMap<(&str, i16), i64> =
        history.store.counters.iter().map(|row| ((row.queue.as_str(), kind(row.kind)), row.sum)).collect();
    expected.retain(|_, n| *n != 0);
    counted.retain(|_, n| *n != 0);
    for key in expected.keys().chain(counted.keys()).copied().collect::<std::collections::BTreeSet<_>>() {
        let (want, have) = (expected.get(&key).copied().unwrap_or(0), counted.get(&key).copied().unwrap_or(0));
        if want != have {
            let what = format!("queue {}, {:?}: counted {have}, there are {want}", key.0, Counted::from_code(key.1));
            look.broken_by_none(17, "a counter is not the count", what);
        }
    }
    let over = history.store.tasks.iter().all(|task| task.status.is_terminal());
    if over && history.store.leases > 0 {
        look.broken_by_none(17, "leases are left", format!("{} although nothing runs", history.store.leases));
    }
}

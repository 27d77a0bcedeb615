//! Cancels, dead letters (10, 11).

use std::collections::HashSet;

use jobqueue::task::Status;
use uuid::Uuid;

use super::Look;
use crate::history::CancelTold;

pub(super) fn check(look: &mut Look<'_>) {
    let history = look.history;
    for cancel in history.cancels.iter().filter(|cancel| cancel.told == CancelTold::WhileWaiting) {
        let status = look.tasks.get(&cancel.task).map(|row| row.status);
        if status != Some(Status::Cancelled) {
            look.broken(10, "cancelled while it waited, and ended otherwise", cancel.task, &format!("is {status:?}"));
        }
        if look.executions(cancel.task).iter().any(|run| run.start.at > cancel.answered) {
            look.broken(10, "cancelled while it waited, and started", cancel.task, "started after the answer");
        }
    }
    let dead: HashSet<Uuid> = history.store.dead.iter().map(|dead| dead.task).collect();
    for task in history.store.tasks.iter().filter(|task| task.status.is_dead() != dead.contains(&task.id)) {
        look.broken(11, "the dead letters are not the dead tasks", task.id, &format!("is {}", task.status));
    }
    for id in dead.iter().filter(|id| !history.store.tasks.iter().any(|task| task.id == **id)) {
        look.broken(11, "the dead letters are not the dead tasks", *id, "is a dead letter and no task");
    }
}

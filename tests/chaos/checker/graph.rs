//! A child runs after its parents, if they ended as they should, and is not forgotten (9).

use std::collections::{HashMap, HashSet};

use jobqueue::task::Status;
use uuid::Uuid;

use super::Look;
use crate::history::Told;

pub(super) fn check(look: &mut Look<'_>) {
    let history = look.history;
    let mut parents: HashMap<Uuid, Vec<(Uuid, bool)>> = HashMap::new();
    for tie in &history.store.ties {
        parents.entry(tie.child).or_default().push((tie.parent, tie.run_anyway));
    }
    for (child, parents) in &parents {
        of(look, *child, parents);
    }
    let stored: HashSet<(Uuid, Uuid)> = history.store.ties.iter().map(|tie| (tie.parent, tie.child)).collect();
    let id = |n: usize| match look.submitted.get(&n)?.told {
        Told::Created(id) => Some(id),
        _ => None,
    };
    let planned =
        history.plan.iter().enumerate().flat_map(|(n, task)| task.parents.iter().map(move |tie| (tie.parent, n)));
    let ids: Vec<(Uuid, Uuid)> = planned.filter_map(|(parent, child)| id(parent).zip(id(child))).collect();
    for (parent, child) in ids.into_iter().filter(|tie| !stored.contains(tie)) {
        look.broken(9, "a dependency is lost", child, &format!("was to wait for {parent}"));
    }
}

fn of(look: &mut Look<'_>, child: Uuid, parents: &[(Uuid, bool)]) {
    let Some(row) = look.tasks.get(&child).copied() else { return };
    let found: Vec<_> =
        parents.iter().filter_map(|(id, run)| look.tasks.get(id).map(|parent| (*parent, *run))).collect();
    let failed =
        found.iter().find(|(parent, run)| parent.status.is_terminal() && parent.status != Status::Success && !run);
    let first = look.executions(child).iter().map(|run| run.start.at).min();
    if row.status == Status::Pending && found.iter().all(|(parent, _)| parent.status.is_terminal()) {
        look.broken(9, "pending for ever", child, "waits for parents that are all over");
    }
    if row.status == Status::Skipped && failed.is_none() {
        look.broken(9, "skipped without a reason", child, "no parent of it has failed that it minds");
    }
    let Some(first) = first else { return };
    if let Some((parent, _)) = failed {
        look.broken(
            9,
            "started although a parent has failed",
            child,
            &format!("parent {} is {}", parent.id, parent.status),
        );
    }
    for (parent, _) in &found {
        let over = parent.finished_at.filter(|_| parent.status.is_terminal()).map(|at| at * 1_000);
        if over.is_none_or(|over| first < over) {
            let story = look.story(parent.id);
            let what = format!("started at {first}, parent {} was not over\n{story}", parent.id);
            look.broken(9, "a child started before its parents were over", child, &what);
        }
    }
}

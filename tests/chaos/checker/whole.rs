//! Schedules and workflows.

use std::collections::HashMap;

use uuid::Uuid;

use super::Look;
use crate::whole::{Drawn, Member, gaps};

/// A worker's death is charged to what ran on it: one that saw three is given up.
const POISON: i32 = 3;

pub(super) fn check(look: &mut Look<'_>) {
    let whole = &look.history.whole;
    for gap in gaps(&whole.ticks) {
        look.broken_by_none(19, "each tick makes one task", gap);
    }
    let mut members: HashMap<Uuid, Vec<&Member>> = HashMap::new();
    whole.members.iter().for_each(|member| members.entry(member.workflow).or_default().push(member));
    for drawn in &whole.planned {
        for what in wrong(drawn, members.get(&drawn.id).map_or(&[], Vec::as_slice)) {
            look.broken_by_none(20, "a workflow ends as it must, and calls back once", what);
        }
    }
}

fn wrong(drawn: &Drawn, members: &[&Member]) -> Vec<String> {
    if members.iter().any(|member| member.crashes >= POISON) {
        return Vec::new();
    }
    let id = drawn.id;
    let mut found = Vec::new();
    if members.len() != drawn.ends.len() {
        found.push(format!("workflow {id} has {} tasks, not {}: {members:?}", members.len(), drawn.ends.len()));
    }
    if let Some(member) = members.iter().find(|member| member.state != drawn.state) {
        found.push(format!("workflow {id} is {}, not {}: {drawn:?} {members:?}", member.state, drawn.state));
    }
    for member in members {
        let must = drawn.ends.get(&member.name).copied().unwrap_or("not there");
        let is_so = match must {
            // Not needed: it has ended, and has not run.
            "unneeded" | "over" => member.status == "skipped",
            must => member.status == must,
        };
        if !is_so {
            found.push(format!("workflow {id}: {} is {}, not {must}: {drawn:?}", member.name, member.status));
        }
    }
    found
}

#[test]
fn a_tick_that_is_missing_or_there_twice_is_found() {
    let ticks =
        |of: &[i64]| of.iter().map(|at| ("s".to_owned(), *at)).chain([("other".to_owned(), 7)]).collect::<Vec<_>>();
    assert!(gaps(&ticks(&[3_000, 1_000, 2_000])).is_empty());
    assert_eq!(gaps(&ticks(&[1_000, 2_000, 2_000, 3_000])).len(), 1);
    assert_eq!(gaps(&ticks(&[1_000, 3_000])).len(), 1);
}

#[test]
fn a_workflow_that_ends_otherwise_is_found() {
    let member = |name: &str, status: &str, state: &str| Member {
        workflow: Uuid::nil(),
        state: state.into(),
        name: name.into(),
        status: status.into(),
        crashes: 0,
    };
    let ends = [("a", "failed"), ("b", "skipped"), ("on_success", "over"), ("on_failure", "success")];
    let drawn = Drawn { id: Uuid::nil(), ends: ends.map(|(name, end)| (name.to_owned(), end)).into(), state: "failed" };
    let all = |ends: [(&str, &str); 4], state: &str| ends.map(|(name, end)| member(name, end, state));
    let found = |all: &[Member]| wrong(&drawn, &all.iter().collect::<Vec<_>>()).len();
    let sound = [("a", "failed"), ("b", "skipped"), ("on_success", "skipped"), ("on_failure", "success")];
    assert_eq!(found(&all(sound, "failed")), 0);
    assert_eq!(found(&all(sound, "success")), 1);
    assert_eq!(found(&all(sound, "failed")[..3]), 1);
    for (place, end) in [(0, "success"), (1, "live"), (2, "success"), (3, "skipped")] {
        let mut one = all(sound, "failed");
        one[place].status = end.into();
        assert_eq!(found(&one), 1, "{place}");
    }
}

//! The higher priority first (6).

use std::collections::HashMap;

use super::Look;
use crate::{cluster::SLOTS, history::Micros};

/// What the nodes may have in hand already.
const BATCH: usize = 3 * SLOTS;
/// Until a node that was not told of a task has found it: two sweeps.
const CALM: Micros = 4_000_000;
/// The same while nodes and services come and go: what one of them held is waited for.
const DISTURBED: Micros = 20_000_000;

pub(super) fn check(look: &mut Look<'_>) {
    let history = look.history;
    // Grants by queue and priority, in the order of their times.
    let mut granted: HashMap<(&str, u8), Vec<Micros>> = HashMap::new();
    for (task, queue, at) in look.grants() {
        let planned = look.tasks.get(&task).and_then(|task| look.planned(task));
        if let Some((_, planned)) = planned {
            granted.entry((queue, planned.priority)).or_default().push(at * 1_000);
        }
    }
    granted.values_mut().for_each(|all| all.sort_unstable());
    let between = |queue, priority, from: Micros, until: Micros| {
        let all = granted.get(&(queue, priority)).map_or(&[][..], Vec::as_slice);
        all.partition_point(|at| *at < until).saturating_sub(all.partition_point(|at| *at <= from))
    };
    for task in &history.store.tasks {
        let Some((n, planned)) = look.planned(task) else { continue };
        // Those with keys wait for their turn and for their keys.
        let waits =
            planned.delay_ms > 0 || planned.tenant.is_some() || !planned.parents.is_empty() || planned.cancel.is_some();
        let grant = look.grant(task.id, 1).and_then(|grant| grant.0).map(|at| at * 1_000);
        let (Some(submitted), Some(grant), false) = (look.submitted.get(&n), grant, waits) else { continue };
        let ready = submitted.answered;
        let disturbed = history.deeds.iter().any(|deed| (ready - DISTURBED..grant).contains(deed));
        let from = ready + if disturbed { DISTURBED } else { CALM };
        let overtaken: usize = (0..planned.priority).map(|lower| between(&*task.queue, lower, from, grant)).sum();
        if overtaken > BATCH {
            let what = format!("{overtaken} of lower priority than {} were granted before it", planned.priority);
            look.broken(6, "overtaken by lower priorities", task.id, &what);
        }
    }
}

//! Queues where submissions are counted: more than so many waiting, or more than may run at a time, are refused.

use std::collections::BTreeMap;

use super::Engine;
use crate::{
    store::{StoreError, Tx},
    task::{AtCap, NewTask, QueueSettings},
};

/// Why a task is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoRoom {
    /// As many tasks wait as may.
    Full,
    /// Tasks that are not over take up all of a cap.
    AtCap,
}

pub(super) fn is_bounded(engine: &Engine, queue: &str) -> bool {
    engine.queue_settings(queue).is_some_and(|settings| settings.is_bounded())
}

/// Whether one queue has room for all of these.
pub(super) fn no_room(
    engine: &Engine,
    tx: &mut dyn Tx,
    queue: &str,
    tasks: &[&NewTask],
) -> Result<Option<NoRoom>, StoreError> {
    let Some(settings) = engine.queue_settings(queue).filter(|settings| settings.is_bounded()) else {
        return Ok(None);
    };
    let more = tasks.len() as u64;
    // Taken before anything is counted: the store lets one submission at a time count a queue.
    let waiting = tx.depth(queue)?;
    if settings.max_depth.is_some_and(|most| waiting + more > u64::from(most)) {
        return Ok(Some(NoRoom::Full));
    }
    if settings.at_cap == AtCap::Wait {
        return Ok(None);
    }
    if let Some(most) = settings.concurrency
        && waiting + u64::from(tx.running(queue)?) + more > u64::from(most)
    {
        return Ok(Some(NoRoom::AtCap));
    }
    let mut keys: BTreeMap<&str, (u64, u32)> = BTreeMap::new();
    for (key, most) in tasks.iter().filter_map(|task| capped_key(&settings, task)) {
        keys.entry(key).or_insert((0, most)).0 += 1;
    }
    for (key, (more, most)) in keys {
        if tx.key_places(queue, key)? + more > u64::from(most) {
            return Ok(Some(NoRoom::AtCap));
        }
    }
    Ok(None)
}

/// What was stored takes its place.
pub(super) fn stored(engine: &Engine, tx: &mut dyn Tx, task: &NewTask) -> Result<(), StoreError> {
    let Some(settings) = engine.queue_settings(&task.queue).filter(|settings| settings.at_cap == AtCap::Reject) else {
        return Ok(());
    };
    match capped_key(&settings, task) {
        Some((key, _)) => tx.take_place(&task.queue, key, task.id),
        None => Ok(()),
    }
}

fn capped_key<'a>(settings: &QueueSettings, task: &'a NewTask) -> Option<(&'a str, u32)> {
    Some((task.flow.as_ref()?.concurrency_key.as_deref()?, settings.key_concurrency?))
}

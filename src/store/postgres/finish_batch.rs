//! How attempts end: the successes of a batch in one statement, the others one by one.

use std::collections::{BTreeMap, HashMap};

use diesel::prelude::*;

use super::{
    dependencies, finish,
    key::{Uid, uid},
    own::FinishSuccesses,
    records::task_id,
    tx::Writer,
};
use crate::{
    store::{Finished, Recorded},
    task::{LeaseId, Millis, Status, TaskId, Verdict},
};

pub(super) fn finish_all(writer: &mut Writer, items: &[Finished<'_>], now: Millis) -> QueryResult<Vec<Recorded>> {
    let mut recorded: Vec<Option<Recorded>> = vec![None; items.len()];
    succeed(writer, items, now, &mut recorded)?;
    // In the order of the ids, as every batch is locked.
    let mut others: Vec<usize> = (0..items.len()).filter(|place| recorded[*place].is_none()).collect();
    others.sort_by_key(|place| items[*place].task.id);
    for place in others {
        recorded[place] = Some(finish::finish_one(writer, &items[place], now)?);
    }
    let recorded: Vec<Recorded> = recorded.into_iter().map(|one| one.unwrap_or(Recorded::LeaseLost)).collect();
    let mut ended: BTreeMap<LeaseId, i32> = BTreeMap::new();
    for (item, _) in items.iter().zip(&recorded).filter(|(_, recorded)| matches!(recorded, Recorded::Done(_))) {
        *ended.entry(item.task.lease).or_default() += 1;
    }
    for (lease, count) in ended {
        finish::shrink_lease(writer, lease, count)?;
    }
    Ok(recorded)
}

/// Records the successes whose lease holds; what is left of them is somebody else's to tell.
fn succeed(
    writer: &mut Writer,
    items: &[Finished<'_>],
    now: Millis,
    recorded: &mut [Option<Recorded>],
) -> QueryResult<()> {
    let mut places: HashMap<TaskId, usize> = HashMap::with_capacity(items.len());
    let (mut id, mut lease, mut result): (Vec<Uid>, Vec<Uid>, Vec<&str>) = Default::default();
    // In the order of the ids, as every batch is locked.
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_unstable_by_key(|place| items[*place].task.id);
    for place in order {
        let item = &items[place];
        let Verdict::Success { result: text } = item.verdict else { continue };
        // Told twice in one batch: the second is looked at by itself.
        if places.contains_key(&item.task.id) {
            continue;
        }
        places.insert(item.task.id, place);
        id.push(uid(item.task.id.as_bytes()));
        lease.push(uid(item.task.lease.as_bytes()));
        result.push(text);
    }
    if id.is_empty() {
        return Ok(());
    }
    let statement = FinishSuccesses { id: &id, lease: &lease, result: &result, now };
    let ended: Vec<(Vec<u8>, bool)> = statement.load(&mut writer.connection)?;
    // Children are told by statements of their own: only those see a child that was stored while this one waited.
    let mut parents = Vec::new();
    for (id, has_dependants) in ended {
        let id = task_id(&id);
        let Some(&place) = places.get(&id) else { continue };
        recorded[place] = Some(Recorded::Done(Status::Success));
        finish::count(writer, &items[place], Status::Success);
        parents.extend(has_dependants.then_some(id));
    }
    parents.sort_unstable();
    parents.into_iter().try_for_each(|parent| dependencies::ended(writer, parent, Status::Success, now))
}

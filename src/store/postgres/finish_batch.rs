//! How attempts end: the successes of a batch in one statement, the others one by one.

use std::collections::{BTreeMap, HashMap, HashSet};

use diesel::prelude::*;

use super::{
    finish,
    key::{Uid, uid},
    own::{EndLeases, FinishSuccesses, ShrinkLeases},
    records::{StateRecord, task_id},
    schema::task_dependencies,
    telling,
    tx::Writer,
};
use crate::{
    planted::{self, Bug},
    store::{Finished, Recorded},
    task::{Ending, LeaseId, Millis, Status, TaskId, Verdict},
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
    shrink_leases(writer, &ended)?;
    Ok(recorded)
}

/// So many tasks of these batches have ended: two statements, however many batches there are.
fn shrink_leases(writer: &mut Writer, ended: &BTreeMap<LeaseId, i32>) -> QueryResult<()> {
    if ended.is_empty() {
        return Ok(());
    }
    let (lease, count): (Vec<Uid>, Vec<i32>) = ended.iter().map(|(id, count)| (uid(id.as_bytes()), count)).unzip();
    let statement = EndLeases { lease: &lease, ended: &count };
    let gone: Vec<Vec<u8>> = statement.load(&mut writer.connection)?;
    let gone: HashSet<LeaseId> = gone.iter().filter_map(|id| LeaseId::from_slice(id)).collect();
    let left = ended.iter().filter(|(id, _)| !gone.contains(id));
    let (lease, count): (Vec<Uid>, Vec<i32>) = left.map(|(id, count)| (uid(id.as_bytes()), count)).unzip();
    if lease.is_empty() {
        return Ok(());
    }
    ShrinkLeases { lease: &lease, ended: &count }.execute(&mut writer.connection).map(|_| ())
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
        lease.push(match planted::is(Bug::NoLeaseCheck) {
            true => present_lease(writer, item)?,
            false => uid(item.task.lease.as_bytes()),
        });
        result.push(text);
    }
    if id.is_empty() {
        return Ok(());
    }
    let told = planted::is(Bug::ChildrenInOneStatement).then(|| known_parents(writer, &id)).transpose()?;
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
    parents.retain(|parent| told.as_ref().is_none_or(|told| told.contains(parent)));
    parents.sort_unstable();
    telling::all_ended(writer, &parents, Ending::Success, now)
}

/// For a planted bug: the lease the task is held under now, whoever holds it.
fn present_lease(writer: &mut Writer, item: &Finished<'_>) -> QueryResult<Uid> {
    let lease = StateRecord::find(&mut writer.connection, item.task.id)?.and_then(|task| task.lease_id);
    Ok(uid(lease.as_deref().unwrap_or(item.task.lease.as_bytes())))
}

/// For a planted bug: those of the tasks that have children now. Then time passes, as where the statement waits for a lock.
fn known_parents(writer: &mut Writer, ids: &[Uid]) -> QueryResult<Vec<TaskId>> {
    let ties = task_dependencies::table.filter(task_dependencies::parent_id.eq_any(ids));
    let parents: Vec<Vec<u8>> = ties.select(task_dependencies::parent_id).load(&mut writer.connection)?;
    planted::linger(Bug::ChildrenInOneStatement);
    Ok(parents.iter().map(|parent| task_id(parent)).collect())
}

//! Schedules: what operators set, and the ticks.

mod tick;

pub use tick::Ticked;

use std::sync::atomic::Ordering;

use serde_json::json;

use super::{Engine, admin::audited};
use crate::{
    store::{Act, MOST_SCHEDULES, Origin, Run, ScheduleRow, StoreError, Tx},
    task::{
        Millis, Reach, TaskId,
        schedule::{Rule, Template},
    },
};

/// Schedules a node adds between two looks at how many there are: by so many, for each node, there may be too many.
const COUNTED_EVERY: usize = 500;

/// A schedule as it is to be.
#[derive(Debug, Clone)]
pub struct NewSchedule {
    pub name: String,
    pub rule: Rule,
    pub task: Template,
    pub enabled: bool,
}

/// How one is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// There must be none of this name.
    Create,
    /// Replaces the one there is, if it is at the version named.
    Replace(Option<u32>),
}

/// What became of a change.
#[derive(Debug, Clone)]
pub enum ScheduleChanged {
    /// True: it is new.
    Done(Box<ScheduleRow>, bool),
    Exists,
    /// Its task goes to a queue that is not the caller's.
    Hidden,
    /// Somebody else has changed it meanwhile: it is at this version now.
    Meanwhile(u32),
    TooMany(usize),
    NotFound,
}

/// What became of a task out of turn.
#[derive(Debug, Clone)]
pub enum Triggered {
    Made(TaskId),
    Refused(String),
    NotFound,
}

impl NewSchedule {
    /// For the audit log: arguments may be secrets.
    fn told(&self) -> serde_json::Value {
        json!({"rule": self.rule, "task": self.task.name, "queue": self.task.queue, "enabled": self.enabled})
    }
}

/// Where the next tick after a moment is due.
fn next_after(row: &ScheduleRow, now: Millis) -> Option<(Millis, Millis)> {
    let tick = row.rule.compile(row.anchor).ok()?.next(now)?;
    Some((tick, row.rule.due(&row.name, tick)))
}

fn fresh(new: &NewSchedule, origin: Origin, now: Millis) -> ScheduleRow {
    let mut row = ScheduleRow {
        name: new.name.clone(),
        rule: new.rule.clone(),
        task: new.task.clone(),
        origin,
        paused_by: (!new.enabled).then_some(origin),
        version: 1,
        anchor: now,
        next: None,
        last_task: None,
        tally: Default::default(),
        created_at: now,
        updated_at: now,
    };
    row.next = row.paused_by.is_none().then(|| next_after(&row, now)).flatten();
    row
}

/// Writes a row that was changed: what it ticked by, if that is still so, goes on.
fn changed(tx: &mut dyn Tx, before: &ScheduleRow, row: &mut ScheduleRow, now: Millis) -> Result<bool, StoreError> {
    let same_task = serde_json::to_string(&before.task).ok() == serde_json::to_string(&row.task).ok();
    if same_task && before.rule == row.rule && before.paused_by == row.paused_by && before.origin == row.origin {
        return Ok(false);
    }
    if before.rule.every != row.rule.every {
        row.anchor = now;
    }
    if row.paused_by.is_some() {
        row.next = None;
    } else if before.paused_by.is_some() || before.rule != row.rule {
        // What would have been while it was paused, or otherwise, was not missed.
        row.next = next_after(row, now);
    }
    row.version += 1;
    row.updated_at = now;
    tx.change_schedule(row)?;
    Ok(true)
}

fn seen(within: Option<&Reach>, row: &ScheduleRow) -> bool {
    within.is_none_or(|within| within.includes(&row.task.queue))
}

impl Engine {
    /// Sets a schedule. `within`: of others' queues nothing is changed.
    pub async fn put_schedule(
        &self,
        new: NewSchedule,
        put: Put,
        within: Option<Reach>,
        act: Act,
    ) -> Result<ScheduleChanged, StoreError> {
        let (act, engine) = (act.with(new.told()), self.clone());
        let set = move |tx: &mut dyn Tx, now| {
            let Some(before) = tx.schedule(&new.name)? else {
                if let Put::Replace(Some(_)) = put {
                    return Ok(ScheduleChanged::Meanwhile(0));
                }
                if engine.has_all_schedules(tx)? {
                    return Ok(ScheduleChanged::TooMany(MOST_SCHEDULES));
                }
                let row = fresh(&new, Origin::Api, now);
                // Somebody else may have made it at this very moment.
                if !tx.add_schedule(&row)? {
                    return Ok(if put == Put::Create {
                        ScheduleChanged::Exists
                    } else {
                        ScheduleChanged::Meanwhile(1)
                    });
                }
                tx.audit(&act, now)?;
                return Ok(ScheduleChanged::Done(Box::new(row), true));
            };
            if !seen(within.as_ref(), &before) {
                return Ok(ScheduleChanged::Hidden);
            }
            match put {
                Put::Create => return Ok(ScheduleChanged::Exists),
                Put::Replace(Some(version)) if version != before.version => {
                    return Ok(ScheduleChanged::Meanwhile(before.version));
                }
                Put::Replace(_) => {}
            }
            let mut row = ScheduleRow { rule: new.rule.clone(), task: new.task.clone(), ..before.clone() };
            row.paused_by = if new.enabled { None } else { before.paused_by.or(Some(Origin::Api)) };
            let done = changed(tx, &before, &mut row, now)?;
            audited(tx, done, &act, now)?;
            Ok(ScheduleChanged::Done(Box::new(row), false))
        };
        self.schedules_changed(self.admin(set, |_, _| {}).await)
    }

    /// Looked at now and then: to count them takes longer the more there are.
    fn has_all_schedules(&self, tx: &mut dyn Tx) -> Result<bool, StoreError> {
        let added = &self.0.schedules_added;
        if !added.fetch_add(1, Ordering::Relaxed).is_multiple_of(COUNTED_EVERY) {
            return Ok(false);
        }
        let all = tx.schedule_count()? >= MOST_SCHEDULES;
        if all {
            added.store(0, Ordering::Relaxed);
        }
        Ok(all)
    }

    /// A paused schedule does not tick; what would have ticked meanwhile is not missed.
    pub async fn pause_schedule(
        &self,
        name: &str,
        paused: bool,
        within: Option<Reach>,
        act: Act,
    ) -> Result<ScheduleChanged, StoreError> {
        let name = name.to_owned();
        let set = move |tx: &mut dyn Tx, now| {
            let Some(before) = tx.schedule(&name)?.filter(|row| seen(within.as_ref(), row)) else {
                return Ok(ScheduleChanged::NotFound);
            };
            let mut row = ScheduleRow { paused_by: paused.then_some(Origin::Api), ..before.clone() };
            let done = changed(tx, &before, &mut row, now)?;
            audited(tx, done, &act, now)?;
            Ok(ScheduleChanged::Done(Box::new(row), false))
        };
        self.schedules_changed(self.admin(set, |_, _| {}).await)
    }

    /// False where there is none. The tasks it has made stay.
    pub async fn delete_schedule(&self, name: &str, within: Option<Reach>, act: Act) -> Result<bool, StoreError> {
        let name = name.to_owned();
        let delete = move |tx: &mut dyn Tx, now| {
            if !tx.schedule(&name)?.is_some_and(|row| seen(within.as_ref(), &row)) {
                return Ok(false);
            }
            let done = tx.delete_schedule(&name)?;
            audited(tx, done, &act, now)?;
            Ok(done)
        };
        self.admin(delete, |_, _| {}).await
    }

    /// Makes the task of a schedule now; its ticks come as they would have.
    pub async fn trigger_schedule(&self, name: &str, within: Option<Reach>, act: Act) -> Result<Triggered, StoreError> {
        let name = name.to_owned();
        self.making(move |maker, tx, now| {
            let Some(mut row) = tx.schedule(&name)?.filter(|row| seen(within.as_ref(), row)) else {
                return Ok(Triggered::NotFound);
            };
            let queue = maker.engine().queue_settings(&row.task.queue);
            let task = row.task.task(&name, None, now, &maker.engine().0.settings.defaults, queue.as_deref());
            let made = match task {
                Ok(task) => maker.make(tx, vec![task])?.pop(),
                Err(fault) => Some(Err(fault.to_string())),
            };
            match made.unwrap_or_else(|| Err("was not stored".into())) {
                Err(why) => Ok(Triggered::Refused(why)),
                Ok(id) => {
                    row.last_task = Some(id);
                    tx.change_schedule(&row)?;
                    tx.audit(&act, now)?;
                    Ok(Triggered::Made(id))
                }
            }
        })
        .await
    }

    /// Brings the schedules of a configuration file into the store, all or none. What an operator has paused stays so; those
    /// that are no longer in the file are paused. Returns how many were changed.
    pub async fn declare_schedules(&self, declared: Vec<NewSchedule>) -> Result<usize, StoreError> {
        let declare = move |tx: &mut dyn Tx, now| {
            let mut count = 0;
            for new in &declared {
                let act = Act::local("schedule.declare", &new.name).with(new.told());
                let done = declare_one(tx, new, now)?;
                audited(tx, done, &act, now)?;
                count += usize::from(done);
            }
            for name in tx.declared_schedules()? {
                if declared.iter().any(|new| new.name == name) {
                    continue;
                }
                let Some(before) = tx.schedule(&name)?.filter(|row| row.paused_by.is_none()) else { continue };
                let mut row = ScheduleRow { paused_by: Some(Origin::File), ..before.clone() };
                let done = changed(tx, &before, &mut row, now)?;
                audited(tx, done, &Act::local("schedule.pause", &name), now)?;
                count += usize::from(done);
            }
            Ok(count)
        };
        let count = self.admin(declare, |_, _| {}).await?;
        if let Some(listener) = self.listener().filter(|_| count > 0) {
            listener.schedules_changed();
        }
        Ok(count)
    }

    /// The scheduler of this node hears of it; those of others see it when they look next.
    fn schedules_changed(&self, done: Result<ScheduleChanged, StoreError>) -> Result<ScheduleChanged, StoreError> {
        if let (Ok(ScheduleChanged::Done(..)), Some(listener)) = (&done, self.listener()) {
            listener.schedules_changed();
        }
        done
    }
}

fn declare_one(tx: &mut dyn Tx, new: &NewSchedule, now: Millis) -> Result<bool, StoreError> {
    // Another node may declare the same at this very moment: then it is there after the failed attempt.
    let before = match tx.schedule(&new.name)? {
        None if tx.add_schedule(&fresh(new, Origin::File, now))? => return Ok(true),
        None => tx.schedule(&new.name)?,
        found => found,
    };
    let Some(before) = before else { return Ok(false) };
    let mut row =
        ScheduleRow { rule: new.rule.clone(), task: new.task.clone(), origin: Origin::File, ..before.clone() };
    row.paused_by = match before.paused_by {
        Some(Origin::Api) => Some(Origin::Api),
        _ => (!new.enabled).then_some(Origin::File),
    };
    changed(tx, &before, &mut row, now)
}

/// A tick of which a task was made, or was not.
fn run(tick: Millis, at: Millis, made: Result<TaskId, String>) -> Run {
    let (task, reason) = match made {
        Ok(id) => (Some(id), None),
        Err(why) => (None, Some(why)),
    };
    Run { tick, at, task, reason }
}

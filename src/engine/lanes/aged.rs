//! Turns among tasks that gain priority as they wait (see [`Order`]).
//!
//! Two rules meet here: lanes take turns within a priority, and among priorities it is the age that decides. Of each priority
//! the next tasks are looked up in turns, and it counts for as old as the oldest that is found among them. So **a task that is
//! first in its lane waits, beyond the bound of [`Order`], for one round of the lanes of its own priority, and for one of each
//! higher priority in which somebody within the bound waits for a turn.** As many lanes are looked at as there are free slots:
//! where there are more, one that is further round counts from when the round comes near it.
//!
//! It costs a claim up to three statements for each priority that waits in lanes, where one without ageing looks at the lower ones
//! only if the higher ones leave room.

use std::collections::VecDeque;

use super::{Picked, Round, Walk};
use crate::{
    store::{Fronting, StoreError, Tx},
    task::{Lane, Millis, Order, Priority},
};

/// What waits at one priority.
struct Column {
    priority: Priority,
    walk: Walk,
    /// In turns; with each, since when the first of it and those behind it is ready.
    tasks: VecDeque<(Fronting, Millis)>,
    /// Lanes of which one was at a limit.
    passed: Vec<Lane>,
    /// Lanes have more than was asked for.
    has_more: bool,
}

impl Round<'_> {
    pub(super) fn go_by_age(mut self, tx: &mut dyn Tx, order: Order) -> Result<Picked, StoreError> {
        let column = |priority| Column {
            priority,
            walk: Walk::from(self.turn.next(priority)),
            tasks: VecDeque::new(),
            passed: Vec::new(),
            has_more: false,
        };
        let levels = tx.lane_levels(self.ask.queue)?;
        let mut columns: Vec<Column> = levels.iter().copied().map(column).collect();
        self.looks += columns.len();
        loop {
            columns.iter_mut().try_for_each(|column| self.gather(tx, column))?;
            if !columns.iter().any(|column| !column.tasks.is_empty() && self.room(column.priority) > 0) {
                break;
            }
            self.merge(&mut columns, order);
        }
        for Column { priority, mut passed, has_more, .. } in columns {
            self.picked.more |= has_more && self.room(priority) > 0 && !self.picked.picks.is_empty();
            passed.dedup_by_key(|place| place.lane);
            for place in passed {
                self.pass(tx, priority, place, self.weight(place.lane))?;
            }
        }
        Ok(self.done(&levels))
    }

    /// Looks up the next tasks of a priority of which none is left.
    fn gather(&mut self, tx: &mut dyn Tx, column: &mut Column) -> Result<(), StoreError> {
        let priority = column.priority;
        while column.tasks.is_empty() && !column.walk.is_over && self.room(priority) > 0 {
            let room = self.room(priority);
            let (wanted, sum) = self.wanted(tx, priority, &mut column.walk, room)?;
            if wanted.is_empty() {
                continue;
            }
            let turns = room.div_ceil(sum);
            let mut asked: Vec<_> = wanted.iter().map(|(lane, weight)| (*lane, (weight * turns).min(room))).collect();
            let (mut tasks, mut left) = self.fronts(tx, priority, &wanted, &asked)?;
            if tasks.len() < room && !left.is_empty() {
                // Some have less than their share: it is for those that have more.
                for (lane, n) in &mut asked {
                    *n += if left.iter().any(|(one, _)| one == lane) { room } else { 0 };
                }
                (tasks, left) = self.fronts(tx, priority, &wanted, &asked)?;
            }
            column.has_more |= !left.is_empty();
            self.gate.load(tx, self.ask.queue, tasks.iter().map(|task| &task.flow))?;
            let mut since = Millis::MAX;
            for task in tasks.into_iter().rev() {
                since = since.min(task.mark.0);
                column.tasks.push_front((task, since));
            }
        }
        Ok(())
    }

    /// Takes from the priority that comes first, until there is enough or one has to be looked up again.
    fn merge(&mut self, columns: &mut [Column], order: Order) {
        loop {
            let first = columns.iter_mut().filter(|column| self.room(column.priority) > 0);
            let first = first.filter_map(|column| Some((order.rank(column.priority, column.tasks.front()?.1), column)));
            let Some((_, column)) = first.min_by_key(|(rank, _)| *rank) else { return };
            let Some((task, since)) = column.tasks.pop_front() else { return };
            let place = task.place;
            self.seen.insert(task.mark.1);
            if !self.pick(column.priority, task, since) && !self.turn.is_blocked(place.lane, None) {
                column.passed.push(place);
            }
            if column.tasks.is_empty() && !column.walk.is_over {
                return;
            }
        }
    }
}

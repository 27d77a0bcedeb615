//! The ticks: those that are due are dealt with in one transaction, by whichever node comes first. The rows are held meanwhile
//! and others pass them over, so a tick is one task, however many nodes there are and wherever one of them dies.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use super::run;
use crate::{
    engine::{
        Engine,
        admin::blocking_read,
        maker::{Made, Maker},
    },
    store::{Advanced, ScheduleRow, StoreError, Tx},
    task::{
        Millis, NewTask, TaskId,
        schedule::{Overlap, Plan},
    },
};

/// Schedules dealt with in one transaction, and tasks made by it.
const ROWS: usize = 100;
const TASKS: usize = 500;
/// Of one schedule.
const TASKS_OF_ONE: usize = 100;
/// Time for working out what is to be made: others wait for this transaction.
const BUDGET: Duration = Duration::from_millis(50);

const OVERLAP: &str = "the task before is not over";

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ticked {
    /// Nothing was due; the first will be then, if there is any.
    Until(Option<Millis>),
    /// Some ticks were dealt with; more may be due.
    Some,
    /// What is due is being dealt with by somebody else.
    Held,
}

impl Engine {
    /// Deals with the ticks that are due, a bounded number.
    pub async fn tick(&self) -> Result<Ticked, StoreError> {
        let now = self.clock().now();
        match blocking_read(self, |reader| reader.next_schedule()).await? {
            Some(at) if at <= now => {}
            next => return Ok(Ticked::Until(next)),
        }
        let rows = self.making(deal).await?;
        Ok(if rows > 0 { Ticked::Some } else { Ticked::Held })
    }
}

/// A schedule and what is to be done for it.
struct Due {
    row: ScheduleRow,
    plan: Plan,
}

fn deal(maker: &mut Maker<'_>, tx: &mut dyn Tx, now: Millis) -> Result<usize, StoreError> {
    let rows = tx.due_schedules(now, ROWS)?;
    let due = planned(rows, now);
    let asked: Vec<TaskId> = due.iter().filter(|due| due.skips_overlap()).filter_map(|due| due.row.last_task).collect();
    let live: HashSet<TaskId> = tx.live_among(&asked)?.into_iter().collect();

    // What is to be stored, with whose tick it is.
    let (mut tasks, mut whose, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    for (index, due) in due.iter().enumerate() {
        let (made, _) = due.made(&live);
        for tick in made {
            match task(maker.engine(), &due.row, *tick, now) {
                Ok(task) => {
                    tasks.push(task);
                    whose.push((index, *tick));
                }
                Err(why) => refused.push(((index, *tick), Err(why))),
            }
        }
    }
    let mut made: Vec<((usize, Millis), Made)> = whose.into_iter().zip(maker.make(tx, tasks)?).collect();
    made.extend(refused);
    made.sort_by_key(|((index, tick), _)| (*index, *tick));

    let mut made = made.into_iter().peekable();
    let advanced: Vec<Advanced> = due
        .into_iter()
        .enumerate()
        .map(|(index, due)| {
            let own = std::iter::from_fn(|| made.next_if(|((of, _), _)| *of == index));
            due.advanced(own.map(|((_, tick), made)| (tick, made)).collect(), &live, now)
        })
        .collect();
    tx.advance_schedules(&advanced)?;
    Ok(advanced.len())
}

fn planned(rows: Vec<ScheduleRow>, now: Millis) -> Vec<Due> {
    let (began, mut left) = (Instant::now(), TASKS);
    let mut due = Vec::with_capacity(rows.len());
    for row in rows {
        // The others stay due.
        if left == 0 || (began.elapsed() > BUDGET && !due.is_empty()) {
            break;
        }
        let Some((next, _)) = row.next else { continue };
        // What cannot be read any more, as a zone that is gone from the database of zones, does not tick.
        let plan = match row.rule.compile(row.anchor) {
            Ok(ticks) => row.rule.plan(&row.name, &ticks, next, now, left.min(TASKS_OF_ONE)),
            Err(faults) => {
                log::error!(schedule = row.name.as_str(); "A schedule has stopped, as its rule is not possible: {faults:?}");
                Plan::default()
            }
        };
        left -= plan.make.len().min(left);
        due.push(Due { row, plan });
    }
    due
}

fn task(engine: &Engine, row: &ScheduleRow, tick: Millis, now: Millis) -> Result<NewTask, String> {
    let queue = engine.queue_settings(&row.task.queue);
    let task = row.task.task(&row.name, Some(tick), now, &engine.0.settings.defaults, queue.as_deref());
    task.map_err(|fault| fault.to_string())
}

impl Due {
    fn skips_overlap(&self) -> bool {
        self.row.rule.overlap == Overlap::Skip && !self.plan.make.is_empty()
    }

    /// The ticks to make a task of, and those that would overlap.
    fn made(&self, live: &HashSet<TaskId>) -> (&[Millis], &[Millis]) {
        let all = self.plan.make.len();
        let free = match self.row.rule.overlap {
            Overlap::Allow => all,
            Overlap::Skip if self.row.last_task.is_some_and(|task| live.contains(&task)) => 0,
            // The first of them is live when the next would come.
            Overlap::Skip => all.min(1),
        };
        self.plan.make.split_at(free)
    }

    fn advanced(self, made: Vec<(Millis, Made)>, live: &HashSet<TaskId>, now: Millis) -> Advanced {
        let overlapped = self.made(live).1.to_vec();
        let Self { row, plan } = self;
        let (mut tally, mut last_task) = (row.tally, row.last_task);
        tally.missed += plan.skipped;
        for (tick, made) in made {
            match &made {
                Ok(id) => {
                    last_task = Some(*id);
                    tally.made += 1;
                }
                Err(_) => tally.refused += 1,
            }
            tally.add(run(tick, now, made));
        }
        tally.overlapped += overlapped.len() as u64;
        for tick in overlapped {
            tally.add(run(tick, now, Err(OVERLAP.into())));
        }
        let next = plan.next.map(|tick| (tick, row.rule.due(&row.name, tick)));
        Advanced { name: row.name, next, last_task, tally }
    }
}

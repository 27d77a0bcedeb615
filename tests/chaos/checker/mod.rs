//! Compares what the clients, the handlers and the store say, and names each promise that was not kept. The numbers are those
//! of the list in README.md.

mod counters;
mod ending;
mod graph;
mod leases;
mod order;
mod results;
mod secrets;
mod submission;
#[cfg(test)]
mod tests;
mod time;
mod whole;

use std::{
    collections::{BTreeMap, HashMap},
    fmt::{self, Write as _},
};

use uuid::Uuid;

use crate::{
    history::{AttemptRow, Execution, History, Micros, Submitted, TaskRow, WorkerRow},
    load::Planned,
};

/// A promise that was not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) number: u32,
    pub(crate) name: &'static str,
    pub(crate) task: Option<Uuid>,
    pub(crate) evidence: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invariant {}, {}: {}", self.number, self.name, self.evidence)
    }
}

/// What does not hold.
pub(crate) fn check(history: &History) -> Vec<Violation> {
    let mut look = Look::at(history);
    type Check = fn(&mut Look<'_>);
    const ALL: [Check; 10] = [
        submission::check,
        leases::check,
        time::check,
        order::check,
        graph::check,
        ending::check,
        results::check,
        counters::check,
        secrets::check,
        whole::check,
    ];
    for check in ALL {
        check(&mut look);
    }
    look.found
}

/// Each promise broken, how often, with the first few in full.
pub(crate) fn report(found: &[Violation]) -> String {
    let mut by_name: BTreeMap<(u32, &str), Vec<&Violation>> = BTreeMap::new();
    for violation in found {
        by_name.entry((violation.number, violation.name)).or_default().push(violation);
    }
    let mut text = String::new();
    for ((number, name), all) in by_name {
        let _ = writeln!(text, "invariant {number}, {name}: broken {} times", all.len());
        for violation in all.iter().take(3) {
            let _ = writeln!(text, "  {}", violation.evidence.replace('\n', "\n  "));
        }
    }
    text
}

/// The history with what is looked up often.
struct Look<'a> {
    history: &'a History,
    tasks: HashMap<Uuid, &'a TaskRow>,
    /// Of each task in the order of their attempts.
    executions: HashMap<Uuid, Vec<&'a Execution>>,
    attempts: HashMap<(Uuid, u32), &'a AttemptRow>,
    workers: HashMap<Uuid, &'a WorkerRow>,
    submitted: HashMap<usize, &'a Submitted>,
    found: Vec<Violation>,
}

impl<'a> Look<'a> {
    fn at(history: &'a History) -> Self {
        let store = &history.store;
        let mut executions: HashMap<Uuid, Vec<&Execution>> = HashMap::new();
        for execution in &history.executions {
            executions.entry(execution.start.task).or_default().push(execution);
        }
        executions.values_mut().for_each(|all| all.sort_by_key(|one| (one.start.attempt, one.start.at)));
        Self {
            history,
            tasks: store.tasks.iter().map(|task| (task.id, task)).collect(),
            executions,
            attempts: store.attempts.iter().map(|attempt| ((attempt.task, attempt.number), attempt)).collect(),
            workers: store.workers.iter().map(|worker| (worker.id, worker)).collect(),
            submitted: history.submitted.iter().map(|submitted| (submitted.n, submitted)).collect(),
            found: Vec::new(),
        }
    }

    /// Of a task, with all that is known of it.
    fn broken(&mut self, number: u32, name: &'static str, task: Uuid, what: &str) {
        let evidence = format!("task {task}: {what}\n{}", self.story(task));
        self.found.push(Violation { number, name, task: Some(task), evidence });
    }

    fn broken_by_none(&mut self, number: u32, name: &'static str, what: String) {
        self.found.push(Violation { number, name, task: None, evidence: what });
    }

    fn executions(&self, task: Uuid) -> &[&'a Execution] {
        self.executions.get(&task).map_or(&[], Vec::as_slice)
    }

    fn planned(&self, task: &TaskRow) -> Option<(usize, &'a Planned)> {
        let n = number(task)?;
        self.history.plan.get(n).map(|planned| (n, planned))
    }

    /// When an execution's lease ended at the latest as far as its task is concerned: with its handler, or with the moment
    /// at which the store took it away.
    fn lease_end(&self, execution: &Execution) -> Micros {
        let (task, attempt) = (execution.start.task, execution.start.attempt);
        let taken = match self.attempts.get(&(task, attempt)) {
            Some(row) => row.finished_at,
            None => self.tasks.get(&task).filter(|row| row.attempt == attempt).and_then(|row| row.finished_at),
        };
        let ended = execution.end.map_or(Micros::MAX, |(at, _)| at);
        ended.min(taken.map_or(Micros::MAX, |at| at * 1_000))
    }

    /// When and to whom an attempt was granted.
    fn grant(&self, task: Uuid, attempt: u32) -> Option<(Option<i64>, Option<Uuid>)> {
        if let Some(row) = self.attempts.get(&(task, attempt)) {
            return Some((row.started_at, row.worker));
        }
        let last = self.tasks.get(&task).filter(|row| row.attempt == attempt);
        last.map(|row| (row.started_at, row.worker))
    }

    /// Every grant there was: task, queue and time.
    fn grants(&self) -> Vec<(Uuid, &'a str, i64)> {
        let mut all = Vec::new();
        for attempt in &self.history.store.attempts {
            let task = self.tasks.get(&attempt.task);
            all.extend(task.zip(attempt.started_at).map(|(task, at)| (task.id, task.queue.as_str(), at)));
        }
        for task in self.history.store.tasks.iter().filter(|task| !self.attempts.contains_key(&(task.id, task.attempt)))
        {
            all.extend(task.started_at.map(|at| (task.id, task.queue.as_str(), at)));
        }
        all
    }

    fn story(&self, task: Uuid) -> String {
        let mut story = String::new();
        if let Some(row) = self.tasks.get(&task) {
            let _ = writeln!(story, "  store    {row:?}");
            if let Some(submitted) = number(row).and_then(|n| self.submitted.get(&n)) {
                let _ = writeln!(story, "  client   {submitted:?}");
            }
        }
        let attempts = self.history.store.attempts.iter().filter(|attempt| attempt.task == task);
        for attempt in attempts {
            let _ = writeln!(story, "  attempt  {attempt:?}");
        }
        for Execution { start, end } in self.executions(task) {
            let (at, attempt, lease, node, pid) = (start.at, start.attempt, start.lease, &start.node, start.pid);
            let _ =
                writeln!(story, "  handler  {at} attempt {attempt} lease {lease} node {node} pid {pid} ended {end:?}");
        }
        for cancel in self.history.cancels.iter().filter(|cancel| cancel.task == task) {
            let _ = writeln!(story, "  cancel   {cancel:?}");
        }
        story
    }
}

/// Which task of the plan it is.
fn number(task: &TaskRow) -> Option<usize> {
    let kwargs: serde_json::Value = serde_json::from_str(&task.kwargs).ok()?;
    usize::try_from(kwargs["n"].as_u64()?).ok()
}

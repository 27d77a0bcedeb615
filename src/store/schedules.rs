//! Schedules as stored, and the statements about them.

use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::task::{
    Millis, Reach, TaskId,
    schedule::{Rule, Template},
};

/// Most schedules there may be.
pub const MOST_SCHEDULES: usize = 200_000;
/// Ticks of a schedule that are remembered.
const RUNS: usize = 10;

#[derive(Debug, Clone)]
pub struct ScheduleRow {
    pub name: String,
    pub rule: Rule,
    pub task: Template,
    pub origin: Origin,
    /// Who has paused it, if somebody has.
    pub paused_by: Option<Origin>,
    /// Raised by each change of what was set.
    pub version: u32,
    /// From when `every` counts.
    pub anchor: Millis,
    /// The first tick that has not been dealt with, and when it is due; none while it is paused.
    pub next: Option<(Millis, Millis)>,
    /// The last task it has made.
    pub last_task: Option<TaskId>,
    pub tally: Tally,
    pub created_at: Millis,
    pub updated_at: Millis,
}

/// By whom something was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// By the API, the command line or the dashboard.
    Api,
    /// By the server's configuration file.
    File,
}

impl Origin {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::File => "file",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Api, Self::File].into_iter().find(|origin| origin.as_str() == text)
    }
}

/// What has become of the ticks so far.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Tally {
    /// Those of which a task was made.
    pub made: u64,
    /// Those that were missed and left out.
    pub missed: u64,
    /// Those left out because the task before was not over.
    pub overlapped: u64,
    /// Those whose task was refused.
    pub refused: u64,
    /// The last of them, newest first; of missed ones nothing is kept.
    pub runs: Vec<Run>,
}

/// What has become of a tick.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    pub tick: Millis,
    /// When it was dealt with.
    pub at: Millis,
    /// The task that was made of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskId>,
    /// Why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Tally {
    pub fn add(&mut self, run: Run) {
        self.runs.insert(0, run);
        self.runs.truncate(RUNS);
    }
}

/// How far a schedule has come.
#[derive(Debug, Clone)]
pub struct Advanced {
    pub name: String,
    pub next: Option<(Millis, Millis)>,
    pub last_task: Option<TaskId>,
    pub tally: Tally,
}

/// Which schedules a list shows.
#[derive(Debug, Clone, Default)]
pub struct ScheduleFilter {
    pub queue: Option<String>,
    pub enabled: Option<bool>,
    /// Those whose task goes to these queues.
    pub within: Option<Reach>,
}

/// The statements that change schedules; part of [`super::Tx`].
pub trait ScheduleTx {
    /// Held until the end of the transaction.
    fn schedule(&mut self, name: &str) -> Result<Option<ScheduleRow>, StoreError>;
    fn schedule_count(&mut self) -> Result<usize, StoreError>;
    /// False where there is one of this name.
    fn add_schedule(&mut self, row: &ScheduleRow) -> Result<bool, StoreError>;
    /// Replaces all of it. Asked [`ScheduleTx::schedule`] before, in the same transaction.
    fn change_schedule(&mut self, row: &ScheduleRow) -> Result<(), StoreError>;
    fn delete_schedule(&mut self, name: &str) -> Result<bool, StoreError>;
    /// Those set by a configuration file, by name.
    fn declared_schedules(&mut self) -> Result<Vec<String>, StoreError>;
    /// Those that are due and that nobody else is dealing with, the longest due first. They are held until the end of the
    /// transaction, so that a tick is dealt with once. What a later version has written is left to it.
    fn due_schedules(&mut self, now: Millis, limit: usize) -> Result<Vec<ScheduleRow>, StoreError>;
    fn advance_schedules(&mut self, advanced: &[Advanced]) -> Result<(), StoreError>;
    /// Those of the tasks that are not over.
    fn live_among(&mut self, tasks: &[TaskId]) -> Result<Vec<TaskId>, StoreError>;
}

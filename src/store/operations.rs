//! Work on many tasks at once: what is asked for and how far it has come.

use serde::{Deserialize, Serialize};

use super::{DeadFilter, TaskFilter};
use crate::task::{Millis, Reach, TaskId};

/// What is done to each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Tasks that wait are cancelled, those that run are asked to stop.
    Cancel,
    /// Tasks that are over run again.
    Retry,
    /// Tasks that are over are deleted.
    Delete,
    /// Dead letters run again.
    Redrive,
    /// Dead letters are deleted.
    Discard,
}

impl Action {
    pub const ALL: [Self; 5] = [Self::Cancel, Self::Retry, Self::Delete, Self::Redrive, Self::Discard];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Retry => "retry",
            Self::Delete => "delete",
            Self::Redrive => "redrive",
            Self::Discard => "discard",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == text)
    }
}

/// To which it is done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Among {
    Tasks(TaskFilter),
    DeadLetters(DeadFilter),
}

impl Among {
    /// For no queue but these.
    pub fn is_within(&self, reach: &Reach) -> bool {
        let (queue, within) = match self {
            Self::Tasks(filter) => (&filter.queue, &filter.within),
            Self::DeadLetters(filter) => (&filter.queue, &filter.within),
        };
        match (queue, within) {
            (Some(queue), _) => reach.includes(queue),
            (None, Some(within)) => reach.covers(within),
            (None, None) => reach.is_all(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OperationState {
    Running,
    Done,
    Cancelled,
}

impl OperationState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Running, Self::Done, Self::Cancelled].into_iter().find(|state| state.as_str() == text)
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// Ids of operations are of the same kind as those of tasks.
    pub id: TaskId,
    pub action: Action,
    pub among: Among,
    /// Tasks a second at most.
    pub rate: Option<f64>,
    pub state: OperationState,
    /// Tasks up to this one have been looked at.
    pub position: Option<TaskId>,
    pub done: u64,
    /// Matched, but in a state in which it cannot be done (any more).
    pub refused: u64,
    pub created_at: Millis,
    pub finished_at: Option<Millis>,
}

/// Some tasks of an operation.
#[derive(Debug, Clone)]
pub struct OperationStep {
    pub id: TaskId,
    pub action: Action,
    /// Where the operation stood when they were found: otherwise somebody else has done them.
    pub from: Option<TaskId>,
    pub tasks: Vec<TaskId>,
    /// Where it stands after them.
    pub to: Option<TaskId>,
    /// There are no more.
    pub last: bool,
}

/// What became of one task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deleted {
    Done,
    /// It is not over, or others wait for its end.
    Live,
    NotFound,
}

/// Changes to a task that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Amendment {
    pub priority: Option<crate::task::Priority>,
    pub run_at: Option<Millis>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Amended {
    /// It can be claimed there from now on; `None`: it waits for its parents.
    Done(std::sync::Arc<str>, Option<crate::task::Ready>),
    /// It does not wait.
    Not(crate::task::Status),
    NotFound,
}

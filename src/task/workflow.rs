//! Tasks that were submitted as one graph, and what their ends make of the whole.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{ErrorKind, Status, TaskError, graph::MAX_PARENTS};

/// Most tasks of a workflow, callbacks not counted: as many as one task can wait for, and that one.
pub const MAX_NODES: usize = MAX_PARENTS + 1;
/// Most dependencies between them: all are stored in one transaction.
pub const MAX_EDGES: usize = 100_000;

/// How a workflow stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
// The numbers are what the store keeps.
#[repr(i16)]
pub enum WorkflowState {
    /// Some of its tasks have not ended.
    Running = 0,
    /// Each of its tasks has succeeded, or was not needed.
    Success = 1,
    /// A task has failed, timed out or expired, or was skipped because of one outside.
    Failed = 2,
    /// None of these, but a task was cancelled.
    Cancelled = 3,
}

impl WorkflowState {
    pub const ALL: [Self; 4] = [Self::Running, Self::Success, Self::Failed, Self::Cancelled];

    pub const fn code(self) -> i16 {
        self as i16
    }

    pub fn from_code(code: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    pub const fn is_over(self) -> bool {
        !matches!(self, Self::Running)
    }

    /// What stands for it where a task is asked for: a parent of a callback.
    pub const fn status(self) -> Status {
        match self {
            Self::Running => Status::Running,
            Self::Success => Status::Success,
            Self::Failed => Status::Failed,
            Self::Cancelled => Status::Cancelled,
        }
    }
}

impl fmt::Display for WorkflowState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a task ended, as its workflow counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i16)]
pub enum End {
    Success = 5,
    Failed = 6,
    Timeout = 7,
    Cancelled = 8,
    Expired = 9,
    /// What it waited for did not succeed.
    Skipped = 10,
    /// It was to run only where something fails, which did not.
    Unneeded = 11,
}

impl End {
    pub const ALL: [Self; 7] =
        [Self::Success, Self::Failed, Self::Timeout, Self::Cancelled, Self::Expired, Self::Skipped, Self::Unneeded];

    pub const fn code(self) -> i16 {
        self as i16
    }

    pub fn from_code(code: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|end| end.code() == code)
    }

    /// Of a task in this status with this error; `None`: it has not ended.
    pub fn of(status: Status, error: Option<&TaskError>) -> Option<Self> {
        Some(match status {
            Status::Success => Self::Success,
            Status::Failed => Self::Failed,
            Status::Timeout => Self::Timeout,
            Status::Cancelled => Self::Cancelled,
            Status::Expired => Self::Expired,
            Status::Skipped if error.is_some_and(|error| error.kind == ErrorKind::Unneeded) => Self::Unneeded,
            Status::Skipped => Self::Skipped,
            _ => return None,
        })
    }

    pub const fn status(self) -> Status {
        match self {
            Self::Success => Status::Success,
            Self::Failed => Status::Failed,
            Self::Timeout => Status::Timeout,
            Self::Cancelled => Status::Cancelled,
            Self::Expired => Status::Expired,
            Self::Skipped | Self::Unneeded => Status::Skipped,
        }
    }

    const fn place(self) -> usize {
        self as usize - Self::Success as usize
    }
}

/// How many tasks of a workflow there are, and how many have ended in which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    pub total: i64,
    ended: [i64; End::ALL.len()],
}

impl Tally {
    pub fn new(total: i64, ended: [i64; End::ALL.len()]) -> Self {
        Self { total, ended }
    }

    pub const fn of(&self, end: End) -> i64 {
        self.ended[end.place()]
    }

    pub fn add(&mut self, end: End, n: i64) {
        self.ended[end.place()] += n;
    }

    /// Adds up; the total stays.
    pub fn merge(&mut self, other: &Self) {
        for end in End::ALL {
            self.add(end, other.of(end));
        }
    }

    /// Tasks that have not ended.
    pub fn open(&self) -> i64 {
        self.total - self.ended.iter().sum::<i64>()
    }

    /// By the numbers alone, so that whoever has them knows.
    pub fn state(&self) -> WorkflowState {
        let any = |ends: &[End]| ends.iter().any(|end| self.of(*end) > 0);
        if self.open() > 0 {
            WorkflowState::Running
        } else if any(&[End::Failed, End::Timeout, End::Expired]) {
            WorkflowState::Failed
        } else if any(&[End::Cancelled]) {
            WorkflowState::Cancelled
        } else if any(&[End::Skipped]) {
            WorkflowState::Failed
        } else {
            WorkflowState::Success
        }
    }
}

/// What a task is to its workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i16)]
pub enum Role {
    Node = 0,
    /// Runs once all of it has succeeded.
    OnSuccess = 1,
    /// Runs once it is over and has not succeeded.
    OnFailure = 2,
}

impl Role {
    pub const fn code(self) -> i16 {
        self as i16
    }

    pub fn from_code(code: i16) -> Self {
        [Self::OnSuccess, Self::OnFailure].into_iter().find(|role| role.code() == code).unwrap_or(Self::Node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(total: i64, ends: &[(End, i64)]) -> WorkflowState {
        let mut tally = Tally::new(total, [0; 7]);
        ends.iter().for_each(|(end, n)| tally.add(*end, *n));
        tally.state()
    }

    #[test]
    fn the_numbers_decide_the_state() {
        assert_eq!(state(2, &[(End::Failed, 1)]), WorkflowState::Running);
        assert_eq!(state(2, &[(End::Success, 1), (End::Unneeded, 1)]), WorkflowState::Success);
        assert_eq!(state(2, &[(End::Success, 1), (End::Skipped, 1)]), WorkflowState::Failed);
        assert_eq!(state(2, &[(End::Cancelled, 1), (End::Skipped, 1)]), WorkflowState::Cancelled);
        assert_eq!(state(3, &[(End::Cancelled, 1), (End::Skipped, 1), (End::Expired, 1)]), WorkflowState::Failed);
        assert_eq!(state(1, &[(End::Timeout, 1)]), WorkflowState::Failed);
    }

    #[test]
    fn ends_and_states_are_known_by_their_numbers() {
        for end in End::ALL {
            assert_eq!(End::from_code(end.code()), Some(end));
            assert!(end.status().is_terminal());
        }
        for state in WorkflowState::ALL {
            assert_eq!(
                (WorkflowState::from_code(state.code()), WorkflowState::parse(state.as_str())),
                (Some(state), Some(state))
            );
            assert_eq!(state.is_over(), state.status().is_terminal());
        }
    }
}

//! What an attempt is given: its task and how the tasks it has waited for ended.

use std::{fmt, sync::Arc};

use super::notes::{Notes, silence};
use crate::task::{Granted, Status, TaskError, TaskId};

/// A task this one has waited for.
#[derive(Debug, Clone, PartialEq)]
pub struct Parent {
    pub id: TaskId,
    pub name: String,
    pub status: Status,
    /// JSON; `None` where it did not succeed, or its result has been deleted.
    pub result: Option<String>,
    pub error: Option<TaskError>,
}

/// A task to be run. Cheap to clone.
#[derive(Clone)]
pub struct Assignment {
    pub(super) task: Arc<Granted>,
    pub(super) parents: Arc<[Parent]>,
    pub(super) notes: Arc<dyn Notes>,
}

impl fmt::Debug for Assignment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assignment").field("task", &self.task).field("parents", &self.parents).finish_non_exhaustive()
    }
}

impl Assignment {
    pub fn new(task: Arc<Granted>, parents: Vec<Parent>) -> Self {
        Self { task, parents: parents.into(), notes: silence() }
    }

    /// What its handler says goes there.
    #[must_use]
    pub fn with_notes(mut self, notes: Arc<dyn Notes>) -> Self {
        self.notes = notes;
        self
    }
}

impl From<Arc<Granted>> for Assignment {
    fn from(task: Arc<Granted>) -> Self {
        Self { task, parents: Arc::default(), notes: silence() }
    }
}

impl From<Granted> for Assignment {
    fn from(task: Granted) -> Self {
        Arc::new(task).into()
    }
}

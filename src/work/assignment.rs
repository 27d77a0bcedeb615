//! What an attempt is given: its task and how the tasks it has waited for ended.

use std::sync::Arc;

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
#[derive(Debug, Clone)]
pub struct Assignment {
    pub(super) task: Arc<Granted>,
    pub(super) parents: Arc<[Parent]>,
}

impl Assignment {
    pub fn new(task: Arc<Granted>, parents: Vec<Parent>) -> Self {
        Self { task, parents: parents.into() }
    }
}

impl From<Arc<Granted>> for Assignment {
    fn from(task: Arc<Granted>) -> Self {
        Self { task, parents: Arc::default() }
    }
}

impl From<Granted> for Assignment {
    fn from(task: Granted) -> Self {
        Arc::new(task).into()
    }
}

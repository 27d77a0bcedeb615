//! Workflows, as they are stored and as they are read.

use serde::{Deserialize, Serialize};

use crate::task::{End, Millis, Reach, Role, Status, Tally, TaskId, WorkflowState};

/// A graph of tasks that is to be stored with them.
#[derive(Debug, Clone)]
pub struct NewWorkflow {
    pub id: TaskId,
    pub name: Option<String>,
    pub tags: Vec<String>,
    /// JSON object, as text.
    pub meta: Option<String>,
    pub created_at: Millis,
    /// What each of the tasks that are stored with it is called there and is to it, in their order: nodes, then callbacks.
    pub members: Vec<(String, Role)>,
    /// Of each dependency between nodes: the places of parent and child, and what becomes of the child.
    pub edges: Vec<(usize, usize, crate::task::OnFailure)>,
}

impl NewWorkflow {
    /// Tasks that count.
    pub fn nodes(&self) -> usize {
        self.members.iter().filter(|(_, role)| *role == Role::Node).count()
    }
}

/// A workflow and how far it has come.
#[derive(Debug, Clone)]
pub struct WorkflowRow {
    pub id: TaskId,
    pub name: Option<String>,
    pub state: WorkflowState,
    pub created_at: Millis,
    pub finished_at: Option<Millis>,
    pub tally: Tally,
    /// Of its tasks so many are deleted.
    pub deleted: u32,
    /// Of its tasks.
    pub queues: Vec<String>,
    pub tags: Vec<String>,
}

/// What of a workflow is long.
#[derive(Debug, Clone)]
pub struct WorkflowPlan {
    /// As in [`NewWorkflow::edges`], the policy as its number.
    pub edges: Vec<(usize, usize, i32)>,
    /// JSON object, as text.
    pub meta: Option<String>,
}

/// A task of a workflow.
#[derive(Debug, Clone)]
pub struct NodeRow {
    pub task: TaskId,
    /// What it is called in the workflow.
    pub node: String,
    pub role: Role,
    /// `None`: it is deleted.
    pub live: Option<NodeTask>,
    /// How it ended, of one that is deleted.
    pub ended: Option<End>,
}

#[derive(Debug, Clone)]
pub struct NodeTask {
    pub name: String,
    pub queue: String,
    pub status: Status,
    pub started_at: Option<Millis>,
    pub finished_at: Option<Millis>,
}

impl NodeRow {
    /// The task's status, or its last one.
    pub fn status(&self) -> Option<Status> {
        self.live.as_ref().map(|task| task.status).or_else(|| self.ended.map(End::status))
    }
}

/// Which workflows a list shows: all conditions together.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkflowFilter {
    pub states: Vec<WorkflowState>,
    pub name: Option<String>,
    pub created_after: Option<Millis>,
    pub created_before: Option<Millis>,
    /// Only those all of whose queues are among these.
    pub within: Option<Reach>,
}

/// What became of a workflow that was to be cancelled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkflowCancelled {
    /// So many tasks that waited are cancelled, these run and are to be asked, the second for the first time.
    Done {
        cancelled: usize,
        running: Vec<TaskId>,
        changed: bool,
    },
    Over(WorkflowState),
    NotFound,
}

/// What became of a workflow whose failed tasks were to run again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkflowRetried {
    Done {
        /// Each that starts anew, and where it waits.
        tasks: Vec<(TaskId, super::Redriven)>,
        /// So many that did not succeed stay as they are: what they wait for is not of this workflow.
        left: usize,
    },
    /// Nothing of it has failed, or can run again.
    Nothing {
        state: WorkflowState,
        /// What keeps the first of those that did not succeed from it.
        why: Option<(TaskId, super::Redriven)>,
    },
    /// A live task has taken the unique key of this one.
    KeyTaken {
        task: TaskId,
        holder: TaskId,
    },
    /// This callback runs.
    Callback(TaskId),
    NotFound,
}

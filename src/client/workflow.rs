//! Tasks that depend on each other, submitted as one.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap as _};
use serde_json::value::{RawValue, to_raw_value};

use super::{Call, Client, Error, TaskRequest};
use crate::task::{OnFailure, Status, TaskId, WorkflowState};

/// How often the state of a workflow is asked for while somebody waits for its end.
const ASKED_EVERY: Duration = Duration::from_millis(200);

/// A graph of tasks. A task can only depend on one that was added before it, so there is no circle in it.
///
/// ```
/// use jobqueue::client::{TaskRequest, Workflow};
///
/// # fn example() -> Result<(), jobqueue::client::Error> {
/// let mut report = Workflow::named("report");
/// let orders = report.task("orders", TaskRequest::new("fetch").args(&["orders"])?);
/// let stock = report.task("stock", TaskRequest::new("fetch").args(&["stock"])?);
/// let join = report.task("join", TaskRequest::new("join"));
/// report.depends_on(&join, [&orders, &stock]);
/// let tidy = report.task("tidy", TaskRequest::new("tidy"));
/// report.depends_on(&tidy, [join.whatever_happens()]);
/// let report = report.on_failure(TaskRequest::new("call_somebody"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default, Serialize)]
pub struct Workflow {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    meta: Option<Box<RawValue>>,
    #[serde(serialize_with = "by_name")]
    tasks: Vec<Entry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    on_success: Option<TaskRequest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    on_failure: Option<TaskRequest>,
    /// A header, not part of the body.
    #[serde(skip)]
    idempotency_key: Option<String>,
    /// A node of another workflow, that was to wait for something here.
    #[serde(skip)]
    stray: Option<Node>,
}

#[derive(Debug, Clone, Serialize)]
struct Entry {
    #[serde(skip)]
    name: Arc<str>,
    #[serde(flatten)]
    task: TaskRequest,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    depends_on: Vec<Dependency>,
}

fn by_name<S: Serializer>(entries: &[Entry], serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(entries.len()))?;
    for entry in entries {
        map.serialize_entry(&*entry.name, entry)?;
    }
    map.end()
}

/// A task of a workflow that is being built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node(Arc<str>);

/// What a task waits for, and what becomes of it where that does not succeed.
#[derive(Debug, Clone, Serialize)]
pub struct Dependency {
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<TaskId>,
    on_failure: OnFailure,
}

impl Node {
    /// What it is called in its workflow.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// The child runs once this one is over, whether it has succeeded or not.
    #[must_use]
    pub fn whatever_happens(&self) -> Dependency {
        Dependency::from(self).whatever_happens()
    }

    /// The child runs only if this one does not succeed.
    #[must_use]
    pub fn if_it_fails(&self) -> Dependency {
        Dependency::from(self).if_it_fails()
    }
}

impl Dependency {
    /// The child runs once this one is over, whether it has succeeded or not.
    #[must_use]
    pub fn whatever_happens(self) -> Self {
        Self { on_failure: OnFailure::Run, ..self }
    }

    /// The child runs only if this one does not succeed.
    #[must_use]
    pub fn if_it_fails(self) -> Self {
        Self { on_failure: OnFailure::Only, ..self }
    }
}

/// The child runs once this one has succeeded, and is skipped if it does not.
impl From<&Node> for Dependency {
    fn from(node: &Node) -> Self {
        Self { task: Some(node.0.clone()), id: None, on_failure: OnFailure::Skip }
    }
}

/// A task, or a whole workflow, that exists.
impl From<TaskId> for Dependency {
    fn from(id: TaskId) -> Self {
        Self { task: None, id: Some(id), on_failure: OnFailure::Skip }
    }
}

impl Workflow {
    pub fn new() -> Self {
        Self::default()
    }

    /// One that can be found by this name. Several may have the same.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..Self::default() }
    }

    /// Each runs after the one before has succeeded. They are named `0`, `1`, …
    pub fn chain(tasks: impl IntoIterator<Item = TaskRequest>) -> Self {
        let mut workflow = Self::group(tasks);
        for n in 1..workflow.tasks.len() {
            let before = Node(workflow.tasks[n - 1].name.clone());
            workflow.tasks[n].depends_on.push((&before).into());
        }
        workflow
    }

    /// They run side by side. They are named `0`, `1`, …
    pub fn group(tasks: impl IntoIterator<Item = TaskRequest>) -> Self {
        let mut workflow = Self::new();
        for (n, task) in tasks.into_iter().enumerate() {
            workflow.task(n.to_string(), task);
        }
        workflow
    }

    /// `body` runs after all of `header` have succeeded, and reads their results. It is named `body`, they `0`, `1`, …
    pub fn chord(header: impl IntoIterator<Item = TaskRequest>, body: TaskRequest) -> Self {
        let mut workflow = Self::group(header);
        let header: Vec<Node> = workflow.tasks.iter().map(|entry| Node(entry.name.clone())).collect();
        let body = workflow.task("body", body);
        workflow.depends_on(&body, &header);
        workflow
    }

    /// Adds a task. Its name is its own within the workflow: 1 to 128 characters. The idempotency key of the request is not
    /// used.
    pub fn task(&mut self, name: impl Into<Arc<str>>, task: TaskRequest) -> Node {
        let name = name.into();
        self.tasks.push(Entry { name: name.clone(), task, depends_on: Vec::new() });
        Node(name)
    }

    /// The task waits for all of these, besides those it waits for already. A node that is not of this workflow makes its
    /// submission an error.
    pub fn depends_on<D: Into<Dependency>>(&mut self, node: &Node, on: impl IntoIterator<Item = D>) {
        match self.tasks.iter_mut().rev().find(|entry| entry.name == node.0) {
            Some(entry) => entry.depends_on.extend(on.into_iter().map(Into::into)),
            None => self.stray = Some(node.clone()),
        }
    }

    /// Runs once every task has succeeded.
    #[must_use]
    pub fn on_success(mut self, task: TaskRequest) -> Self {
        self.on_success = Some(task);
        self
    }

    /// Runs once the workflow is over and has not succeeded.
    #[must_use]
    pub fn on_failure(mut self, task: TaskRequest) -> Self {
        self.on_failure = Some(task);
        self
    }

    /// Can be called more than once.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// Data of the submitter's own: anything that serializes to a JSON object.
    ///
    /// # Errors
    /// [`Error::Encode`] for what cannot be written as JSON.
    pub fn meta(mut self, meta: &(impl Serialize + ?Sized)) -> Result<Self, Error> {
        self.meta = Some(to_raw_value(meta)?);
        Ok(self)
    }

    /// Makes the submission safe to repeat: for 24 hours the same key gets the first answer again.
    #[must_use]
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }
}

/// A workflow that is stored.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct WorkflowSubmitted {
    pub id: TaskId,
    /// Ids of its tasks by their names.
    pub tasks: HashMap<String, TaskId>,
    /// Ids of `on_success` and `on_failure`, those that were given.
    #[serde(default)]
    pub callbacks: HashMap<String, TaskId>,
}

/// A workflow as the server shows it. Times are RFC 3339 in UTC.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct WorkflowInfo {
    pub id: TaskId,
    #[serde(default)]
    pub name: Option<String>,
    pub state: WorkflowState,
    pub created_at: String,
    #[serde(default)]
    pub finished_at: Option<String>,
    pub progress: WorkflowProgress,
    /// How many of its tasks are in a status now.
    #[serde(default)]
    pub statuses: BTreeMap<String, u64>,
    #[serde(default)]
    pub callbacks: BTreeMap<String, Option<Callback>>,
    #[serde(default)]
    pub tags: Vec<String>,
    /// A JSON object.
    #[serde(default)]
    pub meta: Option<Box<RawValue>>,
}

/// How many tasks there are, and how many have ended in which way. Callbacks are not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct WorkflowProgress {
    pub total: u64,
    /// They have not ended.
    pub open: u64,
    pub success: u64,
    pub failed: u64,
    pub timeout: u64,
    pub cancelled: u64,
    pub expired: u64,
    /// What they waited for did not succeed.
    pub skipped: u64,
    /// They were to run only where something fails, which did not.
    pub unneeded: u64,
}

/// What runs after a workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Callback {
    pub id: TaskId,
    /// `None`: it is deleted.
    #[serde(default)]
    pub status: Option<Status>,
}

impl Client {
    /// Submits a workflow: all of its tasks or none.
    ///
    /// # Errors
    /// As [`Client::submit`]; [`Error::Encode`] where [`Workflow::depends_on`] was given a node of another workflow.
    pub async fn submit_workflow(&self, workflow: &Workflow) -> Result<WorkflowSubmitted, Error> {
        if let Some(Node(name)) = &workflow.stray {
            let why = format!("`depends_on` was given the node {name:?}, which is not of this workflow");
            return Err(Error::Encode(serde::ser::Error::custom(why)));
        }
        let body = serde_json::to_string(workflow)?;
        self.send(&Call::submit_workflow(body, workflow.idempotency_key.as_deref())?).await?.json()
    }

    /// The workflow as it is now.
    ///
    /// # Errors
    /// [`Error::Api`] with status 404 where there is none.
    pub async fn workflow(&self, id: TaskId) -> Result<WorkflowInfo, Error> {
        self.send(&Call::read(format!("/workflows/{id}"))).await?.json()
    }

    /// Waits until the last of its tasks has ended, at most `up_to`; `None` if it has not ended by then. Its callbacks come
    /// after that.
    ///
    /// # Errors
    /// As [`Self::workflow`].
    pub async fn wait_for_workflow(&self, id: TaskId, up_to: Duration) -> Result<Option<WorkflowInfo>, Error> {
        let until = tokio::time::Instant::now() + up_to;
        loop {
            let workflow = self.workflow(id).await?;
            if workflow.state.is_over() {
                return Ok(Some(workflow));
            }
            let now = tokio::time::Instant::now();
            if now >= until {
                return Ok(None);
            }
            tokio::time::sleep_until((now + ASKED_EVERY).min(until)).await;
        }
    }

    /// Cancels those of its tasks that wait, and asks those that run to stop.
    ///
    /// # Errors
    /// [`Error::Api`] with status 409 for a workflow that is over, 404 where there is none.
    pub async fn cancel_workflow(&self, id: TaskId, reason: Option<&str>) -> Result<(), Error> {
        let body = reason.map(|reason| serde_json::json!({"reason": reason})).unwrap_or_else(|| serde_json::json!({}));
        self.send(&Call::post(format!("/workflows/{id}/cancel"), &body)?).await.map(drop)
    }

    /// Runs what did not succeed once more; what has succeeded stays.
    ///
    /// # Errors
    /// [`Error::Api`] with status 409 where nothing of it has failed, 404 where there is none.
    pub async fn retry_workflow(&self, id: TaskId) -> Result<(), Error> {
        self.send(&Call::post(format!("/workflows/{id}/retry"), &serde_json::json!({}))?).await.map(drop)
    }
}

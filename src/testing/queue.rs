//! A queue that runs when it is told to.

use std::{fs, io, path::PathBuf, sync::Arc, time::Duration};

use tokio::sync::oneshot;

use crate::{
    broker::InProcess,
    client::TaskRequest,
    clock::{Clock as _, ManualClock},
    engine::{ClaimReply, Engine, Settings, StageThreads, Submission, SubmitError},
    http,
    store::{Location, Store, StoreError, StoredOutcome, TaskRow, WorkerInfo},
    task::{LeaseToken, Millis, Outcome, TaskDefaults, TaskId, WorkerId},
    work::{Assignment, Parent, Registry, StopSignal, perform},
};

/// 2030-01-01T00:00:00Z: where a test's time begins.
const BEGIN: Millis = 1_893_456_000_000;
/// How long a handler that is out of time may take to end.
const GRACE: Duration = Duration::from_secs(5);
/// Attempts of one drain: what puts itself off by nothing would go on for ever.
const MOST: usize = 100_000;

/// A store in a temporary folder, with the engine of the server and a clock that stands still, whose tasks run in the test itself
/// when it says so: no slot, no timer and no port.
///
/// ```
/// # use std::time::Duration;
/// # use jobqueue::{client::TaskRequest, task::Status, testing::TestQueue, work::{Registry, TaskContext, TaskFailure}};
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let mut registry = Registry::new();
/// registry.task("flaky", |context: TaskContext, (): ()| async move {
///     if context.attempt() == 1 { Err(TaskFailure::new("not yet")) } else { Ok("done") }
/// }).unwrap();
/// let queue = TestQueue::new(registry)?;
/// let id = queue.submit(&TaskRequest::new("flaky")).await?;
/// assert_eq!(queue.drain().await?.len(), 1);
/// assert_eq!(queue.task(id)?.status, Status::Retry);
/// queue.advance(Duration::from_secs(60));
/// queue.drain().await?;
/// assert_eq!(queue.task(id)?.status, Status::Success);
/// # Ok::<(), jobqueue::testing::TestError>(())
/// # }).unwrap();
/// ```
pub struct TestQueue {
    engine: Engine,
    registry: Registry,
    clock: Arc<ManualClock>,
    defaults: TaskDefaults,
    folder: PathBuf,
    stages: Option<StageThreads>,
}

/// An attempt that a [`TestQueue`] has made.
#[derive(Debug, Clone)]
pub struct Ran {
    pub id: TaskId,
    pub name: String,
    /// 1 = the first.
    pub attempt: u32,
    pub outcome: Outcome,
}

/// What went wrong with the queue, not with a task.
#[derive(Debug, thiserror::Error)]
pub enum TestError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Submit(#[from] SubmitError),
    #[error("the task was refused: {0}")]
    Refused(String),
    #[error("there is no task {0}")]
    NoTask(TaskId),
    #[error("{MOST} attempts have not been enough")]
    Endless,
    #[error(transparent)]
    Folder(#[from] io::Error),
}

impl TestQueue {
    /// Without tasks. Every type of [`crate::work::Data`] that a handler needs must be registered by now.
    pub fn new(registry: Registry) -> Result<Self, TestError> {
        registry.check().map_err(|error| TestError::Refused(error.to_string()))?;
        let folder = std::env::temp_dir().join(format!("jobqueue-test-{}", uuid::Uuid::new_v4().simple()));
        fs::create_dir_all(&folder)?;
        let clock = Arc::new(ManualClock::at(BEGIN));
        let (engine, stages) = start(&folder, clock.clone()).inspect_err(|_| {
            let _ = fs::remove_dir_all(&folder);
        })?;
        let defaults = TaskDefaults {
            max_retries: 3,
            timeout_ms: Some(300_000),
            result_ttl_ms: 3_600_000,
            ..TaskDefaults::default()
        };
        Ok(Self { engine, registry, clock, defaults, folder, stages: Some(stages) })
    }

    /// Submits a task, as a client would.
    pub async fn submit(&self, request: &TaskRequest) -> Result<TaskId, TestError> {
        let json = serde_json::to_string(request).map_err(|error| TestError::Refused(error.to_string()))?;
        let task = http::offline_task(&json, &self.defaults, self.clock.now()).map_err(TestError::Refused)?;
        let submission = Submission { tasks: vec![task], ..Submission::default() };
        match self.engine.submit(submission).await?.outcomes.first() {
            Some(
                StoredOutcome::Created { id, .. } | StoredOutcome::Deduplicated { id } | StoredOutcome::Replaced { id },
            ) => Ok(*id),
            other => Err(TestError::Refused(format!("{other:?}"))),
        }
    }

    /// Runs what is ready, one task after the other in the order in which a node with one slot would, and what becomes ready
    /// by that, until nothing is. Tasks whose time has not come are left: [`TestQueue::advance`].
    pub async fn drain(&self) -> Result<Vec<Ran>, TestError> {
        let mut all = Vec::new();
        loop {
            let before = all.len();
            while self.engine.expire(1_000).await? {}
            while self.engine.resolve(1_000).await? {}
            for queue in self.engine.reader().queues()? {
                let queue: Arc<str> = queue.name.into();
                // A clock that was moved is news to the heads.
                self.engine.sweep_queue(&queue, 1_000).await?;
                while let Some(ran) = self.step(&queue).await? {
                    all.push(ran);
                    if all.len() > MOST {
                        return Err(TestError::Endless);
                    }
                }
            }
            if all.len() == before {
                return Ok(all);
            }
        }
    }

    async fn step(&self, queue: &Arc<str>) -> Result<Option<Ran>, TestError> {
        let (tell, told) = oneshot::channel();
        self.engine.claim(queue.clone(), 1, move |reply| {
            let _ = tell.send(reply);
        });
        let reply: ClaimReply = told.await.map_err(|_| TestError::Submit(SubmitError::Closed))??;
        let Some(grant) = reply.grants.into_iter().next() else { return Ok(None) };
        let task = grant.task().clone();
        let parents = self.engine.reader().parents(task.id, task.parents)?.unwrap_or_default();
        let parent = |row: crate::store::ParentRow| Parent {
            id: row.id,
            name: row.name,
            status: row.status,
            result: row.result,
            error: row.error,
        };
        let assignment = Assignment::new(task.clone(), parents.into_iter().map(parent).collect());
        let outcome = perform(&self.registry, assignment, &StopSignal::new(), GRACE).await;
        grant.finish(outcome.clone());
        self.recorded(task.token()).await;
        Ok(Some(Ran { id: task.id, name: task.name.clone(), attempt: task.attempt, outcome }))
    }

    /// Outcomes are recorded on another thread.
    async fn recorded(&self, lease: LeaseToken) {
        while self.engine.held().contains(lease.task, lease.lease) {
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
    }

    /// Lets time pass, which only this does.
    pub fn advance(&self, by: Duration) {
        self.clock.advance(i64::try_from(by.as_millis()).unwrap_or(i64::MAX));
    }

    /// A task as the store has it.
    pub fn task(&self, id: TaskId) -> Result<TaskRow, TestError> {
        self.engine.reader().task(id)?.ok_or(TestError::NoTask(id))
    }

    /// The engine, for whatever else a test wants to ask or do.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }
}

fn start(folder: &std::path::Path, clock: Arc<ManualClock>) -> Result<(Engine, StageThreads), StoreError> {
    let store = Store::open(&Location::File(folder.join("jobs.db")))?;
    store.migrate_up()?;
    let worker = WorkerInfo {
        id: WorkerId::new(),
        host: "test".into(),
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").into(),
        slots: 1,
        started_at: clock.now(),
        patience: 12_000,
        ..WorkerInfo::default()
    };
    Engine::start(
        store.sessions()?,
        store.reader(),
        Arc::new(InProcess::default()),
        clock,
        Settings::default(),
        &worker,
    )
}

impl Drop for TestQueue {
    fn drop(&mut self) {
        self.engine.close();
        if let Some(stages) = self.stages.take() {
            stages.join();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

//! Between rows and the domain.

use diesel::prelude::*;

use super::schema::tasks;
use super::{Backend, Connection, key::uid};
use crate::{
    store::TaskRow,
    task::{KeyScope, LeaseId, Priority, Status, TaskId, WorkerId},
};

/// A key as diesel binds it.
pub(super) fn bytes(id: &[u8; 16]) -> &[u8] {
    id
}

/// Values of the store that this version does not know are read as the nearest it does, never as a panic.
pub(super) mod reading {
    use crate::task::{Priority, Status, TaskError};

    pub(in super::super) fn status(code: i32) -> Status {
        i16::try_from(code).ok().and_then(Status::from_code).unwrap_or(Status::Failed)
    }

    pub(in super::super) fn priority(level: i32) -> Priority {
        u8::try_from(level).ok().and_then(Priority::new).unwrap_or_default()
    }

    pub(in super::super) fn count(n: i32) -> u32 {
        u32::try_from(n).unwrap_or(0)
    }

    pub(in super::super) fn signed(n: u32) -> i32 {
        i32::try_from(n).unwrap_or(i32::MAX)
    }

    pub(in super::super) fn json<T: serde::de::DeserializeOwned>(text: Option<String>) -> Option<T> {
        text.and_then(|text| serde_json::from_str(&text).ok())
    }

    pub(in super::super) fn error_text(error: &TaskError) -> String {
        serde_json::to_string(error).unwrap_or_default()
    }
}

/// A whole row.
#[derive(Queryable, Selectable)]
#[diesel(table_name = tasks, check_for_backend(Backend))]
pub(super) struct TaskRecord {
    id: Vec<u8>,
    queue: String,
    name: String,
    priority: i32,
    status: i32,
    ready_at: Option<i64>,
    created_at: i64,
    run_at: Option<i64>,
    expires_at: Option<i64>,
    max_age_ms: Option<i64>,
    started_at: Option<i64>,
    finished_at: Option<i64>,
    attempt: i32,
    failures: i32,
    crashes: i32,
    snoozes: Option<i32>,
    max_retries: i32,
    timeout_ms: Option<i64>,
    generation: i32,
    cancel_requested: bool,
    worker_id: Option<Vec<u8>>,
    lease_id: Option<Vec<u8>>,
    unique_key: Option<String>,
    unique_while: Option<i32>,
    unique_until: Option<i64>,
    retry: Option<String>,
    result_ttl_ms: Option<i64>,
    parents: i32,
    unmet: i32,
    workflow_id: Option<Vec<u8>>,
    tags: Option<String>,
    meta: Option<String>,
    flow: Option<String>,
    error: Option<String>,
}

/// The texts that can be long, which lists leave out.
#[derive(Queryable, Selectable, Default)]
#[diesel(table_name = tasks, check_for_backend(Backend))]
pub(super) struct Payload {
    pub(super) args: String,
    pub(super) kwargs: String,
    pub(super) result: Option<String>,
}

pub(super) fn task_id(bytes: &[u8]) -> TaskId {
    TaskId::from_slice(bytes).unwrap_or_else(|| TaskId::from_bytes([0; 16]))
}

pub(super) fn worker_id(bytes: Option<Vec<u8>>) -> Option<WorkerId> {
    bytes.and_then(|bytes| WorkerId::from_slice(&bytes))
}

impl TaskRecord {
    pub(super) fn into_row(self, payload: Payload) -> TaskRow {
        TaskRow {
            id: task_id(&self.id),
            queue: self.queue,
            name: self.name,
            priority: reading::priority(self.priority),
            status: reading::status(self.status),
            ready_at: self.ready_at,
            created_at: self.created_at,
            run_at: self.run_at,
            expires_at: self.expires_at,
            max_age_ms: self.max_age_ms,
            started_at: self.started_at,
            finished_at: self.finished_at,
            attempt: reading::count(self.attempt),
            failures: reading::count(self.failures),
            crashes: reading::count(self.crashes),
            snoozes: self.snoozes.map_or(0, reading::count),
            max_retries: reading::count(self.max_retries),
            timeout_ms: self.timeout_ms,
            generation: reading::count(self.generation),
            cancel_requested: self.cancel_requested,
            worker_id: worker_id(self.worker_id),
            lease_id: self.lease_id.and_then(|lease| LeaseId::from_slice(&lease)),
            unique_key: self.unique_key,
            unique_scope: KeyScope::from_code(self.unique_while),
            unique_until: self.unique_until,
            retry: reading::json(self.retry),
            result_ttl_ms: self.result_ttl_ms,
            parents: reading::count(self.parents),
            unmet: reading::count(self.unmet),
            workflow: self.workflow_id.as_deref().map(task_id),
            tags: reading::json(self.tags).unwrap_or_default(),
            meta: self.meta,
            flow: reading::json(self.flow),
            error: reading::json(self.error),
            args: payload.args,
            kwargs: payload.kwargs,
            result: payload.result,
        }
    }
}

/// The columns by which the state machine moves a task.
#[derive(Queryable, Selectable)]
#[diesel(table_name = tasks, check_for_backend(Backend))]
pub(super) struct StateRecord {
    pub(super) id: Vec<u8>,
    pub(super) queue: String,
    pub(super) name: String,
    pub(super) priority: i32,
    pub(super) status: i32,
    pub(super) run_at: Option<i64>,
    pub(super) expires_at: Option<i64>,
    pub(super) max_age_ms: Option<i64>,
    pub(super) started_at: Option<i64>,
    pub(super) finished_at: Option<i64>,
    pub(super) attempt: i32,
    pub(super) crashes: i32,
    pub(super) generation: i32,
    pub(super) cancel_requested: bool,
    pub(super) worker_id: Option<Vec<u8>>,
    pub(super) lease_id: Option<Vec<u8>>,
    pub(super) unique_key: Option<String>,
    pub(super) result_ttl_ms: Option<i64>,
    pub(super) parents: i32,
    pub(super) unmet: i32,
    pub(super) workflow_id: Option<Vec<u8>>,
    pub(super) has_dependants: bool,
    lane: Option<i64>,
    pub(super) error: Option<String>,
}

impl StateRecord {
    /// It shares its queue by keys.
    pub(super) const fn is_keyed(&self) -> bool {
        self.lane.is_some()
    }

    /// Holds the row until the end of the transaction: what is decided by it stays right.
    pub(super) fn find(connection: &mut Connection, id: TaskId) -> QueryResult<Option<Self>> {
        let row = tasks::table.filter(tasks::id.eq(uid(id.as_bytes()))).select(Self::as_select());
        locked!(row).first(connection).optional()
    }

    pub(super) fn id(&self) -> TaskId {
        task_id(&self.id)
    }

    pub(super) fn queue(&self) -> std::sync::Arc<str> {
        self.queue.as_str().into()
    }

    /// The workflow that counts its end.
    pub(super) fn workflow(&self) -> Option<TaskId> {
        self.workflow_id.as_deref().map(task_id)
    }

    pub(super) fn status(&self) -> Status {
        reading::status(self.status)
    }

    pub(super) fn priority(&self) -> Priority {
        reading::priority(self.priority)
    }
}

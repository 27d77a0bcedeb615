//! Work on many tasks that has been begun: listed, followed, stopped.

use actix_web::{HttpResponse, web::Data};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    ApiState,
    actions::Empty,
    body::Body,
    caller::Caller,
    code::Code,
    cursor::Binding,
    problem::Problem,
    query::{self, Nothing, Query},
    reply::{self, Listed},
    shape,
    tasks::Id,
    time::Time,
};
use crate::{
    store::{Action, Operation, OperationState},
    task::TaskId,
};

/// Work on many tasks.
#[derive(Serialize, ToSchema)]
#[schema(as = Operation)]
pub(super) struct OperationView {
    #[schema(value_type = String, format = Uuid)]
    id: TaskId,
    action: Action,
    state: OperationState,
    /// Tasks it has been done to, and those to which it could not be (any more).
    done: u64,
    refused: u64,
    /// Tasks a second at most; null: as fast as it goes.
    rate: Option<f64>,
    created_at: Time,
    finished_at: Option<Time>,
}

impl From<Operation> for OperationView {
    fn from(operation: Operation) -> Self {
        let Operation { id, action, state, done, refused, rate, created_at, finished_at, .. } = operation;
        Self {
            id,
            action,
            state,
            done,
            refused,
            rate,
            created_at: Time(created_at),
            finished_at: finished_at.map(Time),
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct OperationsQuery {
    /// 1 to 200; 50 if not given.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    cursor: Option<String>,
}

/// Lists operations, the newest first
///
/// A key for some queues is shown those that are for its queues only.
#[utoipa::path(
    get, path = "/api/v1/operations", operation_id = "list_operations", tag = "operations",
    params(OperationsQuery),
    responses((status = 200, body = Listed<OperationView>))
)]
pub(super) async fn list(
    state: Data<ApiState>,
    caller: Caller,
    query: Query<OperationsQuery>,
) -> Result<HttpResponse, Problem> {
    let OperationsQuery { limit, cursor } = query.0;
    let binding = Binding::new(&"operations");
    let page = binding.page(cursor.as_deref(), query::limit(limit.as_deref())?, false)?;
    let within = caller.within().cloned();
    let listed = state.read(move |reader| reader.operations(&page, within.as_ref())).await?;
    let (next_cursor, prev_cursor) = binding.neighbours(&listed);
    let data = listed.rows.into_iter().map(OperationView::from).collect();
    reply::ok(&Listed { data, next_cursor, prev_cursor })
}

impl ApiState {
    async fn operation(&self, id: TaskId, caller: &Caller) -> Result<Operation, Problem> {
        let found = self.read(move |reader| reader.operation(id)).await?;
        let seen = |operation: &Operation| caller.within().is_none_or(|within| operation.among.is_within(within));
        found.filter(seen).ok_or_else(|| Problem::new(Code::OperationNotFound, format!("There is no operation {id}")))
    }
}

/// Reads an operation
#[utoipa::path(
    get, path = "/api/v1/operations/{id}", operation_id = "get_operation", tag = "operations",
    params(("id" = String, Path, format = Uuid)),
    responses((status = 200, body = OperationView))
)]
pub(super) async fn get(
    state: Data<ApiState>,
    caller: Caller,
    id: Id,
    _: Query<Nothing>,
) -> Result<HttpResponse, Problem> {
    reply::ok(&OperationView::from(state.operation(id.0, &caller).await?))
}

/// Stops an operation
///
/// What it has done stays done.
#[utoipa::path(
    post, path = "/api/v1/operations/{id}/cancel", operation_id = "cancel_operation", tag = "operations",
    params(("id" = String, Path, format = Uuid)),
    responses((status = 200, body = OperationView))
)]
pub(super) async fn cancel(
    state: Data<ApiState>,
    caller: Caller,
    id: Id,
    _: Query<Nothing>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    shape::parse_or_empty::<Empty>(&body.0)?;
    state.operation(id.0, &caller).await?;
    let cancelled = state.engine.cancel_operation(id.0, caller.act("operation.cancel", id.0)).await?;
    let operation = state.operation(id.0, &caller).await?;
    if !cancelled {
        let detail = format!("The operation is over: {}", operation.state.as_str());
        return Err(Problem::new(Code::OperationFinished, detail));
    }
    reply::ok(&OperationView::from(operation))
}

//! Workflows, listed and read.

use actix_web::{HttpResponse, web::Data};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    http::{
        ApiState,
        caller::Caller,
        code::Code,
        cursor::Binding,
        list::checked,
        problem::Problem,
        query::{self, Nothing, Query},
        reply::{self, Listed},
        tasks::Id,
        time::Time,
        view::Raw,
    },
    store::{NodeRow, WorkflowFilter, WorkflowRow},
    task::{End, Millis, Role, Status, TaskId, WorkflowState, name},
};

/// How many tasks there are, and how many have ended in which way. Callbacks are not counted.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct Progress {
    total: i64,
    /// They have not ended.
    open: i64,
    success: i64,
    failed: i64,
    timeout: i64,
    cancelled: i64,
    expired: i64,
    /// What they waited for did not succeed.
    skipped: i64,
    /// They were to run only where something fails, which did not.
    unneeded: i64,
}

/// A workflow and how far it has come.
#[derive(Serialize, ToSchema)]
#[schema(as = Workflow)]
pub(in crate::http) struct WorkflowView<'a> {
    #[schema(value_type = String, format = Uuid)]
    id: TaskId,
    name: Option<&'a str>,
    state: WorkflowState,
    created_at: Time,
    /// When the last of its tasks ended. Callbacks come after it.
    finished_at: Option<Time>,
    duration_ms: Option<Millis>,
    progress: Progress,
    queues: &'a [String],
    tags: &'a [String],
}

impl<'a> From<&'a WorkflowRow> for WorkflowView<'a> {
    fn from(row: &'a WorkflowRow) -> Self {
        let n = |end| row.tally.of(end);
        let progress = Progress {
            total: row.tally.total,
            open: row.tally.open(),
            success: n(End::Success),
            failed: n(End::Failed),
            timeout: n(End::Timeout),
            cancelled: n(End::Cancelled),
            expired: n(End::Expired),
            skipped: n(End::Skipped),
            unneeded: n(End::Unneeded),
        };
        Self {
            id: row.id,
            name: row.name.as_deref(),
            state: row.state,
            created_at: Time(row.created_at),
            finished_at: row.finished_at.map(Time),
            duration_ms: row.finished_at.map(|at| (at - row.created_at).max(0)),
            progress,
            queues: &row.queues,
            tags: &row.tags,
        }
    }
}

/// One workflow.
#[derive(Serialize, ToSchema)]
#[schema(as = WorkflowDetail)]
pub(in crate::http) struct DetailView<'a> {
    #[serde(flatten)]
    workflow: WorkflowView<'a>,
    #[schema(value_type = Option<Object>)]
    meta: Raw<'a>,
    /// How many of its tasks that are not deleted are in a status now.
    #[schema(value_type = std::collections::BTreeMap<String, i64>)]
    statuses: std::collections::BTreeMap<&'static str, i64>,
    callbacks: Callbacks,
}

#[derive(Serialize, ToSchema, Default)]
#[schema(as = WorkflowCallbacks)]
struct Callbacks {
    on_success: Option<CallbackView>,
    on_failure: Option<CallbackView>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = WorkflowCallback)]
struct CallbackView {
    #[schema(value_type = String, format = Uuid)]
    id: TaskId,
    /// Null: it is deleted.
    status: Option<Status>,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct WorkflowsQuery {
    /// `running`, `success`, `failed`, `cancelled`, separated by commas.
    state: Option<String>,
    /// The whole name.
    name: Option<String>,
    /// Not before this moment.
    #[param(value_type = Option<String>, format = DateTime)]
    created_after: Option<String>,
    /// Before this moment.
    #[param(value_type = Option<String>, format = DateTime)]
    created_before: Option<String>,
    /// 1 to 200; 50 if not given.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    /// `next_cursor` or `prev_cursor` of an answer with the same filters.
    cursor: Option<String>,
}

/// Lists workflows, the newest first
///
/// A key for some queues is shown those all of whose queues are among them.
#[utoipa::path(
    get, path = "/api/v1/workflows", operation_id = "list_workflows", tag = "workflows",
    params(WorkflowsQuery),
    responses((status = 200, body = Listed<WorkflowView>))
)]
pub(in crate::http) async fn list(
    state: Data<ApiState>,
    caller: Caller,
    query: Query<WorkflowsQuery>,
) -> Result<HttpResponse, Problem> {
    let query = query.0;
    let states = query.state.iter().flat_map(|list| list.split(','));
    let states: Option<Vec<_>> = states.map(|text| WorkflowState::parse(text.trim())).collect();
    let Some(states) = states else {
        let known: Vec<_> = WorkflowState::ALL.iter().map(|state| state.as_str()).collect();
        return Err(query::invalid("state", format!("is a list of {}", known.join(", "))));
    };
    checked("name", query.name.as_deref(), name::workflow)?;
    let filter = WorkflowFilter {
        states,
        name: query.name,
        created_after: query::moment("created_after", query.created_after.as_deref())?,
        created_before: query::moment("created_before", query.created_before.as_deref())?,
        within: None,
    };
    let binding = Binding::new(&("workflows", &filter));
    let page = binding.page(query.cursor.as_deref(), query::limit(query.limit.as_deref())?, false)?;
    let filter = WorkflowFilter { within: caller.within().cloned(), ..filter };
    let listed = state.read(move |reader| reader.workflows(&filter, &page)).await?;
    let (next_cursor, prev_cursor) = binding.neighbours(&listed);
    let data = listed.rows.iter().map(WorkflowView::from).collect();
    reply::ok(&Listed { data, next_cursor, prev_cursor })
}

pub(in crate::http) fn no_workflow(id: TaskId) -> Problem {
    let detail = format!("There is no workflow {id}; it may have been deleted after its retention");
    Problem::new(Code::WorkflowNotFound, detail)
}

/// Reads a workflow
///
/// Its tasks are those of `GET /tasks?workflow=`, or all at once in its graph.
#[utoipa::path(
    get, path = "/api/v1/workflows/{id}", operation_id = "get_workflow", tag = "workflows",
    params(("id" = String, Path, format = Uuid)),
    responses((status = 200, body = DetailView))
)]
pub(in crate::http) async fn get(state: Data<ApiState>, id: Id, _: Query<Nothing>) -> Result<HttpResponse, Problem> {
    let id = id.0;
    let found = state.read(move |reader| {
        let Some(row) = reader.workflow(id)? else { return Ok(None) };
        let plan = reader.workflow_plan(id)?;
        Ok(Some((row, plan, reader.workflow_nodes(id, true)?, reader.workflow_statuses(id)?)))
    });
    let (row, plan, nodes, statuses) = found.await?.ok_or_else(|| no_workflow(id))?;
    let meta = plan.and_then(|plan| plan.meta);
    reply::ok(&DetailView {
        workflow: WorkflowView::from(&row),
        meta: Raw::or_null(meta.as_deref()),
        statuses: statuses.iter().map(|(status, n)| (status.as_str(), *n)).collect(),
        callbacks: callbacks(&nodes),
    })
}

fn callbacks(nodes: &[NodeRow]) -> Callbacks {
    let of = |role| {
        let node = nodes.iter().find(|node| node.role == role)?;
        Some(CallbackView { id: node.task, status: node.status() })
    };
    Callbacks { on_success: of(Role::OnSuccess), on_failure: of(Role::OnFailure) }
}

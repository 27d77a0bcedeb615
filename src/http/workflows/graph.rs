//! `GET /workflows/{id}/graph`.

use actix_web::{HttpResponse, web::Data};
use serde::Serialize;
use utoipa::ToSchema;

use super::read::no_workflow;
use crate::{
    http::{
        ApiState,
        problem::Problem,
        query::{Nothing, Query},
        reply,
        tasks::Id,
        time::Time,
    },
    store::{NodeRow, WorkflowPlan},
    task::{OnFailure, Role, Status, TaskId, WorkflowState},
};

#[derive(Serialize, ToSchema)]
#[schema(as = WorkflowGraph)]
pub(in crate::http) struct GraphView<'a> {
    #[schema(value_type = String, format = Uuid)]
    id: TaskId,
    state: WorkflowState,
    /// Parents come before their children.
    nodes: Vec<NodeView<'a>>,
    /// As they were submitted, whether the tasks are deleted or not.
    edges: Vec<EdgeView<'a>>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = WorkflowNode)]
struct NodeView<'a> {
    /// What it is called in the workflow.
    node: &'a str,
    #[schema(value_type = String, format = Uuid)]
    id: TaskId,
    /// Its last one, where it is deleted; null where that is not known.
    status: Option<Status>,
    /// Null where it is deleted, as what follows.
    name: Option<&'a str>,
    queue: Option<&'a str>,
    started_at: Option<Time>,
    finished_at: Option<Time>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = WorkflowEdge)]
struct EdgeView<'a> {
    from: &'a str,
    to: &'a str,
    on_failure: OnFailure,
}

/// Reads the graph of a workflow
///
/// All of its tasks with their statuses, and which waits for which.
#[utoipa::path(
    get, path = "/api/v1/workflows/{id}/graph", operation_id = "get_workflow_graph", tag = "workflows",
    params(("id" = String, Path, format = Uuid)),
    responses((status = 200, body = GraphView))
)]
pub(in crate::http) async fn get(state: Data<ApiState>, id: Id, _: Query<Nothing>) -> Result<HttpResponse, Problem> {
    let id = id.0;
    // Made off this thread too: it may be a megabyte.
    let text = state.read(move |reader| {
        let (Some(row), Some(plan)) = (reader.workflow(id)?, reader.workflow_plan(id)?) else { return Ok(None) };
        let mut nodes = reader.workflow_nodes(id, false)?;
        nodes.retain(|node| node.role == Role::Node);
        Ok(Some(serde_json::to_string(&view(id, row.state, &plan, &nodes))))
    });
    let text = text.await?.ok_or_else(|| no_workflow(id))?.map_err(|_| Problem::internal())?;
    Ok(reply::text(text))
}

fn view<'a>(id: TaskId, state: WorkflowState, plan: &WorkflowPlan, nodes: &'a [NodeRow]) -> GraphView<'a> {
    let edge = |(from, to, on_failure): &(usize, usize, i32)| {
        let (from, to) = (&*nodes.get(*from)?.node, &*nodes.get(*to)?.node);
        Some(EdgeView { from, to, on_failure: OnFailure::from_code(*on_failure) })
    };
    GraphView {
        id,
        state,
        nodes: nodes.iter().map(node).collect(),
        edges: plan.edges.iter().filter_map(edge).collect(),
    }
}

fn node(row: &NodeRow) -> NodeView<'_> {
    let live = row.live.as_ref();
    NodeView {
        node: &row.node,
        id: row.task,
        status: row.status(),
        name: live.map(|task| &*task.name),
        queue: live.map(|task| &*task.queue),
        started_at: live.and_then(|task| task.started_at).map(Time),
        finished_at: live.and_then(|task| task.finished_at).map(Time),
    }
}

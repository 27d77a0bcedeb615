//! Reads of workflows.

use diesel::prelude::*;

use super::{
    Backend, Connection,
    key::uid,
    list::paged,
    records::{reading, task_id},
    schema::{task_dependencies, tasks, workflow_plans, workflow_tasks, workflows},
    workflows::Counts,
};
use crate::{
    store::{ListedPage, NodeRow, NodeTask, Page, TaskRow, WorkflowFilter, WorkflowPlan, WorkflowRow},
    task::{End, Role, Status, TaskId},
};

/// Workflows read at a time, and how often at most for one page.
const STRIDE: i64 = 201;
const MOST_STRIDES: usize = 25;
/// Tasks named in the summary that a callback reads.
const MOST_NAMED: i64 = 100;

#[derive(Queryable, Selectable)]
#[diesel(table_name = workflows, check_for_backend(Backend))]
struct Record {
    name: Option<String>,
    created_at: i64,
    queues: String,
    tags: Option<String>,
}

fn row((record, counts): (Record, Counts)) -> WorkflowRow {
    WorkflowRow {
        id: task_id(&counts.id),
        name: record.name,
        state: counts.state(),
        created_at: record.created_at,
        finished_at: counts.finished_at,
        tally: counts.tally(),
        deleted: reading::count(counts.deleted),
        queues: reading::json(Some(record.queues)).unwrap_or_default(),
        tags: reading::json(record.tags).unwrap_or_default(),
    }
}

pub(super) fn find(connection: &mut Connection, id: TaskId) -> QueryResult<Option<WorkflowRow>> {
    let found = workflows::table.find(uid(id.as_bytes())).select((Record::as_select(), Counts::as_select()));
    Ok(found.first(connection).optional()?.map(row))
}

/// Which queues a workflow has is a list in its row, so those of other queues are passed over here.
pub(super) fn list(
    connection: &mut Connection,
    filter: &WorkflowFilter,
    page: &Page,
) -> QueryResult<ListedPage<WorkflowRow>> {
    let (newest_first, wanted) = (page.ascending == page.backwards, page.limit + 1);
    let (mut rows, mut from) = (Vec::new(), page.from);
    let seen = |row: &WorkflowRow| match &filter.within {
        None => true,
        Some(within) => row.queues.iter().all(|queue| within.includes(queue)),
    };
    for _ in 0..MOST_STRIDES {
        let mut query = filtered(filter);
        if let Some(from) = from {
            let from = uid(from.as_bytes());
            query =
                if newest_first { query.filter(workflows::id.lt(from)) } else { query.filter(workflows::id.gt(from)) };
        }
        let query = if newest_first { query.order(workflows::id.desc()) } else { query.order(workflows::id.asc()) };
        let found = query.select((Record::as_select(), Counts::as_select())).limit(STRIDE);
        let found: Vec<(Record, Counts)> = found.load(connection)?;
        let ended = i64::try_from(found.len()).is_ok_and(|n| n < STRIDE);
        for row in found.into_iter().map(row) {
            from = Some(row.id);
            if seen(&row) {
                rows.push(row);
            }
        }
        if ended || rows.len() >= wanted {
            from = None;
            break;
        }
    }
    Ok(paged(rows, page, from, |row| row.id))
}

fn filtered(filter: &WorkflowFilter) -> workflows::BoxedQuery<'static, Backend> {
    let mut query = workflows::table.into_boxed::<Backend>();
    if !filter.states.is_empty() {
        let codes: Vec<i32> = filter.states.iter().map(|state| state.code().into()).collect();
        query = query.filter(workflows::state.eq_any(codes));
    }
    if let Some(name) = &filter.name {
        query = query.filter(workflows::name.eq(name.clone()));
    }
    if let Some(after) = filter.created_after {
        query = query.filter(workflows::id.ge(uid(TaskId::first_at(after).as_bytes())));
    }
    if let Some(before) = filter.created_before {
        query = query.filter(workflows::id.lt(uid(TaskId::first_at(before).as_bytes())));
    }
    query
}

pub(super) fn plan(connection: &mut Connection, id: TaskId) -> QueryResult<Option<WorkflowPlan>> {
    let found = workflow_plans::table.find(uid(id.as_bytes())).select((workflow_plans::edges, workflow_plans::meta));
    let found: Option<(String, Option<String>)> = found.first(connection).optional()?;
    Ok(found.map(|(edges, meta)| WorkflowPlan { edges: reading::json(Some(edges)).unwrap_or_default(), meta }))
}

type Node = (Vec<u8>, String, i32, Option<i32>, Option<(String, String, i32, Option<i64>, Option<i64>)>);

pub(super) fn nodes(connection: &mut Connection, id: TaskId, only_callbacks: bool) -> QueryResult<Vec<NodeRow>> {
    let from = if only_callbacks { Role::OnSuccess } else { Role::Node };
    let rows: Vec<Node> = workflow_tasks::table
        .left_join(tasks::table.on(tasks::id.eq(workflow_tasks::task_id)))
        .filter(workflow_tasks::workflow_id.eq(uid(id.as_bytes())))
        .filter(workflow_tasks::role.ge(i32::from(from.code())))
        .order(workflow_tasks::task_id)
        .select((
            workflow_tasks::task_id,
            workflow_tasks::name,
            workflow_tasks::role,
            workflow_tasks::ended,
            (tasks::name, tasks::queue, tasks::status, tasks::started_at, tasks::finished_at).nullable(),
        ))
        .load(connection)?;
    Ok(rows.into_iter().map(node).collect())
}

fn node((task, node, role, ended, live): Node) -> NodeRow {
    let live = live.map(|(name, queue, status, started_at, finished_at)| NodeTask {
        name,
        queue,
        status: reading::status(status),
        started_at,
        finished_at,
    });
    let role = i16::try_from(role).map_or(Role::Node, Role::from_code);
    let ended = ended.and_then(|code| End::from_code(i16::try_from(code).ok()?));
    NodeRow { task: task_id(&task), node, role, live, ended }
}

pub(super) fn statuses(connection: &mut Connection, id: TaskId) -> QueryResult<Vec<(Status, i64)>> {
    let rows: Vec<(i32, i64)> = workflow_tasks::table
        .inner_join(tasks::table.on(tasks::id.eq(workflow_tasks::task_id)))
        .filter(workflow_tasks::workflow_id.eq(uid(id.as_bytes())))
        .filter(workflow_tasks::role.eq(i32::from(Role::Node.code())))
        .group_by(tasks::status)
        .select((tasks::status, diesel::dsl::count_star()))
        .load(connection)?;
    Ok(rows.into_iter().map(|(status, n)| (reading::status(status), n)).collect())
}

/// A node says itself of which; a callback waits for it.
pub(super) fn node_of(connection: &mut Connection, task: &TaskRow) -> QueryResult<Option<(TaskId, String)>> {
    let id = uid(task.id.as_bytes());
    let of: Vec<Vec<u8>> = match task.workflow {
        Some(workflow) => vec![workflow.as_bytes().to_vec()],
        None if task.parents == 0 => return Ok(None),
        None => task_dependencies::table
            .inner_join(workflows::table.on(workflows::id.eq(task_dependencies::parent_id)))
            .filter(task_dependencies::child_id.eq(id))
            .select(workflows::id)
            .load(connection)?,
    };
    for workflow in of {
        let row = workflow_tasks::table.find((uid(&workflow), id)).select(workflow_tasks::name);
        if let Some(name) = row.first::<String>(connection).optional()? {
            return Ok(Some((task_id(&workflow), name)));
        }
    }
    Ok(None)
}

/// What a task that has waited for a whole workflow reads as its result.
pub(super) fn summary(connection: &mut Connection, id: &[u8]) -> QueryResult<Option<(Option<String>, i32, String)>> {
    let Some(row) = find(connection, task_id(id))? else { return Ok(None) };
    let ends = [End::Failed, End::Timeout, End::Cancelled, End::Expired].map(|end| i32::from(end.code()));
    let failed: Vec<(String, Vec<u8>, i32)> = workflow_tasks::table
        .inner_join(tasks::table.on(tasks::id.eq(workflow_tasks::task_id)))
        .filter(workflow_tasks::workflow_id.eq(uid(id)))
        .filter(workflow_tasks::role.eq(i32::from(Role::Node.code())))
        .filter(tasks::status.eq_any(ends))
        .order(workflow_tasks::task_id)
        .select((workflow_tasks::name, workflow_tasks::task_id, tasks::status))
        .limit(MOST_NAMED)
        .load(connection)?;
    let failed: Vec<_> = failed
        .into_iter()
        .map(|(name, id, status)| {
            serde_json::json!({"task": name, "id": task_id(&id), "status": reading::status(status)})
        })
        .collect();
    let n = |end| row.tally.of(end);
    let summary = serde_json::json!({
        "workflow_id": row.id, "name": row.name, "state": row.state, "total": row.tally.total,
        "success": n(End::Success), "failed": n(End::Failed), "timeout": n(End::Timeout), "cancelled": n(End::Cancelled),
        "expired": n(End::Expired), "skipped": n(End::Skipped), "unneeded": n(End::Unneeded), "failed_tasks": failed,
    });
    Ok(Some((row.name, i32::from(row.state.status().code()), summary.to_string())))
}

/// Its queues, by which it is decided who may see it.
pub(super) fn queues(connection: &mut Connection, id: TaskId) -> QueryResult<Option<Vec<String>>> {
    let text = workflows::table.find(uid(id.as_bytes())).select(workflows::queues);
    let text: Option<String> = text.first(connection).optional()?;
    Ok(text.map(|text| reading::json(Some(text)).unwrap_or_default()))
}

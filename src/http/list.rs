//! `GET /tasks`.

use actix_web::{HttpResponse, web::Data};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    ApiState,
    caller::Caller,
    cursor::Binding,
    problem::Problem,
    query::{self, Query},
    reply,
    total::{self, Count},
    view::{Shown, TaskView},
};
use crate::{
    store::TaskFilter,
    task::{Status, name},
};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Statuses, separated by commas.
    #[param(example = "queued,running")]
    status: Option<String>,
    queue: Option<String>,
    /// The whole name.
    name: Option<String>,
    tag: Option<String>,
    /// Id of a worker.
    worker: Option<String>,
    /// Id of a workflow: its tasks, callbacks too.
    workflow: Option<String>,
    /// Part of the name, or the whole id.
    q: Option<String>,
    /// Not before this moment.
    #[param(value_type = Option<String>, format = DateTime)]
    created_after: Option<String>,
    /// Before this moment.
    #[param(value_type = Option<String>, format = DateTime)]
    created_before: Option<String>,
    /// `-created_at` (newest first, if not given) or `created_at`.
    sort: Option<String>,
    /// 1 to 200; 50 if not given.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    /// `next_cursor` or `prev_cursor` of an answer with the same filters and sort.
    cursor: Option<String>,
    /// `args` (with kwargs) and `result`, separated by commas.
    include: Option<String>,
    /// `estimate` or `exact`: adds `total`.
    count: Option<String>,
}

/// A page of tasks. A page may have fewer than `limit`, or none, although `next_cursor` goes on.
#[derive(Serialize, ToSchema)]
pub(super) struct TaskList<'a> {
    data: Vec<TaskView<'a>>,
    next_cursor: Option<String>,
    prev_cursor: Option<String>,
    #[serde(flatten)]
    total: Option<total::Total>,
}

/// Lists tasks
#[utoipa::path(
    get, path = "/api/v1/tasks", operation_id = "list_tasks", tag = "tasks",
    params(ListQuery),
    responses((status = 200, body = TaskList))
)]
pub(super) async fn list(
    state: Data<ApiState>,
    caller: Caller,
    query: Query<ListQuery>,
) -> Result<HttpResponse, Problem> {
    let query = query.0;
    let ascending = match query.sort.as_deref() {
        None | Some("-created_at") => false,
        Some("created_at") => true,
        Some(_) => return Err(query::invalid("sort", "is `-created_at` or `created_at`")),
    };
    let count = Count::read(query.count.as_deref())?;
    let shown = shown(query.include.as_deref())?;
    let limit = query::limit(query.limit.as_deref())?;
    let filter = filter(&query)?;
    let within = caller.narrowed(filter.queue.as_deref())?;
    let binding = Binding::new(&("tasks", &filter, ascending));
    let page = binding.page(query.cursor.as_deref(), limit, ascending)?;
    let filter = TaskFilter { with_args: shown.args, with_result: shown.result, within, ..filter };
    let (listed, total) = state
        .read(move |reader| {
            let listed = reader.tasks(&filter, &page)?;
            let total = count.map(|count| total::count(reader, &filter, count)).transpose()?;
            Ok((listed, total))
        })
        .await?;
    let (next_cursor, prev_cursor) = binding.neighbours(&listed);
    let data = listed.rows.iter().map(|row| state.view(row, shown)).collect();
    reply::ok(&TaskList { data, next_cursor, prev_cursor, total })
}

fn shown(include: Option<&str>) -> Result<Shown, Problem> {
    let mut shown = Shown { args: false, result: false };
    for part in include.into_iter().flat_map(|list| list.split(',')) {
        match part.trim() {
            "args" => shown.args = true,
            "result" => shown.result = true,
            _ => return Err(query::invalid("include", "is a list of `args` and `result`")),
        }
    }
    Ok(shown)
}

fn filter(query: &ListQuery) -> Result<TaskFilter, Problem> {
    let status = |text: &str| Status::parse(text.trim());
    let statuses: Option<Vec<_>> = query.status.iter().flat_map(|list| list.split(',')).map(status).collect();
    let Some(mut statuses) = statuses else {
        let known: Vec<_> = Status::ALL.iter().map(|status| status.as_str()).collect();
        return Err(query::invalid("status", format!("is a list of {}", known.join(", "))));
    };
    statuses.sort_unstable();
    statuses.dedup();
    let worker = query.worker.as_deref().map(str::parse).transpose();
    for (parameter, text) in [("tag", &query.tag), ("q", &query.q)] {
        if let Some(text) = text {
            name::free(text, 256, "it").map_err(|error| query::invalid(parameter, error.to_string()))?;
        }
    }
    let workflow = query.workflow.as_deref().map(str::parse).transpose();
    let workflow = workflow.map_err(|_| query::invalid("workflow", "is the id of a workflow"))?;
    checked("queue", query.queue.as_deref(), name::queue)?;
    checked("name", query.name.as_deref(), name::task)?;
    Ok(TaskFilter {
        statuses,
        queue: query.queue.clone(),
        name: query.name.clone(),
        tag: query.tag.clone(),
        worker: worker.map_err(|error: crate::task::id::InvalidId| query::invalid("worker", error.to_string()))?,
        workflow,
        text: query.q.clone(),
        created_after: query::moment("created_after", query.created_after.as_deref())?,
        created_before: query::moment("created_before", query.created_before.as_deref())?,
        with_args: false,
        with_result: false,
        within: None,
    })
}

/// Refuses a name that nothing could have.
pub(super) fn checked(
    parameter: &str,
    text: Option<&str>,
    rule: impl Fn(&str) -> Result<(), name::InvalidName>,
) -> Result<(), Problem> {
    text.map_or(Ok(()), rule).map_err(|error| query::invalid(parameter, error.to_string()))
}

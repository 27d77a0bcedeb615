//! Work on many tasks: counted first, then done in steps that can be followed and stopped.

use std::collections::HashSet;

use actix_web::{HttpResponse, http::StatusCode, web::Data};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{
    ApiState,
    body::Body,
    caller::Caller,
    check::Faults,
    code::Code,
    filter::{self, FilterDraft},
    operations::OperationView,
    problem::{Fault, Problem},
    query::{Nothing, Query},
    reply, shape,
    total::{self, Count},
};
use crate::{
    store::{Action, Among, Page, Reader, StoreError, TaskFilter, TaskRow},
    task::TaskId,
};

/// Most tasks named one by one.
const MOST_IDS: usize = 1_000;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object with `action` and either `ids` or `filter`")]
#[schema(as = Bulk)]
pub(super) struct BulkBody {
    #[schema(value_type = BulkAction)]
    action: BulkAction,
    /// These tasks, at once: at most 1000.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>, max_items = 1000)]
    ids: Option<Vec<String>>,
    /// All that match, in steps: the answer is an operation to follow.
    #[serde(default, deserialize_with = "super::draft::object")]
    filter: Option<FilterDraft>,
    /// Tasks a second at most, such as `10/s`, `100/m`; as fast as it goes if not given.
    #[serde(default)]
    rate: Option<String>,
    /// Only count.
    #[serde(default)]
    dry_run: bool,
    /// Must be true where the filter is empty.
    #[serde(default)]
    all: bool,
}

#[derive(Deserialize, ToSchema, Clone, Copy)]
#[serde(rename_all = "snake_case")]
pub(super) enum BulkAction {
    Cancel,
    Retry,
    Delete,
}

#[derive(Serialize, ToSchema)]
#[schema(as = BulkCounts)]
pub(super) struct CountsView {
    dry_run: bool,
    matched: i64,
    /// There are more than `matched`.
    matched_capped: bool,
    /// Done to so many; the others were in a state in which it cannot be done, or do not exist.
    done: usize,
}

/// Cancels, retries or deletes many tasks
///
/// A `retry` by filter means dead tasks unless the filter names other statuses. With `ids` it is done at once; with `filter` the answer is 202 and an operation, which goes on by itself, also after a
/// restart. `dry_run` only counts.
#[utoipa::path(
    post, path = "/api/v1/tasks/bulk", operation_id = "bulk_tasks", tag = "tasks",
    request_body = BulkBody,
    responses((status = 200, body = CountsView), (status = 202, body = OperationView))
)]
pub(super) async fn bulk(
    state: Data<ApiState>,
    caller: Caller,
    _: Query<Nothing>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let BulkBody { action, ids, filter, rate, dry_run, all } = shape::parse(&body.0)?;
    let action = match action {
        BulkAction::Cancel => Action::Cancel,
        BulkAction::Retry => Action::Retry,
        BulkAction::Delete => Action::Delete,
    };
    let mut faults = Faults::default();
    let rate = filter::rate(&mut faults, rate.as_deref());
    match (ids, filter) {
        (Some(_), Some(_)) | (None, None) => {
            faults.invalid("/filter", "give either `ids` or `filter`");
            Err(faults.none().err().unwrap_or_else(Problem::internal))
        }
        (Some(ids), None) => {
            let ids = checked_ids(&mut faults, &ids);
            faults.none()?;
            named(&state, &caller, action, ids, dry_run).await
        }
        (None, Some(filter)) => {
            confirm(&mut faults, filter.is_everything(), all || dry_run);
            let filter = filter.check(&mut faults, action);
            faults.none()?;
            let filter = TaskFilter { within: caller.narrowed(filter.queue.as_deref())?, ..filter };
            begin(&state, &caller, action, Among::Tasks(filter), rate, dry_run).await
        }
    }
}

fn checked_ids(faults: &mut Faults, texts: &[String]) -> Vec<TaskId> {
    if !(1..=MOST_IDS).contains(&texts.len()) {
        faults.invalid("/ids", format!("must be 1 to {MOST_IDS} ids, not {}", texts.len()));
        return Vec::new();
    }
    let (mut ids, mut seen) = (Vec::with_capacity(texts.len()), HashSet::new());
    for (index, text) in texts.iter().enumerate() {
        match text.parse::<TaskId>() {
            Ok(id) if seen.insert(id) => ids.push(id),
            Ok(_) => faults.invalid(format!("/ids/{index}"), "is named twice"),
            Err(error) => faults.invalid(format!("/ids/{index}"), error.to_string()),
        }
    }
    ids
}

async fn named(
    state: &ApiState,
    caller: &Caller,
    action: Action,
    ids: Vec<TaskId>,
    dry_run: bool,
) -> Result<HttpResponse, Problem> {
    let (possible, within) = (filter::possible(action), caller.within().cloned());
    let (ids, matched) = state
        .read(move |reader| {
            let rows = ids.iter().map(|id| reader.task(*id)).collect::<Result<Vec<_>, _>>()?;
            let seen = |row: &TaskRow| within.as_ref().is_none_or(|within| within.includes(&row.queue));
            let rows: Vec<TaskRow> = rows.into_iter().flatten().filter(seen).collect();
            let matched = rows.iter().filter(|row| possible.contains(&row.status)).count() as i64;
            Ok((rows.iter().map(|row| row.id).collect::<Vec<_>>(), matched))
        })
        .await?;
    let act = caller.act(task_act(action), "").with(json!({"bulk": true}));
    let done = if dry_run { 0 } else { state.engine.deal_with(action, ids, act).await? };
    reply::ok(&CountsView { dry_run, matched, matched_capped: false, done })
}

/// As the audit log calls it, done to one task.
fn task_act(action: Action) -> &'static str {
    match action {
        Action::Cancel => "task.cancel",
        Action::Retry | Action::Redrive => "task.retry",
        Action::Delete | Action::Discard => "task.delete",
    }
}

/// What would be done to everything must be meant so.
pub(super) fn confirm(faults: &mut Faults, is_everything: bool, confirmed: bool) {
    if is_everything && !confirmed {
        faults.add(Code::ConfirmationRequired, "/filter", "matches everything: give a condition, or `\"all\": true`");
    }
}

/// Begins an operation, or counts what it would be done to.
pub(super) async fn begin(
    state: &ApiState,
    caller: &Caller,
    action: Action,
    among: Among,
    rate: Option<f64>,
    dry_run: bool,
) -> Result<HttpResponse, Problem> {
    if dry_run {
        let (matched, matched_capped) = state.read(move |reader| counted(reader, &among)).await?;
        return reply::ok(&CountsView { dry_run, matched, matched_capped, done: 0 });
    }
    let act = caller.act("operation.begin", "");
    let act = act.with(json!({"action": action.as_str(), "among": &among, "per_second": rate}));
    let operation = state.engine.begin_operation(action, among, rate, act).await?;
    log::info!(operation = operation.id.to_string().as_str(), action = action.as_str(); "Work on many tasks begins");
    reply::json(StatusCode::ACCEPTED, &OperationView::from(operation))
}

fn counted(reader: &dyn Reader, among: &Among) -> Result<(i64, bool), StoreError> {
    match among {
        Among::Tasks(filter) => total::count(reader, filter, Count::Exact).map(total::Total::parts),
        Among::DeadLetters(filter) => {
            const MOST: usize = 10_000;
            let page = reader.dead_letters(filter, &Page { limit: MOST, ..Page::default() })?;
            Ok((page.rows.len() as i64, page.next.is_some()))
        }
    }
}

/// Refuses a body where one action takes none of its fields.
pub(super) fn one_fault(pointer: &str, detail: &str) -> Problem {
    Problem::invalid(Code::InvalidField, vec![Fault::at(pointer, detail)])
}

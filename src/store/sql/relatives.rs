//! Who a task waits for, and who waits for it.

use diesel::prelude::*;

use super::{
    Connection,
    key::uid,
    records::{reading, task_id},
    schema::{task_dependencies, tasks},
};
use crate::{
    store::ParentRow,
    task::{OnFailure, TaskId},
};

type Row = (Vec<u8>, String, String, i32, bool, Option<String>, Option<String>);

pub(super) fn parents(connection: &mut Connection, id: TaskId) -> QueryResult<Vec<ParentRow>> {
    let rows: Vec<Row> = task_dependencies::table
        .inner_join(tasks::table.on(tasks::id.eq(task_dependencies::parent_id)))
        .filter(task_dependencies::child_id.eq(uid(id.as_bytes())))
        .order(task_dependencies::parent_id)
        .select((
            tasks::id,
            tasks::name,
            tasks::queue,
            tasks::status,
            task_dependencies::run_anyway,
            tasks::result,
            tasks::error,
        ))
        .load(connection)?;
    Ok(rows.into_iter().map(relative).collect())
}

/// Without their results.
pub(super) fn children(connection: &mut Connection, id: TaskId, limit: usize) -> QueryResult<Vec<ParentRow>> {
    let rows: Vec<Row> = task_dependencies::table
        .inner_join(tasks::table.on(tasks::id.eq(task_dependencies::child_id)))
        .filter(task_dependencies::parent_id.eq(uid(id.as_bytes())))
        .order((task_dependencies::resolved, task_dependencies::child_id))
        .select((
            tasks::id,
            tasks::name,
            tasks::queue,
            tasks::status,
            task_dependencies::run_anyway,
            None::<String>.into_sql::<diesel::sql_types::Nullable<diesel::sql_types::Text>>(),
            tasks::error,
        ))
        .limit(i64::try_from(limit).unwrap_or(i64::MAX))
        .load(connection)?;
    Ok(rows.into_iter().map(relative).collect())
}

fn relative((id, name, queue, status, run_anyway, result, error): Row) -> ParentRow {
    ParentRow {
        id: task_id(&id),
        name,
        queue,
        status: reading::status(status),
        on_failure: if run_anyway { OnFailure::Run } else { OnFailure::Skip },
        result,
        error: reading::json(error),
    }
}

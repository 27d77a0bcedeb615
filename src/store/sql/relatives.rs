//! Who a task waits for, and who waits for it.

use diesel::prelude::*;

use super::{
    Connection,
    key::uid,
    records::{reading, task_id},
    schema::{task_dependencies, tasks, workflows},
    workflow_reads,
};
use crate::{
    store::ParentRow,
    task::{OnFailure, TaskId},
};

type Row = (Vec<u8>, String, String, i32, i32, Option<String>, Option<String>);

/// Parents read at a time, where their results are read too.
const STEP: usize = 100;

/// Without their results.
pub(super) fn parent_states(connection: &mut Connection, id: TaskId, count: u32) -> QueryResult<Vec<ParentRow>> {
    let rows: Vec<Row> = task_dependencies::table
        .inner_join(tasks::table.on(tasks::id.eq(task_dependencies::parent_id)))
        .filter(task_dependencies::child_id.eq(uid(id.as_bytes())))
        .order(task_dependencies::parent_id)
        .select((
            tasks::id,
            tasks::name,
            tasks::queue,
            tasks::status,
            task_dependencies::on_failure,
            None::<String>.into_sql::<diesel::sql_types::Nullable<diesel::sql_types::Text>>(),
            tasks::error,
        ))
        .load(connection)?;
    let mut parents: Vec<ParentRow> = rows.into_iter().map(relative).collect();
    add_workflows(connection, id, count, &mut parents)?;
    Ok(parents)
}

/// With their results; `None`: those have more bytes together than this. Read in steps, so that no more than that is ever held.
pub(super) fn parents(
    connection: &mut Connection,
    id: TaskId,
    count: u32,
    most: usize,
) -> QueryResult<Option<Vec<ParentRow>>> {
    let (mut parents, mut after, mut size) = (Vec::new(), vec![0; 16], 0);
    loop {
        let rows: Vec<Row> = task_dependencies::table
            .inner_join(tasks::table.on(tasks::id.eq(task_dependencies::parent_id)))
            .filter(task_dependencies::child_id.eq(uid(id.as_bytes())))
            .filter(task_dependencies::parent_id.gt(uid(&after)))
            .order(task_dependencies::parent_id)
            .select((
                tasks::id,
                tasks::name,
                tasks::queue,
                tasks::status,
                task_dependencies::on_failure,
                tasks::result,
                tasks::error,
            ))
            .limit(STEP as i64)
            .load(connection)?;
        size += rows.iter().filter_map(|row| row.5.as_ref()).map(String::len).sum::<usize>();
        if size > most {
            return Ok(None);
        }
        let next = rows.last().filter(|_| rows.len() == STEP).map(|(last, ..)| last.clone());
        parents.extend(rows.into_iter().map(relative));
        let Some(last) = next else { break };
        after = last;
    }
    add_workflows(connection, id, count, &mut parents)?;
    Ok(Some(parents))
}

/// Parents that are whole workflows.
fn add_workflows(connection: &mut Connection, id: TaskId, count: u32, parents: &mut Vec<ParentRow>) -> QueryResult<()> {
    // The others are deleted, or whole workflows.
    if parents.len() >= count as usize {
        return Ok(());
    }
    let whole: Vec<(Vec<u8>, i32)> = task_dependencies::table
        .inner_join(workflows::table.on(workflows::id.eq(task_dependencies::parent_id)))
        .filter(task_dependencies::child_id.eq(uid(id.as_bytes())))
        .order(task_dependencies::parent_id)
        .select((workflows::id, task_dependencies::on_failure))
        .load(connection)?;
    for (workflow, on_failure) in whole {
        if let Some((name, status, summary)) = workflow_reads::summary(connection, &workflow)? {
            parents.push(ParentRow {
                id: task_id(&workflow),
                name: name.unwrap_or_default(),
                queue: None,
                status: reading::status(status),
                on_failure: OnFailure::from_code(on_failure),
                result: Some(summary),
                error: None,
            });
        }
    }
    Ok(())
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
            task_dependencies::on_failure,
            None::<String>.into_sql::<diesel::sql_types::Nullable<diesel::sql_types::Text>>(),
            tasks::error,
        ))
        .limit(i64::try_from(limit).unwrap_or(i64::MAX))
        .load(connection)?;
    Ok(rows.into_iter().map(relative).collect())
}

fn relative((id, name, queue, status, on_failure, result, error): Row) -> ParentRow {
    ParentRow {
        id: task_id(&id),
        name,
        queue: Some(queue),
        status: reading::status(status),
        on_failure: OnFailure::from_code(on_failure),
        result,
        error: reading::json(error),
    }
}

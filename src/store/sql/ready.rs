//! What waits to be claimed, in order.

use diesel::{
    prelude::*,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types::{Integer, Text},
};

use super::{
    Backend, Connection, Id,
    key::uid,
    records::{reading, task_id},
    schema::tasks,
};
use crate::task::{Mark, Millis, Priority, TaskId};

statement! {
    /// A seek for each level.
    Levels {
        "WITH levels (level) AS (VALUES (9), (8), (7), (6), (5), (4), (3), (2), (1), (0)) SELECT level FROM levels WHERE EXISTS \
         (SELECT 1 FROM tasks WHERE ready_at IS NOT NULL AND lane IS NULL AND priority = level AND queue = " queue: &'a str => Text;
    } ") ORDER BY level DESC"
}

impl Query for Levels<'_> {
    type SqlType = Integer;
}

/// Priorities of which tasks without keys wait, highest first.
pub(super) fn levels(connection: &mut Connection, queue: &str) -> QueryResult<Vec<Priority>> {
    let levels: Vec<i32> = Levels { queue }.load(connection)?;
    Ok(levels.into_iter().map(reading::priority).collect())
}

/// The first that may start, with their names.
pub(super) fn names(
    connection: &mut Connection,
    queue: &str,
    priority: Priority,
    now: Millis,
    limit: usize,
) -> QueryResult<Vec<(Mark, String)>> {
    let first = tasks::table
        .filter(tasks::queue.eq(queue))
        .filter(tasks::priority.eq(i32::from(priority.level())))
        .filter(tasks::ready_at.le(now))
        .filter(tasks::lane.is_null())
        .order((tasks::ready_at, tasks::id))
        .select((tasks::ready_at.assume_not_null(), tasks::id, tasks::name))
        .limit(i64::try_from(limit).unwrap_or(i64::MAX));
    let rows: Vec<(i64, Vec<u8>, String)> = first.load(connection)?;
    Ok(rows.into_iter().map(|(at, id, name)| ((at, task_id(&id)), name)).collect())
}

/// Written as a row comparison so that the index is entered at the place itself, however deep the lane is.
pub(super) fn ready_after(
    connection: &mut Connection,
    queue: &str,
    priority: Priority,
    after: Option<Mark>,
    limit: usize,
) -> QueryResult<Vec<Mark>> {
    use diesel::sql_types::BigInt;

    let (at, id) = after.unwrap_or((i64::MIN, TaskId::from_bytes([0; 16])));
    let lane = tasks::table
        .filter(tasks::queue.eq(queue))
        .filter(tasks::priority.eq(i32::from(priority.level())))
        .filter(tasks::ready_at.is_not_null())
        .filter(tasks::lane.is_null())
        .filter(
            diesel::dsl::sql::<diesel::sql_types::Bool>("(ready_at, id) > (")
                .bind::<BigInt, _>(at)
                .sql(", ")
                .bind::<Id, _>(uid(id.as_bytes()))
                .sql(")"),
        )
        .order((tasks::ready_at, tasks::id))
        .select((tasks::ready_at.assume_not_null(), tasks::id))
        .limit(i64::try_from(limit).unwrap_or(i64::MAX));
    let rows: Vec<(i64, Vec<u8>)> = lane.load(connection)?;
    Ok(rows.into_iter().map(|(at, id)| (at, task_id(&id))).collect())
}

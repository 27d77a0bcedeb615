//! What waits to be claimed, in order.

use diesel::prelude::*;

use super::{Connection, Id, key::uid, records::task_id, schema::tasks};
use crate::task::{Mark, Priority, TaskId};

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

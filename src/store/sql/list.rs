//! Lists by key, whatever the table's size.
//!
//! No index has a status in it (each would cost every task two more index writes), so a rare status is looked for window
//! by window along the primary key. A list stops at a time budget and says where it goes on, rather than make the
//! caller, and the log's next checkpoint, wait for a scan of the whole table.

use std::time::{Duration, Instant};

use diesel::{dsl::sql, prelude::*, sql_types::Bool};

use super::{
    Backend, CONTAINS, Connection,
    key::uid,
    reach::queue_in,
    records::{Payload, TaskRecord, reading, task_id},
    schema::{counters, dead_letter_queue, leases, tasks, workflow_tasks},
};
use crate::{
    store::{DeadFilter, DeadRow, ListedPage, Page, TaskFilter, TaskRow},
    task::{DeadReason, Mark, Millis, Priority, Status, TaskId},
};

const WINDOW: i64 = 4_000;
const BUDGET: Duration = Duration::from_millis(40);
/// Up to so many waiting tasks are sorted instead of looked for along the key.
const FEW: i64 = 20_000;

/// Tasks that wait, by the index they are in. The unary plus keeps the planner off the key, along which it would have to read
/// everything.
const WAITING: [&str; 3] = [
    "+ready_at IS NOT NULL AND ready_at IS NOT NULL AND lane IS NULL",
    "+ready_at IS NOT NULL AND ready_at IS NOT NULL AND laned",
    "+ready_at IS NOT NULL AND ready_at IS NOT NULL AND lane IS NOT NULL AND NOT laned",
];

type Found = QueryResult<Vec<TaskRow>>;

pub(super) fn tasks(connection: &mut Connection, filter: &TaskFilter, page: &Page) -> QueryResult<ListedPage<TaskRow>> {
    let wanted = counted(connection, filter)?;
    if wanted == Some(0) {
        return Ok(ListedPage { rows: Vec::new(), next: None, previous: page.from });
    }
    let id = |row: &TaskRow| row.id;
    let only = |of: &dyn Fn(Status) -> bool| !filter.statuses.is_empty() && filter.statuses.iter().all(|s| of(*s));
    let mut walk = Walk { filter, newest_first: page.ascending == page.backwards, limit: page.limit + 1 };
    if only(&|status| status == Status::Running) {
        let ids = running_ids(connection)?;
        let rows = walk.among(connection, &ids, page.from)?;
        return Ok(paged(rows, page, None, id));
    }
    if only(&Status::is_dead) {
        let rows = walk.joined_dead(connection, page.from)?;
        return Ok(paged(rows, page, None, id));
    }
    if only(&|status| Status::CLAIMABLE.contains(&status)) && wanted.is_some_and(|n| n <= FEW) {
        let rows = walk.ready(connection, page.from)?;
        return Ok(paged(rows, page, None, id));
    }
    if filter.workflow.is_some() {
        // There are not more of them than may be looked at.
        let query = walk.query(page.from, None);
        let rows = walk.load(connection, query, walk.limit)?;
        return Ok(paged(rows, page, None, id));
    }
    let (rows, stopped_at) = walk.windows(connection, page.from)?;
    Ok(paged(rows, page, stopped_at, id))
}

/// How many tasks are in the wanted statuses, from the counters; `None` where every status is wanted.
fn counted(connection: &mut Connection, filter: &TaskFilter) -> QueryResult<Option<i64>> {
    if filter.statuses.is_empty() {
        return Ok(None);
    }
    let codes: Vec<i32> = filter.statuses.iter().map(|status| status.code().into()).collect();
    let mut query = counters::table.filter(counters::kind.eq_any(codes)).select(counters::n).into_boxed::<Backend>();
    if let Some(queue) = &filter.queue {
        query = query.filter(counters::queue.eq(queue));
    }
    if let Some(within) = &filter.within {
        query = query.filter(queue_in(within));
    }
    Ok(Some(query.load::<i64>(connection)?.iter().sum()))
}

fn running_ids(connection: &mut Connection) -> QueryResult<Vec<Vec<u8>>> {
    let batches: Vec<Vec<u8>> = leases::table.select(leases::task_ids).load(connection)?;
    Ok(batches.iter().flat_map(|ids| ids.chunks_exact(16).map(<[u8]>::to_vec)).collect())
}

/// Puts rows read in either direction into the list's order and finds the neighbours.
pub(super) fn paged<T>(
    mut rows: Vec<T>,
    page: &Page,
    stopped_at: Option<TaskId>,
    id: impl Fn(&T) -> TaskId,
) -> ListedPage<T> {
    let more = rows.len() > page.limit;
    rows.truncate(page.limit);
    let onwards = if more { rows.last().map(&id) } else { stopped_at };
    if page.backwards {
        rows.reverse();
        let next = rows.last().map(&id).or(page.from);
        return ListedPage { rows, next, previous: onwards };
    }
    let previous = page.from.and_then(|from| rows.first().map(&id).or(Some(from)));
    ListedPage { rows, next: onwards, previous }
}

struct Walk<'a> {
    filter: &'a TaskFilter,
    newest_first: bool,
    limit: usize,
}

type Boxed<'a> = tasks::BoxedQuery<'a, Backend>;

impl<'a> Walk<'a> {
    /// The conditions, between two ids.
    fn query(&self, from: Option<TaskId>, to: Option<TaskId>) -> Boxed<'a> {
        let filter = self.filter;
        let mut query = tasks::table.into_boxed::<Backend>();
        if !filter.statuses.is_empty() {
            let codes: Vec<i32> = filter.statuses.iter().map(|status| status.code().into()).collect();
            query = query.filter(tasks::status.eq_any(codes));
        }
        if let Some(queue) = &filter.queue {
            query = query.filter(tasks::queue.eq(queue));
        }
        if let Some(within) = &filter.within {
            query = query.filter(queue_in(within));
        }
        if let Some(name) = &filter.name {
            query = query.filter(tasks::name.eq(name));
        }
        if let Some(worker) = &filter.worker {
            query = query.filter(tasks::worker_id.eq(Some(uid(worker.as_bytes()))));
        }
        if let Some(tag) = &filter.tag {
            let quoted = serde_json::to_string(tag).unwrap_or_default();
            query = query
                .filter(sql::<Bool>(CONTAINS).sql("tags, ").bind::<diesel::sql_types::Text, _>(quoted).sql(") > 0"));
        }
        if let Some(text) = &filter.text {
            query = match text.parse::<TaskId>() {
                Ok(id) => query.filter(tasks::id.eq(uid(id.as_bytes()))),
                Err(_) => query.filter(
                    sql::<Bool>(CONTAINS).sql("name, ").bind::<diesel::sql_types::Text, _>(text.clone()).sql(") > 0"),
                ),
            };
        }
        if let Some(workflow) = &filter.workflow {
            let of = workflow_tasks::workflow_id.eq(uid(workflow.as_bytes()));
            query = query.filter(tasks::id.eq_any(workflow_tasks::table.filter(of).select(workflow_tasks::task_id)));
        }
        let (mut low, mut high) = (None, None);
        if let Some(after) = filter.created_after {
            low = Some(TaskId::first_at(after));
        }
        if let Some(before) = filter.created_before {
            high = Some(TaskId::first_at(before));
        }
        if let Some(low) = low {
            query = query.filter(tasks::id.ge(uid(low.as_bytes())));
        }
        if let Some(high) = high {
            query = query.filter(tasks::id.lt(uid(high.as_bytes())));
        }
        self.between(query, from, to)
    }

    fn between(&self, mut query: Boxed<'a>, from: Option<TaskId>, to: Option<TaskId>) -> Boxed<'a> {
        if let Some(from) = from {
            let from = uid(from.as_bytes());
            query = if self.newest_first { query.filter(tasks::id.lt(from)) } else { query.filter(tasks::id.gt(from)) };
        }
        if let Some(to) = to {
            let to = uid(to.as_bytes());
            query = if self.newest_first { query.filter(tasks::id.ge(to)) } else { query.filter(tasks::id.le(to)) };
        }
        query
    }

    fn load(&self, connection: &mut Connection, query: Boxed<'a>, limit: usize) -> Found {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let query = if self.newest_first { query.order(tasks::id.desc()) } else { query.order(tasks::id.asc()) };
        self.fetch(connection, query.limit(limit))
    }

    fn fetch(&self, connection: &mut Connection, query: Boxed<'a>) -> Found {
        if !self.filter.with_args && !self.filter.with_result {
            let rows: Vec<TaskRecord> = query.select(TaskRecord::as_select()).load(connection)?;
            return Ok(rows.into_iter().map(|row| row.into_row(Payload::default())).collect());
        }
        let rows: Vec<(TaskRecord, Payload)> =
            query.select((TaskRecord::as_select(), Payload::as_select())).load(connection)?;
        Ok(rows.into_iter().map(|(row, payload)| row.into_row(payload)).collect())
    }

    fn among(&self, connection: &mut Connection, ids: &[Vec<u8>], from: Option<TaskId>) -> Found {
        let mut rows = Vec::new();
        // SQLite takes 32,766 binds a statement; leases name as many tasks as there are slots, a few thousand at most.
        for ids in ids.chunks(10_000) {
            let query = self.query(from, None).filter(tasks::id.eq_any(ids.iter().map(uid).collect::<Vec<_>>()));
            rows.extend(self.load(connection, query, self.limit)?);
        }
        rows.sort_by_key(|row| row.id);
        if self.newest_first {
            rows.reverse();
        }
        rows.truncate(self.limit);
        Ok(rows)
    }

    fn joined_dead(&self, connection: &mut Connection, from: Option<TaskId>) -> Found {
        let buried = sql::<Bool>("id IN (SELECT task_id FROM dead_letter_queue)");
        let query = self.query(from, None).filter(buried);
        self.load(connection, query, self.limit)
    }

    fn ready(&self, connection: &mut Connection, from: Option<TaskId>) -> Found {
        let mut ids: Vec<Vec<u8>> = Vec::new();
        for index in WAITING {
            ids.extend(
                self.query(from, None).filter(sql::<Bool>(index)).select(tasks::id).load::<Vec<u8>>(connection)?,
            );
        }
        ids.sort_unstable();
        if self.newest_first {
            ids.reverse();
        }
        ids.truncate(self.limit);
        self.among(connection, &ids, from)
    }

    fn windows(
        &mut self,
        connection: &mut Connection,
        mut from: Option<TaskId>,
    ) -> QueryResult<(Vec<TaskRow>, Option<TaskId>)> {
        let began = Instant::now();
        let mut rows = Vec::new();
        loop {
            let edge = self.edge(connection, from)?;
            let query = self.query(from, edge);
            rows.extend(self.load(connection, query, self.limit - rows.len())?);
            match edge {
                None => return Ok((rows, None)),
                Some(_) if rows.len() >= self.limit => return Ok((rows, None)),
                Some(edge) if began.elapsed() > BUDGET => return Ok((rows, Some(edge))),
                edge => from = edge,
            }
        }
    }

    /// The id that ends the next window, or `None` where the table ends first.
    fn edge(&self, connection: &mut Connection, from: Option<TaskId>) -> QueryResult<Option<TaskId>> {
        let mut query = tasks::table.select(tasks::id).into_boxed::<Backend>();
        if let Some(queue) = &self.filter.queue {
            query = query.filter(tasks::queue.eq(queue));
        }
        if let Some(from) = from {
            let from = uid(from.as_bytes());
            query = if self.newest_first { query.filter(tasks::id.lt(from)) } else { query.filter(tasks::id.gt(from)) };
        }
        let query = if self.newest_first { query.order(tasks::id.desc()) } else { query.order(tasks::id.asc()) };
        let edge: Option<Vec<u8>> = query.offset(WINDOW).first(connection).optional()?;
        Ok(edge.map(|id| task_id(&id)))
    }
}

pub(super) type DeadRecord = (Vec<u8>, String, String, i32, String, String, i32, i64, String);

pub(super) fn dead_row((id, queue, name, priority, reason, error, attempts, died_at, _): DeadRecord) -> DeadRow {
    DeadRow {
        task_id: task_id(&id),
        queue,
        name,
        priority: reading::priority(priority),
        reason: DeadReason::parse(&reason).unwrap_or(DeadReason::Exhausted),
        error: reading::json(Some(error)),
        attempts: reading::count(attempts),
        died_at,
    }
}

pub(super) fn dead_letters(
    connection: &mut Connection,
    filter: &DeadFilter,
    page: &Page,
) -> QueryResult<ListedPage<DeadRow>> {
    let newest_first = page.ascending == page.backwards;
    let mut query = super::dead::filtered(filter);
    if let Some(from) = page.from {
        let from = uid(from.as_bytes());
        query = if newest_first {
            query.filter(dead_letter_queue::task_id.lt(from))
        } else {
            query.filter(dead_letter_queue::task_id.gt(from))
        };
    }
    let query = if newest_first {
        query.order(dead_letter_queue::task_id.desc())
    } else {
        query.order(dead_letter_queue::task_id.asc())
    };
    let limit = i64::try_from(page.limit + 1).unwrap_or(i64::MAX);
    let found: Vec<DeadRecord> = query.limit(limit).load(connection)?;
    Ok(paged(found.into_iter().map(dead_row).collect(), page, None, |row: &DeadRow| row.task_id))
}

/// Up to `most` of one lane: those before this mark, or all that may start now.
pub(super) fn ahead(
    connection: &mut Connection,
    queue: &str,
    lane: Priority,
    before: Option<Mark>,
    now: Millis,
    most: u64,
) -> QueryResult<u64> {
    let lane = tasks::table
        .filter(tasks::queue.eq(queue))
        .filter(tasks::priority.eq(i32::from(lane.level())))
        .filter(tasks::ready_at.is_not_null())
        .filter(tasks::lane.is_null())
        .filter(tasks::ready_at.le(before.map_or(now, |mark| mark.0)))
        .filter(tasks::expires_at.is_null().or(tasks::expires_at.gt(now)))
        .select((tasks::ready_at.assume_not_null(), tasks::id))
        .limit(i64::try_from(most).unwrap_or(i64::MAX));
    let rows: Vec<(i64, Vec<u8>)> = lane.load(connection)?;
    let is_before = |(at, id): &(i64, Vec<u8>)| {
        before.is_none_or(|mark| (*at, id.as_slice()) < (mark.0, mark.1.as_bytes().as_slice()))
    };
    Ok(rows.iter().filter(|row| is_before(row)).count() as u64)
}

//! What has happened, by minute and by hour: `task_metrics`.

use diesel::prelude::*;

use super::{Connection, schema::task_metrics};
use crate::{
    store::{MetricRow, RetentionLimits},
    task::{Figures, Histogram, Millis, Span},
};

#[derive(Queryable, Insertable, AsChangeset)]
#[diesel(table_name = task_metrics, primary_key(span_ms, queue, starts_at))]
struct MetricRecord {
    span_ms: i32,
    queue: String,
    starts_at: i64,
    submitted: i64,
    succeeded: i64,
    failed_attempts: i64,
    dead: i64,
    retried: i64,
    snoozed: i64,
    cancelled: i64,
    expired: i64,
    busy_ms: i64,
    slot_ms: i64,
    waiting_high: i64,
    waiting_medium: i64,
    waiting_low: i64,
    looks: i64,
    waits: String,
    runs: String,
}

fn code(span: Span) -> i32 {
    i32::try_from(span.millis()).unwrap_or(i32::MAX)
}

fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

impl MetricRecord {
    fn of(row: &MetricRow, figures: &Figures) -> Self {
        let text = |histogram: &Histogram| serde_json::to_string(histogram).unwrap_or_default();
        Self {
            span_ms: code(row.span),
            queue: row.queue.as_ref().into(),
            starts_at: row.starts_at,
            submitted: signed(figures.submitted),
            succeeded: signed(figures.succeeded),
            failed_attempts: signed(figures.failed_attempts),
            dead: signed(figures.dead),
            retried: signed(figures.retried),
            snoozed: signed(figures.snoozed),
            cancelled: signed(figures.cancelled),
            expired: signed(figures.expired),
            busy_ms: signed(figures.busy_ms),
            slot_ms: signed(figures.slot_ms),
            waiting_high: signed(figures.waiting[0]),
            waiting_medium: signed(figures.waiting[1]),
            waiting_low: signed(figures.waiting[2]),
            looks: signed(figures.looks),
            waits: text(&figures.wait),
            runs: text(&figures.run),
        }
    }

    fn figures(self) -> Figures {
        let count = |n: i64| u64::try_from(n).unwrap_or(0);
        let histogram = |text: &str| serde_json::from_str(text).unwrap_or_default();
        Figures {
            submitted: count(self.submitted),
            succeeded: count(self.succeeded),
            failed_attempts: count(self.failed_attempts),
            dead: count(self.dead),
            retried: count(self.retried),
            snoozed: count(self.snoozed),
            cancelled: count(self.cancelled),
            expired: count(self.expired),
            busy_ms: count(self.busy_ms),
            slot_ms: count(self.slot_ms),
            waiting: [self.waiting_high, self.waiting_medium, self.waiting_low].map(count),
            looks: count(self.looks),
            wait: histogram(&self.waits),
            run: histogram(&self.runs),
        }
    }
}

/// Reads, adds and writes back: a histogram cannot be added by a statement. The row is held meanwhile.
pub(super) fn add(connection: &mut Connection, rows: &[MetricRow]) -> QueryResult<()> {
    for row in rows {
        let mut figures = row.figures.clone();
        let there = task_metrics::table.find((code(row.span), &*row.queue, row.starts_at));
        let Some(record) = locked!(there).first::<MetricRecord>(connection).optional()? else {
            diesel::insert_into(task_metrics::table).values(MetricRecord::of(row, &figures)).execute(connection)?;
            continue;
        };
        figures.merge(&record.figures());
        diesel::update(there).set(MetricRecord::of(row, &figures)).execute(connection)?;
    }
    Ok(())
}

pub(super) fn read(
    connection: &mut Connection,
    queue: &str,
    span: Span,
    from: Millis,
) -> QueryResult<Vec<(Millis, Figures)>> {
    let rows = task_metrics::table
        .filter(task_metrics::span_ms.eq(code(span)))
        .filter(task_metrics::queue.eq(queue))
        .filter(task_metrics::starts_at.ge(from))
        .order(task_metrics::starts_at);
    let records: Vec<MetricRecord> = rows.load(connection)?;
    Ok(records.into_iter().map(|record| (record.starts_at, record.figures())).collect())
}

/// Deletes what is too old, at most `limits.rows` rows of each kind.
pub(super) fn prune(connection: &mut Connection, limits: &RetentionLimits) -> QueryResult<()> {
    for (span, before) in [(Span::Minute, limits.minutes_before), (Span::Hour, limits.hours_before)] {
        let old = task_metrics::table
            .filter(task_metrics::span_ms.eq(code(span)))
            .filter(task_metrics::starts_at.lt(before))
            .order(task_metrics::starts_at)
            .select((task_metrics::queue, task_metrics::starts_at))
            .limit(i64::try_from(limits.rows).unwrap_or(i64::MAX));
        for (queue, starts_at) in old.load::<(String, i64)>(connection)? {
            diesel::delete(task_metrics::table.find((code(span), queue, starts_at))).execute(connection)?;
        }
    }
    Ok(())
}

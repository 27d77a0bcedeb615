//! How many tasks a list has in all, for those who ask: from the counters, or counted up to a limit.

use serde::Serialize;
use utoipa::ToSchema;

use super::{problem::Problem, query};
use crate::{
    store::{Counted, CounterRow, Page, Reader, StoreError, TaskFilter},
    task::Status,
};

/// Rows read at a time.
const STRIDE: usize = 1_000;
/// Pages read at most: a list that stops at its time budget brings few rows a page.
const MOST_PAGES: usize = 25;

/// How far to count where the counters cannot tell.
#[derive(Clone, Copy)]
pub(super) enum Count {
    Estimate,
    Exact,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Total {
    total: i64,
    /// There are more than `total`.
    total_capped: bool,
}

impl Total {
    pub(super) fn parts(self) -> (i64, bool) {
        (self.total, self.total_capped)
    }
}

impl Count {
    pub(super) fn read(text: Option<&str>) -> Result<Option<Self>, Problem> {
        match text {
            None => Ok(None),
            Some("estimate") => Ok(Some(Self::Estimate)),
            Some("exact") => Ok(Some(Self::Exact)),
            Some(_) => Err(query::invalid("count", "is `estimate` or `exact`")),
        }
    }

    fn cap(self) -> usize {
        match self {
            Self::Estimate => 1_000,
            Self::Exact => 10_000,
        }
    }
}

pub(super) fn count(reader: &dyn Reader, filter: &TaskFilter, count: Count) -> Result<Total, StoreError> {
    let TaskFilter { name, tag, worker, workflow, text, created_after, created_before, .. } = filter;
    let by_counters = name.is_none()
        && tag.is_none()
        && worker.is_none()
        && workflow.is_none()
        && text.is_none()
        && created_after.is_none()
        && created_before.is_none();
    if !by_counters {
        return walked(reader, filter, count.cap());
    }
    let wanted = |status: Status| filter.statuses.is_empty() || filter.statuses.contains(&status);
    let counters = reader.counters(filter.queue.as_deref())?;
    let seen = |queue: &String| filter.within.as_ref().is_none_or(|within| within.includes(queue));
    let counted = |row: &&CounterRow| matches!(row.kind, Counted::In(status) if wanted(status)) && seen(&row.queue);
    let total = counters.iter().filter(counted).map(|row| row.n);
    Ok(Total { total: total.sum(), total_capped: false })
}

fn walked(reader: &dyn Reader, filter: &TaskFilter, cap: usize) -> Result<Total, StoreError> {
    let filter = TaskFilter { with_args: false, with_result: false, ..filter.clone() };
    let (mut total, mut page) = (0, Page { limit: STRIDE, ..Page::default() });
    for _ in 0..MOST_PAGES {
        let listed = reader.tasks(&filter, &page)?;
        total += listed.rows.len();
        if listed.next.is_none() || total >= cap {
            let total_capped = total > cap || listed.next.is_some();
            return Ok(Total { total: total.min(cap) as i64, total_capped });
        }
        page.from = listed.next;
    }
    Ok(Total { total: total as i64, total_capped: true })
}

//! How attempts end, one after the other.

use std::collections::HashMap;

use diesel::prelude::*;

use super::{
    finish::{finish_one, shrink_lease},
    tx::Writer,
};
use crate::{
    store::{Finished, Recorded},
    task::{LeaseId, Millis},
};

pub(super) fn finish_all(writer: &mut Writer, items: &[Finished<'_>], now: Millis) -> QueryResult<Vec<Recorded>> {
    let mut recorded = Vec::with_capacity(items.len());
    let mut ended: HashMap<LeaseId, i32> = HashMap::new();
    for item in items {
        let outcome = finish_one(writer, item, now)?;
        if matches!(outcome, Recorded::Done(_)) {
            *ended.entry(item.task.lease).or_default() += 1;
        }
        recorded.push(outcome);
    }
    for (lease, count) in ended {
        shrink_lease(writer, lease, count)?;
    }
    Ok(recorded)
}

//! Dead letters by what they have died of.

use std::collections::HashMap;

use diesel::prelude::*;

use super::{Backend, CONTAINS, Connection, DEAD_MESSAGE, reach::queue_in, schema::dead_letter_queue};
use crate::{
    store::{DeadFilter, DeadGroup},
    task::{DeadReason, Millis},
};

pub(super) type Boxed<'a> = dead_letter_queue::BoxedQuery<'a, Backend>;

/// The conditions.
pub(super) fn filtered(filter: &DeadFilter) -> Boxed<'_> {
    let mut query = dead_letter_queue::table.into_boxed::<Backend>();
    if let Some(queue) = &filter.queue {
        query = query.filter(dead_letter_queue::queue.eq(queue));
    }
    if let Some(within) = &filter.within {
        query = query.filter(queue_in(within));
    }
    if let Some(name) = &filter.name {
        query = query.filter(dead_letter_queue::name.eq(name));
    }
    if let Some(reason) = filter.reason {
        query = query.filter(dead_letter_queue::reason.eq(reason.as_str()));
    }
    if let Some(after) = filter.died_after {
        query = query.filter(dead_letter_queue::died_at.ge(after));
    }
    if let Some(cause) = &filter.cause {
        query = query.filter(dead_letter_queue::cause.eq(cause));
    }
    if let Some(error) = &filter.error {
        let part = diesel::dsl::sql::<diesel::sql_types::Bool>(CONTAINS).sql(DEAD_MESSAGE);
        query = query.filter(part.sql(", ").bind::<diesel::sql_types::Text, _>(error.clone()).sql(") > 0"));
    }
    query
}

type Record = (Vec<u8>, String, String, String, String, i64);

pub(super) fn groups(
    connection: &mut Connection,
    filter: &DeadFilter,
    since: &[Millis],
    among: usize,
    limit: usize,
) -> QueryResult<Vec<DeadGroup>> {
    let among = i64::try_from(among).unwrap_or(i64::MAX);
    let newest = filtered(filter).select((
        dead_letter_queue::task_id,
        dead_letter_queue::queue,
        dead_letter_queue::name,
        dead_letter_queue::reason,
        dead_letter_queue::cause,
        dead_letter_queue::died_at,
    ));
    let newest: Vec<Record> = newest.order(dead_letter_queue::died_at.desc()).limit(among).load(connection)?;
    let mut groups: HashMap<(String, String, String, String), DeadGroup> = HashMap::new();
    for (id, queue, name, reason, error, at) in newest {
        let key = (queue.clone(), name.clone(), reason.clone(), error.clone());
        let group = groups.entry(key).or_insert_with(|| DeadGroup {
            queue,
            name,
            reason: DeadReason::parse(&reason).unwrap_or(DeadReason::Exhausted),
            error,
            count: 0,
            since: vec![0; since.len()],
            first_at: at,
            last_at: at,
            example: super::records::task_id(&id),
        });
        group.count += 1;
        group.first_at = group.first_at.min(at);
        group.last_at = group.last_at.max(at);
        since.iter().zip(&mut group.since).filter(|(from, _)| at >= **from).for_each(|(_, n)| *n += 1);
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    groups.sort_by_key(|group| (std::cmp::Reverse(group.count), std::cmp::Reverse(group.last_at)));
    groups.truncate(limit);
    Ok(groups)
}

//! Dead letters by what they have died of.

use std::collections::HashMap;

use diesel::prelude::*;

use super::{
    Backend, CONTAINS, Connection, DEAD_MESSAGE,
    list::{DeadRecord, dead_row},
    reach::queue_in,
    schema::dead_letter_queue,
};
use crate::store::{DeadFilter, DeadGroup};

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
    if let Some(error) = &filter.error {
        let part = diesel::dsl::sql::<diesel::sql_types::Bool>(CONTAINS).sql(DEAD_MESSAGE);
        query = query.filter(part.sql(", ").bind::<diesel::sql_types::Text, _>(error.clone()).sql(") > 0"));
    }
    query
}

pub(super) fn groups(
    connection: &mut Connection,
    filter: &DeadFilter,
    among: usize,
    limit: usize,
) -> QueryResult<Vec<DeadGroup>> {
    let among = i64::try_from(among).unwrap_or(i64::MAX);
    let newest: Vec<DeadRecord> =
        filtered(filter).order(dead_letter_queue::died_at.desc()).limit(among).load(connection)?;
    let mut groups: HashMap<(String, String, &'static str, String), DeadGroup> = HashMap::new();
    for row in newest.into_iter().map(dead_row) {
        let error = alike(row.error.as_ref().map_or("", |error| &error.message));
        let key = (row.queue.clone(), row.name.clone(), row.reason.as_str(), error.clone());
        let group = groups.entry(key).or_insert_with(|| DeadGroup {
            queue: row.queue,
            name: row.name,
            reason: row.reason,
            error,
            count: 0,
            first_at: row.died_at,
            last_at: row.died_at,
            example: row.task_id,
        });
        group.count += 1;
        group.first_at = group.first_at.min(row.died_at);
        group.last_at = group.last_at.max(row.died_at);
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    groups.sort_by_key(|group| (std::cmp::Reverse(group.count), std::cmp::Reverse(group.last_at)));
    groups.truncate(limit);
    Ok(groups)
}

/// The message with every word that has a digit in it left out: those tell one failure from another of the same kind.
fn alike(message: &str) -> String {
    let word = |word: &str| if word.contains(|c: char| c.is_ascii_digit()) { "#".to_owned() } else { word.to_owned() };
    let mut text = message.split(' ').map(word).collect::<Vec<_>>().join(" ");
    text.truncate(text.floor_char_boundary(200));
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn failures_of_one_kind_are_alike() {
        assert_eq!(super::alike("no user 17 at db-3:5432"), super::alike("no user 4 at db-9:5432"));
        assert_ne!(super::alike("no user"), super::alike("no order"));
    }
}

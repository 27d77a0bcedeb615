//! The first tasks of lanes, all in one statement.

use diesel::prelude::*;

use super::{
    Connection,
    lanes::{self, Front},
    own::{KeepLimits, LaneFronts},
};
use crate::{
    store::Fronting,
    task::{Millis, Priority, rate::LimitState},
};

pub(super) fn lane_fronts(
    connection: &mut Connection,
    queue: &str,
    priority: Priority,
    wanted: &[(i64, usize)],
    from: i64,
) -> QueryResult<Vec<Fronting>> {
    let (lane, most): (Vec<i64>, Vec<i64>) =
        wanted.iter().map(|(lane, most)| (*lane, i64::try_from(*most).unwrap_or(i64::MAX))).unzip();
    let fronts = LaneFronts { lane: &lane, most: &most, queue, priority: priority.level().into(), from };
    let rows: Vec<Front> = fronts.load(connection)?;
    Ok(rows.into_iter().map(lanes::fronting).collect())
}

pub(super) fn keep_key_limits(
    connection: &mut Connection,
    queue: &str,
    kept: &[(&str, &LimitState, Millis)],
) -> QueryResult<()> {
    // In order, as everything that is locked by batches.
    let mut kept = kept.to_vec();
    kept.sort_unstable_by_key(|(key, ..)| *key);
    let key: Vec<&str> = kept.iter().map(|(key, ..)| *key).collect();
    let until: Vec<i64> = kept.iter().map(|(.., until)| *until).collect();
    let state: Vec<String> =
        kept.iter().map(|(_, state, _)| serde_json::to_string(state).unwrap_or_default()).collect();
    KeepLimits { queue, key: &key, until: &until, state: &state }.execute(connection).map(|_| ())
}

//! The first tasks of lanes, lane by lane: a call into the library costs less than the row.

use diesel::prelude::*;

use super::{
    Connection,
    hot::KeepLimit,
    lanes::{self, Front},
    own::LaneFront,
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
    let (mut all, priority) = (Vec::new(), i32::from(priority.level()));
    for &(lane, most) in wanted {
        let mut left = i64::try_from(most).unwrap_or(i64::MAX);
        for (from, to) in [(from, i64::MAX), (i64::MIN, from.saturating_sub(1))] {
            if left > 0 && from <= to {
                let front = LaneFront { queue, priority, lane, from, to, limit: left };
                let rows: Vec<Front> = front.load(connection)?;
                left -= i64::try_from(rows.len()).unwrap_or(i64::MAX);
                all.extend(rows.into_iter().map(lanes::fronting));
            }
        }
    }
    Ok(all)
}

pub(super) fn keep_key_limits(
    connection: &mut Connection,
    queue: &str,
    kept: &[(&str, &LimitState, Millis)],
) -> QueryResult<()> {
    for (key, state, until) in kept {
        let state = serde_json::to_string(state).unwrap_or_default();
        KeepLimit { queue, key, until: *until, state: &state }.execute(connection)?;
    }
    Ok(())
}

//! All dead letters: figures, groups of those that died of the same, redrive and purge.

use actix_web::{HttpResponse, web::Data};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    ApiState,
    body::Body,
    bulk::{self, CountsView},
    caller::Caller,
    check::Faults,
    dlq,
    filter::{self, DeadFilterDraft},
    list,
    operations::OperationView,
    problem::Problem,
    query::{self, Nothing, Query},
    reply::{self, Listed},
    shape,
    time::Time,
};
use crate::{
    store::{Action, Among, DeadFilter, DeadGroup},
    task::{DeadReason, Millis, TaskId, duration, name},
};

/// Dead letters grouped: the newest of them.
const AMONG: usize = 100_000;
const MOST_GROUPS: usize = 200;
const MOST_WINDOWS: usize = 8;

#[derive(Serialize, ToSchema)]
#[schema(as = DeadLetterStats)]
pub(super) struct StatsView {
    total: i64,
    /// Of the newest 100,000.
    by_reason: Vec<CountView>,
    by_queue: Vec<CountView>,
    by_name: Vec<CountView>,
    /// Died in the last hour and the last day.
    last_hour: u64,
    last_day: u64,
    /// So many are an alert; null: none is set, or the key is good for some queues only.
    alert_at: Option<u32>,
    alert: bool,
}

#[derive(Serialize, ToSchema)]
#[schema(as = DeadLetterCount)]
pub(super) struct CountView {
    key: String,
    count: u64,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct GroupQuery {
    queue: Option<String>,
    name: Option<String>,
    /// Only those that died within this time, such as 1h or 7d.
    #[param(example = "24h")]
    window: Option<String>,
    /// Also count those that died within each of these times, separated by commas; at most 8.
    #[param(example = "1h,24h,7d")]
    windows: Option<String>,
}

/// Dead letters that have died of the same.
#[derive(Serialize, ToSchema)]
#[schema(as = DeadLetterGroup)]
pub(super) struct GroupView {
    queue: String,
    name: String,
    reason: DeadReason,
    /// The message they share; `#` stands for a word with a digit in it.
    error: String,
    count: u64,
    /// How many died within each of `windows`, in their order.
    within: Vec<u64>,
    first_at: Time,
    last_at: Time,
    #[schema(value_type = String, format = Uuid)]
    example_id: TaskId,
}

impl From<DeadGroup> for GroupView {
    fn from(group: DeadGroup) -> Self {
        let DeadGroup { queue, name, reason, error, count, since, first_at, last_at, example } = group;
        Self {
            queue,
            name,
            reason,
            error,
            count,
            within: since,
            first_at: Time(first_at),
            last_at: Time(last_at),
            example_id: example,
        }
    }
}

/// Counts the dead letters
#[utoipa::path(
    get, path = "/api/v1/dlq/stats", operation_id = "get_dead_letter_stats", tag = "dead letters",
    responses((status = 200, body = StatsView))
)]
pub(super) async fn stats(state: Data<ApiState>, caller: Caller, _: Query<Nothing>) -> Result<HttpResponse, Problem> {
    const HOUR: i64 = 3_600_000;
    let (now, within) = (state.now(), caller.within().cloned());
    let (total, groups, recent) = state
        .read(move |reader| {
            let all = DeadFilter { within, ..DeadFilter::default() };
            let since = |at| reader.count_dead_letters(&DeadFilter { died_after: Some(at), ..all.clone() });
            let recent = [since(now - HOUR)?, since(now - 24 * HOUR)?];
            let total = reader.dead_letter_count(all.within.as_ref())?;
            Ok((total, reader.dead_groups(&all, &[], AMONG, usize::MAX)?, recent))
        })
        .await?;
    let [last_hour, last_day] = recent;
    let count = |key: fn(&DeadGroup) -> &str| {
        let mut counts = std::collections::BTreeMap::<&str, u64>::new();
        groups.iter().for_each(|group| *counts.entry(key(group)).or_default() += group.count);
        let mut counts: Vec<_> =
            counts.into_iter().map(|(key, count)| CountView { key: key.to_owned(), count }).collect();
        counts.sort_by_key(|row| std::cmp::Reverse(row.count));
        counts.truncate(MOST_GROUPS);
        counts
    };
    // What is an alert is so of all queues together.
    let alert_at = state.dead_letter_alert.filter(|_| !caller.is_restricted());
    reply::ok(&StatsView {
        total,
        by_reason: count(|group| group.reason.as_str()),
        by_queue: count(|group| &group.queue),
        by_name: count(|group| &group.name),
        last_hour,
        last_day,
        alert_at,
        alert: alert_at.is_some_and(|at| total >= i64::from(at)),
    })
}

/// Groups the dead letters by what they have died of, most first
#[utoipa::path(
    get, path = "/api/v1/dlq/groups", operation_id = "list_dead_letter_groups", tag = "dead letters",
    params(GroupQuery),
    responses((status = 200, body = Listed<GroupView>))
)]
pub(super) async fn groups(
    state: Data<ApiState>,
    caller: Caller,
    query: Query<GroupQuery>,
) -> Result<HttpResponse, Problem> {
    let GroupQuery { queue, name, window, windows } = query.0;
    list::checked("queue", queue.as_deref(), name::queue)?;
    list::checked("name", name.as_deref(), name::task)?;
    let died_after = since(&state, "window", window.as_deref())?;
    let windows = windows.iter().flat_map(|list| list.split(','));
    let windows = windows.map(|window| since(&state, "windows", Some(window.trim())));
    let windows: Vec<Millis> = windows.collect::<Result<Option<_>, _>>()?.unwrap_or_default();
    if windows.len() > MOST_WINDOWS {
        return Err(query::invalid("windows", format!("has at most {MOST_WINDOWS} times")));
    }
    let within = caller.narrowed(queue.as_deref())?;
    let filter = DeadFilter { queue, name, died_after, within, ..DeadFilter::default() };
    let groups = state.read(move |reader| reader.dead_groups(&filter, &windows, AMONG, MOST_GROUPS)).await?;
    reply::ok(&Listed::whole(groups.into_iter().map(GroupView::from).collect()))
}

/// The moment that a window up to now begins at.
pub(super) fn since(state: &ApiState, parameter: &str, window: Option<&str>) -> Result<Option<Millis>, Problem> {
    match window.map(duration::parse) {
        None => Ok(None),
        Some(Some(window)) => Ok(Some(state.now() - window)),
        Some(None) => Err(query::invalid(parameter, "is a duration such as 1h or 7d")),
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object with a `filter`")]
#[schema(as = Redrive)]
pub(super) struct RedriveBody {
    #[serde(default, deserialize_with = "super::draft::object")]
    filter: Option<DeadFilterDraft>,
    /// Tasks a second at most, such as `10/s`, `100/m`; as fast as it goes if not given.
    #[serde(default)]
    rate: Option<String>,
    /// Only count.
    #[serde(default)]
    dry_run: bool,
    /// Must be true where the filter is empty.
    #[serde(default)]
    all: bool,
}

/// Runs many dead letters again
///
/// In steps, no faster than said, also after a restart: the answer is an operation to follow.
#[utoipa::path(
    post, path = "/api/v1/dlq/redrive", operation_id = "redrive_dead_letters", tag = "dead letters",
    request_body = RedriveBody,
    responses((status = 200, body = CountsView), (status = 202, body = OperationView))
)]
pub(super) async fn redrive(
    state: Data<ApiState>,
    caller: Caller,
    _: Query<Nothing>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let RedriveBody { filter, rate, dry_run, all } = shape::parse(&body.0)?;
    let (mut faults, filter) = (Faults::default(), filter.unwrap_or_default());
    let rate = filter::rate(&mut faults, rate.as_deref());
    bulk::confirm(&mut faults, filter.is_everything(), all || dry_run);
    let filter = filter.check(&mut faults);
    faults.none()?;
    let filter = DeadFilter { within: caller.narrowed(filter.queue.as_deref())?, ..filter };
    bulk::begin(&state, &caller, Action::Redrive, Among::DeadLetters(filter), rate, dry_run).await
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PurgeQuery {
    queue: Option<String>,
    name: Option<String>,
    /// exhausted, timeout, not_retryable, expired or poison.
    reason: Option<String>,
    /// Part of the error's message.
    error: Option<String>,
    /// The `error` of a group.
    cause: Option<String>,
    /// Those that died at this moment or later.
    #[param(value_type = Option<String>, format = DateTime)]
    died_after: Option<String>,
    /// Must be `true` where there is no other condition.
    all: Option<String>,
    /// `true`: only count.
    dry_run: Option<String>,
}

/// Deletes many dead letters and their tasks
#[utoipa::path(
    delete, path = "/api/v1/dlq", operation_id = "purge_dead_letters", tag = "dead letters",
    params(PurgeQuery),
    responses((status = 200, body = CountsView), (status = 202, body = OperationView))
)]
pub(super) async fn purge(
    state: Data<ApiState>,
    caller: Caller,
    query: Query<PurgeQuery>,
) -> Result<HttpResponse, Problem> {
    let PurgeQuery { queue, name, reason, error, cause, died_after, all, dry_run } = query.0;
    let flag = |name: &str, text: Option<&str>| match text {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(query::invalid(name, "is true or false")),
    };
    let (all, dry_run) = (flag("all", all.as_deref())?, flag("dry_run", dry_run.as_deref())?);
    let died_after = query::moment("died_after", died_after.as_deref())?;
    let filter = dlq::filter(queue, name, reason.as_deref(), error, cause)?;
    let filter = DeadFilter { died_after, ..filter };
    if filter == DeadFilter::default() && !all && !dry_run {
        return Err(query::invalid("all", "must be true to delete every dead letter; or give a condition"));
    }
    let filter = DeadFilter { within: caller.narrowed(filter.queue.as_deref())?, ..filter };
    bulk::begin(&state, &caller, Action::Discard, Among::DeadLetters(filter), None, dry_run).await
}

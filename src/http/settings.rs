//! What is set for a queue: read, replaced, and its rate limit by itself.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, web::Data};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{
    ApiState,
    actions::Empty,
    body::Body,
    bulk,
    caller::Caller,
    check::{Faults, MAX_RETRIES, MAX_TIMEOUT},
    code::Code,
    draft::{DurationWritten, RetryWritten},
    flow,
    operations::OperationView,
    problem::{Fault, Problem},
    query::{Nothing, Query},
    queues::{QueueView, name, no_queue},
    rate_limit::{self, RateLimitDraft, RateLimitView},
    reply, shape,
    times::check_age,
};
use crate::{
    engine::QueueChanged,
    store::{Act, Action, Among, QueueDeleted, QueueRow, TaskFilter},
    task::{
        AtCap, Millis, Order, QueueSettings, RateLimit, RetryPolicy, Status, duration, name as names, queue::Limit,
        rate::LimitBy,
    },
};

const MAX_WEIGHT: i64 = 1_000;
const MAX_COUNT: i64 = 1_000_000_000;
const MAX_KEPT: Millis = 10 * 366 * 24 * 3_600_000;

/// What is set for a queue. What is left out is as the server has it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[schema(as = QueueSettings)]
pub(super) struct SettingsDraft<'a> {
    #[serde(default)]
    paused: bool,
    /// Its share of the slots against that of other queues, 1 to 1000.
    #[serde(default)]
    weight: Option<i64>,
    #[serde(borrow, default, deserialize_with = "super::draft::object")]
    rate_limit: Option<RateLimitDraft<'a>>,
    /// Most tasks running at a time.
    #[serde(default)]
    concurrency: Option<i64>,
    /// A limit that the tasks of each `rate_key` have for themselves.
    #[serde(borrow, default, deserialize_with = "super::draft::object")]
    key_rate_limit: Option<RateLimitDraft<'a>>,
    /// Most tasks of one `concurrency_key` running at a time. What runs already counts, and goes on.
    #[serde(default)]
    key_concurrency: Option<i64>,
    /// What becomes of a submission while tasks that are not over, waiting or running, would take up all of `concurrency`, or of
    /// the `key_concurrency` of its key: it waits, or it is answered 429. It holds for what is submitted from then on; a task
    /// that is retried by hand waits.
    #[serde(default)]
    at_cap: Option<AtCap>,
    /// Tasks of a `fair_key` that start when it is its turn, where that is not one: 1 to 1000, for at most 1000 keys.
    #[serde(default, deserialize_with = "super::draft::object")]
    #[schema(value_type = Option<BTreeMap<String, u32>>)]
    fair_weights: Option<BTreeMap<String, i64>>,
    /// Tasks gain one level of priority for each such time that they have waited since they became ready, 1 s to 30 days. Null: none,
    /// priorities are strict, and a low one may wait for ever. With it a task of level p is overtaken by one of level q > p only
    /// if that one became ready less than (q - p) times as long after it.
    #[serde(default, deserialize_with = "duration::deserialize_option")]
    #[schema(value_type = Option<DurationWritten>)]
    ageing: Option<Millis>,
    /// Most tasks waiting; submissions beyond are answered 429.
    #[serde(default)]
    max_depth: Option<i64>,
    /// Retries of tasks that bring none, unless their handler says otherwise.
    #[serde(default)]
    max_retries: Option<i64>,
    #[serde(default, deserialize_with = "super::draft::object")]
    #[schema(value_type = Option<RetryWritten>)]
    retry: Option<RetryPolicy>,
    /// Time limit of tasks that bring none, unless their handler says otherwise; null: no limit.
    #[serde(default, deserialize_with = "super::draft::given")]
    #[schema(value_type = Option<DurationWritten>)]
    timeout: Option<Option<Millis>>,
    /// How long after their submission tasks that do not say so themselves may be started.
    #[serde(default, deserialize_with = "duration::deserialize_option")]
    #[schema(value_type = Option<DurationWritten>)]
    max_age: Option<Millis>,
    #[serde(default, deserialize_with = "super::draft::object")]
    retention: Option<RetentionDraft>,
    /// Only if the queue is at this version: of two who change it at once, one is answered 409.
    #[serde(default)]
    version: Option<u32>,
}

/// How long finished tasks are kept.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[schema(as = Retention)]
pub(super) struct RetentionDraft {
    #[serde(default, deserialize_with = "duration::deserialize_option")]
    #[schema(value_type = Option<DurationWritten>)]
    success: Option<Millis>,
    /// Those that were cancelled, expired or skipped. Dead letters stay until they are dealt with.
    #[serde(default, deserialize_with = "duration::deserialize_option")]
    #[schema(value_type = Option<DurationWritten>)]
    others: Option<Millis>,
}

struct Checked {
    paused: bool,
    weight: u32,
    settings: QueueSettings,
}

fn check(draft: &SettingsDraft<'_>) -> Result<Checked, Problem> {
    let mut faults = Faults::default();
    let mut number = |field: &str, given: Option<i64>, least: i64, most: i64| {
        let valid = given.filter(|n| (least..=most).contains(n)).and_then(|n| u32::try_from(n).ok());
        if given.is_some() && valid.is_none() {
            faults.invalid(format!("/{field}"), format!("must be a number from {least} to {most}"));
        }
        valid
    };
    let weight = number("weight", draft.weight, 1, MAX_WEIGHT);
    let concurrency = number("concurrency", draft.concurrency, 1, MAX_COUNT);
    let max_depth = number("max_depth", draft.max_depth, 1, MAX_COUNT);
    let max_retries = number("max_retries", draft.max_retries, 0, MAX_RETRIES);
    let key_concurrency = number("key_concurrency", draft.key_concurrency, 1, MAX_COUNT);
    let at_cap = draft.at_cap.unwrap_or_default();
    if at_cap == AtCap::Reject && concurrency.is_none() && key_concurrency.is_none() {
        faults.invalid("/at_cap", "has a meaning beside `concurrency` or `key_concurrency` only: there is no cap");
    }
    let rate_limit = draft.rate_limit.as_ref().and_then(|limit| rate_limit::check(&mut faults, "/rate_limit", limit));
    let key_rate_limit = draft
        .key_rate_limit
        .as_ref()
        .and_then(|limit| rate_limit::check_of_keys(&mut faults, "/key_rate_limit", limit));
    if rate_limit.is_some_and(|rule| rule.by == LimitBy::RateKey) {
        faults.invalid(
            "/rate_limit/by",
            "must be \"queue\" or \"priority\"; the limit of each rate key is `key_rate_limit`",
        );
    }
    let fair_weights = flow::weights(&mut faults, draft.fair_weights.as_ref());
    if draft.ageing.is_some_and(|ageing| !(Order::MIN_AGEING..=Order::MAX_AGEING).contains(&ageing)) {
        faults.invalid("/ageing", "must be from 1 second to 30 days, or null for none");
    }
    let retry = draft.retry;
    if let Some((field, detail)) = retry.and_then(|retry| retry.fault()) {
        faults.invalid(format!("/retry/{field}"), detail);
    }
    if draft.timeout.flatten().is_some_and(|timeout| !(1..=MAX_TIMEOUT).contains(&timeout)) {
        faults.invalid("/timeout", "must be more than 0 and at most 30 days, or null for no limit");
    }
    check_age(&mut faults, draft.max_age);
    let kept = draft.retention.as_ref().map_or((None, None), |kept| (kept.success, kept.others));
    for (field, kept) in [("success", kept.0), ("others", kept.1)] {
        if kept.is_some_and(|kept| kept > MAX_KEPT) {
            faults.invalid(format!("/retention/{field}"), "must be at most 10 years");
        }
    }
    faults.none()?;
    let timeout = draft.timeout.map(Limit);
    let (keep_success, keep_others) = kept;
    let settings = QueueSettings {
        rate_limit,
        concurrency,
        key_rate_limit,
        key_concurrency,
        at_cap,
        fair_weights,
        ageing: draft.ageing,
        max_depth,
        max_retries,
        retry,
        timeout,
        max_age: draft.max_age,
        keep_success,
        keep_others,
    };
    Ok(Checked { paused: draft.paused, weight: weight.unwrap_or(1), settings })
}

/// Changes a queue and shows it.
pub(super) async fn change(
    state: &ApiState,
    request: &HttpRequest,
    version: Option<u32>,
    change: impl FnMut(&mut QueueRow) + Send + 'static,
    act: Act,
) -> Result<(), Problem> {
    let name = name(request);
    if let Err(error) = names::queue(&name) {
        return Err(Problem::invalid(Code::InvalidField, vec![Fault::at("", error.to_string())]));
    }
    match state.engine.change_queue(&name, version, change, act).await? {
        QueueChanged::Done(_) => Ok(()),
        QueueChanged::Meanwhile(now) => {
            let detail = format!("Somebody else has changed the queue: it is at version {now}. Read it and try again");
            Err(Problem::new(Code::QueueChanged, detail))
        }
        QueueChanged::TooMany(most) => {
            let detail = format!("there are {most} queues already, the most this server keeps");
            Err(Problem::invalid(Code::TooManyQueues, vec![Fault::at("", detail)]))
        }
    }
}

/// Sets up a queue
///
/// Replaces all of its settings; what is left out goes back to the server's. Makes the queue where there is none.
#[utoipa::path(
    put, path = "/api/v1/queues/{queue}", operation_id = "put_queue", tag = "queues",
    params(("queue" = String, Path)),
    request_body = SettingsDraft,
    responses((status = 200, body = QueueView))
)]
pub(super) async fn put(
    state: Data<ApiState>,
    caller: Caller,
    request: HttpRequest,
    _: Query<Nothing>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let draft: SettingsDraft<'_> = shape::parse(&body.0)?;
    let Checked { paused, weight, settings } = check(&draft)?;
    let detail = json!({"paused": paused, "weight": weight, "settings": &settings});
    let set = move |row: &mut QueueRow| {
        (row.paused, row.weight, row.settings) = (paused, weight, settings.clone());
    };
    let act = caller.act("queue.configure", name(&request)).with(detail);
    change(&state, &request, draft.version, set, act).await?;
    reply::ok(&QueueView::of(&state, &request).await?)
}

/// Deletes a queue that has no tasks
#[utoipa::path(
    delete, path = "/api/v1/queues/{queue}", operation_id = "delete_queue", tag = "queues",
    params(("queue" = String, Path)),
    responses((status = 204, description = "Deleted"))
)]
pub(super) async fn delete(
    state: Data<ApiState>,
    caller: Caller,
    request: HttpRequest,
    _: Query<Nothing>,
) -> Result<HttpResponse, Problem> {
    let name = name(&request);
    match state.engine.delete_queue(&name, caller.act("queue.delete", &name)).await? {
        QueueDeleted::Done => Ok(HttpResponse::NoContent().finish()),
        QueueDeleted::NotFound => Err(no_queue(&name)),
        QueueDeleted::NotEmpty(tasks) => {
            let detail =
                format!("{tasks} tasks are in the queue, finished ones among them: delete them by POST /tasks/bulk");
            Err(Problem::new(Code::QueueNotEmpty, detail))
        }
    }
}

/// Cancels all tasks that wait in a queue
///
/// What runs goes on; what was submitted after the call stays. The answer is an operation to follow.
#[utoipa::path(
    post, path = "/api/v1/queues/{queue}/purge", operation_id = "purge_queue", tag = "queues",
    params(("queue" = String, Path)),
    responses((status = 202, body = OperationView))
)]
pub(super) async fn purge(
    state: Data<ApiState>,
    caller: Caller,
    request: HttpRequest,
    _: Query<Nothing>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    shape::parse_or_empty::<Empty>(&body.0)?;
    QueueView::of(&state, &request).await?;
    let statuses = Status::ALL.into_iter().filter(|status| status.is_waiting()).collect();
    let filter = TaskFilter { statuses, queue: Some(name(&request)), ..TaskFilter::default() };
    bulk::begin(&state, &caller, Action::Cancel, Among::Tasks(filter), None, false).await
}

/// Settings as they are shown.
#[derive(Serialize, ToSchema)]
#[schema(as = QueueSettingsShown)]
pub(super) struct SettingsView {
    concurrency: Option<u32>,
    /// The limit of each rate key in short, such as `100 per 60s`.
    key_rate_limit: Option<String>,
    key_concurrency: Option<u32>,
    at_cap: AtCap,
    fair_weights: BTreeMap<String, u32>,
    /// How long a task waits for one more level of priority.
    ageing: Option<String>,
    max_depth: Option<u32>,
    max_retries: Option<u32>,
    #[schema(value_type = Option<Object>)]
    retry: Option<RetryPolicy>,
    /// Absent: as the server has it. Null: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    timeout: Option<Option<String>>,
    max_age: Option<String>,
    retention: RetentionView,
}

#[derive(Serialize, ToSchema)]
pub(super) struct RetentionView {
    success: Option<String>,
    others: Option<String>,
}

impl From<&QueueSettings> for SettingsView {
    fn from(settings: &QueueSettings) -> Self {
        let text = |millis: Option<Millis>| millis.map(duration::to_text);
        Self {
            concurrency: settings.concurrency,
            key_rate_limit: settings.key_rate_limit.map(RateLimitView::short),
            key_concurrency: settings.key_concurrency,
            at_cap: settings.at_cap,
            fair_weights: settings.fair_weights.clone(),
            ageing: text(settings.ageing),
            max_depth: settings.max_depth,
            max_retries: settings.max_retries,
            retry: settings.retry,
            timeout: settings.timeout.map(|limit| text(limit.0)),
            max_age: text(settings.max_age),
            retention: RetentionView { success: text(settings.keep_success), others: text(settings.keep_others) },
        }
    }
}

impl RateLimitView {
    /// Only its numbers, where a queue is shown with others.
    pub(super) fn short(rule: RateLimit) -> String {
        let [high, medium, low] = rule.limit;
        let per = duration::to_text(rule.per);
        match rule.by {
            LimitBy::Queue | LimitBy::RateKey => format!("{high} per {per}"),
            LimitBy::Priority => format!("{high} / {medium} / {low} per {per}"),
        }
    }
}

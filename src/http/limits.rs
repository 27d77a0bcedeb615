//! The rate limits of a queue: its own, and the one that each rate key has.

use actix_web::{HttpRequest, HttpResponse, web::Data};
use serde::Deserialize;
use serde_json::json;

use super::{
    ApiState,
    body::Body,
    caller::Caller,
    check::Faults,
    code::Code,
    flow,
    problem::Problem,
    query::{self, Nothing, Query},
    queues::{QueueView, name, no_queue},
    rate_limit::{self, RateLimitDraft, RateLimitView},
    reply,
    settings::change,
    shape,
};
use crate::{
    engine::Engine,
    store::{QueueRow, Reader, StoreError},
    task::{Millis, rate::LimitBy},
};

/// The limit in force for a queue, as it stands; `None`: there is none.
pub(super) fn limit_of(
    reader: &dyn Reader,
    engine: &Engine,
    row: &QueueRow,
    now: Millis,
) -> Result<Option<RateLimitView>, StoreError> {
    let own = row.settings.rate_limit;
    let Some(rule) = own.or(engine.default_rate_limit()) else { return Ok(None) };
    let mut gate = engine.gate_of(reader, row, now)?;
    Ok(Some(RateLimitView::of(&rule, &mut gate, own.is_some(), now)))
}

/// The limit of a rate key, as it stands.
fn limit_of_key(
    reader: &dyn Reader,
    row: &QueueRow,
    key: Option<&str>,
    now: Millis,
) -> Result<Option<RateLimitView>, StoreError> {
    let Some(rule) = row.settings.key_rate_limit else { return Ok(None) };
    let state = key.map(|key| reader.key_limit(&row.name, key)).transpose()?.flatten();
    Ok(Some(RateLimitView::of_key(&rule, state.unwrap_or_default(), now)))
}

/// Which of the limits.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    by: Option<String>,
    key: Option<String>,
}

impl Which {
    /// Whether it is the one of rate keys.
    fn is_of_keys(&self) -> Result<bool, Problem> {
        let of_keys = match self.by.as_deref() {
            None => self.key.is_some(),
            Some("rate_key") => true,
            Some("queue" | "priority") if self.key.is_none() => false,
            Some("queue" | "priority") => return Err(query::invalid("key", "belongs to `by=rate_key`")),
            Some(_) => return Err(query::invalid("by", "must be queue, priority or rate_key")),
        };
        let mut faults = Faults::default();
        flow::check_key(&mut faults, "key", self.key.as_deref());
        faults.none()?;
        Ok(of_keys)
    }
}

/// Reads a queue's rate limit
///
/// With `by=rate_key` the limit that each rate key has for itself, with `key` as it stands for that one.
#[utoipa::path(
    get, path = "/api/v1/queues/{queue}/rate-limit", operation_id = "get_rate_limit", tag = "queues",
    params(
        ("queue" = String, Path),
        ("by" = Option<String>, Query, description = "`rate_key`: the limit of each rate key"),
        ("key" = Option<String>, Query, description = "A rate key"),
    ),
    responses((status = 200, body = RateLimitView))
)]
pub(super) async fn get(
    state: Data<ApiState>,
    request: HttpRequest,
    which: Query<Which>,
) -> Result<HttpResponse, Problem> {
    let of_keys = which.0.is_of_keys()?;
    shown(&state, &request, of_keys, which.0.key).await
}

async fn shown(
    state: &ApiState,
    request: &HttpRequest,
    of_keys: bool,
    key: Option<String>,
) -> Result<HttpResponse, Problem> {
    let (name, now, engine) = (name(request), state.now(), state.engine.clone());
    let wanted = name.clone();
    let found = state.read(move |reader| {
        let read = |row| match of_keys {
            true => limit_of_key(reader, &row, key.as_deref(), now),
            false => limit_of(reader, &engine, &row, now),
        };
        reader.queue(&wanted)?.map(read).transpose()
    });
    let limit = found.await?.ok_or_else(|| no_queue(&name))?;
    let what = if of_keys { "rate limit for each rate key" } else { "rate limit" };
    let limit = limit.ok_or_else(|| Problem::new(Code::RateLimitNotSet, format!("Queue {name:?} has no {what}")))?;
    reply::ok(&limit)
}

/// Sets a queue's rate limit
///
/// In force with the next task that starts. What has started under the limit before counts against the new one, of whatever
/// kind either is, also where the queue was deleted in between; what started while there was no limit does not. A window that
/// becomes longer counts what the shorter one still counted. With `by: rate_key` it is the limit that the tasks of each
/// `rate_key` have for themselves, beside the one of the queue.
#[utoipa::path(
    put, path = "/api/v1/queues/{queue}/rate-limit", operation_id = "put_rate_limit", tag = "queues",
    params(("queue" = String, Path)),
    request_body = RateLimitDraft,
    responses((status = 200, body = RateLimitView))
)]
pub(super) async fn put(
    state: Data<ApiState>,
    caller: Caller,
    request: HttpRequest,
    _: Query<Nothing>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let mut faults = Faults::default();
    let limit = rate_limit::check(&mut faults, "", &shape::parse(&body.0)?);
    faults.none()?;
    let of_keys = limit.is_some_and(|rule| rule.by == LimitBy::RateKey);
    let act = caller.act("rate_limit.set", name(&request)).with(json!(limit));
    let set = move |row: &mut QueueRow| match of_keys {
        true => row.settings.key_rate_limit = limit,
        false => row.settings.rate_limit = limit,
    };
    change(&state, &request, None, set, act).await?;
    shown(&state, &request, of_keys, None).await
}

/// Takes a queue's rate limit away
///
/// With `by=rate_key` the one of each rate key.
#[utoipa::path(
    delete, path = "/api/v1/queues/{queue}/rate-limit", operation_id = "delete_rate_limit", tag = "queues",
    params(
        ("queue" = String, Path),
        ("by" = Option<String>, Query, description = "`rate_key`: the limit of each rate key"),
    ),
    responses((status = 204, description = "The queue has no limit of its own any more"))
)]
pub(super) async fn delete(
    state: Data<ApiState>,
    caller: Caller,
    request: HttpRequest,
    which: Query<Which>,
) -> Result<HttpResponse, Problem> {
    let of_keys = which.0.is_of_keys()?;
    if which.0.key.is_some() {
        return Err(query::invalid("key", "The limit is the same for all keys: it goes for all, or stays"));
    }
    QueueView::of(&state, &request).await?;
    let act = caller.act("rate_limit.delete", name(&request));
    let set = move |row: &mut QueueRow| match of_keys {
        true => row.settings.key_rate_limit = None,
        false => row.settings.rate_limit = None,
    };
    change(&state, &request, None, set, act).await?;
    Ok(HttpResponse::NoContent().finish())
}

//! `GET /events`: server-sent events. They are hints: who misses some is told to read again.

use std::{borrow::Cow, collections::VecDeque, convert::Infallible};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{Method, header},
    web::{Bytes, Data},
};
use futures_util::{Stream, stream};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Interval, MissedTickBehavior};
use utoipa::IntoParams;

use super::{
    ApiState,
    caller::Caller,
    code::Code,
    problem::Problem,
    query::{self, Query},
};
use crate::actors::events::{Event, NoRoom, Room, Subscription, Topic};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EventsQuery {
    /// tasks, queues and workers, separated by commas; all of them if not given.
    topics: Option<String>,
}

/// Follows events
///
/// `event: reset` says that some were missed: read again what is shown. Who follows tasks is also told how far they have come
/// (`progress`) and of the last lines of their logs (`log`).
#[utoipa::path(
    get, path = "/api/v1/events", operation_id = "follow_events", tag = "system",
    params(EventsQuery, ("Last-Event-ID" = Option<String>, Header, description = "Id of the last event seen")),
    responses((status = 200, body = String, content_type = "text/event-stream"))
)]
pub(super) async fn events(
    request: HttpRequest,
    state: Data<ApiState>,
    caller: Caller,
    query: Query<EventsQuery>,
) -> Result<HttpResponse, Problem> {
    let topics = topics(query.0.topics.as_deref())?;
    if state.is_draining() {
        return Err(Problem::later(Code::Draining, "The server is shutting down", 5));
    }
    let room = room(&state, &caller);
    state.events.room(room).map_err(|none| no_room(none, room))?;
    let mut response = HttpResponse::Ok();
    response
        .content_type("text/event-stream")
        // Neither a compressor of ours nor a proxy's buffer may hold an event back.
        .insert_header((header::CONTENT_ENCODING, "identity"))
        .insert_header(("x-accel-buffering", "no"));
    if request.method() == Method::HEAD {
        return Ok(response.finish());
    }
    // An id that is none of ours: the subscriber has missed everything.
    let last_seen = request
        .headers()
        .get("last-event-id")
        .map(|id| id.to_str().ok().and_then(|id| state.events.id(id)).unwrap_or(u64::MAX));
    let subscription = state.events.subscribe(last_seen, room).map_err(|none| no_room(none, room))?;
    Ok(response.streaming(feed(state, caller, subscription, topics)))
}

/// A quarter for each key, so that none leaves nothing to the others; all of it where nobody is asked for one.
fn room(state: &ApiState, caller: &Caller) -> Room {
    let most = state.edge.max_subscribers;
    Room { most, by_key: caller.key().map(|key| (key.hash, (most / 4).max(1))) }
}

fn no_room(none: NoRoom, room: Room) -> Problem {
    match (none, room.by_key) {
        (NoRoom::ForKey, Some((_, most))) => {
            let detail = format!("{most} clients follow events with this API key, the most there may be with one");
            Problem::later(Code::TooManyStreams, detail, 5)
        }
        _ => {
            let detail = format!("{} clients follow events, the most there may be", room.most);
            Problem::later(Code::TooManySubscribers, detail, 5)
        }
    }
}

fn topics(text: Option<&str>) -> Result<Vec<Topic>, Problem> {
    let Some(text) = text else { return Ok(Topic::ALL.to_vec()) };
    let topic = |name: &str| Topic::ALL.into_iter().find(|topic| topic.as_str() == name.trim());
    let topics: Option<Vec<_>> = text.split(',').map(topic).collect();
    topics.ok_or_else(|| query::invalid("topics", "is a list of tasks, queues and workers"))
}

struct Feed {
    state: Data<ApiState>,
    caller: Caller,
    subscription: Subscription,
    topics: Vec<Topic>,
    /// What is sent before anything new.
    opening: VecDeque<Bytes>,
    keep_alive: Interval,
}

fn feed(
    state: Data<ApiState>,
    caller: Caller,
    mut subscription: Subscription,
    topics: Vec<Topic>,
) -> impl Stream<Item = Result<Bytes, Infallible>> {
    let mut opening = VecDeque::from([Bytes::from_static(b"retry: 2000\n\n")]);
    match subscription.missed.take() {
        None => opening.push_back(Bytes::from_static(b"event: reset\ndata: {}\n\n")),
        Some(missed) => {
            let wanted = missed.iter().filter(|event| topics.contains(&event.topic.family()));
            opening.extend(wanted.filter_map(|event| write(event, &state, &caller)));
        }
    }
    let every = state.edge.keep_alive;
    let mut keep_alive = tokio::time::interval_at(tokio::time::Instant::now() + every, every);
    keep_alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let feed = Feed { state, caller, subscription, topics, opening, keep_alive };
    stream::unfold(feed, |mut feed| async move {
        let next = feed.next().await?;
        Some((Ok(next), feed))
    })
}

impl Feed {
    /// The next piece; `None` when the server drains, or when this client was too slow and is to come back.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(piece) = self.opening.pop_front() {
            return Some(piece);
        }
        loop {
            tokio::select! {
                event = self.subscription.events.recv() => {
                    let event = event?;
                    // A key that was revoked meanwhile hears nothing more.
                    if !self.caller.is_good(&self.state) {
                        return None;
                    }
                    let wanted = self.topics.contains(&event.topic.family());
                    if let Some(piece) = wanted.then(|| write(&event, &self.state, &self.caller)).flatten() {
                        return Some(piece);
                    }
                }
                _ = self.keep_alive.tick() => {
                    return self.caller.is_good(&self.state).then_some(Bytes::from_static(b":\n\n"));
                }
                () = self.state.drained() => return None,
            }
        }
    }
}

/// Data is JSON on one line, so that it needs no splitting. `None`: it is nothing that the caller may hear of.
fn write(event: &Event, state: &ApiState, caller: &Caller) -> Option<Bytes> {
    let data = if caller.is_restricted() { Cow::Owned(sifted(event, caller)?) } else { Cow::Borrowed(&*event.data) };
    let (id, topic) = (state.events.name(event.id), event.topic.as_str());
    Some(format!("id: {id}\nevent: {topic}\ndata: {data}\n\n").into())
}

/// Only the queues that the caller sees. Ids and counts are of all queues together, so what is left of those is that there
/// is something to read.
fn sifted(event: &Event, caller: &Caller) -> Option<String> {
    let data: Value = serde_json::from_str(&event.data).ok()?;
    if let Some(queue) = data["queue"].as_str() {
        if matches!(event.topic, Topic::Progress | Topic::Log) {
            return caller.sees(queue).then(|| event.data.to_string());
        }
        return caller.sees(queue).then(|| json!({"queue": queue}).to_string());
    }
    let queues = data["queues"].as_array()?.iter().filter_map(Value::as_str);
    let queues: Vec<&str> = queues.filter(|queue| caller.sees(queue)).collect();
    (!queues.is_empty()).then(|| json!({"queues": queues, "ids": [], "counts": {}, "more": true}).to_string())
}

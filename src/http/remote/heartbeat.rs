//! `POST /workers/{id}/heartbeat`: a remote worker lives, says what it holds and hears what is wanted of it.

use actix_web::{HttpResponse, web::Data};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;

use super::{
    super::{
        ApiState,
        body::Body,
        check::Faults,
        code::Code,
        draft::DurationWritten,
        problem::Problem,
        query::{Nothing, Query},
        reply, shape,
        tasks::Id,
        workers::no_worker,
    },
    draining, worker_dead,
};
use crate::{
    actors::remote::{Beat, Beaten, Orders},
    task::{Asked, LeaseToken, Millis, WorkerId, duration},
};

/// Leases that one worker may name.
const MOST_RUNNING: usize = 10_000;
const LONGEST_WAIT: Millis = 60_000;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object with a list `running`")]
#[schema(as = Heartbeat)]
pub(in crate::http) struct HeartbeatBody {
    /// Every lease that it holds, whether its task has begun or not. What it was granted more than 10 s ago and does not name
    /// twice running goes back to its queue: the grant has not reached it.
    #[schema(max_items = 10000)]
    running: Vec<String>,
    /// Memory that it holds.
    #[serde(default)]
    rss_bytes: Option<u64>,
    /// To be answered only once there is something else to say than the last time, or after this time; not after the time
    /// between two heartbeats, so that the next one is not late.
    #[serde(default, deserialize_with = "duration::deserialize_option")]
    #[schema(value_type = Option<DurationWritten>)]
    wait: Option<Millis>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = HeartbeatReply)]
pub(in crate::http) struct HeartbeatView {
    /// Leases whose tasks are to stop: cancelled, or out of time.
    #[schema(value_type = Vec<String>)]
    cancel: Vec<LeaseToken>,
    /// Of them those that have no time left to stop by themselves.
    #[schema(value_type = Vec<String>)]
    cancel_at_once: Vec<LeaseToken>,
    /// Leases that are not its own any more: what it says of them is dropped.
    #[schema(value_type = Vec<String>)]
    lost: Vec<LeaseToken>,
    /// It is to lease nothing more.
    quiet: bool,
    /// It is to end once what it runs has ended.
    stop: bool,
}

impl From<Orders> for HeartbeatView {
    fn from(orders: Orders) -> Self {
        let Orders { cancel, cancel_at_once, lost, asked } = orders;
        Self { cancel, cancel_at_once, lost, quiet: asked.is_some(), stop: asked == Some(Asked::Stop) }
    }
}

/// Renews a remote worker
#[utoipa::path(
    post, path = "/api/v1/workers/{id}/heartbeat", operation_id = "beat_worker", tag = "remote workers",
    params(("id" = String, Path, format = Uuid)),
    request_body = HeartbeatBody,
    responses((status = 200, body = HeartbeatView))
)]
pub(in crate::http) async fn beat(
    state: Data<ApiState>,
    id: Id<WorkerId>,
    _: Query<Nothing>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let HeartbeatBody { running, rss_bytes, wait } = shape::parse(&body.0)?;
    let running = leases(&running)?;
    if wait.is_some_and(|wait| wait > LONGEST_WAIT) {
        return Err(super::lease::too_long());
    }
    let wait = Duration::from_millis(wait.unwrap_or_default().unsigned_abs()).min(state.remote.heartbeat());
    let answer = state.remote.beat(|reply| Beat { worker: id.0, running, rss: rss_bytes, wait, reply });
    match answer.await {
        Ok(Beaten::Alive(orders)) => reply::ok(&HeartbeatView::from(orders)),
        Ok(Beaten::Gone(now)) => Err(worker_dead(&now)),
        Ok(Beaten::NotFound) => Err(no_worker(id.0)),
        Ok(Beaten::Failed(error)) => Err(error.into()),
        // The actor has crashed, or stops.
        Err(_) => Err(draining()),
    }
}

fn leases(texts: &[String]) -> Result<Vec<LeaseToken>, Problem> {
    let mut faults = Faults::default();
    if texts.len() > MOST_RUNNING {
        faults.invalid("/running", format!("has at most {MOST_RUNNING} members, not {}", texts.len()));
    }
    faults.none()?;
    let (mut faults, mut tokens) = (Faults::default(), Vec::with_capacity(texts.len()));
    for (index, text) in texts.iter().enumerate() {
        match text.parse::<LeaseToken>() {
            Ok(token) => tokens.push(token),
            Err(error) => faults.add(Code::InvalidField, format!("/running/{index}"), error.to_string()),
        }
    }
    faults.none().map(|()| tokens)
}

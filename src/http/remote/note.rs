//! What a remote worker says of an attempt while it makes it.

use actix_web::{HttpResponse, web::Data};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::{
    ApiState,
    body::Body,
    caller::Caller,
    check::Faults,
    problem::Problem,
    query::{Nothing, Query},
    reply, shape,
    tasks::Id,
    time,
};
use crate::task::{LeaseToken, LogLevel, LogLine, Millis, Progress};

const MOST_LINES: usize = 100;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object with `percent` or `message`")]
#[schema(as = NewProgress)]
pub(in crate::http) struct ProgressBody {
    #[serde(default)]
    #[schema(minimum = 0, maximum = 100)]
    percent: Option<f64>,
    #[serde(default)]
    #[schema(max_length = 500)]
    message: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Noted)]
pub(in crate::http) struct NotedView {
    /// The task is to stop.
    cancel: bool,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object with a list `lines`")]
#[schema(as = NewLogLines)]
pub(in crate::http) struct LinesBody {
    #[schema(min_items = 1, max_items = 100)]
    lines: Vec<LineBody>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "a line: an object with a `message`")]
#[schema(as = NewLogLine)]
pub(in crate::http) struct LineBody {
    /// `info` if not given.
    #[serde(default)]
    level: LogLevel,
    /// Cut off at 4096 bytes.
    message: String,
    /// Now, if not given.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    at: Option<String>,
}

impl ApiState {
    /// Whether the attempt under this lease is to stop.
    fn is_to_stop(&self, hold: &crate::store::Hold) -> bool {
        hold.cancel_requested || hold.deadline.is_some_and(|deadline| deadline <= self.now())
    }
}

/// Says how far a task has come
#[utoipa::path(
    post, path = "/api/v1/leases/{id}/progress", operation_id = "note_progress", tag = "remote workers",
    params(("id" = String, Path)), request_body = ProgressBody, responses((status = 200, body = NotedView))
)]
pub(in crate::http) async fn progress(
    state: Data<ApiState>,
    caller: Caller,
    id: Id<LeaseToken>,
    _: Query<Nothing>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let ProgressBody { percent, message } = shape::parse(&body.0)?;
    let mut faults = Faults::default();
    if percent.is_some_and(|percent| !(0.0..=100.0).contains(&percent)) {
        faults.invalid("/percent", "must be a number from 0 to 100");
    }
    if message.as_ref().is_some_and(|message| message.chars().count() > Progress::LONGEST) {
        faults.invalid("/message", format!("must have at most {} characters", Progress::LONGEST));
    }
    if percent.is_none() && message.is_none() {
        faults.invalid("", "has neither `percent` nor `message`");
    }
    faults.none()?;
    let hold = state.hold(&caller, id.0).await?;
    state.engine.note_progress(&hold.task, Progress::new(percent, message.as_deref()));
    reply::ok(&NotedView { cancel: state.is_to_stop(&hold) })
}

/// Adds lines to the log of an attempt
#[utoipa::path(
    post, path = "/api/v1/leases/{id}/log", operation_id = "note_lines", tag = "remote workers",
    params(("id" = String, Path)), request_body = LinesBody, responses((status = 200, body = NotedView))
)]
pub(in crate::http) async fn log(
    state: Data<ApiState>,
    caller: Caller,
    id: Id<LeaseToken>,
    _: Query<Nothing>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let LinesBody { lines } = shape::parse(&body.0)?;
    let mut faults = Faults::default();
    let read = lines_of(&mut faults, "/lines", lines, state.now());
    faults.none()?;
    let hold = state.hold(&caller, id.0).await?;
    for line in read {
        state.engine.note_line(&hold.task, line);
    }
    reply::ok(&NotedView { cancel: state.is_to_stop(&hold) })
}

pub(super) fn lines_of(faults: &mut Faults, pointer: &str, lines: Vec<LineBody>, now: Millis) -> Vec<LogLine> {
    if !(1..=MOST_LINES).contains(&lines.len()) {
        faults.invalid(pointer, format!("has 1 to {MOST_LINES} members, not {}", lines.len()));
    }
    let mut read = Vec::with_capacity(lines.len().min(MOST_LINES));
    for (index, LineBody { level, message, at }) in lines.into_iter().take(MOST_LINES).enumerate() {
        let at = at.as_deref().map_or(Some(now), time::parse);
        if at.is_none() {
            faults.invalid(format!("{pointer}/{index}/at"), "must be a time such as 2026-01-31T12:00:00Z");
        }
        read.push(LogLine::new(at.unwrap_or(now), level, &message));
    }
    read
}

//! Schedules: set, listed, paused, tried.

mod draft;
mod view;

pub use draft::declared_schedule;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{HeaderValue, LOCATION},
    },
    web::Data,
};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    ApiState,
    actions::Empty,
    body::Body,
    caller::Caller,
    check::Faults,
    code::Code,
    cursor::Binding,
    list::checked,
    problem::{Fault, Problem},
    query::{self, Nothing, Query},
    reply::{self, Listed},
    shape, submit, tasks,
    view::{Shown, TaskView},
};
use crate::{
    engine::{Put, ScheduleChanged, Triggered},
    store::{ScheduleFilter, ScheduleRow},
    task::{Scope, name as names},
};
use draft::ScheduleDraft;
use view::{ScheduleView, TickView};

const MOST_PREVIEWED: usize = 100;

fn name(request: &HttpRequest) -> String {
    request.match_info().get("name").unwrap_or_default().to_owned()
}

fn no_schedule(name: &str) -> Problem {
    Problem::new(Code::ScheduleNotFound, format!("There is no schedule {name:?}"))
}

impl ApiState {
    async fn schedule(&self, name: &str, caller: &Caller) -> Result<ScheduleRow, Problem> {
        let wanted = name.to_owned();
        let found = self.read(move |reader| reader.schedule(&wanted)).await?;
        found.filter(|row| caller.sees(&row.task.queue)).ok_or_else(|| no_schedule(name))
    }
}

/// The answer to a change.
fn answer(name: &str, done: ScheduleChanged) -> Result<HttpResponse, Problem> {
    let (row, is_new) = match done {
        ScheduleChanged::Done(row, is_new) => (row, is_new),
        ScheduleChanged::NotFound => return Err(no_schedule(name)),
        ScheduleChanged::Exists => {
            let detail = format!("There is a schedule {name:?} already: PUT /schedules/{name} replaces it");
            return Err(Problem::new(Code::ScheduleExists, detail));
        }
        ScheduleChanged::Hidden => {
            let detail =
                format!("The schedule {name:?} is for a queue that this API key is not good for: choose another name");
            return Err(Problem::new(Code::QueueNotAllowed, detail));
        }
        ScheduleChanged::Meanwhile(now) => {
            let detail = match now {
                0 => format!("There is no schedule {name:?} any more, so it is at no version"),
                now => format!("Somebody else has changed the schedule: it is at version {now}. Read it and try again"),
            };
            return Err(Problem::new(Code::ScheduleChanged, detail));
        }
        ScheduleChanged::TooMany(most) => {
            let detail = format!("there are {most} schedules already, the most this server keeps");
            return Err(Problem::invalid(Code::TooManySchedules, vec![Fault::at("", detail)]));
        }
    };
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    let mut response = reply::json(status, &ScheduleView::from(*row))?;
    if let Some(location) = is_new.then(|| HeaderValue::from_str(&format!("/api/v1/schedules/{name}")).ok()).flatten() {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SchedulesQuery {
    /// The queue of their task.
    queue: Option<String>,
    /// `true`: those that tick, `false`: those that are paused.
    #[param(value_type = Option<bool>)]
    enabled: Option<String>,
    /// 1 to 200; 50 if not given.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<String>,
    cursor: Option<String>,
}

/// Lists schedules, by name
///
/// A key for some queues is shown those whose task goes to one of them.
#[utoipa::path(
    get, path = "/api/v1/schedules", operation_id = "list_schedules", tag = "schedules",
    params(SchedulesQuery),
    responses((status = 200, body = Listed<ScheduleView>))
)]
pub(super) async fn list(
    state: Data<ApiState>,
    caller: Caller,
    query: Query<SchedulesQuery>,
) -> Result<HttpResponse, Problem> {
    let SchedulesQuery { queue, enabled, limit, cursor } = query.0;
    let limit = query::limit(limit.as_deref())?;
    checked("queue", queue.as_deref(), names::queue)?;
    let enabled = match enabled.as_deref() {
        None => None,
        Some("true") => Some(true),
        Some("false") => Some(false),
        Some(_) => return Err(query::invalid("enabled", "is `true` or `false`")),
    };
    let within = caller.narrowed(queue.as_deref())?;
    let binding = Binding::new(&("schedules", &queue, enabled));
    let after = binding.text(cursor.as_deref())?;
    let filter = ScheduleFilter { queue, enabled, within };
    let mut rows = state.read(move |reader| reader.schedules(&filter, after.as_deref(), limit + 1)).await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next_cursor = rows.last().filter(|_| more).map(|row| binding.write_text(&row.name));
    let data = rows.into_iter().map(ScheduleView::from).collect();
    reply::ok(&Listed { data, next_cursor, prev_cursor: None })
}

/// Makes a schedule
#[utoipa::path(
    post, path = "/api/v1/schedules", operation_id = "create_schedule", tag = "schedules",
    request_body(content = ScheduleDraft, example = json!({ "name": "nightly", "cron": "30 2 * * *", "timezone": "Europe/Berlin", "task": { "name": "demo.echo" } })),
    responses((status = 201, body = ScheduleView))
)]
pub(super) async fn create(
    state: Data<ApiState>,
    caller: Caller,
    _: Query<Nothing>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let draft: ScheduleDraft<'_> = shape::parse(&body.0)?;
    let Some(name) = draft.name.as_deref() else {
        return Err(Problem::invalid(Code::MissingField, vec![Fault::at("/name", "`name` is required")]));
    };
    if draft.version.is_some() {
        let fault = Fault::at("/version", "has a meaning with PUT only: what is new has none");
        return Err(Problem::invalid(Code::InvalidField, vec![fault]));
    }
    set(&state, &caller, name, &draft, Put::Create).await
}

/// Sets up a schedule
///
/// Replaces all of it, and makes it where there is none. Where it ticks by the same rule as before it goes on as before.
#[utoipa::path(
    put, path = "/api/v1/schedules/{name}", operation_id = "put_schedule", tag = "schedules",
    params(("name" = String, Path)),
    request_body = ScheduleDraft,
    responses((status = 200, body = ScheduleView, description = "Replaced"), (status = 201, body = ScheduleView, description = "Made"))
)]
pub(super) async fn put(
    state: Data<ApiState>,
    caller: Caller,
    request: HttpRequest,
    _: Query<Nothing>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let (name, draft) = (name(&request), shape::parse::<ScheduleDraft<'_>>(&body.0)?);
    if draft.name.as_deref().is_some_and(|given| given != name) {
        let fault = Fault::at("/name", format!("is another one than in the path, {name:?}: a schedule keeps its name"));
        return Err(Problem::invalid(Code::InvalidField, vec![fault]));
    }
    set(&state, &caller, &name, &draft, Put::Replace(draft.version)).await
}

async fn set(
    state: &ApiState,
    caller: &Caller,
    name: &str,
    draft: &ScheduleDraft<'_>,
    put: Put,
) -> Result<HttpResponse, Problem> {
    let new = draft.check(name, state)?;
    caller.check_queue(&new.task.queue)?;
    let act = caller.act("schedule.put", name);
    answer(name, state.engine.put_schedule(new, put, caller.within().cloned(), act).await?)
}

/// Reads a schedule
#[utoipa::path(
    get, path = "/api/v1/schedules/{name}", operation_id = "get_schedule", tag = "schedules",
    params(("name" = String, Path)),
    responses((status = 200, body = ScheduleView))
)]
pub(super) async fn get(
    state: Data<ApiState>,
    caller: Caller,
    request: HttpRequest,
    _: Query<Nothing>,
) -> Result<HttpResponse, Problem> {
    reply::ok(&ScheduleView::from(state.schedule(&name(&request), &caller).await?))
}

/// Deletes a schedule
///
/// The tasks it has made stay.
#[utoipa::path(
    delete, path = "/api/v1/schedules/{name}", operation_id = "delete_schedule", tag = "schedules",
    params(("name" = String, Path)),
    responses((status = 204, description = "Deleted"))
)]
pub(super) async fn delete(
    state: Data<ApiState>,
    caller: Caller,
    request: HttpRequest,
    _: Query<Nothing>,
) -> Result<HttpResponse, Problem> {
    let name = name(&request);
    let act = caller.act("schedule.delete", &name);
    if !state.engine.delete_schedule(&name, caller.within().cloned(), act).await? {
        return Err(no_schedule(&name));
    }
    Ok(HttpResponse::NoContent().finish())
}

/// Pauses a schedule
///
/// It does not tick until it is resumed. What would have ticked meanwhile is not caught up with.
#[utoipa::path(
    post, path = "/api/v1/schedules/{name}/pause", operation_id = "pause_schedule", tag = "schedules",
    params(("name" = String, Path)),
    responses((status = 200, body = ScheduleView))
)]
pub(super) async fn pause(
    state: Data<ApiState>,
    caller: Caller,
    request: HttpRequest,
    _: Query<Nothing>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    set_paused(&state, &caller, &request, &body, true).await
}

/// Resumes a schedule
#[utoipa::path(
    post, path = "/api/v1/schedules/{name}/resume", operation_id = "resume_schedule", tag = "schedules",
    params(("name" = String, Path)),
    responses((status = 200, body = ScheduleView))
)]
pub(super) async fn resume(
    state: Data<ApiState>,
    caller: Caller,
    request: HttpRequest,
    _: Query<Nothing>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    set_paused(&state, &caller, &request, &body, false).await
}

async fn set_paused(
    state: &ApiState,
    caller: &Caller,
    request: &HttpRequest,
    body: &Body,
    paused: bool,
) -> Result<HttpResponse, Problem> {
    shape::parse_or_empty::<Empty>(&body.0)?;
    let name = name(request);
    let act = caller.act(if paused { "schedule.pause" } else { "schedule.resume" }, &name);
    answer(&name, state.engine.pause_schedule(&name, paused, caller.within().cloned(), act).await?)
}

/// Makes the task of a schedule now
///
/// Out of turn, also while it is paused or its last task is not over: its ticks come as they would have.
#[utoipa::path(
    post, path = "/api/v1/schedules/{name}/trigger", operation_id = "trigger_schedule", tag = "schedules",
    params(("name" = String, Path)),
    responses((status = 201, body = TaskView, description = "The task, or the one that holds its unique key"))
)]
pub(super) async fn trigger(
    state: Data<ApiState>,
    caller: Caller,
    request: HttpRequest,
    _: Query<Nothing>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    shape::parse_or_empty::<Empty>(&body.0)?;
    let name = name(&request);
    let act = caller.act("schedule.trigger", &name);
    match state.engine.trigger_schedule(&name, caller.within().cloned(), act).await? {
        Triggered::NotFound => Err(no_schedule(&name)),
        Triggered::Refused(why) => Err(Problem::new(Code::TriggerRefused, format!("The task was not made: {why}"))),
        Triggered::Made(id) => {
            let row = state.read(move |reader| reader.task(id)).await?.ok_or_else(|| tasks::no_task(id))?;
            let all = caller.may(Scope::Read);
            submit::created(&state.view(&row, Shown { args: all, result: all }), StatusCode::CREATED)
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PreviewQuery {
    /// 1 to 100; 5 if not given.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100)]
    n: Option<String>,
}

impl PreviewQuery {
    fn n(&self) -> Result<usize, Problem> {
        match self.n.as_deref().map(str::parse) {
            None => Ok(5),
            Some(Ok(n @ 1..=MOST_PREVIEWED)) => Ok(n),
            Some(_) => Err(query::invalid("n", format!("is a number from 1 to {MOST_PREVIEWED}"))),
        }
    }
}

/// Shows the next ticks of a schedule
///
/// Of one that is paused: as if it were resumed now.
#[utoipa::path(
    get, path = "/api/v1/schedules/{name}/preview", operation_id = "preview_schedule", tag = "schedules",
    params(("name" = String, Path), PreviewQuery),
    responses((status = 200, body = Listed<TickView>))
)]
pub(super) async fn preview(
    state: Data<ApiState>,
    caller: Caller,
    request: HttpRequest,
    query: Query<PreviewQuery>,
) -> Result<HttpResponse, Problem> {
    let n = query.0.n()?;
    let row = state.schedule(&name(&request), &caller).await?;
    let after = row.next.map_or_else(|| state.now(), |(tick, _)| tick - 1);
    reply::ok(&Listed::whole(view::preview(&row.rule, &row.name, row.anchor, after, n)))
}

/// Shows when a schedule would tick
///
/// The body is that of a schedule; its task may be left out. Nothing is stored.
#[utoipa::path(
    post, path = "/api/v1/schedules/preview", operation_id = "preview_new_schedule", tag = "schedules",
    params(PreviewQuery),
    request_body(content = ScheduleDraft, example = json!({ "cron": "30 2 * * *", "timezone": "Europe/Berlin" })),
    responses((status = 200, body = Listed<TickView>))
)]
pub(super) async fn preview_new(
    state: Data<ApiState>,
    caller: Caller,
    query: Query<PreviewQuery>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let n = query.0.n()?;
    let draft: ScheduleDraft<'_> = shape::parse(&body.0)?;
    let mut faults = Faults::default();
    let rule = draft.rule(&mut faults);
    faults.none()?;
    if draft.task.is_some() {
        let new = draft.check(draft.name.as_deref().unwrap_or("unnamed"), &state)?;
        caller.check_queue(&new.task.queue)?;
    }
    let now = state.now();
    reply::ok(&Listed::whole(view::preview(&rule, draft.name.as_deref().unwrap_or_default(), now, now, n)))
}

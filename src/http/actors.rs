//! The supervision tree, and for those who test it, a panic on request.

use actix_web::{HttpResponse, web::Data};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    ApiState,
    body::Body,
    code::Code,
    problem::Problem,
    query::{Nothing, Query},
    reply::{self, Listed},
    shape,
    time::Time,
};
use crate::{
    actors::supervision::{ActorRow, Phase, Strategy},
    task::Millis,
};

#[derive(Serialize, ToSchema)]
#[schema(as = Actor)]
pub(super) struct ActorView {
    /// Names from the root down, `root/queues/default`.
    path: String,
    parent: Option<String>,
    name: String,
    kind: &'static str,
    /// starting, running, restarting, parked, stopping or stopped.
    #[schema(value_type = String)]
    state: Phase,
    /// one_for_one, one_for_all or rest_for_one; supervisors only.
    #[schema(value_type = Option<String>)]
    strategy: Option<Strategy>,
    restarts: u64,
    /// Messages that wait.
    mailbox: usize,
    last_panic: Option<PanicView>,
    /// What is out of order although it runs, such as a handler that does not end.
    note: Option<String>,
    started_at: Option<Time>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = LastPanic)]
pub(super) struct PanicView {
    message: String,
    at: Time,
}

impl From<ActorRow> for ActorView {
    fn from(row: ActorRow) -> Self {
        let time = |millis: u64| Time(Millis::try_from(millis).unwrap_or(Millis::MAX));
        Self {
            path: row.path,
            parent: row.parent,
            name: row.name,
            kind: row.kind,
            state: row.state,
            strategy: row.strategy,
            restarts: row.restarts,
            mailbox: row.mailbox,
            last_panic: row.last_panic.map(|panic| PanicView { message: panic.message, at: time(panic.at_ms) }),
            note: row.note,
            started_at: row.started_at_ms.map(time),
        }
    }
}

/// Lists the actors, each supervisor before its children
#[utoipa::path(
    get, path = "/api/v1/system/actors", operation_id = "list_actors", tag = "system",
    responses((status = 200, body = Listed<ActorView>))
)]
pub(super) async fn list(state: Data<ApiState>, _: Query<Nothing>) -> Result<HttpResponse, Problem> {
    let data: Vec<_> = state.tree.snapshot().into_iter().map(ActorView::from).collect();
    reply::ok(&Listed::whole(data))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with a path")]
struct PanicBody {
    path: String,
}

/// Makes an actor panic. Routed only where faults are allowed, so it is in no documentation.
pub(super) async fn inject_panic(
    state: Data<ApiState>,
    _: Query<Nothing>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let PanicBody { path } = shape::parse(&body.0)?;
    if !state.tree.inject_panic(&path) {
        return Err(Problem::new(Code::ActorNotFound, format!("No actor runs at {path:?}")));
    }
    log::warn!(actor = path.as_str(); "An actor is made to panic by request");
    reply::ok(&serde_json::json!({ "path": path }))
}

//! Probes. None of them needs a key, none is logged.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web::Data};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    ApiState,
    caller::Caller,
    code::Code,
    problem::Problem,
    query::{Nothing, Query},
    reply,
    time::Time,
};
use crate::{
    actors::supervision::Phase,
    engine::{Outage, meanwhile},
    store::{StoreError, StoreErrorKind},
    task::Scope,
};

#[derive(Serialize, ToSchema)]
#[schema(as = Health)]
pub(super) struct HealthView {
    /// `ok`; `degraded`: it works, but somebody should look; `down`: it cannot do its work.
    status: &'static str,
    #[serde(flatten)]
    details: Option<HealthDetails>,
}

/// Told to those who could read the rest too.
#[derive(Serialize, ToSchema)]
pub(super) struct HealthDetails {
    store: PartView,
    broker: PartView,
    /// Where Redis is the broker: what hears of tasks that are submitted in SQL.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<PartView>,
    /// Handlers of this node that go on although their attempts were ended, where there are some. As many as slots: those
    /// that come keep their slots, until they end or the node is started again.
    #[serde(skip_serializing_if = "is_zero")]
    stuck_handlers: usize,
    version: &'static str,
    /// What this installation is called, where it was given a name.
    environment: Option<EnvironmentView>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Environment)]
pub(super) struct EnvironmentView {
    name: String,
    /// red, orange, green, blue, violet or gray.
    color: &'static str,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's form")]
const fn is_zero(n: &usize) -> bool {
    *n == 0
}

#[derive(Serialize, ToSchema)]
#[schema(as = HealthPart)]
pub(super) struct PartView {
    kind: &'static str,
    /// `ok`; `full`: there is no room to write; `locked`: another program keeps it from writing; `down`; `away`: the
    /// server does without it.
    status: &'static str,
    /// Which one, and what is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// Since when nothing could be written.
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Time>,
    /// What happens until it can.
    #[serde(skip_serializing_if = "Option::is_none")]
    meanwhile: Option<&'static str>,
    /// Of the store: outcomes of tasks of this node that are not in it yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcomes_waiting: Option<usize>,
    /// Of the store: bytes of those outcomes that are safe in the node's own folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    spool_bytes: Option<u64>,
}

impl PartView {
    fn of(kind: &'static str, status: &'static str, error: Option<String>) -> Self {
        Self { kind, status, error, since: None, meanwhile: None, outcomes_waiting: None, spool_bytes: None }
    }

    /// Of something without which the server works all the same.
    fn dispensable(kind: &'static str, outage: Option<Outage>) -> Self {
        let Some(outage) = outage else { return Self::of(kind, "ok", None) };
        let (since, meanwhile) = (Some(Time(outage.since)), Some(outage.meanwhile));
        Self { since, meanwhile, ..Self::of(kind, "away", Some(outage.error)) }
    }

    const fn is_away(&self) -> bool {
        self.error.is_some()
    }
}

/// How long a probe waits for the store: one that is frozen answers nothing at all.
const PATIENCE: Duration = Duration::from_secs(3);

impl ApiState {
    /// What the store answers to a ping, or why it does not.
    async fn ping(&self) -> Result<(), StoreError> {
        let reader = self.engine.reader().clone();
        let ping = tokio::task::spawn_blocking(move || reader.ping());
        match tokio::time::timeout(PATIENCE, ping).await {
            Ok(Ok(pinged)) => pinged,
            Ok(Err(error)) => Err(self.silent(format!("a ping did not end: {error}"))),
            Err(_) => Err(self.silent(format!("no answer within {} s", PATIENCE.as_secs()))),
        }
    }

    fn silent(&self, message: String) -> StoreError {
        StoreError::new(StoreErrorKind::Unavailable, self.engine.reader().name(), message)
    }

    /// A broker that is away is no reason to be down: the store has everything.
    fn broker(&self) -> PartView {
        let broker = self.engine.broker();
        PartView::dispensable(broker.kind(), broker.outage())
    }

    fn line(&self) -> Option<PartView> {
        self.engine.line().map(|line| PartView::dispensable(self.engine.reader().kind(), line.silence()))
    }

    async fn store(&self) -> PartView {
        let part = self.store_state().await;
        let (outcomes, bytes) = self.engine.waiting_outcomes();
        PartView { outcomes_waiting: Some(outcomes), spool_bytes: Some(bytes), ..part }
    }

    /// A store that answers reads may still take nothing.
    async fn store_state(&self) -> PartView {
        let (kind, trouble) = (self.engine.reader().kind(), self.engine.trouble());
        let since = trouble.as_ref().map(|trouble| Time(trouble.since));
        let (status, error) = match (self.ping().await, trouble) {
            (Ok(()), None) => return PartView::of(kind, "ok", None),
            (Ok(()), Some(trouble)) => {
                let status = match trouble.error.kind {
                    StoreErrorKind::Full => "full",
                    StoreErrorKind::Locked => "locked",
                    _ => "down",
                };
                (status, trouble.error)
            }
            (Err(error), _) => ("down", error),
        };
        let meanwhile = Some(meanwhile(error.kind));
        PartView { since, meanwhile, ..PartView::of(kind, status, Some(error.to_string())) }
    }
}

/// Tells how the server is
///
/// 503 with the same document while the store is away, or takes nothing. Without a key, where one is asked for, it tells
/// the status only.
#[utoipa::path(
    get, path = "/health", operation_id = "get_health", tag = "health",
    responses((status = 200, body = HealthView), (status = 503, body = HealthView))
)]
pub(super) async fn health(
    state: Data<ApiState>,
    request: HttpRequest,
    _: Query<Nothing>,
) -> Result<HttpResponse, Problem> {
    let (store, broker, line) = (state.store().await, state.broker(), state.line());
    let parked = || state.tree.snapshot().iter().any(|actor| actor.state == Phase::Parked);
    let stuck = state.stuck.is_full();
    let (code, status) = if store.is_away() {
        (StatusCode::SERVICE_UNAVAILABLE, "down")
    } else if state.is_draining()
        || broker.is_away()
        || line.as_ref().is_some_and(PartView::is_away)
        || parked()
        || stuck
    {
        (StatusCode::OK, "degraded")
    } else {
        (StatusCode::OK, "ok")
    };
    // Without a key it is still a probe, and tells what a probe needs.
    if !Caller::identify(&request).is_ok_and(|caller| caller.may(Scope::Read)) {
        return reply::json(code, &HealthView { status, details: None });
    }
    let environment = state.node.environment.clone().map(|(name, color)| EnvironmentView { name, color });
    let details = HealthDetails {
        store,
        broker,
        line,
        stuck_handlers: state.stuck.len(),
        version: state.node.version,
        environment,
    };
    reply::json(code, &HealthView { status, details: Some(details) })
}

/// What a probe that found nothing wrong says.
#[derive(Serialize, ToSchema)]
pub(super) struct Probe {
    status: &'static str,
}

/// Tells that the process is alive
#[utoipa::path(
    get, path = "/healthz", operation_id = "get_liveness", tag = "health",
    responses((status = 200, body = Probe))
)]
pub(super) async fn alive(_: Query<Nothing>) -> Result<HttpResponse, Problem> {
    reply::ok(&Probe { status: "ok" })
}

/// Tells whether the server takes work
#[utoipa::path(
    get, path = "/readyz", operation_id = "get_readiness", tag = "health",
    responses((status = 200, body = Probe))
)]
pub(super) async fn ready(state: Data<ApiState>, _: Query<Nothing>) -> Result<HttpResponse, Problem> {
    if state.is_draining() {
        return Err(Problem::later(Code::Draining, "The server is shutting down", 5));
    }
    match state.store().await.error {
        None => reply::ok(&Probe { status: "ok" }),
        Some(error) => Err(Problem::later(Code::StoreUnavailable, error, 5)),
    }
}

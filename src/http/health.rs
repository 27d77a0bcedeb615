//! Probes. None of them needs a key, none is logged.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web::Data};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    ApiState,
    caller::Caller,
    problem::Problem,
    query::{Nothing, Query},
    reply,
};
use crate::{actors::supervision::Phase, store::StoreError, task::Scope};

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
    version: &'static str,
}

#[derive(Serialize, ToSchema)]
#[schema(as = HealthPart)]
pub(super) struct PartView {
    kind: &'static str,
    /// `ok` or `down`.
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl ApiState {
    /// What the store answers to a ping, or why it does not.
    async fn ping(&self) -> Option<String> {
        let pinged = self.read(|reader| Ok::<_, StoreError>(reader.ping())).await;
        match pinged {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(problem) => Some(problem.detail().to_owned()),
        }
    }
}

/// Tells how the server is
///
/// 503 with the same document while the store is away. Without a key, where one is asked for, it tells the status only.
#[utoipa::path(
    get, path = "/health", operation_id = "get_health", tag = "health",
    responses((status = 200, body = HealthView), (status = 503, body = HealthView))
)]
pub(super) async fn health(
    state: Data<ApiState>,
    request: HttpRequest,
    _: Query<Nothing>,
) -> Result<HttpResponse, Problem> {
    let error = state.ping().await;
    let parked = || state.tree.snapshot().iter().any(|actor| actor.state == Phase::Parked);
    let (code, status) = match &error {
        Some(_) => (StatusCode::SERVICE_UNAVAILABLE, "down"),
        None if state.is_draining() || parked() => (StatusCode::OK, "degraded"),
        None => (StatusCode::OK, "ok"),
    };
    // Without a key it is still a probe, and tells what a probe needs.
    if !Caller::identify(&request).is_ok_and(|caller| caller.may(Scope::Read)) {
        return reply::json(code, &HealthView { status, details: None });
    }
    let store = PartView { kind: "sqlite", status: if error.is_some() { "down" } else { "ok" }, error };
    let broker = PartView { kind: state.engine.broker().kind(), status: "ok", error: None };
    reply::json(
        code,
        &HealthView { status, details: Some(HealthDetails { store, broker, version: state.node.version }) },
    )
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
        return Err(Problem::later("draining", "The server is shutting down", 5));
    }
    match state.ping().await {
        None => reply::ok(&Probe { status: "ok" }),
        Some(error) => Err(Problem::later("store_unavailable", error, 5)),
    }
}

//! The API's description, made from the handlers' own annotations.

use std::sync::OnceLock;

use actix_web::{HttpResponse, http::StatusCode};
use utoipa::{
    Modify, OpenApi,
    openapi::{
        Content, Ref, RefOr, Response,
        extensions::Extensions,
        path::Operation,
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};

use super::{
    actions, actors, amend, attempts, audit, batch, bulk, code, dead_letters, dlq, events, explain, health, history,
    keys, limits, list, logs, metrics, operations,
    problem::{Problem, ProblemBody},
    query::{Nothing, Query},
    queues, relatives, remote, result, schedules, session, settings, stats, submit, tasks, workers, workflows,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "jobqueue",
        description = "A distributed job queue server. Every error is an `application/problem+json` document (RFC 9457) \
                       with a stable `code`. Times are RFC 3339 in UTC, durations texts such as `30s` or numbers of seconds.",
        license(name = "MIT", identifier = "MIT")
    ),
    paths(
        submit::submit, batch::submit_batch, list::list, tasks::get, result::get, result::put_ttl, result::delete,
        attempts::attempts, logs::logs, relatives::get, explain::get,
        actions::cancel, actions::retry, amend::patch, amend::run_now, amend::delete,
        bulk::bulk, operations::list, operations::get, operations::cancel,
        queues::list, queues::get, queues::stats, queues::pause, queues::resume, settings::put, settings::delete, settings::purge,
        limits::get, limits::put, limits::delete,
        dlq::dead_letters, dlq::dead_letter, dlq::retry, dlq::delete, dead_letters::purge,
        dead_letters::stats, dead_letters::groups, dead_letters::redrive,
        schedules::list, schedules::create, schedules::put, schedules::get, schedules::delete, schedules::pause,
        schedules::resume, schedules::trigger, schedules::preview, schedules::preview_new,
        workflows::submit::submit, workflows::read::list, workflows::read::get, workflows::graph::get,
        workflows::acts::cancel, workflows::acts::retry,
        workers::list, workers::get, workers::quiet, workers::resume, workers::stop,
        remote::register::register, remote::register::leave, remote::lease::lease, remote::heartbeat::beat,
        remote::outcomes::outcomes, remote::report::complete, remote::report::fail, remote::report::snooze,
        remote::report::release, remote::report::cancelled, remote::report::extend,
        remote::note::progress, remote::note::log,
        stats::stats, history::history, events::events, actors::list,
        keys::list, keys::create, keys::get, keys::revoke, session::get, session::open, session::close, audit::list,
        health::health, health::alive, health::ready, metrics::metrics, document
    ),
    components(schemas(ProblemBody)),
    tags(
        (name = "tasks", description = "Submit, read, cancel and retry."),
        (name = "workflows", description = "Graphs of tasks, submitted, followed, cancelled and retried as one."),
        (name = "queues", description = "How deep they are; pause and resume."),
        (name = "dead letters", description = "Tasks that gave up."),
        (name = "schedules", description = "What makes tasks by the clock."),
        (name = "workers", description = "What runs tasks, and what each slot runs now."),
        (name = "remote workers", description = "Processes in any language that lease tasks and report how they ended."),
        (name = "keys", description = "API keys, sessions of the dashboard and the audit log."),
        (name = "system", description = "Figures, live events and the actors inside."),
        (name = "health", description = "Probes for balancers and supervisors.")
    ),
    external_docs(url = "/docs", description = "The same as a page, from the server itself"),
    modifiers(&Everywhere, &EveryKey)
)]
struct Document;

/// What is the same at every operation, said once here: it can answer with a problem, and what it answers has a
/// description. What each code of a problem means is in `x-errors`.
struct Everywhere;

impl Modify for Everywhere {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        for item in document.paths.paths.values_mut() {
            let all = [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
            for operation in all.into_iter().flatten() {
                describe(operation);
                add_default(operation);
            }
        }
        document.extensions = Some(Extensions::from_iter([("x-errors", code::reference())]));
    }
}

/// A response has to have a description; most say no more than their status.
fn describe(operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        let reason = StatusCode::from_bytes(status.as_bytes()).ok().and_then(|status| status.canonical_reason());
        if let (RefOr::T(response), Some(reason)) = (response, reason)
            && response.description.is_empty()
        {
            response.description = reason.to_owned();
        }
    }
}

fn add_default(operation: &mut Operation) {
    let problem = Content::new(Some(Ref::from_schema_name("Problem")));
    let mut response = Response::new("Whatever went wrong");
    response.content.insert("application/problem+json".into(), problem.into());
    operation.responses.responses.insert("default".into(), response.into());
}

/// What each operation asks for, from the route table itself.
struct EveryKey;

impl Modify for EveryKey {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let described = |text: &str| HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(text)).build();
        let value = |name: &str| ApiKeyValue::new(name);
        components.add_security_scheme("bearer", SecurityScheme::Http(described(SCOPES)));
        components.add_security_scheme("header", SecurityScheme::ApiKey(ApiKey::Header(value("X-API-Key"))));
        components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(value(session::COOKIE))));
        for route in super::routes() {
            let Some(item) = document.paths.paths.get_mut(&route.path) else { continue };
            let operation = match route.method {
                "GET" => &mut item.get,
                "POST" => &mut item.post,
                "PUT" => &mut item.put,
                "PATCH" => &mut item.patch,
                _ => &mut item.delete,
            };
            let needs = |scheme| route.scope.map(|scope| SecurityRequirement::new(scheme, [scope.as_str()]));
            if let Some(operation) = operation {
                operation.security = Some(["bearer", "header", "session"].into_iter().filter_map(needs).collect());
            }
        }
    }
}

const SCOPES: &str = "An API key, `jq_…`. Where the server has none, none is asked for. Each operation names the scope it \
                      needs: `read`, `submit`, `work`, `operate` (with it `read`) or `admin` (with it everything).";

/// The OpenAPI 3.1 document of this API.
pub fn openapi() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

/// Describes the API
#[utoipa::path(
    get, path = "/openapi.json", operation_id = "get_openapi", tag = "system",
    responses((status = 200, body = Object))
)]
pub(super) async fn document(_: Query<Nothing>) -> Result<HttpResponse, Problem> {
    static TEXT: OnceLock<String> = OnceLock::new();
    let text = TEXT.get_or_init(|| openapi().to_pretty_json().unwrap_or_default());
    Ok(HttpResponse::Ok().content_type("application/json").body(text.as_str()))
}

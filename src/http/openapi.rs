//! The API's description, made from the handlers' own annotations.

use std::sync::OnceLock;

use actix_web::HttpResponse;
use utoipa::{
    Modify, OpenApi,
    openapi::{Content, Ref, Response, path::Operation},
};

use super::{
    actions, actors, attempts, batch, dlq, events, explain, health, history, list, metrics,
    problem::{Problem, ProblemBody},
    query::{Nothing, Query},
    queues, relatives, result, settings, stats, submit, tasks, workers,
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
        attempts::attempts, relatives::get, explain::get,
        actions::cancel, actions::retry,
        queues::list, queues::get, queues::stats, queues::pause, queues::resume, settings::put, settings::delete,
        settings::get_limit, settings::put_limit, settings::delete_limit,
        dlq::dead_letters, dlq::dead_letter, dlq::retry,
        workers::list, workers::get,
        stats::stats, history::history, events::events, actors::list,
        health::health, health::alive, health::ready, metrics::metrics, document
    ),
    components(schemas(ProblemBody)),
    modifiers(&EveryError)
)]
struct Document;

/// Every operation can answer with a problem; said once here instead of at each of them.
struct EveryError;

impl Modify for EveryError {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        for item in document.paths.paths.values_mut() {
            let all = [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
            for operation in all.into_iter().flatten() {
                add_default(operation);
            }
        }
    }
}

fn add_default(operation: &mut Operation) {
    let problem = Content::new(Some(Ref::from_schema_name("Problem")));
    let mut response = Response::new("Whatever went wrong");
    response.content.insert("application/problem+json".into(), problem.into());
    operation.responses.responses.insert("default".into(), response.into());
}

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

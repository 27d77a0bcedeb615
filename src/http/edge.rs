//! What every request passes: who may ask at all, and what every answer carries.

use std::panic::AssertUnwindSafe;

use actix_web::{
    Error, HttpResponse,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method, StatusCode,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
    middleware::Next,
    web::Data,
};
use futures_util::FutureExt as _;

use super::{ApiState, code::Code, problem::Problem, unread::Shared};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const POLICY: &str = "default-src 'self'; img-src 'self' data:; object-src 'none'; form-action 'self'; \
                      frame-ancestors 'none'; base-uri 'self'";

/// Host names under which this server may be asked; `None`: any.
#[derive(Clone)]
pub(super) struct AllowedHosts(pub(super) Option<Vec<String>>);

pub(super) async fn guard(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let id = request_id(request.headers());
    let unread = Shared::of(&mut request);
    let mut response = match refusal(&request) {
        Some(problem) => {
            let rendered = problem.render(request.path(), &id);
            request.into_response(rendered)
        }
        None => answered(request, next, &id).await?,
    };
    dress(response.headers_mut(), &id);
    Ok(match unread {
        Some(unread) => response.map_body(|_, body| unread.held_by(body)),
        None => response,
    })
}

/// The headers of every answer.
pub(super) fn dress(headers: &mut HeaderMap, request_id: &str) {
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

/// The client's own id, if it is a decent one.
fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
    let decent = |id: &&str| (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    given.filter(decent).map_or_else(|| format!("{:016x}", fastrand::u64(..)), str::to_owned)
}

async fn answered(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
    id: &str,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let uri = request.uri().clone();
    // A panic would drop the connection without a word: the client could not tell what became of its request.
    let answer = AssertUnwindSafe(next.call(request)).catch_unwind().await;
    let response = match answer {
        Ok(Ok(response)) => response.map_into_boxed_body(),
        Ok(Err(error)) => {
            return Err(generic(error.as_response_error().status_code()).in_context(uri.path(), id).into());
        }
        Err(_) => return Err(Problem::internal().in_context(uri.path(), id).into()),
    };
    let rendered = response.response().error().map(|error| render(error, uri.path(), id));
    Ok(match rendered {
        Some(rendered) => response.into_response(rendered),
        None => response,
    })
}

fn render(error: &Error, path: &str, id: &str) -> HttpResponse {
    match error.as_error::<Problem>() {
        Some(problem) => problem.render(path, id),
        None => generic(error.as_response_error().status_code()).render(path, id),
    }
}

/// An error of the framework's own.
fn generic(status: StatusCode) -> Problem {
    if status.is_server_error() {
        return Problem::internal();
    }
    let detail = status.canonical_reason().unwrap_or("The request was refused");
    Problem::refused(status, detail)
}

/// Why this request is not even looked at.
fn refusal(request: &ServiceRequest) -> Option<Problem> {
    let headers = request.headers();
    let host = headers.get(header::HOST).map(|host| host.to_str().unwrap_or("?"));
    let allowed = request.app_data::<AllowedHosts>().and_then(|hosts| hosts.0.as_ref());
    if let (Some(host), Some(allowed)) = (host, allowed)
        && !allowed.iter().any(|name| name.eq_ignore_ascii_case(host_name(host)))
    {
        let detail = format!("This server is not {:?}: it answers as {}", host_name(host), allowed.join(", "));
        return Some(Problem::new(Code::WrongHost, detail));
    }
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE) {
        return None;
    }
    if !same_origin(headers, host) {
        let detail = "A page of another origin may not change anything here";
        return Some(Problem::new(Code::CrossOrigin, detail));
    }
    let draining = request.app_data::<Data<ApiState>>().is_some_and(|state| state.is_draining());
    draining.then(|| Problem::later(Code::Draining, "The server is shutting down", 5))
}

/// `[::1]:8000` → `[::1]`, `localhost:8000` → `localhost`.
fn host_name(host: &str) -> &str {
    match host.find(']') {
        Some(end) => &host[..=end],
        None => host.split(':').next().unwrap_or_default(),
    }
}

/// What a browser says of where a request comes from; other clients say nothing.
fn same_origin(headers: &HeaderMap, host: Option<&str>) -> bool {
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if let Some(site) = text(HeaderName::from_static("sec-fetch-site")) {
        return site == "same-origin";
    }
    text(header::ORIGIN).is_none_or(|origin| origin.split_once("://").map(|(_, authority)| authority) == host)
}

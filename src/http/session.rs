//! Sessions of the dashboard: a key once shown, then a cookie. A session is good as long as its key is.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{self, HeaderValue},
    web::Data,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    ApiState,
    body::Body,
    caller::Caller,
    keys::new_secret,
    problem::Problem,
    query::{Nothing, Query},
    reply, shape,
};
use crate::{
    engine::{KeyHash, hash_key},
    task::{Millis, Scope},
};

pub(super) const COOKIE: &str = "jobqueue_session";
const LASTS: Millis = 12 * 3_600_000;
/// Beyond it the one that ends first goes: of all, and of one key, so that no key ends the sessions of others.
const MOST: usize = 10_000;
const MOST_OF_A_KEY: usize = 100;

/// The sessions of this process. They end with it: only a key is kept longer than its holder looks.
#[derive(Default)]
pub(super) struct Sessions(Mutex<HashMap<KeyHash, Session>>);

#[derive(Clone, Copy)]
struct Session {
    key: KeyHash,
    until: Millis,
}

impl Sessions {
    fn all(&self) -> MutexGuard<'_, HashMap<KeyHash, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self, token: &str, key: KeyHash, now: Millis) {
        let mut all = self.all();
        all.retain(|_, session| session.until > now);
        let first = |all: &HashMap<KeyHash, Session>, meant: &dyn Fn(&Session) -> bool| {
            let meant = all.iter().filter(|(_, session)| meant(session));
            meant.min_by_key(|(_, session)| session.until).map(|(token, _)| *token)
        };
        let goes = if all.values().filter(|session| session.key == key).count() >= MOST_OF_A_KEY {
            first(&all, &|session| session.key == key)
        } else if all.len() >= MOST {
            first(&all, &|_| true)
        } else {
            None
        };
        goes.and_then(|token| all.remove(&token));
        all.insert(hash_key(token), Session { key, until: now + LASTS });
    }

    fn key(&self, token: &str, now: Millis) -> Option<KeyHash> {
        self.all().get(&hash_key(token)).filter(|session| session.until > now).map(|session| session.key)
    }
}

/// The key of the session that a request's cookie names.
pub(super) fn key_of(request: &HttpRequest) -> Option<KeyHash> {
    let token = token(request)?;
    let (sessions, state) = (request.app_data::<Data<Sessions>>()?, request.app_data::<Data<ApiState>>()?);
    // A session that has ended is no key at all; its hash is that of no secret.
    Some(sessions.key(token, state.now()).unwrap_or([0; 32]))
}

/// The token in the request's cookie.
fn token(request: &HttpRequest) -> Option<&str> {
    let cookies = request.headers().get_all(header::COOKIE).filter_map(|cookies| cookies.to_str().ok());
    let pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
    pairs.filter(|(name, _)| *name == COOKIE).map(|(_, value)| value).next()
}

/// Over TLS a cookie is to stay there. TLS ends at a proxy: the browser, or it, says so.
fn is_https(request: &HttpRequest) -> bool {
    let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
    text(header::ORIGIN.as_str()).starts_with("https://") || text("x-forwarded-proto").starts_with("https")
}

/// The answer, with the session's cookie in it. No script reads it, no other site's page sends it.
fn with_cookie(mut response: HttpResponse, request: &HttpRequest, token: &str, age: Millis) -> HttpResponse {
    let secure = if is_https(request) { "; Secure" } else { "" };
    let age = age / 1_000;
    let cookie = format!("{COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age={age}{secure}");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object with a key")]
#[schema(as = Login)]
pub(super) struct LoginBody {
    key: String,
}

/// Who asks.
#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
pub(super) struct SessionView {
    /// Keys are asked for. Where they are not, everybody may do everything.
    auth: bool,
    /// The key's.
    name: Option<String>,
    /// With those that are implied.
    scopes: Vec<&'static str>,
    queues: Vec<String>,
}

impl SessionView {
    fn of(caller: &Caller) -> Self {
        Self {
            auth: caller.key().is_some(),
            name: caller.key().map(|key| key.name.to_string()),
            scopes: Scope::ALL.into_iter().filter(|scope| caller.may(*scope)).map(Scope::as_str).collect(),
            queues: caller.key().map_or_else(|| vec!["*".to_owned()], |key| key.queues.patterns().to_vec()),
        }
    }
}

/// Tells who asks
///
/// 401 where a key is asked for and none, or none that is good, was sent.
#[utoipa::path(
    get, path = "/api/v1/session", operation_id = "get_session", tag = "keys",
    responses((status = 200, body = SessionView))
)]
pub(super) async fn get(request: HttpRequest, _: Query<Nothing>) -> Result<HttpResponse, Problem> {
    reply::ok(&SessionView::of(&Caller::identify(&request)?))
}

/// Opens a session
///
/// The answer sets a cookie that stands for the key, for 12 hours or until the server is restarted.
#[utoipa::path(
    post, path = "/api/v1/session", operation_id = "open_session", tag = "keys",
    request_body = LoginBody,
    responses((status = 200, body = SessionView))
)]
pub(super) async fn open(
    request: HttpRequest,
    state: Data<ApiState>,
    sessions: Data<Sessions>,
    _: Query<Nothing>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let LoginBody { key } = shape::parse(&body.0)?;
    if !state.engine.keys().required() {
        return reply::ok(&SessionView::of(&Caller::identify(&request)?));
    }
    let hash = hash_key(key.trim());
    let caller = Caller::with(&state, &hash)?;
    let token = new_secret().map_err(|error| {
        log::error!("The system gives no randomness: {error}");
        Problem::internal()
    })?;
    sessions.open(&token, hash, state.now());
    Ok(with_cookie(reply::ok(&SessionView::of(&caller))?, &request, &token, LASTS))
}

/// Closes the session
#[utoipa::path(
    delete, path = "/api/v1/session", operation_id = "close_session", tag = "keys",
    responses((status = 204, description = "Closed, or there was none"))
)]
pub(super) async fn close(
    request: HttpRequest,
    sessions: Data<Sessions>,
    _: Query<Nothing>,
) -> Result<HttpResponse, Problem> {
    if let Some(token) = token(&request) {
        sessions.all().remove(&hash_key(token));
    }
    Ok(with_cookie(HttpResponse::NoContent().finish(), &request, "", 0))
}

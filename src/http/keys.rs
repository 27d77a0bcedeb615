//! Keys of the API: made, listed, revoked.

use std::borrow::Cow;

use actix_web::{HttpResponse, http::StatusCode, web::Data};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    ApiState,
    body::Body,
    caller::Caller,
    check::Faults,
    code::Code,
    draft::DurationWritten,
    problem::{Fault, Problem},
    query::{Nothing, Query},
    reply::{self, Listed},
    shape,
    tasks::Id,
    time::Time,
    times,
};
use crate::{
    engine::hash_key,
    store::{KeyAdded, KeyRevoked, KeyRow},
    task::{KeyId, Millis, Reach, Scope, Scopes, duration, name},
};

const MAX_NAME: usize = 64;
const MAX_PATTERNS: usize = 100;
/// Who acts without a key: no key may look like them in the audit log.
const NOBODY: [&str; 2] = ["anonymous", "local"];
/// Bytes of a secret: 192 bits.
const SECRET: usize = 24;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object with a name and scopes")]
#[schema(as = NewKey)]
pub(super) struct KeyDraft<'a> {
    /// By which the audit log tells who did something; two keys in use have different ones.
    #[schema(min_length = 1, max_length = 64)]
    name: String,
    /// `read`, `submit`, `work`, `operate` (with it `read`), `admin` (with it everything).
    #[serde(borrow)]
    #[schema(min_items = 1)]
    scopes: Vec<Cow<'a, str>>,
    /// Names of queues in which `*` stands for anything; every queue if not given.
    #[serde(default)]
    #[schema(min_items = 1, max_items = 100)]
    queues: Option<Vec<String>>,
    /// Good until this moment; for ever if not given.
    #[serde(borrow, default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Cow<'a, str>>,
    /// Good for so long.
    #[serde(default, deserialize_with = "duration::deserialize_option")]
    #[schema(value_type = Option<DurationWritten>)]
    expires_in: Option<Millis>,
}

/// A key. What it opens with is told once, when it is made.
#[derive(Serialize, ToSchema)]
#[schema(as = Key)]
pub(super) struct KeyView {
    #[schema(value_type = String, format = Uuid)]
    id: KeyId,
    name: String,
    scopes: Vec<&'static str>,
    queues: Vec<String>,
    /// `active`, `expired` or `revoked`.
    state: &'static str,
    created_at: Time,
    expires_at: Option<Time>,
    revoked_at: Option<Time>,
    /// To the minute.
    last_used_at: Option<Time>,
    /// The secret; only in the answer that makes the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

impl KeyView {
    fn of(row: KeyRow, now: Millis) -> Self {
        let state = match &row {
            row if row.revoked_at.is_some() => "revoked",
            row if row.expires_at.is_some_and(|at| at <= now) => "expired",
            _ => "active",
        };
        Self {
            id: row.id,
            name: row.name,
            scopes: row.scopes.iter().map(Scope::as_str).collect(),
            queues: row.queues.patterns().to_vec(),
            state,
            created_at: Time(row.created_at),
            expires_at: row.expires_at.map(Time),
            revoked_at: row.revoked_at.map(Time),
            last_used_at: row.last_used_at.map(Time),
            key: None,
        }
    }
}

/// A new secret, from the system's source of randomness.
pub(super) fn new_secret() -> Result<String, getrandom::Error> {
    let mut bytes = [0; SECRET];
    getrandom::fill(&mut bytes)?;
    Ok(bytes.iter().fold("jq_".to_owned(), |text, byte| text + &format!("{byte:02x}")))
}

fn check(draft: KeyDraft<'_>, now: Millis) -> Result<KeyRow, Problem> {
    let mut faults = Faults::default();
    if let Err(error) = name::free(&draft.name, MAX_NAME, "a key's name") {
        faults.invalid("/name", error.to_string());
    }
    // Names that look alike would tell the audit log's reader of somebody else.
    let plain = |c: char| c.is_alphanumeric() || " ._-+@/:#'()".contains(c);
    if draft.name.trim() != draft.name || !draft.name.chars().all(plain) {
        faults.invalid("/name", "is letters, digits and . _ - + @ / : # ' ( ) with spaces only between them");
    }
    let lower = draft.name.to_lowercase();
    if NOBODY.contains(&&*lower) || lower.starts_with(&super::CONFIGURED.to_lowercase()) {
        faults.invalid("/name", format!("{:?} stands for somebody else in the audit log", draft.name));
    }
    if draft.scopes.is_empty() {
        faults.invalid("/scopes", "a key without a scope opens nothing: give at least one");
    }
    let known = Scope::ALL.map(Scope::as_str).join(", ");
    for (place, scope) in draft.scopes.iter().enumerate().filter(|(_, scope)| Scope::parse(scope).is_none()) {
        faults.invalid(format!("/scopes/{place}"), format!("there is no scope {scope:?}; known are {known}"));
    }
    let patterns = draft.queues.unwrap_or_else(|| vec!["*".to_owned()]);
    if !(1..=MAX_PATTERNS).contains(&patterns.len()) {
        faults
            .invalid("/queues", format!("must be 1 to {MAX_PATTERNS} names or patterns; leave it out for every queue"));
    }
    for (place, pattern) in patterns.iter().enumerate() {
        if let Err(error) = Reach::check(pattern) {
            faults.invalid(format!("/queues/{place}"), format!("{error}; `*` stands for anything"));
        }
    }
    let field = if draft.expires_in.is_some() { "/expires_in" } else { "/expires_at" };
    let written = (draft.expires_at, draft.expires_in);
    let expires_at = times::moment(&mut faults, written, ("expires_at", "expires_in"), now);
    if expires_at.is_some_and(|at| at <= now) {
        faults.invalid(field, "must be in the future");
    }
    faults.none()?;
    let scopes: Scopes = draft.scopes.iter().filter_map(|scope| Scope::parse(scope)).collect();
    Ok(KeyRow {
        id: KeyId::random(),
        name: draft.name,
        hash: [0; 32],
        scopes,
        queues: Reach::of(patterns),
        created_at: now,
        expires_at,
        revoked_at: None,
        last_used_at: None,
    })
}

/// A key as by the body of a request, and what its maker is shown; for a store that no server uses now.
pub fn offline_key(body: &str, now: Millis) -> Result<(KeyRow, String), String> {
    let told = |problem: Problem| {
        let faults = problem.errors().iter().map(|fault| {
            let place = fault.pointer.as_deref().unwrap_or_default();
            format!("{}: {}", place.trim_start_matches('/'), fault.detail)
        });
        faults.collect::<Vec<_>>().join("\n")
    };
    let mut row = shape::parse_text(body).and_then(|draft| check(draft, now)).map_err(told)?;
    let secret = new_secret().map_err(|error| format!("the system gives no randomness: {error}"))?;
    row.hash = hash_key(&secret);
    let view = KeyView { key: Some(secret), ..KeyView::of(row.clone(), now) };
    let shown = serde_json::to_string(&view).map_err(|error| error.to_string())?;
    Ok((row, shown))
}

/// Makes a key
///
/// Its secret is in this answer and nowhere else. From the first key on, every request needs one.
#[utoipa::path(
    post, path = "/api/v1/keys", operation_id = "create_key", tag = "keys",
    request_body = KeyDraft,
    responses((status = 201, body = KeyView))
)]
pub(super) async fn create(
    state: Data<ApiState>,
    caller: Caller,
    _: Query<Nothing>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let now = state.now();
    let mut row = check(shape::parse(&body.0)?, now)?;
    // Nobody could make another one after it.
    let makes_others = row.scopes.has(Scope::Admin) && row.queues.is_all();
    if !makes_others && !state.engine.keys().required() {
        let detail = "the first key must have the scope admin and every queue: without one, no other could be made";
        return Err(Problem::invalid(Code::FirstKey, vec![Fault::at("/scopes", detail)]));
    }
    let secret = new_secret().map_err(|error| {
        log::error!("The system gives no randomness: {error}");
        Problem::internal()
    })?;
    row.hash = hash_key(&secret);
    let detail = serde_json::json!({
        "name": row.name, "scopes": row.scopes.to_string(), "queues": row.queues.patterns(),
    });
    let by = caller.key().map(|key| key.hash);
    match state.engine.create_key(row.clone(), by, caller.act("key.create", row.id).with(detail)).await? {
        KeyAdded::Done => {}
        // Whoever it was has lost the right meanwhile, and is told as at the door.
        KeyAdded::NotFirst | KeyAdded::MakerGone => {
            caller.check_still_good(&state)?;
            return Err(Problem::new(
                Code::KeyRequired,
                "Another key has just been made: this one needs a key to be made",
            ));
        }
        KeyAdded::NameTaken => {
            let detail = format!("A key named {:?} is in use: revoke it first, or choose another name", row.name);
            return Err(Problem::new(Code::KeyNameTaken, detail));
        }
        KeyAdded::TooMany(most) => {
            let detail = format!("There are {most} keys, revoked ones among them: the most this server keeps");
            return Err(Problem::new(Code::TooManyKeys, detail));
        }
    }
    log::info!(key = row.name.as_str(), scopes = row.scopes.to_string().as_str(); "An API key was made");
    reply::json(StatusCode::CREATED, &KeyView { key: Some(secret), ..KeyView::of(row, now) })
}

/// Lists the keys
#[utoipa::path(
    get, path = "/api/v1/keys", operation_id = "list_keys", tag = "keys",
    responses((status = 200, body = Listed<KeyView>))
)]
pub(super) async fn list(state: Data<ApiState>, _: Query<Nothing>) -> Result<HttpResponse, Problem> {
    let now = state.now();
    let rows = state.read(|reader| reader.keys()).await?;
    reply::ok(&Listed::whole(rows.into_iter().map(|row| KeyView::of(row, now)).collect()))
}

/// Reads a key
#[utoipa::path(
    get, path = "/api/v1/keys/{id}", operation_id = "get_key", tag = "keys",
    params(("id" = String, Path, format = Uuid)),
    responses((status = 200, body = KeyView))
)]
pub(super) async fn get(state: Data<ApiState>, id: Id<KeyId>, _: Query<Nothing>) -> Result<HttpResponse, Problem> {
    let rows = state.read(|reader| reader.keys()).await?;
    let row = rows.into_iter().find(|row| row.id == id.0).ok_or_else(|| no_key(id.0))?;
    reply::ok(&KeyView::of(row, state.now()))
}

/// Revokes a key
///
/// At once, with every session that was opened with it. It stays in the list.
#[utoipa::path(
    delete, path = "/api/v1/keys/{id}", operation_id = "revoke_key", tag = "keys",
    params(("id" = String, Path, format = Uuid)),
    responses((status = 204, description = "Revoked"))
)]
pub(super) async fn revoke(
    state: Data<ApiState>,
    caller: Caller,
    id: Id<KeyId>,
    _: Query<Nothing>,
) -> Result<HttpResponse, Problem> {
    let rows = state.read(|reader| reader.keys()).await?;
    let hash = rows.into_iter().find(|row| row.id == id.0).map(|row| row.hash);
    if hash.is_some_and(|hash| state.engine.keys().is_configured(&hash)) {
        let detail = "This key stands in API_KEYS too, and would stay good: take it out there first";
        return Err(Problem::new(Code::KeyConfigured, detail));
    }
    match state.engine.revoke_key(id.0, caller.act("key.revoke", id.0)).await? {
        KeyRevoked::NotFound => return Err(no_key(id.0)),
        KeyRevoked::Before => {}
        KeyRevoked::Done => log::info!(key = id.0.to_string().as_str(); "An API key was revoked"),
    }
    Ok(HttpResponse::NoContent().finish())
}

fn no_key(id: KeyId) -> Problem {
    Problem::new(Code::KeyNotFound, format!("There is no key {id}"))
}

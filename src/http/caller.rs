//! Who asks, and what of the queues they see.

use std::{
    collections::HashSet,
    future::{Ready, ready},
    sync::Arc,
};

use actix_web::{FromRequest, HttpMessage as _, HttpRequest, dev, http::header, web::Data};

use super::{ApiState, code::Code, problem::Problem, session};
use crate::{
    engine::{Key, KeyHash, KeyRefused, hash_key},
    store::Act,
    task::{Reach, Scope, TaskId},
};

/// The key of a request; `None` where none is asked for.
#[derive(Clone)]
pub(super) struct Caller(Option<Arc<Key>>);

impl Caller {
    /// By the key, or the session, that the request brings.
    pub(super) fn identify(request: &HttpRequest) -> Result<Self, Problem> {
        let state = request.app_data::<Data<ApiState>>().ok_or_else(Problem::internal)?;
        if !state.engine.keys().required() {
            return Ok(Self(None));
        }
        let Some(hash) = presented(request) else { return Err(refused(Code::KeyRequired, NO_KEY)) };
        Self::with(state, &hash)
    }

    /// By the hash of a key.
    pub(super) fn with(state: &ApiState, hash: &KeyHash) -> Result<Self, Problem> {
        match state.engine.keys().find(hash, state.now()) {
            Ok(key) => Ok(Self(Some(key))),
            Err(KeyRefused::Unknown) => Err(refused(Code::InvalidKey, "There is no such API key")),
            Err(KeyRefused::Expired) => Err(refused(Code::KeyExpired, "This API key has expired: ask for a new one")),
            Err(KeyRefused::Revoked) => Err(refused(Code::KeyRevoked, "This API key has been revoked")),
        }
    }

    pub(super) fn key(&self) -> Option<&Arc<Key>> {
        self.0.as_ref()
    }

    pub(super) fn may(&self, scope: Scope) -> bool {
        self.0.as_ref().is_none_or(|key| key.scopes.allow(scope))
    }

    pub(super) fn is_restricted(&self) -> bool {
        self.within().is_some()
    }

    pub(super) fn sees(&self, queue: &str) -> bool {
        self.0.as_ref().is_none_or(|key| key.queues.includes(queue))
    }

    /// The patterns of its queues, for messages.
    pub(super) fn queues(&self) -> String {
        self.0.as_ref().map_or_else(|| "*".to_owned(), |key| key.queues.patterns().join(", "))
    }

    /// Decided by the name alone, so that it tells nothing of which queues there are.
    pub(super) fn check_queue(&self, queue: &str) -> Result<(), Problem> {
        if self.sees(queue) {
            return Ok(());
        }
        let detail = format!("This API key is good for the queues {} only, not for {queue:?}", self.queues());
        Err(Problem::new(Code::QueueNotAllowed, detail))
    }

    /// Refuses what was let in and is no longer good: a body may take its time, and so may the answer.
    pub(super) fn check_still_good(&self, state: &ApiState) -> Result<(), Problem> {
        match &self.0 {
            Some(key) => Self::with(state, &key.hash).map(drop),
            None if self.is_good(state) => Ok(()),
            None => Err(refused(Code::KeyRequired, NO_KEY)),
        }
    }

    /// Still good: for what takes longer than a request.
    pub(super) fn is_good(&self, state: &ApiState) -> bool {
        match &self.0 {
            None => !state.engine.keys().required(),
            Some(key) => state.engine.keys().find(&key.hash, state.now()).is_ok(),
        }
    }

    pub(super) fn act(&self, action: &'static str, target: impl ToString) -> Act {
        let actor = self.0.as_ref().map_or_else(|| "anonymous".into(), |key| key.name.clone());
        Act { actor, action, target: target.to_string(), detail: None }
    }

    /// The queues it sees; `None`: all of them.
    pub(super) fn within(&self) -> Option<&Reach> {
        self.0.as_ref().map(|key| &key.queues).filter(|queues| !queues.is_all())
    }

    /// To which queues a filter has to be narrowed that names this one or none; `None`: no further.
    pub(super) fn narrowed(&self, queue: Option<&str>) -> Result<Option<Reach>, Problem> {
        match queue {
            Some(queue) => self.check_queue(queue).map(|()| None),
            None => Ok(self.within().cloned()),
        }
    }

    /// The queues there are that it sees; `None`: all of them.
    pub(super) async fn seen(&self, state: &ApiState) -> Result<Option<Vec<String>>, Problem> {
        if !self.is_restricted() {
            return Ok(None);
        }
        let queues = state.read(|reader| reader.queues()).await?;
        Ok(Some(queues.into_iter().map(|row| row.name).filter(|name| self.sees(name)).collect()))
    }

    /// Those of the tasks that are in queues it does not see.
    pub(super) async fn hidden(&self, state: &ApiState, tasks: Vec<TaskId>) -> Result<HashSet<TaskId>, Problem> {
        if !self.is_restricted() || tasks.is_empty() {
            return Ok(HashSet::new());
        }
        let caller = self.clone();
        let look = move |reader: &dyn crate::store::Reader| {
            let mut hidden = HashSet::new();
            for id in tasks {
                let queues = match reader.queue_of(id)? {
                    Some(queue) => vec![queue],
                    None => reader.workflow_queues(id)?.unwrap_or_default(),
                };
                if queues.iter().any(|queue| !caller.sees(queue)) {
                    hidden.insert(id);
                }
            }
            Ok(hidden)
        };
        state.read(look).await
    }
}

/// Of a request that was let in. Where none has been asked who they are, nobody is let in by this.
impl FromRequest for Caller {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        let known = request.extensions().get::<Self>().cloned();
        ready(known.map_or_else(|| Self::identify(request), Ok))
    }
}

const NO_KEY: &str = "This server asks for an API key: send it as Authorization: Bearer, or as X-API-Key";

fn refused(code: Code, detail: &str) -> Problem {
    let challenge = match code {
        Code::KeyRequired => "Bearer realm=\"jobqueue\"",
        _ => "Bearer realm=\"jobqueue\", error=\"invalid_token\"",
    };
    let challenge = header::HeaderValue::from_static(challenge);
    Problem::new(code, detail).with(header::WWW_AUTHENTICATE, challenge)
}

/// The hash of the key that a request brings. Another scheme than Bearer is a proxy's business, not ours.
fn presented(request: &HttpRequest) -> Option<KeyHash> {
    let text = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap_or("").trim());
    let bearer = text("authorization").and_then(|text| {
        let (scheme, token) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    match bearer.or_else(|| text("x-api-key")) {
        Some(secret) => Some(hash_key(secret)),
        None => session::key_of(request),
    }
}

//! What the engine's and the store's errors mean to a client.

use actix_web::http::header::{HeaderValue, RETRY_AFTER};

use super::{
    code::Code,
    problem::{Fault, Problem},
};
use crate::{
    engine::SubmitError,
    store::{StoreError, StoreErrorKind},
};

/// Seconds after which to try again where the server is busy, and where it is away.
const SOON: u64 = 1;
const AWAY: u64 = 5;

impl From<SubmitError> for Problem {
    fn from(error: SubmitError) -> Self {
        let detail = error.to_string();
        match error {
            SubmitError::KeyReused => Self::invalid(
                Code::IdempotencyKeyReused,
                vec![Fault::header("Idempotency-Key", "was used for another request within the last 24 hours")],
            ),
            SubmitError::Conflict { index, holder } => {
                Self::new(Code::UniqueKeyHeld, format!("/tasks/{index}: its unique key is held by task {holder}"))
                    .about(holder)
            }
            SubmitError::Cycle(places) => {
                let fault = |place: &usize| Fault::at(format!("/tasks/{place}/depends_on"), "is part of a circle");
                Self::invalid(Code::DependencyCycle, places.iter().map(fault).collect())
            }
            SubmitError::NoParent { index, .. } => {
                let fault = Fault::at(format!("/tasks/{index}/depends_on"), detail);
                Self::invalid(Code::ParentNotFound, vec![fault])
            }
            SubmitError::Full { index } => {
                let fault = Fault::at(format!("/tasks/{index}/queue"), detail);
                let problem = Self::new(Code::QueueFull, fault.detail.clone());
                problem.with(RETRY_AFTER, HeaderValue::from(AWAY))
            }
            SubmitError::AtCap { index } => {
                let fault = Fault::at(format!("/tasks/{index}"), detail);
                let problem = Self::new(Code::AtCap, fault.detail.clone());
                problem.with(RETRY_AFTER, HeaderValue::from(AWAY))
            }
            SubmitError::TooManyQueues(_) => Self::invalid(Code::TooManyQueues, vec![Fault::at("/queue", detail)]),
            SubmitError::Busy => Self::later(Code::Busy, detail, SOON),
            SubmitError::Closed => Self::later(Code::ShuttingDown, detail, AWAY),
            SubmitError::Store(error) => Self::from(error),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error.kind {
            StoreErrorKind::Full => Self::new(Code::StoreFull, "No space is left to store this. Nothing was changed"),
            StoreErrorKind::Indeterminate => {
                Self::later(Code::Indeterminate, format!("This may have been done or not: {error}"), AWAY)
            }
            StoreErrorKind::Unavailable | StoreErrorKind::Locked | StoreErrorKind::Contended => {
                Self::later(Code::StoreUnavailable, format!("The store does not answer: {error}"), AWAY)
            }
            StoreErrorKind::Schema => {
                Self::later(Code::StoreSchema, format!("The store has another schema: {}", error.message), AWAY)
            }
            // What gets this far has been checked, so a refusal is our defect rather than the client's.
            StoreErrorKind::Refused => {
                log::error!("The store refused a request: {error}");
                Self::internal()
            }
        }
    }
}

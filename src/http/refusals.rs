//! What the engine's and the store's errors mean to a client.

use actix_web::http::{
    StatusCode,
    header::{HeaderValue, RETRY_AFTER},
};

use super::problem::{Fault, Problem};
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
                "idempotency_key_reused",
                vec![Fault::header("Idempotency-Key", "was used for another request within the last 24 hours")],
            ),
            SubmitError::Conflict { index, holder } => {
                Self::conflict("unique_key_held", format!("/tasks/{index}: its unique key is held by task {holder}"))
                    .about(holder)
            }
            SubmitError::Cycle(places) => {
                let fault = |place: &usize| Fault::at(format!("/tasks/{place}/depends_on"), "is part of a circle");
                Self::invalid("dependency_cycle", places.iter().map(fault).collect())
            }
            SubmitError::NoParent { index, .. } => {
                let fault = Fault::at(format!("/tasks/{index}/depends_on"), detail);
                Self::invalid("parent_not_found", vec![fault])
            }
            SubmitError::Full { index } => {
                let fault = Fault::at(format!("/tasks/{index}/queue"), detail);
                let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "queue_full", fault.detail.clone());
                problem.with(RETRY_AFTER, HeaderValue::from(AWAY))
            }
            SubmitError::TooManyQueues(_) => Self::invalid("too_many_queues", vec![Fault::at("/queue", detail)]),
            SubmitError::Busy => Self::later("busy", detail, SOON),
            SubmitError::Closed => Self::later("shutting_down", detail, AWAY),
            SubmitError::Store(error) => Self::from(error),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error.kind {
            StoreErrorKind::Full => Self::new(
                StatusCode::INSUFFICIENT_STORAGE,
                "store_full",
                "No space is left to store this. Nothing was changed",
            ),
            StoreErrorKind::Unavailable | StoreErrorKind::Locked => {
                Self::later("store_unavailable", format!("The store does not answer: {}", error.message), AWAY)
            }
            StoreErrorKind::Schema => {
                Self::later("store_schema", format!("The store has another schema: {}", error.message), AWAY)
            }
            // What gets this far has been checked, so a refusal is our defect rather than the client's.
            StoreErrorKind::Refused => {
                log::error!("The store refused a request: {error}");
                Self::internal()
            }
        }
    }
}

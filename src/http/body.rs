//! A request's body: bounded in size and in time, and JSON by its own account.

use std::time::Duration;

use actix_web::{
    FromRequest, HttpMessage as _, HttpRequest, dev,
    error::PayloadError,
    http::header,
    web::{Bytes, BytesMut, Data},
};
use futures_util::{StreamExt as _, future::LocalBoxFuture};

use super::{ApiState, caller::Caller, code::Code, problem::Problem};

/// Largest body of most requests.
pub(super) const SMALL: usize = 1 << 20;
/// Largest body of a batch.
pub(super) const LARGE: usize = 8 << 20;
/// Largest body of a workflow.
pub(super) const HUGE: usize = 16 << 20;

/// The body's bytes: at most `LIMIT`, all of them received within the deadline.
pub(super) struct Body<const LIMIT: usize = SMALL>(pub(super) Bytes);

impl<const LIMIT: usize> FromRequest for Body<LIMIT> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        let announced = announced(request, LIMIT);
        let deadline =
            request.app_data::<Data<ApiState>>().map_or(Duration::from_secs(10), |state| state.edge.body_deadline);
        let (payload, request) = (payload.take(), request.clone());
        Box::pin(async move {
            let announced = announced?;
            // One deadline for the whole body: one for each chunk would let a client send a byte at a time for ever.
            match tokio::time::timeout(deadline, collect(payload, announced, LIMIT)).await {
                Ok(body) => {
                    let body = body?;
                    still_good(&request)?;
                    Ok(Self(body))
                }
                Err(_) => {
                    let detail = format!("The body was not complete after {} s", deadline.as_secs_f32());
                    Err(Problem::new(Code::BodyTimeout, detail).closing())
                }
            }
        })
    }
}

/// Who was let in by the headers may have lost their key since.
fn still_good(request: &HttpRequest) -> Result<(), Problem> {
    let caller = request.extensions().get::<Caller>().cloned();
    match (caller, request.app_data::<Data<ApiState>>()) {
        (Some(caller), Some(state)) => caller.check_still_good(state),
        // An open route asks nobody.
        _ => Ok(()),
    }
}

/// Refuses by the headers alone what would be read in vain; the length they announce.
fn announced(request: &HttpRequest, limit: usize) -> Result<usize, Problem> {
    let text =
        |name| request.headers().get(name).map(|value| value.to_str().unwrap_or("?").trim().to_ascii_lowercase());
    let length = text(header::CONTENT_LENGTH).and_then(|length| length.parse::<usize>().ok()).unwrap_or(0);
    if length > limit {
        return Err(too_large(limit));
    }
    if let Some(encoding) = text(header::CONTENT_ENCODING).filter(|encoding| encoding != "identity") {
        let detail = format!("A body in the encoding {encoding:?} cannot be read: send it as it is");
        return Err(Problem::new(Code::UnsupportedContentEncoding, detail).closing());
    }
    // A missing type is taken for JSON: there is nothing else it could be, and scripts leave it out.
    let Some(media) = text(header::CONTENT_TYPE) else { return Ok(length) };
    let essence = media.split(';').next().unwrap_or_default().trim();
    let json = essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"));
    if json || (length == 0 && !request.headers().contains_key(header::TRANSFER_ENCODING)) {
        return Ok(length);
    }
    let detail =
        format!("The body is JSON, but its type is {essence:?}: send the header Content-Type: application/json");
    Err(Problem::new(Code::UnsupportedMediaType, detail).closing())
}

async fn collect(mut payload: dev::Payload, announced: usize, limit: usize) -> Result<Bytes, Problem> {
    let Some(first) = payload.next().await else { return Ok(Bytes::new()) };
    let first = first.map_err(|error| broken(&error))?;
    // Most bodies arrive in one piece: those are not copied.
    if first.len() == announced && announced > 0 {
        return Ok(first);
    }
    let mut body = BytesMut::with_capacity(announced.max(first.len()));
    body.extend_from_slice(&first);
    while body.len() <= limit {
        let Some(chunk) = payload.next().await else { return Ok(body.freeze()) };
        body.extend_from_slice(&chunk.map_err(|error| broken(&error))?);
    }
    Err(too_large(limit))
}

fn too_large(limit: usize) -> Problem {
    let detail = format!("A body here has at most {} MiB", limit >> 20);
    Problem::new(Code::BodyTooLarge, detail).closing()
}

fn broken(error: &PayloadError) -> Problem {
    let detail = format!("The body broke off: {error}");
    Problem::new(Code::IncompleteBody, detail).closing()
}

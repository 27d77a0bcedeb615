//! Answers: JSON, written in one pass.

use actix_web::{HttpResponse, http::StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::Problem;

/// A list, or a page of one.
#[derive(Serialize, ToSchema)]
pub(super) struct Listed<T: ToSchema> {
    pub(super) data: Vec<T>,
    /// Opaque: goes on with the same filters and order.
    pub(super) next_cursor: Option<String>,
    pub(super) prev_cursor: Option<String>,
}

impl<T: ToSchema> Listed<T> {
    /// A list that is always whole.
    pub(super) fn whole(data: Vec<T>) -> Self {
        Self { data, next_cursor: None, prev_cursor: None }
    }
}

pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Result<HttpResponse, Problem> {
    let mut text = Vec::with_capacity(1_024);
    serde_json::to_writer(&mut text, body).map_err(|error| {
        log::error!("An answer cannot be written: {error}");
        Problem::internal()
    })?;
    Ok(HttpResponse::build(status).content_type("application/json").body(text))
}

pub(super) fn ok(body: &impl Serialize) -> Result<HttpResponse, Problem> {
    json(StatusCode::OK, body)
}

/// 200 with JSON that is a text already.
pub(super) fn text(json: String) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(json)
}

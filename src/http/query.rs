//! Query parameters: unknown ones are refused, so that a typing error never looks like an answer.

use std::{
    future::{Ready, ready},
    time::Duration,
};

use actix_web::{FromRequest, HttpRequest, dev, web};
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    code::Code,
    problem::{Fault, Problem},
    shape,
};
use crate::task::{Millis, duration};

/// The parameters of a request as `T`, whose fields are all optional texts.
pub(super) struct Query<T>(pub(super) T);

/// No parameters.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        let parsed = web::Query::<T>::from_query(request.query_string()).map_err(|error| {
            let message = error.to_string();
            let message = message.strip_prefix("Query deserialize error: ").unwrap_or(&message);
            let (code, field, detail) = shape::read(message);
            let code = match code {
                Code::UnknownField => Code::UnknownParameter,
                Code::DuplicateField => Code::DuplicateParameter,
                _ => Code::InvalidParameter,
            };
            Problem::invalid(
                code,
                vec![Fault::parameter(field.unwrap_or_default(), detail.replace("field", "parameter"))],
            )
        });
        ready(parsed.map(|query| Self(query.into_inner())))
    }
}

/// A 422 for one parameter.
pub(super) fn invalid(name: &str, detail: impl Into<String>) -> Problem {
    Problem::invalid(Code::InvalidParameter, vec![Fault::parameter(name, detail)])
}

/// `?wait=`: at most five minutes.
pub(super) fn wait(text: Option<&str>) -> Result<Option<Duration>, Problem> {
    const LONGEST: Millis = 300_000;
    let Some(text) = text else { return Ok(None) };
    match duration::parse(text) {
        Some(millis @ 0..=LONGEST) => Ok(Some(Duration::from_millis(millis.unsigned_abs()))),
        _ => Err(invalid("wait", "is a duration of at most 300s, such as 30s")),
    }
}

/// `?limit=`: 1 to 200, 50 if not given.
pub(super) fn limit(text: Option<&str>) -> Result<usize, Problem> {
    match text.map(str::parse) {
        None => Ok(50),
        Some(Ok(limit @ 1..=200)) => Ok(limit),
        Some(_) => Err(invalid("limit", "is a number from 1 to 200")),
    }
}

/// A moment as RFC 3339 writes it.
pub(super) fn moment(name: &str, text: Option<&str>) -> Result<Option<Millis>, Problem> {
    let parse = |text: &str| text.parse::<jiff::Timestamp>().map(jiff::Timestamp::as_millisecond);
    text.map(parse).transpose().map_err(|_| invalid(name, "is a time such as 2026-01-31T12:00:00Z"))
}

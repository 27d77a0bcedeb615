//! How one attempt ended, said by its lease; and that it needs more time.

use actix_web::{HttpResponse, web::Data};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{
    super::{
        ApiState,
        actions::Empty,
        body::Body,
        caller::Caller,
        check::Faults,
        code::Code,
        draft::DurationWritten,
        problem::{Fault, Problem},
        query::{Nothing, Query},
        reply, shape,
        tasks::Id,
        time::Time,
    },
    conclude::EndedView,
    lease_lost,
    outcome::{self, ErrorBody, Said},
};
use crate::task::{LeaseToken, Millis, duration};

/// How far a deadline may be moved from now.
const FURTHEST: Millis = 24 * 3_600_000;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object with `result`")]
#[schema(as = Complete)]
pub(in crate::http) struct CompleteBody<'a> {
    /// Any JSON value, null too.
    #[serde(borrow)]
    #[schema(value_type = Value)]
    result: &'a RawValue,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object with an `error`")]
#[schema(as = Fail)]
pub(in crate::http) struct FailBody {
    error: ErrorBody,
    /// False: another attempt would fail the same way.
    #[serde(default)]
    retryable: Option<bool>,
    #[serde(default, deserialize_with = "duration::deserialize_option")]
    #[schema(value_type = Option<DurationWritten>)]
    retry_after: Option<Millis>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object with `for`")]
#[schema(as = SnoozeAttempt)]
pub(in crate::http) struct SnoozeBody {
    /// At most 30 days.
    #[serde(rename = "for", deserialize_with = "duration::deserialize")]
    #[schema(value_type = DurationWritten)]
    by: Millis,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object with `by`")]
#[schema(as = Extend)]
pub(in crate::http) struct ExtendBody {
    #[serde(deserialize_with = "duration::deserialize")]
    #[schema(value_type = DurationWritten)]
    by: Millis,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ExtendReply)]
pub(in crate::http) struct ExtendedView {
    deadline: Time,
}

/// Reports a success
#[utoipa::path(
    post, path = "/api/v1/leases/{id}/complete", operation_id = "complete_lease", tag = "remote workers",
    params(("id" = String, Path)), request_body = CompleteBody, responses((status = 200, body = EndedView))
)]
pub(in crate::http) async fn complete(
    state: Data<ApiState>,
    caller: Caller,
    id: Id<LeaseToken>,
    _: Query<Nothing>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let CompleteBody { result } = shape::parse(&body.0)?;
    let mut faults = Faults::default();
    let said = outcome::result(&mut faults, result);
    faults.none()?;
    state.conclude_one(&caller, id.0, said).await
}

/// Reports a failure
#[utoipa::path(
    post, path = "/api/v1/leases/{id}/fail", operation_id = "fail_lease", tag = "remote workers",
    params(("id" = String, Path)), request_body = FailBody, responses((status = 200, body = EndedView))
)]
pub(in crate::http) async fn fail(
    state: Data<ApiState>,
    caller: Caller,
    id: Id<LeaseToken>,
    _: Query<Nothing>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let FailBody { error, retryable, retry_after } = shape::parse(&body.0)?;
    let mut faults = Faults::default();
    let said = error.said(&mut faults, retryable, retry_after);
    faults.none()?;
    state.conclude_one(&caller, id.0, said).await
}

/// Puts a task off
///
/// No attempt is used up.
#[utoipa::path(
    post, path = "/api/v1/leases/{id}/snooze", operation_id = "snooze_lease", tag = "remote workers",
    params(("id" = String, Path)), request_body = SnoozeBody, responses((status = 200, body = EndedView))
)]
pub(in crate::http) async fn snooze(
    state: Data<ApiState>,
    caller: Caller,
    id: Id<LeaseToken>,
    _: Query<Nothing>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let SnoozeBody { by } = shape::parse(&body.0)?;
    let mut faults = Faults::default();
    outcome::span(&mut faults, "/for", Some(by));
    faults.none()?;
    state.conclude_one(&caller, id.0, Said::Snooze(by)).await
}

/// Gives a task back
///
/// No attempt is used up.
#[utoipa::path(
    post, path = "/api/v1/leases/{id}/release", operation_id = "release_lease", tag = "remote workers",
    params(("id" = String, Path)), responses((status = 200, body = EndedView))
)]
pub(in crate::http) async fn release(
    state: Data<ApiState>,
    caller: Caller,
    id: Id<LeaseToken>,
    _: Query<Nothing>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    shape::parse_or_empty::<Empty>(&body.0)?;
    state.conclude_one(&caller, id.0, Said::Release).await
}

/// Reports that a task has stopped because it was asked to
///
/// Where its time was over it has timed out.
#[utoipa::path(
    post, path = "/api/v1/leases/{id}/cancelled", operation_id = "cancelled_lease", tag = "remote workers",
    params(("id" = String, Path)), responses((status = 200, body = EndedView))
)]
pub(in crate::http) async fn cancelled(
    state: Data<ApiState>,
    caller: Caller,
    id: Id<LeaseToken>,
    _: Query<Nothing>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    shape::parse_or_empty::<Empty>(&body.0)?;
    state.conclude_one(&caller, id.0, Said::Cancelled).await
}

/// Moves the deadline of a task
///
/// At most to 24 hours from now.
#[utoipa::path(
    post, path = "/api/v1/leases/{id}/extend", operation_id = "extend_lease", tag = "remote workers",
    params(("id" = String, Path)), request_body = ExtendBody, responses((status = 200, body = ExtendedView))
)]
pub(in crate::http) async fn extend(
    state: Data<ApiState>,
    caller: Caller,
    id: Id<LeaseToken>,
    _: Query<Nothing>,
    body: Body,
) -> Result<HttpResponse, Problem> {
    let ExtendBody { by } = shape::parse(&body.0)?;
    if by > FURTHEST {
        return Err(Problem::invalid(Code::InvalidField, vec![Fault::at("/by", "must be at most 24h")]));
    }
    let hold = state.hold(&caller, id.0).await?;
    if hold.deadline.is_none() {
        let detail = "The task has no time limit, so there is nothing to be moved";
        return Err(Problem::new(Code::NoDeadline, detail));
    }
    let moved = state.engine.extend(id.0, by, state.now() + FURTHEST).await?;
    reply::ok(&ExtendedView { deadline: Time(moved.ok_or_else(lease_lost)?) })
}

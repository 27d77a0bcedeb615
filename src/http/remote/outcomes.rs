//! `POST /workers/{id}/outcomes`: how many attempts ended.

use std::borrow::Cow;

use actix_web::{HttpResponse, web::Data};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{
    super::{
        ApiState,
        body::{Body, LARGE},
        caller::Caller,
        check::Faults,
        code::Code,
        draft::DurationWritten,
        problem::{Fault, Problem},
        query::{Nothing, Query},
        reply, shape,
        tasks::Id,
    },
    conclude::{Answer, EndedView, Item, Report},
    note::{self, LineBody},
    outcome::{self, ErrorBody, Said},
};
use crate::task::{LeaseToken, Millis, Status, WorkerId, duration};

const MOST: usize = 1_000;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object with a list `outcomes`")]
#[schema(as = Outcomes)]
pub(in crate::http) struct OutcomesBody<'a> {
    /// Read one by one, so that one that is wrong does not take the others along.
    #[serde(borrow)]
    #[schema(value_type = Vec<OutcomeBody>, min_items = 1, max_items = 1000)]
    outcomes: Vec<&'a RawValue>,
}

/// How an attempt ended: `lease_id` and one of the others.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object with a `lease_id`")]
#[schema(as = Outcome)]
pub(in crate::http) struct OutcomeBody<'a> {
    #[serde(borrow)]
    lease_id: Cow<'a, str>,
    /// Any JSON value, null too.
    #[serde(borrow, default, deserialize_with = "outcome::given")]
    #[schema(value_type = Option<Value>)]
    result: Option<&'a RawValue>,
    #[serde(default)]
    error: Option<ErrorBody>,
    /// Not now, again after this time; no attempt is used up.
    #[serde(default, deserialize_with = "duration::deserialize_option")]
    #[schema(value_type = Option<DurationWritten>)]
    snooze: Option<Millis>,
    /// True: it goes back to its queue; no attempt is used up.
    #[serde(default)]
    release: Option<bool>,
    /// True: it has stopped because it was asked to.
    #[serde(default)]
    cancelled: Option<bool>,
    /// With an `error`. False: another attempt would fail the same way.
    #[serde(default)]
    retryable: Option<bool>,
    /// With an `error`: when the next attempt is to be made.
    #[serde(default, deserialize_with = "duration::deserialize_option")]
    #[schema(value_type = Option<DurationWritten>)]
    retry_after: Option<Millis>,
    /// Lines of its log, before its end.
    #[serde(default)]
    #[schema(min_items = 1, max_items = 100)]
    log: Option<Vec<LineBody>>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = OutcomesReply)]
pub(in crate::http) struct OutcomesView {
    /// In the order of the request.
    results: Vec<OutcomeView>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = OutcomeReply)]
struct OutcomeView {
    /// What a report of its own would have been answered: 200, 409 or 422.
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    task_status: Option<Status>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    duplicate: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<Code>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Fault>,
}

impl From<Answer> for OutcomeView {
    fn from(answer: Answer) -> Self {
        match answer {
            Ok(EndedView { status, duplicate }) => {
                Self { status: 200, task_status: Some(status), duplicate, code: None, detail: None, errors: Vec::new() }
            }
            Err(problem) => Self {
                status: problem.status().as_u16(),
                task_status: None,
                duplicate: false,
                code: Some(problem.code()),
                detail: Some(problem.detail().to_owned()),
                errors: problem.errors().to_vec(),
            },
        }
    }
}

/// Reports how up to 1000 attempts ended
///
/// Each is answered for itself.
#[utoipa::path(
    post, path = "/api/v1/workers/{id}/outcomes", operation_id = "report_outcomes", tag = "remote workers",
    params(("id" = String, Path, format = Uuid)),
    request_body = OutcomesBody,
    responses((status = 200, body = OutcomesView))
)]
pub(in crate::http) async fn outcomes(
    state: Data<ApiState>,
    caller: Caller,
    id: Id<WorkerId>,
    _: Query<Nothing>,
    body: Body<LARGE>,
) -> Result<HttpResponse, Problem> {
    let OutcomesBody { outcomes } = shape::parse(&body.0)?;
    if !(1..=MOST).contains(&outcomes.len()) {
        let detail = format!("has 1 to {MOST} members, not {}", outcomes.len());
        return Err(Problem::invalid(Code::InvalidField, vec![Fault::at("/outcomes", detail)]));
    }
    let now = state.now();
    let read = |(index, item): (usize, &&RawValue)| {
        let prefix = format!("/outcomes/{index}");
        item_of(item.get(), now).map_err(|problem| problem.under(&prefix))
    };
    let items: Vec<Item> = outcomes.iter().enumerate().map(read).collect();
    let answers = state.conclude(&caller, Some(id.0), items).await?;
    reply::ok(&OutcomesView { results: answers.into_iter().map(OutcomeView::from).collect() })
}

fn item_of(text: &str, now: Millis) -> Item {
    let OutcomeBody { lease_id, result, error, snooze, release, cancelled, retryable, retry_after, log } =
        shape::parse_text(text)?;
    let mut faults = Faults::default();
    for (pointer, is_given) in [("/retryable", retryable.is_some()), ("/retry_after", retry_after.is_some())] {
        if is_given && error.is_none() {
            faults.invalid(pointer, "belongs to an `error`");
        }
    }
    let lines = log.map(|lines| note::lines_of(&mut faults, "/log", lines, now)).unwrap_or_default();
    for (pointer, flag) in [("/release", release), ("/cancelled", cancelled)] {
        if flag == Some(false) {
            faults.invalid(pointer, "must be true, or left out");
        }
    }
    let said = [
        result.map(|text| outcome::result(&mut faults, text)),
        error.map(|error| error.said(&mut faults, retryable, retry_after)),
        snooze.map(|delay| {
            outcome::span(&mut faults, "/snooze", Some(delay));
            Said::Snooze(delay)
        }),
        release.map(|_| Said::Release),
        cancelled.map(|_| Said::Cancelled),
    ];
    let mut said = said.into_iter().flatten();
    let (first, other) = (said.next(), said.next());
    if first.is_none() || other.is_some() {
        faults.invalid("", "has, beside `lease_id`, exactly one of result, error, snooze, release and cancelled");
    }
    let token = lease_id.parse::<LeaseToken>().map_err(|error| faults.invalid("/lease_id", error.to_string())).ok();
    faults.none()?;
    let (token, said) = token.zip(first).ok_or_else(Problem::internal)?;
    Ok(Report { token, said, lines })
}

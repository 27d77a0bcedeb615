//! What was said of attempts is recorded, each for itself, under their leases.

use std::time::Duration;

use actix_web::HttpResponse;
use serde::Serialize;
use tokio::time::timeout;
use utoipa::ToSchema;

use super::{
    super::{ApiState, caller::Caller, code::Code, problem::Problem, reply},
    lease_lost,
    outcome::Said,
};
use crate::{
    engine::Concluded,
    store::{Hold, Leased},
    task::{LeaseToken, LogLine, Outcome, Status, WorkerId},
};

/// After that nobody knows: it is to be said again.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Serialize, ToSchema)]
#[schema(as = AttemptEnded)]
pub(in crate::http) struct EndedView {
    /// Of the task, now.
    pub(super) status: Status,
    /// It was said before.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) duplicate: bool,
}

/// What was said of an attempt.
pub(super) struct Report {
    pub(super) token: LeaseToken,
    pub(super) said: Said,
    /// Of its log, before its end.
    pub(super) lines: Vec<LogLine>,
}

/// An item as it is read, and what it means once its lease is known.
pub(super) type Item = Result<Report, Problem>;
pub(super) type Answer = Result<EndedView, Problem>;

impl ApiState {
    /// Records what was said, each for itself. `worker`: of the leases of this one only.
    pub(super) async fn conclude(
        &self,
        caller: &Caller,
        worker: Option<WorkerId>,
        items: Vec<Item>,
    ) -> Result<Vec<Answer>, Problem> {
        self.engine.takes_outcomes()?;
        let tokens: Vec<_> = items.iter().flatten().map(|report| report.token).collect();
        let mut leased = self.leases(caller, tokens).await?.into_iter();
        let (mut answers, mut ended, mut places) = (Vec::with_capacity(items.len()), Vec::new(), Vec::new());
        for item in items {
            let answer = match item {
                Err(problem) => Err(problem),
                Ok(Report { said, lines, .. }) => match leased.next() {
                    Some(Leased::Held(hold)) if worker.is_none_or(|worker| worker == hold.worker) => {
                        match said.outcome(&hold, self.now()) {
                            Ok(outcome) => {
                                lines.into_iter().for_each(|line| self.engine.note_line(&hold.task, line));
                                places.push(answers.len());
                                ended.push((*hold, outcome));
                                // Said below.
                                Err(lease_lost())
                            }
                            Err(problem) => Err(problem),
                        }
                    }
                    Some(Leased::Over(status)) => Ok(EndedView { status, duplicate: true }),
                    _ => Err(lease_lost()),
                },
            };
            answers.push(answer);
        }
        for (place, concluded) in places.into_iter().zip(self.record(ended).await?) {
            answers[place] = match concluded {
                Concluded::Done(status) => Ok(EndedView { status, duplicate: false }),
                Concluded::Duplicate(status) => Ok(EndedView { status, duplicate: true }),
                Concluded::LeaseLost => Err(lease_lost()),
            };
        }
        Ok(answers)
    }

    async fn record(&self, ended: Vec<(Hold, Outcome)>) -> Result<Vec<Concluded>, Problem> {
        if ended.is_empty() {
            return Ok(Vec::new());
        }
        match timeout(PATIENCE, self.engine.conclude(ended)).await {
            Ok(concluded) => Ok(concluded?),
            Err(_) => {
                let detail =
                    "The store has not answered in time: say it again, what was recorded is known by its lease";
                Err(Problem::later(Code::Indeterminate, detail, 1))
            }
        }
    }

    pub(super) async fn conclude_one(
        &self,
        caller: &Caller,
        token: LeaseToken,
        said: Said,
    ) -> Result<HttpResponse, Problem> {
        let answers = self.conclude(caller, None, vec![Ok(Report { token, said, lines: Vec::new() })]).await?;
        reply::ok(&answers.into_iter().next().ok_or_else(Problem::internal)??)
    }
}

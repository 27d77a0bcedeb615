//! What has happened over a stretch of time, as `GET /stats` and its history show it.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{ApiState, caller::Caller, problem::Problem, query, time::Time};
use crate::{
    engine::{ALL_QUEUES, Engine, OTHER_QUEUES},
    store::{Reader, StoreError},
    task::{Figures, Histogram, Millis, Span, duration, name},
};

const MINUTE: Millis = Span::Minute.millis();
const DAY: Millis = 24 * Span::Hour.millis();
/// Longer ones are answered by the hour: what is kept by the minute goes after little more.
const BY_MINUTE: Millis = DAY;
const LONGEST: Millis = 90 * DAY;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct WindowQuery {
    /// How far back: 1m to 90d, 5m if not given. Begins with a full minute, above 24h with a full hour.
    #[param(example = "1h")]
    window: Option<String>,
    /// Of this queue only.
    queue: Option<String>,
}

/// A stretch of time up to now, of one queue or of all.
#[derive(Clone)]
pub(super) struct Window {
    /// Under which the figures are kept: one name, or those of the queues that a caller sees.
    pub(super) labels: Vec<Arc<str>>,
    /// The queue, where one was asked for.
    pub(super) queue: Option<String>,
    pub(super) span: Span,
    pub(super) from: Millis,
    pub(super) to: Millis,
}

/// Milliseconds; estimated within logarithmic buckets: at most 60 % too high or 40 % too low.
#[derive(Serialize, ToSchema)]
pub(super) struct Spread {
    count: u64,
    /// Exact. Null, as the others: nothing was measured.
    mean: Option<f64>,
    p50: Option<f64>,
    p95: Option<f64>,
    p99: Option<f64>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct FiguresView {
    submitted: u64,
    succeeded: u64,
    /// Whether another attempt followed or not.
    failed_attempts: u64,
    dead: u64,
    retried: u64,
    /// Attempts that put their task off: neither retries nor failures.
    snoozed: u64,
    cancelled: u64,
    expired: u64,
    submitted_per_s: f64,
    /// Tasks that succeeded, died, were cancelled or expired.
    finished_per_s: f64,
    /// Of the tasks that succeeded or died, the share that succeeded; null: there was none.
    success_rate: Option<f64>,
    /// From the moment a task could have started to its start.
    wait_ms: Spread,
    /// From the start of an attempt to its end.
    run_ms: Spread,
    /// Of the time all slots were there, the share spent on tasks; null: there were none.
    utilisation: Option<f64>,
    /// How many tasks waited for a worker or for their time, on average; null: nobody looked.
    waiting: Option<WaitingView>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Waiting)]
pub(super) struct WaitingView {
    high: f64,
    medium: f64,
    low: f64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = StatsWindow)]
pub(super) struct WindowView {
    from: Time,
    to: Time,
    /// Null: of all queues. A queue beyond the first hundred is kept under `other`, with all of those.
    queue: Option<String>,
    #[serde(flatten)]
    figures: FiguresView,
}

impl WindowQuery {
    pub(super) async fn read(self, state: &ApiState, caller: &Caller) -> Result<Window, Problem> {
        let length = length(self.window.as_deref(), 5 * MINUTE)?;
        let labels = labels(state, caller, self.queue.as_deref()).await?;
        let queue = queue_of(self.queue.is_some(), &labels);
        let to = state.now();
        let span = span(length);
        // A window begins with the stretch it reaches into, so it is never shorter than was asked for.
        Ok(Window { labels, queue, span, from: span.start_of(to - length), to })
    }
}

pub(super) fn span(length: Millis) -> Span {
    if length <= BY_MINUTE { Span::Minute } else { Span::Hour }
}

pub(super) fn length(text: Option<&str>, default: Millis) -> Result<Millis, Problem> {
    match text.map(duration::parse) {
        None => Ok(default),
        Some(Some(length @ MINUTE..=LONGEST)) => Ok(length),
        Some(_) => Err(query::invalid("window", "is a duration from 1m to 90d, such as 5m, 1h or 7d")),
    }
}

/// The names under which the figures of a queue are kept, or of all that the caller sees.
pub(super) async fn labels(state: &ApiState, caller: &Caller, queue: Option<&str>) -> Result<Vec<Arc<str>>, Problem> {
    let meter = state.engine.meter();
    if let Some(queue) = queue {
        name::queue(queue).map_err(|error| query::invalid("queue", error.to_string()))?;
        caller.check_queue(queue)?;
        let label = meter.label_of(queue);
        // Together with those of queues that it does not see, a queue's own figures are not to be told.
        let told = !caller.is_restricted() || &*label != OTHER_QUEUES;
        return Ok(if told { vec![label] } else { Vec::new() });
    }
    let Some(seen) = caller.seen(state).await? else { return Ok(vec![ALL_QUEUES.into()]) };
    let labels = seen.iter().map(|queue| meter.label_of(queue));
    Ok(labels.filter(|label| &**label != OTHER_QUEUES).collect())
}

pub(super) fn queue_of(asked_for: bool, labels: &[Arc<str>]) -> Option<String> {
    labels.first().filter(|_| asked_for).map(|label| label.as_ref().to_owned())
}

impl Window {
    /// By minute or hour. Slot time is everybody's: it is read from all queues, and what a queue took of it from its own.
    pub(super) fn figures(
        &self,
        engine: &Engine,
        reader: &dyn Reader,
    ) -> Result<BTreeMap<Millis, Figures>, StoreError> {
        let mut figures = BTreeMap::<Millis, Figures>::new();
        for label in &self.labels {
            for (starts_at, more) in engine.figures(reader, label, self.span, self.from)? {
                figures.entry(starts_at).or_default().merge(&more);
            }
        }
        if self.labels.iter().any(|label| &**label != ALL_QUEUES) {
            for (starts_at, all) in engine.figures(reader, ALL_QUEUES, self.span, self.from)? {
                let figures = figures.entry(starts_at).or_default();
                (figures.slot_ms, figures.looks) = (all.slot_ms, all.looks);
            }
        }
        Ok(figures)
    }

    pub(super) fn view(&self, engine: &Engine, reader: &dyn Reader) -> Result<WindowView, StoreError> {
        let mut sum = Figures::default();
        self.figures(engine, reader)?.values().for_each(|figures| sum.merge(figures));
        let figures = FiguresView::of(&sum, self.to - self.from);
        Ok(WindowView { from: Time(self.from), to: Time(self.to), queue: self.queue.clone(), figures })
    }
}

impl FiguresView {
    pub(super) fn of(figures: &Figures, length: Millis) -> Self {
        let per_second = |n: u64| rounded(n as f64 / (length.max(1) as f64 / 1_000.0));
        let share = |of: u64, all: u64| (all > 0).then(|| rounded((of as f64 / all as f64).min(1.0)));
        Self {
            submitted: figures.submitted,
            succeeded: figures.succeeded,
            failed_attempts: figures.failed_attempts,
            dead: figures.dead,
            retried: figures.retried,
            snoozed: figures.snoozed,
            cancelled: figures.cancelled,
            expired: figures.expired,
            submitted_per_s: per_second(figures.submitted),
            finished_per_s: per_second(figures.finished()),
            success_rate: figures.success_rate().map(rounded),
            wait_ms: Spread::of(&figures.wait),
            run_ms: Spread::of(&figures.run),
            utilisation: share(figures.busy_ms, figures.slot_ms),
            waiting: (figures.looks > 0).then(|| {
                let [high, medium, low] = figures.waiting.map(|n| rounded(n as f64 / figures.looks as f64));
                WaitingView { high, medium, low }
            }),
        }
    }
}

impl Spread {
    fn of(histogram: &Histogram) -> Self {
        let percentile = |share| histogram.percentile(share).map(rounded);
        Self {
            count: histogram.count(),
            mean: histogram.mean().map(rounded),
            p50: percentile(0.50),
            p95: percentile(0.95),
            p99: percentile(0.99),
        }
    }
}

/// More places would say more than is known.
fn rounded(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}

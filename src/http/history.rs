//! `GET /stats/history`: the same figures, step by step, for charts.

use actix_web::{HttpResponse, web::Data};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    ApiState,
    caller::Caller,
    problem::Problem,
    query::{self, Query},
    reply,
    time::Time,
    window::{self, FiguresView, Window},
};
use crate::task::{Figures, Millis, Span, duration};

const MINUTE: Millis = Span::Minute.millis();
const HOUR: Millis = Span::Hour.millis();
/// Most points of an answer, and as many as are aimed at if no step is given.
const MOST_POINTS: Millis = 1_500;
const POINTS: Millis = 120;
/// Steps a person would choose.
const STEPS: [Millis; 10] =
    [MINUTE, 2 * MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 6 * HOUR, 12 * HOUR, 24 * HOUR];

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct HistoryQuery {
    /// How far back: 1m to 90d, 1h if not given.
    #[param(example = "24h")]
    window: Option<String>,
    /// Length of a point: whole minutes, for windows above 24h whole hours; at most 1500 points. Chosen to fit if not given.
    #[param(example = "15m")]
    step: Option<String>,
    /// Of this queue only.
    queue: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = StatsPoint)]
struct Point {
    /// The point begins here and is a step long, the last one until now.
    at: Time,
    #[serde(flatten)]
    figures: FiguresView,
}

#[derive(Serialize, ToSchema)]
#[schema(as = StatsHistory)]
pub(super) struct HistoryView {
    from: Time,
    to: Time,
    step_ms: Millis,
    queue: Option<String>,
    /// Oldest first, none left out.
    points: Vec<Point>,
}

/// Reads figures over time
///
/// By the minute they are kept for a day, by the hour for 90 days. A node that is killed loses those of its last seconds.
#[utoipa::path(
    get, path = "/api/v1/stats/history", operation_id = "get_stats_history", tag = "system",
    params(HistoryQuery),
    responses((status = 200, description = "The figures", body = HistoryView))
)]
pub(super) async fn history(
    state: Data<ApiState>,
    caller: Caller,
    query: Query<HistoryQuery>,
) -> Result<HttpResponse, Problem> {
    let query = query.0;
    let length = window::length(query.window.as_deref(), HOUR)?;
    let span = window::span(length);
    let step = step(query.step.as_deref(), length, span)?;
    let labels = window::labels(&state, &caller, query.queue.as_deref()).await?;
    let queue = window::queue_of(query.queue.is_some(), &labels);
    let to = state.now();
    let from = start(to - length, step);
    let (window, engine) = (Window { labels, queue, span, from, to }, state.engine.clone());
    let view = state
        .read(move |reader| {
            let figures = window.figures(&engine, reader)?;
            let mut points = Vec::new();
            let mut at = from;
            while at <= to {
                let mut sum = Figures::default();
                figures.range(at..at + step).for_each(|(_, figures)| sum.merge(figures));
                points.push(Point { at: Time(at), figures: FiguresView::of(&sum, step.min(to - at)) });
                at += step;
            }
            Ok(HistoryView { from: Time(from), to: Time(to), step_ms: step, queue: window.queue.clone(), points })
        })
        .await?;
    reply::ok(&view)
}

/// Points begin at multiples of the step, so that those of two answers are the same.
fn start(at: Millis, step: Millis) -> Millis {
    at - at.rem_euclid(step)
}

fn step(text: Option<&str>, length: Millis, span: Span) -> Result<Millis, Problem> {
    let unit = span.millis();
    let Some(text) = text else {
        let fits = |step: &Millis| *step >= unit && length / *step <= POINTS;
        return Ok(STEPS.into_iter().find(fits).unwrap_or(24 * HOUR));
    };
    match duration::parse(text) {
        Some(step) if step < unit || step % unit != 0 => {
            let detail = format!("is a multiple of {} for this window", duration::to_text(unit));
            Err(query::invalid("step", detail))
        }
        Some(step) if length / step > MOST_POINTS => {
            Err(query::invalid("step", format!("would make more than {MOST_POINTS} points of this window")))
        }
        Some(step) if step <= length => Ok(step),
        _ => Err(query::invalid("step", "is a duration up to the window's, such as 1m or 1h")),
    }
}

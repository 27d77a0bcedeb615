//! Schedules as they are shown.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    http::{draft::Draft, time::Time},
    store::{Origin, Run, ScheduleRow},
    task::{
        Millis, TaskId, duration,
        schedule::{CatchUp, Overlap, Rule, Template, UTC},
    },
};

#[derive(Serialize, ToSchema)]
#[schema(as = Schedule)]
pub(super) struct ScheduleView {
    name: String,
    cron: Option<String>,
    every: Option<String>,
    /// Null: it has `every`, which has no zone.
    timezone: Option<String>,
    catch_up: CatchUp,
    overlap: Overlap,
    jitter: Option<String>,
    #[schema(value_type = Draft)]
    task: Template,
    enabled: bool,
    /// Who has paused it.
    paused_by: Option<Origin>,
    /// Who has set it. What the file says is set again at each start.
    origin: Origin,
    /// Raised by each change of what is set.
    version: u32,
    /// The tick that comes next; null while it is paused.
    next_tick: Option<Time>,
    /// When that one is due: later by its jitter.
    next_at: Option<Time>,
    #[schema(value_type = Option<String>, format = Uuid)]
    last_task_id: Option<TaskId>,
    /// Ticks of which a task was made.
    made: u64,
    /// Ticks that came too late and were left out; beyond 10 000 at once they are not counted.
    missed: u64,
    /// Ticks that were left out because the task before was not over.
    overlapped: u64,
    /// Ticks whose task was refused; `runs` says why.
    refused: u64,
    /// The last ten ticks that were dealt with, the newest first.
    runs: Vec<RunView>,
    created_at: Time,
    updated_at: Time,
}

/// What has become of a tick.
#[derive(Serialize, ToSchema)]
#[schema(as = ScheduleRun)]
pub(super) struct RunView {
    tick: Time,
    /// When it was dealt with.
    at: Time,
    /// The task that was made of it.
    #[schema(value_type = Option<String>, format = Uuid)]
    task_id: Option<TaskId>,
    /// Why there is none.
    reason: Option<String>,
}

impl From<Run> for RunView {
    fn from(run: Run) -> Self {
        Self { tick: Time(run.tick), at: Time(run.at), task_id: run.task, reason: run.reason }
    }
}

impl From<ScheduleRow> for ScheduleView {
    fn from(row: ScheduleRow) -> Self {
        let ScheduleRow { name, rule, task, origin, paused_by, version, next, last_task, tally, .. } = row;
        let timezone = rule.cron.is_some().then(|| rule.timezone.unwrap_or_else(|| UTC.into()));
        Self {
            name,
            every: rule.every.map(duration::to_text),
            jitter: rule.jitter.map(duration::to_text),
            timezone,
            cron: rule.cron,
            catch_up: rule.catch_up,
            overlap: rule.overlap,
            task,
            enabled: paused_by.is_none(),
            paused_by,
            origin,
            version,
            next_tick: next.map(|(tick, _)| Time(tick)),
            next_at: next.map(|(_, at)| Time(at)),
            last_task_id: last_task,
            made: tally.made,
            missed: tally.missed,
            overlapped: tally.overlapped,
            refused: tally.refused,
            runs: tally.runs.into_iter().map(RunView::from).collect(),
            created_at: Time(row.created_at),
            updated_at: Time(row.updated_at),
        }
    }
}

/// A tick to come.
#[derive(Serialize, ToSchema)]
#[schema(as = ScheduleTick)]
pub(super) struct TickView {
    tick: Time,
    /// Later by its jitter.
    due_at: Time,
    /// The tick by the clock of the schedule's zone.
    #[schema(examples("2026-03-29T03:00:00+02:00"))]
    local: String,
}

/// The next ticks after a moment.
pub(super) fn preview(rule: &Rule, name: &str, anchor: Millis, after: Millis, n: usize) -> Vec<TickView> {
    let Ok(ticks) = rule.compile(anchor) else { return Vec::new() };
    let zone = jiff::tz::TimeZone::get(rule.timezone.as_deref().unwrap_or(UTC)).unwrap_or(jiff::tz::TimeZone::UTC);
    let view = |tick: Millis| {
        let moment = jiff::Timestamp::from_millisecond(tick).ok()?;
        let local = moment.display_with_offset(zone.to_offset(moment)).to_string();
        Some(TickView { tick: Time(tick), due_at: Time(rule.due(name, tick)), local })
    };
    ticks.preview(after, n).into_iter().filter_map(view).collect()
}

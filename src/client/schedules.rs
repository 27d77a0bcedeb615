//! Schedules: what makes tasks by the clock.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Call, Client, Error, Page, Task, TaskRequest, encode};
use crate::task::{
    Millis, TaskId, duration,
    schedule::{CatchUp, Overlap},
};

/// A schedule to set. What is not given is as the server has it.
#[derive(Debug, Clone, Serialize)]
pub struct ScheduleRequest {
    #[serde(skip_serializing_if = "Option::is_none")]
    cron: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    every: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timezone: Option<String>,
    catch_up: CatchUp,
    overlap: Overlap,
    #[serde(skip_serializing_if = "Option::is_none")]
    jitter: Option<String>,
    enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u32>,
    task: TaskRequest,
}

impl ScheduleRequest {
    /// Ticks by a pattern of five fields, or six with seconds in front, in UTC.
    pub fn cron(pattern: impl Into<String>, task: TaskRequest) -> Self {
        Self { cron: Some(pattern.into()), ..Self::new(task) }
    }

    /// Ticks each time so much has passed.
    pub fn every(period: Duration, task: TaskRequest) -> Self {
        Self { every: Some(text(period)), ..Self::new(task) }
    }

    fn new(task: TaskRequest) -> Self {
        let (cron, every, timezone, jitter, version) = Default::default();
        let (catch_up, overlap) = Default::default();
        Self { cron, every, timezone, catch_up, overlap, jitter, enabled: true, version, task }
    }

    /// The zone of the pattern: a name of the IANA database.
    #[must_use]
    pub fn timezone(mut self, zone: impl Into<String>) -> Self {
        self.timezone = Some(zone.into());
        self
    }

    /// What happens to ticks that nobody was there to make.
    #[must_use]
    pub const fn catch_up(mut self, catch_up: CatchUp) -> Self {
        self.catch_up = catch_up;
        self
    }

    /// What happens to a tick while the last task is not over.
    #[must_use]
    pub const fn overlap(mut self, overlap: Overlap) -> Self {
        self.overlap = overlap;
        self
    }

    /// Each tick comes later by up to this.
    #[must_use]
    pub fn jitter(mut self, jitter: Duration) -> Self {
        self.jitter = Some(text(jitter));
        self
    }

    /// It does not tick until it is resumed.
    #[must_use]
    pub const fn paused(mut self) -> Self {
        self.enabled = false;
        self
    }

    /// Only if the schedule is at this version.
    #[must_use]
    pub const fn version(mut self, version: u32) -> Self {
        self.version = Some(version);
        self
    }
}

fn text(time: Duration) -> String {
    duration::to_text(Millis::try_from(time.as_millis()).unwrap_or(Millis::MAX))
}

/// A schedule as the server shows it. Times are RFC 3339 in UTC.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct Schedule {
    pub name: String,
    pub cron: Option<String>,
    pub every: Option<String>,
    pub timezone: Option<String>,
    pub catch_up: CatchUp,
    pub overlap: Overlap,
    pub enabled: bool,
    /// Raised by each change.
    pub version: u32,
    /// `None` while it is paused.
    pub next_at: Option<String>,
    pub last_task_id: Option<TaskId>,
    /// Ticks of which a task was made, and those that were left out.
    pub made: u64,
    pub missed: u64,
    pub overlapped: u64,
    pub refused: u64,
}

fn path(name: &str, below: &str) -> String {
    format!("/schedules/{}{below}", encode(name))
}

impl Client {
    /// A page of schedules, by name, those after `cursor` (the `next_cursor` of the page before).
    ///
    /// # Errors
    /// As every call.
    pub async fn schedules(&self, cursor: Option<&str>) -> Result<Page<Schedule>, Error> {
        self.send(&Call::read("/schedules").query(&[("cursor", cursor)])).await?.json()
    }

    /// # Errors
    /// [`Error::Api`] with status 404 where there is none.
    pub async fn schedule(&self, name: &str) -> Result<Schedule, Error> {
        self.send(&Call::read(path(name, ""))).await?.json()
    }

    /// Makes a schedule, or replaces the one there is.
    ///
    /// # Errors
    /// [`Error::Api`] with status 422 for what is not possible, 409 where it is at another version.
    pub async fn put_schedule(&self, name: &str, request: &ScheduleRequest) -> Result<Schedule, Error> {
        self.send(&Call::put(path(name, ""), request)?).await?.json()
    }

    /// # Errors
    /// [`Error::Api`] with status 404 where there is none.
    pub async fn delete_schedule(&self, name: &str) -> Result<(), Error> {
        self.send(&Call::delete(path(name, ""))).await.map(drop)
    }

    /// Makes the task of a schedule now, out of turn.
    ///
    /// # Errors
    /// [`Error::Api`] with status 409 where the task is refused, 404 where there is no such schedule.
    pub async fn trigger_schedule(&self, name: &str) -> Result<Task, Error> {
        self.send(&Call::post(path(name, "/trigger"), &serde_json::json!({}))?).await?.json()
    }
}

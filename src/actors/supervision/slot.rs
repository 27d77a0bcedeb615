//! A supervisor's record of one child: what it is, and what is wanted of it.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    child::Child,
    obituary::Exit,
    spec::{ChildSpec, Intensity, Restart},
};

/// What the supervisor wants of a child. It steps towards this with each event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    /// Up; an end is a surprise.
    Run,
    /// Down if it is up, then up again once it is due.
    Restart,
    /// Down, and forgotten.
    Gone,
    /// Down, and shown as parked; `Unpark` brings it back.
    Parked,
    /// Down after a normal end; comes back only with its group.
    Ended,
}

/// What a child is doing.
pub(super) enum Doing {
    /// Nothing: not started yet, or ended.
    Nothing,
    /// Its thing. Dropping this ends it.
    Running(Child),
    /// It is about to end, asked or by force; its `Down` is awaited.
    Ending {
        incarnation: u64,
        /// Known when its start function panicked, which its obituary cannot tell.
        exit: Option<Exit>,
    },
}

pub(super) struct Slot {
    pub(super) spec: ChildSpec,
    pub(super) path: Arc<str>,
    pub(super) want: Want,
    pub(super) doing: Doing,
    /// Not to be started before this.
    pub(super) due: Instant,
    /// Failures in a row, for the back-off.
    failures: u32,
    /// This child's own restarts, for a supervisor that parks.
    pub(super) recent: Recent,
    /// Its last start.
    pub(super) since: Instant,
}

impl Slot {
    pub(super) fn new(spec: ChildSpec, path: Arc<str>) -> Self {
        let now = Instant::now();
        Self {
            spec,
            path,
            want: Want::Run,
            doing: Doing::Nothing,
            due: now,
            failures: 0,
            recent: Recent::default(),
            since: now,
        }
    }

    /// The life whose `Down` may come.
    pub(super) fn incarnation(&self) -> Option<u64> {
        match &self.doing {
            Doing::Nothing => None,
            Doing::Running(child) => Some(child.incarnation),
            Doing::Ending { incarnation, .. } => Some(*incarnation),
        }
    }

    pub(super) fn is_down(&self) -> bool {
        matches!(self.doing, Doing::Nothing)
    }

    pub(super) fn is_ending(&self) -> bool {
        matches!(self.doing, Doing::Ending { .. })
    }

    /// Up, and wanted to be down.
    pub(super) fn is_to_stop(&self) -> bool {
        matches!(self.doing, Doing::Running(_)) && self.want != Want::Run
    }

    /// Down, wanted up, and its wait is over.
    pub(super) fn is_to_start(&self, now: Instant) -> bool {
        self.is_down() && matches!(self.want, Want::Run | Want::Restart) && self.due <= now
    }

    pub(super) fn restarts_after(&self, exit: &Exit) -> bool {
        match self.spec.restart {
            Restart::Permanent => true,
            Restart::Transient => *exit != Exit::Normal,
            Restart::Temporary => false,
        }
    }

    /// Counts a failure; returns how many there were in a row. A life longer
    /// than `quiet` has shown that the ones before are over.
    pub(super) fn fail(&mut self, quiet: Duration) -> u32 {
        if self.since.elapsed() > quiet {
            self.failures = 0;
        }
        self.failures = self.failures.saturating_add(1);
        self.failures
    }

    /// Brings a child back that is down for good, or on its way there.
    pub(super) fn revive(&mut self) {
        self.want = Want::Restart;
        self.due = Instant::now();
        self.failures = 0;
        self.recent = Recent::default();
    }
}

/// The restarts inside the sliding window.
#[derive(Default)]
pub(super) struct Recent(VecDeque<Instant>);

impl Recent {
    /// Notes a restart; false if it is one too many.
    pub(super) fn bears(&mut self, now: Instant, intensity: &Intensity) -> bool {
        self.0.push_back(now);
        while self.0.front().is_some_and(|then| now - *then > intensity.within) {
            self.0.pop_front();
        }
        self.0.len() <= intensity.max_restarts
    }
}

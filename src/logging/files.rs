//! `jobqueue_{date}.log`, one file a day (UTC), kept for 30 days.
//!
//! Every record is one write to a file opened for appending, without a buffer of our own: what was logged is with the
//! kernel when the call returns, so nothing is lost with a crashed or killed process, lines of several processes do not
//! mix, and no thread has to be kept alive for it. At the default level a few lines a second make that free.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};

/// Days that a file is kept.
const KEPT_DAYS: i64 = 30;
/// From a failure to open a file to the next attempt: soon enough to notice a repaired disk, rare enough to be free.
const RETRY: SignedDuration = SignedDuration::from_secs(60);

/// The file of the day. Trouble never stops the caller: it is reported once, until a write succeeds again.
pub struct DailyFiles {
    dir: PathBuf,
    clock: fn() -> Timestamp,
    state: State,
    /// Trouble was reported and is not over.
    reported: bool,
    /// The last write was cut short: the next one starts on a line of its own.
    torn: bool,
}

enum State {
    Open {
        file: File,
        day: Date,
    },
    /// Nothing is written before this time.
    Closed {
        retry_at: Timestamp,
    },
}

impl DailyFiles {
    /// Nothing is opened before the first write, or [`Self::prepare`].
    pub fn new(dir: PathBuf, clock: fn() -> Timestamp) -> Self {
        Self { dir, clock, state: State::Closed { retry_at: Timestamp::MIN }, reported: false, torn: false }
    }

    /// Opens today's file and removes old ones. Returns what went wrong.
    pub fn prepare(&mut self) -> Option<String> {
        let now = (self.clock)();
        let opened = self.current(now).map(drop);
        self.report(opened)
    }

    /// Appends one line. Returns what went wrong, the first time it does.
    pub fn write(&mut self, line: &str) -> Option<String> {
        let now = (self.clock)();
        let written = match self.current(now) {
            Ok(None) => return None,
            Ok(Some((file, torn))) => {
                let written = append(file, line, *torn);
                *torn = written.is_err();
                written
            }
            Err(error) => Err(error),
        };
        self.report(written)
    }

    /// Today's file, and whether its last line is incomplete; `None` while waiting to try again.
    fn current(&mut self, now: Timestamp) -> io::Result<Option<(&mut File, &mut bool)>> {
        let today = date(now);
        let stale = match &self.state {
            State::Open { day, .. } => *day != today,
            State::Closed { retry_at } => now >= *retry_at,
        };
        if stale {
            self.torn &= !matches!(self.state, State::Open { .. });
            // Closed first: an error below must not leave yesterday's file in use.
            self.state = State::Closed { retry_at: now.saturating_add(RETRY).unwrap_or(Timestamp::MAX) };
            fs::create_dir_all(&self.dir)?;
            let file = OpenOptions::new().create(true).append(true).open(path(&self.dir, today))?;
            remove_old(&self.dir, today);
            self.state = State::Open { file, day: today };
        }
        match &mut self.state {
            State::Open { file, .. } => Ok(Some((file, &mut self.torn))),
            State::Closed { .. } => Ok(None),
        }
    }

    fn report(&mut self, done: io::Result<()>) -> Option<String> {
        let error = match done {
            Ok(()) => {
                self.reported = false;
                return None;
            }
            Err(error) => error,
        };
        let first = !std::mem::replace(&mut self.reported, true);
        first.then(|| {
            format!(
                "cannot write log files in {}: {error}. The log goes on here only; make the folder writable, or set \
                 LOG_DIR to another one (empty = no files)",
                self.dir.display()
            )
        })
    }
}

fn append(file: &mut File, line: &str, torn: bool) -> io::Result<()> {
    if torn {
        file.write_all(b"\n")?;
    }
    file.write_all(line.as_bytes())
}

fn date(now: Timestamp) -> Date {
    TimeZone::UTC.to_datetime(now).date()
}

fn path(dir: &Path, day: Date) -> PathBuf {
    dir.join(format!("jobqueue_{day}.log"))
}

/// Best effort: a file that cannot be removed today is tried again tomorrow.
fn remove_old(dir: &Path, today: Date) {
    let Ok(oldest) = today.checked_sub(jiff::Span::new().days(KEPT_DAYS)) else { return };
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if day_of(&entry.file_name().to_string_lossy()).is_some_and(|day| day < oldest) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// The day in the name of one of our files; `None` for any other file.
fn day_of(name: &str) -> Option<Date> {
    let day = name.strip_prefix("jobqueue_")?.strip_suffix(".log")?;
    day.parse().ok().filter(|_| day.len() == 10)
}

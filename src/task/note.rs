//! What a handler says while it works: how far it has come, and lines of a log.

use serde::{Deserialize, Serialize};

use super::{Granted, Millis, TaskId};

/// How much a line of a log matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    Debug,
    #[default]
    Info,
    Warn,
    Error,
}

/// A line of an attempt's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    pub at: Millis,
    pub level: LogLevel,
    pub message: String,
}

impl LogLine {
    /// Longest message, in bytes.
    pub const LONGEST: usize = 4_096;

    /// Cut off where it is too long; without NUL, which PostgreSQL cannot keep.
    pub fn new(at: Millis, level: LogLevel, message: &str) -> Self {
        Self { at, level, message: clean(message, Self::LONGEST) }
    }

    pub const fn bytes(&self) -> usize {
        self.message.len()
    }
}

/// How far an attempt has come.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Progress {
    /// 0 to 100.
    pub percent: Option<f64>,
    pub message: Option<String>,
}

impl Progress {
    /// Longest message, in characters.
    pub const LONGEST: usize = 500;

    /// What is out of bounds is brought into them.
    pub fn new(percent: Option<f64>, message: Option<&str>) -> Self {
        let percent = percent.filter(|percent| percent.is_finite()).map(|percent| percent.clamp(0.0, 100.0));
        Self { percent, message: message.map(|message| clean(message, 4 * Self::LONGEST)) }
    }
}

fn clean(text: &str, longest: usize) -> String {
    let end = text.floor_char_boundary(longest);
    let mut cleaned = text[..end].replace('\0', "\u{FFFD}");
    if end < text.len() {
        cleaned.push('…');
    }
    cleaned
}

/// One attempt of one task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AttemptId {
    pub task: TaskId,
    pub generation: u32,
    /// 1 = the first.
    pub number: u32,
}

impl Granted {
    pub const fn attempt_id(&self) -> AttemptId {
        AttemptId { task: self.id, generation: self.generation, number: self.attempt }
    }
}

/// Most that is kept of an attempt's log: lines and bytes. What is older is dropped.
pub const MOST_LINES: usize = 1_000;
pub const MOST_BYTES: usize = 256 * 1024;

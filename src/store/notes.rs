//! What handlers have said of their attempts.

use super::StoreError;
use crate::task::{AttemptId, LogLine, Millis, Progress, TaskId};

/// What has come together of one attempt since the last time.
#[derive(Debug, Clone)]
pub struct Note {
    pub attempt: AttemptId,
    /// Of this piece of the log: ids increase with time.
    pub piece: TaskId,
    pub lines: Vec<LogLine>,
    /// Lines before these that there was no room for.
    pub dropped: u32,
    pub progress: Option<Progress>,
}

/// How far an attempt has come, as it last said.
#[derive(Debug, Clone, PartialEq)]
pub struct ProgressRow {
    pub attempt: AttemptId,
    pub progress: Progress,
    pub at: Millis,
}

/// A piece of an attempt's log.
#[derive(Debug, Clone)]
pub struct LogPiece {
    pub attempt: AttemptId,
    pub id: TaskId,
    /// Lines before these that were dropped.
    pub dropped: u32,
    pub lines: Vec<LogLine>,
}

/// The statements that write it down; part of [`super::Tx`].
pub trait NoteTx {
    /// Drops the oldest of what there is then too much of.
    fn note(&mut self, notes: &[Note], now: Millis) -> Result<(), StoreError>;
}

/// Reads of it; part of [`super::Reader`].
pub trait NoteReader {
    fn progress(&self, tasks: &[TaskId]) -> Result<Vec<ProgressRow>, StoreError>;
    /// Pieces of a task's log from this one on, the oldest first, at most so many.
    fn log(
        &self,
        task: TaskId,
        attempt: Option<u32>,
        from: Option<TaskId>,
        most: usize,
    ) -> Result<Vec<LogPiece>, StoreError>;
    /// Pieces, by task and id.
    fn log_pieces(&self, pieces: &[(TaskId, TaskId)]) -> Result<Vec<LogPiece>, StoreError>;
}

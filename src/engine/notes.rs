//! What handlers say: gathered here, and written down once a second for all of them together.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::Engine;
use crate::{
    broker::{Notice, bus::Events},
    store::{LogPiece, Note, ProgressRow, StoreError},
    task::{
        AttemptId, Granted, LogLevel, LogLine, Progress, TaskId,
        note::{MOST_BYTES, MOST_LINES},
    },
    work::Notes,
};

/// Attempts of which something waits to be written down; what others say meanwhile is dropped.
const MOST_ATTEMPTS: usize = 10_000;
/// Bytes of all their lines together.
const MOST_WAITING: usize = 32 << 20;

/// What waits to be written down.
#[derive(Default)]
pub(super) struct Journal(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    attempts: HashMap<AttemptId, Said>,
    bytes: usize,
}

#[derive(Default)]
struct Said {
    queue: Arc<str>,
    lines: VecDeque<LogLine>,
    bytes: usize,
    dropped: u32,
    progress: Option<Progress>,
}

impl Journal {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn of(&mut self, task: &Granted) -> Option<&mut Said> {
        let attempt = task.attempt_id();
        if self.attempts.len() >= MOST_ATTEMPTS && !self.attempts.contains_key(&attempt) {
            return None;
        }
        Some(self.attempts.entry(attempt).or_insert_with(|| Said { queue: task.queue.clone(), ..Said::default() }))
    }

    fn log(&mut self, task: &Granted, line: LogLine) {
        let full = self.bytes >= MOST_WAITING;
        let Some(said) = self.of(task) else { return };
        let (before, bytes) = (said.bytes, line.bytes());
        said.lines.push_back(line);
        said.bytes += bytes;
        while said.lines.len() > MOST_LINES || said.bytes > MOST_BYTES || (full && said.bytes > before) {
            let Some(oldest) = said.lines.pop_front() else { break };
            said.bytes -= oldest.bytes();
            said.dropped = said.dropped.saturating_add(1);
        }
        let after = said.bytes;
        self.bytes = (self.bytes + after).saturating_sub(before);
    }
}

/// What was written down, for those who watch.
pub struct Noted {
    pub queue: Arc<str>,
    pub note: Note,
}

/// The way from an attempt's handler to the journal.
struct Voice {
    engine: Engine,
    task: Arc<Granted>,
}

impl Notes for Voice {
    fn progress(&self, progress: Progress) {
        self.engine.note_progress(&self.task, progress);
    }

    fn log(&self, level: LogLevel, message: &str) {
        let line = LogLine::new(self.engine.clock().now(), level, message);
        self.engine.note_line(&self.task, line);
    }
}

impl Engine {
    /// By which the handler of an attempt says how far it has come, and what happens.
    pub fn notes(&self, task: &Arc<Granted>) -> Arc<dyn Notes> {
        Arc::new(Voice { engine: self.clone(), task: task.clone() })
    }

    pub fn note_progress(&self, task: &Granted, progress: Progress) {
        if let Some(said) = self.0.journal.waiting().of(task) {
            said.progress = Some(progress);
        }
    }

    pub fn note_line(&self, task: &Granted, line: LogLine) {
        self.0.journal.waiting().log(task, line);
    }

    /// Writes down what has come together. Where the store fails it is lost but for what is said anew: it is no outcome.
    pub async fn flush_notes(&self) -> Result<Vec<Noted>, StoreError> {
        let attempts = {
            let mut waiting = self.0.journal.waiting();
            waiting.bytes = 0;
            std::mem::take(&mut waiting.attempts)
        };
        if attempts.is_empty() {
            return Ok(Vec::new());
        }
        let mut noted: Vec<Noted> = attempts.into_iter().map(noted).collect();
        // As every batch is locked.
        noted.sort_unstable_by_key(|one| one.note.attempt.task);
        let notes: Vec<Note> = noted.iter().map(|one| one.note.clone()).collect();
        let pieces = notes.iter().take(Events::MAX_NOTED).map(|note| (note.attempt.task, note.piece)).collect();
        self.admin(move |tx, now| tx.note(&notes, now), |(), _| {}).await?;
        if self.has_peers() {
            self.tell_peers(Notice::Events(Events { noted: pieces, ..Events::default() }));
        }
        Ok(noted)
    }

    /// What another node has written down; blocks.
    pub(super) fn noted_elsewhere(&self, pieces: &[(TaskId, TaskId)]) -> Result<Vec<Noted>, StoreError> {
        let tasks: Vec<TaskId> = pieces.iter().map(|(task, _)| *task).collect();
        let progress: HashMap<TaskId, ProgressRow> =
            self.reader().progress(&tasks)?.into_iter().map(|row| (row.attempt.task, row)).collect();
        let mut logs: HashMap<TaskId, LogPiece> =
            self.reader().log_pieces(pieces)?.into_iter().map(|piece| (piece.attempt.task, piece)).collect();
        let mut noted = Vec::with_capacity(pieces.len());
        for (task, piece) in pieces {
            let Some(queue) = self.reader().queue_of(*task)? else { continue };
            let (row, log) = (progress.get(task), logs.remove(task));
            let Some(attempt) = row.map(|row| row.attempt).or_else(|| log.as_ref().map(|log| log.attempt)) else {
                continue;
            };
            let (lines, dropped) = log.map(|log| (log.lines, log.dropped)).unwrap_or_default();
            let progress = row.map(|row| row.progress.clone());
            noted.push(Noted { queue: queue.into(), note: Note { attempt, piece: *piece, lines, dropped, progress } });
        }
        Ok(noted)
    }
}

fn noted((attempt, said): (AttemptId, Said)) -> Noted {
    let Said { queue, lines, dropped, progress, .. } = said;
    Noted { queue, note: Note { attempt, piece: TaskId::new(), lines: lines.into(), dropped, progress } }
}

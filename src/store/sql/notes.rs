//! What handlers say: the log of each attempt in pieces, one for each time that a node writes down what has come together.

use std::collections::HashMap;

use diesel::prelude::*;

use super::{
    Backend, Connection,
    key::{Uid, uid},
    reader::PooledReader,
    records::{reading, task_id},
    schema::{task_logs, task_progress},
    tx::Writer,
};
use crate::{
    store::{LogPiece, Note, NoteReader, NoteTx, ProgressRow, StoreError},
    task::{
        AttemptId, Millis, Progress, TaskId,
        note::{MOST_BYTES, MOST_LINES},
    },
};

impl NoteTx for Writer {
    fn note(&mut self, notes: &[Note], now: Millis) -> Result<(), StoreError> {
        let connection = &mut self.connection;
        let done = notes.iter().try_for_each(|note| keep(connection, note, now));
        let done = done.and_then(|()| trim(connection, notes));
        self.told(done)
    }
}

fn keep(connection: &mut Connection, note: &Note, now: Millis) -> QueryResult<()> {
    let attempt = &note.attempt;
    let task = uid(attempt.task.as_bytes());
    let (generation, number) = (reading::signed(attempt.generation), reading::signed(attempt.number));
    if let Some(progress) = &note.progress {
        let said = (
            task_progress::generation.eq(generation),
            task_progress::attempt.eq(number),
            task_progress::percent.eq(progress.percent),
            task_progress::message.eq(&progress.message),
            task_progress::at.eq(now),
        );
        diesel::insert_into(task_progress::table)
            .values((task_progress::task_id.eq(task), said.0, said.1, said.2, said.3, said.4))
            .on_conflict(task_progress::task_id)
            .do_update()
            .set(said)
            .execute(connection)?;
    }
    if note.lines.is_empty() {
        return Ok(());
    }
    let bytes: usize = note.lines.iter().map(crate::task::LogLine::bytes).sum();
    let row = (
        task_logs::task_id.eq(task),
        task_logs::id.eq(uid(note.piece.as_bytes())),
        task_logs::generation.eq(generation),
        task_logs::attempt.eq(number),
        task_logs::lines.eq(i32::try_from(note.lines.len()).unwrap_or(i32::MAX)),
        task_logs::bytes.eq(i32::try_from(bytes).unwrap_or(i32::MAX)),
        task_logs::dropped.eq(reading::signed(note.dropped)),
        task_logs::body.eq(serde_json::to_string(&note.lines).unwrap_or_default()),
    );
    diesel::insert_into(task_logs::table).values(row).execute(connection).map(|_| ())
}

/// A piece by what it takes up.
#[derive(Queryable, Selectable)]
#[diesel(table_name = task_logs)]
struct Size {
    task_id: Vec<u8>,
    id: Vec<u8>,
    generation: i32,
    attempt: i32,
    lines: i32,
    bytes: i32,
    dropped: i32,
}

/// All attempts of a task together may have so many times what one may.
const ATTEMPTS: usize = 4;

fn trim(connection: &mut Connection, notes: &[Note]) -> QueryResult<()> {
    let tasks: Vec<Uid> =
        notes.iter().filter(|note| !note.lines.is_empty()).map(|note| uid(note.attempt.task.as_bytes())).collect();
    if tasks.is_empty() {
        return Ok(());
    }
    let sizes: Vec<Size> = task_logs::table
        .filter(task_logs::task_id.eq_any(tasks))
        .order((task_logs::task_id, task_logs::id))
        .select(Size::as_select())
        .load(connection)?;
    let (mut by_attempt, mut by_task): (HashMap<_, Vec<_>>, HashMap<_, Vec<_>>) = Default::default();
    for size in &sizes {
        by_attempt.entry((&size.task_id, size.generation, size.attempt)).or_default().push(size);
        by_task.entry(&size.task_id).or_default().push(size);
    }
    for pieces in by_attempt.values() {
        cut(connection, pieces, 1)?;
    }
    for pieces in by_task.values() {
        cut(connection, pieces, ATTEMPTS)?;
    }
    Ok(())
}

/// The oldest pieces of what is too long go; what they had is counted at the first that stays.
fn cut(connection: &mut Connection, pieces: &[&Size], times: usize) -> QueryResult<()> {
    let size = |n: i32| usize::try_from(n).unwrap_or(0);
    let mut lines: usize = pieces.iter().map(|piece| size(piece.lines)).sum();
    let mut bytes: usize = pieces.iter().map(|piece| size(piece.bytes)).sum();
    let (mut gone, mut dropped) = (Vec::new(), 0);
    let mut first = None;
    for piece in pieces {
        if lines <= times * MOST_LINES && bytes <= times * MOST_BYTES {
            first = Some(piece);
            break;
        }
        lines -= size(piece.lines);
        bytes -= size(piece.bytes);
        dropped += piece.lines + piece.dropped;
        gone.push(uid(&piece.id));
    }
    let Some(last) = pieces.last().filter(|_| !gone.is_empty()) else { return Ok(()) };
    let of_task = task_logs::table.filter(task_logs::task_id.eq(uid(&last.task_id)));
    diesel::delete(of_task.filter(task_logs::id.eq_any(gone))).execute(connection)?;
    if let Some(first) = first {
        diesel::update(task_logs::table.find((uid(&first.task_id), uid(&first.id))))
            .set(task_logs::dropped.eq(task_logs::dropped + dropped))
            .execute(connection)?;
    }
    Ok(())
}

/// With the task.
pub(super) fn forget(connection: &mut Connection, task: &[u8]) -> QueryResult<()> {
    diesel::delete(task_logs::table.filter(task_logs::task_id.eq(uid(task)))).execute(connection)?;
    diesel::delete(task_progress::table.find(uid(task))).execute(connection).map(|_| ())
}

impl NoteReader for PooledReader {
    fn progress(&self, tasks: &[TaskId]) -> Result<Vec<ProgressRow>, StoreError> {
        let ids: Vec<Uid> = tasks.iter().map(|id| uid(id.as_bytes())).collect();
        type Row = (Vec<u8>, i32, i32, Option<f64>, Option<String>, i64);
        let columns = (
            task_progress::task_id,
            task_progress::generation,
            task_progress::attempt,
            task_progress::percent,
            task_progress::message,
            task_progress::at,
        );
        let rows = task_progress::table.filter(task_progress::task_id.eq_any(ids)).select(columns);
        let rows: Vec<Row> = self.read(|connection| rows.load(connection))?;
        let row = |(task, generation, number, percent, message, at): Row| ProgressRow {
            attempt: attempt(&task, generation, number),
            progress: Progress { percent, message },
            at,
        };
        Ok(rows.into_iter().map(row).collect())
    }

    fn log(
        &self,
        task: TaskId,
        attempt: Option<u32>,
        from: Option<TaskId>,
        most: usize,
    ) -> Result<Vec<LogPiece>, StoreError> {
        let mut query = task_logs::table.filter(task_logs::task_id.eq(uid(task.as_bytes()))).into_boxed::<Backend>();
        if let Some(number) = attempt {
            query = query.filter(task_logs::attempt.eq(reading::signed(number)));
        }
        if let Some(from) = from {
            query = query.filter(task_logs::id.ge(uid(from.as_bytes())));
        }
        let query = query.order(task_logs::id).limit(most as i64).select(PIECE);
        let rows: Vec<Piece> = self.read(|connection| query.load(connection))?;
        Ok(rows.into_iter().map(piece).collect())
    }

    fn log_pieces(&self, pieces: &[(TaskId, TaskId)]) -> Result<Vec<LogPiece>, StoreError> {
        // Ids of pieces are unique by themselves; that of the task finds them by the key.
        let tasks: Vec<Uid> = pieces.iter().map(|(task, _)| uid(task.as_bytes())).collect();
        let ids: Vec<Uid> = pieces.iter().map(|(_, id)| uid(id.as_bytes())).collect();
        let query = task_logs::table.filter(task_logs::task_id.eq_any(tasks)).filter(task_logs::id.eq_any(ids));
        let rows: Vec<Piece> = self.read(|connection| query.select(PIECE).load(connection))?;
        Ok(rows.into_iter().map(piece).collect())
    }
}

type Piece = (Vec<u8>, Vec<u8>, i32, i32, i32, String);

const PIECE: (
    task_logs::task_id,
    task_logs::id,
    task_logs::generation,
    task_logs::attempt,
    task_logs::dropped,
    task_logs::body,
) = (task_logs::task_id, task_logs::id, task_logs::generation, task_logs::attempt, task_logs::dropped, task_logs::body);

fn piece((task, id, generation, number, dropped, body): Piece) -> LogPiece {
    LogPiece {
        attempt: attempt(&task, generation, number),
        id: task_id(&id),
        dropped: reading::count(dropped),
        lines: serde_json::from_str(&body).unwrap_or_default(),
    }
}

fn attempt(task: &[u8], generation: i32, number: i32) -> AttemptId {
    AttemptId { task: task_id(task), generation: reading::count(generation), number: reading::count(number) }
}

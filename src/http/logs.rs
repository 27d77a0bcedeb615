//! `GET /tasks/{id}/logs`: what the handlers of a task have said.

use actix_web::{HttpResponse, web::Data};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    ApiState,
    problem::Problem,
    query::{self, Query},
    reply,
    tasks::Id,
    time::Time,
};
use crate::{
    store::{LogPiece, Reader, StoreError},
    task::{LogLevel, LogLine, TaskId},
};

/// Lines on one page.
const MOST: usize = 1_000;
/// Pieces that are read for it.
const PIECES: usize = 1_001;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct LogsQuery {
    /// Of attempts of this number only.
    #[param(value_type = Option<u32>, minimum = 1)]
    attempt: Option<String>,
    /// 1 to 1000; all there can be if not given.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<String>,
    cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = LogLine)]
pub(super) struct LineView {
    at: Time,
    level: LogLevel,
    message: String,
    attempt: u32,
    generation: u32,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Log)]
pub(super) struct LogView {
    /// The oldest first.
    data: Vec<LineView>,
    /// Lines that are not kept any more, before those on this page.
    dropped: u64,
    next_cursor: Option<String>,
    prev_cursor: Option<String>,
}

/// Reads what the handlers of a task have said
///
/// Of each attempt the last 1000 lines, and at most 256 KiB, are kept; they are there about a second after they were said.
#[utoipa::path(
    get, path = "/api/v1/tasks/{id}/logs", operation_id = "get_logs", tag = "tasks",
    params(("id" = String, Path, format = Uuid), LogsQuery),
    responses((status = 200, body = LogView))
)]
pub(super) async fn logs(state: Data<ApiState>, id: Id, query: Query<LogsQuery>) -> Result<HttpResponse, Problem> {
    let LogsQuery { attempt, limit, cursor } = query.0;
    let limit = number("limit", limit.as_deref(), MOST)?.unwrap_or(MOST);
    let attempt =
        number("attempt", attempt.as_deref(), u32::MAX as usize)?.and_then(|number| u32::try_from(number).ok());
    let cursor = cursor.as_deref().map(Place::read).transpose()?;
    let id = id.0;
    let page = state.read(move |reader| page(reader, id, attempt, cursor, limit)).await?;
    reply::ok(&page.ok_or_else(|| super::tasks::no_task(id))?)
}

fn number(name: &str, text: Option<&str>, most: usize) -> Result<Option<usize>, Problem> {
    match text.map(str::parse::<usize>) {
        None => Ok(None),
        Some(Ok(number)) if (1..=most).contains(&number) => Ok(Some(number)),
        Some(_) => Err(query::invalid(name, format!("is a number from 1 to {most}"))),
    }
}

/// Where a page begins: a piece, and how many of its lines came before.
#[derive(Debug, Clone, Copy)]
struct Place {
    piece: TaskId,
    line: usize,
}

impl Place {
    fn read(text: &str) -> Result<Self, Problem> {
        let read = || {
            let (piece, line) = text.rsplit_once('.')?;
            Some(Self { piece: piece.parse().ok()?, line: line.parse().ok()? })
        };
        read().ok_or_else(|| query::invalid("cursor", "is none that a page of this log has given"))
    }

    fn write(self) -> String {
        format!("{}.{}", self.piece, self.line)
    }
}

fn page(
    reader: &dyn Reader,
    id: TaskId,
    attempt: Option<u32>,
    from: Option<Place>,
    limit: usize,
) -> Result<Option<LogView>, StoreError> {
    if reader.queue_of(id)?.is_none() {
        return Ok(None);
    }
    let pieces = reader.log(id, attempt, from.map(|place| place.piece), PIECES)?;
    let mut view = LogView { data: Vec::new(), dropped: 0, next_cursor: None, prev_cursor: None };
    for LogPiece { attempt, id, dropped, lines } in pieces {
        let skipped = from.filter(|place| place.piece == id).map_or(0, |place| place.line);
        if skipped == 0 {
            view.dropped += u64::from(dropped);
        }
        for (index, LogLine { at, level, message }) in lines.into_iter().enumerate().skip(skipped) {
            if view.data.len() == limit {
                view.next_cursor = Some(Place { piece: id, line: index }.write());
                return Ok(Some(view));
            }
            let (number, generation) = (attempt.number, attempt.generation);
            view.data.push(LineView { at: Time(at), level, message, attempt: number, generation });
        }
    }
    Ok(Some(view))
}

//! What each route needs: the scope, and the queue by which a key that is good for some queues only is let in.
//!
//! A route says what it needs where it is declared, and cannot be declared without. Whoever is not let in has told the
//! handler nothing: nothing of the body has been read.

use actix_web::{
    Error, HttpMessage as _,
    body::BoxBody,
    dev::{ServiceRequest, ServiceResponse},
    middleware::Next,
    web::Data,
};

use super::{ApiState, caller::Caller, code::Code, dlq, problem::Problem, tasks, workflows};
use crate::task::{Scope, TaskId};

/// What a route needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// Nothing: it tells nobody anything.
    Open,
    /// A key with this scope. One that is good for some queues only is let in if the path names one of them, a task in one of
    /// them, or a workflow whose tasks are all in some of them; if it names none of these, it is not.
    Key(Scope),
    /// The same, but the handler itself shows or takes only what is in the key's queues.
    Sifted(Scope),
}

impl From<Scope> for Need {
    fn from(scope: Scope) -> Self {
        Self::Key(scope)
    }
}

impl Need {
    pub(super) fn scope(self) -> Option<Scope> {
        match self {
            Self::Open => None,
            Self::Key(scope) | Self::Sifted(scope) => Some(scope),
        }
    }
}

/// What a path is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    Queue,
    Task,
    DeadLetter,
    Workflow,
    Other,
}

impl Subject {
    pub(super) fn of(path: &str) -> Self {
        if path.contains("{queue}") {
            Self::Queue
        } else if path.starts_with("/tasks/{id}") {
            Self::Task
        } else if path.starts_with("/dlq/{id}") {
            Self::DeadLetter
        } else if path.starts_with("/workflows/{id}") {
            Self::Workflow
        } else {
            Self::Other
        }
    }
}

/// Lets a request in, or answers it.
pub(super) async fn admit(
    request: ServiceRequest,
    next: Next<BoxBody>,
    need: Need,
    subject: Subject,
) -> Result<ServiceResponse<BoxBody>, Error> {
    match check(&request, need, subject).await {
        Ok(()) => next.call(request).await,
        Err(problem) => Ok(request.error_response(problem)),
    }
}

async fn check(request: &ServiceRequest, need: Need, subject: Subject) -> Result<(), Problem> {
    let Some(scope) = need.scope() else { return Ok(()) };
    let caller = Caller::identify(request.request())?;
    if !caller.may(scope) {
        let held = caller.key().map(|key| key.scopes.to_string()).unwrap_or_default();
        let detail = format!("This needs an API key with the scope {scope}; this one has {held}");
        return Err(Problem::new(Code::MissingScope, detail));
    }
    if caller.is_restricted() {
        check_queue(request, &caller, need, subject).await?;
    }
    // Without a key too: whether none is asked for is to be looked at again once the body is there.
    request.extensions_mut().insert(caller);
    Ok(())
}

async fn check_queue(request: &ServiceRequest, caller: &Caller, need: Need, subject: Subject) -> Result<(), Problem> {
    let part = |name: &str| request.match_info().get(name).unwrap_or_default();
    let absent: fn(TaskId) -> Problem = match subject {
        Subject::Queue => return caller.check_queue(part("queue")),
        Subject::Other if matches!(need, Need::Sifted(_)) => return Ok(()),
        Subject::Other => {
            let detail = format!(
                "This is about all queues, and this API key is good for {} only: use one without queues",
                caller.queues()
            );
            return Err(Problem::new(Code::QueueNotAllowed, detail));
        }
        Subject::Task => tasks::no_task,
        Subject::DeadLetter => dlq::no_dead_letter,
        Subject::Workflow => workflows::read::no_workflow,
    };
    // A text that is no id is answered by the handler, as everybody's is.
    let Ok(id) = part("id").parse::<TaskId>() else { return Ok(()) };
    let state = request.app_data::<Data<ApiState>>().ok_or_else(Problem::internal)?;
    // A task never changes its queue: what holds now holds when the handler comes to it.
    let queues = state.read(move |reader| match subject {
        Subject::Workflow => Ok(reader.workflow_queues(id)?.unwrap_or_default()),
        _ => Ok(reader.queue_of(id)?.into_iter().collect()),
    });
    if queues.await?.iter().all(|queue| caller.sees(queue)) { Ok(()) } else { Err(absent(id)) }
}

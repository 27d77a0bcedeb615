//! What a task does: the kinds of handlers, and running one attempt of one task.
//!
//! A [`Handler`] makes an [`Outcome`] of a [`TaskContext`]; the [`Registry`] finds it by the task's name; [`perform`]
//! adds what every attempt needs: the time limit, cancelling with a grace, and panics turned into outcomes. Nothing in
//! here knows of a store or a broker: a granted task comes in, an outcome goes out.

mod arguments;
mod assignment;
mod blocking;
pub mod command;
mod context;
pub mod demo;
mod extract;
mod failure;
mod function;
pub mod guard;
mod layer;
mod leftovers;
mod notes;
mod registry;
mod runner;
mod stop;
pub mod witness;

use futures_util::future::BoxFuture;

pub use arguments::Arguments;
pub use assignment::{Assignment, Parent};
pub use command::{CommandHandler, CommandSpec, Limits, PersistentHandler, Recycling};
pub use context::TaskContext;
pub use extract::{BlockingFunction, Data, FromTask, State, TaskFunction};
pub use failure::{IntoFailure, Snooze, TaskFailure};
pub use guard::Guard;
pub use layer::{Layer, Next};
pub use notes::Notes;
pub use registry::{RegisterError, Registry};
pub use runner::{given_up, perform};
pub use stop::{AtWork, StopReason, StopSignal};

use crate::task::Outcome;

/// Runs tasks of one name.
///
/// The future is dropped when its time or its grace is over, or when the slot that runs it goes away: dropping it must
/// end all it started. It should watch [`TaskContext::cancelled`] to be able to end in order before that.
pub trait Handler: Send + Sync + 'static {
    /// What sort of handler it is, for lists: `function`, `command`, …
    fn kind(&self) -> &'static str;

    /// One attempt.
    fn run(&self, context: TaskContext) -> BoxFuture<'static, Outcome>;

    /// The type of some [`Data`] that it needs and that is not registered.
    fn missing(&self, _: &State) -> Option<&'static str> {
        None
    }
}

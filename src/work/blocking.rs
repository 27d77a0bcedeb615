//! Rust functions that block: each attempt on a thread of its own.
//!
//! Nobody can end a thread. One that is asked to stop may look ([`TaskContext::is_cancelled`]) or wait
//! ([`TaskContext::cancelled_within`]); one that does neither goes on after its attempt was ended, and is shown as stuck.

use std::{
    marker::PhantomData,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use futures_util::future::BoxFuture;
use serde::{Serialize, de::DeserializeOwned};
use tokio_util::task::AbortOnDropHandle;

use super::{
    Handler, IntoFailure, RegisterError, Registry, TaskContext, arguments, failure::panicked, function::conclude,
    witness,
};
use crate::task::Outcome;

impl Registry {
    /// Registers a function that blocks for tasks named `name`; otherwise as [`Registry::task`].
    ///
    /// ```
    /// # use jobqueue::work::{Registry, TaskFailure};
    /// let mut registry = Registry::new();
    /// registry.blocking_task("copy", |context, (from, to): (String, String)| {
    ///     if context.is_cancelled() {
    ///         return Err(TaskFailure::new("was asked to stop"));
    ///     }
    ///     Ok(std::fs::copy(from, to)?)
    /// })?;
    /// # Ok::<(), jobqueue::work::RegisterError>(())
    /// ```
    pub fn blocking_task<F, Args, Value, Fault, Via>(
        &mut self,
        name: impl Into<String>,
        function: F,
    ) -> Result<&mut Self, RegisterError>
    where
        F: Fn(TaskContext, Args) -> Result<Value, Fault> + Send + Sync + 'static,
        Args: DeserializeOwned + 'static,
        Value: Serialize + 'static,
        Fault: IntoFailure<Via> + 'static,
        Via: 'static,
    {
        self.add(name, Blocking { function: Arc::new(function), types: PhantomData })
    }
}

/// The handler behind [`Registry::blocking_task`].
struct Blocking<F, Args, Via> {
    function: Arc<F>,
    types: PhantomData<fn(Args) -> Via>,
}

impl<F, Args, Value, Fault, Via> Handler for Blocking<F, Args, Via>
where
    F: Fn(TaskContext, Args) -> Result<Value, Fault> + Send + Sync + 'static,
    Args: DeserializeOwned + 'static,
    Value: Serialize + 'static,
    Fault: IntoFailure<Via> + 'static,
    Via: 'static,
{
    fn kind(&self) -> &'static str {
        "blocking"
    }

    fn run(&self, context: TaskContext) -> BoxFuture<'static, Outcome> {
        let function = Arc::clone(&self.function);
        on_a_thread(context, move |context| match arguments::read(context.args_json(), context.kwargs_json()) {
            Err(misfit) => misfit.into(),
            Ok(args) => conclude(function(context, args)),
        })
    }
}

/// Runs an attempt on a thread. The future dropped, a thread that has begun goes on, and counts as at work until it ends.
pub(super) fn on_a_thread(
    context: TaskContext,
    attempt: impl FnOnce(TaskContext) -> Outcome + Send + 'static,
) -> BoxFuture<'static, Outcome> {
    Box::pin(async move {
        let (at_work, token) = (context.at_work(), context.lease());
        let running = AbortOnDropHandle::new(tokio::task::spawn_blocking(move || {
            let attempt = AssertUnwindSafe(|| witness::during(token, || attempt(context)));
            let outcome = catch_unwind(attempt).unwrap_or_else(|payload| panicked(&*payload));
            // Before anybody hears of the outcome: it is over.
            drop(at_work);
            outcome
        }));
        // It has not begun, and will not: the runtime ends.
        running.await.unwrap_or(Outcome::Interrupted)
    })
}

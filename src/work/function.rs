//! Rust functions as handlers.

use std::{future::Future, io, marker::PhantomData};

use futures_util::future::{self, BoxFuture};
use serde::{Serialize, de::DeserializeOwned};

use super::{Handler, IntoFailure, RegisterError, Registry, TaskContext, TaskFailure, arguments};
use crate::task::{ErrorKind, Outcome};

impl Registry {
    /// Registers an async function for tasks named `name`.
    ///
    /// Its arguments become an `Args` by the rule of [`super::Arguments`]; where they do not fit, the task fails with
    /// the field named and is not retried. What it returns is serialised as the task's result. A panic is a failed
    /// attempt with the panic's message.
    ///
    /// ```
    /// # use jobqueue::work::{Registry, TaskFailure};
    /// #[derive(serde::Deserialize)]
    /// struct Scale { values: Vec<i64>, factor: i64 }
    ///
    /// let mut registry = Registry::new();
    /// registry.task("scale", |context, args: Scale| async move {
    ///     if args.factor == 0 {
    ///         return Err(TaskFailure::new("the factor is 0").not_retryable());
    ///     }
    ///     Ok(args.values.iter().map(|value| value * args.factor).collect::<Vec<_>>())
    /// })?;
    /// # Ok::<(), jobqueue::work::RegisterError>(())
    /// ```
    pub fn task<F, Args, Running, Value, Fault, Via>(
        &mut self,
        name: impl Into<String>,
        function: F,
    ) -> Result<&mut Self, RegisterError>
    where
        F: Fn(TaskContext, Args) -> Running + Send + Sync + 'static,
        Args: DeserializeOwned + 'static,
        Running: Future<Output = Result<Value, Fault>> + Send + 'static,
        Value: Serialize,
        Fault: IntoFailure<Via>,
        Via: 'static,
    {
        self.add(name, Function { function, types: PhantomData })
    }
}

/// The handler behind [`Registry::task`].
struct Function<F, Args, Via> {
    function: F,
    types: PhantomData<fn(Args) -> Via>,
}

impl<F, Args, Running, Value, Fault, Via> Handler for Function<F, Args, Via>
where
    F: Fn(TaskContext, Args) -> Running + Send + Sync + 'static,
    Args: DeserializeOwned + 'static,
    Running: Future<Output = Result<Value, Fault>> + Send + 'static,
    Value: Serialize,
    Fault: IntoFailure<Via>,
    Via: 'static,
{
    fn kind(&self) -> &'static str {
        "function"
    }

    fn run(&self, context: TaskContext) -> BoxFuture<'static, Outcome> {
        match arguments::read(context.args_json(), context.kwargs_json()) {
            Err(misfit) => Box::pin(future::ready(misfit.into())),
            Ok(args) => {
                let running = (self.function)(context, args);
                Box::pin(async move { conclude(running.await) })
            }
        }
    }
}

pub(super) fn conclude<Value: Serialize, Fault: IntoFailure<Via>, Via>(returned: Result<Value, Fault>) -> Outcome {
    match returned {
        Ok(value) => {
            let mut written = Bounded(Vec::with_capacity(128));
            match (serde_json::to_writer(&mut written, &value), String::from_utf8(written.0)) {
                (Ok(()), Ok(result)) => Outcome::Success(result),
                (Err(error), _) if error.is_io() => Outcome::failure(
                    ErrorKind::Output,
                    format!("its result is longer than {LONGEST_RESULT} bytes: keep it elsewhere and return where"),
                ),
                // The types decide it (a map with keys that are not text): it would fail again.
                (Err(error), _) => TaskFailure::new(format!("the result is not JSON: {error}")).not_retryable().into(),
                (Ok(()), Err(error)) => {
                    TaskFailure::new(format!("the result is not JSON: {error}")).not_retryable().into()
                }
            }
        }
        Err(fault) => fault.into_failure().into(),
    }
}

/// Longest result of a function, in bytes.
const LONGEST_RESULT: usize = 16 * 1024 * 1024;

/// Takes no more than a result may be long.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        if self.0.len() + part.len() > LONGEST_RESULT {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

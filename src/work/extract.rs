//! What a function is given of its task, by the types of its parameters.

use std::{
    any::{Any, TypeId, type_name},
    collections::HashMap,
    fmt,
    marker::PhantomData,
    ops::Deref,
    sync::Arc,
};

use futures_util::future::{self, BoxFuture};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    Handler, IntoFailure, RegisterError, Registry, TaskContext, TaskFailure, arguments, blocking::on_a_thread,
    function::conclude,
};
use crate::task::Outcome;

/// A parameter of a function that is registered with [`Registry::function`].
///
/// | type | is given |
/// |---|---|
/// | any type that serde reads | the task's arguments, by the rule of [`super::Arguments`] |
/// | [`TaskContext`] | the attempt |
/// | [`Data<T>`] | what was registered with [`Registry::data`] |
///
/// Types of other crates' authors may implement it too: a connection out of a pool, the customer that `meta` names.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a parameter of a task's function",
    note = "use TaskContext, Data<T>, or a type that implements serde::Deserialize"
)]
pub trait FromTask: Sized {
    /// Makes it, once for each attempt; a failure is the attempt's.
    fn from_task(context: &TaskContext) -> Result<Self, TaskFailure>;

    /// What is missing for it to be ever made, before anything is run.
    fn missing(_: &State) -> Option<&'static str> {
        None
    }
}

impl<T: DeserializeOwned> FromTask for T {
    fn from_task(context: &TaskContext) -> Result<Self, TaskFailure> {
        arguments::read(context.args_json(), context.kwargs_json())
    }
}

impl FromTask for TaskContext {
    fn from_task(context: &TaskContext) -> Result<Self, TaskFailure> {
        Ok(context.clone())
    }
}

/// Something that all attempts share: a pool of connections, a client, a configuration. Cheap to clone.
#[derive(Debug)]
pub struct Data<T>(Arc<T>);

impl<T> Data<T> {
    /// To be registered with [`Registry::shared`], and kept beside.
    pub fn new(value: T) -> Self {
        Self(Arc::new(value))
    }
}

impl<T> Clone for Data<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Deref for Data<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Send + Sync + 'static> FromTask for Data<T> {
    fn from_task(context: &TaskContext) -> Result<Self, TaskFailure> {
        let missing =
            || TaskFailure::new(format!("no data of the type {} is registered", type_name::<T>())).not_retryable();
        context.state().get().map(Self).ok_or_else(missing)
    }

    fn missing(state: &State) -> Option<&'static str> {
        state.get::<T>().is_none().then(type_name::<T>)
    }
}

/// One value of each type.
#[derive(Clone, Default)]
pub struct State(Arc<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>);

impl State {
    pub(super) fn set<T: Send + Sync + 'static>(&mut self, data: Data<T>) {
        Arc::make_mut(&mut self.0).insert(TypeId::of::<T>(), data.0);
    }

    fn get<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        Arc::clone(self.0.get(&TypeId::of::<T>())?).downcast().ok()
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "State({} types)", self.0.len())
    }
}

/// An async function whose parameters are all [`FromTask`]. `Shape` only tells the implementations from each other.
pub trait TaskFunction<Shape>: Send + Sync + 'static {
    fn start(&self, context: &TaskContext) -> BoxFuture<'static, Outcome>;
    fn missing(state: &State) -> Option<&'static str>;
}

/// The same of a function that blocks.
pub trait BlockingFunction<Shape>: Send + Sync + 'static {
    fn work(&self, context: &TaskContext) -> Outcome;
    fn missing(state: &State) -> Option<&'static str>;
}

macro_rules! functions {
    ($($parameter:ident)*) => {
        impl<Function, Running, Value, Fault, Via, $($parameter),*> TaskFunction<fn($($parameter),*) -> Via> for Function
        where
            Function: Fn($($parameter),*) -> Running + Send + Sync + 'static,
            Running: Future<Output = Result<Value, Fault>> + Send + 'static,
            Value: Serialize,
            Fault: IntoFailure<Via>,
            $($parameter: FromTask,)*
        {
            #[allow(unused_variables, reason = "a function without parameters needs nothing of its task")]
            fn start(&self, context: &TaskContext) -> BoxFuture<'static, Outcome> {
                let given = || Ok::<_, TaskFailure>(self($($parameter::from_task(context)?),*));
                match given() {
                    Err(failure) => Box::pin(future::ready(failure.into())),
                    Ok(running) => Box::pin(async move { conclude(running.await) }),
                }
            }

            #[allow(unused_variables, reason = "as above")]
            fn missing(state: &State) -> Option<&'static str> {
                None$(.or_else(|| $parameter::missing(state)))*
            }
        }

        impl<Function, Value, Fault, Via, $($parameter),*> BlockingFunction<fn($($parameter),*) -> Via> for Function
        where
            Function: Fn($($parameter),*) -> Result<Value, Fault> + Send + Sync + 'static,
            Value: Serialize,
            Fault: IntoFailure<Via>,
            $($parameter: FromTask,)*
        {
            #[allow(unused_variables, reason = "as above")]
            fn work(&self, context: &TaskContext) -> Outcome {
                let given = || Ok::<_, TaskFailure>(self($($parameter::from_task(context)?),*));
                given().map_or_else(Into::into, conclude)
            }

            #[allow(unused_variables, reason = "as above")]
            fn missing(state: &State) -> Option<&'static str> {
                None$(.or_else(|| $parameter::missing(state)))*
            }
        }
    };
}

functions! {}
functions! { A }
functions! { A B }
functions! { A B C }
functions! { A B C D }

impl Registry {
    /// Registers an async function that says by the types of its parameters what it is to be given; otherwise as
    /// [`Registry::task`].
    ///
    /// ```
    /// # use jobqueue::work::{Data, Registry, TaskContext, TaskFailure};
    /// struct Rates { dollars_per_euro: f64 }
    ///
    /// async fn convert((euros,): (f64,), rates: Data<Rates>, context: TaskContext) -> Result<f64, TaskFailure> {
    ///     if context.is_cancelled() {
    ///         return Err(TaskFailure::new("nobody wants to know any more"));
    ///     }
    ///     Ok(euros * rates.dollars_per_euro)
    /// }
    ///
    /// let mut registry = Registry::new();
    /// registry.data(Rates { dollars_per_euro: 1.1 }).function("convert", convert)?;
    /// # Ok::<(), jobqueue::work::RegisterError>(())
    /// ```
    pub fn function<F, Shape>(&mut self, name: impl Into<String>, function: F) -> Result<&mut Self, RegisterError>
    where
        F: TaskFunction<Shape>,
        Shape: 'static,
    {
        self.add(name, Extracted { function, shape: PhantomData::<fn(Shape)> })
    }

    /// The same for a function that blocks: each attempt has a thread of its own.
    pub fn blocking_function<F, Shape>(
        &mut self,
        name: impl Into<String>,
        function: F,
    ) -> Result<&mut Self, RegisterError>
    where
        F: BlockingFunction<Shape>,
        Shape: 'static,
    {
        self.add(name, ExtractedBlocking { function: Arc::new(function), shape: PhantomData::<fn(Shape)> })
    }
}

/// The handler behind [`Registry::function`].
struct Extracted<F, Shape> {
    function: F,
    shape: PhantomData<fn(Shape)>,
}

impl<F: TaskFunction<Shape>, Shape: 'static> Handler for Extracted<F, Shape> {
    fn kind(&self) -> &'static str {
        "function"
    }

    fn run(&self, context: TaskContext) -> BoxFuture<'static, Outcome> {
        self.function.start(&context)
    }

    fn missing(&self, state: &State) -> Option<&'static str> {
        F::missing(state)
    }
}

/// The handler behind [`Registry::blocking_function`].
struct ExtractedBlocking<F, Shape> {
    function: Arc<F>,
    shape: PhantomData<fn(Shape)>,
}

impl<F: BlockingFunction<Shape>, Shape: 'static> Handler for ExtractedBlocking<F, Shape> {
    fn kind(&self) -> &'static str {
        "blocking"
    }

    fn run(&self, context: TaskContext) -> BoxFuture<'static, Outcome> {
        let function = Arc::clone(&self.function);
        on_a_thread(context, move |context| function.work(&context))
    }

    fn missing(&self, state: &State) -> Option<&'static str> {
        F::missing(state)
    }
}

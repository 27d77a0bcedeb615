//! Layers: code around every attempt, whatever handler runs it.

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures_util::{FutureExt, future::BoxFuture};

use super::{Handler, Registry, TaskContext, failure::panicked};
use crate::task::Outcome;

/// Code around an attempt. See [`Registry::layer`].
pub trait Layer: Send + Sync + 'static {
    /// One attempt: [`Next::run`] is what it is around.
    fn around(&self, context: TaskContext, next: Next) -> BoxFuture<'static, Outcome>;
}

impl<F, Running> Layer for F
where
    F: Fn(TaskContext, Next) -> Running + Send + Sync + 'static,
    Running: Future<Output = Outcome> + Send + 'static,
{
    fn around(&self, context: TaskContext, next: Next) -> BoxFuture<'static, Outcome> {
        Box::pin(self(context, next))
    }
}

/// The layers, the outermost first.
pub(super) type Layers = Arc<Vec<Arc<dyn Layer>>>;

/// What is within a layer: the next one, and in the end the handler.
pub struct Next {
    layers: Layers,
    at: usize,
    handler: Arc<dyn Handler>,
}

impl Next {
    /// What the handler made of it. A panic within is an outcome here already, so that a layer sees it.
    pub async fn run(mut self, context: TaskContext) -> Outcome {
        let running = AssertUnwindSafe(async move {
            match self.layers.get(self.at).cloned() {
                None => self.handler.run(context).await,
                Some(layer) => {
                    self.at += 1;
                    layer.around(context, self).await
                }
            }
        });
        running.catch_unwind().await.unwrap_or_else(|payload| panicked(&*payload))
    }
}

impl Registry {
    /// Puts a layer around all attempts, within those there are. It is part of the attempt: the time limit is for both,
    /// and when the attempt is ended (its grace over, the slot gone) its future is dropped, so what must happen in any
    /// case belongs in a destructor.
    ///
    /// ```
    /// # use jobqueue::work::{Next, Registry, TaskContext};
    /// # let mut registry = Registry::new();
    /// registry.layer(|context: TaskContext, next: Next| async move {
    ///     let (began, name) = (std::time::Instant::now(), context.name().to_owned());
    ///     let outcome = next.run(context).await;
    ///     log::info!("{name} took {:?}", began.elapsed());
    ///     outcome
    /// });
    /// ```
    pub fn layer(&mut self, layer: impl Layer) -> &mut Self {
        Arc::make_mut(&mut self.layers).push(Arc::new(layer));
        self
    }

    /// A layer that does something before each attempt; where that fails, so does the attempt.
    pub fn before<F, Fault, Via>(&mut self, check: F) -> &mut Self
    where
        F: Fn(&TaskContext) -> Result<(), Fault> + Send + Sync + 'static,
        Fault: super::IntoFailure<Via> + 'static,
        Via: 'static,
    {
        let check = Arc::new(check);
        self.layer(move |context: TaskContext, next: Next| {
            let check = Arc::clone(&check);
            async move {
                let refused = check(&context).err().map(super::IntoFailure::into_failure);
                match refused {
                    None => next.run(context).await,
                    Some(failure) => failure.into(),
                }
            }
        })
    }

    /// A layer that is told how each attempt ended.
    pub fn after(&mut self, look: impl Fn(&TaskContext, &Outcome) + Send + Sync + 'static) -> &mut Self {
        let look = Arc::new(look);
        self.layer(move |context: TaskContext, next: Next| {
            let look = Arc::clone(&look);
            async move {
                let outcome = next.run(context.clone()).await;
                look(&context, &outcome);
                outcome
            }
        })
    }

    /// Begins an attempt within all layers.
    pub(super) fn start(&self, handler: &Arc<dyn Handler>, context: TaskContext) -> BoxFuture<'static, Outcome> {
        if self.layers.is_empty() {
            return handler.run(context);
        }
        Box::pin(Next { layers: Arc::clone(&self.layers), at: 0, handler: Arc::clone(handler) }.run(context))
    }
}

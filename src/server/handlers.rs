//! What a program of its own registers on its server.

use super::App;
use crate::{
    task::Outcome,
    work::{BlockingFunction, Data, IntoFailure, Layer, RegisterError, TaskContext, TaskFunction},
};

impl App {
    /// Registers an async function of a task's context and arguments; see [`crate::work::Registry::task`].
    pub fn task<F, Args, Running, Value, Fault, Via>(
        &mut self,
        name: &str,
        function: F,
    ) -> Result<&mut Self, RegisterError>
    where
        F: Fn(TaskContext, Args) -> Running + Send + Sync + 'static,
        Args: serde::de::DeserializeOwned + Send + 'static,
        Running: Future<Output = Result<Value, Fault>> + Send + 'static,
        Value: serde::Serialize + 'static,
        Fault: IntoFailure<Via> + 'static,
        Via: 'static,
    {
        self.registry().task(name, function)?;
        Ok(self)
    }

    /// Registers a function that blocks, of a task's context and arguments; see [`crate::work::Registry::blocking_task`].
    pub fn blocking_task<F, Args, Value, Fault, Via>(
        &mut self,
        name: &str,
        function: F,
    ) -> Result<&mut Self, RegisterError>
    where
        F: Fn(TaskContext, Args) -> Result<Value, Fault> + Send + Sync + 'static,
        Args: serde::de::DeserializeOwned + Send + 'static,
        Value: serde::Serialize + 'static,
        Fault: IntoFailure<Via> + 'static,
        Via: 'static,
    {
        self.registry().blocking_task(name, function)?;
        Ok(self)
    }

    /// Registers an async function that says by the types of its parameters what it is given; see [`crate::work::Registry::function`].
    pub fn function<F, Shape>(&mut self, name: &str, function: F) -> Result<&mut Self, RegisterError>
    where
        F: TaskFunction<Shape>,
        Shape: 'static,
    {
        self.registry().function(name, function)?;
        Ok(self)
    }

    /// The same for a function that blocks; see [`crate::work::Registry::blocking_function`].
    pub fn blocking_function<F, Shape>(&mut self, name: &str, function: F) -> Result<&mut Self, RegisterError>
    where
        F: BlockingFunction<Shape>,
        Shape: 'static,
    {
        self.registry().blocking_function(name, function)?;
        Ok(self)
    }

    /// Registers a value for functions that have a [`Data`] of its type as a parameter.
    pub fn data<T: Send + Sync + 'static>(&mut self, value: T) -> &mut Self {
        self.registry().data(value);
        self
    }

    /// The same for one that something else has too.
    pub fn shared<T: Send + Sync + 'static>(&mut self, data: Data<T>) -> &mut Self {
        self.registry().shared(data);
        self
    }

    /// Puts a layer around every attempt, those of commands too; see [`crate::work::Registry::layer`].
    pub fn layer(&mut self, layer: impl Layer) -> &mut Self {
        self.registry().layer(layer);
        self
    }

    /// Does something before each attempt, which fails where that fails; see [`crate::work::Registry::before`].
    pub fn before<F, Fault, Via>(&mut self, check: F) -> &mut Self
    where
        F: Fn(&TaskContext) -> Result<(), Fault> + Send + Sync + 'static,
        Fault: IntoFailure<Via> + 'static,
        Via: 'static,
    {
        self.registry().before(check);
        self
    }

    /// Is told how each attempt ended; see [`crate::work::Registry::after`].
    pub fn after(&mut self, look: impl Fn(&TaskContext, &Outcome) + Send + Sync + 'static) -> &mut Self {
        self.registry().after(look);
        self
    }
}

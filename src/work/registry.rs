//! Which handler runs tasks of which name.

use std::{collections::BTreeMap, fmt, sync::Arc};

use super::{Data, Handler, State, layer::Layers};
use crate::task::name;

/// Why a handler cannot be registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegisterError {
    /// Two handlers of one name: which would run is for the author to say, not for the order of registration.
    #[error("a handler for {0:?} is registered already: give one of the two another name")]
    Duplicate(String),
    /// No task could ever be submitted under this name.
    #[error(transparent)]
    Name(#[from] name::InvalidName),
    /// Every attempt would fail.
    #[error("the handler for {name:?} needs Data<{data}>, which is not registered: register a value with `data`")]
    Data { name: String, data: &'static str },
}

/// Handlers by task name. A clone is a snapshot and costs one reference count.
#[derive(Clone, Default)]
pub struct Registry {
    handlers: Arc<BTreeMap<String, Arc<dyn Handler>>>,
    pub(super) layers: Layers,
    state: State,
}

impl Registry {
    /// Without handlers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a handler.
    pub fn add(&mut self, name: impl Into<String>, handler: impl Handler) -> Result<&mut Self, RegisterError> {
        let name = name.into();
        name::task(&name)?;
        if self.handlers.contains_key(&name) {
            return Err(RegisterError::Duplicate(name));
        }
        Arc::make_mut(&mut self.handlers).insert(name, Arc::new(handler));
        Ok(self)
    }

    /// Registers a value that functions are given as a [`super::Data`]; one of each type, the last one counts.
    pub fn data<T: Send + Sync + 'static>(&mut self, value: T) -> &mut Self {
        self.shared(Data::new(value))
    }

    /// The same for one that something else has too.
    pub fn shared<T: Send + Sync + 'static>(&mut self, data: Data<T>) -> &mut Self {
        self.state.set(data);
        self
    }

    pub(super) const fn state(&self) -> &State {
        &self.state
    }

    /// Whether all that handlers need is registered: before anything is run.
    pub fn check(&self) -> Result<(), RegisterError> {
        let missing = self.handlers.iter().find_map(|(name, handler)| Some((name, handler.missing(&self.state)?)));
        missing.map_or(Ok(()), |(name, data)| Err(RegisterError::Data { name: name.clone(), data }))
    }

    /// The handler of tasks with this name.
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Handler>> {
        self.handlers.get(name)
    }

    /// All names, sorted.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        self.handlers.keys().map(String::as_str)
    }

    /// Name and kind of every handler, sorted by name.
    pub fn kinds(&self) -> impl ExactSizeIterator<Item = (&str, &'static str)> {
        self.handlers.iter().map(|(name, handler)| (name.as_str(), handler.kind()))
    }

    /// Number of handlers.
    pub fn len(&self) -> usize {
        self.handlers.len()
    }

    /// Whether there is no handler at all.
    pub fn is_empty(&self) -> bool {
        self.handlers.is_empty()
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.kinds()).finish()
    }
}

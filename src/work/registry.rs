//! Which handler runs tasks of which name.

use std::{collections::BTreeMap, fmt, sync::Arc};

use super::Handler;
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
}

/// Handlers by task name. A clone is a snapshot and costs one reference count.
#[derive(Clone, Default)]
pub struct Registry {
    handlers: Arc<BTreeMap<String, Arc<dyn Handler>>>,
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

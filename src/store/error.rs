//! What can go wrong with a store, by what it means for the caller.

/// What a failure means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreErrorKind {
    /// No space left: nothing was changed.
    Full,
    /// Cannot be reached or answers too late; try again later.
    Unavailable,
    /// Another process holds it.
    Locked,
    /// A statement or a value was refused: this request is at fault, or we are.
    Refused,
    /// Others were in the way of every try: nothing was changed.
    Contended,
    /// The connection was lost in the midst of a commit: it may have happened.
    Indeterminate,
    /// The migrations in the store are not this binary's.
    Schema,
}

impl StoreErrorKind {
    pub const ALL: [Self; 7] = [
        Self::Full,
        Self::Unavailable,
        Self::Locked,
        Self::Refused,
        Self::Contended,
        Self::Indeterminate,
        Self::Schema,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Unavailable => "unavailable",
            Self::Locked => "locked",
            Self::Refused => "refused",
            Self::Contended => "contended",
            Self::Indeterminate => "indeterminate",
            Self::Schema => "schema",
        }
    }
}

/// A failure of the store: which one, why, and what kind.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{store}: {message}")]
pub struct StoreError {
    pub kind: StoreErrorKind,
    /// Which store, as an operator knows it: `SQLite at ./data/jobqueue.db`.
    pub store: std::sync::Arc<str>,
    pub message: String,
}

impl StoreError {
    pub fn new(kind: StoreErrorKind, store: &std::sync::Arc<str>, message: impl Into<String>) -> Self {
        Self { kind, store: store.clone(), message: message.into() }
    }

    /// One item may be at fault: worth trying the others without it.
    pub fn is_refusal(&self) -> bool {
        self.kind == StoreErrorKind::Refused
    }
}

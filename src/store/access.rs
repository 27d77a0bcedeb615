//! Keys and the audit log, as stored.

use std::sync::Arc;

use crate::task::{KeyId, Millis, Reach, Scopes};

/// A key of the API. The secret itself is nowhere.
#[derive(Debug, Clone)]
pub struct KeyRow {
    pub id: KeyId,
    pub name: String,
    /// SHA-256 of the secret.
    pub hash: [u8; 32],
    pub scopes: Scopes,
    pub queues: Reach,
    pub created_at: Millis,
    pub expires_at: Option<Millis>,
    pub revoked_at: Option<Millis>,
    /// To the minute.
    pub last_used_at: Option<Millis>,
}

/// What became of a key that was to be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyAdded {
    Done,
    /// It was to be the first, and is not.
    NotFirst,
    /// Its maker's own key is no longer good.
    MakerGone,
    /// Another key that is in use has this name.
    NameTaken,
    /// There are as many as may be.
    TooMany(i64),
}

/// What became of a key that was to be revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyRevoked {
    Done,
    /// It had been revoked already.
    Before,
    NotFound,
}

/// Something an operator does: who, what, to what. No secret and no payload goes into it.
#[derive(Debug, Clone)]
pub struct Act {
    /// The key's name, or who else it was.
    pub actor: Arc<str>,
    /// `task.cancel`, `queue.pause`.
    pub action: &'static str,
    /// Id of the task or key, name of the queue.
    pub target: String,
    pub detail: Option<serde_json::Value>,
}

impl Act {
    /// Done by this program on this machine, by nobody's request.
    pub fn local(action: &'static str, target: impl ToString) -> Self {
        Self { actor: "local".into(), action, target: target.to_string(), detail: None }
    }

    #[must_use]
    pub fn with(self, detail: serde_json::Value) -> Self {
        Self { detail: Some(detail), ..self }
    }
}

/// An act in the audit log.
#[derive(Debug, Clone)]
pub struct AuditRow {
    /// Raised by each act.
    pub seq: i64,
    pub at: Millis,
    pub actor: String,
    pub action: String,
    pub target: String,
    /// JSON.
    pub detail: Option<String>,
}

/// Which acts a list shows: all conditions together, whole values.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    pub actor: Option<String>,
    pub action: Option<String>,
    pub target: Option<String>,
}

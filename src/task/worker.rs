//! Who runs tasks: the slots of a node, or a process of its own that asks for them over the API.

use serde::Serialize;

/// The kinds of workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WorkerKind {
    #[default]
    Node,
    Remote,
}

impl WorkerKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Remote => "remote",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Node, Self::Remote].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// What an operator wants of a worker that lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = WorkerAsked)]
pub enum Asked {
    /// It is to start nothing new.
    Quiet,
    /// It is to end once what it runs has ended.
    Stop,
}

impl Asked {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Quiet => "quiet",
            Self::Stop => "stop",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Quiet, Self::Stop].into_iter().find(|asked| asked.as_str() == text)
    }
}

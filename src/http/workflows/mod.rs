//! Workflows: graphs of tasks that are submitted, read, cancelled and retried as one.

pub(super) mod acts;
mod body;
pub(super) mod graph;
mod plan;
pub(super) mod read;
pub(super) mod submit;

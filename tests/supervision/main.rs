//! The supervision tree. Time is tokio's paused clock unless a thread is involved.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

mod chaos;
mod dynamic;
mod escalation;
mod shutdown;
mod strategies;
mod support;
mod threads;
mod visible;

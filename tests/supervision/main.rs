//! The supervision tree. Time is tokio's paused clock unless a thread is involved.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by a panic; the measurement prints"
)]

mod chaos;
mod cost;
mod dynamic;
mod escalation;
mod shutdown;
mod strategies;
mod support;
mod threads;
mod visible;

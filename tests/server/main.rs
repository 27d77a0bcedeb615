//! The real server, seen from outside: HTTP, signals, kill -9.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod access;
mod bench;
mod children;
mod crash;
mod figures;
mod flow;
mod graphs;
mod input;
mod life;
mod limits;
mod many;
mod notes;
mod original;
mod outcomes;
mod persistent;
mod quiet;
mod remote;
#[path = "../support/remote.rs"]
mod remote_worker;
mod schedules;
mod stuck;
#[path = "../support/mod.rs"]
mod support;
mod table;
#[path = "../support/ticks.rs"]
mod ticks;
mod unique;
#[path = "workflows.rs"]
mod whole;
#[path = "../support/workflows.rs"]
mod workflows;

//! The command line as a process, against a real server.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod check;
mod config;
mod docker;
mod doctor;
mod queues;
mod run;
mod schedules;
mod shell;
#[path = "../support/mod.rs"]
mod support;
mod systemd;
mod tasks;
#[path = "workflows.rs"]
mod workflow;
#[path = "../support/workflows.rs"]
mod workflows;

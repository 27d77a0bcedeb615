//! The `work` floor: what handlers are given, what their outcomes are, and that nothing they start outlives its task.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that panics is a test that fails")]

mod command;
mod ending;
mod function;
mod guard;
mod leftovers;
mod library;
mod persistent;
mod runner;
mod support;

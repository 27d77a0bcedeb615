//! Faults from outside: kill -9, aborting handlers, TERM under load, a full disk, a locked file. `tests/run --long` makes
//! them larger.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod checksums;
mod file;
mod full_disk;
mod locked;
mod poison;
mod stop;
#[path = "../support/mod.rs"]
mod support;

//! The Redis broker against a real redis-server, which these tests start, stop, kill and break.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by a panic")]

mod bus;
mod faults;
mod model;
mod node;
mod server;

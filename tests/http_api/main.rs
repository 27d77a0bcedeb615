//! The REST API over real connections: an engine on a temporary SQLite file, the server on a free port.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod access;
mod ageing;
mod audit;
mod bad_bodies;
mod bad_connections;
mod bad_requests;
mod bulk;
mod dependencies;
mod documents;
mod edge;
mod explain;
mod figures;
mod flow;
mod idempotency;
mod keys;
mod late;
mod limits;
mod lists;
mod live;
mod notes;
mod operate;
mod outcomes;
mod passing;
mod property;
mod remote;
mod replace;
mod results;
mod routing;
mod schedules;
mod scoped;
mod session;
mod settings;
mod submit;
mod support;
mod unique;
mod workflows;

//! A distributed job queue server: tasks come in by REST or by this library, wait in priority queues, run on supervised
//! slots and leave a result. See `ARCHITECTURE.md` for the floors and the way of a task through them.

pub mod actors;
pub mod bench;
pub mod broker;
pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod doctor;
pub mod engine;
pub mod http;
pub mod logging;
mod planted;
pub mod server;
pub mod store;
pub mod task;
pub mod testing;
pub mod work;

pub use client::Client;
pub use server::App;

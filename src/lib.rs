//! A distributed job queue server.
pub mod actors;
pub mod bench;
pub mod broker;
pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod engine;
pub mod logging;
pub mod server;
pub mod store;
pub mod task;
pub mod work;

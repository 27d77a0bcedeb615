//! Wiring: configuration → store, engine, tree, HTTP; signals; the order of start and stop.

mod app;
mod embedded;
mod handlers;
mod hooks;
mod node;
mod reload;
mod signals;

pub use app::{App, RunError};
pub use embedded::{Embedded, StartError};
pub use hooks::hooks;
pub use node::Place;

//! Wiring: configuration → store, engine, tree, HTTP; signals; the order of start and stop.

mod embedded;

pub use embedded::{Embedded, StartError};

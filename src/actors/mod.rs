//! When things happen. Actors hold no authority: all they know can be rebuilt from the store, so each of them may crash
//! at any moment and is started anew by its supervisor ([`tree`]). No SQL, no Redis, no HTTP in here.

mod dead_letter;
pub mod dispatcher;
pub mod events;
mod heartbeat;
mod keys;
mod metrics;
pub mod node;
pub mod notes;
pub mod queue;
pub mod rate_limiter;
mod reconcilers;
pub mod remote;
pub mod scheduler;
pub mod slot;
pub mod standing;
pub mod stuck;
pub mod supervision;
pub mod ticket;
mod timers;
pub mod tree;
mod warden;

pub use node::{Link, Node, NodeSettings};

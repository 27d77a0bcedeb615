//! Testing handlers without a server: one attempt alone ([`Attempt`]), or a queue with everything that belongs to one, retries,
//! delays and workflows among it, that is run until nothing is left to be done ([`TestQueue`]).

mod attempt;
mod queue;

pub use attempt::Attempt;
pub use queue::{Ran, TestError, TestQueue};

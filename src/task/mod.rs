//! The domain: what a task is and which rules it obeys. Pure values, no I/O, no clock of its own.

pub mod access;
pub mod admission;
pub mod alike;
pub mod canonical;
pub mod defaults;
pub mod duration;
pub mod figures;
pub mod flow;
pub mod graph;
pub mod histogram;
pub mod id;
pub mod json;
pub mod lane;
pub mod model;
pub mod name;
pub mod note;
pub mod order;
pub mod outcome;
pub mod priority;
pub mod pulse;
pub mod queue;
pub mod rate;
pub mod retry;
pub mod schedule;
pub mod serves;
pub mod status;
pub mod unique;
pub mod worker;
pub mod workflow;

pub use access::{Reach, Scope, Scopes};
pub use alike::alike;
pub use defaults::TaskDefaults;
pub use figures::{Figures, Span};
pub use flow::{FlowKeys, Lane};
pub use graph::{Ending, OnFailure, Parent, Told};
pub use histogram::Histogram;
pub use id::{KeyId, LeaseId, LeaseToken, TaskId, WorkerId};
pub use lane::{Mark, Ready};
pub use model::{Granted, NewTask};
pub use note::{AttemptId, LogLevel, LogLine, Progress};
pub use order::{Order, Rank};
pub use outcome::{Again, DeadReason, ErrorKind, Outcome, TaskError, Verdict};
pub use priority::{Priority, PriorityClass};
pub use pulse::{Pulse, Pulses, patience};
pub use queue::{AtCap, Gate, QueueSettings, Quota};
pub use rate::RateLimit;
pub use retry::{RetryPolicy, Strategy};
pub use serves::{Lack, Offer, Serves};
pub use status::Status;
pub use unique::{KeyScope, Unique, UniqueConflict};
pub use worker::{Asked, WorkerKind};
pub use workflow::{End, Role, Tally, WorkflowState};

/// A moment: milliseconds since 1970-01-01 UTC.
pub type Millis = i64;

//! Supervision in the manner of Erlang/OTP, on actix's public API.
//!
//! ```text
//! Root ── Supervisor ──┬─ Slot ── Child ──leash──▶ task: Obituary::run(actor)
//!                      ├─ Slot …                     │ ended, panicked, thread gone
//!                      ◀────────── Down ─────────────┘
//! ```
//!
//! - `spec`: what a supervisor is told: strategy, intensity, back-off, children.
//! - `supervisor`, `slot`: the actor that keeps its children as they are wanted;
//!   `requests`: what it can be asked; `root`: the topmost one.
//! - `child`: one watched actor, and its start; `obituary`: its end, reported.
//! - `mailbox`: `Ref<A>`, an address that counts what waits in the mailbox.
//! - `directory`: name → current `Ref<A>`; `tree`, `row`: what is shown.
//!
//! What is promised: a panic anywhere in an actor's poll ends that life alone,
//! and is reported with its text; a name never has two lives at once, unless
//! the first one's thread is stuck; a supervisor that dies takes its children
//! along; children start in order, but across levels there is no order, since
//! `started` of a child supervisor runs later: an actor assumes no sibling.
//!
//! `panic = "unwind"` is required, and `stopping` and `stopped` stay trivial.

mod child;
mod directory;
mod mailbox;
mod obituary;
mod requests;
mod root;
mod row;
mod slot;
mod spec;
mod supervisor;
mod tree;

pub use child::{Child, Watch};
pub use directory::Directory;
pub use mailbox::{Envelope, MailboxGauge, Ref, Shutdown, TreeActor, tree_actor};
pub use obituary::Exit;
pub use requests::{AddChild, RemoveChild, Unpark};
pub use root::Root;
pub use row::{ActorRow, LastPanic, Phase};
pub use spec::{Backoff, ChildSpec, Intensity, OnGiveUp, Restart, StopOrder, Strategy, SupervisorSpec};
pub use supervisor::Supervisor;
pub use tree::Tree;

//! How an actor's life ends, and how its supervisor hears of it.

use std::{
    any::{Any, TypeId},
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{Arc, OnceLock},
    task::Poll,
};

use actix::{Context, Message, WeakRecipient, dev::ContextFut};
use actix_rt::ArbiterHandle;
use futures_util::FutureExt;
use tokio::sync::{oneshot, watch};

use super::{directory::Directory, mailbox::TreeActor, tree::Tree};

/// Why a child is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// `ctx.stop()`.
    Normal,
    /// `started`, a handler, or a future of the actor's context panicked.
    Panicked(String),
    /// A supervisor whose children failed too often.
    GaveUp(String),
    /// Ended by force: after its grace, with its supervisor, or with its thread.
    Lost,
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Normal => f.write_str("stopped"),
            Self::Panicked(message) => f.write_str(message),
            Self::GaveUp(reason) => write!(f, "gave up: {reason}"),
            Self::Lost => f.write_str("ended by force, or its thread is gone"),
        }
    }
}

/// Tells a supervisor that a life of one of its children has ended.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Down {
    pub incarnation: u64,
    pub exit: Exit,
}

/// Where a supervisor leaves the reason why it gives up, for its obituary.
pub(super) type Verdict = Arc<OnceLock<String>>;

/// Reports the end of a life when dropped, so no way of dying goes unreported.
pub(super) struct Obituary {
    pub(super) path: Arc<str>,
    pub(super) incarnation: u64,
    pub(super) exit: Exit,
    pub(super) verdict: Verdict,
    pub(super) tree: Tree,
    /// Where the actor is to be found; none before it was started.
    pub(super) entry: Option<(Directory, TypeId, Arc<str>)>,
    /// The arbiter that was started for this actor alone.
    pub(super) thread: Option<ArbiterHandle>,
    pub(super) done: watch::Sender<Option<Exit>>,
    /// The supervisor; none for the root.
    pub(super) to: Option<WeakRecipient<Down>>,
}

impl Obituary {
    /// Runs an actor to its end, then (by being dropped) reports how it ended.
    ///
    /// The panic is caught here and not left to tokio: tokio drops the future
    /// while still unwinding, and a second panic, in `stopped`, would abort.
    pub(super) async fn run<A: TreeActor>(
        mut self,
        make: impl FnOnce() -> ContextFut<A, Context<A>>,
        leash: oneshot::Receiver<()>,
    ) {
        let actor = match catch_unwind(AssertUnwindSafe(make)) {
            Ok(actor) => actor,
            Err(payload) => {
                self.exit = Exit::Panicked(panic_message(payload));
                return;
            }
        };
        let mut life = pin!(AssertUnwindSafe(actor).catch_unwind());
        // The first poll runs `started`.
        let ended = match futures_util::poll!(&mut life) {
            Poll::Ready(ended) => Some(ended),
            Poll::Pending => {
                self.tree.running(&self.path, self.incarnation);
                tokio::select! {
                    ended = &mut life => Some(ended),
                    _ = leash => None,
                }
            }
        };
        self.exit = match ended {
            Some(Ok(())) => match self.verdict.get() {
                Some(reason) => Exit::GaveUp(reason.clone()),
                None => Exit::Normal,
            },
            Some(Err(payload)) => Exit::Panicked(panic_message(payload)),
            None => Exit::Lost,
        };
    }
}

impl Drop for Obituary {
    fn drop(&mut self) {
        if let Some((directory, actor, name)) = self.entry.take() {
            directory.remove(actor, &name, self.incarnation);
            // Here and not by the supervisor, which may be dying itself.
            self.tree.ended(&self.path, self.incarnation, &self.exit);
        }
        if let Some(supervisor) = self.to.as_ref().and_then(WeakRecipient::upgrade) {
            supervisor.do_send(Down { incarnation: self.incarnation, exit: self.exit.clone() });
        }
        self.done.send_replace(Some(self.exit.clone()));
        if let Some(thread) = &self.thread {
            thread.stop();
        }
    }
}

/// Resolves with how a child ended.
pub(super) async fn exit(mut done: watch::Receiver<Option<Exit>>) -> Exit {
    match done.wait_for(Option::is_some).await {
        Ok(exit) => exit.clone().unwrap_or(Exit::Lost),
        Err(_) => Exit::Lost,
    }
}

/// The text of a panic, as given to `panic!`.
pub(super) fn panic_message(payload: Box<dyn Any + Send>) -> String {
    match payload.downcast::<String>() {
        Ok(message) => *message,
        Err(payload) => match payload.downcast_ref::<&str>() {
            Some(message) => (*message).to_owned(),
            None => String::from("the panic's payload is not a string"),
        },
    }
}

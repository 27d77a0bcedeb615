//! What a node was asked to do: to work, to start nothing new, or to end. By a signal to its process, or by an operator through
//! any node, who is heard by way of the store: there it stands until it is taken back or the process ends.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use tokio_util::sync::CancellationToken;

use super::{
    dispatcher::{Dispatcher, Resume},
    node::Node,
    tree,
};
use crate::{
    store::{Act, StoreError},
    task::Asked,
};

/// The present orders of a node.
#[derive(Default)]
pub struct Standing {
    quiet: AtomicBool,
    /// By a signal.
    signalled: AtomicBool,
    /// What a signal has asked for and the store does not know yet.
    unwritten: Mutex<Option<Option<Asked>>>,
    /// One look at a time, or an older one might have the last word.
    looking: tokio::sync::Mutex<()>,
    stop: CancellationToken,
}

impl Standing {
    /// Nothing new is to be started.
    pub fn is_quiet(&self) -> bool {
        self.quiet.load(Ordering::Acquire)
    }

    /// Resolves once an operator wants the process to end.
    pub async fn stop_asked(&self) {
        self.stop.cancelled().await;
    }

    fn unwritten(&self) -> Option<Option<Asked>> {
        *self.unwritten.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_unwritten(&self, wish: Option<Option<Asked>>) {
        *self.unwritten.lock().unwrap_or_else(PoisonError::into_inner) = wish;
    }
}

impl Node {
    /// A signal: quiet, and at the next one at work again.
    pub fn toggle_quiet(&self) {
        self.signal_quiet(!self.standing.is_quiet());
    }

    /// A signal: at work again, if a signal has made it quiet. What an operator has asked for over the API stands.
    pub fn continue_work(&self) {
        if self.standing.signalled.load(Ordering::Acquire) {
            self.signal_quiet(false);
        }
    }

    /// At once, whether the store can be told or not.
    fn signal_quiet(&self, quiet: bool) {
        self.standing.set_unwritten(Some(quiet.then_some(Asked::Quiet)));
        self.set_quiet(quiet);
        self.standing.signalled.store(quiet, Ordering::Release);
        self.look_at_orders_soon();
    }

    fn set_quiet(&self, quiet: bool) {
        if self.standing.quiet.swap(quiet, Ordering::AcqRel) == quiet {
            return;
        }
        self.standing.signalled.store(false, Ordering::Release);
        if quiet {
            log::info!("Quiet: nothing new is started, what runs goes on");
            return;
        }
        log::info!("No longer quiet: tasks are started again");
        if let Some(dispatcher) = self.directory.get::<Dispatcher>(tree::DISPATCHER) {
            dispatcher.do_send(Resume);
        }
    }

    /// Tells the store what a signal has asked for, or obeys what stands there.
    pub(super) async fn look_at_orders(&self) -> Result<(), StoreError> {
        let _alone = self.standing.looking.lock().await;
        let worker = self.engine.worker();
        if let Some(wish) = self.standing.unwritten() {
            let action = if wish.is_some() { "worker.quiet" } else { "worker.resume" };
            self.engine.ask_worker(worker, wish, Act::local(action, worker)).await?;
            if self.standing.unwritten() == Some(wish) {
                self.standing.set_unwritten(None);
            }
            return Ok(());
        }
        let asked = self.engine.asked_of_this_node().await?;
        // A signal that has come meanwhile is younger than what was read.
        if self.standing.unwritten().is_none() {
            self.set_quiet(asked.is_some());
        }
        if asked == Some(Asked::Stop) {
            self.standing.stop.cancel();
        }
        Ok(())
    }
}

//! Signals: TERM and INT ask for an orderly stop; TSTP asks to start nothing new, and a second one, or CONT, to go on.

use std::{io, sync::Arc};

use nix::libc;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::actors::Node;

/// Hears TERM and INT from the moment it is made: until then either of them kills the process.
pub(super) struct StopSignals(Option<(Signal, Signal)>);

impl StopSignals {
    pub(super) fn listen() -> Self {
        let both = || Ok::<_, io::Error>((signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?));
        Self(both().inspect_err(|error| log::error!("Signals cannot be heard: {error}")).ok())
    }

    /// Resolves at the next one. Never, where signals cannot be heard.
    pub(super) async fn requested(&mut self) {
        let Some((terminate, interrupt)) = &mut self.0 else { return std::future::pending().await };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}

/// Hears TSTP and CONT from the moment it is made, and obeys them for as long as it is polled.
pub(super) struct QuietSignals(Option<(Signal, Signal)>);

impl QuietSignals {
    pub(super) fn listen() -> Self {
        let hear = |number| signal(SignalKind::from_raw(number));
        let both = || Ok::<_, io::Error>((hear(libc::SIGTSTP)?, hear(libc::SIGCONT)?));
        Self(both().inspect_err(|error| log::error!("Signals cannot be heard: {error}")).ok())
    }

    pub(super) async fn obey(self, node: Arc<Node>) {
        let Some((mut quiet, mut go_on)) = self.0 else { return };
        loop {
            tokio::select! {
                _ = quiet.recv() => node.toggle_quiet(),
                _ = go_on.recv() => node.continue_work(),
            }
        }
    }
}

//! Signals: TERM and INT ask for an orderly stop.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

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

//! Signals: TERM and INT ask for an orderly stop.

use tokio::signal::unix::{SignalKind, signal};

/// Resolves at the next TERM or INT. Never, where signals cannot be heard.
pub(super) async fn stop_requested() {
    let (mut terminate, mut interrupt) = match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
        (Ok(terminate), Ok(interrupt)) => (terminate, interrupt),
        (Err(error), _) | (_, Err(error)) => {
            log::error!("Signals cannot be heard: {error}");
            return std::future::pending().await;
        }
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

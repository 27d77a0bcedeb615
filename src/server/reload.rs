//! What a running server takes over from its configuration file when it is told that it has changed.

use std::io::{self, IsTerminal as _};

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::app::{declare, schedules};
use crate::{config::Config, engine::Engine};

/// Hears HUP from the moment it is made. Not where somebody looks on at a terminal: there it says that the terminal is gone, and
/// ends the process as it does any other.
pub(super) struct Reload(Option<Signal>);

impl Reload {
    pub(super) fn listen() -> Self {
        if io::stderr().is_terminal() {
            return Self(None);
        }
        let hangup = signal(SignalKind::hangup());
        Self(hangup.inspect_err(|error| log::error!("HUP cannot be heard: {error}")).ok())
    }

    /// At each HUP the schedules are what the file says then. One that cannot be used changes nothing.
    pub(super) async fn run(self, config: Config, engine: Engine) {
        let Self(Some(mut hangup)) = self else { return };
        while hangup.recv().await.is_some() {
            match again(&config, &engine).await {
                Ok(()) => log::info!("What else has changed in the configuration takes a restart"),
                Err(error) => log::error!("The configuration stays as it was: {error}"),
            }
        }
    }
}

async fn again(config: &Config, engine: &Engine) -> Result<(), String> {
    let before = config.clone();
    let read = tokio::task::spawn_blocking(move || before.read_again()).await.map_err(|error| error.to_string())?;
    let said = read.map_err(|error| error.to_string())?.schedules;
    // By the defaults that this process goes on with.
    let mut wanted = config.clone();
    wanted.schedules = said;
    let new = schedules(&wanted).map_err(|error| error.to_string())?;
    match new {
        Some(new) => declare(engine, new).await.map_err(|error| error.to_string()),
        None => {
            log::info!("The configuration file says nothing of schedules");
            Ok(())
        }
    }
}

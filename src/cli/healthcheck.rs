//! `healthcheck`: whether the server of this configuration takes work. For `HEALTHCHECK` of Docker and the like, which
//! know 0 and 1 only.

use std::time::Duration;

use clap::Args;

use super::{
    Failure,
    args::{Flags, Globals, Output},
    remote::runtime,
    terminal::Terminal,
};
use crate::{
    client::{Call, Client},
    config::{Config, Sources},
};

#[derive(Debug, Args)]
pub(super) struct HealthcheckArgs {
    /// Address the server listens on [env: API_HOST] [default: 127.0.0.1]
    #[arg(long)]
    host: Option<String>,
    /// Port the server listens on [env: API_PORT] [default: 8000]
    #[arg(long)]
    port: Option<String>,
    /// How long to wait for the answer
    #[arg(long, value_name = "TIME", value_parser = super::input::time, default_value = "3s")]
    timeout: Duration,
}

pub(super) fn run(
    args: HealthcheckArgs,
    globals: &Globals,
    sources: Sources,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let flags: Flags = [("api.host", args.host), ("api.port", args.port)]
        .into_iter()
        .filter_map(|(name, value)| value.map(|value| (name, value)))
        .collect();
    // A fault elsewhere in the configuration is not what is asked about.
    let (config, _) = Config::examine(&Sources { flags, ..sources });
    let url = format!("http://{}:{}", reachable(&config.api.host), config.api.port);
    let client = Client::builder(url).timeout(args.timeout).connect_timeout(args.timeout).build();
    let asked = client.and_then(|client| {
        let runtime = runtime().map_err(|failure| crate::client::Error::Unexpected {
            url: "this process".into(),
            what: failure.message().to_owned(),
        })?;
        runtime.block_on(client.send(&Call::probe("/readyz")))
    });
    match asked {
        Ok(reply) if globals.output() == Output::Json => terminal.line(&reply.body),
        Ok(_) => terminal.line("ok"),
        Err(error) => Err(Failure::failed(error.to_string())),
    }
}

/// A server that listens on every address is reached on this machine's own.
fn reachable(host: &str) -> String {
    match host {
        "" | "0.0.0.0" => "127.0.0.1".into(),
        "::" => "[::1]".into(),
        v6 if v6.contains(':') => format!("[{v6}]"),
        host => host.to_owned(),
    }
}

//! Where the API listens.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs as _},
    time::Duration,
};

use super::Finding;
use crate::config::Config;

const CHECK: &str = "port";
const PATIENCE: Duration = Duration::from_secs(2);

fn addresses(config: &Config) -> std::io::Result<Vec<SocketAddr>> {
    Ok((config.api.host.as_str(), config.api.port).to_socket_addrs()?.collect())
}

/// A jobqueue server answers where this one would listen.
pub(super) fn server_of(config: &Config) -> bool {
    let found = addresses(config).unwrap_or_default();
    config.api.port != 0 && found.into_iter().any(|address| answers(reachable(address)).unwrap_or(false))
}

/// A server that listens on every address is reached on this machine's own.
pub(super) fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => address.set_ip(std::net::Ipv4Addr::LOCALHOST.into()),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => address.set_ip(std::net::Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

/// By the description of its API, which it gives to everybody. Only the first bytes are looked at: whatever listens there
/// may be anything.
fn answers(address: SocketAddr) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(64 << 10).read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    Ok(answer.starts_with("HTTP/1.1 ") && answer.contains("\"title\": \"jobqueue\""))
}

pub(super) fn examine(config: &Config, running: bool) -> Vec<Finding> {
    let place = format!("{}:{}", config.api.host, config.api.port);
    let mut findings = Vec::new();
    if running {
        findings.push(Finding::ok(CHECK, format!("a jobqueue server answers at {place}")));
    } else if !config.api.host.is_empty() {
        findings.push(match addresses(config).and_then(|found| TcpListener::bind(found.as_slice())) {
            Ok(_) => Finding::ok(CHECK, format!("{place} is free")),
            Err(error) => taken(&place, &error),
        });
    }
    if config.api.insecure_no_auth && !matches!(config.api.host.as_str(), "127.0.0.1" | "::1" | "localhost") {
        findings.push(Finding::warning(
            "authentication",
            format!("the API listens on {place} and nobody has to authenticate"),
            "whoever reaches the port can submit, cancel and read tasks, and so run your commands",
            "use 127.0.0.1 with a proxy that authenticates before it, or see that only trusted machines reach the port",
        ));
    }
    if config.api.is_open() {
        findings.push(Finding::warning(
            "authentication",
            format!("the API listens on {place} and API_KEYS names no key"),
            "a server that others reach starts only if its database has keys",
            "make the first key with `jobqueue key create NAME --scope admin --local`, set API_KEYS, or listen on 127.0.0.1",
        ));
    }
    findings
}

fn taken(place: &str, error: &std::io::Error) -> Finding {
    let (why, fix) = match error.kind() {
        ErrorKind::AddrInUse => (
            "another program listens there",
            "stop that program (`ss -ltnp` names it), or choose another port with --port",
        ),
        ErrorKind::PermissionDenied => {
            ("ports below 1024 need privileges", "choose another port with --port or API_PORT")
        }
        ErrorKind::AddrNotAvailable => {
            ("this machine has no such address", "set API_HOST to an address of this machine")
        }
        _ => ("the server cannot start without it", "correct API_HOST and API_PORT"),
    };
    Finding::error(CHECK, format!("{place} cannot be listened on: {error}"), why, fix)
}

//! The listening server.

use std::{io, net::TcpListener, time::Duration};

use actix_web::{
    App, HttpServer,
    dev::Server,
    middleware::from_fn,
    web::{self, Data},
};

use nix::sys::socket::{Backlog, listen};

use super::{
    ApiState, configure,
    edge::{self, AllowedHosts},
    session::Sessions,
};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4_096;

/// Serves on a listener that is bound already. The server runs once it is awaited or spawned; it handles no signals.
pub fn serve(listener: TcpListener, state: ApiState, workers: usize) -> io::Result<Server> {
    // Beyond what the standard library asks for, so that many who come at one moment all get in; the system may lower it.
    listen(&listener, Backlog::new(BACKLOG)?)?;
    let hosts = AllowedHosts(allowed_hosts(&listener, &state.edge.hosts)?);
    let connections = (state.edge.max_connections / workers.max(1)).max(1);
    let (state, sessions) = (Data::new(state), Data::new(Sessions::default()));
    let app = move || {
        App::new()
            .app_data(state.clone())
            .app_data(sessions.clone())
            .app_data(hosts.clone())
            .wrap(from_fn(edge::guard))
            .configure(configure)
            .default_service(web::to(super::no_route))
    };
    let server = HttpServer::new(app)
        .workers(workers.max(1))
        .max_connections(connections)
        .keep_alive(Duration::from_secs(75))
        // Who has closed the connection does not wait for an answer: a long poll ends, and its place is free.
        .h1_allow_half_closed(false)
        .client_request_timeout(Duration::from_secs(5))
        .shutdown_timeout(3)
        .disable_signals()
        .listen(listener)?;
    Ok(server.run())
}

/// A page on the internet can give its own name our loopback address; a browser then sends that name as the host.
fn allowed_hosts(listener: &TcpListener, configured: &[String]) -> io::Result<Option<Vec<String>>> {
    if !listener.local_addr()?.ip().is_loopback() {
        return Ok(None);
    }
    let own = ["localhost", "127.0.0.1", "[::1]"].map(str::to_owned);
    Ok(Some(own.into_iter().chain(configured.iter().cloned()).collect()))
}

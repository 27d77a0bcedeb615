//! What a server holds in memory, idle and with many tasks queued, and what a queued task takes in the store.

use std::time::Duration;

use super::{
    BenchError, Options, Report,
    machine::{Folder, rss_mb},
    over_http::{in_batches, pause},
    server::Server,
    wal::database_size,
    wire::{Connection, Prepared},
};

/// For buffers to be given back and threads to fall asleep.
const SETTLE: Duration = Duration::from_secs(2);

pub(super) async fn measure(options: &Options, folder: &Folder, report: &mut Report) -> Result<(), BenchError> {
    let server = Server::start(&options.program, &folder.path().join("memory")).await?;
    // The dashboard is part of what is measured.
    Connection::open(server.address()).await?.send(&Prepared::new("/ui/", "", 200)).await?;
    tokio::time::sleep(SETTLE).await;
    let idle = rss_mb(server.pid())?;
    let empty = database_size(server.database())?;
    pause(&server).await?;
    in_batches(&server, options.queued).await?;
    tokio::time::sleep(SETTLE).await;
    let queued = rss_mb(server.pid())?;
    let full = database_size(server.database())?;
    server.stop().await?;

    let n = options.queued as f64;
    (report.rss_idle_mb, report.rss_queued_mb) = (Some(idle), Some(queued));
    report.bytes_per_task.store = Some(full.saturating_sub(empty) as f64 / n);
    report.bytes_per_task.memory = Some((queued - idle) * 1e6 / n);
    Ok(())
}

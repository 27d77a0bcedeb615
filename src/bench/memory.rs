//! What a server holds in memory, idle and with many tasks queued, and what a queued task takes in the store.

use std::{path::Path, time::Duration};

use super::{
    BenchError, Options, Report,
    machine::{Folder, rss_mb},
    over_http::{in_batches, pause},
    server::Server,
    wire::{Connection, Prepared},
};

/// For buffers to be given back and threads to fall asleep.
const SETTLE: Duration = Duration::from_secs(2);

pub(super) async fn measure(options: &Options, folder: &Folder, report: &mut Report) -> Result<(), BenchError> {
    let folder = folder.path().join("memory");
    // A first life makes the store, so that its size without tasks is known.
    let server = Server::start(&options.program, &folder).await?;
    let database = server.database().to_owned();
    server.stop().await?;
    let empty = size(&database)?;

    let server = Server::start(&options.program, &folder).await?;
    // The dashboard is part of what is measured.
    Connection::open(server.address()).await?.send(&Prepared::new("/ui/", "", 200)).await?;
    tokio::time::sleep(SETTLE).await;
    let idle = rss_mb(server.pid())?;
    pause(&server).await?;
    in_batches(&server, options.queued).await?;
    tokio::time::sleep(SETTLE).await;
    let queued = rss_mb(server.pid())?;
    server.stop().await?;
    let full = size(&database)?;

    let n = options.queued as f64;
    (report.rss_idle_mb, report.rss_queued_mb) = (Some(idle), Some(queued));
    report.bytes_per_task.store = Some(full.saturating_sub(empty) as f64 / n);
    report.bytes_per_task.memory = Some((queued - idle) * 1e6 / n);
    Ok(())
}

/// Of the file and of what its log still holds.
fn size(database: &Path) -> Result<u64, BenchError> {
    let mut log = database.as_os_str().to_owned();
    log.push("-wal");
    let log = std::fs::metadata(log).map_or(0, |log| log.len());
    Ok(std::fs::metadata(database)?.len() + log)
}

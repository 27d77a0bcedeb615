//! What a server holds in memory, idle and with many tasks queued, and what a queued task takes in the store.

use std::time::Duration;

use super::{
    BenchError, Options, Report,
    machine::rss_mb,
    over_http::{in_batches, pause},
    server::Server,
    site::Site,
    wire::{Connection, Prepared},
};

/// For buffers to be given back and threads to fall asleep.
const SETTLE: Duration = Duration::from_secs(2);

pub(super) async fn measure(options: &Options, site: &Site, report: &mut Report) -> Result<(), BenchError> {
    let spot = site.spot("memory")?;
    let server = Server::start(&options.program, &spot).await?;
    // The dashboard is part of what is measured.
    Connection::open(server.address()).await?.send(&Prepared::new("/ui/", "", 200)).await?;
    tokio::time::sleep(SETTLE).await;
    let idle = rss_mb(server.pid())?;
    let mut counter = spot.counter()?;
    let (empty, redis_empty) = (counter.size(&spot.place.store)?, counter.redis_memory());
    pause(&server).await?;
    in_batches(&server, options.queued).await?;
    tokio::time::sleep(SETTLE).await;
    let queued = rss_mb(server.pid())?;
    let (full, redis_full) = (counter.size(&spot.place.store)?, counter.redis_memory());
    server.stop().await?;

    let n = options.queued as f64;
    (report.rss_idle_mb, report.rss_queued_mb) = (Some(idle), Some(queued));
    report.bytes_per_task.store = Some(full.saturating_sub(empty) as f64 / n);
    report.bytes_per_task.memory = Some((queued - idle) * 1e6 / n);
    let redis = redis_full.zip(redis_empty).map(|(full, empty)| full.saturating_sub(empty) as f64);
    (report.bytes_per_task.redis, report.redis_queued_mb) =
        (redis.map(|bytes| bytes / n), redis.map(|bytes| bytes / 1e6));
    Ok(())
}

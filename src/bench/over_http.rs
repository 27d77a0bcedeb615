//! Submission over HTTP, to a server in a process of its own. The queue is paused, so that nothing else happens there.

use std::time::Instant;

use hyper::body::Bytes;

use super::{
    BenchError, Options, Report,
    library::ARGS,
    machine::{cpu_us, cpu_us_of},
    report::Split,
    server::Server,
    site::Site,
    wire::{Connection, Prepared},
};

/// Connections that each have one task under way.
const CONNECTIONS: usize = 64;
/// Connections that each have one batch under way: one is stored while others are read and answered.
const BATCH_CONNECTIONS: usize = 4;
/// As many as a request may have.
const BATCH: usize = 1_000;

pub(super) async fn measure(options: &Options, site: &Site, report: &mut Report) -> Result<(), BenchError> {
    let server = Server::start(&options.program, &site.spot("http")?).await?;
    pause(&server).await?;
    let tasks = options.tasks;
    let (rate, cpu) = timed(&server, tasks, one_by_one(&server, tasks)).await?;
    (report.submit_http_one_per_s, report.per_task.cpu_us.http_one) = (Some(rate), Some(cpu));
    let (rate, cpu) = timed(&server, tasks, in_batches(&server, tasks)).await?;
    (report.submit_http_batch_per_s, report.per_task.cpu_us.http_batch) = (Some(rate), Some(cpu));
    server.stop().await
}

pub(super) async fn pause(server: &Server) -> Result<(), BenchError> {
    let pause = Prepared::new("/api/v1/queues/bench/pause", "{}", 200);
    Connection::open(server.address()).await?.send(&pause).await?;
    Ok(())
}

/// Tasks per second, and CPU per task of both processes.
async fn timed(
    server: &Server,
    tasks: usize,
    work: impl Future<Output = Result<(), BenchError>>,
) -> Result<(f64, Split), BenchError> {
    let (began, own, theirs) = (Instant::now(), cpu_us(), cpu_us_of(server.pid())?);
    work.await?;
    let took = began.elapsed().as_secs_f64();
    let (server, client) = (cpu_us_of(server.pid())? - theirs, cpu_us() - own);
    let n = tasks as f64;
    Ok((n / took, Split { server: server / n, client: client / n }))
}

async fn one_by_one(server: &Server, tasks: usize) -> Result<(), BenchError> {
    let request = Prepared::new("/api/v1/tasks", task(), 201);
    let shares = (0..CONNECTIONS).map(|n| tasks / CONNECTIONS + usize::from(n < tasks % CONNECTIONS));
    at_once(shares.map(|share| {
        let (request, address) = (request.clone(), server.address().to_owned());
        async move {
            let mut connection = Connection::open(&address).await?;
            for _ in 0..share {
                connection.send(&request).await?;
            }
            Ok(())
        }
    }))
    .await
}

pub(super) async fn in_batches(server: &Server, tasks: usize) -> Result<(), BenchError> {
    let full = batch(BATCH);
    at_once((0..BATCH_CONNECTIONS).map(|n| {
        let (full, address) = (full.clone(), server.address().to_owned());
        async move {
            let mut connection = Connection::open(&address).await?;
            for first in (n * BATCH..tasks).step_by(BATCH_CONNECTIONS * BATCH) {
                let size = BATCH.min(tasks - first);
                let answer =
                    if size == BATCH { connection.send(&full).await? } else { connection.send(&batch(size)).await? };
                all_stored(&answer, size)?;
            }
            Ok(())
        }
    }))
    .await
}

/// Each task of a batch has a status of its own.
fn all_stored(answer: &Bytes, size: usize) -> Result<(), BenchError> {
    let stored = String::from_utf8_lossy(answer).matches("\"status\":201").count();
    if stored != size {
        return Err(BenchError::Other(format!("the server stored {stored} tasks of a batch of {size}")));
    }
    Ok(())
}

/// Runs them at once, to the last one's end or the first one's failure.
async fn at_once<W>(work: impl Iterator<Item = W>) -> Result<(), BenchError>
where
    W: Future<Output = Result<(), BenchError>> + 'static,
{
    for one in work.map(actix::spawn).collect::<Vec<_>>() {
        one.await.map_err(|error| BenchError::Other(error.to_string()))??;
    }
    Ok(())
}

fn task() -> String {
    format!(r#"{{"name":"bench.noop","queue":"bench","args":{}}}"#, *ARGS)
}

fn batch(size: usize) -> Prepared {
    let body = format!(r#"{{"tasks":[{}]}}"#, vec![task(); size].join(","));
    Prepared::new("/api/v1/tasks/batch", body, 200)
}

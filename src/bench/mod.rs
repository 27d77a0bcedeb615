//! `jobqueue bench`: how fast is this build on this machine?
//!
//! The work: no-op tasks with about 200 bytes of JSON, each leaving a result. Every phase runs on a node of its own, in a
//! temporary folder, with the durability of production (`synchronous=FULL`). The phases over HTTP and those that measure
//! memory run against a server in a process of its own.

mod counter;
mod depth;
mod handlers;
mod keys;
mod library;
mod machine;
mod memory;
mod over_http;
mod report;
mod server;
mod site;
mod unique;
mod wal;
mod wire;
mod workflow;

use std::path::PathBuf;

pub use report::Report;
use tokio::signal::unix::{SignalKind, signal};

/// What to measure.
#[derive(Debug, Clone)]
pub struct Options {
    /// The program whose `serve` is the server of the phases over HTTP and of memory.
    pub program: PathBuf,
    /// The phases that call the engine as the library does.
    pub library: bool,
    pub http: bool,
    pub memory: bool,
    /// Drains of tasks with keys.
    pub keys: bool,
    /// Submissions with unique keys.
    pub unique: bool,
    /// Drains of tasks that wait for each other.
    pub workflow: bool,
    /// Drains with many more tasks queued, and with a transaction held open.
    pub depth: bool,
    /// Commands, and functions that block.
    pub handlers: bool,
    /// Tasks of the submit and drain phases.
    pub tasks: usize,
    /// Tasks queued for the figures of memory, disk and depth.
    pub queued: usize,
    /// Slots of the node.
    pub slots: usize,
    /// Seconds of the steady phase.
    pub steady_s: u64,
    /// Seconds of the latency phase.
    pub latency_s: u64,
    /// Where the databases are made; `None`: the system's temporary folder.
    pub folder: Option<PathBuf>,
    /// A PostgreSQL server on which databases of the measurement's own are made; `None`: SQLite.
    pub postgres: Option<String>,
    /// A Redis for the heads of the queues, under a prefix of the measurement's own.
    pub redis: Option<String>,
}

/// Why a measurement could not be made.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    #[error("cannot make a folder in {}: {error}", folder.display())]
    Folder { folder: PathBuf, error: std::io::Error },
    #[error("cannot read what was measured: {0}")]
    Read(#[from] std::io::Error),
    #[error(transparent)]
    Start(#[from] crate::server::StartError),
    #[error(transparent)]
    Submit(#[from] crate::engine::SubmitError),
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
    #[error("the server to be measured {what}{said}")]
    Server { what: String, said: String },
    #[error("the server to be measured did not answer {request}: {why}")]
    Request { request: String, why: String },
    #[error("interrupted; nothing was left behind")]
    Interrupted,
    #[error("{0}")]
    Other(String),
}

/// Runs the phases, on a system of actors of its own.
pub fn run(options: &Options) -> Result<Report, BenchError> {
    actix::System::new().block_on(async {
        // Heard before there is anything that could be left behind.
        let listen =
            |kind| signal(kind).map_err(|error| BenchError::Other(format!("signals cannot be heard: {error}")));
        let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
        // Whichever ends first, folder and server go with the measurement.
        tokio::select! {
            report = measure(options) => report,
            _ = interrupt.recv() => Err(BenchError::Interrupted),
            _ = terminate.recv() => Err(BenchError::Interrupted),
        }
    })
}

async fn measure(options: &Options) -> Result<Report, BenchError> {
    let site = site::Site::new(options)?;
    let mut report = Report::new(options, &site);
    report.fdatasync_ms = machine::fdatasync_ms(site.folder());
    if options.library {
        library::measure(options, &site, &mut report).await?;
    }
    if options.keys {
        keys::measure(options, &site, &mut report).await?;
    }
    if options.unique {
        unique::measure(options, &site, &mut report).await?;
    }
    if options.workflow {
        workflow::measure(options, &site, &mut report).await?;
    }
    if options.depth {
        depth::measure(options, &site, &mut report).await?;
    }
    if options.handlers {
        handlers::measure(options, &site, &mut report).await?;
    }
    if options.http {
        over_http::measure(options, &site, &mut report).await?;
    }
    if options.memory {
        memory::measure(options, &site, &mut report).await?;
    }
    Ok(report)
}

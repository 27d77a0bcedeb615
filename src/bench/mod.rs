//! `jobqueue bench`: how fast is this build on this machine?
//!
//! The work: no-op tasks with about 200 bytes of JSON, each leaving a result. Every phase runs on a node of its own, in a
//! temporary folder, with the durability of production (`synchronous=FULL`).

mod library;
mod machine;
mod report;

use std::path::PathBuf;

pub use report::Report;

/// What to measure.
#[derive(Debug, Clone)]
pub struct Options {
    /// Tasks of the submit and drain phases.
    pub tasks: usize,
    /// Slots of the node.
    pub slots: usize,
    /// Seconds of the steady phase.
    pub steady_s: u64,
    /// Seconds of the latency phase.
    pub latency_s: u64,
    /// Where the databases are made; `None`: the system's temporary folder.
    pub folder: Option<PathBuf>,
}

/// Why a measurement could not be made.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    #[error("cannot make a temporary folder: {0}")]
    Folder(std::io::Error),
    #[error(transparent)]
    Start(#[from] crate::server::StartError),
    #[error(transparent)]
    Submit(#[from] crate::engine::SubmitError),
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
    #[error("{0}")]
    Other(String),
}

/// Runs all phases, on a system of actors of its own.
pub fn run(options: &Options) -> Result<Report, BenchError> {
    actix::System::new().block_on(async {
        let folder = machine::Folder::new(options.folder.as_deref()).map_err(BenchError::Folder)?;
        let mut report = Report::new(options);
        report.fdatasync_ms = machine::fdatasync_ms(folder.path());
        library::measure(options, &folder, &mut report).await?;
        Ok(report)
    })
}

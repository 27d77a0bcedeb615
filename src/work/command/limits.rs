//! What a command may take of the machine, held by the kernel for it and for each process that it starts.

use std::io;

use nix::sys::resource::{Resource, setrlimit};

/// Absent: what the server itself is under.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Address space, in bytes.
    pub memory: Option<u64>,
    /// Seconds of computing.
    pub cpu: Option<u64>,
    pub open_files: Option<u64>,
    /// Of any one file that it writes, in bytes.
    pub file_size: Option<u64>,
}

impl Limits {
    /// Between fork and exec: system calls and nothing else.
    pub(super) fn apply(self) -> io::Result<()> {
        let each = [
            (Resource::RLIMIT_AS, self.memory),
            (Resource::RLIMIT_CPU, self.cpu),
            (Resource::RLIMIT_NOFILE, self.open_files),
            (Resource::RLIMIT_FSIZE, self.file_size),
        ];
        for (resource, limit) in each {
            if let Some(limit) = limit {
                // Soft and hard alike: it is not the child's to raise. Processor time is warned of (SIGXCPU) a second before.
                let hard = if matches!(resource, Resource::RLIMIT_CPU) { limit.saturating_add(1) } else { limit };
                setrlimit(resource, limit, hard)?;
            }
        }
        Ok(())
    }
}

//! What the machine, the user or the container allows: file descriptors and memory.

use nix::sys::resource::{Resource, getrlimit};

use super::Finding;
use crate::config::Config;

/// Files of the server itself: database, log, listeners, event queues, and a hundred connections.
const OWN_FILES: u64 = 256;
/// Pipes of a command that runs, and both ends of a connection that waits for it.
const FILES_PER_SLOT: u64 = 6;
const OWN_MEMORY: u64 = 64 << 20;
/// A handler in the server itself, and one that is a process.
const MEMORY_PER_SLOT: u64 = 1 << 20;
const MEMORY_PER_COMMAND: u64 = 16 << 20;

pub(super) fn examine(config: &Config) -> Vec<Finding> {
    files(config).into_iter().chain(memory(config)).collect()
}

fn files(config: &Config) -> Option<Finding> {
    let (limit, _) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    let wanted = OWN_FILES + FILES_PER_SLOT * config.worker.concurrency as u64;
    let what =
        format!("{limit} files may be open at once, {wanted} may be needed with {} slots", config.worker.concurrency);
    Some(if limit < wanted {
        Finding::error(
            "open_files",
            what,
            "at the limit connections are refused and commands cannot be started",
            "raise it: `ulimit -n 65536`, LimitNOFILE=65536 of systemd, --ulimit nofile=65536 of Docker",
        )
    } else {
        Finding::ok("open_files", what)
    })
}

fn memory(config: &Config) -> Option<Finding> {
    let limit = cgroup_limit().into_iter().chain(total()).min()?;
    let each = if config.tasks.is_empty() { MEMORY_PER_SLOT } else { MEMORY_PER_COMMAND };
    let wanted = OWN_MEMORY + each * config.worker.concurrency as u64;
    let what = format!(
        "there are {} MiB of memory, {} MiB may be needed with {} slots",
        limit >> 20,
        wanted >> 20,
        config.worker.concurrency
    );
    Some(if limit < wanted {
        Finding::warning(
            "memory",
            what,
            "out of memory, the system kills the server or its commands in the middle of their tasks",
            "lower WORKER_CONCURRENCY, or allow more memory",
        )
    } else {
        Finding::ok("memory", what)
    })
}

/// Of the container, by cgroup 2 or 1.
fn cgroup_limit() -> Option<u64> {
    ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        .iter()
        .find_map(|path| std::fs::read_to_string(path).ok()?.trim().parse().ok())
}

fn total() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().ok().map(|kib| kib << 10)
}

//! The machine's processes by a mark in their environment.

use std::{
    collections::{BTreeMap, HashSet},
    fs::{self, File},
    io::Read as _,
    os::fd::{AsFd as _, OwnedFd},
    time::{Duration, Instant},
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// The environment variable that marks a run's processes: instance and number.
pub(in crate::work) const VARIABLE: &str = "JOBQUEUE_RUN";

/// What fork faster than they are found are looked for again, so often.
const ROUNDS: usize = 10;
/// Longest environment that is read; the kernel allows a quarter of a stack, which is 2 MiB by default.
const LONGEST: u64 = 4 * 1024 * 1024;

/// How long it is waited for those that were killed to be dead: they are at once, where there is a CPU for them.
const DEATH: Duration = Duration::from_secs(1);

/// Kills every process with the mark of this instance whose run is over, until none is found and those are dead; how many, by
/// task.
pub(in crate::work) fn kill_all(instance: &str, is_over: impl Fn(u64) -> bool) -> BTreeMap<String, usize> {
    let (mut counts, mut seen) = (BTreeMap::new(), HashSet::new());
    let (mut environment, mut dying) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let before = seen.len();
        for id in processes() {
            let Some(task) = leftover(id, instance, &is_over, &mut environment) else { continue };
            // By a descriptor and looked at again: between the look and the signal the number may have become another's.
            let Ok(process) = pidfd_open(id, PidfdFlags::empty()) else { continue };
            if leftover(id, instance, &is_over, &mut environment).is_some()
                && pidfd_send_signal(&process, Signal::KILL).is_ok()
                && seen.insert(id)
            {
                *counts.entry(task).or_default() += 1;
                dying.push(process);
            }
        }
        if seen.len() == before {
            break;
        }
    }
    wait_for(&dying);
    counts
}

/// The descriptor of a process can be read from its death on.
fn wait_for(dying: &[OwnedFd]) {
    let until = Instant::now() + DEATH;
    for process in dying {
        let left = until.saturating_duration_since(Instant::now());
        let left = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
        if poll(&mut [PollFd::new(process.as_fd(), PollFlags::POLLIN)], left).is_err() {
            return; // told a little early
        }
    }
}

fn processes() -> impl Iterator<Item = Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?))
}

/// The task that has left this process; `None` also for what may not be read: that is another user's.
fn leftover(id: Pid, instance: &str, is_over: impl Fn(u64) -> bool, environment: &mut Vec<u8>) -> Option<String> {
    environment.clear();
    let file = File::open(format!("/proc/{}/environ", id.as_raw_nonzero())).ok()?;
    file.take(LONGEST).read_to_end(environment).ok()?;
    let value = |name: &str| {
        let mut entries = environment.split(|byte| *byte == 0);
        entries.find_map(|entry| std::str::from_utf8(entry.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?).ok())
    };
    let number = value(VARIABLE)?.strip_prefix(instance)?.strip_prefix('.')?.parse().ok()?;
    is_over(number).then(|| value("JOBQUEUE_TASK_ID").unwrap_or_default().to_owned())
}

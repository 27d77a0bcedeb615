//! The process itself, as the kernel sees it. What the kernel does not tell (not Linux) is left out.

use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage};

use super::{
    families::{CPU, MAX_FDS, OPEN_FDS, RESIDENT, START_TIME},
    text::Text,
};
use crate::task::Millis;

pub(super) fn write(text: &mut Text, started_at: Millis) {
    text.single(&START_TIME, started_at as f64 / 1_000.0);
    if let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) {
        let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
        text.single(&CPU, seconds(usage.user_time()) + seconds(usage.system_time()));
    }
    if let Some(bytes) = resident() {
        text.single(&RESIDENT, bytes);
    }
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        text.single(&OPEN_FDS, open.count() as f64);
    }
    if let Ok((most, _)) = getrlimit(Resource::RLIMIT_NOFILE) {
        text.single(&MAX_FDS, most as f64);
    }
}

fn resident() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok().map(|kibibytes: f64| kibibytes * 1_024.0)
}

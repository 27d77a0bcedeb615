//! What goes through the pipe to the guard, and the guard's side of it.

use std::{
    collections::BTreeMap,
    env,
    io::{self, BufRead, Write},
    os::fd::OwnedFd,
};

use nix::{
    errno::Errno,
    sys::signal::{SigSet, Signal, killpg},
    unistd::{self, Pid},
};

use crate::work::leftovers::kill_all;

/// The environment variable by which the guard knows the marks of what its parent has started.
pub(super) const GUARDED: &str = "JOBQUEUE_GUARDED";

/// `+ticket group`: this group is to be killed. Between fork and exec it must neither allocate nor lock, so it does not.
pub(in crate::work) fn announce(pipe: &OwnedFd, ticket: u64, group: Pid) -> Result<(), Errno> {
    send(pipe, format_args!("+{ticket} {group}\n"))
}

/// `-ticket`: its group is to be left alone.
pub(super) fn withdraw(pipe: &OwnedFd, ticket: u64) -> Result<(), Errno> {
    send(pipe, format_args!("-{ticket}\n"))
}

/// One write of one line: short enough to be never mixed with another's.
fn send(pipe: &OwnedFd, text: std::fmt::Arguments<'_>) -> Result<(), Errno> {
    let mut line = [0_u8; 48];
    let mut rest = &mut line[..];
    // Two signs, two line ends and the digits of a u64 and an i32 always fit.
    let _ = rest.write_fmt(text);
    let length = 48 - rest.len();
    unistd::write(pipe, &line[..length]).map(drop)
}

/// The guard process: reads until its parent is gone, kills what is left, in the groups and outside of them, exits.
pub fn guard_main() -> ! {
    // It has to outlive its parent by a moment, whatever ends the parent.
    let _ = SigSet::all().thread_block();
    let mut groups = BTreeMap::new();
    // A pipe that cannot be read is at its end as well.
    for line in io::stdin().lock().lines().map_while(Result::ok) {
        apply(&line, &mut groups);
    }
    for group in groups.into_values() {
        let _ = killpg(group, Signal::SIGKILL);
    }
    if let Ok(instance) = env::var(GUARDED) {
        kill_all(&instance, |_| true);
    }
    std::process::exit(0)
}

fn apply(line: &str, groups: &mut BTreeMap<u64, Pid>) -> Option<()> {
    if let Some(ticket) = line.strip_prefix('-') {
        groups.remove(&ticket.parse().ok()?);
    } else {
        let (ticket, group) = line.strip_prefix('+')?.split_once(' ')?;
        // 0 and 1 would be the guard's own group and every process there is.
        let group = group.parse().ok().filter(|&group: &i32| group > 1)?;
        groups.insert(ticket.parse().ok()?, Pid::from_raw(group));
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sound_lines_count() {
        let mut groups = BTreeMap::new();
        for line in ["+1 70", "+2 80", "-1", "-9", "+3 1", "+4 0", "+5 -70", "+6", "+x 70", "", "7", "+7 90\r", "é"] {
            apply(line, &mut groups);
        }
        assert_eq!(groups, BTreeMap::from([(2, Pid::from_raw(80))]));
    }
}

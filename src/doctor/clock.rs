//! The clock: times of tasks are this machine's.

use super::Finding;
use crate::{
    clock::{Clock as _, SystemClock},
    config::Config,
    store::sqlite,
};

const CHECK: &str = "clock";
/// Before this version was made.
const EARLIEST: i64 = 1_767_225_600_000;
const TOLERATED: i64 = 5_000;

pub(super) fn examine(config: &Config) -> Vec<Finding> {
    let now = SystemClock.now();
    let why = "delays, back-offs, expiry and rate limits go by it: tasks would start too early or too late";
    let fix = "set the clock and let it be kept: `timedatectl set-ntp true`, or chrony";
    let file = config.database.file().filter(|file| file.exists());
    let latest = file.and_then(|file| sqlite::latest_moment(file).ok().flatten());
    if now < EARLIEST {
        return vec![Finding::error(CHECK, "the clock is years behind", why, fix)];
    }
    if let Some(ahead) = latest.map(|at| at - now).filter(|ahead| *ahead > TOLERATED) {
        let what = format!("the database has times that are {} s in the future: the clock was set back", ahead / 1_000);
        return vec![Finding::error(CHECK, what, why, fix)];
    }
    vec![match synchronised() {
        Some(false) => Finding::warning(CHECK, "the clock is not synchronised", why, fix),
        Some(true) => Finding::ok(CHECK, "the clock is synchronised"),
        None => Finding::ok(CHECK, "the clock goes on from the times of the database"),
    }]
}

/// As systemd's time service has noted it; `None`: nobody here knows.
fn synchronised() -> Option<bool> {
    let service = std::path::Path::new("/run/systemd/timesync");
    service.is_dir().then(|| service.join("synchronized").exists())
}

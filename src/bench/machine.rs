//! The machine under the measurement.

use std::{
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
    time::Instant,
};

use super::BenchError;

/// A folder that goes with the measurement.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new(parent: Option<&Path>) -> Result<Self, BenchError> {
        let parent = parent.map_or_else(std::env::temp_dir, Path::to_path_buf);
        let path = parent.join(format!("jobqueue-bench-{}", uuid::Uuid::new_v4().as_simple()));
        match std::fs::create_dir_all(&path) {
            Ok(()) => Ok(Self(path)),
            Err(error) => Err(BenchError::Folder { folder: parent, error }),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The median time of a write of 8 kB made durable: what every commit waits for.
pub(super) fn fdatasync_ms(folder: &Path) -> f64 {
    let measure = || -> std::io::Result<f64> {
        let mut file = File::create(folder.join("fdatasync"))?;
        let block = [7_u8; 8_192];
        let mut times = Vec::with_capacity(200);
        for _ in 0..200 {
            let began = Instant::now();
            file.write_all(&block)?;
            file.sync_data()?;
            times.push(began.elapsed().as_secs_f64() * 1_000.0);
        }
        times.sort_by(f64::total_cmp);
        Ok(times[times.len() / 2])
    };
    measure().unwrap_or(f64::NAN)
}

/// CPU time of another process so far, in microseconds; in steps of 10 ms.
pub(super) fn cpu_us_of(pid: u32) -> Result<f64, BenchError> {
    // What Linux tells processes is in hundredths of a second, whatever it counts in itself.
    const TICK_US: f64 = 10_000.0;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name of the program may hold anything but ends with the last bracket; utime and stime are the 14th and 15th
    // field of all, the 12th and 13th behind it.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: Vec<f64> = fields.skip(11).take(2).filter_map(|field| field.parse().ok()).collect();
    match ticks.as_slice() {
        [user, system] => Ok((user + system) * TICK_US),
        _ => Err(BenchError::Other(format!("the CPU time of process {pid} cannot be read"))),
    }
}

/// Resident memory of a process, in megabytes.
pub(super) fn rss_mb(pid: u32) -> Result<f64, BenchError> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
    let unreadable = || BenchError::Other(format!("the memory of process {pid} cannot be read"));
    kilobytes.map(|kilobytes| kilobytes * 1_024.0 / 1e6).ok_or_else(unreadable)
}

/// CPU time of this process so far, in microseconds.
pub(super) fn cpu_us() -> f64 {
    nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF).map_or(f64::NAN, |usage| {
        let time = |value: nix::sys::time::TimeVal| value.tv_sec() as f64 * 1e6 + value.tv_usec() as f64;
        time(usage.user_time()) + time(usage.system_time())
    })
}

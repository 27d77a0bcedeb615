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

/// What Linux tells processes is in hundredths of a second, whatever it counts in itself.
const TICK_US: f64 = 10_000.0;

/// CPU time of another process so far, in microseconds; in steps of 10 ms.
pub(super) fn cpu_us_of(pid: u32) -> Result<f64, BenchError> {
    let fields = stat(pid)?;
    Ok((fields[UTIME] + fields[UTIME + 1]) * TICK_US)
}

/// CPU time so far of the server that a session of PostgreSQL belongs to, with all its processes, those too that have ended.
/// Fails where it runs on another machine.
pub(super) fn cpu_us_of_family(session: i32) -> Result<f64, BenchError> {
    let elsewhere = || BenchError::Other("PostgreSQL does not run here".into());
    let session = u32::try_from(session).map_err(|_| elsewhere())?;
    if !std::fs::read_to_string(format!("/proc/{session}/comm"))?.starts_with("postgres") {
        return Err(elsewhere());
    }
    let parent = stat(session)?[PARENT] as u32;
    let of_parent = stat(parent)?;
    let mut ticks: f64 = of_parent[UTIME..UTIME + 4].iter().sum();
    for process in std::fs::read_dir("/proc")?.map_while(Result::ok) {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // One that has just ended is counted with its parent.
        let Ok(fields) = stat(pid) else { continue };
        if fields[PARENT] as u32 == parent {
            ticks += fields[UTIME] + fields[UTIME + 1];
        }
    }
    Ok(ticks * TICK_US)
}

const PARENT: usize = 1;
/// utime, stime, and the same of children that have ended.
const UTIME: usize = 11;

/// The figures in `/proc/PID/stat` behind the name, which may hold anything but ends with the last bracket; the state, which
/// is a letter, as 0.
fn stat(pid: u32) -> Result<Vec<f64>, BenchError> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let fields: Vec<f64> = fields.map(|field| field.parse().unwrap_or(0.0)).collect();
    if fields.len() < UTIME + 4 {
        return Err(BenchError::Other(format!("the CPU time of process {pid} cannot be read")));
    }
    Ok(fields)
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

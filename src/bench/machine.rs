//! The machine under the measurement.

use std::{
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
    time::Instant,
};

/// A folder that goes with the measurement.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new(parent: Option<&Path>) -> std::io::Result<Self> {
        let parent = parent.map_or_else(std::env::temp_dir, Path::to_path_buf);
        let path = parent.join(format!("jobqueue-bench-{}", uuid::Uuid::new_v4().as_simple()));
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
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

/// CPU time of this process so far, in microseconds.
pub(super) fn cpu_us() -> f64 {
    nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF).map_or(f64::NAN, |usage| {
        let time = |value: nix::sys::time::TimeVal| value.tv_sec() as f64 * 1e6 + value.tv_usec() as f64;
        time(usage.user_time()) + time(usage.system_time())
    })
}

//! The folders that are written to: data and logs.

use std::{
    fs::OpenOptions,
    path::{Path, PathBuf},
};

use nix::sys::{
    statfs::{self, FsType},
    statvfs,
};

use super::Finding;
use crate::config::Config;

const LITTLE: u64 = 1 << 30;
const TOO_LITTLE: u64 = 100 << 20;

pub(super) fn examine(config: &Config) -> Vec<Finding> {
    let data = config.database.file().map_or_else(|| config.data_dir.clone(), folder_of);
    let mut findings = Vec::new();
    match writable(&data) {
        Ok(()) => {
            findings.push(Finding::ok("data_folder", format!("{} can be written", data.display())));
            findings.extend(file_system(&data));
            findings.extend(free_space(&data));
        }
        Err(error) => findings.push(Finding::error(
            "data_folder",
            format!("{} cannot be written: {error}", data.display()),
            "the database and its log are kept there: no task can be accepted",
            "make it writable for this user, or name another place with DATABASE_URL",
        )),
    }
    if let Some(dir) = &config.log.dir {
        findings.push(match writable(dir) {
            Ok(()) => Finding::ok("log_folder", format!("{} can be written", dir.display())),
            Err(error) => Finding::warning(
                "log_folder",
                format!("{} cannot be written: {error}", dir.display()),
                "the server runs, but what it logs is only on standard error",
                "make it writable for this user, name another folder with LOG_DIR, or switch the files off with LOG_DIR=",
            ),
        });
    }
    findings
}

fn folder_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// The folder itself, or the one in which it would be made.
fn existing(folder: &Path) -> PathBuf {
    let found = folder.ancestors().find(|path| path.exists());
    found.filter(|path| !path.as_os_str().is_empty()).map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// By writing, and taking it back: permissions alone do not tell of a read-only file system.
fn writable(folder: &Path) -> std::io::Result<()> {
    let probe = existing(folder).join(format!(".jobqueue-doctor-{}", std::process::id()));
    OpenOptions::new().write(true).create_new(true).open(&probe)?;
    std::fs::remove_file(&probe)
}

/// By the numbers of statfs(2); `true`: of another machine, else in memory.
fn unfit(kind: FsType) -> Option<(&'static str, bool)> {
    match kind.0 as u64 & 0xffff_ffff {
        0x0102_1994 => Some(("tmpfs", false)),
        0x8584_58f6 => Some(("ramfs", false)),
        0x6969 => Some(("NFS", true)),
        0x517b | 0xff53_4d42 | 0xfe53_4d42 => Some(("SMB", true)),
        0x00c3_6400 => Some(("Ceph", true)),
        0x0102_1997 => Some(("9p", true)),
        0x5346_414f => Some(("AFS", true)),
        _ => None,
    }
}

fn file_system(folder: &Path) -> Option<Finding> {
    let kind = statfs::statfs(&existing(folder)).ok()?.filesystem_type();
    let (name, remote) = unfit(kind)?;
    let (why, fix) = if remote {
        (
            "locks and shared memory of SQLite do not work reliably over a network: the database can be damaged",
            "put it on a disk of this machine with DATABASE_URL",
        )
    } else {
        (
            "it is in memory: a restart of the machine or the container loses every task",
            "put it on a disk with DATABASE_URL, or mount a volume there",
        )
    };
    Some(Finding::error("file_system", format!("{} is on {name}", folder.display()), why, fix))
}

fn free_space(folder: &Path) -> Option<Finding> {
    let disk = statvfs::statvfs(&existing(folder)).ok()?;
    let (free, inodes) = (disk.blocks_available() * disk.fragment_size(), disk.files_available());
    Some(judged(folder, free, (disk.files() > 0).then_some(inodes)))
}

fn judged(folder: &Path, free: u64, inodes: Option<u64>) -> Finding {
    let what = format!("{} MiB are free in {}", free >> 20, folder.display());
    let why = "when the disk is full, nothing more is accepted (507) until there is room";
    let fix = "make room, or put the database on a larger disk with DATABASE_URL";
    match (free, inodes) {
        (_, Some(0)) => Finding::error("disk_space", format!("no inode is free in {}", folder.display()), why, fix),
        (free, _) if free < TOO_LITTLE => Finding::error("disk_space", what, why, fix),
        (free, _) if free < LITTLE => Finding::warning("disk_space", what, why, fix),
        _ => Finding::ok("disk_space", what),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn little_room_is_told_before_there_is_none() {
        let verdict = |free, inodes| judged(Path::new("x"), free, inodes).verdict;
        assert_eq!(verdict(50 << 20, None), Verdict::Error);
        assert_eq!(verdict(500 << 20, Some(9)), Verdict::Warning);
        assert_eq!(verdict(5 << 30, Some(9)), Verdict::Ok);
        assert_eq!(verdict(5 << 30, Some(0)), Verdict::Error);
    }
}

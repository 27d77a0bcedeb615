//! Outcomes that the store could not take, kept in a file until it can: so that what a handler has done is not done again
//! because the node ended before the store came back.
//!
//! One line an outcome: the first half of the SHA-256 of the rest in hexadecimal, a space, JSON. A line that was cut short by
//! a crash was not promised to anybody, and is left out. The file is emptied once all that is in it is in the store.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};

use super::owed::Owed;

/// Bytes of the largest spool. What does not fit waits in memory alone.
pub(super) const MOST_BYTES: u64 = 64 << 20;

pub(super) struct Spool {
    path: PathBuf,
    file: File,
    bytes: u64,
    most: u64,
    /// Outcomes in it that are not in the store yet.
    owed: usize,
}

impl Spool {
    /// Opens it, and what an earlier life of this node has left in it.
    pub(super) fn open(path: &Path) -> io::Result<(Self, Vec<Owed>)> {
        let file = appendable(path)?;
        // Its name is to outlive the machine too.
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            File::open(folder)?.sync_all()?;
        }
        let mut spool = Self { path: path.to_owned(), file, bytes: 0, most: MOST_BYTES, owed: 0 };
        let found = if fs::metadata(path)?.len() > MOST_BYTES { Found::foreign() } else { read(&fs::read(path)?) };
        if found.damaged > 0 {
            spool.set_aside(&found)?;
        }
        spool.bytes = found.owed.iter().map(|(_, line)| *line).sum();
        if found.damaged == 0 {
            // A line that was cut short would spoil the next one.
            spool.file.set_len(spool.bytes)?;
        }
        let left: Vec<Owed> = found.owed.into_iter().map(|(owed, _)| owed).collect();
        spool.owed = left.len();
        Ok((spool, left))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Adds outcomes as far as there is room, and says how many. Once this returns they outlive the process and the machine.
    pub(super) fn add(&mut self, owed: impl Iterator<Item = Owed>) -> io::Result<usize> {
        let (mut text, mut added) = (Vec::new(), 0);
        for one in owed {
            let line = line(&one)?;
            if self.bytes + (text.len() + line.len()) as u64 > self.most {
                break;
            }
            text.extend_from_slice(line.as_bytes());
            added += 1;
        }
        if added == 0 {
            return Ok(0);
        }
        if let Err(error) = self.file.write_all(&text).and_then(|()| self.file.sync_data()) {
            // Half a line would spoil the next one.
            self.file.set_len(self.bytes)?;
            return Err(error);
        }
        self.bytes += text.len() as u64;
        self.owed += added;
        Ok(added)
    }

    /// So many of it are in the store. With the last one it is empty.
    pub(super) fn settled(&mut self, outcomes: usize) -> io::Result<()> {
        self.owed = self.owed.saturating_sub(outcomes);
        if self.owed == 0 && self.bytes > 0 {
            self.file.set_len(0)?;
            self.bytes = 0;
            self.file.sync_data()?;
        }
        Ok(())
    }

    /// Keeps a damaged file for whoever wants to look at it, and goes on with what is whole.
    fn set_aside(&mut self, found: &Found) -> io::Result<()> {
        let beside = |end: &str| {
            let mut name = self.path.clone().into_os_string();
            name.push(end);
            PathBuf::from(name)
        };
        let (aside, whole) = (beside(".damaged"), beside(".new"));
        let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&whole)?;
        for (owed, _) in &found.owed {
            file.write_all(line(owed)?.as_bytes())?;
        }
        file.sync_all()?;
        fs::rename(&self.path, &aside)?;
        fs::rename(&whole, &self.path)?;
        self.file = appendable(&self.path)?;
        log::error!(
            kept = found.owed.len(), damaged = found.damaged;
            "The file of outcomes is damaged and was set aside as {}: the tasks whose outcomes cannot be read run again",
            aside.display()
        );
        Ok(())
    }
}

/// Nobody else's: results are in it.
fn appendable(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

/// What is in a file: the outcomes with the length of their lines, and how many lines are none.
struct Found {
    owed: Vec<(Owed, u64)>,
    damaged: usize,
}

impl Found {
    /// Longer than any that this program writes.
    const fn foreign() -> Self {
        Self { owed: Vec::new(), damaged: 1 }
    }
}

fn read(bytes: &[u8]) -> Found {
    let mut found = Found { owed: Vec::new(), damaged: 0 };
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        // The one that was being written when the process ended.
        let Some(text) = line.strip_suffix(b"\n") else { break };
        match std::str::from_utf8(text).ok().and_then(parse) {
            Some(owed) => found.owed.push((owed, line.len() as u64)),
            None => found.damaged += 1,
        }
    }
    found
}

fn line(owed: &Owed) -> io::Result<String> {
    let json = serde_json::to_string(owed).map_err(io::Error::other)?;
    Ok(format!("{} {json}\n", sum(&json)))
}

fn parse(line: &str) -> Option<Owed> {
    let (told, json) = line.split_once(' ')?;
    (told == sum(json)).then(|| serde_json::from_str(json).ok())?
}

fn sum(text: &str) -> String {
    Sha256::digest(text)[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::{ErrorKind, Granted, LeaseId, NewTask, Priority, TaskError, TaskId, Verdict, WorkerId};

    fn owed(number: u32) -> Owed {
        let NewTask { args, kwargs, .. } = NewTask::new(1);
        let task = Granted {
            id: TaskId::new(),
            lease: LeaseId::random(),
            name: "send".into(),
            queue: "mail".into(),
            priority: Priority::default(),
            args,
            kwargs,
            meta: None,
            attempt: number,
            failures: 0,
            crashes: 0,
            snoozes: 0,
            max_retries: 0,
            retry: None,
            timeout_ms: None,
            expires_at: Some(9),
            generation: 1,
            keyed: false,
            parents: 0,
            workflow: None,
            has_dependants: false,
            ready_at: 1,
            started_at: 2,
        };
        let verdict = match number % 3 {
            0 => Verdict::Success { result: "{\"a\":\"\\n\"}".into() },
            1 => Verdict::Snooze { at: 7 },
            _ => Verdict::Retry { at: 7, error: TaskError::new(ErrorKind::Failure, "no\nline") },
        };
        Owed::new(WorkerId::new(), &task, &verdict)
    }

    fn some(count: u32) -> Vec<Owed> {
        (0..count).map(owed).collect()
    }

    fn left(path: &Path) -> Vec<Owed> {
        Spool::open(path).unwrap().1
    }

    #[test]
    fn what_was_added_is_there_after_a_crash_and_gone_once_all_is_settled() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outcomes");
        let all = some(5);
        let (mut spool, before) = Spool::open(&path).unwrap();
        assert_eq!(before, []);
        assert_eq!(spool.add(all[..2].iter().cloned()).unwrap(), 2);
        assert_eq!(spool.add(all[2..].iter().cloned()).unwrap(), 3);
        drop(spool);
        let (mut spool, found) = Spool::open(&path).unwrap();
        assert_eq!(found, all);
        assert_eq!(spool.bytes(), fs::metadata(&path).unwrap().len());
        let (task, worker, verdict) = found[0].clone().parts();
        assert_eq!(Owed::new(worker, &task, &verdict), all[0]);
        spool.settled(4).unwrap();
        assert_eq!(left(&path), all);
        spool.settled(1).unwrap();
        assert_eq!((left(&path), spool.bytes()), (Vec::new(), 0));
    }

    #[test]
    fn a_line_that_was_cut_short_is_left_out_and_spoils_nothing_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outcomes");
        let all = some(3);
        Spool::open(&path).unwrap().0.add(all.iter().cloned()).unwrap();
        let whole = fs::read(&path).unwrap();
        let ends: Vec<usize> = (0..whole.len()).filter(|at| whole[*at] == b'\n').collect();
        let more = owed(9);
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            let mut kept = all[..ends.iter().filter(|end| **end < length).count()].to_vec();
            let (mut spool, found) = Spool::open(&path).unwrap();
            assert_eq!(found, kept, "cut at {length}");
            spool.add([more.clone()].into_iter()).unwrap();
            kept.push(more.clone());
            assert_eq!(left(&path), kept, "cut at {length}");
        }
        assert!(!folder.path().join("outcomes.damaged").exists());
    }

    #[test]
    fn a_damaged_file_is_set_aside_and_what_is_whole_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outcomes");
        let all = some(3);
        Spool::open(&path).unwrap().0.add(all.iter().cloned()).unwrap();
        let mut changed = fs::read(&path).unwrap();
        let second = changed.iter().position(|byte| *byte == b'\n').unwrap() + 60;
        changed[second] ^= 1;
        fs::write(&path, &changed).unwrap();
        for _ in 0..2 {
            assert_eq!(left(&path), [all[0].clone(), all[2].clone()]);
        }
        assert_eq!(fs::read(folder.path().join("outcomes.damaged")).unwrap(), changed);
    }

    #[test]
    fn it_does_not_grow_beyond_its_bound() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outcomes");
        let (mut spool, _) = Spool::open(&path).unwrap();
        spool.most = 1_200;
        let all = some(9);
        let added = spool.add(all.iter().cloned()).unwrap();
        assert!((1..9).contains(&added), "{added}");
        assert_eq!(spool.add(all[added..].iter().cloned()).unwrap(), 0);
        assert!(spool.bytes() <= 1_200);
        assert_eq!(left(&path), all[..added]);
    }
}

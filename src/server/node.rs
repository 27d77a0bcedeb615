//! Who a node is, from one of its lives to the next.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
};

use nix::fcntl::{Flock, FlockArg};

use crate::{config::Database, store::Location};

/// Where a node keeps its tasks and what is its own.
#[derive(Debug, Clone)]
pub struct Place {
    pub store: Location,
    /// Folder of the node's own files, where the store is elsewhere.
    pub data: PathBuf,
}

impl Place {
    pub fn of(config: &crate::config::Config) -> Self {
        Self { store: location(&config.database), data: config.data_dir.clone() }
    }

    /// Where a crash leaves its last words.
    pub(super) fn witness(&self) -> PathBuf {
        self.own("crash")
    }

    /// Where outcomes wait while the store takes nothing.
    pub(super) fn spool(&self) -> PathBuf {
        self.own("outcomes")
    }

    /// A file of the node's own.
    fn own(&self, what: &str) -> PathBuf {
        match &self.store {
            Location::File(database) => {
                let mut beside = database.as_os_str().to_owned();
                beside.push(format!(".{what}"));
                beside.into()
            }
            Location::Server(_) => self.data.join(format!("node.{what}")),
        }
    }
}

pub(super) fn location(database: &Database) -> Location {
    match database {
        Database::File(path) => Location::File(path.clone()),
        Database::Server(url) => Location::Server(url.reveal().to_owned()),
    }
}

/// A name that stays, and the lock that proves that no other process goes by it.
pub(super) struct Identity {
    pub(super) id: String,
    _lock: Flock<File>,
}

impl Identity {
    pub(super) fn take(data: &Path) -> Result<Self, String> {
        let fail = |what: &str, path: &Path, error: io::Error| format!("cannot {what} {}: {error}", path.display());
        fs::create_dir_all(data).map_err(|error| fail("create the folder", data, error))?;
        let beside = data.join("node.lock");
        let open = OpenOptions::new().create(true).read(true).write(true).truncate(false).open(&beside);
        let file = open.map_err(|error| fail("open", &beside, error))?;
        let mut lock = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(mut file, _)| {
            let mut owner = String::new();
            let _ = file.read_to_string(&mut owner);
            let (data, owner) = (data.display(), owner.trim());
            format!("the folder {data} is in use by another jobqueue process (pid {owner}). Give each node its own --data-dir")
        })?;
        // Only for the message above.
        let _ = lock.set_len(0).and_then(|()| lock.rewind()).and_then(|()| writeln!(lock, "{}", std::process::id()));
        let path = data.join("node.id");
        let id = match fs::read_to_string(&path) {
            Ok(text) if !text.trim().is_empty() => text.trim().to_owned(),
            Ok(_) => new_id(&path).map_err(|error| fail("write", &path, error))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                new_id(&path).map_err(|error| fail("write", &path, error))?
            }
            Err(error) => return Err(fail("read", &path, error)),
        };
        Ok(Self { id, _lock: lock })
    }
}

fn new_id(path: &Path) -> io::Result<String> {
    let id = uuid::Uuid::new_v4().to_string();
    let mut file = File::create(path)?;
    writeln!(file, "{id}")?;
    file.sync_all()?;
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_the_same_in_its_next_life_and_never_twice() {
        let folder = tempfile::tempdir().unwrap();
        let first = Identity::take(folder.path()).unwrap();
        let refused = Identity::take(folder.path()).err().unwrap();
        assert!(refused.contains(&format!("pid {}", std::process::id())), "{refused}");
        let id = first.id.clone();
        drop(first);
        assert_eq!(Identity::take(folder.path()).unwrap().id, id);
    }
}

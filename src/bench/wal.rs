//! What SQLite commits and writes to its log, read from the header of the log's index.
//!
//! The index is a file that SQLite shares in memory between its connections; its layout is documented
//! (<https://www.sqlite.org/walformat.html>, section 2.1). Looking costs one read and disturbs nobody.

use std::{fs::File, io, os::unix::fs::FileExt as _, path::Path};

/// A frame is a page and this header.
const FRAME_HEADER: u64 = 24;
const HEADER: usize = 48;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Header {
    /// Grows by one with each commit.
    change: u32,
    page: u64,
    /// The last valid frame.
    frames: u32,
    /// Size of the database with all that is in the log.
    pages: u32,
    /// Changes when the log starts again from its beginning.
    salt: u64,
}

/// Adds up what happens between looks. What is written between the last look and a new start of the log is missed: a
/// thousandth, with a look each millisecond.
pub(super) struct Wal {
    index: File,
    seen: Header,
    pub(super) commits: u64,
    pub(super) bytes: u64,
}

impl Wal {
    /// Of the database file at `path`, which must be open in WAL mode.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let index = index(path)?;
        let seen = present(&index)?;
        Ok(Self { index, seen, commits: 0, bytes: 0 })
    }

    pub(super) fn look(&mut self) {
        // One that cannot be read, or is just being written, is seen at the next look.
        let Ok(Some(now)) = header(&self.index) else { return };
        let frames =
            if now.salt == self.seen.salt { now.frames - self.seen.frames.min(now.frames) } else { now.frames };
        self.bytes += u64::from(frames) * (now.page + FRAME_HEADER);
        self.commits += u64::from(now.change.wrapping_sub(self.seen.change));
        self.seen = now;
    }
}

/// Bytes of the database, whether they are in its file yet or still in the log.
pub(super) fn database_size(path: &Path) -> io::Result<u64> {
    let header = present(&index(path)?)?;
    Ok(u64::from(header.pages) * header.page)
}

fn index(path: &Path) -> io::Result<File> {
    let mut index = path.as_os_str().to_owned();
    index.push("-shm");
    File::open(index)
}

fn present(index: &File) -> io::Result<Header> {
    loop {
        if let Some(header) = header(index)? {
            return Ok(header);
        }
    }
}

/// `None` while it is being written: the two copies of it then differ.
fn header(index: &File) -> io::Result<Option<Header>> {
    let mut bytes = [0; 2 * HEADER];
    index.read_exact_at(&mut bytes, 0)?;
    let (first, second) = bytes.split_at(HEADER);
    if first != second {
        return Ok(None);
    }
    let word = |at: usize| u32::from_ne_bytes([first[at], first[at + 1], first[at + 2], first[at + 3]]);
    let page = match u16::from_ne_bytes([first[14], first[15]]) {
        1 => 65_536,
        size => size.into(),
    };
    let salt = (u64::from(word(32)) << 32) | u64::from(word(36));
    Ok(Some(Header { change: word(8), page, frames: word(16), pages: word(20), salt }))
}

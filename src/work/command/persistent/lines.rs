//! Lines of a child, of bounded length.

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::ChildStdout,
};

#[derive(Debug)]
pub(super) struct Lines {
    pipe: BufReader<ChildStdout>,
    /// The beginning of a line whose end has not come yet.
    begun: Vec<u8>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Whole(Vec<u8>),
    TooLong,
    /// There are no more, and perhaps one was not ended.
    End,
}

impl Lines {
    pub(super) fn new(pipe: ChildStdout) -> Self {
        Self { pipe: BufReader::with_capacity(16 * 1024, pipe), begun: Vec::new() }
    }

    /// The next one, without its end. May be dropped and called again: nothing is lost.
    pub(super) async fn next(&mut self, limit: usize) -> Line {
        loop {
            // A pipe that cannot be read is at its end.
            let read = self.pipe.fill_buf().await.unwrap_or_default();
            if read.is_empty() {
                return Line::End;
            }
            let end = read.iter().position(|byte| *byte == b'\n');
            let taken = end.unwrap_or(read.len());
            if self.begun.len() + taken > limit {
                return Line::TooLong;
            }
            self.begun.extend_from_slice(&read[..taken]);
            self.pipe.consume(taken + usize::from(end.is_some()));
            if end.is_some() {
                return Line::Whole(std::mem::take(&mut self.begun));
            }
        }
    }

    /// Something was read that nobody has asked for yet.
    pub(super) fn has_more(&self) -> bool {
        !self.begun.is_empty() || !self.pipe.buffer().is_empty()
    }

    /// Anything to read, or the end.
    pub(super) async fn wake(&mut self) {
        let _ = self.pipe.fill_buf().await;
    }
}

//! The way for a handler to say how far it has come and what happens.

use std::sync::Arc;

use crate::task::{LogLevel, Progress};

/// Where that goes. Never blocks; what there is no room for is dropped.
pub trait Notes: Send + Sync {
    fn progress(&self, progress: Progress);
    fn log(&self, level: LogLevel, message: &str);
}

/// Nobody listens: a handler that is run by itself.
struct Silence;

impl Notes for Silence {
    fn progress(&self, _: Progress) {}
    fn log(&self, _: LogLevel, _: &str) {}
}

pub(super) fn silence() -> Arc<dyn Notes> {
    Arc::new(Silence)
}

/// A log that comes in pieces, cut into its lines. Empty ones are left out.
#[derive(Default)]
pub(super) struct Cutter {
    begun: Vec<u8>,
}

impl Cutter {
    /// Longer lines are cut.
    const LONGEST: usize = 4_096;

    pub(super) fn push(&mut self, bytes: &[u8], notes: &dyn Notes) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let room = Self::LONGEST.saturating_sub(self.begun.len());
            self.begun.extend_from_slice(&piece[..piece.len().min(room)]);
            if piece.ends_with(b"\n") {
                self.end(notes);
            }
        }
    }

    /// What was begun is a line, too.
    pub(super) fn end(&mut self, notes: &dyn Notes) {
        let line = String::from_utf8_lossy(&self.begun);
        let line = line.trim_end();
        if !line.is_empty() {
            notes.log(LogLevel::Info, line);
        }
        self.begun.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Heard(Mutex<Vec<String>>);

    impl Notes for Heard {
        fn progress(&self, _: Progress) {}
        fn log(&self, _: LogLevel, message: &str) {
            self.0.lock().unwrap().push(message.to_owned());
        }
    }

    #[test]
    fn a_log_is_cut_into_its_lines_wherever_it_is_torn() {
        let (heard, mut cutter) = (Heard::default(), Cutter::default());
        for piece in [&b"one\ntw"[..], b"o\r\n\n", b"\xff three", b"\n", &[b'x'; 9_000], b"\nlast"] {
            cutter.push(piece, &heard);
        }
        cutter.end(&heard);
        let lines = heard.0.into_inner().unwrap();
        let long = "x".repeat(4_096);
        assert_eq!(lines, ["one", "two", "\u{FFFD} three", &long, "last"]);
    }
}

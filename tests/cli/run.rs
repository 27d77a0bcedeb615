//! One run of the program.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::support::{Server, program};

/// What it did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|fault| panic!("{fault}: {self:?}"))
    }

    /// Ended like this, and said this on either stream.
    #[track_caller]
    pub(crate) fn is(&self, code: i32, said: &[&str]) -> &Self {
        assert_eq!(self.code, code, "{self:?}");
        for part in said {
            assert!(self.out.contains(part) || self.err.contains(part), "{part:?} is not in {self:?}");
        }
        self
    }
}

/// To its end, with nobody at a terminal.
pub(crate) fn ended(command: &mut Command) -> Ran {
    let output = command.stdin(Stdio::null()).output().unwrap();
    Ran {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// In a folder of its own, without a server.
pub(crate) fn alone(folder: &Path, args: &[&str]) -> Ran {
    ended(program(folder).args(args))
}

/// Against a server.
pub(crate) fn ask(server: &Server, args: &[&str]) -> Ran {
    let url = format!("http://{}", server.address());
    ended(program(&std::env::temp_dir()).env("JOBQUEUE_URL", url).args(args))
}

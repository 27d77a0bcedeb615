//! Which handler took the process down.
//!
//! A handler that aborts, overflows its stack or reaches for memory it must not ends the process, and with it everybody
//! else's attempts. The signal comes on the thread that did it: the name of the task whose handler is being polled there
//! goes into a file, by which the next start knows whom to charge. What kills from outside (kill -9, want of memory,
//! power) names nobody, and what a handler has handed to a thread of its own is not seen.

use std::{cell::Cell, fs::File, io, os::unix::fs::FileExt as _, path::Path, sync::OnceLock};

use nix::{
    libc::{self, c_int, c_void, siginfo_t},
    sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, raise, sigaction},
};

use crate::task::{LeaseId, LeaseToken, TaskId};

const SIGNALS: [Signal; 5] = [Signal::SIGABRT, Signal::SIGSEGV, Signal::SIGBUS, Signal::SIGILL, Signal::SIGFPE];

thread_local! {
    /// Without a destructor and made before it is first used: a signal handler may read it.
    static POLLED: Cell<Option<LeaseToken>> = const { Cell::new(None) };
}

static FILE: OnceLock<File> = OnceLock::new();
/// What was done at these signals before: Rust's own message about a stack that has overflowed among it.
static BEFORE: OnceLock<Vec<(Signal, SigAction)>> = OnceLock::new();

/// Whom an earlier process has named. It may have been long ago: only the lease tells whether it still means anything.
pub fn last_words(path: &Path) -> Option<LeaseToken> {
    let words = std::fs::read(path).ok()?;
    let (task, lease) = words.split_at_checked(16)?;
    Some(LeaseToken { task: TaskId::from_slice(task)?, lease: LeaseId::from_slice(lease)? })
}

/// From now on a crash names its cause in this file. The first call in a process counts.
pub fn listen(path: &Path) -> io::Result<()> {
    if FILE.set(File::create(path)?).is_err() {
        return Ok(());
    }
    // On the stack that is kept for it: the thread's own may be what is used up.
    let flags = SaFlags::SA_SIGINFO | SaFlags::SA_ONSTACK;
    let action = SigAction::new(SigHandler::SigAction(crashed), flags, SigSet::empty());
    let mut before = Vec::with_capacity(SIGNALS.len());
    for signal in SIGNALS {
        #[expect(unsafe_code, reason = "a signal handler; it does only what is allowed in one, see there")]
        // SAFETY: as said at `crashed`.
        before.push((signal, unsafe { sigaction(signal, &action) }?));
    }
    let _ = BEFORE.set(before);
    Ok(())
}

/// Runs a part of a handler under the name of its task.
pub(super) fn during<T>(token: LeaseToken, work: impl FnOnce() -> T) -> T {
    struct Until(Option<LeaseToken>);
    impl Drop for Until {
        fn drop(&mut self) {
            POLLED.set(self.0);
        }
    }
    let _until = Until(POLLED.replace(Some(token)));
    work()
}

/// Allocates nothing, locks nothing: reads a thread-local without destructor, writes to an open file, sets an action.
extern "C" fn crashed(signal: c_int, info: *mut siginfo_t, _: *mut c_void) {
    #[expect(unsafe_code, reason = "what the system hands to a signal handler")]
    // SAFETY: with SA_SIGINFO it points to the description of this signal.
    let code = unsafe { (*info).si_code };
    // Sent by another process it is nobody's fault in here.
    if code != libc::SI_USER
        && let (Some(token), Some(file)) = (POLLED.get(), FILE.get())
    {
        // At once, should two threads crash together.
        let mut words = [0; 32];
        words[..16].copy_from_slice(token.task.as_bytes());
        words[16..].copy_from_slice(token.lease.as_bytes());
        let _ = file.write_at(&words, 0);
    }
    let Ok(signal) = Signal::try_from(signal) else { return };
    let before = BEFORE.get().and_then(|before| before.iter().find(|(of, _)| *of == signal));
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    #[expect(unsafe_code, reason = "puts back what was there before")]
    // SAFETY: an action that was in force before, or the default.
    let _ = unsafe { sigaction(signal, before.map_or(&default, |(_, action)| action)) };
    // What the processor has raised comes again by itself on the return; what was sent does not.
    if code <= 0 {
        let _ = raise(signal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_holds_only_for_the_time_of_the_work() {
        let token = || LeaseToken { task: TaskId::new(), lease: LeaseId::random() };
        let (outer, inner) = (token(), token());
        during(outer, || {
            let _ = std::panic::catch_unwind(|| during(inner, || panic!("as handlers do")));
            assert_eq!(POLLED.get(), Some(outer));
        });
        assert_eq!(POLLED.get(), None);
    }

    #[test]
    fn half_a_word_names_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("crash");
        assert_eq!(last_words(&path), None);
        for length in [0, 1, 16, 31, 33] {
            std::fs::write(&path, vec![1; length]).unwrap();
            assert_eq!(last_words(&path), None, "{length}");
        }
        std::fs::write(&path, [1; 32]).unwrap();
        assert!(last_words(&path).is_some());
    }
}

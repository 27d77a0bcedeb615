//! Panics as log records.

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    panic::{self, PanicHookInfo},
    sync::{
        Once,
        atomic::{AtomicU64, Ordering},
    },
};

static PANICS: AtomicU64 = AtomicU64::new(0);
static HOOK: Once = Once::new();

/// Panics since [`install_panic_hook`] was called, caught ones too.
pub fn panics() -> u64 {
    PANICS.load(Ordering::Relaxed)
}

/// From now on every panic is counted and logged as an error, with its thread, place and message. Without a logger it
/// is reported as before. Further calls do nothing.
pub fn install_panic_hook() {
    HOOK.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            PANICS.fetch_add(1, Ordering::Relaxed);
            if log::log_enabled!(target: "jobqueue::panic", log::Level::Error) {
                report(info);
            } else {
                previous(info);
            }
        }));
    });
}

fn report(info: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let message = info.payload_as_str().unwrap_or("(no message)");
    let location = info.location().map(ToString::to_string).unwrap_or_default();
    // Captured only where RUST_BACKTRACE asks for it.
    let backtrace = Backtrace::capture();
    let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    log::error!(
        target: "jobqueue::panic",
        "panic.thread" = thread.name().unwrap_or("unnamed"),
        "panic.location" = location.as_str(),
        "panic.backtrace" = backtrace.as_deref();
        "a thread panicked: {message}"
    );
}

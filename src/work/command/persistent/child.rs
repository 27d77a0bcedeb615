//! A child that runs one task after the other.

use std::{
    fs, io,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use nix::sys::signal::Signal;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::{ChildStderr, ChildStdin},
    time::timeout,
};
use tokio_util::task::AbortOnDropHandle;

use super::{
    Recycling,
    answer::{self, Answer},
    lines::{Line, Lines},
};
use crate::{
    task::{Again, ErrorKind, Outcome, TaskError},
    work::{
        CommandSpec, Notes, TaskContext,
        command::{
            process::Group,
            spec::{self, Launch},
            verdict::{Ended, told},
        },
        notes::Cutter,
    },
};

/// Dropping it kills it, with all it has started.
pub(super) struct Child {
    group: Group,
    stdin: ChildStdin,
    lines: Lines,
    log: Arc<Mutex<Log>>,
    served: u32,
    asked: bool,
    _logging: AbortOnDropHandle<()>,
}

pub(super) enum Served {
    /// It goes on; so far as it was not asked to stop.
    Answered(Outcome),
    /// It is of no more use.
    Failed(Failed),
}

pub(super) enum Failed {
    TooLong,
    /// What is wrong with what it wrote.
    Garbled(String),
    /// It ended, or closed its output.
    Ended,
}

impl Child {
    pub(super) async fn start(launch: &Launch) -> io::Result<Self> {
        let mut command = launch.command();
        command.env("JOBQUEUE_PROTOCOL", "1");
        let mut group = Group::start(command, launch.spec.limits, launch.guard.clone()).await?;
        let (Some(stdin), Some(stdout), Some(stderr)) = group.pipes() else {
            return Err(io::Error::other("its pipes are missing"));
        };
        let log = Arc::<Mutex<Log>>::default();
        let logging = AbortOnDropHandle::new(tokio::spawn(keep_end(stderr, log.clone(), launch.spec.stderr_limit)));
        Ok(Self { group, stdin, lines: Lines::new(stdout), log, served: 0, asked: false, _logging: logging })
    }

    /// Gives it a task and waits for the answer.
    pub(super) async fn serve(&mut self, spec: &CommandSpec, context: &TaskContext) -> Served {
        self.served = self.served.saturating_add(1);
        self.log.lock().unwrap_or_else(PoisonError::into_inner).begin(context.notes().clone());
        let input = spec::input(context);
        let mut feeding = pin!(self.stdin.write_all(input.as_bytes()));
        let mut fed = false;
        let line = loop {
            tokio::select! {
                // A child that does not read has ended, and that is heard too.
                _ = &mut feeding, if !fed => fed = true,
                line = self.lines.next(spec.output_limit) => match line {
                    Line::Whole(line) if answer::is_note(&line, context.id(), &**context.notes()) => {}
                    line => break line,
                },
                () = context.cancelled(), if !self.asked => {
                    self.asked = true;
                    self.group.terminate();
                }
            }
        };
        match line {
            Line::TooLong => Served::Failed(Failed::TooLong),
            Line::End => Served::Failed(Failed::Ended),
            // What is half written could not be told from the next task.
            Line::Whole(line) if !fed => Served::Failed(Failed::Garbled(match answer::read(&line, context.id()) {
                Ok(_) => "it answered before it had read its task".into(),
                Err(why) => why,
            })),
            Line::Whole(line) => match answer::read(&line, context.id()) {
                Ok(answer) => Served::Answered(self.outcome_of(answer)),
                Err(why) => Served::Failed(Failed::Garbled(why)),
            },
        }
    }

    fn outcome_of(&self, answer: Answer) -> Outcome {
        match answer {
            Answer::Result(result) => Outcome::Success(result),
            Answer::Snooze(delay) => Outcome::Snoozed(delay),
            Answer::Error(fault) => {
                let error = TaskError::new(ErrorKind::Failure, "the task failed").with_detail(self.log_text());
                told(error, &fault, Again::ByPolicy)
            }
        }
    }

    /// It is replaced after what it has just answered.
    pub(super) fn is_worn(&self, recycling: Recycling) -> bool {
        self.asked
            || self.lines.has_more()
            || (recycling.max_tasks > 0 && self.served >= recycling.max_tasks)
            || recycling.memory.is_some_and(|most| self.memory().is_some_and(|held| held > most))
    }

    /// Resolves when it ends or writes something although it has no task.
    pub(super) async fn stirs(&mut self) {
        tokio::select! {
            () = self.group.exited() => {}
            () = self.lines.wake() => {}
        }
    }

    /// Ends it and tells what that means for its task.
    pub(super) async fn outcome(mut self, failed: Failed, spec: &CommandSpec) -> Outcome {
        let was_ended =
            matches!(failed, Failed::Ended) && timeout(Duration::from_secs(1), self.group.exited()).await.is_ok();
        if !was_ended {
            self.group.signal(Signal::SIGKILL);
        }
        let status = self.group.finish().await;
        // What it wrote last may be in the pipe still; that pipe is closed now, or held by others.
        let _ = timeout(Duration::from_millis(100), self._logging).await;
        let log = std::mem::take(&mut self.log.lock().unwrap_or_else(PoisonError::into_inner).end);
        let ended = Ended { log, too_long: matches!(failed, Failed::TooLong), asked: self.asked, ..Ended::default() };
        match failed {
            Failed::TooLong => ended.outcome(status, spec),
            Failed::Garbled(why) => ended.failure(ErrorKind::Output, why),
            Failed::Ended if was_ended => ended.without_answer(status, spec),
            Failed::Ended => ended.failure(ErrorKind::Output, "it closed its standard output".into()),
        }
    }

    /// Lets it end by itself, as it was told to when it began: by the end of its input.
    pub(super) async fn retire(self, patience: Duration) {
        let Self { mut group, stdin, .. } = self;
        drop(stdin);
        let _ = timeout(patience, group.exited()).await;
        let _ = group.finish().await;
    }

    fn log_text(&self) -> String {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&log.end).trim_end().to_owned()
    }

    /// Bytes of memory that it holds by itself.
    fn memory(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.group.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1_024)
    }
}

/// What it writes to stderr: the last of it, and each line to where the attempt in flight notes what it says.
#[derive(Default)]
struct Log {
    end: Vec<u8>,
    cutter: Cutter,
    notes: Option<Arc<dyn Notes>>,
}

impl Log {
    fn begin(&mut self, notes: Arc<dyn Notes>) {
        *self = Self { notes: Some(notes), ..Self::default() };
    }

    fn push(&mut self, read: &[u8], limit: usize) {
        if let Some(notes) = &self.notes {
            self.cutter.push(read, &**notes);
        }
        self.end.extend_from_slice(read);
        // At times up to twice as much.
        if self.end.len() >= 2 * limit.max(1024) {
            let surplus = self.end.len() - limit;
            self.end.drain(..surplus);
        }
    }
}

async fn keep_end(mut pipe: ChildStderr, log: Arc<Mutex<Log>>, limit: usize) {
    let mut read = vec![0; 4 * 1024];
    while let Ok(count @ 1..) = pipe.read(&mut read).await {
        log.lock().unwrap_or_else(PoisonError::into_inner).push(&read[..count], limit);
    }
}

//! A child's three pipes. Memory is bounded whatever the child does.

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::{ChildStderr, ChildStdin, ChildStdout},
};

use crate::work::notes::{Cutter, Notes};

/// The child wrote more than it may.
pub(super) struct TooLong;

/// Writes the input, then closes the pipe. A child that reads less than all of it, or nothing, is free to.
pub(super) async fn feed(stdin: Option<ChildStdin>, input: String) {
    if let Some(mut stdin) = stdin {
        let _ = stdin.write_all(input.as_bytes()).await;
    }
}

/// Reads output and log to their ends; fails as soon as the output is too long. What was read is in the buffers even
/// when this future is dropped half way.
pub(super) async fn read(
    (stdout, output, output_limit): (Option<ChildStdout>, &mut Vec<u8>, usize),
    (stderr, log, log_limit): (Option<ChildStderr>, &mut Vec<u8>, usize),
    notes: &dyn Notes,
) -> Result<(), TooLong> {
    let logging = async {
        read_end(stderr, log, log_limit, notes).await;
        Ok(())
    };
    tokio::try_join!(read_start(stdout, output, output_limit), logging).map(|_| ())
}

/// Keeps all, up to `limit` bytes. A pipe that cannot be read is at its end.
async fn read_start(pipe: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>, limit: usize) -> Result<(), TooLong> {
    let Some(pipe) = pipe else { return Ok(()) };
    // One byte more than allowed tells "too long" from "exactly as long as allowed".
    let _ = pipe.take(limit as u64 + 1).read_to_end(kept).await;
    if kept.len() > limit { Err(TooLong) } else { Ok(()) }
}

/// Keeps the last `limit` bytes, at times up to twice as many; each line is noted.
async fn read_end(pipe: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>, limit: usize, notes: &dyn Notes) {
    let Some(mut pipe) = pipe else { return };
    let mut cutter = Cutter::default();
    loop {
        let before = kept.len();
        if !pipe.read_buf(kept).await.is_ok_and(|read| read > 0) {
            break;
        }
        cutter.push(&kept[before..], notes);
        if kept.len() >= 2 * limit.max(1024) {
            kept.drain(..kept.len() - limit);
        }
    }
    cutter.end(notes);
}

"""Tasks for the tests' workers."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

from jobqueue import JobQueue, NotRetryable, Retry, Snooze, TaskCancelled, current_task

app = JobQueue(os.environ.get("TEST_QUEUE", "python"))
log = logging.getLogger("tests.tasks")


@app.task
def add(a: int, b: int) -> int:
    return a + b


@app.task
async def add_async(a: int, b: int) -> int:
    await asyncio.sleep(0.01)
    return a + b


@app.task
def noop() -> None:
    return None


@app.task(name="process_data")
def process(*numbers: int, multiplier: int = 1) -> list[int]:
    return [number * multiplier for number in numbers]


@app.task
def total() -> int:
    """Of what its parents have come to."""
    return sum(current_task().parent_results)


@app.task
def fail(message: str = "on purpose") -> None:
    raise ValueError(message)


@app.task
def fail_for_good() -> None:
    raise NotRetryable("no such customer")


@app.task
def retry_once() -> int:
    if current_task().attempt == 1:
        raise Retry("busy", after=0.05)
    return current_task().attempt


@app.task
def snooze_once() -> int:
    if current_task().snoozes == 0:
        raise Snooze("50ms")
    return current_task().attempt


@app.task
def not_json() -> Any:
    return {1, 2}


@app.task
def large(size: int) -> str:
    return "x" * size


@app.task
def flood(lines: int) -> str:
    """Much on its standard output, and in the log."""
    for line in range(lines):
        print("x" * 100)
        log.info("line %d", line)
    return "done"


@app.task
def half_a_pair() -> str:
    return "\ud800"


@app.task
def tell() -> str:
    """Prints, logs and says how far it is, and waits for `cancel`."""
    print("this is no answer")
    log.warning("half of it")
    current_task().log("by hand", "error")
    current_task().progress(50, "half")
    return "told"


@app.task
def nap(seconds: float, file: str | None = None) -> float:
    """Stops when it is asked to; says by files that it began, and how it ended."""
    note(file, "began")
    try:
        current_task().sleep(seconds)
    except TaskCancelled as error:
        note(file, type(error).__name__)
        raise
    note(file, "done")
    return seconds


@app.task
async def nap_async(seconds: float, file: str | None = None) -> float:
    note(file, "began")
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        note(file, "CancelledError")
        raise
    return seconds


@app.task
def deaf(seconds: float, file: str | None = None) -> str:
    """Does not stop when it is asked to."""
    note(file, f"began {os.getpid()}")
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            time.sleep(0.01)
        except TaskCancelled:
            note(file, "asked")
    return "done"


@app.task
def pid() -> int:
    return os.getpid()


@app.task
def thread() -> str:
    return threading.current_thread().name


@app.task
def kill_self(number: int = signal.SIGKILL) -> None:
    os.kill(os.getpid(), number)
    time.sleep(60)


@app.task
def leave(code: int) -> None:
    os._exit(code)


@app.task
def spawn(file: str) -> int:
    """Leaves a process behind."""
    child = subprocess.Popen(["sleep", "600"])
    note(file, str(child.pid))
    return child.pid


@app.task
def once(file: str, value: int) -> int:
    """Counts how often it has run."""
    note(file, str(value))
    return value


def note(file: str | None, text: str) -> None:
    if file is not None:
        with Path(file).open("a", encoding="utf-8") as notes:
            notes.write(text + "\n")

"""Programs that the runner starts: each in a process group of its own, which is ended as a whole."""
import os
import signal
import subprocess
import time
from contextlib import contextmanager

# Of a call, of a drain; and of the orderly end of a program.
PATIENCE_S = 180
GRACE_S = 6


class Failure(Exception):
    """Why a peer could not be measured."""


@contextmanager
def running(commands, log_path, stdout=None, **options):
    """Ctrl-C is for the runner alone, which then ends them. What they say goes to the log."""
    started = []
    try:
        with open(log_path, "a") as log:
            for command in commands:
                started.append(subprocess.Popen([str(word) for word in command], stdout=stdout or log, stderr=log,
                                                stdin=subprocess.DEVNULL, start_new_session=True, text=True, **options))
        yield started
    except OSError as error:
        raise Failure(str(error)) from error
    finally:
        stop(started)


def call(command, log_path, **options):
    """Its standard output."""
    with running([command], log_path, stdout=subprocess.PIPE, **options) as (process,):
        try:
            out, _ = process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired as error:
            raise Failure(f"{command[0]} took more than {PATIENCE_S} s{said(log_path)}") from error
        if process.returncode:
            words = " ".join(str(word) for word in command)
            raise Failure(f"{words} ended with {process.returncode}{said(log_path)}")
    return out


def said(log_path):
    """The last line that names an error, or else the last lines."""
    lines = [line.strip() for line in log_path.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()][-1:] or lines[-3:]
    return f"; it said: {' | '.join(errors)}" if errors else ""


def stop(started):
    for sign in (signal.SIGTERM, signal.SIGKILL):
        for process in started:
            try:
                os.killpg(process.pid, sign)
            except ProcessLookupError:
                pass
        deadline = time.monotonic() + GRACE_S
        for process in started:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                pass

"""Slots that run their tasks in processes: those can be killed, and do not share one interpreter."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import Any

from ..errors import JobQueueError
from ..execute import Outcome, failed, stopped
from .holding import Held, Holding
from .link import log
from .slots import Slot

#: Longest line that a process may write, in bytes: a result is one.
LONGEST_LINE = 64 << 20


class Child:
    """A process that runs one task after the other: a JSON line each way."""

    def __init__(self, target: str, log_level: str | None) -> None:
        command = [sys.executable, "-m", "jobqueue", "child", target, "--worker"]
        if log_level:
            command += ["--log-level", log_level]
        paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # A group of its own: a stop reaches what the task has started too, and Ctrl-C does not reach it.
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": paths},
        )
        self.done = 0
        #: It was told to stop a task, which may have reached it too late: it is not to be given another.
        self.is_spent = False

    def send(self, task: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(task, separators=(",", ":")).encode() + b"\n")
        self._process.stdin.flush()

    def read(self) -> dict[str, Any] | None:
        """None: it has ended, or has written what is no answer."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline(LONGEST_LINE)
        try:
            told = json.loads(line)
        except ValueError:
            return None
        return told if isinstance(told, dict) else None

    def signal(self, number: int) -> None:
        self.is_spent = True
        try:
            os.killpg(self._process.pid, number)
        except (ProcessLookupError, PermissionError):
            pass

    def close(self) -> int:
        """Ends it, if it does not end by itself; its exit code, or the negative number of the signal."""
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.close()
        except OSError:
            pass
        try:
            code = self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            code = 0
        # Also what it has left behind in its group.
        self.signal(signal.SIGKILL)
        self._process.wait()
        self._process.stdout.close()
        return code


class ProcessSlot(Slot):
    def __init__(self, number: int, holding: Holding, target: str, most: int, log_level: str | None = None) -> None:
        super().__init__(number, holding)
        self._target = target
        self._most = most
        self._log_level = log_level
        self._child: Child | None = None
        self._signals = threading.Lock()

    def work(self, held: Held) -> Outcome:
        try:
            child = self._ready()
            held.context.stop.when_asked(lambda: self._signal(child, held, signal.SIGTERM))
            child.send(held.context.data)
            return self._answer(child, held)
        except OSError as error:
            return self._died(held, f"; {error}")

    def _ready(self) -> Child:
        if self._child is not None and (self._child.is_spent or 0 < self._most <= self._child.done):
            self.close()
        if self._child is None:
            self._child = Child(self._target, self._log_level)
        return self._child

    def _answer(self, child: Child, held: Held) -> Outcome:
        while True:
            told = child.read()
            if told is None or told.get("id") != held.context.id:
                return self._died(held, "")
            if "progress" in told:
                held.context.note(**told["progress"])
            elif "log" in told:
                held.context.keep(told["log"])
            elif "extend" in told:
                self._extend(held, told["extend"])
            else:
                child.done += 1
                outcome: dict[str, Any] = told["outcome"]
                reason = held.context.stop.reason
                # Why it was to stop is known here and not there.
                return stopped(reason) if reason and outcome.get("cancelled") else outcome

    def _extend(self, held: Held, by: Any) -> None:
        try:
            held.context.extend(by)
        except JobQueueError as error:
            log.warning("task %s gets no more time: %s", held.context.id, error)

    def _died(self, held: Held, more: str) -> Outcome:
        child, self._child = self._child, None
        code = child.close() if child else 0
        reason = held.context.stop.reason
        if reason is not None:
            return stopped(reason)
        if code < 0:
            return failed("signal", f"the process was ended by {_signal_name(-code)}{more}")
        if code > 0:
            return failed("exit", f"the process ended with exit code {code}{more}")
        return failed("exit", f"the process ended, or wrote what is no answer{more}")

    def _signal(self, child: Child, held: Held, number: int) -> None:
        with self._signals:
            # Not one that runs the next task already.
            if not held.is_over and child is self._child:
                child.signal(number)

    def end(self, held: Held) -> bool:
        child = self._child
        log.warning("task %s (%s) does not stop; its process is killed", held.context.id, held.context.name)
        if child is not None:
            self._signal(child, held, signal.SIGKILL)
        return False

    def close(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.close()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"

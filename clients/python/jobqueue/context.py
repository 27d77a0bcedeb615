"""What a task that runs can ask and tell."""

from __future__ import annotations

import contextvars
import threading
import time
from collections import deque
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, Callable, NoReturn

from .errors import TaskCancelled, TimeLimitReached
from .model import moment
from .options import Duration, seconds

#: Lines that wait to be told; beyond them the oldest are dropped, and it is said that they were.
MOST_LINES = 1000
#: Longest line, in characters.
LONGEST_LINE = 8000
LEVELS = ("debug", "info", "warn", "error")


class Stop:
    """Whether a task is to stop, and why: `cancelled`, `timeout`, `shutdown` or `lost`. The first reason counts."""

    __slots__ = ("reason", "_event", "_lock", "_calls")

    def __init__(self) -> None:
        self.reason: str | None = None
        self._event: threading.Event | None = None
        self._calls: list[Callable[[], None]] = []
        self._lock = _LOCK

    def ask(self, reason: str) -> bool:
        """Whether it is the first to ask."""
        with self._lock:
            if self.reason is not None:
                return False
            self.reason = reason
            calls, event = list(self._calls), self._event
        if event is not None:
            event.set()
        for call in calls:
            call()
        return True

    def ask_from_signal(self, reason: str) -> bool:
        """In a handler of a signal, which may have interrupted who holds the lock. Whether somebody was told."""
        if self.reason is None:
            self.reason = reason
        for call in self._calls:
            call()
        return bool(self._calls)

    def when_asked(self, call: Callable[[], None]) -> None:
        """Has `call` called as soon as the task is to stop, by whichever thread asks."""
        with self._lock:
            if self.reason is None:
                self._calls.append(call)
                return
        call()

    def wait(self, timeout: float) -> bool:
        """Waits to be asked; whether it was."""
        with self._lock:
            if self.reason is not None:
                return True
            # Made only for those who wait: most tasks never do.
            self._event = event = self._event or threading.Event()
        return event.wait(timeout)


#: One for all: it is held for moments.
_LOCK = threading.Lock()


class TaskContext:
    """A task that runs: what it is, whether it is to stop, and ways to tell how it gets on."""

    def __init__(self, task: Mapping[str, Any], extend: Callable[[float], str | None] | None = None) -> None:
        self.data = task
        self.stop = Stop()
        self._extend = extend
        self._told = threading.Lock()
        self.lines: deque[dict[str, Any]] = deque()
        self._dropped = 0
        self._progress: dict[str, Any] | None = None

    @property
    def id(self) -> str:
        return str(self.data["id"])

    @property
    def name(self) -> str:
        return str(self.data["name"])

    @property
    def queue(self) -> str:
        return str(self.data.get("queue", ""))

    @property
    def lease_id(self) -> str:
        """Of this attempt: another of the same task has another."""
        return str(self.data["lease_id"])

    @property
    def attempt(self) -> int:
        """1 = the first."""
        return int(self.data.get("attempt", 1))

    @property
    def max_retries(self) -> int:
        return int(self.data.get("max_retries", 0))

    @property
    def snoozes(self) -> int:
        """How often it has been put off."""
        return int(self.data.get("snoozes", 0))

    @property
    def meta(self) -> dict[str, Any]:
        return dict(self.data.get("meta") or {})

    @property
    def parents(self) -> dict[str, Any]:
        """The results of the tasks it has waited for, by their ids."""
        return dict(self.data.get("parents") or {})

    @property
    def parent_results(self) -> list[Any]:
        """The same in the order in which those tasks were submitted: in a chord, that of its header."""
        return list(self.parents.values())

    @property
    def deadline(self) -> datetime | None:
        return moment(self.data.get("deadline"))

    @property
    def cancelled(self) -> bool:
        """It is to stop, for whatever reason."""
        return self.stop.reason is not None

    def check(self) -> None:
        """Raises `TaskCancelled` where the task is to stop: to be called now and then by whatever takes long."""
        if self.stop.reason is not None:
            self._raise(self.stop.reason)

    def sleep(self, duration: Duration) -> None:
        """Sleeps, but no longer than until the task is to stop, which it raises."""
        self.stop.wait(seconds(duration))
        self.check()

    def _raise(self, reason: str) -> NoReturn:
        if reason == "timeout":
            raise TimeLimitReached("the time limit is reached")
        raise TaskCancelled(reason)

    def progress(self, percent: float | None = None, message: str | None = None) -> None:
        """How far it is. It is told once in a while, the latest each time. Raises where the task is to stop."""
        self.note(percent, message)
        self.check()

    def note(self, percent: float | None = None, message: str | None = None) -> None:
        """The same, and raises nothing."""
        told: dict[str, Any] = {}
        if percent is not None:
            told["percent"] = min(100.0, max(0.0, float(percent)))
        if message is not None:
            told["message"] = message[:500]
        with self._told:
            self._progress = {**(self._progress or {}), **told}

    def log(self, message: str, level: str = "info") -> None:
        """A line that is kept with the attempt. The lines of `logging` come here by themselves."""
        self.keep(log_line(message, level))

    def keep(self, line: dict[str, Any]) -> None:
        with self._told:
            if len(self.lines) >= MOST_LINES:
                self.lines.popleft()
                self._dropped += 1
            self.lines.append(line)

    def extend(self, by: Duration) -> None:
        """Asks for more time than the limit of the task allows: from now on so long again."""
        if self._extend is None:
            raise RuntimeError("this task cannot be given more time from here")
        deadline = self._extend(seconds(by))
        self.data = {**self.data, "deadline": deadline}

    def untold(self) -> bool:
        return bool(self.lines) or self._progress is not None

    def take_progress(self) -> dict[str, Any] | None:
        with self._told:
            told, self._progress = self._progress, None
        return told

    def take_lines(self, most: int) -> list[dict[str, Any]]:
        with self._told:
            lines = [self.lines.popleft() for _ in range(min(most, len(self.lines)))]
            dropped, self._dropped = self._dropped, 0
        if dropped and lines:
            lines[0] = {
                **lines[0],
                "message": f"({dropped} lines before this were too many)\n{lines[0]['message']}"[:LONGEST_LINE],
            }
        return lines


def log_line(message: str, level: str) -> dict[str, Any]:
    at = datetime.fromtimestamp(time.time(), timezone.utc).isoformat().replace("+00:00", "Z")
    return {"level": level if level in LEVELS else "info", "message": message[:LONGEST_LINE], "at": at}


_current: contextvars.ContextVar[TaskContext | None] = contextvars.ContextVar("jobqueue_task", default=None)


def current_task() -> TaskContext:
    """The task that runs here."""
    context = _current.get()
    if context is None:
        raise RuntimeError("no task runs here: current_task() is for functions that a worker runs")
    return context

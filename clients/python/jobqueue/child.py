"""A process that runs tasks one after the other: a JSON line for each on its standard input, the answer on its standard output.

Both the server (`mode = "persistent"`, docs/persistent.md) and this package's worker with `--pool processes` use it.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Mapping
from typing import Any, BinaryIO

from ._wire import encode
from .app import JobQueue
from .context import TaskContext
from .errors import TaskCancelled
from .execute import Outcome, TaskLogHandler, failed, run, write

PR_SET_PDEATHSIG = 1


class ChildContext(TaskContext):
    """Writes at once what its task tells."""

    def __init__(self, task: Mapping[str, Any], child: Child) -> None:
        super().__init__(task)
        self._child = child

    def note(self, percent: float | None = None, message: str | None = None) -> None:
        super().note(percent, message)
        self._child.say({"id": self.id, "progress": self.take_progress()})

    def keep(self, line: dict[str, Any]) -> None:
        # By the server's protocol a line has no time of its own.
        told = line if self._child.of_worker else {"level": line["level"], "message": line["message"]}
        self._child.say({"id": self.id, "log": told})

    def extend(self, by: Any) -> None:
        if not self._child.of_worker:
            super().extend(by)  # Which says that it cannot.
        self._child.say({"id": self.id, "extend": by})


class Child:
    def __init__(self, app: JobQueue, of_worker: bool) -> None:
        self._app = app
        #: It answers to this package's worker, which understands more than the server.
        self.of_worker = of_worker
        self._context: ChildContext | None = None
        self._writing = threading.Lock()
        # What a task prints must not be taken for an answer, nor may it read the tasks.
        self._answers: BinaryIO = os.fdopen(os.dup(1), "wb")
        self._tasks: BinaryIO = os.fdopen(os.dup(0), "rb")
        os.dup2(2, 1)
        with open(os.devnull, "rb") as nothing:
            os.dup2(nothing.fileno(), 0)

    def say(self, message: dict[str, Any]) -> None:
        self._write(encode(message))

    def _write(self, line: str) -> None:
        with self._writing:
            self._answers.write(line.encode() + b"\n")
            self._answers.flush()

    def run(self) -> int:
        die_with_parent()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, self._on_stop)
        for line in self._tasks:
            task = json.loads(line)
            outcome = self._work(task)
            text = write(outcome if outcome is not None else {"cancelled": True})
            self._write(f'{{"id":{encode(task["id"])},' + (f'"outcome":{text}}}' if self.of_worker else for_server(text)))
        return 0

    def _work(self, task: dict[str, Any]) -> Outcome:
        function = self._app.tasks.get(task["name"])
        if function is None:
            return failed("failure", f"{task['name']!r} is none of {', '.join(sorted(self._app.tasks))}")
        context = ChildContext(task, self)
        try:
            self._context = context
            try:
                return run(function, context)
            finally:
                self._context = None
        except TaskCancelled:
            return {"cancelled": True}  # It came before the function had begun, or when it was over.

    def _on_stop(self, _number: int, _frame: object) -> None:
        context = self._context
        if context is not None and not context.stop.ask_from_signal("cancelled"):
            raise TaskCancelled("cancelled")


def for_server(outcome: str) -> str:
    """The rest of an answer by version 1 of the protocol of docs/persistent.md."""
    told = json.loads(outcome)
    if "error" in told:
        error = {name: value for name, value in told["error"].items() if name in ("message", "detail")}
        error.update({name: told[name] for name in ("retryable", "retry_after") if name in told})
        return f'"error":{encode(error)}}}'
    if "cancelled" in told:
        return '"error":{"message":"stopped"}}'
    return outcome[1:]


def die_with_parent() -> None:
    """Where the system can: nobody waits any more for what this process would go on with."""
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


def main(app: JobQueue, of_worker: bool, log_level: str | None) -> int:
    if log_level:
        handler = TaskLogHandler()
        handler.setFormatter(logging.Formatter("%(message)s"))
        logging.basicConfig(level=log_level.upper(), stream=sys.stderr)
        logging.getLogger().addHandler(handler)
    return Child(app, of_worker).run()

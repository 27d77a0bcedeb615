"""Slots that run tasks one after the other."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Mapping
from typing import Any

from ..app import RegisteredTask
from ..execute import HardStop, Outcome, failed, run, stopped
from .holding import Held, Holding
from .link import log


class Slot(threading.Thread):
    """A thread that takes tasks as long as there are any."""

    def __init__(self, number: int, holding: Holding) -> None:
        super().__init__(name=f"jobqueue-slot-{number}", daemon=True)
        self.number = number
        self._holding = holding
        #: It takes no further task.
        self.is_ended = False

    def run(self) -> None:
        while True:
            held = self._holding.take(self)
            if held is None:
                break
            try:
                outcome = self.work(held)
            except Exception as error:
                log.exception("slot %d has failed with task %s", self.number, held.context.id)
                outcome = failed("failure", f"the slot of the worker has failed: {error!r}")
            self._holding.finish(held, outcome)
        self.close()

    def work(self, held: Held) -> Outcome:
        """Runs one task to its end."""
        raise NotImplementedError

    def end(self, held: Held) -> bool:
        """The task has not stopped in time: it is ended. Whether another slot must take the place of this one."""
        raise NotImplementedError

    def close(self) -> None:
        """Nothing more comes."""


class ThreadSlot(Slot):
    """Runs tasks in its own thread. One that does not stop cannot be killed: it is left behind with its thread."""

    def __init__(self, number: int, holding: Holding, tasks: Mapping[str, RegisteredTask[Any, Any]]) -> None:
        super().__init__(number, holding)
        self._tasks = tasks

    def work(self, held: Held) -> Outcome:
        try:
            task = self._tasks.get(held.context.name)
            if task is None:
                return failed("failure", f"this worker has no task named {held.context.name!r}")
            return run(task, held.context)
        except HardStop:
            return stopped(held.context.stop.reason or "")  # It came when all was over.

    def end(self, held: Held) -> bool:
        self.is_ended = True
        reason = held.context.stop.reason or "cancelled"
        log.error("task %s (%s) does not stop; its thread is left behind", held.context.id, held.context.name)
        # Reaches what runs Python code; what waits in the system's or in C code hears it when it comes back.
        if self.ident is not None:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self.ident), ctypes.py_object(HardStop))
        self._holding.finish(held, stopped(reason))
        return True

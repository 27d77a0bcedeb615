"""Leases tasks, as many as there is room for."""

from __future__ import annotations

import threading
from typing import Any, Callable

from .._http import Pool
from .._wire import Backoff
from ..context import TaskContext
from ..errors import JobQueueError
from .holding import Held, Holding
from .link import Channel, Dead, Registrar, Registration, log
from .parts import Part

#: How long the server holds the answer back while there are no tasks, in seconds.
POLL = 30.0


class Fetcher(Part):
    def __init__(
        self, pool: Pool, registrar: Registrar, holding: Holding, stopping: threading.Event, on_crash: Callable[[], None]
    ) -> None:
        super().__init__("fetcher", on_crash)
        self._pool = pool
        self._channel = Channel(pool)
        self._registrar = registrar
        self._holding = holding
        self._stopping = stopping
        self._wanted = threading.Event()
        self._wanted.set()
        self._quiet_by: set[str] = set()

    def quiet(self, by: str, is_quiet: bool) -> None:
        """No more tasks, or tasks again, once none of those who may say so says otherwise."""
        if is_quiet and by not in self._quiet_by:
            log.info("quiet by %s: no more tasks are taken", by)
            self._quiet_by.add(by)
            self._wanted.clear()
        elif not is_quiet and by in self._quiet_by:
            self._quiet_by.discard(by)
            if not self._quiet_by:
                log.info("tasks are taken again")
                self._wanted.set()

    def stop(self) -> None:
        """Cuts a poll off. What it would have brought is given back by the server."""
        self._wanted.set()
        self._channel.abort()

    def work(self) -> None:
        backoff = Backoff(longest=5.0)
        while not self._stopping.is_set():
            self._wanted.wait()
            room = self._holding.wait_for_room(1.0)
            registration = self._registrar.current
            if room == 0 or registration is None:
                if registration is None:
                    self._stopping.wait(0.1)
                continue
            try:
                self._lease(registration, room)
                if backoff.failures:
                    log.info("the server answers again")
                backoff.reset()
            except Dead:
                self._registrar.renew(registration, self._stopping)
            except JobQueueError as error:
                if self._stopping.is_set():
                    return
                if backoff.failures == 0:
                    log.warning("cannot take tasks, trying again: %s", error)
                self._stopping.wait(backoff.next())

    def _lease(self, registration: Registration, room: int) -> None:
        body = {"max": min(room, 1000), "wait": f"{POLL:g}s"}
        told = self._channel.call("POST", f"/workers/{registration.worker_id}/lease", body, POLL)
        # Leases of one that was given up meanwhile are void.
        if told["data"] and registration is self._registrar.current:
            self._holding.add([self._held(task, registration) for task in told["data"]])
        if told.get("quiet"):
            # The heartbeat says when tasks are wanted again.
            self.quiet("the server", True)

    def _held(self, task: dict[str, Any], registration: Registration) -> Held:
        context = TaskContext(task)
        held = Held(task, registration, context)
        context._extend = lambda by: self._extend(held, by)
        return held

    def _extend(self, held: Held, by: float) -> Any:
        """By the thread of the task itself, with a connection of its own."""
        channel = Channel(self._pool)
        try:
            told = channel.call("POST", f"/leases/{held.lease_id}/extend", {"by": by})
        finally:
            channel.close()
        if held.limit is not None:
            held.limit += by
        return told.get("deadline")

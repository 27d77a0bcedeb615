"""The remote worker's calls."""

from __future__ import annotations

import logging
import os
import socket
import threading
from dataclasses import dataclass
from typing import Any, Callable

from .._http import Pool
from .._wire import VERSION, Backoff, Call
from ..errors import ApiError, Invalid, JobQueueError, NotAllowed, NotFound
from .settings import Settings

log = logging.getLogger("jobqueue.worker")

#: The version of the remote workers' protocol that this package speaks.
PROTOCOL = 1


class Dead(Exception):
    """The server has given this worker up, and its leases with it."""


@dataclass(eq=False)
class Registration:
    """A worker as the server knows it, until it gives it up."""

    worker_id: str
    #: Seconds.
    heartbeat_every: float
    ttl: float


class Channel:
    """A connection of one thread, which another may abort."""

    def __init__(self, pool: Pool, timeout: float | None = None) -> None:
        self.endpoint = pool.endpoint
        self._connection = pool.connection(timeout)

    def call(self, method: str, path: str, body: Any = None, wait: float = 0.0) -> Any:
        try:
            return self._connection.exchange(Call(method, path, body, wait)).value()
        except ApiError as error:
            if error.code in ("worker_not_found", "worker_dead"):
                raise Dead(error.detail) from None
            raise

    def abort(self) -> None:
        self._connection.abort()

    def close(self) -> None:
        self._connection.close()


class Registrar:
    """Registers the worker, and again where the server has given it up."""

    def __init__(
        self, pool: Pool, settings: Settings, queues: list[str], names: list[str], lost: Callable[[Registration], int]
    ) -> None:
        self._channel = Channel(pool)
        self._lock = threading.Lock()
        self._lost = lost
        self._settings = settings
        self._current: Registration | None = None
        self._body: dict[str, Any] = {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "client": f"jobqueue-python/{VERSION}",
            "queues": queues,
            "names": names,
            "labels": list(settings.labels),
            "concurrency": settings.concurrency,
            "prefetch": settings.prefetch,
        }
        if settings.name:
            self._body["name"] = settings.name

    @property
    def current(self) -> Registration | None:
        return self._current

    def register(self, stopping: threading.Event) -> Registration | None:
        """The registration; made, where there is none, for as long as it takes. None: the worker stops meanwhile. Raises what
        will not be otherwise the next time."""
        backoff = Backoff(longest=5.0)
        with self._lock:
            while self._current is None and not stopping.is_set():
                try:
                    told = self._channel.call("POST", "/workers", self._body)
                    self._current = _registration(told)
                    log.info("registered as %s at %s", self._current.worker_id, self._channel.endpoint)
                except (Invalid, NotAllowed, NotFound):
                    raise
                except JobQueueError as error:
                    if backoff.failures == 0:
                        log.warning("cannot register, trying again: %s", error)
                    stopping.wait(backoff.next())
            return self._current

    def renew(self, dead: Registration, stopping: threading.Event) -> None:
        """After a word that it is dead. Several threads may hear it: one acts."""
        with self._lock:
            if self._current is not dead:
                return
            self._current = None
        dropped = self._lost(dead)
        log.warning("the server has given this worker up: its tasks run elsewhere (%d ends were not told)", dropped)
        backoff = Backoff(longest=5.0)
        while not stopping.is_set():
            try:
                self.register(stopping)
                return
            except JobQueueError as error:
                log.error("cannot register again: %s", error)
                stopping.wait(backoff.next())

    def leave(self) -> None:
        """Deregisters; what is still held is given back by the server."""
        if self._current is not None:
            self._channel.call("DELETE", f"/workers/{self._current.worker_id}")


def _registration(told: dict[str, Any]) -> Registration:
    if told.get("protocol", PROTOCOL) != PROTOCOL:
        log.warning("the server speaks version %s of the protocol, this package version %d", told["protocol"], PROTOCOL)
    return Registration(told["worker_id"], float(told["heartbeat_every_s"]), float(told["ttl_s"]))

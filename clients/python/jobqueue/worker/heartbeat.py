"""Says that the worker is alive and what it holds, and hears what is to stop."""

from __future__ import annotations

import threading
import time
from typing import Any, Callable

from .._http import Pool
from .._wire import Backoff
from ..errors import JobQueueError
from .holding import Holding
from .link import Channel, Dead, Registrar, Registration, log
from .parts import Part

#: Shortest time between two, in seconds: an answer may come at once each time.
SHORTEST = 0.25
#: An answer that has not come by then will not: the next attempt comes in time, in seconds beyond the wait.
TIMEOUT = 4.0


class Heartbeat(Part):
    """A thread of its own, so that no task and no long poll holds it up. The server holds its answer back until there is something
    to hear."""

    def __init__(
        self,
        pool: Pool,
        registrar: Registrar,
        holding: Holding,
        stopping: threading.Event,
        on_quiet: Callable[[str, bool], None],
        on_stop: Callable[[], None],
        on_crash: Callable[[], None],
    ) -> None:
        super().__init__("heartbeat", on_crash)
        self._channel = Channel(pool, TIMEOUT)
        self._registrar = registrar
        self._holding = holding
        self._stopping = stopping
        self._ending = threading.Event()
        self._on_quiet = on_quiet
        self._on_stop = on_stop

    def stop(self) -> None:
        self._ending.set()
        self._channel.abort()

    def work(self) -> None:
        backoff = Backoff(longest=1.0)
        while not self._ending.is_set():
            began = time.monotonic()
            registration = self._registrar.current
            if registration is None:
                self._ending.wait(SHORTEST)
                continue
            try:
                self._hear(self._beat(registration))
                backoff.reset()
                self._ending.wait(max(0.0, SHORTEST - (time.monotonic() - began)))
            except Dead:
                self._registrar.renew(registration, self._stopping)
            except JobQueueError as error:
                if backoff.failures == 0 and not self._ending.is_set():
                    log.warning("no heartbeat, trying again: %s", error)
                self._ending.wait(backoff.next())

    def _beat(self, registration: Registration) -> dict[str, Any]:
        wait = registration.heartbeat_every
        body: dict[str, Any] = {"running": self._holding.leases(registration), "wait": f"{wait:g}s"}
        rss = resident()
        if rss is not None:
            body["rss_bytes"] = rss
        told: dict[str, Any] = self._channel.call("POST", f"/workers/{registration.worker_id}/heartbeat", body, wait)
        return told

    def _hear(self, told: dict[str, Any]) -> None:
        lost, cancel, at_once = (told.get(key) or [] for key in ("lost", "cancel", "cancel_at_once"))
        if lost or cancel or at_once:
            self._stop(lost, cancel, at_once)
        self._on_quiet("the server", bool(told.get("quiet")))
        if told.get("stop"):
            self._on_stop()

    def _stop(self, lost: list[str], cancel: list[str], at_once: list[str]) -> None:
        reasons = {**dict.fromkeys(cancel + at_once, "cancelled"), **dict.fromkeys(lost, "lost")}
        self._holding.stop_waiting(lambda held: reasons.get(held.lease_id))
        for held in self._holding.find(list(reasons)):
            reason = reasons[held.lease_id]
            if reason == "cancelled":
                held.ask_by_server()
            else:
                held.ask(reason)
        for held in self._holding.find(at_once):
            held.asked = float("-inf")  # The time to stop by itself is over.


def resident() -> int | None:
    """Bytes of memory; None where the system does not say."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * 4096
    except (OSError, ValueError, IndexError):
        return None

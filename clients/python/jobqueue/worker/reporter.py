"""Tells the server what came of tasks, and how those that run get on."""

from __future__ import annotations

import json
import threading
from typing import Callable

from .._http import Pool
from .._wire import Backoff, encode
from ..errors import ApiError, JobQueueError
from ..execute import failed
from .holding import Held, Holding
from .link import Channel, Dead, Registrar, Registration, log
from .parts import Part

Batch = list[tuple[Held, str]]
#: Most ends told at once, and their size in characters.
MOST, LARGEST = 1000, 1 << 19
#: How often progress and log lines are told, in seconds.
TOLD_EVERY = 0.5
#: How an end begins that says that a result cannot be told.
REFUSED = '{"error":{"kind":"output"'
#: Most log lines told at once.
MOST_LINES = 100


class Reporter(Part):
    """One request after the other, each with all that has ended meanwhile. What cannot be told is kept and told again: a lease
    makes sure that it counts once."""

    def __init__(
        self, pool: Pool, registrar: Registrar, holding: Holding, stopping: threading.Event, on_crash: Callable[[], None]
    ) -> None:
        super().__init__("reporter", on_crash)
        self._channel = Channel(pool)
        self._registrar = registrar
        self._holding = holding
        self._stopping = stopping
        self._ending = threading.Event()

    def stop(self) -> None:
        self._ending.set()

    def work(self) -> None:
        while not self._ending.is_set():
            batch = self._holding.outcomes(MOST, LARGEST, 0.5)
            if batch:
                self._until_told(batch)
                self._holding.told(batch)

    def _until_told(self, batch: Batch) -> None:
        backoff = Backoff(longest=2.0)
        registration = batch[0][0].registration
        batch = [(held, self._with_lines(held, text)) for held, text in batch]
        while batch and not self._ending.is_set() and registration is self._registrar.current:
            try:
                batch = self._tell(registration, batch)
            except Dead:
                self._registrar.renew(registration, self._stopping)
                return
            except ApiError as error:
                if error.status == 413 and len(batch) > 1:
                    half = len(batch) // 2
                    self._until_told(batch[:half])
                    batch = batch[half:]
                elif error.status in (413, 422):
                    batch = [refused(held, error.detail) for held, text in batch if not text.startswith(REFUSED)]
                else:
                    self._pause(backoff, error)
            except JobQueueError as error:
                self._pause(backoff, error)

    def _pause(self, backoff: Backoff, error: JobQueueError) -> None:
        if backoff.failures == 0:
            log.warning("cannot tell what came of tasks, trying again: %s", error)
        self._ending.wait(backoff.next())

    def _tell(self, registration: Registration, batch: Batch) -> Batch:
        """What is to be told otherwise."""
        items = ",".join(f'{{"lease_id":{encode(held.lease_id)},{text[1:]}' for held, text in batch)
        body = f'{{"outcomes":[{items}]}}'.encode()
        told = self._channel.call("POST", f"/workers/{registration.worker_id}/outcomes", body)
        again: Batch = []
        for (held, text), result in zip(batch, told["results"]):
            if result["status"] == 200:
                continue
            why = result.get("detail") or result.get("code")
            if result.get("code") == "not_cancelled":
                again.append((held, '{"release":true}'))
            elif result["status"] in (413, 422) and not text.startswith(REFUSED):
                again.append(refused(held, why))
            else:
                log.warning("what came of task %s does not count: %s", held.context.id, why)
        return again

    def _with_lines(self, held: Held, text: str) -> str:
        """With the last lines of its log; where there are more than an item takes, those before are told first."""
        context = held.context
        try:
            while len(context.lines) > MOST_LINES:
                note(self._channel, held, "log", {"lines": context.take_lines(MOST_LINES)})
        except JobQueueError as error:
            log.debug("log lines of task %s are lost: %s", context.id, error)
        lines = context.take_lines(MOST_LINES)
        return f'{text[:-1]},"log":{encode(lines)}}}' if lines else text


def refused(held: Held, why: str) -> tuple[Held, str]:
    """The server does not take the result, nor would it the next time."""
    return held, json.dumps(failed("output", f"the result was refused: {why}", retryable=False), separators=(",", ":"))


class Teller(Part):
    """Tells the progress and the log lines of what runs, once in a while."""

    def __init__(self, pool: Pool, holding: Holding, on_crash: Callable[[], None]) -> None:
        super().__init__("teller", on_crash)
        self._channel = Channel(pool)
        self._holding = holding
        self._ending = threading.Event()

    def stop(self) -> None:
        self._ending.set()

    def work(self) -> None:
        while not self._ending.wait(TOLD_EVERY):
            for held in self._holding.running():
                if not held.context.untold():
                    continue
                try:
                    tell_lines(self._channel, held)
                    tell_progress(self._channel, held)
                except JobQueueError as error:
                    log.debug("cannot tell how task %s gets on: %s", held.context.id, error)


def tell_lines(channel: Channel, held: Held) -> None:
    """Lines that are refused, or lost on their way, are not told again: what came of the task matters more."""
    while held.context.lines:
        lines = held.context.take_lines(MOST_LINES)
        if lines and not note(channel, held, "log", {"lines": lines}):
            return


def tell_progress(channel: Channel, held: Held) -> None:
    progress = held.context.take_progress()
    if progress:
        note(channel, held, "progress", progress)


def note(channel: Channel, held: Held, what: str, body: object) -> bool:
    try:
        told = channel.call("POST", f"/leases/{held.lease_id}/{what}", body)
    except ApiError as error:
        if error.code == "lease_lost":
            held.ask("lost")
        else:
            log.debug("the %s of task %s was refused: %s", what, held.context.id, error)
        return error.code != "lease_lost"
    if isinstance(told, dict) and told.get("cancel"):
        held.ask_by_server()
    return True

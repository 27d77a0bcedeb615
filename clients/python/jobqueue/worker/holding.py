"""What a worker holds: leases that wait here, that run, and that have ended and are not told yet."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Callable

from ..context import TaskContext
from ..execute import Outcome, stopped, write
from .link import Registration

if TYPE_CHECKING:
    from .slots import Slot

#: What waits here is meant to start within this time, in seconds.
SOON = 0.2
#: What has waited for longer is given back.
TOO_LONG = 1.0
#: A task that is to stop within this time of its limit is meant to stop for that, in seconds.
NEAR = 2.0
#: Ends that are not told yet, and their size in characters: beyond this nothing new is begun.
MOST_UNTOLD, MOST_UNTOLD_SIZE = 2000, 32 << 20


class Held:
    """A task under a lease of this worker."""

    __slots__ = ("lease_id", "registration", "context", "received", "limit", "began", "slot", "is_over", "asked")

    def __init__(self, task: Mapping[str, Any], registration: Registration, context: TaskContext) -> None:
        self.lease_id = str(task["lease_id"])
        self.registration = registration
        self.context = context
        self.received = time.monotonic()
        timeout = task.get("timeout_s")
        #: By this machine's own clock.
        self.limit: float | None = None if timeout is None else self.received + float(timeout)
        self.began: float | None = None
        self.slot: Slot | None = None
        #: What comes of it is known, or of interest to nobody.
        self.is_over = False
        #: When it was asked to stop.
        self.asked: float | None = None

    def ask(self, reason: str) -> None:
        if self.context.stop.ask(reason):
            self.asked = time.monotonic()

    def ask_by_server(self) -> None:
        """The server does not say whether it was cancelled or is out of time."""
        late = self.limit is not None and time.monotonic() > self.limit - NEAR
        self.ask("timeout" if late else "cancelled")


class Holding:
    """All leases of a worker, behind one lock."""

    def __init__(self, slots: int, prefetch: int) -> None:
        self.slots = slots
        self._prefetch = prefetch
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)
        self._room = threading.Condition(self._lock)
        self._ended = threading.Condition(self._lock)
        self._waiting: deque[Held] = deque()
        self._running: dict[str, Held] = {}
        self._untold: deque[tuple[Held, str]] = deque()
        self._telling: dict[str, Held] = {}
        self._untold_size = 0
        #: Seconds that a task takes, the latest counting most. At first nothing is known: nothing is fetched ahead.
        self._average = 1.0
        self.is_closed = False
        self.processed = 0

    # The fetcher's side.

    def add(self, held: list[Held]) -> None:
        with self._lock:
            if not self.is_closed:
                self._waiting.extend(held)
                self._work.notify(len(held))
                return
            for each in held:
                self._finish(each, write({"release": True}))

    def wait_for_room(self, timeout: float) -> int:
        """How many more tasks it can take; 0 where there is no room in time, or no more tasks are wanted."""
        until = time.monotonic() + timeout
        with self._lock:
            while not self.is_closed:
                room = self._free()
                if room > 0:
                    return room
                left = until - time.monotonic()
                if left <= 0 or not self._room.wait(left):
                    return 0
            return 0

    def _free(self) -> int:
        if self._is_full():
            return 0
        ahead = self._ahead()
        waiting, running = len(self._waiting), len(self._running)
        # Few large leases instead of many small ones: not before half of what is fetched ahead is used up.
        if waiting + running >= self.slots and waiting > ahead // 2:
            return 0
        return self.slots + ahead - waiting - running

    def _ahead(self) -> int:
        """As many as will start soon."""
        now = time.monotonic()
        if len(self._running) >= self.slots and all(now - (h.began or now) > SOON for h in self._running.values()):
            return 0
        return self._by_average()

    def _by_average(self) -> int:
        return min(self._prefetch, int(self.slots * SOON / max(self._average, 1e-4)))

    def _may_have_room(self) -> None:
        if len(self._waiting) <= self._by_average() // 2:
            self._room.notify()

    def _is_full(self) -> bool:
        return len(self._untold) >= MOST_UNTOLD or self._untold_size >= MOST_UNTOLD_SIZE

    # The slots' side.

    def take(self, slot: Slot) -> Held | None:
        """The next task for a slot, which waits for it. None: the slot is to end."""
        with self._lock:
            while not slot.is_ended:
                if self._waiting and not self._is_full():
                    held = self._waiting.popleft()
                    held.slot, held.began = slot, time.monotonic()
                    self._running[held.lease_id] = held
                    self._may_have_room()
                    return held
                if self.is_closed:
                    return None
                self._work.wait()
            return None

    def finish(self, held: Held, outcome: Outcome) -> None:
        """What came of a task. Only the first word counts."""
        text = None if outcome is None else write(outcome)
        with self._lock:
            self._finish(held, text)

    def _finish(self, held: Held, text: str | None) -> None:
        if held.is_over:
            return
        held.is_over = True
        if self._running.pop(held.lease_id, None) is not None and held.began is not None:
            self._average += 0.1 * (time.monotonic() - held.began - self._average)
            self.processed += 1
        if text is not None:
            self._untold.append((held, text))
            self._untold_size += len(text)
            self._ended.notify()
        self._may_have_room()
        if self.is_closed:
            self._ended.notify_all()

    # The reporter's side.

    def outcomes(self, most: int, size: int, timeout: float) -> list[tuple[Held, str]]:
        """Ends that are to be told, of one registration; waits for some. They are held until `told`."""
        with self._lock:
            if not self._untold:
                self._ended.wait(timeout)
            batch: list[tuple[Held, str]] = []
            while self._untold and len(batch) < most:
                held, text = self._untold[0]
                if batch and (held.registration is not batch[0][0].registration or size < len(text)):
                    break
                size -= len(text)
                batch.append(self._untold.popleft())
                self._untold_size -= len(text)
                self._telling[held.lease_id] = held
            if batch:
                self._work.notify_all()  # Slots may have waited for there to be less to tell.
            return batch

    def told(self, batch: list[tuple[Held, str]]) -> None:
        with self._lock:
            for held, _ in batch:
                self._telling.pop(held.lease_id, None)
            self._room.notify()
            self._ended.notify_all()

    # Everybody's.

    def leases(self, registration: Registration) -> list[str]:
        with self._lock:
            untold = (held for held, _ in self._untold)
            every = [*self._waiting, *self._running.values(), *untold, *self._telling.values()]
            return [held.lease_id for held in every if held.registration is registration]

    def running(self) -> list[Held]:
        with self._lock:
            return list(self._running.values())

    def stop_waiting(self, why: Callable[[Held], str | None]) -> int:
        """Ends those that wait here and for which there is a reason, as if they had been stopped for it."""
        with self._lock:
            reasons = [(held, why(held)) for held in self._waiting]
            ended = [(held, reason) for held, reason in reasons if reason is not None]
            if ended:
                self._waiting = deque(held for held, reason in reasons if reason is None)
            for held, reason in ended:
                outcome = stopped(reason or "")
                self._finish(held, None if outcome is None else write(outcome))
            return len(ended)

    def give_back_late(self) -> int:
        """Gives back what has waited for so long that others should have it."""
        before = time.monotonic() - TOO_LONG
        late = self.stop_waiting(lambda held: "shutdown" if held.received < before else None)
        if late:
            with self._lock:
                self._average = max(self._average, TOO_LONG)  # They are not so short after all.
        return late

    def find(self, leases: list[str]) -> list[Held]:
        """Those of them that run."""
        with self._lock:
            return [self._running[lease] for lease in leases if lease in self._running]

    def lose(self, registration: Registration) -> int:
        """Its leases are void: others run those tasks. How many ends were not told."""
        self.stop_waiting(lambda held: "lost" if held.registration is registration else None)
        for held in self.running():
            if held.registration is registration:
                held.ask("lost")
        with self._lock:
            kept = [(held, text) for held, text in self._untold if held.registration is not registration]
            dropped = len(self._untold) - len(kept)
            self._untold = deque(kept)
            self._untold_size = sum(len(text) for _, text in kept)
            return dropped

    def close(self) -> None:
        """No more tasks are begun."""
        with self._lock:
            self.is_closed = True
            for condition in (self._work, self._room, self._ended):
                condition.notify_all()

    def wake(self) -> None:
        with self._lock:
            self._work.notify_all()
            self._room.notify_all()

    def wait_until_idle(self, timeout: float, told: bool = False) -> bool:
        """Waits until nothing runs, or with `told` until nothing is left to be told."""
        until = time.monotonic() + timeout
        with self._lock:
            while self._running or (told and (self._untold or self._telling)):
                left = until - time.monotonic()
                if left <= 0:
                    return False
                self._ended.wait(min(left, 0.5))
            return True

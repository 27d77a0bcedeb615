"""The worker: which threads it has, and how it ends."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections import deque
from collections.abc import Iterable
from typing import Callable

from .._http import Pool
from ..app import JobQueue
from ..errors import JobQueueError
from .fetcher import Fetcher
from .heartbeat import Heartbeat
from .holding import Held, Holding
from .link import Dead, Registrar, Registration, log
from .processes import ProcessSlot
from .reporter import Reporter, Teller
from .settings import Settings
from .slots import Slot, ThreadSlot

#: How often limits are looked at, in seconds.
TICK = 0.1
#: How long the server may take to be told the last outcomes, in seconds.
LAST_WORDS = 10.0


class Worker:
    """Runs the tasks of an app until it is told to stop.

    >>> Worker(app, Settings(concurrency=8)).run()

    `target` names the app for processes, as `module:app`.
    """

    def __init__(
        self,
        app: JobQueue,
        settings: Settings | None = None,
        *,
        target: str | None = None,
        log_level: str | None = None,
    ) -> None:
        self._app = app
        self._settings = settings = settings or Settings()
        if not app.tasks:
            raise ValueError("the app has no tasks: decorate functions with @app.task")
        if settings.pool == "processes" and target is None:
            raise ValueError("processes load the app themselves: name it as target='module:app'")
        self._target = target
        self._log_level = log_level
        self._stopping = threading.Event()
        self._at_once = threading.Event()
        self._failed = False
        self._left_behind = 0
        self._holding = Holding(settings.concurrency, settings.prefetch)
        pool: Pool = app._pool
        queues = list(settings.queues) or _queues(app)
        self._registrar = Registrar(pool, settings, queues, sorted(app.tasks), self._lost)
        self._fetcher = Fetcher(pool, self._registrar, self._holding, self._stopping, self._crash)
        self._reporter = Reporter(pool, self._registrar, self._holding, self._at_once, self._crash)
        self._teller = Teller(pool, self._holding, self._crash)
        self._heartbeat = Heartbeat(
            pool, self._registrar, self._holding, self._at_once, self._fetcher.quiet, self._stopping.set, self._crash
        )
        self._slots: list[Slot] = []
        self._signalled: deque[Callable[[], None]] = deque()

    @property
    def worker_id(self) -> str | None:
        """None while it is not registered."""
        registration = self._registrar.current
        return registration.worker_id if registration else None

    @property
    def processed(self) -> int:
        return self._holding.processed

    def stop(self) -> None:
        """Takes no more tasks; `run` comes back once those that run are over. The second time it gives them back at once."""
        if self._stopping.is_set():
            self._at_once.set()
        self._stopping.set()

    def quiet(self, is_quiet: bool = True) -> None:
        """Takes no more tasks, or takes tasks again."""
        self._fetcher.quiet("this process", is_quiet)

    def run(self, signals: bool = False) -> int:
        """The exit code: 0, or 1 where too many threads had to be left behind. Raises what the server refuses for good."""
        if self._registrar.register(self._stopping) is None:
            return 0
        if signals:
            self._on_signals()
        self._slots = [self._slot(number) for number in range(self._settings.concurrency)]
        for thread in (*self._slots, self._fetcher, self._reporter, self._teller, self._heartbeat):
            thread.start()
        try:
            while not self._stopping.is_set():
                self._tick()
                time.sleep(TICK)
        finally:
            self._end()
        return 1 if self._failed else 0

    def _slot(self, number: int) -> Slot:
        if self._settings.pool == "threads":
            return ThreadSlot(number, self._holding, self._app.tasks)
        most = self._settings.max_tasks_per_child
        return ProcessSlot(number, self._holding, str(self._target), most, self._log_level)

    def _on_signals(self) -> None:
        """A handler only takes a note: it may have interrupted this thread while that holds a lock."""

        def on(name: str, act: Callable[[], None]) -> None:
            if hasattr(signal, name):  # Not all of them exist everywhere.
                signal.signal(getattr(signal, name), lambda _number, _frame: self._signalled.append(act))

        on("SIGTERM", self.stop)
        on("SIGINT", self.stop)
        on("SIGTSTP", self.quiet)
        on("SIGCONT", lambda: self.quiet(False))

    def _crash(self) -> None:
        self._failed = True
        self._stopping.set()

    def _lost(self, dead: Registration) -> int:
        return self._holding.lose(dead)

    def _tick(self) -> None:
        """Does what signals ask for. Asks those to stop whose time is over, ends those that do not, and gives back what waits for
        too long."""
        while self._signalled:
            self._signalled.popleft()()
        now = time.monotonic()
        for held in self._holding.running():
            if held.limit is not None and now > held.limit:
                held.ask("timeout")
            if held.asked is not None and now > held.asked + self._settings.cancel_grace:
                self._end_task(held)
        late = self._holding.give_back_late()
        if late:
            log.debug("%d tasks that waited here are given back", late)

    def _end_task(self, held: Held) -> None:
        slot = held.slot
        held.asked = float("inf")  # Once is enough.
        if slot is None or not slot.end(held) or self._holding.is_closed:
            return
        self._left_behind += 1
        if self._left_behind > self._settings.concurrency:
            log.error("%d threads are left behind with tasks that do not stop: this worker ends", self._left_behind)
            self._crash()
            return
        number = self._slots.index(slot)
        self._slots[number] = self._slot(number)
        self._slots[number].start()

    def _end(self) -> None:
        """The start in reverse: no more tasks, those that run to their end, the rest given back, all of it told."""
        log.info("stopping: %d tasks run", len(self._holding.running()))
        self._fetcher.stop()
        self._fetcher.join(5.0)
        self._holding.close()
        self._holding.stop_waiting(lambda _: "shutdown")
        self._drain(self._settings.drain_timeout, self._at_once.is_set)
        rest = self._holding.running()
        if rest:
            log.warning("%d tasks are not over: they are given back", len(rest))
            for held in rest:
                held.ask("shutdown")
            self._drain(min(self._settings.cancel_grace, 1.0 if self._at_once.is_set() else 5.0), lambda: False)
            for held in self._holding.running():
                if held.slot is not None:
                    held.slot.end(held)
        self._holding.wait_until_idle(LAST_WORDS, told=True)
        for part in (self._teller, self._reporter, self._heartbeat):
            part.stop()
        try:
            self._registrar.leave()
        except (JobQueueError, Dead) as error:
            log.warning("cannot deregister: %s", error)
        self._holding.wake()
        until = time.monotonic() + 2.0
        for slot in self._slots:
            slot.join(max(0.0, until - time.monotonic()))

    def _drain(self, timeout: float, enough: Callable[[], bool]) -> None:
        until = time.monotonic() + timeout
        while time.monotonic() < until and not enough():
            if self._holding.wait_until_idle(TICK):
                return
            self._tick()


def _queues(app: JobQueue) -> list[str]:
    """Those that its tasks are submitted to."""
    named: Iterable[str] = (str(task.options.get("queue", app.name)) for task in app.tasks.values())
    return sorted({app.name, *named})


def configure_logging(level: str, task_level: str | None) -> None:
    from ..execute import TaskLogHandler

    logging.basicConfig(level=level.upper(), format="%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    if task_level:
        handler = TaskLogHandler(task_level.upper())
        handler.setFormatter(logging.Formatter("%(message)s"))
        logging.getLogger().addHandler(handler)

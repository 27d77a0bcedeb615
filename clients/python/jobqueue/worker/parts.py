"""What the worker's threads have in common."""

from __future__ import annotations

import threading
from typing import Callable

from .link import log


class Part(threading.Thread):
    """A thread without which the worker is of no use: an error that it does not expect ends the worker, and is not passed over."""

    def __init__(self, name: str, on_crash: Callable[[], None]) -> None:
        super().__init__(name=f"jobqueue-{name}", daemon=True)
        self._on_crash = on_crash

    def run(self) -> None:
        try:
            self.work()
        except Exception:
            log.exception("the %s has crashed: this worker ends", self.name)
            self._on_crash()

    def work(self) -> None:
        raise NotImplementedError

"""How a worker is to work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    #: Tasks that run at once.
    concurrency: int = 4
    #: The queues it takes tasks from; none given: those that its tasks are submitted to.
    queues: Sequence[str] = ()
    #: What it has, for tasks that require it.
    labels: Sequence[str] = ()
    #: threads or processes.
    pool: str = "threads"
    #: Most short tasks that wait here for their turn beyond those that run.
    prefetch: int = 250
    #: How long running tasks may go on after a request to stop, in seconds; then they are given back.
    drain_timeout: float = 25.0
    #: How long a task that is to stop may go on before it is ended, in seconds.
    cancel_grace: float = 5.0
    #: Tasks that a process runs before another takes its place; 0: any number.
    max_tasks_per_child: int = 1000
    name: str | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.concurrency <= 1000:
            raise ValueError("the concurrency is 1 to 1000")
        if not 0 <= self.prefetch <= 1000:
            raise ValueError("the prefetch is 0 to 1000")
        if self.pool not in ("threads", "processes"):
            raise ValueError("the pool is threads or processes")

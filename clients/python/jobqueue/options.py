"""What a task can be asked to be, and how it is written for the server."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import TYPE_CHECKING, Any, TypedDict, Union

if TYPE_CHECKING:
    from ._types import RetryPolicy, UniqueSettings
    from .model import TaskView

#: `"30s"`, a number of seconds, or a timedelta.
Duration = Union[str, float, timedelta]


class TaskPriority(str, Enum):
    """Which tasks come first. A number from 0 to 9 says it more finely: high is 8, medium 5, low 2."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"

    def __str__(self) -> str:
        return self.value


class TaskStatus(str, Enum):
    """Where a task stands."""

    PENDING = "pending"
    SCHEDULED = "scheduled"
    QUEUED = "queued"
    RUNNING = "running"
    RETRY = "retry"
    SUCCESS = "success"
    FAILED = "failed"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    SKIPPED = "skipped"

    def __str__(self) -> str:
        return self.value

    @property
    def is_final(self) -> bool:
        return self in _FINAL


_FINAL = {
    TaskStatus.SUCCESS,
    TaskStatus.FAILED,
    TaskStatus.TIMEOUT,
    TaskStatus.CANCELLED,
    TaskStatus.EXPIRED,
    TaskStatus.SKIPPED,
}


class TaskOptions(TypedDict, total=False):
    """Whatever is not given is as the server, or the queue, has it."""

    queue: str
    priority: TaskPriority | str | int
    #: Retries after the first attempt.
    max_retries: int
    retry: RetryPolicy
    #: Longest run time of an attempt; None: no limit.
    timeout: Duration | None
    #: How long after its submission it may be started; None: for ever.
    max_age: Duration | None
    run_at: str | datetime
    delay: Duration
    expires_at: str | datetime
    expires_in: Duration
    #: Tasks that must be over first: ids, tasks, or objects with `on_failure`.
    depends_on: Sequence[str | Mapping[str, Any] | TaskView]
    unique: bool | UniqueSettings
    unique_key: str
    #: return, reject or replace.
    unique_conflict: str
    fair_key: str
    rate_key: str
    cost: int
    concurrency_key: str
    result_ttl: Duration
    tags: Sequence[str]
    meta: Mapping[str, Any]
    #: Labels that a worker must have to run it.
    requires: Sequence[str]


def write_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON. Names are left to the server, which refuses those that it does not know."""
    return {name: _write(name, value) for name, value in options.items()}


def _write(name: str, value: Any) -> Any:
    if name == "depends_on" and value is not None:
        return [_parent(parent) for parent in ([value] if isinstance(value, str) else value)]
    return plain(value)


def _parent(parent: Any) -> Any:
    return plain(parent) if isinstance(parent, (str, Mapping)) else parent.id


def plain(value: Any) -> Any:
    """Times, durations and enums as the server reads them; what is JSON already stays as it is."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, datetime):
        # One without a zone is of the local one, as everywhere in Python.
        return value.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")
    if isinstance(value, Mapping):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(each) for each in value]
    return value


def seconds(value: Duration) -> float:
    """Of what a caller waits for."""
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, str):
        return _parse(value)
    return float(value)


_UNITS = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def _parse(text: str) -> float:
    parts = re.fullmatch(r"\s*(\d+\.?\d*|\.\d+)\s*([a-z]*)\s*", text, re.ASCII)
    if parts and parts[2] in _UNITS:
        return float(parts[1]) * _UNITS[parts[2]]
    raise ValueError(f"{text!r} is no duration: give one such as '250ms', '30s', '5m', '1h' or a number of seconds")


def listed(values: None | str | Iterable[Any]) -> list[str] | None:
    """One or several, for a query."""
    if values is None:
        return None
    return [str(plain(values))] if isinstance(values, str) else [str(plain(value)) for value in values]

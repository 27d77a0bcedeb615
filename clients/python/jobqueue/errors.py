"""What can go wrong, and what a task may say instead of returning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._types import ErrorKind, Fault


class JobQueueError(Exception):
    """Whatever this package raises to callers."""


class Unreachable(JobQueueError):
    """No connection: certainly nothing was sent."""


class ConnectionLost(JobQueueError):
    """The connection broke before the answer: the request may have been carried out or not."""


class UnexpectedAnswer(JobQueueError):
    """An answer that does not come from a jobqueue server, or from one that this package does not understand."""


class WaitTimeout(JobQueueError, TimeoutError):
    """It is not over yet. It goes on: the wait has ended, not the task."""


class ApiError(JobQueueError):
    """The server has refused. `code` is stable and for programs; `detail` says what is wrong, for people."""

    def __init__(self, status: int, problem: Mapping[str, Any], retry_after: float | None = None) -> None:
        self.status = status
        self.code = str(problem.get("code", ""))
        self.detail = str(problem.get("detail", ""))
        self.errors: list[Fault] = list(problem.get("errors") or ())
        self.request_id: str | None = problem.get("request_id")
        #: The task in the way, where there is one.
        self.task_id: str | None = problem.get("task_id")
        #: Seconds after which it may be asked again, where the server says so.
        self.retry_after = retry_after
        parts = [f"{_place(fault)}: {fault['detail']}" for fault in self.errors]
        if len(parts) != 1 or self.detail != self.errors[0]["detail"]:
            parts.insert(0, self.detail or str(problem.get("title")))
        super().__init__(f"{'; '.join(parts)} ({self.code})")

    def __reduce__(self) -> Any:
        problem = {"code": self.code, "detail": self.detail, "errors": self.errors, "request_id": self.request_id}
        return type(self), (self.status, {**problem, "task_id": self.task_id}, self.retry_after)


class NotFound(ApiError):
    """404: there is no such thing."""


class NotAllowed(ApiError):
    """401 or 403: no key, a key that is not good, or one without the right."""


class Conflict(ApiError):
    """409: it cannot be done in the state in which it is."""


class Invalid(ApiError):
    """400 or 422: the request is wrong; `errors` says where."""


class TooMany(ApiError):
    """429: a limit is reached; `retry_after` says when to come again."""


_BY_STATUS = {400: Invalid, 401: NotAllowed, 403: NotAllowed, 404: NotFound, 409: Conflict, 422: Invalid, 429: TooMany}


def api_error(status: int, problem: Mapping[str, Any], retry_after: float | None = None) -> ApiError:
    return _BY_STATUS.get(status, ApiError)(status, problem, retry_after)


def _place(fault: Fault) -> str:
    return str(fault.get("pointer") or fault.get("parameter") or fault.get("header") or "request")


class SomeRefused(JobQueueError):
    """Of several tasks some are submitted and some are refused: `results` says which, in the order in which they were given."""

    def __init__(self, results: Sequence[Mapping[str, Any]]) -> None:
        self.results = list(results)
        refused = [item for item in self.results if item.get("error")]
        first = refused[0]["error"] if refused else {}
        super().__init__(
            f"{len(refused)} of {len(self.results)} tasks were refused, the first because: "
            f"{first.get('detail')} ({first.get('code')})"
        )

    def __reduce__(self) -> Any:
        return type(self), (self.results,)


class TaskFailed(JobQueueError):
    """The task whose result was asked for is over and has none."""

    def __init__(self, task_id: str, status: str, error: Mapping[str, Any] | None = None) -> None:
        self.task_id = task_id
        self.status = status
        self.error = dict(error or {})
        #: failure, timeout, exit, …
        self.kind: ErrorKind | None = self.error.get("kind")
        #: More: the traceback, the end of stderr.
        self.detail: str | None = self.error.get("detail")
        super().__init__(f"task {task_id} ended as {status}: {self.error.get('message') or 'no error is kept'}")

    def __reduce__(self) -> Any:
        return type(self), (self.task_id, self.status, self.error)


# What a task raises.


class Retry(Exception):
    """The attempt has failed; the next one is made `after` so long instead of when the retry policy says."""

    def __init__(self, message: str = "is to be tried again", *, after: str | float | timedelta | None = None) -> None:
        super().__init__(message)
        self.after = after


class NotRetryable(Exception):
    """Another attempt would fail the same way: the task is a dead letter at once."""


class Snooze(Exception):
    """Not now, again after this time: nothing has failed, and no attempt is used up."""

    def __init__(self, delay: str | float | timedelta) -> None:
        super().__init__(f"again in {delay}")
        self.delay = delay


class TaskCancelled(BaseException):
    """The task is to stop. Not an `Exception`, so that `except Exception` does not hold it up; tidy up in `finally`."""


class TimeLimitReached(TaskCancelled):
    """The task is to stop, because its time is over."""

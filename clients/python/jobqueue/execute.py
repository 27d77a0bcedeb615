"""Runs a task's function, and says what its end means."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
import traceback
from collections.abc import Awaitable
from typing import Any, Optional

from ._wire import encode
from .app import RegisteredTask
from .context import LEVELS, TaskContext, _current
from .errors import NotRetryable, Retry, Snooze, TaskCancelled, TimeLimitReached
from .options import plain

#: What an attempt came to, as the server reads it. None: it is of no interest to anybody any more.
Outcome = Optional[dict[str, Any]]


class HardStop(TaskCancelled):
    """Thrown into a thread whose task does not stop by itself."""


def run(task: RegisteredTask[Any, Any], context: TaskContext) -> Outcome:
    """Runs it to its end in this thread."""
    # A context of its own, so that nothing of one task is left for the next.
    return contextvars.copy_context().run(_run, task, context)


def _run(task: RegisteredTask[Any, Any], context: TaskContext) -> Outcome:
    _current.set(context)
    args, kwargs = context.data.get("args") or (), context.data.get("kwargs") or {}
    try:
        task.parameters.bind(*args, **kwargs)
    except TypeError as error:
        # They will not fit the next time either.
        return failed("arguments", f"{task.name}: {error}", retryable=False)
    try:
        value = task.function(*args, **kwargs)
        if inspect.isawaitable(value):
            value = _run_async(value, context)
        return succeeded(value)
    except BaseException as error:  # noqa: B036 - whatever it is, it is the task's end and not the worker's
        return of_exception(error, context)


def _run_async(value: Awaitable[Any], context: TaskContext) -> Any:
    async def whole() -> Any:
        loop, this = asyncio.get_running_loop(), asyncio.current_task()
        assert this is not None

        def cancel() -> None:
            try:
                loop.call_soon_threadsafe(this.cancel)
            except RuntimeError:
                pass  # The loop is closed: it is over.

        context.stop.when_asked(cancel)
        return await value

    return asyncio.run(whole())


def succeeded(value: Any) -> Outcome:
    return {"result": value}


def failed(kind: str, message: str, detail: str | None = None, retryable: bool = True, after: None | str | float = None) -> Outcome:
    error = {"kind": kind, "message": message.strip()[:2000] or kind}
    if detail:
        error["detail"] = detail[-16000:]
    outcome: dict[str, Any] = {"error": error}
    if not retryable:
        outcome["retryable"] = False
    if after is not None:
        outcome["retry_after"] = after
    return outcome


def of_exception(error: BaseException, context: TaskContext) -> Outcome:
    if isinstance(error, Snooze):
        return {"snooze": plain(error.delay)}
    reason = context.stop.reason
    if reason is not None and isinstance(error, (TaskCancelled, asyncio.CancelledError, KeyboardInterrupt)):
        return stopped(reason)
    detail = "".join(traceback.format_exception(type(error), error, _without_this_file(error)))
    if isinstance(error, Retry):
        return failed("failure", str(error), detail, after=plain(error.after))
    if isinstance(error, NotRetryable):
        return failed("failure", str(error) or "NotRetryable", detail, retryable=False)
    if isinstance(error, TimeLimitReached):
        return failed("timeout", str(error), detail)
    return failed("failure", _one_line(error), detail)


def stopped(reason: str) -> Outcome:
    """Of a task that was asked to stop and did, or that had to be ended."""
    if reason == "timeout":
        return failed("timeout", "the time limit is reached")
    if reason == "cancelled":
        return {"cancelled": True}
    return {"release": True} if reason == "shutdown" else None


def _one_line(error: BaseException) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0]}" if text else type(error).__name__


def _without_this_file(error: BaseException) -> Any:
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    return trace


def write(outcome: dict[str, Any]) -> str:
    """As JSON; a result that cannot be written so is a failure of its own, which another attempt would not mend."""
    try:
        return encode(outcome)
    except (TypeError, ValueError, RecursionError) as error:
        kind = "snooze" if "snooze" in outcome else "result"
        return encode(failed("output", f"the {kind} cannot be written as JSON: {error}", retryable=False))


class TaskLogHandler(logging.Handler):
    """Keeps what `logging` is told while a task runs with the attempt."""

    def emit(self, record: logging.LogRecord) -> None:
        context = _current.get()
        if context is None or record.name.startswith("jobqueue."):
            return
        try:
            context.log(self.format(record), _level(record.levelno))
        except Exception:
            self.handleError(record)


def _level(number: int) -> str:
    steps = (number > logging.DEBUG) + (number >= logging.WARNING) + (number >= logging.ERROR)
    return LEVELS[steps]

"""`JobQueue`: a queue to submit to, and the tasks that a worker can run."""

from __future__ import annotations

import functools
import inspect
import re
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Dict,
    Generic,
    Iterable,
    List,
    Mapping,
    TypeVar,
    overload,
)

from ._calls import TaskId
from .client import Client
from .graph import Graph, HasSignature, Signature, Submittable, signature
from .model import Task, Workflow
from .options import TaskOptions

if TYPE_CHECKING:
    from typing_extensions import ParamSpec, Unpack

    from . import _types as api

    P = ParamSpec("P")
else:
    P = TypeVar("P")  # Before Python 3.10 there is no other.

R = TypeVar("R")
NAME = re.compile(r"[A-Za-z0-9._:/-]{1,128}")


class RegisteredTask(HasSignature, Generic[P, R]):
    """A function that workers run. Called, it runs here and now; `delay` and `submit` have it run by a worker."""

    def __init__(self, app: JobQueue, function: Callable[P, R], name: str, options: Mapping[str, Any]) -> None:
        functools.update_wrapper(self, function)
        self.app = app
        self.function = function
        self.name = name
        self.options = dict(options)
        self.parameters = inspect.signature(function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.function(*args, **kwargs)

    def delay(self, *args: P.args, **kwargs: P.kwargs) -> Task:
        """Submits it with these arguments."""
        return self.app.submit(self.s(*args, **kwargs))

    def submit(
        self,
        args: Iterable[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        idempotency_key: str | None = None,
        **options: Unpack[TaskOptions],
    ) -> Task:
        """Submits it with options of this one time."""
        call = Signature(self.name, args, kwargs, {**self.options, **options})
        return self.app.submit(call, idempotency_key=idempotency_key)

    def s(self, *args: Any, **kwargs: Any) -> Signature:
        """The call as a value: for `chain`, `group`, `chord`, `submit_many` and schedules."""
        return Signature(self.name, args, kwargs, {"queue": self.app.name, **self.options})

    def __repr__(self) -> str:
        return f"<task {self.name}>"


class JobQueue(Client):
    """A queue of a server: a `Client` that submits to it, and a register of the tasks that `python -m jobqueue worker` runs.

    >>> queue = JobQueue(name="default")
    >>> @queue.task
    ... def add(a, b):
    ...     return a + b
    >>> add.delay(1, 2).get(timeout=10)
    """

    def __init__(self, name: str = "default", url: str | None = None, api_key: str | None = None, **client: Any) -> None:
        super().__init__(url, api_key, **client)
        self.name = name
        self.tasks: Dict[str, RegisteredTask[Any, Any]] = {}

    @overload
    def task(self, function: Callable[P, R]) -> RegisteredTask[P, R]: ...

    @overload
    def task(
        self, *, name: str | None = None, **options: Unpack[TaskOptions]
    ) -> Callable[[Callable[P, R]], RegisteredTask[P, R]]: ...

    def task(self, function: Callable[..., Any] | None = None, *, name: str | None = None, **options: Any) -> Any:
        """Registers a function, by its own name unless `name` gives another. The options are those of its submissions from here."""
        if function is None:
            return lambda decorated: self.register(decorated, name=name, **options)
        return self.register(function, name=name, **options)

    def register(
        self, function: Callable[P, R], *, name: str | None = None, **options: Unpack[TaskOptions]
    ) -> RegisteredTask[P, R]:
        """What `@task` does, as a call."""
        name = name or function.__name__
        if not NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name for a task: give 1 to 128 of A-Z a-z 0-9 . _ - : / by `name=`")
        if name in self.tasks and self.tasks[name].function is not function:
            raise ValueError(f"there are two tasks named {name!r}: give one of them another by `name=`")
        task = RegisteredTask(self, function, name, options)
        self.tasks[name] = task
        return task

    def submit_task(
        self,
        task_name: str,
        args: Iterable[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        **options: Unpack[TaskOptions],
    ) -> Task:
        """Submits a task to this queue by its name."""
        return self.submit(Signature(task_name, args or (), kwargs, options))

    def submit(self, task: Submittable, *args: Any, **options: Any) -> Task:
        """As `Client.submit`; to this queue, where the task does not name another."""
        return super().submit(self._here(task), *args, **options)

    def submit_many(self, tasks: Iterable[Submittable], **options: Any) -> List[str]:
        return super().submit_many([self._here(task) for task in tasks], **options)

    def submit_workflow(self, graph: Graph, **options: Any) -> Workflow:
        return super().submit_workflow(graph.in_queue(self.name), **options)

    def _here(self, task: Submittable) -> Signature:
        given = signature(task)
        return Signature(given.name, given.args, given.kwargs, {"queue": self.name, **given.options})

    def get_task(self, task_id: TaskId) -> Task:
        return self.get(task_id)

    def cancel_task(self, task_id: TaskId, reason: str | None = None) -> api.CancelReply:
        return self.cancel(task_id, reason)

    def get_queue_stats(self) -> api.QueueStats:
        """How many tasks wait, by priority and by status."""
        return self.queue_stats(self.name)

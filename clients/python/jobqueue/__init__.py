"""Client and workers for jobqueue, a distributed job queue server."""

from ._wire import VERSION as __version__
from .aio import AsyncClient
from .app import JobQueue, RegisteredTask
from .client import Client
from .context import TaskContext, current_task
from .errors import (
    ApiError,
    Conflict,
    ConnectionLost,
    Invalid,
    JobQueueError,
    NotAllowed,
    NotFound,
    NotRetryable,
    Retry,
    Snooze,
    SomeRefused,
    TaskCancelled,
    TaskFailed,
    TimeLimitReached,
    TooMany,
    UnexpectedAnswer,
    Unreachable,
    WaitTimeout,
)
from .graph import Graph, Signature, chain, chord, group, workflow
from .model import AsyncTask, AsyncWorkflow, Page, Task, TaskView, Workflow
from .options import TaskOptions, TaskPriority, TaskStatus

__all__ = [
    "ApiError",
    "AsyncClient",
    "AsyncTask",
    "AsyncWorkflow",
    "Client",
    "Conflict",
    "ConnectionLost",
    "Graph",
    "Invalid",
    "JobQueue",
    "JobQueueError",
    "NotAllowed",
    "NotFound",
    "NotRetryable",
    "Page",
    "RegisteredTask",
    "Retry",
    "Signature",
    "Snooze",
    "SomeRefused",
    "Task",
    "TaskCancelled",
    "TaskContext",
    "TaskFailed",
    "TaskOptions",
    "TaskPriority",
    "TaskStatus",
    "TaskView",
    "TimeLimitReached",
    "TooMany",
    "UnexpectedAnswer",
    "Unreachable",
    "WaitTimeout",
    "Workflow",
    "__version__",
    "chain",
    "chord",
    "current_task",
    "group",
    "workflow",
]

"""The requests: pure values, built from what a caller wants. Both clients send the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Union, cast

from ._wire import Call, query, segment
from .errors import ConnectionLost, JobQueueError, SomeRefused, TaskFailed, Unreachable
from .graph import Graph, Signature, Submittable, signature
from .model import TaskView, WorkflowView
from .options import TaskStatus, listed, plain

if TYPE_CHECKING:
    from . import _types as api

#: Most tasks of one batch.
BATCH = 1000

TaskId = Union[str, TaskView]
WorkflowId = Union[str, WorkflowView]
Statuses = Union[None, str, TaskStatus, Iterable[Union[str, TaskStatus]]]
Raw = dict[str, Any]


def ident(thing: TaskId | WorkflowId) -> str:
    return segment(thing if isinstance(thing, str) else thing.id)


def submit(task: Signature, wait: float, key: str | None) -> Call[Raw]:
    return Call("POST", _waiting("/tasks", wait), task.to_json(), wait, key)


def submit_batch(tasks: Sequence[Signature], atomic: bool, key: str | None) -> Call[api.BatchReply]:
    body = {"tasks": [task.to_json() for task in tasks], "atomic": atomic}
    return Call("POST", "/tasks/batch", body, idempotency_key=key)


def batches(tasks: Iterable[Submittable], atomic: bool, key: str | None) -> list[Call[api.BatchReply]]:
    """As many requests as it takes; an atomic one cannot be divided."""
    every = [signature(task) for task in tasks]
    size = max(1, len(every)) if atomic else BATCH
    parts = [every[at : at + size] for at in range(0, len(every), size)]
    keys = [key if len(parts) == 1 or key is None else f"{key}.{place}" for place in range(len(parts))]
    return [submit_batch(part, atomic, part_key) for part, part_key in zip(parts, keys)]


def batch_ids(replies: Iterable[api.BatchReply]) -> list[str]:
    """The ids, in the order of the tasks."""
    results = [item for reply in replies for item in reply["results"]]
    ids = [item.get("id") for item in results]
    if any(each is None for each in ids):
        raise SomeRefused(results)
    return cast("list[str]", ids)


def get(task: TaskId) -> Call[Raw]:
    return Call("GET", f"/tasks/{ident(task)}")


def result(task: TaskId, wait: float) -> Call[api.TaskResult]:
    return Call("GET", _waiting(f"/tasks/{ident(task)}/result", wait), wait=wait)


def unwrap(told: api.TaskResult) -> Any:
    """The result of a task that is over."""
    if told["status"] == "success":
        return told.get("result")
    raise TaskFailed(told["task_id"], told["status"], told.get("error"))


def is_over(status: str) -> bool:
    try:
        return TaskStatus(status).is_final
    except ValueError:
        return False


def list_tasks(
    status: Statuses = None,
    queue: str | None = None,
    name: str | None = None,
    tag: str | None = None,
    worker: str | None = None,
    workflow: str | None = None,
    q: str | None = None,
    created_after: None | str | datetime = None,
    created_before: None | str | datetime = None,
    sort: str | None = None,
    limit: int | None = None,
    cursor: str | None = None,
    include: None | str | Sequence[str] = None,
    count: str | None = None,
) -> Call[api.TaskList]:
    path = query(
        "/tasks",
        status=listed(status),
        queue=queue,
        name=name,
        tag=tag,
        worker=worker,
        workflow=workflow,
        q=q,
        created_after=plain(created_after),
        created_before=plain(created_before),
        sort=sort,
        limit=limit,
        cursor=cursor,
        include=listed(include),
        count=count,
    )
    return Call("GET", path)


def cancel(task: TaskId, reason: str | None, force: bool) -> Call[api.CancelReply]:
    body: Raw = {"force": force}
    if reason is not None:
        body["reason"] = reason
    return Call("POST", f"/tasks/{ident(task)}/cancel", body)


def task_act(task: TaskId, verb: str) -> Call[Raw]:
    return Call("POST", f"/tasks/{ident(task)}/{verb}")


def delete_task(task: TaskId) -> Call[None]:
    return Call("DELETE", f"/tasks/{ident(task)}")


def task_part(task: TaskId, part: str) -> Call[Any]:
    return Call("GET", f"/tasks/{ident(task)}/{part}")


def queues() -> Call[api.Listed_Queue]:
    return Call("GET", "/queues")


def queue(name: str) -> Call[api.Queue]:
    return Call("GET", f"/queues/{segment(name)}")


def queue_stats(name: str) -> Call[api.QueueStats]:
    return Call("GET", f"/queues/{segment(name)}/stats")


def put_queue(name: str, settings: Mapping[str, Any]) -> Call[api.Queue]:
    return Call("PUT", f"/queues/{segment(name)}", plain(settings))


def queue_act(name: str, verb: str) -> Call[Any]:
    return Call("POST", f"/queues/{segment(name)}/{verb}")


def submit_workflow(graph: Graph, options: Mapping[str, Any], key: str | None) -> Call[Raw]:
    body = graph.to_json()
    for name, value in options.items():
        if value is not None:
            body = {**body, name: signature(value).to_json() if name.startswith("on_") else plain(value)}
    return Call("POST", "/workflows", body, idempotency_key=key)


def get_workflow(workflow: WorkflowId) -> Call[Raw]:
    return Call("GET", f"/workflows/{ident(workflow)}")


def list_workflows(state: str | None, name: str | None, limit: int | None, cursor: str | None) -> Call[Raw]:
    return Call("GET", query("/workflows", state=state, name=name, limit=limit, cursor=cursor))


def workflow_graph(workflow: WorkflowId) -> Call[api.WorkflowGraph]:
    return Call("GET", f"/workflows/{ident(workflow)}/graph")


def cancel_workflow(workflow: WorkflowId, reason: str | None) -> Call[api.WorkflowCancelled]:
    return Call("POST", f"/workflows/{ident(workflow)}/cancel", {} if reason is None else {"reason": reason})


def retry_workflow(workflow: WorkflowId) -> Call[api.WorkflowRetried]:
    return Call("POST", f"/workflows/{ident(workflow)}/retry")


def schedules(limit: int | None, cursor: str | None) -> Call[Raw]:
    return Call("GET", query("/schedules", limit=limit, cursor=cursor))


def get_schedule(name: str) -> Call[api.Schedule]:
    return Call("GET", f"/schedules/{segment(name)}")


def put_schedule(name: str, task: Submittable, settings: Mapping[str, Any]) -> Call[api.Schedule]:
    body = {each: plain(value) for each, value in settings.items() if value is not None}
    return Call("PUT", f"/schedules/{segment(name)}", {**body, "task": signature(task).to_json()})


def delete_schedule(name: str) -> Call[None]:
    return Call("DELETE", f"/schedules/{segment(name)}")


def schedule_act(name: str, verb: str) -> Call[Any]:
    return Call("POST", f"/schedules/{segment(name)}/{verb}")


def _waiting(path: str, wait: float) -> str:
    # Never less than a millisecond, which would not be waiting at all.
    return query(path, wait=f"{max(1, round(wait * 1000))}ms" if wait > 0 else None)


def is_away(error: JobQueueError) -> bool:
    """The server cannot be asked just now."""
    return isinstance(error, (Unreachable, ConnectionLost))

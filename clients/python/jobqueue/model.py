"""What the server tells of tasks and workflows, as objects."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .options import Duration, TaskStatus

if TYPE_CHECKING:
    from . import _types as api
    from .aio import AsyncClient
    from .client import Client

T = TypeVar("T")


def moment(text: str | None) -> datetime | None:
    """A time of the API. Python reads its form by itself only since 3.11."""
    if text is None:
        return None
    parts = re.fullmatch(r"(.{19})(?:\.(\d{1,9}))?(?:Z|\+00:00)", text)
    if parts is None:
        return datetime.fromisoformat(text)
    whole = datetime.strptime(parts[1], "%Y-%m-%dT%H:%M:%S")
    return whole.replace(microsecond=int((parts[2] or "0").ljust(6, "0")[:6]), tzinfo=timezone.utc)


class TaskView:
    """A task as it was when it was asked for. Whatever the server tells of it is an attribute, and in `data`."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.data: dict[str, Any] = dict(data)

    @property
    def id(self) -> str:
        return str(self.data["id"])

    @property
    def name(self) -> str:
        return str(self.data["name"])

    @property
    def queue(self) -> str:
        return str(self.data["queue"])

    @property
    def status(self) -> TaskStatus | str:
        try:
            return TaskStatus(self.data["status"])
        except ValueError:
            return str(self.data["status"])  # Of a server that is newer.

    @property
    def is_final(self) -> bool:
        return isinstance(self.status, TaskStatus) and self.status.is_final

    @property
    def priority(self) -> int:
        return int(self.data["priority"])

    @property
    def args(self) -> list[Any]:
        return list(self.data.get("args") or ())

    @property
    def kwargs(self) -> dict[str, Any]:
        return dict(self.data.get("kwargs") or {})

    @property
    def result(self) -> Any:
        """None where there is none (yet)."""
        return self.data.get("result")

    @property
    def error(self) -> dict[str, Any] | None:
        """`kind`, `message` and perhaps `detail`."""
        return self.data.get("error")

    @property
    def created_at(self) -> datetime | None:
        return moment(self.data.get("created_at"))

    @property
    def started_at(self) -> datetime | None:
        return moment(self.data.get("started_at"))

    @property
    def finished_at(self) -> datetime | None:
        return moment(self.data.get("finished_at"))

    @property
    def deduplicated(self) -> bool:
        """The submission was answered with the task that holds its unique key."""
        return bool(self.data.get("deduplicated"))

    def __getattr__(self, name: str) -> Any:
        data: Mapping[str, Any] = self.__dict__.get("data", {})
        if name in data:
            return data[name]
        raise AttributeError(f"{type(self).__name__} has no {name!r}; the server tells {', '.join(sorted(data))}")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} {self.data.get('name')} {self.data.get('status')}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TaskView) and self.data == other.data

    def __hash__(self) -> int:
        return hash(self.id)


class Task(TaskView):
    """A task of a `Client`, which the methods ask."""

    def __init__(self, client: Client, data: Mapping[str, Any]) -> None:
        super().__init__(data)
        self._client = client

    def refresh(self) -> Task:
        """Asks how it is now, and is so."""
        self.data = self._client.get(self.id).data
        return self

    def wait(self, timeout: Duration | None = None) -> Task:
        """Waits until it is over, however it ends."""
        self.data = self._client.wait(self.id, timeout).data
        return self

    def get(self, timeout: Duration | None = None) -> Any:
        """Its result, once it is over; raises `TaskFailed` where it has none."""
        return self._client.result(self.id, timeout)

    def cancel(self, reason: str | None = None, *, force: bool = False) -> api.CancelReply:
        return self._client.cancel(self.id, reason, force=force)

    def retry(self) -> Task:
        self.data = self._client.retry(self.id).data
        return self


class AsyncTask(TaskView):
    """A task of an `AsyncClient`, which the methods ask."""

    def __init__(self, client: AsyncClient, data: Mapping[str, Any]) -> None:
        super().__init__(data)
        self._client = client

    async def refresh(self) -> AsyncTask:
        """Asks how it is now, and is so."""
        self.data = (await self._client.get(self.id)).data
        return self

    async def wait(self, timeout: Duration | None = None) -> AsyncTask:
        """Waits until it is over, however it ends."""
        self.data = (await self._client.wait(self.id, timeout)).data
        return self

    async def get(self, timeout: Duration | None = None) -> Any:
        """Its result, once it is over; raises `TaskFailed` where it has none."""
        return await self._client.result(self.id, timeout)

    async def cancel(self, reason: str | None = None, *, force: bool = False) -> api.CancelReply:
        return await self._client.cancel(self.id, reason, force=force)

    async def retry(self) -> AsyncTask:
        self.data = (await self._client.retry(self.id)).data
        return self


class Page(list[T], Generic[T]):
    """One page of a list. `next_cursor` is None on the last one."""

    def __init__(self, items: list[T], data: Mapping[str, Any]) -> None:
        super().__init__(items)
        self.next_cursor: str | None = data.get("next_cursor")
        self.prev_cursor: str | None = data.get("prev_cursor")
        #: Where it was asked for by `count`.
        self.total: int | None = data.get("total")


class WorkflowView:
    """A workflow as it was when it was asked for."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.data: dict[str, Any] = dict(data)

    @property
    def id(self) -> str:
        return str(self.data["id"])

    @property
    def state(self) -> str:
        """running, success, failed or cancelled."""
        return str(self.data.get("state", "running"))

    @property
    def tasks(self) -> dict[str, str]:
        """The ids of its tasks by their names; empty where it was not submitted here (see `graph`)."""
        return dict(self.data.get("tasks", {}))

    @property
    def progress(self) -> dict[str, int]:
        return dict(self.data.get("progress", {}))

    def _update(self, data: Mapping[str, Any]) -> None:
        self.data = {**self.data, **data}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} {self.state}>"


class Workflow(WorkflowView):
    """A workflow of a `Client`, which the methods ask."""

    def __init__(self, client: Client, data: Mapping[str, Any]) -> None:
        super().__init__(data)
        self._client = client

    def refresh(self) -> Workflow:
        self._update(self._client.get_workflow(self.id).data)
        return self

    def wait(self, timeout: Duration | None = None) -> Workflow:
        """Waits until it is over, however it ends."""
        self._update(self._client.wait_workflow(self.id, timeout).data)
        return self

    def results(self) -> dict[str, Any]:
        """The results of its tasks that have one, by their names."""
        return self._client.workflow_results(self.id)

    def graph(self) -> api.WorkflowGraph:
        return self._client.workflow_graph(self.id)

    def cancel(self, reason: str | None = None) -> api.WorkflowCancelled:
        return self._client.cancel_workflow(self.id, reason)

    def retry(self) -> api.WorkflowRetried:
        """Runs again what did not succeed."""
        return self._client.retry_workflow(self.id)


class AsyncWorkflow(WorkflowView):
    """A workflow of an `AsyncClient`, which the methods ask."""

    def __init__(self, client: AsyncClient, data: Mapping[str, Any]) -> None:
        super().__init__(data)
        self._client = client

    async def refresh(self) -> AsyncWorkflow:
        self._update((await self._client.get_workflow(self.id)).data)
        return self

    async def wait(self, timeout: Duration | None = None) -> AsyncWorkflow:
        """Waits until it is over, however it ends."""
        self._update((await self._client.wait_workflow(self.id, timeout)).data)
        return self

    async def results(self) -> dict[str, Any]:
        """The results of its tasks that have one, by their names."""
        return await self._client.workflow_results(self.id)

    async def graph(self) -> api.WorkflowGraph:
        return await self._client.workflow_graph(self.id)

    async def cancel(self, reason: str | None = None) -> api.WorkflowCancelled:
        return await self._client.cancel_workflow(self.id, reason)

    async def retry(self) -> api.WorkflowRetried:
        """Runs again what did not succeed."""
        return await self._client.retry_workflow(self.id)

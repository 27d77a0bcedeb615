"""The client for threads."""

from __future__ import annotations

import ssl
import time
from typing import TYPE_CHECKING, Any, Dict, Iterable, Iterator, List, Mapping, Sequence, Type, TypeVar

from . import _calls as calls
from ._calls import Raw, TaskId, WorkflowId
from ._http import Pool
from ._wire import LONGEST_WAIT, Call, Endpoint, Patience
from .errors import ApiError, JobQueueError, WaitTimeout
from .graph import Graph, Submittable, signature
from .model import Page, Task, Workflow
from .options import Duration, TaskOptions, seconds

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from . import _types as api

T = TypeVar("T")
C = TypeVar("C", bound="Client")
#: How often the state of a workflow is asked for, in seconds: as often as this at first, less often later.
ASKED_EVERY = (0.05, 1.0)
#: While somebody waits for a task, for so long the server may be away, in seconds.
WAIT_OUT = 60.0


class Client:
    """Talks to a server. It can be used by any number of threads, and after a fork.

    `url` and `api_key` are taken from `JOBQUEUE_URL` and `JOBQUEUE_API_KEY` (or `JOBQUEUE_API_KEY_FILE`) where they are not
    given. `timeout` bounds a request, `retry_for` how long one is sent again where the server is away and that is safe: what
    may have been carried out is repeated only with an `idempotency_key`. Both are seconds.
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        timeout: float = 30.0,
        retry_for: float = 5.0,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._pool = Pool(Endpoint.of(url, api_key), timeout, ssl_context)
        self._retry_for = retry_for

    @property
    def url(self) -> str:
        return str(self._pool.endpoint)

    def close(self) -> None:
        """Closes the idle connections. The client stays usable."""
        self._pool.close()

    def __enter__(self: C) -> C:
        return self

    def __exit__(self, kind: Type[BaseException] | None, error: object, trace: object) -> None:
        self.close()

    def _send(self, call: Call[T], retry_for: float | None = None) -> T:
        patience = Patience(self._retry_for if retry_for is None else retry_for)
        while True:
            try:
                value: T = self._pool.exchange(call).value()
                return value
            except JobQueueError as error:
                pause = patience.pause(call, error)
                if pause is None:
                    raise
            time.sleep(pause)

    def request(self, method: str, path: str, body: Any = None, *, idempotency_key: str | None = None) -> Any:
        """Any other call of the API: `path` from `/api/v1` on, with its query. The answer as it is, None where it is empty."""
        return self._send(Call(method, path, body, idempotency_key=idempotency_key))

    # Tasks.

    def submit(
        self,
        task: Submittable,
        args: Iterable[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        wait: Duration | None = None,
        idempotency_key: str | None = None,
        **options: Unpack[TaskOptions],
    ) -> Task:
        """Submits a task, by its name or by what `@task` has made of a function. With `wait` it is answered once the task is over,
        or as it is after that time."""
        patience = min(seconds(wait or 0), LONGEST_WAIT)
        call = calls.submit(signature(task, args, kwargs, options), patience, idempotency_key)
        return Task(self, self._send(call))

    def submit_many(self, tasks: Iterable[Submittable], *, atomic: bool = False, idempotency_key: str | None = None) -> List[str]:
        """Submits any number of tasks, a thousand at a time; their ids. Raises `SomeRefused` where some are refused; with `atomic`
        (at most a thousand) all are stored or none."""
        return calls.batch_ids([self._send(call) for call in calls.batches(tasks, atomic, idempotency_key)])

    def get(self, task: TaskId) -> Task:
        return Task(self, self._send(calls.get(task)))

    def wait(self, task: TaskId, timeout: Duration | None = None) -> Task:
        """Waits until a task is over, however it ends. Raises `WaitTimeout` where it is not so in time."""
        try:
            self._ended(task, timeout)
        except ApiError as error:
            if error.code != "result_expired":
                raise
        return self.get(task)

    def result(self, task: TaskId, timeout: Duration | None = None) -> Any:
        """The result of a task, once it is over; raises `TaskFailed` where it has none."""
        return calls.unwrap(self._ended(task, timeout))

    def _ended(self, task: TaskId, timeout: Duration | None) -> api.TaskResult:
        until = None if timeout is None else time.monotonic() + seconds(timeout)
        while True:
            asked = time.monotonic()
            left = LONGEST_WAIT if until is None else max(0.0, until - asked)
            # A server that starts again meanwhile is waited for.
            told = self._send(calls.result(task, min(left, LONGEST_WAIT)), WAIT_OUT if until is None else left)
            if calls.is_over(told["status"]):
                return told
            if until is not None and time.monotonic() >= until:
                raise WaitTimeout(f"task {told['task_id']} is {told['status']} after {timeout}")
            # A server that is about to stop answers at once.
            time.sleep(max(0.0, min(left, 0.2) - (time.monotonic() - asked)))

    def list(self, **query: Any) -> Page[Task]:
        """A page of tasks, the newest first: by status (one or several), queue, name, tag, worker, workflow, q, created_after,
        created_before; with sort, limit, cursor, include (`args`, `result`) and count."""
        data = self._send(calls.list_tasks(**query))
        return Page([Task(self, each) for each in data["data"]], data)

    def iterate(self, **query: Any) -> Iterator[Task]:
        """All tasks that `list` would find, page by page."""
        while True:
            page = self.list(**query)
            yield from page
            if page.next_cursor is None:
                return
            query["cursor"] = page.next_cursor

    def cancel(self, task: TaskId, reason: str | None = None, *, force: bool = False) -> api.CancelReply:
        """A waiting task is cancelled at once, a running one is asked to stop, with `force` ended."""
        return self._send(calls.cancel(task, reason, force))

    def retry(self, task: TaskId) -> Task:
        """Starts a task that is over anew."""
        return Task(self, self._send(calls.task_act(task, "retry")))

    def run_now(self, task: TaskId) -> Task:
        """Does not wait for its time any longer."""
        return Task(self, self._send(calls.task_act(task, "run-now")))

    def delete(self, task: TaskId) -> None:
        """A task that is over."""
        self._send(calls.delete_task(task))

    def explain(self, task: TaskId) -> api.Explanation:
        """Why it is not running, and when it will."""
        told: api.Explanation = self._send(calls.task_part(task, "explain"))
        return told

    def attempts(self, task: TaskId) -> List[api.Attempt]:
        told: List[api.Attempt] = self._send(calls.task_part(task, "attempts"))["data"]
        return told

    def logs(self, task: TaskId) -> List[Raw]:
        """What its handlers have said, the last thousand lines: `at`, `level`, `message` and `attempt`."""
        return list_of(self._send(calls.task_part(task, "logs")))

    # Queues.

    def queues(self) -> List[Raw]:
        return list_of(self._send(calls.queues()))

    def queue(self, name: str) -> api.Queue:
        return self._send(calls.queue(name))

    def queue_stats(self, name: str) -> api.QueueStats:
        return self._send(calls.queue_stats(name))

    def configure_queue(self, name: str, **settings: Any) -> api.Queue:
        """Sets all that is set for a queue: what is not named is as the server has it."""
        return self._send(calls.put_queue(name, settings))

    def pause_queue(self, name: str) -> api.Queue:
        told: api.Queue = self._send(calls.queue_act(name, "pause"))
        return told

    def resume_queue(self, name: str) -> api.Queue:
        told: api.Queue = self._send(calls.queue_act(name, "resume"))
        return told

    def purge_queue(self, name: str) -> api.Operation:
        told: api.Operation = self._send(calls.queue_act(name, "purge"))
        return told

    # Workflows.

    def submit_workflow(
        self,
        graph: Graph,
        *,
        name: str | None = None,
        tags: Sequence[str] | None = None,
        meta: Mapping[str, Any] | None = None,
        on_success: Submittable | None = None,
        on_failure: Submittable | None = None,
        idempotency_key: str | None = None,
    ) -> Workflow:
        """Submits a `chain`, a `group`, a `chord` or a `workflow`: all of its tasks or none."""
        options = {"name": name, "tags": tags, "meta": meta, "on_success": on_success, "on_failure": on_failure}
        return Workflow(self, self._send(calls.submit_workflow(graph, options, idempotency_key)))

    def get_workflow(self, workflow: WorkflowId) -> Workflow:
        return Workflow(self, self._send(calls.get_workflow(workflow)))

    def workflows(
        self,
        state: str | None = None,
        name: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Workflow]:
        data = self._send(calls.list_workflows(state, name, limit, cursor))
        return Page([Workflow(self, each) for each in data["data"]], data)

    def wait_workflow(self, workflow: WorkflowId, timeout: Duration | None = None) -> Workflow:
        """Waits until a workflow is over, however it ends."""
        until = None if timeout is None else time.monotonic() + seconds(timeout)
        pause, longest = ASKED_EVERY
        while True:
            found = Workflow(self, self._send(calls.get_workflow(workflow), WAIT_OUT))
            if found.state != "running":
                return found
            if until is not None and time.monotonic() + pause > until:
                raise WaitTimeout(f"workflow {found.id} is {found.state} after {timeout}: {found.progress}")
            time.sleep(pause)
            pause = min(longest, pause * 1.5)

    def workflow_graph(self, workflow: WorkflowId) -> api.WorkflowGraph:
        return self._send(calls.workflow_graph(workflow))

    def workflow_results(self, workflow: WorkflowId) -> Dict[str, Any]:
        """The results of its tasks that have one, by their names in it."""
        names = {node["id"]: node["node"] for node in self.workflow_graph(workflow)["nodes"]}
        query = {"workflow": calls.ident(workflow), "status": "success", "include": "result", "limit": 100}
        return {names[task.id]: task.result for task in self.iterate(**query) if task.id in names}

    def cancel_workflow(self, workflow: WorkflowId, reason: str | None = None) -> api.WorkflowCancelled:
        return self._send(calls.cancel_workflow(workflow, reason))

    def retry_workflow(self, workflow: WorkflowId) -> api.WorkflowRetried:
        return self._send(calls.retry_workflow(workflow))

    # Schedules.

    def schedules(self, limit: int | None = None, cursor: str | None = None) -> Page[api.Schedule]:
        data = self._send(calls.schedules(limit, cursor))
        return Page(data["data"], data)

    def schedule(self, name: str) -> api.Schedule:
        return self._send(calls.get_schedule(name))

    def set_schedule(
        self,
        name: str,
        task: Submittable,
        *,
        cron: str | None = None,
        every: Duration | None = None,
        timezone: str | None = None,
        **settings: Any,
    ) -> api.Schedule:
        """Makes a task at each tick of `cron` or `every`; what a schedule of that name was before is replaced. Further settings are
        catch_up, overlap, jitter, enabled and version."""
        given = {"cron": cron, "every": every, "timezone": timezone, **settings}
        return self._send(calls.put_schedule(name, task, given))

    def pause_schedule(self, name: str) -> api.Schedule:
        told: api.Schedule = self._send(calls.schedule_act(name, "pause"))
        return told

    def resume_schedule(self, name: str) -> api.Schedule:
        told: api.Schedule = self._send(calls.schedule_act(name, "resume"))
        return told

    def trigger_schedule(self, name: str) -> Task:
        """Makes its task now, once."""
        return Task(self, self._send(calls.schedule_act(name, "trigger")))

    def delete_schedule(self, name: str) -> None:
        self._send(calls.delete_schedule(name))


def list_of(page: Mapping[str, Any]) -> List[Raw]:
    return list(page["data"])

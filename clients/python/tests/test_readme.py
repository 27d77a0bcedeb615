"""The usage examples of the original's README, word for word but for their imports."""

from __future__ import annotations

import contextlib
import io
import textwrap
from typing import Any
from unittest import mock

from .support import ServerTest

BEGIN = """
from jobqueue import JobQueue
from jobqueue import TaskPriority

# Initialize queue
queue = JobQueue(name="default")
"""

SUBMITTING = """
# Submit a simple task
task = queue.submit_task(
    task_name="process_data",
    args=[1, 2, 3],
    kwargs={"multiplier": 2},
    priority=TaskPriority.HIGH
)

print(f"Task submitted: {task.id}")
"""

DEPENDENCIES = """
# Submit parent task
parent_task = queue.submit_task(
    task_name="fetch_data",
    priority=TaskPriority.HIGH
)

# Submit child task that depends on parent
child_task = queue.submit_task(
    task_name="process_data",
    depends_on=[parent_task.id],
    priority=TaskPriority.MEDIUM
)
"""

STATUS = """
# Get task by ID
task = queue.get_task(task_id)
print(f"Status: {task.status}")
print(f"Result: {task.result}")
"""

STATISTICS = """
stats = queue.get_queue_stats()
print(f"Total queued: {stats['total_queued']}")
print(f"By priority: {stats['queued_by_priority']}")
print(f"By status: {stats['status_counts']}")
"""

CUSTOM = """
# In your task definitions
def my_custom_task(arg1, arg2, multiplier=1):
    result = (arg1 + arg2) * multiplier
    return result

# Submit the task
queue.submit_task(
    task_name="my_custom_task",
    args=[10, 20],
    kwargs={"multiplier": 2}
)
"""


class OriginalReadme(ServerTest):
    def setUp(self) -> None:
        patch = mock.patch.dict("os.environ", JOBQUEUE_URL=self.server.url)
        patch.start()
        self.addCleanup(patch.stop)
        self.names: dict[str, Any] = {}
        self.run_example(BEGIN)
        self.addCleanup(self.names["queue"].close)

    def run_example(self, text: str) -> str:
        """What it prints."""
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(textwrap.dedent(text), self.names)
        return out.getvalue()

    def test_submitting_tasks(self) -> None:
        said = self.run_example(SUBMITTING)
        task = self.names["queue"].get_task(said.removeprefix("Task submitted: ").strip())
        self.assertEqual((task.name, task.queue, task.priority), ("process_data", "default", 8))
        self.assertEqual((task.args, task.kwargs), ([1, 2, 3], {"multiplier": 2}))

    def test_task_with_dependencies(self) -> None:
        self.run_example(DEPENDENCIES)
        parent, child = self.names["parent_task"], self.names["child_task"]
        self.assertEqual((parent.priority, child.priority, child.status), (8, 5, "pending"))
        told = self.names["queue"].request("GET", f"/tasks/{child.id}/dependencies")
        self.assertEqual([each["id"] for each in told["parents"]], [parent.id])

    def test_checking_task_status(self) -> None:
        queue = self.names["queue"]
        task = queue.submit_task(task_name="demo.add", args=[1, 2])
        queue.wait(task, timeout=60)
        self.names["task_id"] = task.id
        self.assertEqual(self.run_example(STATUS), "Status: success\nResult: 3\n")

    def test_queue_statistics(self) -> None:
        queue = self.names["queue"]
        queue.submit_task(task_name="process_data", delay="1h", priority="low")
        said = self.run_example(STATISTICS).splitlines()
        stats = queue.get_queue_stats()
        self.assertEqual(said[0], f"Total queued: {stats['total_queued']}")
        self.assertGreaterEqual(stats["queued_by_priority"]["low"], 1)
        self.assertGreaterEqual(stats["status_counts"]["scheduled"], 1)
        self.assertTrue(said[1].startswith("By priority: {") and said[2].startswith("By status: {"))

    def test_adding_new_task_types(self) -> None:
        self.run_example(CUSTOM)
        queue = self.names["queue"]
        (task,) = queue.list(name="my_custom_task", include=["args"])
        self.assertEqual((task.args, task.kwargs), ([10, 20], {"multiplier": 2}))

"""`python -m jobqueue child` as a persistent command of the server: Python tasks without a worker of their own."""

from __future__ import annotations

import shutil
import sys

from jobqueue import JobQueue, TaskFailed

from .support import PACKAGE, Server, ServerTest, eventually, folder

NAMES = (
    "add",
    "add_async",
    "process_data",
    "fail",
    "fail_for_good",
    "retry_once",
    "snooze_once",
    "not_json",
    "nap",
    "deaf",
    "leave",
    "total",
)


class PersistentChild(ServerTest):
    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = folder()
        cls.addClassCleanup(shutil.rmtree, cls.folder, True)
        command = f'command = ["{sys.executable}", "-m", "jobqueue", "child", "tests.tasks:app"]\nmode = "persistent"\n'
        where = f'env = {{ PYTHONPATH = "{PACKAGE}" }}\n'
        text = "".join(f"[tasks.{name}]\n{command}{where}\n" for name in NAMES)
        (cls.folder / "jobqueue.toml").write_text(text, encoding="utf-8")
        cls.server = Server(cls.folder, WORKER_CANCEL_GRACE="1s")
        cls.addClassCleanup(lambda: cls.server.stop())

    def setUp(self) -> None:
        self.app: JobQueue = self.queue()

    def run_task(self, name: str, *args: object, **options: object) -> object:
        return self.app.submit(name, args, **options).get(timeout=60)

    def error(self, name: str, *args: object, **options: object) -> TaskFailed:
        with self.assertRaises(TaskFailed) as caught:
            self.run_task(name, *args, max_retries=0, **options)
        return caught.exception

    def test_results_and_errors(self) -> None:
        self.assertEqual(self.run_task("add", 1, 2), 3)
        self.assertEqual(self.run_task("add_async", 1, 2), 3)
        self.assertEqual(self.app.submit("process_data", [1, 2], {"multiplier": 3}).get(60), [3, 6])
        error = self.error("fail", "no such file")
        self.assertIn("ValueError: no such file", str(error))
        self.assertIn("raise ValueError(message)", error.detail or "")
        self.assertIn("cannot be written as JSON", str(self.error("not_json")))
        self.assertIn("missing a required argument", str(self.error("add", 1)))

    def test_what_a_task_may_say(self) -> None:
        self.assertEqual(self.run_task("retry_once", max_retries=1), 2)
        self.assertEqual(self.run_task("snooze_once"), 1)
        task = self.app.submit("fail_for_good", max_retries=5).wait(60)
        self.assertEqual((task.status, task.attempt), ("failed", 1))

    def test_a_stop_reaches_the_task(self) -> None:
        file = str(self.folder / "nap")
        task = self.app.submit("nap", [60, file])
        eventually("it runs", lambda: (self.folder / "nap").exists())
        task.cancel()
        self.assertEqual(task.wait(60).status, "cancelled")
        self.assertEqual((self.folder / "nap").read_text(), "began\nTaskCancelled\n")
        self.assertEqual(self.app.submit("nap", [60], timeout="300ms", max_retries=0).wait(60).status, "timeout")
        self.assertEqual(self.app.submit("deaf", [60], timeout="300ms", max_retries=0).wait(60).status, "timeout")
        self.assertEqual(self.error("leave", 7).kind, "exit")
        self.assertEqual(self.run_task("add", 1, 2), 3)

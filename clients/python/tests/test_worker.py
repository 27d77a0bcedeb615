"""The worker as a process, with the real server: what it runs, and in which ways a task can end."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any, ClassVar

from jobqueue import NotFound, TaskFailed, chain, chord

from . import tasks
from .support import ServerTest, WorkerProcess, eventually


class WorkerTest(ServerTest):
    """Each test has a queue, and a worker, of its own."""

    pool = "threads"

    def setUp(self) -> None:
        self.app = self.queue(f"{self.pool}-{self._testMethodName[:40]}")
        for name, task in tasks.app.tasks.items():
            self.app.register(task.function, name=name)

    def start(self, *arguments: str, **variables: str) -> WorkerProcess:
        common = ("--queues", self.app.name, "--pool", self.pool, "--cancel-grace", "1")
        return self.worker(*common, *arguments, **variables)

    def run_task(self, name: str, *args: Any, **options: Any) -> Any:
        return self.app.submit(name, args, **options).get(timeout=60)

    def error(self, name: str, *args: Any, **options: Any) -> TaskFailed:
        with self.assertRaises(TaskFailed) as caught:
            self.run_task(name, *args, **{"max_retries": 0, **options})
        return caught.exception

    def file(self) -> Path:
        return self.folder / self.app.name

    def begun(self) -> str:
        """Waits for a task that says so."""
        return str(eventually("it begins", lambda: self.file().exists() and self.file().read_text()))


class Ends(WorkerTest):
    def test_results_errors_and_what_else_a_task_may_say(self) -> None:
        self.start()
        self.assertEqual(self.app.tasks["add"].delay(1, 2).get(60), 3)
        self.assertEqual(self.run_task("add_async", 1, 2), 3)
        self.assertEqual(self.app.submit_task("process_data", [1, 2], {"multiplier": 3}).get(60), [3, 6])
        self.assertIsNone(self.run_task("noop"))
        error = self.error("fail", "no such file")
        self.assertEqual((error.status, error.kind), ("failed", "failure"))
        self.assertIn("ValueError: no such file", str(error))
        self.assertIn("raise ValueError(message)", error.detail or "")
        self.assertNotIn("execute.py", error.detail or "")
        self.assertEqual(self.error("not_json", max_retries=5).kind, "output")
        self.assertEqual(self.error("add", 1, max_retries=5).kind, "arguments")
        self.assertEqual(self.run_task("retry_once", max_retries=1), 2)
        self.assertEqual(self.run_task("snooze_once"), 1)
        task = self.app.submit("fail_for_good", max_retries=5).wait(60)
        self.assertEqual((task.status, task.attempt), ("failed", 1))
        self.assertIn("no such customer", task.error["message"])

    def test_parents_results_reach_their_children(self) -> None:
        self.start()
        add = self.app.tasks["add"]
        flow = self.app.submit_workflow(chord([add.s(n, 1) for n in range(5)], self.app.tasks["total"]))
        self.assertEqual(flow.wait(60).state, "success")
        self.assertEqual(self.app.result(flow.tasks["body"]), 15)
        total = self.app.tasks["total"].s()
        steps = self.app.submit_workflow(chain(add.s(1, 2), total, total)).wait(60)
        self.assertEqual(list(steps.results().values()), [3, 3, 3])

    def test_a_cancel_stops_what_runs(self) -> None:
        self.start()
        for name, said in (("nap", "TaskCancelled"), ("nap_async", "CancelledError")):
            self.file().unlink(missing_ok=True)
            task = self.app.submit(name, [600, str(self.file())])
            self.begun()
            task.cancel("enough")
            self.assertEqual(task.wait(60).status, "cancelled")
            eventually("it has heard", lambda said=said: said in self.file().read_text())

    def test_a_time_limit_stops_what_runs(self) -> None:
        self.start()
        for name in ("nap", "nap_async"):
            self.assertEqual(self.error(name, 600, timeout="300ms").status, "timeout")
        self.assertEqual(self.run_task("add", 1, 2), 3)

    def test_what_does_not_stop_is_ended(self) -> None:
        self.start("--concurrency", "2")
        task = self.app.submit("deaf", [600, str(self.file())], max_retries=0)
        self.begun()
        task.cancel()
        self.assertEqual(task.wait(60).status, "cancelled")
        self.assertEqual(self.error("deaf", 600, timeout="300ms").status, "timeout")
        self.assertEqual(self.run_task("add", 1, 2), 3)

    def test_what_a_task_tells_is_kept(self) -> None:
        self.start()
        task = self.app.submit("tell")
        self.assertEqual(task.get(60), "told")

        def lines() -> list[tuple[str, str]]:
            return [(line["level"], line["message"]) for line in self.app.logs(task)]

        eventually("the lines are kept", lambda: len(lines()) >= 2)
        self.assertIn(("warn", "half of it"), lines())
        self.assertIn(("error", "by hand"), lines())

    def test_what_is_too_much_or_no_text_fails_alone(self) -> None:
        self.start("--concurrency", "2")
        beside = self.app.submit("nap", [3])
        self.assertEqual(len(self.run_task("large", 300_000)), 300_000)
        self.assertEqual(self.error("large", 20_000_000, max_retries=5).kind, "output")
        self.assertEqual(self.error("half_a_pair", max_retries=5).kind, "output")
        flood = self.app.submit("flood", [20_000])
        self.assertEqual(flood.get(60), "done")
        self.assertLessEqual(len(self.app.logs(flood)), 1000)
        self.assertEqual(beside.get(60), 3)

    def test_a_stop_finishes_what_runs_and_gives_back_the_rest(self) -> None:
        worker = self.start("--concurrency", "2", "--drain-timeout", "2")
        short = self.app.submit("nap", [0.5, str(self.file())])
        self.begun()
        long = self.app.submit("nap", [600, str(self.file())])
        eventually("both run", lambda: self.file().read_text().count("began") == 2)
        self.assertEqual(worker.stop(), 0)
        self.assertEqual(short.wait(60).status, "success")
        long.refresh()
        self.assertIn(long.status, ("queued", "retry", "scheduled"))
        self.assertEqual((long.failures, long.crashes), (0, 0))
        long.cancel()

    def test_quiet_resume_and_stop_from_outside(self) -> None:
        worker = self.start()
        self.run_task("add", 1, 2)
        (mine,) = [each for each in self.app.request("GET", "/workers")["data"] if self.app.name in (each.get("queues") or ())]
        self.app.request("POST", f"/workers/{mine['id']}/quiet")
        worker.says("quiet by the server")
        task = self.app.submit("add", [3, 4])
        self.app.request("POST", f"/workers/{mine['id']}/resume")
        self.assertEqual(task.get(60), 7)
        worker.signal(signal.SIGTSTP)
        worker.says("quiet by this process")
        self.app.request("POST", f"/workers/{mine['id']}/stop")
        self.assertEqual(worker.wait(), 0)

    def test_a_worker_whose_target_is_wrong_says_so(self) -> None:
        for target, why in (
            ("tests.tasks:nothing", "none of this name"),
            ("tests.support", "0 JobQueues"),
            ("nowhere:app", "nowhere"),
        ):
            worker = WorkerProcess(self.server, target)
            self.addCleanup(worker.clear)
            self.assertNotEqual(worker.wait(), 0)
            self.assertIn(why, "".join(worker.log))


class ProcessEnds(Ends):
    """The same in processes, and what only they can do."""

    pool = "processes"

    def test_a_process_that_dies_takes_only_its_task_along(self) -> None:
        self.start("--concurrency", "1")
        killed, left = self.error("kill_self"), self.error("leave", 7)
        self.assertEqual((killed.kind, left.kind), ("signal", "exit"))
        self.assertIn("SIGKILL", str(killed))
        self.assertIn("exit code 7", str(left))
        self.assertEqual(self.run_task("add", 1, 2), 3)

    def test_processes_are_replaced_and_leave_nothing_behind(self) -> None:
        self.start("--concurrency", "1", "--max-tasks-per-child", "2")
        pids = [self.run_task("pid") for _ in range(6)]
        self.assertEqual(len(set(pids)), 3)
        child = self.run_task("spawn", str(self.file()))
        for _ in range(2):
            self.run_task("pid")
        eventually("what the process has left behind is gone", lambda: not is_alive(child))

    def test_processes_end_with_a_worker_that_is_killed(self) -> None:
        worker = self.start("--concurrency", "1")
        task = self.app.submit("deaf", [600, str(self.file())])
        pid = int(self.begun().split()[1])
        self.assertTrue(is_alive(pid))
        worker.kill()
        eventually("its process is gone", lambda: not is_alive(pid))
        task.cancel()


class Killed(WorkerTest):
    #: Whoever is killed is missed soon.
    variables: ClassVar[dict[str, str]] = {}

    def test_a_worker_that_is_killed_is_replaced(self) -> None:
        worker = self.start("--concurrency", "1")
        task = self.app.submit("nap", [1, str(self.file())])
        self.begun()
        worker.kill()
        self.start("--concurrency", "1")
        task.wait(60)
        self.assertEqual((task.status, task.crashes), ("success", 1))
        self.assertEqual(self.file().read_text().count("began"), 2)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class AppTest(ServerTest):
    """What the decorator makes."""

    def test_a_decorated_function_is_still_a_function(self) -> None:
        app = self.queue("named")

        @app.task(name="other", queue="elsewhere", max_retries=2, tags=["x"])
        def something(a: int, b: int = 2) -> int:
            """Of this."""
            return a * b

        self.assertEqual((something(3), something.__doc__, something.name), (6, "Of this.", "other"))
        task = something.delay(1, b=5)
        self.assertEqual((task.name, task.queue, task.max_retries, task.tags), ("other", "elsewhere", 2, ["x"]))
        self.assertEqual((task.args, task.kwargs), ([1], {"b": 5}))
        self.assertEqual(something.submit([1], priority="high", queue="named").queue, "named")
        self.assertEqual(app.submit(something, [4]).queue, "elsewhere")
        self.assertEqual(app.submit("by.name").queue, "named")
        with self.assertRaises(ValueError):
            app.register(something.function, name="no name")
        with self.assertRaises(ValueError):
            app.register(lambda: None, name="other")
        with self.assertRaises(NotFound):
            app.get_task("0198f2d4-7a3c-7c11-9a34-5b8e4d1f0c2a")

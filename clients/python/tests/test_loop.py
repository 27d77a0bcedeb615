"""The worker's loop against a server that does what the real one does seldom."""

from __future__ import annotations

import threading
import time
import unittest
from typing import Any

from jobqueue import JobQueue, TaskCancelled, current_task
from jobqueue.worker import Settings, Worker

from .fake import FakeServer
from .support import DEADLINE, eventually


class LoopTest(unittest.TestCase):
    def setUp(self) -> None:
        self.server = FakeServer()
        self.addCleanup(self.server.close)
        self.app = JobQueue("q", url=self.server.url)
        self.gate = threading.Event()
        self.addCleanup(self.gate.set)
        self.app.register(lambda a, b: a + b, name="add")
        self.app.register(self.nap, name="nap")
        self.app.register(self.wait_for_gate, name="gate")

    def nap(self) -> None:
        current_task().sleep(60)

    def wait_for_gate(self) -> str:
        self.gate.wait(60)
        return "open"

    def start(self, **settings: Any) -> Worker:
        worker = Worker(self.app, Settings(**{"concurrency": 2, "drain_timeout": 10.0, "cancel_grace": 0.5, **settings}))
        self.codes: list[int] = []
        thread = threading.Thread(target=lambda: self.codes.append(worker.run()))
        thread.start()

        def end() -> None:
            self.gate.set()
            worker.stop()
            thread.join(DEADLINE)
            self.assertFalse(thread.is_alive())

        self.end = end
        self.addCleanup(end)
        return worker

    def outcome(self, lease: str) -> Any:
        return eventually("it is told", lambda: self.server.outcomes.get(lease))

    def runs(self, lease: str) -> None:
        def is_running() -> bool:
            return any(lease in beat["running"] for beat in self.server.heartbeats[-1:])

        eventually("it runs", is_running)

    def test_it_says_what_it_is_and_what_came_of_tasks(self) -> None:
        self.start(name="w", labels=["gpu"])
        self.assertEqual(self.outcome(self.server.add("add", 1, 2)), {"result": 3})
        said = self.server.workers[0]
        self.assertEqual((said["names"], said["queues"], said["labels"]), (["add", "gate", "nap"], ["q"], ["gpu"]))
        self.assertEqual((said["concurrency"], said["name"]), (2, "w"))
        wrong = self.outcome(self.server.add("add", 1))
        self.assertEqual((wrong["error"]["kind"], wrong["retryable"]), ("arguments", False))
        self.end()
        self.assertEqual((self.codes, self.server.left), ([0], ["w1"]))

    def test_a_worker_that_is_given_up_registers_again_and_stops_what_ran(self) -> None:
        self.start()
        lost = self.server.add("nap")
        self.runs(lost)
        self.server.dead.add("w1")
        eventually("it registers again", lambda: len(self.server.workers) == 2)
        self.assertEqual(self.outcome(self.server.add("add", 1, 2)), {"result": 3})
        self.assertEqual(self.outcome(self.server.add("add", 3, 4)), {"result": 7})
        eventually("it is no longer held", lambda: lost not in self.server.heartbeats[-1]["running"])
        self.assertNotIn(lost, self.server.outcomes)

    def test_outcomes_are_kept_while_the_server_is_away(self) -> None:
        self.start()
        lease = self.server.add("gate")
        self.runs(lease)
        self.server.is_away = True
        self.gate.set()
        time.sleep(0.3)
        self.assertNotIn(lease, self.server.outcomes)
        self.server.is_away = False
        self.assertEqual(self.outcome(lease), {"result": "open"})

    def test_it_waits_for_a_server_that_is_not_there_yet(self) -> None:
        self.server.is_away = True
        self.start()
        time.sleep(0.3)
        self.server.is_away = False
        self.assertEqual(self.outcome(self.server.add("add", 1, 2)), {"result": 3})

    def test_what_is_cancelled_or_lost_stops(self) -> None:
        self.start()
        cancelled, lost = self.server.add("nap"), self.server.add("nap")
        self.runs(cancelled)
        self.runs(lost)
        self.server.word = {"cancel": [cancelled], "lost": [lost]}
        self.assertEqual(self.outcome(cancelled), {"cancelled": True})
        eventually("both have stopped", lambda: self.server.heartbeats[-1]["running"] == [])
        self.assertNotIn(lost, self.server.outcomes)

    def test_a_time_limit_is_held_and_one_that_does_not_stop_is_left_behind(self) -> None:
        self.start(concurrency=1)
        limited = self.outcome(self.server.add("nap", timeout_s=0.2))
        self.assertEqual(limited["error"]["kind"], "timeout")
        deaf = self.server.add("gate", timeout_s=0.2)
        self.assertEqual(self.outcome(deaf)["error"]["kind"], "timeout")
        # Its thread waits on; another has taken its place.
        self.assertEqual(self.outcome(self.server.add("add", 1, 2)), {"result": 3})

    def test_a_worker_whose_threads_are_all_left_behind_ends(self) -> None:
        self.start(concurrency=1)
        for _ in range(2):
            self.outcome(self.server.add("gate", timeout_s=0.1))
        eventually("it ends", lambda: self.codes == [1])

    def test_quiet_and_stop_are_heard(self) -> None:
        worker = self.start()
        self.outcome(self.server.add("add", 1, 2))
        self.server.word = {"quiet": True}
        count = len(self.server.heartbeats)
        eventually("it has heard", lambda: len(self.server.heartbeats) > count + 2)
        time.sleep(1.2)  # The poll that was under way is over.
        lease = self.server.add("add", 1, 2)
        time.sleep(0.3)
        self.assertNotIn(lease, self.server.outcomes)
        self.server.word = {}
        self.assertEqual(self.outcome(lease), {"result": 3})
        worker.quiet()
        self.server.word = {"stop": True}
        eventually("it ends", lambda: self.codes == [0])
        self.assertEqual(self.server.left, ["w1"])

    def test_what_is_not_over_at_the_end_is_given_back(self) -> None:
        worker = self.start(concurrency=1, drain_timeout=0.3, prefetch=5)
        cooperative = self.server.add("nap")
        self.runs(cooperative)
        worker.stop()
        eventually("it ends", lambda: self.codes == [0])
        self.assertEqual(self.server.outcomes[cooperative], {"release": True})

    def test_what_runs_at_a_stop_is_finished_and_a_second_stop_does_not_wait(self) -> None:
        worker = self.start()
        finished = self.server.add("gate")
        self.runs(finished)
        worker.stop()
        time.sleep(0.2)
        self.gate.set()
        eventually("it ends", lambda: self.codes == [0])
        self.assertEqual(self.server.outcomes[finished], {"result": "open"})
        self.gate.clear()
        worker = self.start()
        deaf = self.server.add("gate")
        self.runs(deaf)
        worker.stop()
        worker.stop()
        eventually("it ends", lambda: self.codes == [0])
        self.assertEqual(self.server.outcomes[deaf], {"release": True})

    def test_a_refused_result_is_a_failure(self) -> None:
        self.start()
        self.gate.set()
        lease = self.server.add("gate")
        self.server.refuse.add(lease)
        outcome = self.outcome(lease)
        self.assertEqual((outcome["error"]["kind"], outcome["retryable"]), ("output", False))

    def test_short_tasks_are_fetched_ahead_and_long_ones_given_back(self) -> None:
        self.start(concurrency=1, prefetch=20)
        leases = [self.server.add("add", n, n) for n in range(300)]
        for n, lease in enumerate(leases):
            self.assertEqual(self.outcome(lease), {"result": 2 * n})
        # Now that they are thought to be short, some that are not come.
        long = [self.server.add("nap") for _ in range(10)]
        eventually("all but one are given back or not taken", lambda: self._given_back(long) + len(self.server.ready) >= 9)
        for lease in long:
            self.assertIn(self.server.outcomes.get(lease), (None, {"release": True}))
        self.server.word = {"cancel": long}

    def _given_back(self, leases: list[str]) -> int:
        return sum(self.server.outcomes.get(lease) == {"release": True} for lease in leases)

    def test_logs_and_progress_are_told(self) -> None:
        def tell() -> None:
            current_task().log("a line")
            current_task().progress(50)
            current_task().sleep(1.0)
            current_task().log("the last")

        self.app.register(tell, name="tell")
        self.start()
        lease = self.server.add("tell")
        self.outcome(lease)
        told = [what for of, what in self.server.told if of == lease]
        lines = [line["message"] for what in told for line in what.get("log", {}).get("lines", [])]
        self.assertEqual(lines, ["a line", "the last"])
        self.assertIn({"progress": {"percent": 50.0}}, told)

    def test_exceptions_of_every_kind_are_an_end(self) -> None:
        def exits() -> None:
            raise SystemExit(3)

        def says_cancelled() -> None:
            raise TaskCancelled("nobody asked")

        self.app.register(exits, name="exits")
        self.app.register(says_cancelled, name="says_cancelled")
        self.start()
        for name in ("exits", "says_cancelled"):
            self.assertEqual(self.outcome(self.server.add(name))["error"]["kind"], "failure")


if __name__ == "__main__":
    unittest.main()

"""The client for threads, against the real server."""

from __future__ import annotations

import threading
import time
import uuid
from datetime import datetime, timedelta, timezone

import jobqueue
from jobqueue import (
    Client,
    Conflict,
    Invalid,
    NotFound,
    Signature,
    SomeRefused,
    TaskFailed,
    TaskStatus,
    Unreachable,
    WaitTimeout,
    chain,
    chord,
    group,
    workflow,
)

from .support import ServerTest, eventually


class ClientTest(ServerTest):
    def setUp(self) -> None:
        self.client = Client(self.server.url)
        self.addCleanup(self.client.close)

    def test_a_result_is_waited_for(self) -> None:
        task = self.client.submit("demo.add", [1, 2])
        self.assertEqual(task.get(timeout=60), 3)
        task.refresh()
        self.assertEqual((task.status, task.result, task.attempt), (TaskStatus.SUCCESS, 3, 1))
        self.assertIsInstance(task.finished_at, datetime)
        self.assertTrue(task.is_final)

    def test_a_submission_can_wait_for_the_end(self) -> None:
        self.assertEqual(self.client.submit("demo.add", [1, 2], wait="30s").result, 3)

    def test_a_failure_is_raised_with_its_error(self) -> None:
        task = self.client.submit("demo.fail", ["on purpose"], max_retries=0)
        with self.assertRaises(TaskFailed) as caught:
            task.get(timeout=60)
        self.assertEqual((caught.exception.status, caught.exception.kind), ("failed", "failure"))
        self.assertEqual(task.wait(timeout=60).status, "failed")

    def test_a_wait_ends_in_time(self) -> None:
        task = self.client.submit("demo.add", [1, 2], delay=timedelta(hours=1))
        with self.assertRaises(WaitTimeout):
            task.get(timeout=0.3)
        with self.assertRaises(TimeoutError):  # The same, by its general name.
            task.wait(timeout="50ms")
        self.assertEqual(self.client.cancel(task, "no longer")["status"], "cancelled")
        self.assertEqual(task.wait(timeout=60).error["message"].count("no longer"), 1)

    def test_options_are_written_as_the_server_reads_them(self) -> None:
        at = datetime.now(timezone.utc) + timedelta(hours=1)
        task = self.client.submit(
            "demo.echo",
            kwargs={"a": [1, None]},
            queue="options",
            priority=jobqueue.TaskPriority.LOW,
            max_retries=7,
            retry={"strategy": "fixed", "initial": "3s"},
            timeout=timedelta(minutes=2),
            run_at=at,
            tags=("x", "y"),
            meta={"at": at},
            unique={"by": ["name"]},
        )
        self.assertEqual((task.queue, task.priority, task.max_retries, task.tags), ("options", 2, 7, ["x", "y"]))
        self.assertEqual((task.timeout_ms, task.data["retry"]["strategy"]), (120_000, "fixed"))
        self.assertLess(abs(jobqueue.model.moment(task.run_at) - at), timedelta(seconds=1))
        self.assertTrue(self.client.submit("demo.echo", queue="options", unique={"by": ["name"]}).deduplicated)

    def test_what_is_wrong_is_said_where(self) -> None:
        with self.assertRaises(Invalid) as caught:
            self.client.submit("demo.echo", priority="urgent")
        self.assertEqual(caught.exception.errors[0]["pointer"], "/priority")
        self.assertIn("/priority", str(caught.exception))
        with self.assertRaises(Invalid):
            self.client.submit("demo.echo", **{"priorty": "low"})
        with self.assertRaises(NotFound):
            self.client.get(str(uuid.uuid4()))
        with self.assertRaises(NotFound) as unreadable:
            self.client.get("x/../y?z")
        self.assertEqual(unreadable.exception.code, "invalid_id")
        with self.assertRaises(ValueError):
            self.client.submit("demo.echo", [float("nan")])

    def test_many_are_submitted_in_batches(self) -> None:
        ids = self.client.submit_many(Signature("demo.add", [n, 1], options={"queue": "many"}) for n in range(2500))
        self.assertEqual(len(set(ids)), 2500)
        self.assertEqual(self.client.result(ids[2499], timeout=60), 2500)
        with self.assertRaises(SomeRefused) as caught:
            self.client.submit_many(["demo.echo", Signature("demo.echo", options={"priority": 77})])
        first, second = caught.exception.results
        self.assertEqual((first["status"], second["status"]), (201, 422))
        before = len(list(self.client.iterate(queue="atomic")))
        with self.assertRaises(Invalid):
            bad = Signature("demo.echo", options={"priority": 77, "queue": "atomic"})
            self.client.submit_many([Signature("demo.echo", options={"queue": "atomic"}), bad], atomic=True)
        self.assertEqual(len(list(self.client.iterate(queue="atomic"))), before)

    def test_a_list_is_read_page_by_page(self) -> None:
        ids = self.client.submit_many(Signature("demo.echo", [n], options={"queue": "pages"}) for n in range(25))
        page = self.client.list(queue="pages", limit=10, count="exact")
        self.assertEqual((len(page), page.total), (10, 25))
        self.assertEqual({task.id for task in self.client.iterate(queue="pages", limit=10)}, set(ids))
        some = self.client.list(queue="pages", status=[TaskStatus.SUCCESS, "queued", "running"], include="args")
        self.assertEqual(len(some), 25)
        self.assertEqual(sorted(task.args[0] for task in some), list(range(25)))

    def test_an_idempotency_key_makes_it_once(self) -> None:
        key = uuid.uuid4().hex
        first = self.client.submit("demo.echo", [1], idempotency_key=key)
        self.assertEqual(self.client.submit("demo.echo", [1], idempotency_key=key).id, first.id)

    def test_retry_delete_and_explain(self) -> None:
        task = self.client.submit("demo.fail", ["x"], max_retries=0).wait(60)
        with self.assertRaises(Conflict):
            self.client.cancel(task)
        again = self.client.retry(task)
        self.assertEqual((again.id, again.generation), (task.id, task.generation + 1))
        again.wait(60)
        self.assertEqual([attempt["outcome"] for attempt in self.client.attempts(task)], ["failure", "failure"])
        self.client.delete(task)
        with self.assertRaises(NotFound):
            self.client.get(task)
        late = self.client.submit("demo.echo", delay="1h")
        self.assertIn("reasons", self.client.explain(late))
        self.assertNotEqual(self.client.run_now(late).wait(60).status, "scheduled")

    def test_queues(self) -> None:
        self.client.submit("demo.echo", queue="here", delay="1h", priority="high")
        self.assertIn("here", [queue["name"] for queue in self.client.queues()])
        self.assertTrue(self.client.pause_queue("here")["paused"])
        self.assertFalse(self.client.resume_queue("here")["paused"])
        self.assertEqual(self.client.configure_queue("here", weight=3, timeout=timedelta(seconds=5))["weight"], 3)
        self.assertEqual(self.client.queue("here")["timeout"], "5s")
        self.assertEqual(self.client.queue_stats("here")["queued_by_priority"]["high"], 1)
        self.client.purge_queue("here")
        eventually("it is empty", lambda: self.client.queue_stats("here")["total_queued"] == 0)

    def test_workflows(self) -> None:
        add = [Signature("demo.add", [n, 1]) for n in range(3)]
        done = self.client.submit_workflow(chord(add, "demo.echo"), name="sum", tags=["t"]).wait(60)
        self.assertEqual((done.state, done.progress["success"]), ("success", 4))
        results = done.results()
        self.assertEqual([results[name] for name in ("0", "1", "2")], [1, 2, 3])
        self.assertEqual(self.client.result(done.tasks["1"]), 2)
        self.assertIn(done.id, [each.id for each in self.client.workflows(name="sum")])
        self.assertEqual(self.client.submit_workflow(chain(add)).wait(60).state, "success")
        self.assertEqual(self.client.submit_workflow(group(*add, add)).wait(60).progress["total"], 6)

        shape = workflow(
            {
                "a": Signature("demo.fail", ["x"], options={"max_retries": 0}),
                "b": Signature("demo.echo", options={"depends_on": ["a"]}),
            }
        )
        failed = self.client.submit_workflow(shape, on_failure=Signature("demo.echo")).wait(60)
        self.client.wait(failed.data["callbacks"]["on_failure"]["id"], 60)
        self.assertEqual(failed.state, "failed")
        self.assertEqual(len(failed.graph()["edges"]), 1)
        self.assertEqual(failed.retry()["retried"], 2)
        self.assertEqual(failed.wait(60).state, "failed")
        waiting = self.client.submit_workflow(chain(Signature("demo.echo", options={"delay": "1h"}), "demo.echo"))
        with self.assertRaises(WaitTimeout):
            waiting.wait(0.2)
        self.assertEqual(waiting.cancel("enough")["state"], "cancelled")
        self.assertEqual(waiting.refresh().state, "cancelled")
        circle = {"a": Signature("x", options={"depends_on": ["b"]}), "b": Signature("x", options={"depends_on": ["a"]})}
        with self.assertRaises(Invalid):
            self.client.submit_workflow(workflow(circle))

    def test_schedules(self) -> None:
        task = Signature("demo.add", [1, 2], options={"queue": "ticks"})
        self.client.set_schedule("nightly", task, cron="30 2 * * *", timezone="Europe/Berlin", overlap="skip")
        made = self.client.set_schedule("nightly", task, every=timedelta(hours=2))
        self.assertEqual((made["every"], made["task"]["name"]), ("2h", "demo.add"))
        self.assertIn("nightly", [each["name"] for each in self.client.schedules()])
        self.assertEqual(self.client.trigger_schedule("nightly").get(60), 3)
        self.assertFalse(self.client.pause_schedule("nightly")["enabled"])
        self.assertTrue(self.client.resume_schedule("nightly")["enabled"])
        self.client.delete_schedule("nightly")
        with self.assertRaises(NotFound):
            self.client.schedule("nightly")

    def test_any_other_call(self) -> None:
        self.assertIn("data", self.client.request("GET", "/workers"))

    def test_threads_share_a_client(self) -> None:
        found: list[int] = []

        def submit(n: int) -> None:
            found.extend(self.client.submit("demo.add", [n, each]).get(60) for each in range(20))

        threads = [threading.Thread(target=submit, args=(100 * n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(found), sorted(100 * n + each for n in range(8) for each in range(20)))


class AwayTest(ServerTest):
    """The server goes, and perhaps comes back."""

    def test_nobody_there_is_said_at_once_or_after_a_while(self) -> None:
        client = Client("http://127.0.0.1:9", retry_for=0)
        with self.assertRaises(Unreachable) as caught:
            client.submit("x")
        self.assertIn("http://127.0.0.1:9", str(caught.exception))
        with self.assertRaises(ValueError):
            Client("ftp://x")

    def test_a_submission_with_a_key_and_a_wait_outlive_a_kill_of_the_server(self) -> None:
        client = Client(self.server.url, retry_for=60)
        self.addCleanup(client.close)
        task = client.submit("demo.sleep", [2])
        results: list[object] = []
        waiter = threading.Thread(target=lambda: results.append(client.wait(task, timeout=60).status))
        waiter.start()
        eventually("it runs", lambda: client.get(task).status == "running")
        self.server.kill()
        submitted: list[str] = []
        key = uuid.uuid4().hex
        submitter = threading.Thread(target=lambda: submitted.append(client.submit("demo.add", [1, 2], idempotency_key=key).id))
        submitter.start()
        time.sleep(0.3)
        self.server.start_again()
        waiter.join(60)
        submitter.join(60)
        self.assertEqual(results, ["success"])
        self.assertEqual(client.result(submitted[0], timeout=60), 3)

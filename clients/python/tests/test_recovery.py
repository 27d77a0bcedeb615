"""kill -9 of workers and of the server, at random: nothing is lost and all results are right."""

from __future__ import annotations

import random
import threading
import time
from typing import ClassVar

from jobqueue import Client, Signature

from . import parse
from .support import IS_LONG, ServerTest, WorkerProcess, eventually

#: Of the real files: in the small version a part of them.
FILES = 1000 if IS_LONG else 150
#: Kills of workers, and of the server. Three deaths make a task a dead letter, so they must be few for each task.
WORKER_KILLS, SERVER_KILLS = (12, 3) if IS_LONG else (3, 1)
#: Each takes a little longer than it needs, so that there is work to kill, in seconds.
PAUSE = 0.1 if IS_LONG else 0.2
OPTIONS = {"queue": "files", "max_retries": 5}


class RealFiles(ServerTest):
    #: Whoever is killed is missed soon.
    variables: ClassVar[dict[str, str]] = {}

    def test_real_files_are_parsed_right_whoever_is_killed(self) -> None:
        for pool in ("threads", "processes"):
            with self.subTest(pool=pool):
                self.parse_all(pool)

    def parse_all(self, pool: str) -> None:
        paths = parse.files()
        self.assertGreater(len(paths), 100, "these are files of Debian's packages")
        draw = random.Random(17)
        paths = [paths[draw.randrange(len(paths))] for _ in range(FILES)]
        expected = [parse.parse(path) for path in paths]
        client = Client(self.server.url, retry_for=60)
        self.addCleanup(client.close)
        workers = [self.start(pool) for _ in range(3)]
        over = threading.Event()
        ids: list[str] = []
        killer = threading.Thread(target=self.kill_some, args=(workers, pool, over, draw))
        killer.start()
        try:
            for at in range(0, FILES, 50):
                batch = [Signature("files.parse", [path], options=OPTIONS) for path in paths[at : at + 50]]
                ids += client.submit_many(batch, idempotency_key=f"{pool}-{at}")
            tasks = [client.wait(task, timeout=240) for task in ids]
        finally:
            over.set()
            killer.join()
        for task, path, result in zip(tasks, paths, expected):
            self.assertEqual((task.status, task.result), ("success", result), f"{path}: {task.error}")
        self.assertEqual(len(set(ids)), FILES)
        if IS_LONG:
            again = sum(task.crashes > 0 for task in tasks)
            print(
                f"{pool}: {FILES} files right; {WORKER_KILLS} kills of workers and {SERVER_KILLS} of the server, {again} ran again"
            )
        for worker in workers:
            self.assertEqual(worker.stop(), 0)

    def start(self, pool: str) -> WorkerProcess:
        arguments = ("--concurrency", "2", "--pool", pool)
        made = WorkerProcess(self.server, "tests.parse:app", *arguments, PARSE_PAUSE=str(PAUSE))
        self.addCleanup(made.clear)
        return made

    def kill_some(self, workers: list[WorkerProcess], pool: str, over: threading.Event, draw: random.Random) -> None:
        kills = [True] * WORKER_KILLS + [False] * SERVER_KILLS
        draw.shuffle(kills)
        for of_worker in kills:
            if over.wait(draw.uniform(0.3, 2.0)):
                return
            if of_worker:
                place = draw.randrange(len(workers))
                workers[place].kill()
                workers[place] = self.start(pool)
            else:
                self.server.kill()
                self.server.start_again()


class ServerAway(ServerTest):
    def test_a_worker_outlives_kills_of_the_server(self) -> None:
        worker = self.worker("--queues", "python")
        app = self.queue("python")
        self.assertEqual(app.submit("add", [1, 2]).get(60), 3)
        # One whose end falls into the time without a server: it is told afterwards, and has run once.
        file = self.folder / "nap"
        task = app.submit("nap", [1, str(file)])
        eventually("it runs", lambda: file.exists())
        self.server.kill()
        eventually("it is over", lambda: "done" in file.read_text())
        time.sleep(0.2)
        self.server.start_again()
        self.assertEqual(app.wait(task, timeout=60).status, "success")
        self.assertEqual((file.read_text(), app.get(task).attempt), ("began\ndone\n", 1))
        self.assertEqual(app.submit("add", [3, 4]).get(60), 7)
        self.assertEqual(worker.stop(), 0)

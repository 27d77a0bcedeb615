"""The measures of one peer in one run."""
import os
import time
from contextlib import contextmanager
from pathlib import Path

import psycopg

from machine import rss_mb
from peers import INSTALLED, PROGRAMS
from programs import PATIENCE_S, Failure, call, running, said

SETTLE_S = 3
SAMPLES = 2000
# The first of the latency phase, which do not count: connections are made, programs warm up.
WARM_UP = 200


class Measurement:
    def __init__(self, peer, servers, tasks):
        self.peer, self.servers = peer, servers
        self.tasks, self.tasks_one = max(100, int(tasks * peer.share)), max(100, int(tasks * peer.one_share))
        self.log_path = servers.folder / f"{peer.name}.log"
        self.environment = {**os.environ, "PG_URL": servers.pg_url, "REDIS_URL": servers.redis_url,
                            "PEERS_INSTALLED": str(INSTALLED), "NODE_ENV": "production",
                            "LATENCY_FILE": str(servers.folder / "latency"), "PYTHONDONTWRITEBYTECODE": "1"}

    def run(self):
        self.reset()
        figures = {"one": self.submit("one", self.tasks_one)}
        self.reset()
        before = self.size()
        figures["bulk"] = self.submit("bulk", self.tasks)
        figures["bytes"] = (self.size() - before) / self.tasks
        figures["drain"] = self.drain()
        self.reset()
        return figures | self.latency()

    def reset(self):
        self.servers.wipe()
        if self.peer.store == "PostgreSQL":
            self.call([*self.peer.submit, "setup"])
            self.servers.settle()

    def size(self):
        if self.peer.store == "PostgreSQL":
            return self.servers.sql("select pg_database_size('bench')")
        return self.servers.redis.info("memory")["used_memory"]

    def submit(self, mode, count):
        return float(self.call([*self.peer.submit, mode, str(count)]).split()[-1])

    def drain(self):
        """From the first task that is seen to be finished to the last: the workers' start does not count."""
        self.servers.settle()
        with self.left() as left:
            if (queued := left()) != self.tasks:
                raise Failure(f"{queued} tasks are queued instead of {self.tasks}")
            with self.workers(self.peer.work, self.peer.copies) as workers:
                return self.timed(left, workers)

    def timed(self, left, workers):
        began, at_first, deadline = None, None, time.monotonic() + PATIENCE_S
        while True:
            now_left, now = left(), time.monotonic()
            if began is None and now_left < self.tasks:
                began, at_first = now, now_left
            if now_left == 0:
                return at_first / max(now - began, 1e-3)
            if now > deadline:
                raise Failure(f"{now_left} of {self.tasks} tasks were left after {PATIENCE_S} s")
            self.alive(workers)
            # Counting costs PostgreSQL something: seldom, but for the beginning and the end.
            between = began is not None and now_left > self.tasks / 10
            time.sleep(0.15 if between and self.peer.store == "PostgreSQL" else 0.01)

    def latency(self):
        path = Path(self.environment["LATENCY_FILE"])
        path.write_text("")
        with self.workers(self.peer.wait, 1) as workers:
            time.sleep(SETTLE_S)
            idle = rss_mb({worker.pid for worker in workers})
            self.call([*self.peer.submit, "paced", str(WARM_UP + SAMPLES)])
            deadline = time.monotonic() + PATIENCE_S
            while len(waited := path.read_text().split()) < WARM_UP + SAMPLES:
                if time.monotonic() > deadline:
                    raise Failure(f"only {len(waited)} tasks of the latency phase ran")
                self.alive(workers)
                time.sleep(0.05)
        waited = sorted(int(us) / 1000 for us in waited[WARM_UP:])
        return {"p50": waited[len(waited) // 2], "p99": waited[len(waited) * 99 // 100], "rss": idle}

    def call(self, command):
        return call(command, self.log_path, env=self.environment, cwd=PROGRAMS)

    @contextmanager
    def left(self):
        """Counts what is not finished, over one connection."""
        if self.peer.store == "PostgreSQL":
            with psycopg.connect(self.servers.pg_url, autocommit=True) as connection:
                yield lambda: connection.execute(self.peer.left).fetchone()[0]
        else:
            pipeline = self.servers.redis.pipeline(transaction=False)

            def left():
                for command in self.peer.left:
                    pipeline.execute_command(*command.split())
                return sum(pipeline.execute())

            yield left

    def workers(self, command, copies):
        commands = [[str(word).replace("{copy}", str(copy)) for word in command] for copy in range(copies)]
        return running(commands, self.log_path, env=self.environment, cwd=PROGRAMS)

    def alive(self, workers):
        if ended := [worker.returncode for worker in workers if worker.poll() is not None]:
            raise Failure(f"a worker ended with {ended[0]}{said(self.log_path)}")

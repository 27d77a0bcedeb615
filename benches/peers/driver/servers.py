"""A PostgreSQL and a Redis of this run's own: in its folder, on free ports, gone with it."""
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import psycopg
import redis

PATIENCE_S = 60


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Servers:
    def __init__(self, folder):
        self.folder, self.postgres, self.redis_server = Path(folder), None, None
        pg_port, redis_port = free_port(), free_port()
        self.pg_port, self.redis_port = pg_port, redis_port
        self.admin_url = f"postgres://postgres@127.0.0.1:{pg_port}/postgres"
        self.pg_url = f"postgres://postgres@127.0.0.1:{pg_port}/bench"
        self.redis_url = f"redis://127.0.0.1:{redis_port}/0"
        self.redis = redis.Redis(port=redis_port)

    def __enter__(self):
        try:
            self.start_postgres()
            self.start_redis()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def start_postgres(self):
        """As Debian sets it up: fsync and synchronous_commit on."""
        binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
        folder = self.folder / "postgresql"
        folder.mkdir()
        user = {}
        if os.getuid() == 0:  # PostgreSQL refuses to run as root
            shutil.chown(folder, "postgres", "postgres")
            user = {"user": "postgres", "group": "postgres", "extra_groups": []}
        with open(self.folder / "postgresql.log", "w") as log:
            options = {"stdout": log, "stderr": log, "stdin": subprocess.DEVNULL, "cwd": folder, **user}
            initdb = [binaries[-1] / "initdb", "-D", folder / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8"]
            subprocess.run([*initdb, "--no-locale"], check=True, timeout=PATIENCE_S, **options)
            serve = [binaries[-1] / "postgres", "-D", folder / "data", "-p", str(self.pg_port), "-k", folder]
            # In a session of its own: Ctrl-C is for the runner, which then ends it.
            self.postgres = subprocess.Popen(
                [*serve, "-c", "listen_addresses=127.0.0.1"], start_new_session=True, **options)
        until(lambda: self.sql("select 1"), psycopg.OperationalError, self.postgres, "PostgreSQL")

    def start_redis(self):
        """One program under several names, of which the second comes in a package that starts no server by itself."""
        program = shutil.which("redis-server") or shutil.which("redis-check-rdb")
        folder = self.folder / "redis"
        folder.mkdir()
        durability = ["--appendonly", "yes", "--appendfsync", "everysec", "--save", ""]
        command = ["redis-server", "--bind", "127.0.0.1", "--port", str(self.redis_port), "--dir", folder, *durability]
        with open(self.folder / "redis.log", "w") as log:
            self.redis_server = subprocess.Popen(command, executable=program, stdout=log, stderr=log,
                                                 stdin=subprocess.DEVNULL, start_new_session=True)
        until(self.redis.ping, redis.ConnectionError, self.redis_server, "Redis")

    def stop(self):
        # A second Ctrl-C must leave neither behind.
        for sign in (signal.SIGINT, signal.SIGTERM):
            signal.signal(sign, signal.SIG_IGN)
        # INT: PostgreSQL cuts off clients that are left.
        for process, gently in ((self.postgres, signal.SIGINT), (self.redis_server, signal.SIGTERM)):
            if process is None:
                continue
            process.send_signal(gently)
            try:
                process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def sql(self, statement):
        with psycopg.connect(self.admin_url, autocommit=True, connect_timeout=5) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchone()[0] if cursor.description else None

    def wipe(self):
        """An empty database, an empty Redis with an empty log, and nothing left to be written by either."""
        self.sql("drop database if exists bench with (force)")
        self.sql("create database bench")
        self.redis.flushall()
        self.redis.bgrewriteaof()
        self.settle()
        while any(self.redis.info("persistence")[f"aof_rewrite_{state}"] for state in ("in_progress", "scheduled")):
            time.sleep(0.02)

    def settle(self):
        self.sql("checkpoint")

    def versions(self):
        return {"postgresql": self.sql("show server_version").split()[0],
                "redis": self.redis.info("server")["redis_version"]}


def until(ready, not_yet, process, name):
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            ready()
            return
        except not_yet as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{name} did not start: {error}") from error
            time.sleep(0.1)

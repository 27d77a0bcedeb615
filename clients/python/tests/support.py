"""The real server as a process of its own, and workers as processes of their own."""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import uuid
from pathlib import Path
from typing import Any, Callable, ClassVar

from jobqueue import JobQueue

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parent
REPOSITORY = PACKAGE.parents[1]
DEADLINE = 60.0
IS_LONG = os.environ.get("JOBQUEUE_TESTS") == "long"


def program() -> Path:
    """The server, as cargo has built it."""
    given = os.environ.get("JOBQUEUE_BINARY")
    target = Path(os.environ.get("CARGO_TARGET_DIR") or REPOSITORY / "target")
    found = Path(given) if given else target / "debug" / "jobqueue"
    if not found.is_file():
        raise RuntimeError(f"there is no server at {found}: run `cargo build`, or name it as JOBQUEUE_BINARY")
    return found


def eventually(what: str, is_so: Callable[[], Any], deadline: float = DEADLINE) -> Any:
    """Tries again until it is so, or the deadline is over; what it was in the end."""
    until = time.monotonic() + deadline
    while True:
        found = is_so()
        if found:
            return found
        if time.monotonic() > until:
            raise AssertionError(f"{what}: not within {deadline:g} s")
        time.sleep(0.01)


class Server:
    """A server on a free port with its data in a folder."""

    def __init__(self, folder: Path, *arguments: str, port: int = 0, **variables: str) -> None:
        self.folder = folder
        self.arguments = arguments
        self.variables = variables
        self.port = port
        self.log: list[str] = []
        self._start()

    def _start(self) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("JOBQUEUE_API")}
        environment.update(LOG_DIR="", JOBQUEUE_FAULTS="1", **self.variables)
        environment.update(services(self.folder))
        self.process = subprocess.Popen(
            [str(program()), "dev", "--log-format", "json", "--port", str(self.port), *self.arguments],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        up: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, args=(self.process, up), daemon=True).start()
        address = up.get(timeout=DEADLINE)
        if address is None:
            raise AssertionError("no start:\n" + "".join(self.log))
        self.port = int(address.rsplit(":", 1)[1])

    def _read(self, process: subprocess.Popen[str], up: queue.Queue[str | None]) -> None:
        assert process.stderr is not None
        with process.stderr:
            for line in process.stderr:
                self.log.append(line)
                try:
                    record = json.loads(line)
                except ValueError:
                    continue
                if record.get("msg") == "jobqueue is up":
                    up.put(record["address"])
        up.put(None)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait()

    def start_again(self) -> None:
        """On the same port, with the same data."""
        self._start()

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class WorkerProcess:
    """`python -m jobqueue worker` as a process of its own."""

    def __init__(self, server: Server, target: str = "tests.tasks:app", *arguments: str, **variables: str) -> None:
        environment = {**os.environ, "JOBQUEUE_URL": server.url, "PYTHONPATH": str(PACKAGE), **variables}
        self.log: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "jobqueue", "worker", target, *arguments],
            cwd=PACKAGE,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        self.log.extend(self.process.stderr)

    def says(self, text: str) -> str:
        """Waits for a line of its log."""

        def found() -> str:
            return next((line for line in list(self.log) if text in line), "")

        try:
            return str(eventually(f"the worker says {text!r}", found))
        except AssertionError as error:
            raise AssertionError(f"{error}:\n{''.join(self.log)}") from None

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait()

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def stop(self) -> int:
        """SIGTERM, and waits for its end; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        code = self.process.wait(DEADLINE)
        self._reader.join(DEADLINE)
        return code

    def clear(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(DEADLINE)
        if self.process.stderr is not None:
            self.process.stderr.close()


class ServerTest(unittest.TestCase):
    """Each class of tests has a server; each test a queue of its own where it needs one."""

    server: Server
    #: Of the server. A worker is not given up for being slow, as all are on a machine that has much to do.
    variables: ClassVar[dict[str, str]] = {"WORKER_HEARTBEAT_INTERVAL": "10"}

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = folder()
        cls.addClassCleanup(shutil.rmtree, cls.folder, True)
        cls.server = Server(cls.folder, **cls.variables)
        cls.addClassCleanup(lambda: cls.server.stop())

    def queue(self, name: str = "default") -> JobQueue:
        made = JobQueue(name, url=self.server.url)
        self.addCleanup(made.close)
        return made

    def worker(self, *arguments: str, target: str = "tests.tasks:app", **variables: str) -> WorkerProcess:
        """One that is registered."""
        made = WorkerProcess(self.server, target, *arguments, **variables)
        self.addCleanup(made.clear)
        made.says("registered as")
        return made


def services(folder: Path) -> dict[str, str]:
    """What `tests/services` has started, if it has: a database and a part of Redis that belong to a folder."""
    found = {}
    store = os.environ.get("JOBQUEUE_TEST_STORE")
    if store:
        place, _ = store.rsplit("/", 1)
        # A later life of the same server finds it there.
        subprocess.run(["psql", "-q", store, "-c", f"CREATE DATABASE {folder.name}"], stderr=subprocess.DEVNULL, check=False)
        found["DATABASE_URL"] = f"{place}/{folder.name}"
    if os.environ.get("JOBQUEUE_TEST_BROKER"):
        found.update(REDIS_URL=os.environ["JOBQUEUE_TEST_BROKER"], REDIS_PREFIX=folder.name)
    return found


def folder() -> Path:
    made = Path(tempfile.gettempdir()) / f"jobqueue_{uuid.uuid4().hex}"  # Its name is that of a database, too.
    made.mkdir()
    return made

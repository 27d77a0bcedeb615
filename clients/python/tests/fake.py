"""A server of remote workers that does what a test says: for what the real one does seldom."""

from __future__ import annotations

import json
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class FakeServer:
    def __init__(self) -> None:
        self.lock = threading.Condition()
        self.ready: list[dict[str, Any]] = []
        self.workers: list[dict[str, Any]] = []
        self.outcomes: dict[str, dict[str, Any]] = {}
        self.heartbeats: list[dict[str, Any]] = []
        self.told: list[tuple[str, Any]] = []
        #: What the next heartbeats hear.
        self.word: dict[str, Any] = {}
        self.is_away = False
        self.dead: set[str] = set()
        self.left: list[str] = []
        self.refuse: set[str] = set()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *_: Any) -> None:
                pass

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if fake.is_away:
                    self.close_connection = True
                    return
                status, told = fake.act(self.command, self.path.removeprefix("/api/v1"), json.loads(body or b"null"))
                text = json.dumps(told).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_POST = do_GET = do_DELETE = answer

        class Threads(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, *_: Any) -> None:
                pass  # Whoever hangs up may.

        self._http = Threads(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def add(self, name: str, *args: Any, **more: Any) -> str:
        """A task that is ready; its lease."""
        lease = uuid.uuid4().hex
        with self.lock:
            self.ready.append({"id": uuid.uuid4().hex, "lease_id": lease, "name": name, "args": list(args), "kwargs": {}, **more})
            self.lock.notify_all()
        return lease

    def act(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        parts = path.strip("/").split("/")
        if parts == ["workers"]:
            self.workers.append(body)
            return 201, {"worker_id": f"w{len(self.workers)}", "heartbeat_every_s": 0.5, "ttl_s": 5, "protocol": 1}
        if parts[0] == "workers" and parts[1] in self.dead:
            return 409, {"code": "worker_dead", "detail": "it is dead", "title": "", "status": 409}
        if method == "DELETE":
            self.left.append(parts[1])
            return 200, None
        if parts[0] == "leases":
            self.told.append((parts[1], {parts[2]: body}))
            return 200, {"cancel": False}
        if parts[2] == "lease":
            return 200, self.lease(parts[1], body)
        return 200, self.heartbeat(body) if parts[2] == "heartbeat" else self.record(body)

    def lease(self, worker: str, body: Any) -> Any:
        until = time.monotonic() + min(1.0, float(body.get("wait", "0s")[:-1]))
        with self.lock:
            while not self.ready and time.monotonic() < until:
                self.lock.wait(0.05)
            if worker in self.dead or worker in self.left:
                return {"data": []}
            taken, self.ready = self.ready[: body["max"]], self.ready[body["max"] :]
        return {"data": taken, "quiet": False}

    def heartbeat(self, body: Any) -> Any:
        self.heartbeats.append(body)
        return {"cancel": [], "cancel_at_once": [], "lost": [], "quiet": False, "stop": False, **self.word}

    def record(self, body: Any) -> Any:
        results = []
        for item in body["outcomes"]:
            lease, lines = item.pop("lease_id"), item.pop("log", None)
            if lines:
                self.told.append((lease, {"log": {"lines": lines}}))
            if lease in self.refuse and "result" in item:
                results.append({"status": 422, "code": "invalid_field", "detail": "too large"})
                continue
            duplicate = lease in self.outcomes
            self.outcomes.setdefault(lease, item)
            results.append({"status": 200, "task_status": "success", "duplicate": duplicate})
        return {"results": results}

"""HTTP for threads: kept connections over http.client."""

from __future__ import annotations

import http.client
import os
import select
import socket
import ssl
import threading
from typing import Any

from ._wire import Call, Endpoint, Reply
from .errors import ConnectionLost, Unreachable

#: Idle connections kept.
MAX_IDLE = 32


class Connection:
    """One connection, for one thread at a time; `abort` may be called by any."""

    def __init__(self, endpoint: Endpoint, timeout: float, context: ssl.SSLContext | None = None) -> None:
        self._endpoint = endpoint
        self._timeout = timeout
        if endpoint.scheme == "https":
            context = context or ssl.create_default_context()
            self._http: http.client.HTTPConnection = http.client.HTTPSConnection(
                endpoint.host, endpoint.port, timeout=timeout, context=context
            )
        else:
            self._http = http.client.HTTPConnection(endpoint.host, endpoint.port, timeout=timeout)
        self._aborted = False

    def exchange(self, call: Call[Any]) -> Reply:
        """Sends one request and reads the answer. A kept connection that the server has closed is opened anew; where that is seen
        only after the request was sent, it is sent again if it may be."""
        kept = self._http.sock is not None
        if kept and self._is_over():
            self.close()
            kept = False
        self._open()
        try:
            return self._once(call)
        except ConnectionLost:
            if not kept or call.method != "GET" or self._aborted:
                raise
        self._open()
        return self._once(call)

    def _open(self) -> None:
        if self._http.sock is not None:
            return
        try:
            self._http.connect()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Unreachable(f"cannot reach {self._endpoint}: {error}") from error
        if self._aborted:
            self.close()
            raise Unreachable("aborted")

    def _once(self, call: Call[Any]) -> Reply:
        body = call.payload()
        try:
            self._http.sock.settimeout(self._timeout + call.wait)
            head = self._endpoint.head(call, len(body))
            self._http.request(call.method, self._endpoint.target(call), body or None, head)
            response = self._http.getresponse()
            headers = {name.lower(): value for name, value in response.getheaders()}
            reply = Reply(response.status, headers, response.read())
        except (OSError, http.client.HTTPException, AttributeError) as error:
            # AttributeError: the socket was taken away by `abort` or `close`.
            self.close()
            what = "no answer in time" if isinstance(error, socket.timeout) else str(error) or type(error).__name__
            raise ConnectionLost(f"{call.method} {self._endpoint.target(call)}: {what}") from error
        except BaseException:
            self.close()  # An answer that is half read would be taken for that of the next request.
            raise
        return reply

    def _is_over(self) -> bool:
        """Something to read without a question: the server's goodbye."""
        poll = select.poll() if hasattr(select, "poll") else None
        if poll is None:
            return bool(select.select([self._http.sock], [], [], 0)[0])
        poll.register(self._http.sock, select.POLLIN)
        return bool(poll.poll(0))

    def abort(self) -> None:
        """Ends what another thread waits for; that one gets `ConnectionLost`. The connection is of no use after it."""
        self._aborted = True
        sock = self._http.sock
        if sock is not None:
            try:
                # Past the TLS layer, which other threads must not touch.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self) -> None:
        self._http.close()


class Pool:
    """Connections for any number of threads: each takes one for a request and puts it back."""

    def __init__(self, endpoint: Endpoint, timeout: float, context: ssl.SSLContext | None = None) -> None:
        self.endpoint = endpoint
        self._timeout = timeout
        if endpoint.scheme == "https" and context is None:
            context = ssl.create_default_context()
        self._context = context
        self._idle: list[Connection] = []
        self._lock = threading.Lock()
        self._pid = os.getpid()

    def connection(self, timeout: float | None = None) -> Connection:
        """One that is nobody else's and is not put back."""
        return Connection(self.endpoint, self._timeout if timeout is None else timeout, self._context)

    def exchange(self, call: Call[Any]) -> Reply:
        connection = self._take()
        reply = connection.exchange(call)
        self._put(connection)
        return reply

    def _take(self) -> Connection:
        if self._pid != os.getpid():
            # After a fork: the connections are the parent's, and the lock may be held for ever.
            self._idle, self._lock, self._pid = [], threading.Lock(), os.getpid()
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return self.connection()

    def _put(self, connection: Connection) -> None:
        with self._lock:
            if len(self._idle) < MAX_IDLE:
                self._idle.append(connection)
                return
        connection.close()

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

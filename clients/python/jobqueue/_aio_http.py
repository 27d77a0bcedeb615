"""HTTP for asyncio: kept connections over streams. A request that is cancelled takes its connection with it."""

from __future__ import annotations

import asyncio
import http.client
import io
import ssl
from typing import Any

from ._wire import Call, Endpoint, Reply
from .errors import ConnectionLost, Unreachable

#: Connections at a time; further calls wait for one.
MAX_CONNECTIONS = 100
#: Longest head of an answer, in bytes.
MAX_HEAD = 64 << 10

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class AsyncPool:
    """Connections of one event loop: the one that runs when it is first used."""

    def __init__(self, endpoint: Endpoint, timeout: float, context: ssl.SSLContext | None = None) -> None:
        self.endpoint = endpoint
        self._timeout = timeout
        if endpoint.scheme == "https" and context is None:
            context = ssl.create_default_context()
        self._context = context
        self._idle: list[Streams] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._places: asyncio.Semaphore

    async def exchange(self, call: Call[Any]) -> Reply:
        self._enter()
        async with self._places:
            streams = self._take()
            kept = streams is not None
            if streams is None:
                streams = await self._open()
            try:
                return await self._within(call, streams)
            except ConnectionLost:
                if not kept or call.method != "GET":
                    raise
            return await self._within(call, await self._open())

    def _enter(self) -> None:
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            # Connections of a loop that is gone cannot be used by this one.
            self._loop, self._idle, self._places = loop, [], asyncio.Semaphore(MAX_CONNECTIONS)

    def _take(self) -> Streams | None:
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof() and not writer.is_closing():
                return reader, writer
            writer.close()
        return None

    async def _open(self) -> Streams:
        opening = asyncio.open_connection(self.endpoint.host, self.endpoint.port, ssl=self._context, limit=MAX_HEAD)
        try:
            return await asyncio.wait_for(opening, self._timeout)
        except (OSError, asyncio.TimeoutError) as error:
            raise Unreachable(f"cannot reach {self.endpoint}: {str(error) or 'no answer in time'}") from error

    async def _within(self, call: Call[Any], streams: Streams) -> Reply:
        """Keeps the connection where the whole answer was read."""
        reader, writer = streams
        whole = False
        try:
            reply, whole = await asyncio.wait_for(self._once(call, reader, writer), self._timeout + call.wait)
            return reply
        except asyncio.TimeoutError as error:
            raise ConnectionLost(f"{call.method} {self.endpoint.target(call)}: no answer in time") from error
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError, http.client.HTTPException) as error:
            raise ConnectionLost(f"{call.method} {self.endpoint.target(call)}: {error}") from error
        finally:
            if whole:
                self._idle.append(streams)
            else:
                writer.close()

    async def _once(self, call: Call[Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[Reply, bool]:
        body = call.payload()
        host = f"[{self.endpoint.host}]" if ":" in self.endpoint.host else self.endpoint.host
        head = {"Host": f"{host}:{self.endpoint.port}", **self.endpoint.head(call, len(body))}
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        writer.write(f"{call.method} {self.endpoint.target(call)} HTTP/1.1\r\n{lines}\r\n".encode("ascii") + body)
        await writer.drain()
        status, headers = parse_head(await reader.readuntil(b"\r\n\r\n"))
        keep = headers.get("connection", "").lower() != "close"
        if status in (204, 304):
            return Reply(status, headers, b""), keep
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return Reply(status, headers, await _chunks(reader)), keep
        if "content-length" in headers:
            return Reply(status, headers, await reader.readexactly(int(headers["content-length"]))), keep
        return Reply(status, headers, await reader.read()), False

    async def close(self) -> None:
        idle, self._idle = self._idle, []
        for _, writer in idle:
            writer.close()


def parse_head(head: bytes) -> tuple[int, dict[str, str]]:
    first, _, rest = head.partition(b"\r\n")
    parts = first.split(None, 2)
    if len(parts) < 2 or not parts[0].startswith(b"HTTP/1."):
        raise ValueError("not an answer in HTTP/1.1")
    message = http.client.parse_headers(io.BytesIO(rest))
    return int(parts[1]), {name.lower(): value for name, value in message.items()}


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    parts = []
    while True:
        size = int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)
        if size == 0:
            break
        parts.append(await reader.readexactly(size))
        await reader.readexactly(2)
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass  # Trailers.
    return b"".join(parts)

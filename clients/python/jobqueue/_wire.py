"""What both clients say to the server: a request as a value, where it goes, and when it is sent again."""

from __future__ import annotations

import email.utils
import json
import os
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urlencode, urlsplit

from .errors import ApiError, ConnectionLost, JobQueueError, UnexpectedAnswer, Unreachable, api_error

T_co = TypeVar("T_co", covariant=True)

VERSION = "0.1.0"
DEFAULT_URL = "http://127.0.0.1:8000"
#: Longest wait asked of the server in one request, in seconds; longer ones are made of several.
LONGEST_WAIT = 30.0
#: Refusals after which certainly nothing has been changed, and which pass.
PASSING = {"busy", "draining", "store_unavailable"}


@dataclass(frozen=True)
class Call(Generic[T_co]):
    """One request, whose answer is of that type."""

    method: str
    #: From `/api/v1` on, with the query.
    path: str
    body: Any = None
    #: For so long the server may hold the answer back, in seconds.
    wait: float = 0.0
    idempotency_key: str | None = None

    @property
    def repeatable(self) -> bool:
        """Carried out twice it is as if once."""
        return self.method in ("GET", "PUT") or self.idempotency_key is not None

    def payload(self) -> bytes:
        if self.body is None:
            return b""
        if isinstance(self.body, bytes):
            return self.body
        return encode(self.body).encode()


def encode(value: Any) -> str:
    """Strict JSON: what could not be read again elsewhere, such as NaN, is refused."""
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


def segment(text: str) -> str:
    """As a part of a path."""
    return quote(str(text), safe="")


def query(path: str, **pairs: Any) -> str:
    """With those that have a value."""
    given = {name: _text(value) for name, value in pairs.items() if value is not None}
    return f"{path}?{urlencode(given)}" if given else path


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(map(str, value)) if isinstance(value, (list, tuple, set)) else str(value)


@dataclass(frozen=True)
class Endpoint:
    """Where the server is and what every request to it carries."""

    scheme: str
    host: str
    port: int
    #: In front of `/api/v1`, for a server behind a proxy.
    prefix: str
    headers: dict[str, str] = field(repr=False)

    @classmethod
    def of(cls, url: str | None, api_key: str | None) -> Endpoint:
        url = url or os.environ.get("JOBQUEUE_URL") or DEFAULT_URL
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError(f"{url!r} is no address of a server: give one such as {DEFAULT_URL}")
        port = parts.port or (443 if parts.scheme == "https" else 80)
        headers = {"Accept": "application/json, application/problem+json", "User-Agent": f"jobqueue-python/{VERSION}"}
        key = api_key or _secret("JOBQUEUE_API_KEY")
        if key:
            if not key.isascii() or not key.isprintable() or " " in key:
                raise ValueError("the API key has characters that a key cannot have")
            headers["Authorization"] = f"Bearer {key}"
        return cls(parts.scheme, parts.hostname, port, parts.path.rstrip("/"), headers)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.prefix}"

    def head(self, call: Call[Any], length: int) -> dict[str, str]:
        headers = dict(self.headers)
        if length or call.method in ("POST", "PUT", "PATCH"):
            headers["Content-Length"] = str(length)
        if length:
            headers["Content-Type"] = "application/json"
        if call.idempotency_key is not None:
            headers["Idempotency-Key"] = call.idempotency_key
        return headers

    def target(self, call: Call[Any]) -> str:
        return f"{self.prefix}/api/v1{call.path}"


def _secret(name: str) -> str | None:
    path = os.environ.get(f"{name}_FILE")
    if path:
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    return os.environ.get(name)


@dataclass(frozen=True)
class Reply:
    status: int
    #: Names in lower case.
    headers: Mapping[str, str]
    body: bytes

    def value(self) -> Any:
        """What was asked for; raises what the server has refused."""
        if 200 <= self.status < 300:
            return self._json() if self.body else None
        retry_after = self.headers.get("retry-after", "")
        problem = self._json() if "json" in self.headers.get("content-type", "") else None
        if not isinstance(problem, dict) or "code" not in problem:
            if self.status in (502, 503, 504):
                raise ConnectionLost(f"HTTP {self.status} from something in front of the server")
            raise UnexpectedAnswer(f"HTTP {self.status} without a problem description: is this a jobqueue server?")
        raise api_error(self.status, problem, _seconds(retry_after))

    def _json(self) -> Any:
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise UnexpectedAnswer(f"HTTP {self.status} whose body is not JSON: {error}") from None


def _seconds(retry_after: str) -> float | None:
    if retry_after.isdigit():
        return float(retry_after)
    date = email.utils.parsedate_to_datetime(retry_after) if retry_after else None
    return max(0.0, date.timestamp() - time.time()) if date else None


class Backoff:
    """Longer each time, never the same: 0.1 s up to `longest`."""

    def __init__(self, longest: float = 2.0) -> None:
        self.longest = longest
        self.failures = 0

    def next(self) -> float:
        self.failures += 1
        return float(min(self.longest, 0.1 * 2 ** min(self.failures - 1, 10)) * random.uniform(0.5, 1.0))

    def reset(self) -> None:
        self.failures = 0


class Patience:
    """How often and for how long one call is tried."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds
        self._backoff = Backoff()

    def pause(self, call: Call[Any], error: JobQueueError) -> float | None:
        """Seconds until the call is to be sent again; `None`: not at all."""
        if not may_repeat(call, error):
            return None
        pause = self._backoff.next()
        if isinstance(error, ApiError) and error.retry_after is not None:
            pause = max(pause, error.retry_after)
        return pause if time.monotonic() + pause < self._until else None


def may_repeat(call: Call[Any], error: JobQueueError) -> bool:
    """It has not been carried out, or may be twice; and it may go well the next time."""
    if isinstance(error, Unreachable):
        return True
    if isinstance(error, ConnectionLost):
        return call.repeatable
    if isinstance(error, ApiError) and error.status == 503:
        return error.code in PASSING or (call.repeatable and error.code != "store_schema")
    return False

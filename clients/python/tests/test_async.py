"""The client for asyncio, against the real server."""

from __future__ import annotations

import asyncio
import unittest
import uuid
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any, Callable

from jobqueue import AsyncClient, Invalid, NotFound, Signature, TaskFailed, Unreachable, WaitTimeout, chord
from jobqueue._aio_http import parse_head

from .support import ServerTest


def run(body: Callable[[AsyncClient], Awaitable[Any]], url: str) -> Any:
    async def whole() -> Any:
        async with AsyncClient(url, retry_for=60) as client:
            return await body(client)

    return asyncio.run(whole())


class AsyncClientTest(ServerTest):
    def run_with(self, body: Callable[[AsyncClient], Awaitable[Any]]) -> Any:
        return run(body, self.server.url)

    def test_many_at_once(self) -> None:
        async def body(client: AsyncClient) -> list[int]:
            async def one(n: int) -> int:
                return int(await (await client.submit("demo.add", [n, 1])).get(timeout=60))

            return await asyncio.gather(*(one(n) for n in range(300)))

        self.assertEqual(self.run_with(body), [n + 1 for n in range(300)])

    def test_a_cancelled_call_takes_its_connection_with_it(self) -> None:
        async def body(client: AsyncClient) -> None:
            task = await client.submit("demo.echo", delay="1h")
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(client.wait(task), 0.3)
            # The answer that nobody has waited for is not taken for that of another.
            self.assertEqual((await client.get(task)).id, task.id)
            with self.assertRaises(WaitTimeout):
                await task.get(timeout=timedelta(milliseconds=100))
            self.assertEqual((await task.cancel())["status"], "cancelled")

        self.run_with(body)

    def test_everything_else(self) -> None:
        async def body(client: AsyncClient) -> None:
            ids = await client.submit_many(Signature("demo.add", [n, 1], options={"queue": "a"}) for n in range(1500))
            self.assertEqual(await client.result(ids[-1], timeout=60), 1500)
            self.assertEqual({task.id async for task in client.iterate(queue="a", limit=200)}, set(ids))
            failed = await client.submit("demo.fail", ["x"], max_retries=0)
            with self.assertRaises(TaskFailed):
                await failed.get(60)
            await (await failed.retry()).wait(60)
            self.assertEqual(len(await client.attempts(failed)), 2)
            with self.assertRaises(Invalid):
                await client.submit("demo.echo", priority=77)
            with self.assertRaises(NotFound):
                await client.get(str(uuid.uuid4()))
            flow = await client.submit_workflow(chord([Signature("demo.add", [1, 2])], "demo.echo"))
            self.assertEqual((await flow.wait(60)).state, "success")
            self.assertEqual((await flow.results())["0"], 3)
            self.assertEqual((await client.pause_queue("a"))["paused"], True)
            await client.set_schedule("s", "demo.echo", every="1h")
            await client.delete_schedule("s")

        self.run_with(body)

    def test_it_can_be_used_by_one_loop_after_the_other(self) -> None:
        client = AsyncClient(self.server.url)

        async def once() -> Any:
            return (await client.submit("demo.add", [1, 2], wait="30s")).result

        self.assertEqual([asyncio.run(once()), asyncio.run(once())], [3, 3])

    def test_nobody_there(self) -> None:
        async def body() -> None:
            with self.assertRaises(Unreachable):
                await AsyncClient("http://127.0.0.1:9", retry_for=0).get("x")

        asyncio.run(body())

    def test_a_kill_of_the_server_is_outlived(self) -> None:
        async def body(client: AsyncClient) -> Any:
            task = await client.submit("demo.sleep", [1])
            waiting = asyncio.ensure_future(client.wait(task, timeout=60))
            await asyncio.sleep(0.1)
            self.server.kill()
            self.server.start_again()
            return (await waiting).status

        self.assertEqual(self.run_with(body), "success")


class Heads(unittest.TestCase):
    def test_what_is_no_answer_is_refused(self) -> None:
        self.assertEqual(parse_head(b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n"), (200, {"a": "b"}))
        for head in (b"\r\n\r\n", b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 x\r\n\r\n"):
            with self.assertRaises(ValueError):
                parse_head(head)

"""HTTP/1.1 as servers speak it, and as they should not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress

import pytest

from brood.loadgen.http.connection import Response
from brood.loadgen.http.own import OwnHttp, error_of
from brood.loadgen.http.pool import Pool
from brood.loadgen.http.way import HttpWay, Listener
from brood.loadgen.orders import Order
from brood.loadgen.outcome import BROKEN_OFF, WRONG, Failed

REQUEST = b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n"
GOOD = b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"
LAST = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello"
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Script:
    """A server that answers each request with the next of some bytes."""

    def __init__(self, answers: Sequence[bytes]) -> None:
        self.answers, self.connections = list(answers), 0
        self.heads: list[bytes] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while True:
            self.heads.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(self.answers.pop(0))


@asynccontextmanager
async def pool_to(handler: Handler, most: int = 8) -> AsyncIterator[Pool]:
    handling = set[asyncio.Task[None]]()

    async def handled(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        handling.add(task)
        with suppress(OSError, asyncio.IncompleteReadError):
            await handler(reader, writer)
        writer.close()

    server = await asyncio.start_server(handled, "127.0.0.1", 0)
    pool = Pool("127.0.0.1", server.sockets[0].getsockname()[1], None, most)
    yield pool
    pool.close()
    server.close()
    await server.wait_closed()
    await asyncio.gather(*handling)


async def ask(pool: Pool, heard: Callable[[bytes], None] | None = None) -> Response:
    connection = await pool.take()
    try:
        return await connection.exchange(REQUEST, heard)
    finally:
        pool.give(connection)


async def test_a_connection_is_used_again() -> None:
    script = Script([GOOD, CHUNKED, GOOD])
    async with pool_to(script) as pool:
        found = [await ask(pool) for _ in range(3)]
    assert [response.body for response in found] == [b"hello"] * 3
    assert found[0].headers == {b"content-type": b"a/b", b"content-length": b"5"}
    assert script.connections == 1


async def test_a_server_that_closes_gets_another_connection() -> None:
    script = Script([LAST, GOOD])
    async with pool_to(script) as pool:
        assert [(await ask(pool)).body for _ in range(2)] == [b"hello"] * 2
    assert script.connections == 2


@pytest.mark.parametrize("sent", [b"", GOOD[:-2], CHUNKED[:-9], b"HTTP/1.1 200"])
async def test_an_answer_without_an_end_is_told(sent: bytes) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(sent)

    async with pool_to(handler) as pool:
        with pytest.raises(Failed, match="the connection ended") as caught:
            await ask(pool)
    assert caught.value.code == BROKEN_OFF


@pytest.mark.parametrize(
    "interim", [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n"]
)
async def test_interim_answers_are_passed_over(interim: bytes) -> None:
    async with pool_to(Script([interim + GOOD, interim + CHUNKED])) as pool:
        found = [await ask(pool) for _ in range(2)]
    assert [(each.status, each.body, b"link" in each.headers) for each in found] == [(200, b"hello", False)] * 2


async def test_what_is_no_http_is_told() -> None:
    async with pool_to(Script([b"SSH-2.0-x\r\n\r\n", GOOD])) as pool:
        with pytest.raises(Failed, match="no HTTP"):
            await ask(pool)
        assert (await ask(pool)).body == b"hello"


@pytest.mark.parametrize("more", [b"and more\r\n", GOOD])
async def test_more_than_an_answer_is_a_wrong_one(more: bytes) -> None:
    async with pool_to(Script([GOOD + more, GOOD])) as pool:
        with pytest.raises(Failed, match="more") as caught:
            await ask(pool)
        assert caught.value.code == WRONG
        assert (await ask(pool)).body == b"hello"


async def test_who_speaks_unasked_is_left() -> None:
    script = Script([GOOD + b"HTTP/1.1 200 OK\r\n", GOOD])
    async with pool_to(script) as pool:
        assert (await ask(pool)).body == b"hello"
        kept = await pool.take()
        with pytest.raises(Failed):
            await kept.exchange(REQUEST)
        pool.give(kept)


async def test_who_stops_waiting_leaves_the_connection() -> None:
    silent = Script([b""])
    async with pool_to(silent) as pool:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await ask(pool)
        connection = await pool.take()
        assert connection.usable
        pool.give(connection)
    assert silent.connections == 2


async def test_requests_beyond_the_most_wait_for_their_turn() -> None:
    running, most_running = 0, 0

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal running, most_running
        while True:
            await reader.readuntil(b"\r\n\r\n")
            running += 1
            most_running = max(most_running, running)
            await asyncio.sleep(0)
            running -= 1
            writer.write(GOOD)

    async with pool_to(handler, most=2) as pool:
        found = await asyncio.gather(*[ask(pool) for _ in range(20)])
    assert len(found) == 20
    assert most_running <= 2


async def test_pieces_are_heard_as_they_come() -> None:
    pieces: list[bytes] = []
    async with pool_to(Script([CHUNKED])) as pool:
        await ask(pool, pieces.append)
    assert pieces == [b"hel", b"lo"]


def test_marks_are_found_across_pieces() -> None:
    times = iter([1.0, 2.0])
    listener = Listener((b"event: preview\n", b"event: sample\n"), lambda: next(times))
    for piece in (
        b"event: acc",
        b"epted\n\nevent: pre",
        b"view\ndata: 1\n\nevent: samp",
        b"le\ndata",
        b"event: sample\n",
    ):
        listener(piece)
    assert listener.at == [1.0, 2.0]


async def test_errors_of_servers_that_are_not_ours() -> None:
    async with pool_to(Script([b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 4\r\n\r\n<h1>"])) as pool:
        way = HttpWay(pool, "host", {}, OwnHttp(), time.monotonic)
        with pytest.raises(Failed) as caught:
            await way.send(Order("m"), 7)
    assert (caught.value.code, caught.value.message) == ("http_502", "<h1>")
    assert str(error_of(Response(500, {}, b'{"error": "no"}'))) == "http_500: no"


async def test_the_head_of_a_request() -> None:
    script = Script([GOOD])
    async with pool_to(script) as pool:
        way = HttpWay(pool, "example:80", {"Authorization": "Bearer key"}, OwnHttp(), time.monotonic)
        with pytest.raises(Failed, match="wrong_answer: a/b instead of application/json"):
            await way.send(Order("m"), 7)
    head, *lines = script.heads[0].decode().splitlines()
    assert head == "POST /v1/generations HTTP/1.1"
    assert {"Host: example:80", "Authorization: Bearer key", "Accept: application/json"} < set(lines)

from __future__ import annotations

import asyncio

import pytest
from starlette.types import Message

from brood.frontends.http.disconnect import until_disconnect
from brood.protocol.errors import Cancelled


class Caller:
    """Somebody at the other end, who may leave."""

    def __init__(self) -> None:
        self.left = asyncio.Event()
        self.watched = asyncio.Event()

    async def receive(self) -> Message:
        self.watched.set()
        await self.left.wait()
        return {"type": "http.disconnect"}


async def test_leaving_ends_the_work() -> None:
    caller = Caller()
    caller.left.set()
    with pytest.raises(Cancelled), until_disconnect(caller.receive):
        await asyncio.Event().wait()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await asyncio.sleep(0)  # the task goes on as if nothing had been


async def test_short_work_is_not_watched() -> None:
    caller = Caller()
    with until_disconnect(caller.receive):
        await asyncio.sleep(0)
    assert not caller.watched.is_set()


async def test_work_that_ends_first_is_done() -> None:
    caller = Caller()
    with until_disconnect(caller.receive):
        await caller.watched.wait()
    caller.left.set()
    await asyncio.sleep(0)


async def test_somebody_elses_cancellation_passes() -> None:
    caller = Caller()

    async def work() -> None:
        with until_disconnect(caller.receive):
            await asyncio.Event().wait()

    task = asyncio.ensure_future(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_errors_of_the_work_pass() -> None:
    with pytest.raises(ZeroDivisionError), until_disconnect(Caller().receive):
        raise ZeroDivisionError

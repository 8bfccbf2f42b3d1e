"""The client for asyncio: what is its own. The verbs are those of the blocking client, which is made of it."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from brood_client import AsyncClient, InvalidArgument, Sample
from helpers.sdk import Service

PATIENCE_S = 5.0


async def ended(service: Service) -> str:
    """Id of the next generation whose work ends."""
    return await asyncio.wait_for(service.backend.ended.get(), PATIENCE_S)


async def test_many_at_once(service: Service) -> None:
    made = await asyncio.gather(*(service.aclient.generate("tiny", seed=seed) for seed in range(8)))
    assert [each.seed for each in made] == list(range(8))
    blocking = await service.call(lambda client: client.generate("tiny", seed=3))
    np.testing.assert_array_equal(made[3].array, blocking.array)


async def test_samples_come_as_they_finish(service: Service) -> None:
    async with service.aclient.stream("tiny", n=3, seed=7) as stream:
        indices = [event.index async for event in stream if isinstance(event, Sample)]
    assert indices == [2, 1, 0]
    assert [sample.index for sample in await stream.result()] == [0, 1, 2]


async def test_a_loop_that_is_left_cancels_on_the_server(service: Service) -> None:
    service.backend.held = asyncio.Event()
    async for event in service.aclient.stream("tiny", n=4):
        if isinstance(event, Sample):
            break
    assert await ended(service) == service.backend.submitted[0].request_id


async def test_a_cancelled_task_cancels_on_the_server(service: Service) -> None:
    service.backend.held = asyncio.Event()
    for waiting in (service.aclient.generate("tiny", n=4), service.aclient.stream("tiny", n=4).result()):
        task = asyncio.ensure_future(waiting)
        started = await asyncio.wait_for(service.backend.started.get(), PATIENCE_S)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await ended(service) == started


async def test_errors_are_the_same(service: Service) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await service.aclient.generate("tiny", params={"label": 11})
    assert caught.value.field == "params.label"
    assert f"request id: {caught.value.request_id}" in caught.value.__notes__


async def test_a_client_may_be_made_before_there_is_a_loop(service: Service) -> None:
    client = await asyncio.to_thread(AsyncClient, service.url)
    async with client:
        assert len(await client.models()) == 4
    assert repr(client) == f"AsyncClient('{service.url}')"


async def test_one_connection_serves_one_after_the_other(service: Service) -> None:
    for seed in range(3):
        await service.aclient.stream("tiny", n=2, seed=seed).result()
        await service.aclient.generate("tiny", seed=seed)
    assert service.line.connections == 1

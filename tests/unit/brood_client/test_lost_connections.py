"""What the client does when the line is cut, the server is busy, or nobody is there."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from brood.protocol import errors
from brood_client import Accepted, AsyncClient, Done, Overloaded, Sample, Unreachable
from helpers.ends import Gate
from helpers.sdk import Service

PATIENCE_S = 5.0


async def cut_after_the_first_sample(service: Service, gate: Gate) -> None:
    """Hold a generation before its second sample, cut the line, and let go."""
    await asyncio.wait_for(gate.reached.wait(), PATIENCE_S)
    await service.first_sample.wait()
    service.line.cut()
    await asyncio.wait_for(service.backend.ended.get(), PATIENCE_S)
    gate.set()


async def test_a_stream_goes_on_with_what_is_missing(service: Service) -> None:
    gate = service.backend.held = Gate()
    cutting = asyncio.create_task(cut_after_the_first_sample(service, gate))
    happened = []
    async for event in service.aclient.stream("tiny", n=4, index=10, params={"label": 3}):
        happened.append(event)
        if isinstance(event, Sample):
            service.first_sample.set()
    await cutting
    first, second = service.backend.submitted
    assert (first.index, first.n) == (10, 4)
    assert (second.index, second.n, second.seed, second.version) == (10, 3, first.seed, first.version)
    samples = [event for event in happened if isinstance(event, Sample)]
    assert sorted(sample.index for sample in samples) == [10, 11, 12, 13]
    assert [type(event) for event in happened if isinstance(event, Accepted | Done)] == [Accepted, Done]
    whole = await service.aclient.generate("tiny", n=4, index=10, params={"label": 3}, seed=first.seed)
    assert sorted(samples, key=lambda sample: sample.index) == list(whole.samples)


async def test_inputs_of_what_is_missing(service: Service) -> None:
    gate = service.backend.held = Gate()
    cutting = asyncio.create_task(cut_after_the_first_sample(service, gate))
    pictures = np.linspace(-1, 1, 3 * 28 * 28).reshape(3, 1, 28, 28).astype(np.float32)
    stream = service.aclient.stream("tiny", operation="reconstruct", n=3, inputs={"image": pictures})
    async for event in stream:
        if isinstance(event, Sample):
            service.first_sample.set()
    await cutting
    np.testing.assert_array_equal(service.backend.submitted[1].inputs["image"], pictures[:2])
    assert len(await stream.result()) == 3


async def test_a_whole_answer_is_asked_for_again(service: Service) -> None:
    gate = service.backend.held = Gate()
    service.first_sample.set()
    cutting = asyncio.create_task(cut_after_the_first_sample(service, gate))
    made = await service.aclient.generate("tiny", n=2)
    await cutting
    first, second = service.backend.submitted
    assert first.seed == second.seed == made.seed
    assert [sample.index for sample in made] == [0, 1]


async def test_a_server_that_stays_away(service: Service) -> None:
    service.line.refusing = True
    async with AsyncClient(service.url, retries=2) as client:
        with pytest.raises(Unreachable, match=f"^{service.url}: "):
            await client.generate("tiny")
        with pytest.raises(Unreachable):
            await client.stream("tiny").result()
    assert service.line.connections >= 1
    assert service.backend.submitted == []


async def test_a_full_queue_is_tried_again_until_it_has_room(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    async def room_meanwhile(seconds: float) -> None:
        waits.append(seconds)
        service.backend.refusal = None

    monkeypatch.setattr("brood_client._async.client.apause", room_meanwhile)
    service.backend.refusal = errors.Overloaded("full", retry_after_s=3.0)
    await service.aclient.generate("tiny")
    service.backend.refusal = errors.Overloaded("full", retry_after_s=2.0)
    await service.aclient.stream("tiny").result()
    assert [int(wait) for wait in waits] == [3, 2]


async def test_no_retries_when_none_are_wanted(service: Service) -> None:
    service.backend.refusal = errors.Overloaded("full", retry_after_s=0.001)
    async with AsyncClient(service.url, retries=0) as client:
        with pytest.raises(Overloaded):
            await client.generate("tiny")


async def test_no_waiting_beyond_the_timeout(service: Service) -> None:
    service.backend.refusal = errors.Overloaded("full", retry_after_s=20.0)
    with pytest.raises(Overloaded):
        await service.aclient.generate("tiny", timeout_s=10.0)

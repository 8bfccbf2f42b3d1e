"""Real hosts behind real links: what is lost with one comes from another, bit for bit the same."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing
from pathlib import Path

import numpy as np
import pytest

from brood.host.host import Host, HostOptions
from brood.host.loading import load_model
from brood.protocol.events import Accepted, Done, Event, Sample
from brood.protocol.requests import Generation
from brood.remote import OperationCost, RemoteBackend
from brood.runtimes.base import RuntimeOptions
from brood.store.store import read_bundle
from helpers.bundles import steps_bundle
from helpers.engine import generation, oracle
from helpers.quiet import Quiet
from helpers.workers import Worker, ingress, until, working

COSTS = {("steps", 1): {"generate": OperationCost(0.0, 1e-3, 4)}}
STEPS, ROWS = 50, 64


class Fleet:
    """Hosts of one model, and a backend over them."""

    def __init__(self, directory: Path, backend: RemoteBackend, workers: list[Worker]) -> None:
        self.directory, self.backend, self.workers = directory, backend, workers
        self._model = load_model(read_bundle(directory), RuntimeOptions(1)).engine

    def request(self, request_id: str, **words: object) -> Generation:
        return generation(self._model, request_id, n=ROWS, steps=STEPS, words=words)

    def check(self, request: Generation, events: list[Event]) -> None:
        """All is there, once, and as it should be."""
        assert isinstance(events[0], Accepted)
        assert events[0].determinism == "exact"
        assert isinstance(events[-1], Done)
        assert events[-1].usage.rows == ROWS
        samples = sorted((event for event in events if isinstance(event, Sample)), key=lambda sample: sample.index)
        assert [sample.index for sample in samples] == list(range(ROWS))
        for sample in samples[:: ROWS // 4]:
            assert np.array_equal(sample.outputs["image"], oracle(self.directory, request, sample.index)["image"])


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Fleet]:
    directory = steps_bundle(tmp_path)
    async with AsyncExitStack() as stack:
        workers = []
        for name in "abc":
            host = Host(HostOptions(models=tmp_path), Quiet())
            await host.start()
            stack.push_async_callback(host.stop)
            workers.append(await stack.enter_async_context(working(Worker(name, host, host.models, COSTS))))
        yield Fleet(directory, await stack.enter_async_context(ingress(*workers)), workers)


async def test_a_request_is_cut_over_workers_and_comes_as_one(fleet: Fleet) -> None:
    request = fleet.request("a", progress_every=10)
    stream = fleet.backend.submit(request)
    assert [view.chunks for view in fleet.backend.workers().values()] == [1, 1, 1]
    fleet.check(request, [event async for event in stream])
    assert fleet.backend.tally.resubmitted_rows == 0


@pytest.mark.parametrize("dying", [["a"], ["b", "c"]])
async def test_dead_workers_are_not_noticed(fleet: Fleet, dying: list[str]) -> None:
    requests = [fleet.request(str(number)) for number in range(3)]
    streams = [fleet.backend.submit(request) for request in requests]
    events: list[list[Event]] = [[await anext(stream), await anext(stream)] for stream in streams]
    for worker in fleet.workers:
        if worker.worker_id in dying:
            worker.kill()
    for request, stream, seen in zip(requests, streams, events, strict=True):
        fleet.check(request, seen + [event async for event in stream])
    assert fleet.backend.tally.lost_workers == len(dying)
    assert fleet.backend.tally.resubmitted_rows > 0


async def test_a_worker_that_comes_back_is_used_again(fleet: Fleet) -> None:
    victim = fleet.workers[0]
    async with aclosing(fleet.backend.submit(fleet.request("one"))) as stream:
        await anext(stream)
        victim.kill()
        await until(lambda: fleet.backend.workers()["a"].status is None)
        await until(lambda: victim.server.running == 0)  # what was unfinished there has been cancelled
        victim.revive()
        await until(lambda: fleet.backend.workers()["a"].status is not None)
    request = fleet.request("other")
    other = fleet.backend.submit(request)
    assert fleet.backend.workers()["a"].chunks == 1
    fleet.check(request, [event async for event in other])

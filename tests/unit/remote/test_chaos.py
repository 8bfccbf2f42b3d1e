"""Workers die one after another under load: every request gets all its samples, each once, bit for bit the same."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, aclosing
from pathlib import Path

import numpy as np

from brood.host.host import Host, HostOptions
from brood.host.loading import load_model
from brood.protocol.events import Done, Sample
from brood.protocol.requests import Generation
from brood.remote import OperationCost
from brood.runtimes.base import RuntimeOptions
from brood.store.store import read_bundle
from helpers.bundles import steps_bundle
from helpers.engine import generation
from helpers.quiet import Quiet
from helpers.workers import Worker, ingress, working

COSTS = {("steps", 1): {"generate": OperationCost(0.0, 1e-3, 4)}}
REQUESTS, ROWS, STEPS, AT_ONCE = 60, 12, 20, 6
DEATH_EVERY = 150  # samples


class Reaper:
    """Ends a worker after every so many samples, and lets the last one come back."""

    def __init__(self, workers: list[Worker]) -> None:
        self._workers, self._samples, self.deaths = workers, 0, 0

    def sample(self) -> None:
        self._samples += 1
        if self._samples % DEATH_EVERY == 0:
            self._workers[self.deaths % len(self._workers)].revive()
            self.deaths += 1
            self._workers[self.deaths % len(self._workers)].kill()


async def samples_of(host: Host, request: Generation) -> dict[int, np.ndarray]:
    """From a host that nothing happens to."""
    return {event.index: event.outputs["image"] async for event in host.submit(request) if isinstance(event, Sample)}


async def test_nobody_notices(tmp_path: Path) -> None:
    model = load_model(read_bundle(steps_bundle(tmp_path)), RuntimeOptions(1)).engine
    requests = [generation(model, str(seed), n=ROWS, steps=STEPS, seed=seed) for seed in range(REQUESTS)]
    async with AsyncExitStack() as stack:
        workers = list[Worker]()
        for name in "abc":
            host = Host(HostOptions(models=tmp_path), Quiet())
            await host.start()
            stack.push_async_callback(host.stop)
            workers.append(await stack.enter_async_context(working(Worker(name, host, host.models, COSTS))))
        wanted = [await samples_of(host, request) for request in requests]
        backend, reaper = await stack.enter_async_context(ingress(*workers)), Reaper(workers)
        backend.expect(backend.models())
        room = asyncio.Semaphore(AT_ONCE)

        async def one(request: Generation) -> dict[int, np.ndarray]:
            found: dict[int, np.ndarray] = {}
            async with room, aclosing(backend.submit(request)) as events:
                async for event in events:
                    if isinstance(event, Sample):
                        assert event.index not in found
                        found[event.index] = event.outputs["image"]
                        reaper.sample()
            assert isinstance(event, Done)
            return found

        for found, expected in zip(await asyncio.gather(*map(one, requests)), wanted, strict=True):
            assert found.keys() == expected.keys()
            assert all(np.array_equal(found[index], expected[index]) for index in expected)
        assert reaper.deaths == REQUESTS * ROWS // DEATH_EVERY
        assert backend.tally.resubmitted_rows > 0

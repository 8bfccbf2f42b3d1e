"""The scenarios over workers behind real links: the same samples and errors as from a backend in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from brood.dataplane import DataPlane, Limits
from brood.protocol.errors import BroodError
from brood.remote import OperationCost
from contract.scenarios import BAD, GOOD, STREAMED, Scenario
from contract.test_dataplane import check_refusal, check_samples, collect, stream
from contract.words import words_of
from helpers.backend import GUARANTEES, FakeBackend
from helpers.observer import FakeObserver
from helpers.workers import Worker, ingress, working

# So slow that every request of several samples is cut.
COSTS = {("tiny", version): {name: OperationCost(1.0) for name in GUARANTEES} for version in (1, 2)}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def plane() -> AsyncIterator[DataPlane]:
    backends = FakeBackend(), FakeBackend()
    one, other = (Worker(name, each, each.models, COSTS) for name, each in zip("ab", backends, strict=True))
    async with working(one), working(other), ingress(one, other) as backend:
        plane = DataPlane(backend, Limits(), FakeObserver())
        yield plane
        plane.close()


@pytest.mark.asyncio(loop_scope="module")
class TestRemote:
    """One pair of workers serves all scenarios."""

    @pytest.mark.parametrize("scenario", GOOD, ids=lambda scenario: scenario.name)
    async def test_good(self, plane: DataPlane, scenario: Scenario) -> None:
        check_samples(scenario, await collect(plane, scenario))

    @pytest.mark.parametrize("scenario", GOOD + STREAMED, ids=lambda scenario: scenario.name)
    async def test_good_as_a_stream(self, plane: DataPlane, scenario: Scenario) -> None:
        check_samples(scenario, await stream(plane, scenario))

    @pytest.mark.parametrize("scenario", BAD + STREAMED, ids=lambda scenario: scenario.name)
    async def test_bad(self, plane: DataPlane, scenario: Scenario) -> None:
        with pytest.raises(BroodError) as caught:
            await collect(plane, scenario)
        check_refusal(scenario, caught.value)
        local = DataPlane(FakeBackend(), Limits(), FakeObserver())
        here = await words_of(local, scenario.request)
        local.close()
        if not scenario.json_only:
            # Several workers also say where a model failed to load.
            assert caught.value.message.replace("at a, b: ", "") == here.message

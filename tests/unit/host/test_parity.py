"""Golden samples are made again while a model serves, and a difference is told."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from brood.host import parity
from brood.host.examples import Example
from brood.host.host import Host, HostOptions
from brood.host.parity import drift, watch_parity
from brood.protocol.models import ModelStatus
from helpers.bundles import once_bundle, steps_bundle

Told = tuple[str, int, float]


class Quiet:
    """Observes nothing."""

    def stepped(
        self, model: str, graph: str, rows: int, bucket: int, calls: int, seconds: float, error: float
    ) -> None: ...

    def queued(self, rows: int, backlog_s: float) -> None: ...

    def wasted(self, seconds: float) -> None: ...


class OtherGolden(Host):
    """As if the original model had given something else, by so much."""

    off = 0.0
    tolerance = 0.5

    def examples(self, name: str, version: int) -> list[Example]:
        return [self._moved(example) for example in super().examples(name, version)]

    def _moved(self, example: Example) -> Example:
        assert example.golden is not None
        outputs = {name: np.asarray(value) + self.off for name, value in example.golden.outputs.items()}
        words = example.golden.words.model_copy(update={"tolerance": self.tolerance})
        return replace(example, golden=replace(example.golden, words=words, outputs=outputs))


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[OtherGolden]:
    steps_bundle(tmp_path)
    once_bundle(tmp_path)
    found = OtherGolden(HostOptions(models=tmp_path), Quiet())
    await found.start()
    yield found
    await found.stop()


@pytest.mark.parametrize(
    ("off", "tolerance", "told"), [(0.0, 0.5, 0.0), (0.125, 0.5, 0.25), (1.0, 0.5, 2.0), (1.0, 0.0, math.inf)]
)
async def test_drift_is_told_in_parts_of_the_tolerance(
    host: OtherGolden, off: float, tolerance: float, told: float
) -> None:
    host.off, host.tolerance = off, tolerance
    for status in host.models():
        assert await drift(host, status) == pytest.approx(told, abs=1e-3)


async def test_what_is_not_a_number_is_as_far_off_as_can_be(host: OtherGolden) -> None:
    host.off = math.nan
    assert await drift(host, host.models()[0]) == math.inf


async def test_a_version_that_cannot_be_asked_tells_nothing(host: OtherGolden) -> None:
    assert await drift(host, ModelStatus("none", 1, "ready")) is None


async def test_all_ready_models_are_asked_in_turn(host: OtherGolden) -> None:
    told: list[Told] = []
    twice = asyncio.Event()

    def tell(name: str, version: int, found: float) -> None:
        told.append((name, version, found))
        if len(told) == 4:
            twice.set()

    task = asyncio.create_task(watch_parity(host, 0.0, tell))
    await asyncio.wait_for(twice.wait(), 20)
    task.cancel()
    assert [name for name, _, _ in told[:4]] == ["once", "steps"] * 2
    assert parity.TENANT

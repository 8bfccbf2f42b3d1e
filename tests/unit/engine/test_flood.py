"""Floods of random requests, some cancelled, some poisoned: the survivors are bit for bit what rows give alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from brood.engine.admission import Admission
from brood.engine.model import EngineModel
from brood.program import compile_program, run_row
from brood.protocol.errors import BroodError, Overloaded, RowFailed, RuntimeFailed
from brood.protocol.events import Done, Failed, Preview, Progress
from brood.protocol.requests import Generation
from brood.runtimes.base import RuntimeOptions
from brood.runtimes.load import load_graphs
from brood.store.store import read_bundle
from helpers.bundles import once_bundle, steps_bundle
from helpers.denoisers import denoiser_bundle
from helpers.endings import ending_bundle
from helpers.engine import Driver, engine_model, generation
from helpers.prompted import PROMPT, prompted_bundle

SAMPLERS = ("ddim", "ddpm", "euler", "euler-ancestral", "dpmpp-2m")


class Flood:
    """Makes random requests of five models."""

    def __init__(self, root: Path, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        fails = {"input": "label", "equals": 9}
        self.directories = {
            "once": once_bundle(root, fails_on=fails),
            "steps": steps_bundle(root),
            "denoiser": denoiser_bundle(root, fails_on=fails),
            "ending": ending_bundle(root),
            "prompted": prompted_bundle(root, fails_on={"input": "prompt", "equals": 9}),
        }
        self.models = {name: _partly_exact(engine_model(path, capacity=12)) for name, path in self.directories.items()}

    def request(self, number: int) -> tuple[EngineModel, Generation]:
        """One of them: model and request."""
        rng, name = self.rng, list(self.models)[number % len(self.models)]
        words: dict[str, Any] = {
            "n": int(rng.integers(1, 9)),
            "seed": int(rng.integers(2**62)),
            "index": number,
            "words": {
                "priority": str(rng.choice(["interactive", "bulk"])),
                "tenant": str(rng.integers(3)),
                "exact": bool(rng.integers(2)),
                "preview_every": 2 if name == "denoiser" and rng.integers(2) else None,
                "progress_every": 3 if rng.integers(3) == 0 else None,
            },
            **getattr(self, f"_{name}")(),
        }
        if "inputs" in words:
            words["inputs"] = {"image": rng.uniform(-1, 1, (words["n"], 1, 4, 4)).astype(np.float32)}
        if name == "prompted":
            words["inputs"] = {"prompt": np.broadcast_to(rng.integers(0, 10, PROMPT), (words["n"], PROMPT))}
        return self.models[name], generation(self.models[name], str(number), **words)

    def _once(self) -> Mapping[str, Any]:
        poison = self.rng.integers(8)
        return {"label": 9 if poison == 0 else int(self.rng.integers(9)), "scale": 1.5e38 if poison == 1 else 0.25}

    def _steps(self) -> Mapping[str, Any]:
        words = {"steps": int(self.rng.integers(1, 12)), "temperature": float(self.rng.uniform(0.5, 3))}
        return {**words, "operation": "complete", "inputs": {}} if self.rng.integers(3) == 0 else words

    def _ending(self) -> Mapping[str, Any]:
        return {"steps": int(self.rng.integers(1, 20)), "limit": float(self.rng.choice([0.0, 1.0, 3.0, 1e3]))}

    _prompted = _ending

    def _denoiser(self) -> Mapping[str, Any]:
        words = {
            "steps": int(self.rng.integers(1, 12)),
            "sampler": str(self.rng.choice(SAMPLERS)),
            "guidance": float(self.rng.choice([1.0, 2.0, 4.0])),
            "guidance_stop": float(self.rng.choice([0.5, 1.0])),
            "label": 9 if self.rng.integers(8) == 0 else int(self.rng.integers(9)),
        }
        varies = {"operation": "vary", "inputs": {}, "strength": float(self.rng.uniform(0.2, 1.0))}
        return words | varies if self.rng.integers(3) == 0 else words


def _partly_exact(model: EngineModel) -> EngineModel:
    """The model, certified at all buckets but 1."""
    graphs = next(iter(model.programs.values())).manifest.graphs
    return replace(model, exact={name: frozenset(graph.buckets) - {1} for name, graph in graphs.items()})


def alone(directory: Path, request: Generation) -> list[dict[str, np.ndarray] | BroodError]:
    """What each row of a request gives by itself."""
    bundle = read_bundle(directory)
    graphs = load_graphs(bundle.directory, bundle.manifest, RuntimeOptions(1))
    program = compile_program(bundle.manifest, request.operation)
    found: list[dict[str, np.ndarray] | BroodError] = []
    for position in range(request.n):
        inputs = {name: value[position] for name, value in request.inputs.items()}
        index = request.index + position
        try:
            found.append(run_row(program, graphs, seed=request.seed, index=index, params=request.params, inputs=inputs))
        except (RowFailed, RuntimeFailed) as error:
            found.append(error)
    return found


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_survivors_of_a_flood_are_what_they_are_alone(tmp_path: Path, seed: int) -> None:
    flood, driver = Flood(tmp_path, seed), Driver()
    requests: dict[str, tuple[EngineModel, Generation]] = {}
    cancelled = set[str]()
    for number in range(100):
        model, request = flood.request(number)
        requests[request.request_id] = model, request
        driver.submit(model, request)
        if number % 9 == 4:
            gone = str(flood.rng.integers(number + 1))
            for request_id, event in driver.scheduler.cancel(gone):
                driver.told.setdefault(request_id, []).append(event)
                cancelled.add(request_id)
        await driver.step()
    await driver.run()
    survivors = failed = 0
    for request_id, (model, request) in requests.items():
        ending = driver.ending(request_id)
        if request_id in cancelled:
            assert isinstance(ending, Failed)
            continue
        rows = alone(flood.directories[model.name], request)
        if isinstance(ending, Failed):
            assert isinstance(ending.error, RowFailed | RuntimeFailed)
            assert ending.error.index is not None
            assert isinstance(rows[ending.error.index - request.index], type(ending.error))
            failed += 1
            continue
        survivors += 1
        samples = driver.samples(request_id)
        for position, row in enumerate(rows):
            assert not isinstance(row, BroodError)
            for name, array in row.items():
                assert samples[request.index + position].outputs[name].tobytes() == array.tobytes()
    assert survivors >= 30
    assert failed >= 3
    assert any(row.spared for plan in driver.plans for row in plan.rows)
    assert any(len({row.job for row in plan.rows}) > 1 for plan in driver.plans)
    assert all(plan.bucket > 1 for plan in driver.plans if any(row.job.generation.exact for row in plan.rows))


async def test_what_was_asked_for_on_the_way_is_told(tmp_path: Path) -> None:
    flood, driver = Flood(tmp_path, 7), Driver()
    model = flood.models["denoiser"]
    words = {"progress_every": 2, "preview_every": 3}
    driver.submit(model, generation(model, "a", n=3, steps=10, guidance=2.0, words=words))
    driver.submit(model, generation(model, "b", n=2, steps=7))
    await driver.run()
    events = driver.told["a"]
    progress = [event for event in events if isinstance(event, Progress)]
    assert [event.steps for event in progress] == sorted({event.steps for event in progress})
    assert all(event.of == 30 and event.n == 3 and event.eta_s >= 0 for event in progress)
    assert len(progress) >= 4
    previews = [event for event in events if isinstance(event, Preview)]
    assert {event.step for event in previews} <= {3, 6, 9}
    assert {event.index for event in previews} == {0, 1, 2}
    bundle = read_bundle(flood.directories["denoiser"])
    graphs = load_graphs(bundle.directory, bundle.manifest, RuntimeOptions(1))
    for event in previews:
        assert event.of == 10
        assert event.outputs["image"].shape == (1, 4, 4)
    assert not any(isinstance(event, Progress | Preview) for event in driver.told["b"])
    program = compile_program(bundle.manifest, "generate")
    shown = next(event for event in previews if (event.index, event.step) == (1, 3))
    x0 = _x0_after(program, graphs, generation(model, "c", steps=10, guidance=2.0), index=1, steps=3)
    np.testing.assert_array_equal(shown.outputs["image"], (0.25 * x0.astype(np.float64)).astype(np.float32))


def _x0_after(program: Any, graphs: Any, request: Generation, index: int, steps: int) -> np.ndarray:
    """State x0 of a row after so many steps, by the interpreter."""
    from brood.program.interpret import _Row

    row = _Row(program, request.seed, index, request.params, {})
    for step in range(steps):
        row.run(program.stages[0], graphs, step)
    return row.state["x0"]


async def test_a_flood_over_the_limits_is_refused_and_what_is_let_in_is_made(tmp_path: Path) -> None:
    flood, driver = Flood(tmp_path, 5), Driver()
    model, admission = flood.models["steps"], Admission(max_backlog_s=0.2, max_held_bytes=2**20)
    accepted, refused = list[str](), list[float | None]()
    for number in range(60):
        request = generation(model, str(number), n=6, steps=9)
        try:
            driver.submit(model, request, admission)
            accepted.append(request.request_id)
        except Overloaded as error:
            refused.append(error.retry_after_s)
        if number % 3 == 0:
            await driver.step()
    await driver.run()
    assert refused
    assert all(seconds is not None and seconds > 0 for seconds in refused)
    assert accepted
    assert all(isinstance(driver.ending(name), Done) for name in accepted)

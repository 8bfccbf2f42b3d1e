"""What a graph call is given: numbers drawn ahead are the numbers, and every row has its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brood.engine.inputs import NUMBERS_AHEAD, HostInputs, Inputs, draw, initial_state, lacking
from brood.engine.model import EngineModel
from brood.engine.rows import Row, make_job
from brood.sampling.noise import noise
from helpers.bundles import once_bundle, steps_bundle
from helpers.denoisers import denoiser_bundle
from helpers.engine import engine_model, generation

COUNT = 16  # numbers of the bundles' noise inputs
DENOISER: dict[str, Any] = {"steps": 6, "sampler": "ddpm", "guidance": 3.0, "guidance_stop": 0.5, "label": 4}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, EngineModel]:
    root = tmp_path_factory.mktemp("models")
    bundles = {"once": once_bundle(root), "steps": steps_bundle(root), "denoiser": denoiser_bundle(root)}
    return {name: engine_model(path) for name, path in bundles.items()}


def rows_of(model: EngineModel, n: int = 1, **words: Any) -> list[Row]:
    """Rows of one request, begun."""
    job = make_job(generation(model, "a", n=n, **words), model, 0.0)
    rows = [Row(job, position) for position in range(n)]
    for slot, row in enumerate(rows):
        row.begin(slot)
    return rows


def inputs_of(rows: Sequence[Row], bucket: int) -> Inputs:
    """What the present step is given."""
    (found,) = HostInputs(rows, bucket).of()
    return found


def uniform(row: Row, step: int) -> np.ndarray:
    """The bundle ``steps``' noise of a step, by the contract."""
    seed = row.job.generation.seed
    return noise("uniform", seed=seed, stream=1, index=row.index, step=step, shape=(1, 4, 4))


def test_numbers_are_drawn_for_some_steps_together(models: dict[str, EngineModel]) -> None:
    (row,) = rows_of(models["steps"], steps=1000)
    (lack,) = [lack for lack in lacking(row) if not lack.state]
    assert (lack.step, lack.steps) == (0, NUMBERS_AHEAD // COUNT)
    draw([lack])
    assert lacking(row, 1) == []
    row.step = NUMBERS_AHEAD // COUNT - 1
    (lack,) = lacking(row, 1)
    assert (lack.step, lack.steps) == (256, 256)
    row.step = 999
    assert lacking(row, 1) == []


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**63 - 1), index=st.integers(0, 2**50), visits=st.lists(st.integers(0, 599), max_size=12))
def test_numbers_do_not_depend_on_when_or_with_whom_they_are_drawn(
    models: dict[str, EngineModel], seed: int, index: int, visits: list[int]
) -> None:
    """Steps in any order, drawn just in time or ahead, alone or with another row: always those of the contract."""
    rows = rows_of(models["steps"], n=2, steps=600, seed=seed, index=index)
    for visit, step in enumerate(visits):
        row = rows[visit % 2]
        row.step, row.steps = step, max(1, step)
        if visit % 3 == 0:
            draw([lack for each in rows for lack in lacking(each, 1)])
        given = inputs_of([row], 1)["noise"][0]
        assert given.tobytes() == uniform(row, step).tobytes()


def test_rows_at_different_steps_have_their_own_numbers(models: dict[str, EngineModel]) -> None:
    rows = rows_of(models["steps"], n=3, steps=9, temperature=0.5)
    for row, step in zip(rows, (0, 4, 8), strict=True):
        row.step = row.steps = step
    inputs = inputs_of(rows, 4)
    schedule = rows[0].job.schedule.columns["temperature"]
    assert inputs["temperature"].dtype == np.float32
    assert inputs["temperature"].tolist() == [np.float32(schedule[step]) for step in (0, 4, 8, 0)]
    for place, (row, step) in enumerate(zip([*rows, rows[0]], (0, 4, 8, 0), strict=True)):
        assert inputs["noise"][place].tobytes() == uniform(row, step).tobytes()
    assert set(inputs) == {"noise", "temperature"}


def test_parameters_inputs_and_constants_are_cast_as_the_interpreter_casts(models: dict[str, EngineModel]) -> None:
    (row,) = rows_of(models["once"], label=7, scale=1)
    inputs = inputs_of([row], 2)
    assert inputs["label"].dtype == np.int64
    assert inputs["label"].tolist() == [7, 7]
    assert inputs["scale"].dtype == np.float32
    assert inputs["scale"].tolist() == [1.0, 1.0]
    images = np.linspace(-1, 1, 32).astype(np.float32).reshape(2, 1, 4, 4)
    rows = rows_of(models["once"], n=2, operation="reconstruct", inputs={"image": images})
    assert np.array_equal(inputs_of(rows[::-1], 4)["image"], images[[1, 0, 1, 1]])


def test_rows_of_two_operations_share_a_call(models: dict[str, EngineModel]) -> None:
    image = np.ones((1, 1, 4, 4), np.float32)
    one = rows_of(models["denoiser"], **DENOISER)
    other = rows_of(models["denoiser"], operation="vary", inputs={"image": image}, **{**DENOISER, "label": 5})
    assert one[0].call.group is other[0].call.group
    assert inputs_of([*one, *other], 2)["label"].tolist() == [4, 5]


def test_each_step_has_the_feeds_of_its_own_graph(models: dict[str, EngineModel]) -> None:
    (row,) = rows_of(models["denoiser"], **DENOISER)
    way = []
    for step in range(6):
        inputs = inputs_of([row], 1)
        way.append((row.call.group.graph, float(inputs["t"][0])))
        expected = noise("normal", seed=7, stream=3, index=0, step=step, shape=(1, 4, 4))
        silent = row.job.schedule.columns["noise"][step] == 0
        assert np.array_equal(inputs["noise"][0], np.zeros_like(expected) if silent else expected)
        if not row.finishes:
            row.advance()
    assert way == [("step_guided", 3.0)] * 3 + [("step", 1.0)] * 3


def test_states_begin_with_noise_inputs_zeros_or_a_mixture(models: dict[str, EngineModel]) -> None:
    image = np.full((2, 1, 4, 4), 0.5, np.float32)
    fresh = noise("normal", seed=7, stream=0, index=1, step=0, shape=(1, 4, 4))

    def begins(name: str, **words: Any) -> dict[str, np.ndarray]:
        rows = rows_of(models[name], n=2, **words)
        return {state: np.asarray(values[1]) for state, values in initial_state(rows, rows[0].job.program).items()}

    steps = begins("steps")
    assert steps["x"].tobytes() == fresh.tobytes()
    assert steps["count"].dtype == np.int64
    assert (steps["count"].shape, int(steps["count"])) == ((), 0)
    given = begins("denoiser", operation="vary", inputs={"image": image}, **{**DENOISER, "strength": 0.5})
    rows = rows_of(models["denoiser"], operation="vary", inputs={"image": image}, **{**DENOISER, "strength": 0.5})
    i0, i1 = (np.float32(number) for number in rows[0].job.schedule.init)
    assert given["x"].tobytes() == (i0 * image[1] + i1 * fresh).tobytes()
    assert not given["x0"].any()
    plain = begins("denoiser", **DENOISER)
    assert plain["x"].tobytes() == fresh.tobytes()


def test_first_values_drawn_ahead_are_the_same(models: dict[str, EngineModel]) -> None:
    (late,), (ahead,) = rows_of(models["steps"]), rows_of(models["steps"])
    draw(lacking(ahead))
    assert "x" in ahead.begins
    assert lacking(ahead) == []
    found = [initial_state([row], row.job.program)["x"][0].tobytes() for row in (late, ahead)]
    assert found[0] == found[1]

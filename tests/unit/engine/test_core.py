"""The engine end to end on the fake runtime, step by step: every sample equals the reference interpreter's."""

import inspect
from pathlib import Path

import numpy as np
import pytest

from brood.engine.core import EngineCore
from brood.protocol.events import Done, Failed
from helpers.bundles import once_bundle, steps_bundle
from helpers.engine import Driver, engine_model, generation


def test_the_step_is_twenty_lines_at_most() -> None:
    assert len(inspect.getsource(EngineCore.step).splitlines()) <= 20


async def test_once_programs_equal_the_interpreter(tmp_path: Path) -> None:
    directory = once_bundle(tmp_path)
    model, driver = engine_model(directory), Driver()
    request = generation(model, "a", n=21, index=5, label=4)
    driver.submit(model, request)
    await driver.run()
    driver.survives(directory, request)
    done = driver.ending("a")
    assert isinstance(done, Done)
    assert (done.usage.rows, done.usage.steps) == (21, 21)


async def test_inputs_belong_to_their_own_row(tmp_path: Path) -> None:
    directory = once_bundle(tmp_path)
    model, driver = engine_model(directory), Driver()
    images = np.random.default_rng(0).uniform(-1, 1, (11, 1, 4, 4)).astype(np.float32)
    request = generation(model, "a", n=11, operation="reconstruct", inputs={"image": images})
    driver.submit(model, request)
    await driver.run()
    driver.survives(directory, request)
    assert np.array_equal(driver.samples("a")[7].outputs["image"], images[7])


async def test_rows_of_one_request_do_not_change_with_their_batch(tmp_path: Path) -> None:
    model = engine_model(steps_bundle(tmp_path))
    alone, together = Driver(), Driver()
    alone.submit(model, generation(model, "a", n=1, index=30, steps=7))
    await alone.run()
    together.submit(model, generation(model, "b", n=40, steps=7))
    together.submit(model, generation(model, "c", n=9, seed=8, steps=3))
    await together.run()
    one, many = alone.samples("a")[30], together.samples("b")[30]
    assert one.outputs["image"].tobytes() == many.outputs["image"].tobytes()


async def test_a_deadline_ends_a_running_request_within_a_step(tmp_path: Path) -> None:
    model, driver = engine_model(steps_bundle(tmp_path)), Driver()
    driver.submit(model, generation(model, "a", steps=1000, deadline=5.0))
    await driver.run()
    assert isinstance(driver.ending("a"), Failed)
    assert len(driver.plans) == 5


async def test_padding_repeats_a_row_and_is_dropped(tmp_path: Path) -> None:
    directory = once_bundle(tmp_path)
    model, driver = engine_model(directory), Driver()
    request = generation(model, "a", n=3)
    driver.submit(model, request)
    await driver.run()
    assert [(len(plan.rows), plan.bucket) for plan in driver.plans] == [(3, 4)]
    driver.survives(directory, request)


@pytest.mark.parametrize("steps", [1, 2, 300])
async def test_noise_is_the_same_however_far_ahead_it_is_drawn(tmp_path: Path, steps: int) -> None:
    directory = steps_bundle(tmp_path)
    model, driver = engine_model(directory), Driver()
    request = generation(model, "a", n=2, steps=steps, seed=2**63 - 1)
    driver.submit(model, request)
    await driver.run()
    driver.survives(directory, request)

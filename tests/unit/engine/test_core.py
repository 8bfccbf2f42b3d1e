"""The engine end to end on the fake runtime, step by step: every sample equals the reference interpreter's."""

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from brood.engine.core import EngineCore
from brood.protocol.errors import RowFailed, RuntimeFailed
from brood.protocol.events import Done, Failed
from brood.protocol.requests import Generation
from helpers.bundles import once_bundle, steps_bundle
from helpers.engine import Driver, engine_model, generation, oracle


def assert_equal_to_oracle(driver: Driver, directory: Path, request: Generation) -> None:
    samples = driver.samples(request.request_id)
    assert sorted(samples) == list(range(request.index, request.index + request.n))
    for index, sample in samples.items():
        expected = oracle(directory, request, index)
        assert sorted(sample.outputs) == sorted(expected)
        for name, array in expected.items():
            assert sample.outputs[name].dtype == array.dtype
            assert sample.outputs[name].shape == array.shape
            assert sample.outputs[name].tobytes() == array.tobytes(), (request.request_id, index, name)


def test_the_step_is_twenty_lines_at_most() -> None:
    assert len(inspect.getsource(EngineCore.step).splitlines()) <= 20


async def test_once_programs_equal_the_interpreter(tmp_path: Path) -> None:
    directory = once_bundle(tmp_path)
    model, driver = engine_model(directory), Driver()
    request = generation(model, "a", n=21, index=5, label=4)
    driver.submit(model, request)
    await driver.run()
    assert_equal_to_oracle(driver, directory, request)
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
    assert_equal_to_oracle(driver, directory, request)
    assert np.array_equal(driver.samples("a")[7].outputs["image"], images[7])


async def test_flood_of_mixed_requests_equals_the_interpreter(tmp_path: Path) -> None:
    """Requests of both models and all operations arrive at random, some are cancelled, some poisoned."""
    once, steps = once_bundle(tmp_path), steps_bundle(tmp_path)
    models = {directory: engine_model(directory) for directory in (once, steps)}
    driver, rng = Driver(), np.random.default_rng(1)
    kept: list[tuple[Path, Generation]] = []
    for number in range(60):
        directory = (once, steps)[number % 2]
        words: dict[str, Any] = {"n": int(rng.integers(1, 9)), "seed": int(rng.integers(2**62)), "index": number}
        if directory is steps:
            words |= {"steps": int(rng.integers(1, 12)), "temperature": float(rng.uniform(0.5, 3))}
            if number % 3 == 0:
                images = rng.normal(size=(words["n"], 1, 4, 4)).astype(np.float32)
                words |= {"operation": "complete", "inputs": {"image": images}}
        if number % 10 == 4:
            words["scale"] = 3e38
        request = generation(models[directory], str(number), **words)
        driver.submit(models[directory], request)
        if number % 10 == 4:
            pass
        elif number % 7 == 5:
            await driver.step()
            driver.scheduler.cancel(request.request_id)
        else:
            kept.append((directory, request))
        await driver.step()
    await driver.run()
    for directory, request in kept:
        assert_equal_to_oracle(driver, directory, request)
    assert any(len({row.job.generation.request_id for row in plan.rows}) > 1 for plan in driver.plans)


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


async def test_a_row_that_is_not_finite_fails_alone(tmp_path: Path) -> None:
    directory = once_bundle(tmp_path)
    model, driver = engine_model(directory), Driver()
    bad, good = generation(model, "bad", n=4, scale=3e38, label=3), generation(model, "good", n=4, label=3)
    driver.submit(model, bad)
    driver.submit(model, good)
    await driver.run()
    failed = driver.ending("bad")
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, RowFailed)
    assert failed.error.index is not None
    assert_equal_to_oracle(driver, directory, good)


async def test_a_call_that_raises_is_bisected_to_the_offender(tmp_path: Path) -> None:
    directory = once_bundle(tmp_path, fails_on={"input": "label", "equals": 9})
    model, driver = engine_model(directory), Driver()
    requests = [generation(model, str(label), n=2, label=label) for label in (1, 9, 2)]
    for request in requests:
        driver.submit(model, request)
    await driver.run()
    failed = driver.ending("9")
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, RuntimeFailed)
    assert failed.error.index == 0
    for request in (requests[0], requests[2]):
        assert_equal_to_oracle(driver, directory, request)


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
    assert_equal_to_oracle(driver, directory, request)


@pytest.mark.parametrize("steps", [1, 2, 300])
async def test_noise_is_the_same_however_far_ahead_it_is_drawn(tmp_path: Path, steps: int) -> None:
    directory = steps_bundle(tmp_path)
    model, driver = engine_model(directory), Driver()
    request = generation(model, "a", n=2, steps=steps, seed=2**63 - 1)
    driver.submit(model, request)
    await driver.run()
    assert_equal_to_oracle(driver, directory, request)

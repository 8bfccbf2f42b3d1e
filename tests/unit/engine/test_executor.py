"""Plans carried out on the fake runtime: what fails, fails alone; the others are bit for bit what they are alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from brood.engine.executor import Executor
from brood.engine.scheduler import Scheduler
from brood.protocol.errors import Internal, RowFailed, RuntimeFailed
from brood.protocol.events import Done, Preview
from brood.runtimes.base import Arrays
from brood.runtimes.slots import Pairs
from helpers.bundles import edit_manifest, once_bundle, relist, steps_bundle
from helpers.denoisers import denoiser_bundle
from helpers.engine import Driver, Recorded, engine_model, generation, recorded

LABEL = {"input": "label", "equals": 9}
DENOISER: dict[str, Any] = {"steps": 7, "sampler": "ddpm", "guidance": 3.0, "guidance_stop": 0.5}


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


@pytest.mark.parametrize("ahead", [True, False])
async def test_noise_drawn_by_another_thread_is_the_same(
    tmp_path: Path, threads: ThreadPoolExecutor, ahead: bool
) -> None:
    directory = denoiser_bundle(tmp_path)
    model, driver = engine_model(directory), Driver(ahead=threads if ahead else None)
    requests = [generation(model, str(number), n=5, seed=number, index=number, **DENOISER) for number in range(5)]
    for request in requests:
        driver.submit(model, request)
        await driver.step()
    await driver.run()
    for request in requests:
        driver.survives(directory, request)


async def test_noise_ahead_of_a_long_run_is_the_same(tmp_path: Path, threads: ThreadPoolExecutor) -> None:
    directory = steps_bundle(tmp_path)
    model, driver = engine_model(directory), Driver(ahead=threads)
    request = generation(model, "a", n=9, steps=300, seed=2**63 - 1)
    driver.submit(model, request)
    await driver.run()
    driver.survives(directory, request)


async def test_what_cannot_be_drawn_ahead_fails_when_it_is_needed_and_alone(
    tmp_path: Path, threads: ThreadPoolExecutor
) -> None:
    """No stream has this seed: drawing it for the waiting row raises in the other thread, with others' numbers."""
    directory = steps_bundle(tmp_path)
    model, driver = engine_model(directory, capacity=8), Driver(ahead=threads, interrupted=lambda: True)
    good = generation(model, "good", n=8, steps=5)
    driver.submit(model, good)
    await driver.step()
    driver.submit(model, generation(model, "bad", n=2, seed=-1, steps=2))
    await driver.step()
    assert [row.job.generation.request_id for row in driver.plans[-1].soon] == ["bad", "bad"]
    await driver.run()
    driver.survives(directory, good)
    error = driver.failure("bad")
    assert isinstance(error, Internal)
    assert error.message == f"sample {error.index}: internal error"
    assert error.index in (0, 1)


class Later(ThreadPoolExecutor):
    """A thread that begins only when somebody waits for what it was asked for."""

    def __init__(self) -> None:
        super().__init__(1)
        self.waited = 0

    def submit(self, call: Any, /, *args: Any, **words: Any) -> Any:
        """A future that runs when its outcome is asked for."""
        return Outcome(self, lambda: call(*args, **words))


class Outcome(Future[None]):
    """See `Later`."""

    def __init__(self, thread: Later, call: Callable[[], None]) -> None:
        super().__init__()
        self._thread, self._call = thread, call

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Run, now that somebody waits."""
        self._thread.waited += 1
        self._call()
        return None


async def test_what_is_being_drawn_is_waited_for_before_it_is_needed(tmp_path: Path) -> None:
    directory = denoiser_bundle(tmp_path)
    with Later() as later:
        model, driver = engine_model(directory), Driver(ahead=later)
        request = generation(model, "a", n=9, steps=5, sampler="ddpm")
        driver.submit(model, request)
        await driver.run()
    driver.survives(directory, request)
    assert later.waited >= 1


async def test_a_row_that_is_not_finite_fails_alone(tmp_path: Path) -> None:
    directory = once_bundle(tmp_path)
    model, driver = engine_model(directory), Driver()
    bad, good = generation(model, "bad", n=4, scale=3e38, label=3), generation(model, "good", n=4, label=3)
    driver.submit(model, bad)
    driver.submit(model, good)
    await driver.run()
    error = driver.failure("bad")
    assert isinstance(error, RowFailed)
    assert error.index is not None
    assert error.message == f"sample {error.index} came out non-finite"
    driver.survives(directory, good)


@pytest.mark.parametrize("words", [{"fails_on": LABEL}, {"wrong_shape_on": LABEL}])
async def test_a_call_that_fails_is_bisected_to_the_offender(tmp_path: Path, words: dict[str, Any]) -> None:
    """A device error for an argument, and outputs of a wrong shape."""
    directory = once_bundle(tmp_path, **words)
    model, runtime = recorded(engine_model(directory))
    driver = Driver()
    requests = [generation(model, str(label), n=2, label=label) for label in (1, 9, 2)]
    for request in requests:
        driver.submit(model, request)
    await driver.run()
    error = driver.failure("9")
    assert isinstance(error, RuntimeFailed)
    assert (error.index, error.message) == (0, "sample 0: the graph call failed")
    driver.survives(directory, requests[0])
    driver.survives(directory, requests[2])
    assert runtime.calls[0] == ("generate", 6, 8)
    assert len(runtime.calls) <= 2 * 6 - 1


async def test_a_failed_call_of_a_step_changes_nothing_of_the_neighbours(tmp_path: Path) -> None:
    directory = denoiser_bundle(tmp_path, fails_on=LABEL)
    model, driver = engine_model(directory), Driver()
    good = [generation(model, f"good-{number}", n=3, seed=number, **DENOISER) for number in range(2)]
    driver.submit(model, good[0])
    for _ in range(3):
        await driver.step()
    # Guided steps do not fail: it is in the midst of its way that this one does.
    driver.submit(model, generation(model, "bad", n=2, label=9, **DENOISER))
    driver.submit(model, good[1])
    await driver.run()
    assert isinstance(driver.failure("bad"), RuntimeFailed)
    for request in good:
        driver.survives(directory, request)
    assert driver.scheduler.wasted_s > 0


async def test_parts_of_a_call_for_exact_samples_run_at_certified_buckets(tmp_path: Path) -> None:
    directory = once_bundle(tmp_path, fails_on=LABEL, bucket_dependent=True)
    model, runtime = recorded(engine_model(directory, exact=[2, 8]))
    driver = Driver()
    exact = [generation(model, f"exact-{label}", n=3, label=label, words={"exact": True}) for label in (1, 9)]
    for request in exact:
        driver.submit(model, request)
    await driver.run()
    assert isinstance(driver.failure("exact-9"), RuntimeFailed)
    assert {bucket for _, _, bucket in runtime.calls} <= {2, 8}
    assert isinstance(driver.ending("exact-1"), Done)
    driver.submit(model, generation(model, "any", n=1, label=1))
    await driver.run()
    assert runtime.calls[-1] == ("generate", 1, 1)


@dataclass
class Broken(Recorded):
    """A runtime that raises what no runtime should."""

    def run(
        self, graph: str, slots: Any, bucket: int, host: Arrays, reads: Pairs, writes: Pairs
    ) -> dict[str, np.ndarray]:
        """See `SlotRuntime`."""
        if 9 in host.get("label", ()):
            raise ZeroDivisionError("a secret of the device")
        return super().run(graph, slots, bucket, host, reads, writes)


async def test_an_error_of_any_kind_ends_a_request_without_telling_internals(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory = once_bundle(tmp_path)
    whole = engine_model(directory)
    model, driver = replace(whole, runtime=Broken(whole.runtime)), Driver()
    good = generation(model, "good", n=3)
    driver.submit(model, good)
    driver.submit(model, generation(model, "bad", n=1, index=7, label=9))
    await driver.run()
    error = driver.failure("bad")
    assert isinstance(error, Internal)
    assert (error.index, error.message) == (7, "sample 7: internal error")
    assert "a secret of the device" in caplog.text
    driver.survives(directory, good)


def previewed(tmp_path: Path) -> Path:
    """A denoiser whose preview takes a label, and fails for label 9."""
    directory = denoiser_bundle(tmp_path)
    description = json.loads((directory / "preview.json").read_text())
    relist(directory, "preview.json", json.dumps({**description, "fails_on": LABEL}).encode())
    label = {"dtype": "int64", "role": "param"}
    return edit_manifest(directory, lambda words: words["graphs"]["preview"]["inputs"].update(label=label))


async def test_a_preview_that_fails_harms_nobody(tmp_path: Path) -> None:
    directory = previewed(tmp_path)
    model, driver = engine_model(directory), Driver()
    words = {"preview_every": 2}
    bad = generation(model, "bad", n=2, label=9, words=words, **DENOISER)
    driver.submit(model, bad)
    await driver.run()
    driver.survives(directory, bad)
    assert not any(isinstance(event, Preview) for event in driver.told["bad"])
    good = generation(model, "good", n=2, label=8, words=words, **DENOISER)
    driver.submit(model, good)
    await driver.run()
    driver.survives(directory, good)
    assert any(isinstance(event, Preview) for event in driver.told["good"])


async def test_previews_of_several_rows_are_one_call_and_leave_samples_as_they_are(tmp_path: Path) -> None:
    directory = denoiser_bundle(tmp_path)
    model, runtime = recorded(engine_model(directory))
    driver = Driver()
    request = generation(model, "a", n=4, words={"preview_every": 2}, **DENOISER)
    driver.submit(model, request)
    await driver.run()
    driver.survives(directory, request)
    assert ("preview", 4, 4) in runtime.calls
    shown = [event for event in driver.told["a"] if isinstance(event, Preview)]
    assert {event.index for event in shown} == {0, 1, 2, 3}
    assert all(event.outputs["image"].shape == (1, 4, 4) for event in shown)


def test_a_report_tells_when_and_how_long(tmp_path: Path) -> None:
    model = engine_model(once_bundle(tmp_path))
    times = iter([5.0, 7.5])
    driver = Driver(scheduler=Scheduler())
    driver.submit(model, generation(model, "a"))
    plan = driver.scheduler.plan(0.0)
    assert plan is not None
    report = Executor(lambda: next(times)).execute(plan)
    assert (report.ended, report.seconds) == (7.5, 2.5)
    assert list(report.outputs) == list(plan.rows)
    assert not report.failures


async def test_memory_of_first_values_is_let_go_when_they_are_in_the_slots(
    tmp_path: Path, threads: ThreadPoolExecutor
) -> None:
    model, driver = engine_model(steps_bundle(tmp_path)), Driver(ahead=threads)
    driver.submit(model, generation(model, "a", n=20, steps=5))
    for _ in range(3):
        await driver.step()
    assert all(not row.begins for plan in driver.plans for row in plan.rows)

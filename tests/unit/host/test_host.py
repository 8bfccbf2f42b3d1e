"""From a directory of bundles to ready models."""

from pathlib import Path

import numpy as np
import pytest

from brood.host.host import Host, HostOptions
from brood.host.loading import load_model
from brood.protocol.errors import BundleError, DeterminismUnavailable, ModelNotFound, ModelUnavailable
from brood.protocol.events import Accepted, Done, Sample
from brood.protocol.models import ModelStatus
from brood.runtimes.base import RuntimeOptions
from brood.store.store import read_bundle
from brood.store.wanted import wanted
from helpers.bundles import IMAGE, broken_bundles, edit_manifest, once_bundle, relist, steps_bundle
from helpers.engine import generation, oracle


class Quiet:
    """An observer that only notes the size of each graph call."""

    def __init__(self) -> None:
        self.buckets: list[int] = []

    def stepped(self, model: str, graph: str, rows: int, bucket: int, calls: int, seconds: float, error: float) -> None:
        self.buckets.append(bucket)

    def queued(self, rows: int, backlog_s: float) -> None: ...

    def wasted(self, seconds: float) -> None: ...


async def test_models_load_and_generate(tmp_path: Path) -> None:
    directory, told = steps_bundle(tmp_path), list[ModelStatus]()
    once_bundle(tmp_path)
    host = Host(HostOptions(models=tmp_path), Quiet(), told.append)
    await host.start()
    assert [(status.name, status.state) for status in host.models()] == [("once", "ready"), ("steps", "ready")]
    assert [status.state for status in told] == ["loading", "loading", "ready", "ready"]
    ready = load_model(read_bundle(directory), RuntimeOptions(1)).engine
    request = generation(ready, "a", n=3, steps=5)
    events = [event async for event in host.submit(request)]
    assert isinstance(events[0], Accepted)
    assert events[0].determinism == "exact"
    assert isinstance(events[-1], Done)
    for event in events[1:-1]:
        assert isinstance(event, Sample)
        assert np.array_equal(event.outputs["image"], oracle(directory, request, event.index)["image"])
    await host.stop()
    assert not host.alive


async def test_a_broken_bundle_says_why_and_the_others_serve(tmp_path: Path) -> None:
    broken = broken_bundles(tmp_path)
    once_bundle(tmp_path)
    host = Host(HostOptions(models=tmp_path), Quiet())
    await host.start()
    statuses = {status.name: status for status in host.models()}
    assert statuses["once"].state == "ready"
    for kind, (directory, reason) in broken.items():
        assert statuses[directory.parent.name].state == "failed", kind
        assert reason in statuses[directory.parent.name].reason, kind
    await host.stop()


async def test_models_go_and_come_back_while_others_serve(tmp_path: Path) -> None:
    directory = once_bundle(tmp_path)
    steps_bundle(tmp_path)
    host = Host(HostOptions(models=tmp_path), Quiet())
    await host.start()
    request = generation(load_model(read_bundle(directory), RuntimeOptions(1)).engine, "a", n=1)
    await host.unload("once")
    assert [(status.name, status.state) for status in host.models()] == [("once", "unloaded"), ("steps", "ready")]
    with pytest.raises(ModelUnavailable, match="not ready"):
        host.submit(request)
    once_bundle(tmp_path, version=2)
    await host.load("once")
    assert [(status.version, status.state) for status in host.models()[:2]] == [(1, "ready"), (2, "ready")]
    assert [event async for event in host.submit(request)]
    for change in (host.load, host.unload):
        with pytest.raises(ModelNotFound, match="nobody"):
            await change("nobody")
    await host.stop()


async def test_only_named_models_load_and_unknown_names_are_told(tmp_path: Path) -> None:
    once_bundle(tmp_path)
    steps_bundle(tmp_path)
    host = Host(HostOptions(models=tmp_path, wanted=wanted({}, ["steps", "stepps"])), Quiet())
    await host.start()
    found = {status.name: (status.state, status.reason) for status in host.models()}
    assert found == {"steps": ("ready", ""), "stepps": ("failed", "no such bundle; there are: once, steps")}
    model = load_model(read_bundle(tmp_path / "once" / "1"), RuntimeOptions(1)).engine
    with pytest.raises(ModelUnavailable, match="'once' version 1 is not ready"):
        host.submit(generation(model, "a"))
    await host.stop()


def test_a_model_whose_golden_differs_is_refused(tmp_path: Path) -> None:
    directory = once_bundle(tmp_path)
    content = (directory / "generate.json").read_bytes().replace(b"0.01", b"0.02")
    relist(directory, "generate.json", content)
    with pytest.raises(BundleError, match=r"golden 'generate' of 'generate': off by 0\.0\d+, tolerance 0"):
        load_model(read_bundle(directory), RuntimeOptions(1))


async def test_exact_samples_come_from_certified_buckets_only(tmp_path: Path) -> None:
    directory, observer = once_bundle(tmp_path, bucket_dependent=True, bucket_dependent_from=8), Quiet()
    host = Host(HostOptions(models=tmp_path), observer)
    await host.start()
    model = load_model(read_bundle(directory), RuntimeOptions(1)).engine
    usual, exact = (generation(model, name, n=8, words={"exact": name == "exact"}) for name in ("usual", "exact"))
    told = [event async for event in host.submit(usual)]
    assert isinstance(told[0], Accepted)
    assert told[0].determinism == "tolerance"
    observer.buckets.clear()
    told = [event async for event in host.submit(exact)]
    assert isinstance(told[0], Accepted)
    assert told[0].determinism == "exact"
    assert set(observer.buckets) <= {1, 2, 4}
    samples = [event for event in told if isinstance(event, Sample)]
    assert len(samples) == 8
    for sample in samples:
        assert np.array_equal(sample.outputs["image"], oracle(directory, exact, sample.index)["image"])
    await host.stop()


async def test_what_cannot_be_exact_is_refused_before_any_work(tmp_path: Path) -> None:
    directory, observer = once_bundle(tmp_path, bucket_dependent=True), Quiet()
    host = Host(HostOptions(models=tmp_path), observer)
    await host.start()
    model = load_model(read_bundle(directory), RuntimeOptions(1)).engine
    with pytest.raises(DeterminismUnavailable) as caught:
        host.submit(generation(model, "a", words={"exact": True}))
    assert caught.value.field == "determinism"
    assert caught.value.message == (
        'determinism: "exact" cannot be promised for once generate here, because the bits of its graph calls '
        '(\'generate\') depend on what else is in the call; allowed: "any", which gives determinism "tolerance" here'
    )
    assert observer.buckets == []
    inputs = {"image": np.zeros((1, *IMAGE), np.float32)}
    events = host.submit(generation(model, "b", operation="reconstruct", inputs=inputs, words={"exact": True}))
    assert isinstance([event async for event in events][-1], Done)
    await host.stop()


async def test_a_status_tells_what_is_certified(tmp_path: Path) -> None:
    once_bundle(tmp_path, bucket_dependent=True, bucket_dependent_from=8)
    steps_bundle(tmp_path)
    host = Host(HostOptions(models=tmp_path, cache_dir=tmp_path / "cache"), Quiet())
    await host.start()
    once, steps = host.models()
    assert once.certificate == {"generate": (1, 2, 4), "keep": (1, 2, 4, 8), "score": (1, 2, 4, 8)}
    assert (once.device, once.state_bytes) == ("cpu", 0)
    assert (once.provider, once.precision, once.fallback) == ("fake", "float64", {})
    assert steps.state_bytes >= 16 * (16 * 4 + 8)  # as many slots as two full calls, of an image and a number each
    assert len({once.numerics_id, steps.numerics_id, ""}) == 3
    assert len(list((tmp_path / "cache" / "certificates").iterdir())) == 2
    await host.stop()


async def test_a_row_that_is_larger_than_the_memory_fails_its_model_alone(tmp_path: Path) -> None:
    once_bundle(tmp_path)
    steps_bundle(tmp_path)
    host = Host(HostOptions(models=tmp_path, max_state_bytes=100), Quiet())
    await host.start()
    once, steps = host.models()
    assert (once.state, steps.state) == ("ready", "failed")
    assert "state 'x': one row takes 64 bytes" in steps.reason
    await host.stop()


def test_every_bucket_has_a_measured_cost(tmp_path: Path) -> None:
    model = load_model(read_bundle(steps_bundle(tmp_path)), RuntimeOptions(1)).engine
    for name, graph in read_bundle(tmp_path / "steps" / "1").manifest.graphs.items():
        assert all(model.costs.seconds(name, bucket) > 0 for bucket in graph.buckets)


def test_one_state_name_means_one_tensor(tmp_path: Path) -> None:
    directory = edit_manifest(
        steps_bundle(tmp_path),
        lambda words: words["operations"]["complete"]["state"]["count"].update(dtype="int32"),
    )
    with pytest.raises(BundleError, match=r"state\.count: int(32|64)\[\], but another operation has"):
        load_model(read_bundle(directory), RuntimeOptions(1))

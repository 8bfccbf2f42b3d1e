"""From a directory of bundles to ready models."""

from pathlib import Path

import numpy as np
import pytest

from brood.host.host import Host, HostOptions
from brood.host.loading import load_model
from brood.protocol.errors import BundleError, ModelUnavailable
from brood.protocol.events import Accepted, Done, Sample
from brood.protocol.models import ModelStatus
from brood.runtimes.base import RuntimeOptions
from brood.store.store import read_bundle
from helpers.bundles import broken_bundles, edit_manifest, once_bundle, relist, steps_bundle
from helpers.engine import generation, oracle


class Quiet:
    """An observer that looks away."""

    def stepped(self, model: str, graph: str, rows: int, bucket: int, seconds: float) -> None: ...

    def queued(self, rows: int) -> None: ...


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


async def test_only_named_models_load_and_unknown_names_are_told(tmp_path: Path) -> None:
    once_bundle(tmp_path)
    steps_bundle(tmp_path)
    host = Host(HostOptions(models=tmp_path, names=("steps", "stepps")), Quiet())
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


def test_determinism_is_found_by_measuring(tmp_path: Path) -> None:
    exact = load_model(read_bundle(once_bundle(tmp_path / "a")), RuntimeOptions(1))
    assert set(exact.determinism.values()) == {"exact"}
    drifting = once_bundle(tmp_path / "b", bucket_dependent=True)
    assert load_model(read_bundle(drifting), RuntimeOptions(1)).determinism["generate"] == "tolerance"
    edit_manifest(drifting, lambda words: words.update(domain="discrete"))
    assert load_model(read_bundle(drifting), RuntimeOptions(1)).determinism["generate"] == "none"


def test_every_bucket_has_a_measured_cost(tmp_path: Path) -> None:
    model = load_model(read_bundle(steps_bundle(tmp_path)), RuntimeOptions(1)).engine
    for name, graph in read_bundle(tmp_path / "steps" / "1").manifest.graphs.items():
        assert set(model.cost_s[name]) == set(graph.buckets)
        assert all(seconds > 0 for seconds in model.cost_s[name].values())


def test_one_state_name_means_one_tensor(tmp_path: Path) -> None:
    directory = edit_manifest(
        steps_bundle(tmp_path),
        lambda words: words["operations"]["complete"]["state"]["count"].update(dtype="int32"),
    )
    with pytest.raises(BundleError, match=r"state\.count: int(32|64)\[\], but another operation has"):
        load_model(read_bundle(directory), RuntimeOptions(1))

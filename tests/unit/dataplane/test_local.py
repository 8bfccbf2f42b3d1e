"""A model in this process."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import brood
from brood.dataplane.local import LocalModel
from brood.program import compile_program, run_row
from brood.protocol.errors import (
    BundleError,
    DeadlineInfeasible,
    DeterminismUnavailable,
    InvalidArgument,
    ModelNotFound,
    RowFailed,
)
from brood.protocol.events import Accepted, Done, Preview, Progress, Sample
from brood.runtimes.base import RuntimeOptions
from brood.runtimes.load import load_graphs
from helpers.bundles import IMAGE, broken_bundles, edit_manifest, once_bundle, picture, steps_bundle


@pytest.fixture
def once(tmp_path: Path) -> Iterator[LocalModel]:
    once_bundle(tmp_path)
    with brood.load("once", models=str(tmp_path)) as model:
        yield model


def test_samples_are_those_of_the_interpreter(tmp_path: Path) -> None:
    directory = steps_bundle(tmp_path)
    with brood.load("steps", models=str(tmp_path)) as model:
        result = model.generate(n=5, seed=7, index=3, steps=6)
    graphs = load_graphs(directory, model.manifest, RuntimeOptions(1))
    program = compile_program(model.manifest, "generate")
    params = {"steps": 6, "temperature": 1.0}
    for sample in result.samples:
        expected = run_row(program, graphs, seed=7, index=sample.index, params=params, inputs={})
        np.testing.assert_array_equal(sample.outputs["image"], expected["image"])
    assert [sample.index for sample in result.samples] == [3, 4, 5, 6, 7]
    assert result.array.shape == (5, *IMAGE)
    assert result.usage.rows == 5


def test_a_bundles_own_directory_will_do(tmp_path: Path) -> None:
    with brood.load(str(once_bundle(tmp_path, version=2))) as model:
        assert (model.manifest.name, model.manifest.version) == ("once", 2)


def test_every_operation_is_a_method(once: LocalModel) -> None:
    assert once.operations == ("generate", "reconstruct", "score")
    np.testing.assert_array_equal(once.reconstruct(image=picture(0.5)).array, picture(0.5)[None])
    given = np.stack([picture(0.1), picture(0.2)])
    np.testing.assert_array_equal(once.reconstruct(n=2, image=given).array, given)
    np.testing.assert_array_equal(once.score(n=2, image=picture(), weight=1.5).array, np.array([3, 3], np.float32))
    with pytest.raises(AttributeError, match="once has no operation 'dream'; it has: generate, reconstruct, score"):
        _ = once.dream


def test_a_seed_is_drawn_and_told(once: LocalModel) -> None:
    drawn = once.generate(n=2)
    np.testing.assert_array_equal(once.generate(n=2, seed=drawn.seed).array, drawn.array)
    assert drawn.seed != once.generate(n=2).seed


def test_a_stream_tells_events_and_may_be_left(once: LocalModel) -> None:
    kinds = [type(event) for event in once.stream("generate", n=3, seed=1)]
    assert kinds == [Accepted, Sample, Sample, Sample, Done]
    events = once.stream("generate", n=1000, seed=1)
    assert isinstance(next(events), Accepted)
    events.close()
    assert len(once.generate(n=2).samples) == 2


def test_threads_may_share_a_model(once: LocalModel) -> None:
    expected = once.generate(n=8, seed=7).array
    with ThreadPoolExecutor(8) as pool:
        alone = pool.map(lambda index: once.generate(seed=7, index=index).array[0], range(8))
    np.testing.assert_array_equal(np.stack(list(alone)), expected)


def test_progress_and_previews_are_told(tmp_path: Path) -> None:
    bundle = edit_manifest(
        steps_bundle(tmp_path), lambda words: words["operations"]["generate"].update(preview={"graph": "finish"})
    )
    with brood.load(str(bundle)) as model:
        events = list(model.stream("generate", n=2, seed=7, steps=50, progress_every=10, preview_every=5))
        plain = model.generate(n=2, seed=7, steps=50)
    progress = [event for event in events if isinstance(event, Progress)]
    assert [told.of for told in progress] == [102] * len(progress)
    assert len(progress) >= 4
    previews = [event for event in events if isinstance(event, Preview)]
    assert previews
    assert all(event.step % 5 == 0 and event.step < event.of == 51 for event in previews)
    assert {(name, array.shape) for event in previews for name, array in event.outputs.items()} == {("image", IMAGE)}
    for sample in (event for event in events if isinstance(event, Sample)):
        np.testing.assert_array_equal(sample.outputs["image"], plain.samples[sample.index].outputs["image"])


def test_a_parameter_may_be_called_like_an_argument(tmp_path: Path) -> None:
    word = {"type": "int", "default": 0, "minimum": 0, "maximum": 5, "description": "Which comes first."}
    bundle = edit_manifest(
        once_bundle(tmp_path), lambda words: words["operations"]["generate"]["params"].update(priority=word, n=word)
    )
    with brood.load(str(bundle)) as model:
        result = model.generate(n=2, seed=7, priority="bulk", label=3, params={"priority": 5, "n": 1})
        assert len(result.samples) == 2
        with pytest.raises(
            InvalidArgument, match=r"params\.priority: 6 is not allowed; allowed: an integer from 0 to 5"
        ):
            model.generate(params={"priority": 6})
        with pytest.raises(TypeError, match="multiple values for keyword argument 'label'"):
            model.generate(label=3, params={"label": 4})


def test_what_is_asked_for_is_held_against_what_there_is(once: LocalModel) -> None:
    with pytest.raises(InvalidArgument, match=r"priority: .urgent. is not allowed; allowed: 'interactive' or 'bulk'"):
        once.generate(priority="urgent")
    with pytest.raises(InvalidArgument, match=r"determinism: .some. is not allowed; allowed: 'any' or 'exact'"):
        once.generate(determinism="some")
    with pytest.raises(InvalidArgument, match="preview_every: once generate has no previews; these have: none"):
        list(once.stream("generate", preview_every=1))
    with pytest.raises(DeadlineInfeasible):
        once.generate(n=1000, deadline_ms=1e-6)
    assert len(once.generate(n=2, deadline_ms=60_000.0, priority="bulk").samples) == 2


def test_exact_samples_are_given_or_refused(tmp_path: Path) -> None:
    with brood.load(str(once_bundle(tmp_path))) as model:
        assert model.generate(n=3, determinism="exact").result.accepted.determinism == "exact"
    with brood.load(str(once_bundle(tmp_path, name="other", bucket_dependent=True))) as model:
        assert model.generate(n=3).result.accepted.determinism != "exact"
        with pytest.raises(DeterminismUnavailable) as caught:
            model.generate(determinism="exact")
    assert caught.value.field == "determinism"


def test_errors_are_the_services_own(once: LocalModel) -> None:
    with pytest.raises(InvalidArgument, match=r"params\.label: 11 is not allowed"):
        once.generate(label=11)
    with pytest.raises(InvalidArgument, match="seed: -1 is not allowed"):
        once.generate(seed=-1)
    with pytest.raises(RowFailed):
        once.generate(n=20, seed=7, scale=1.5e38)


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    once_bundle(tmp_path)
    with pytest.raises(ModelNotFound, match="did you mean"):
        brood.load("ones", models=str(tmp_path))


def test_a_broken_bundle_says_why_and_leaves_no_thread(tmp_path: Path) -> None:
    directory, reason = broken_bundles(tmp_path)["changed-byte"]
    before = threading.active_count()
    with pytest.raises(BundleError, match=reason):
        brood.load(str(directory))
    assert threading.active_count() == before


def test_threads_end_with_the_last_reference(tmp_path: Path) -> None:
    once_bundle(tmp_path)
    before = {thread.name for thread in threading.enumerate()}
    assert brood.load("once", models=str(tmp_path)).generate(n=2, seed=7).array.shape == (2, 1, 4, 4)
    gc.collect()
    assert {thread.name for thread in threading.enumerate()} <= before


def test_a_model_left_open_ends_quietly_with_python(tmp_path: Path) -> None:
    once_bundle(tmp_path)
    load = f"brood.load('once', models={str(tmp_path)!r})"
    code = f"import brood; model = {load}; print(model.generate(n=3, seed=7).seed)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert (ended.stdout, ended.stderr) == ("7\n", "")

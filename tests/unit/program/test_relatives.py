"""Samples between two others: whose noise they have, and where they stand."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import brood
from brood.program import FromState, compile_program, run_row
from brood.protocol.errors import BundleError, InvalidArgument
from brood.runtimes.base import RuntimeOptions
from brood.runtimes.load import load_graphs
from brood.sampling.noise import noise
from brood.store.store import read_bundle
from helpers.bundles import edit_manifest
from helpers.relatives import SHAPE, relatives_bundle

PARAMS: dict[str, Any] = {"seed_to": 9, "index_from": 2, "index_to": 3}


def image(seed: int, index: int) -> np.ndarray:
    return np.float32(0.25) * noise("normal", seed=seed, stream=0, index=index, step=0, shape=SHAPE)


def test_the_ends_are_the_samples_of_their_seeds_and_indices(tmp_path: Path) -> None:
    bundle = read_bundle(relatives_bundle(tmp_path))
    graphs = load_graphs(bundle.directory, bundle.manifest, RuntimeOptions(1))
    program = compile_program(bundle.manifest, "interpolate")
    assert program.stages[1].feeds[0].source == FromState("latent")
    first, half, last = (
        run_row(program, graphs, seed=7, index=index, params={**PARAMS, "frames": 3}, inputs={})["image"]
        for index in range(3)
    )
    assert np.array_equal(first, image(7, 2))
    assert np.array_equal(last, image(9, 3))
    np.testing.assert_allclose(half, (first + last) / 2, atol=1e-6)


def test_an_engine_makes_the_same_alone_and_together(tmp_path: Path) -> None:
    relatives_bundle(tmp_path)
    with brood.load("relatives", models=str(tmp_path)) as model:
        way = model.interpolate(n=5, seed=7, frames=5, **PARAMS).array
        last = model.interpolate(n=1, seed=7, index=4, frames=5, **PARAMS).array
        plain = model.generate(n=4, seed=7).array
    np.testing.assert_allclose(way[0], image(7, 2), atol=1e-7)
    assert np.array_equal(way[0], plain[2])
    assert np.array_equal(way[4:], last)
    np.testing.assert_allclose(way[1] - way[0], way[4] - way[3], atol=1e-6)


def test_a_sample_is_one_of_the_frames(tmp_path: Path) -> None:
    relatives_bundle(tmp_path)
    words = "params.frames: 4 is not allowed; allowed: at least index . n = 5, one for each sample"
    with brood.load("relatives", models=str(tmp_path)) as model:
        for n, index in ((5, 0), (1, 4)):
            with pytest.raises(InvalidArgument, match=words):
                model.interpolate(n=n, index=index, frames=4, **PARAMS)
        assert len(model.interpolate(n=4, frames=4, **PARAMS).array) == 4


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (lambda words: words["params"].pop("seed_to"), r"state\.second\.noise\.seed: nothing is called 'seed_to' here"),
        (lambda words: words["params"].pop("index_from"), r"state\.first\.noise\.index: .*there are: frames, seed_to"),
        (lambda words: words["params"].pop("frames"), r"state\.weight\.init: nothing is called 'frames' here"),
        (
            lambda words: words["stages"][1]["bind"].update(latent="lost"),
            r"bind\.latent \(role noise\): nothing is called 'lost' here; there are: first, second, weight, latent",
        ),
    ],
)
def test_words_that_lead_nowhere_are_refused(tmp_path: Path, edit: Callable[[Any], object], complaint: str) -> None:
    directory = edit_manifest(relatives_bundle(tmp_path), lambda words: edit(words["operations"]["interpolate"]))
    with pytest.raises(BundleError, match=complaint):
        compile_program(read_bundle(directory).manifest, "interpolate")

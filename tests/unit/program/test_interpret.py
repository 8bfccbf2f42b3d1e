"""The reference interpreter against the formula, written out by hand."""

from pathlib import Path

import numpy as np
import pytest

from brood.program import compile_program, run_row
from brood.protocol.errors import RowFailed
from brood.runtimes.base import LoadedGraph, RuntimeOptions
from brood.runtimes.load import load_graphs
from brood.sampling.noise import noise
from brood.store.store import Bundle, read_bundle
from helpers.bundles import once_bundle, steps_bundle


def graphs_of(bundle: Bundle) -> dict[str, LoadedGraph]:
    return load_graphs(bundle.directory, bundle.manifest, RuntimeOptions(1))


def test_a_k_step_program_is_the_written_recurrence(tmp_path: Path) -> None:
    bundle = read_bundle(steps_bundle(tmp_path))
    params = {"steps": 4, "temperature": 1.0}
    outputs = run_row(
        compile_program(bundle.manifest, "generate"), graphs_of(bundle), seed=11, index=3, params=params, inputs={}
    )
    x = noise("normal", seed=11, stream=0, index=3, step=0, shape=(1, 4, 4)).astype(np.float64)
    for step, temperature in enumerate([5.0, 5.0**0.5, 1.0, 1.0]):
        u = noise("uniform", seed=11, stream=1, index=3, step=step, shape=(1, 4, 4))
        x = 0.5 * x + u + 0.1 * temperature
    np.testing.assert_allclose(outputs["image"], 0.25 * x, atol=1e-6)
    assert outputs["count"] == 4
    assert outputs["count"].shape == ()


def test_inputs_are_cast_and_reach_the_graph(tmp_path: Path) -> None:
    bundle = read_bundle(once_bundle(tmp_path))
    image = np.linspace(-1, 1, 16).reshape(1, 4, 4)
    outputs = run_row(
        compile_program(bundle.manifest, "reconstruct"),
        graphs_of(bundle),
        seed=0,
        index=0,
        params={},
        inputs={"image": image},
    )
    assert outputs["image"].dtype == np.float32
    assert np.array_equal(outputs["image"], image.astype(np.float32))


def test_a_row_that_is_not_finite_raises_with_its_index(tmp_path: Path) -> None:
    bundle = read_bundle(once_bundle(tmp_path))
    with pytest.raises(RowFailed) as failed:
        for index in range(50):
            run_row(
                compile_program(bundle.manifest, "generate"),
                graphs_of(bundle),
                seed=1,
                index=index,
                params={"label": 0, "scale": 3e38},
                inputs={},
            )
    assert failed.value.index is not None

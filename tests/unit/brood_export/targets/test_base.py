import numpy as np
import pytest
import torch

from brood_export.families.denoiser import HIGHEST, LOWEST
from brood_export.targets.base import EXAMPLE_ROWS, draw_inputs, example
from helpers.tiny_models import PIXELS, tiny_spec

pytestmark = pytest.mark.export


def test_inputs_lie_in_their_ranges_and_reach_the_ends() -> None:
    graph = tiny_spec("pixelrnn").graphs["step"]
    inputs = draw_inputs(graph, 400, seed=3)
    assert set(np.unique(inputs["canvas"])) == {0, 1, 2}
    assert set(np.unique(inputs["label"])) == {-1, 0, 1, 2}
    assert set(np.unique(inputs["position"])) == set(range(PIXELS))
    assert np.abs(inputs["h"]).max() <= 1.0
    assert {name: array.dtype.name for name, array in inputs.items()} == {
        name: spec.dtype for name, spec in graph.inputs.items()
    }


def test_inputs_depend_on_the_seed_only() -> None:
    graph = tiny_spec("gan").graphs["generate"]
    first, again, other = (draw_inputs(graph, 4, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first["latent"], again["latent"])
    assert not np.array_equal(first["latent"], other["latent"])


def test_inputs_of_one_kind_are_not_the_same_numbers() -> None:
    inputs = draw_inputs(tiny_spec("rbm").graphs["sweep"], 4, seed=1)
    assert not np.array_equal(inputs["image"], inputs["mask"])


def test_each_number_of_a_tensor_can_have_a_range_of_its_own() -> None:
    solver = draw_inputs(tiny_spec("diffusion").graphs["step"], 400, seed=3)["solver"].astype(np.float64)
    low, high = (np.asarray(end) for end in (LOWEST, HIGHEST))
    assert (solver >= low).all()
    assert (solver <= high).all()
    assert (np.abs(solver.mean(0) - (low + high) / 2) < 0.1 * (high - low)).all()
    assert np.abs(np.corrcoef(solver.T) - np.eye(12)).max() < 0.25


def test_the_example_has_more_than_one_row() -> None:
    assert EXAMPLE_ROWS > 1
    for tensor in example(tiny_spec("vae").graphs["encode"]):
        assert isinstance(tensor, torch.Tensor)
        assert len(tensor) == EXAMPLE_ROWS

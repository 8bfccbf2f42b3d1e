"""Flow matching: whichever way the model's time runs, the same samples; a straight flow arrives exactly."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from brood.program import compile_program, run_row
from brood.sampling.noise import noise
from brood_export.families import FAMILIES, ExportSpec
from brood_export.families.base import LATENT_STREAM, complete_params
from brood_export.reference import TorchGraph
from helpers.tiny_models import tiny_manifest

pytestmark = pytest.mark.export

GOAL = 0.25


class ToNoise(nn.Module):
    """The exact velocity of data that are all GOAL: noise − x_0 = (x − x_0)/σ."""

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return (x - GOAL) / t[:, None]


class ToData(nn.Module):
    """The same with time from noise at 0 to data at 100."""

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return (GOAL - x) / (1.0 - t / 100.0)[:, None]


def run(spec: ExportSpec, operation: str, inputs: dict[str, Any] | None = None, **params: Any) -> dict[str, Any]:
    manifest = tiny_manifest(spec)
    program = compile_program(manifest, operation)
    graphs = {name: TorchGraph(name, manifest.graphs[name], graph) for name, graph in spec.graphs.items()}
    given = complete_params(program.operation, params)
    return run_row(program, graphs, seed=1, index=2, params=given, inputs=inputs or {})


def specs(**options: Any) -> tuple[ExportSpec, ExportSpec]:
    family = FAMILIES["flow-matching"]
    return (
        family(ToNoise(), shape=(3,), velocity="to_noise", **options),
        family(ToData(), shape=(3,), velocity="to_data", time_scale=100.0, **options),
    )


@pytest.mark.parametrize("steps", [1, 4, 7])
@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_a_straight_flow_arrives(steps: int, shift: float) -> None:
    for spec in specs(shift=shift):
        np.testing.assert_allclose(run(spec, "generate", steps=steps)["sample"], GOAL, atol=1e-5)


class Bent(nn.Module):
    def __init__(self, direction: str) -> None:
        super().__init__()
        self.sign = 1.0 if direction == "to_noise" else -1.0

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        sigma = t if self.sign > 0 else 1.0 - t
        return self.sign * torch.tanh(x + sigma[:, None])


def test_either_direction_makes_the_same_and_euler_says_what() -> None:
    made = [
        run(FAMILIES["flow-matching"](Bent(way), shape=(3,), velocity=way, extent=9.0), "generate", steps=5)["sample"]
        for way in ("to_noise", "to_data")
    ]
    np.testing.assert_allclose(made[0], made[1], atol=1e-6)
    x = noise("normal", seed=1, stream=LATENT_STREAM, index=2, step=0, shape=(3,)).astype(np.float64)
    for k in range(5):
        x = x - 0.2 * np.tanh(x + 1.0 - k / 5)
    np.testing.assert_allclose(made[0], x, atol=1e-5)


def test_a_given_sample_is_varied_as_much_as_asked() -> None:
    spec, given = specs()[0], np.full(3, 0.9, np.float32)
    little = run(spec, "vary", {"sample": given}, strength=0.2, steps=10)["sample"]
    np.testing.assert_allclose(little, GOAL, atol=1e-5)
    assert set(spec.operations) == {"generate", "vary", "interpolate"}


def test_only_its_own_parameters_are_offered() -> None:
    params = specs()[0].operations["generate"].params
    assert set(params) == {"steps"}
    ids = [request.id for request in specs()[0].golden]
    assert len(ids) == len(set(ids))

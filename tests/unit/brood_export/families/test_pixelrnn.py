import numpy as np
import pytest
import torch

from brood.program import compile_program, run_row
from brood_export.families.base import complete_params
from brood_export.families.pixelrnn import draw_level, put_level
from brood_export.reference import TorchGraph
from helpers.tiny_models import PIXELS, SIDE, tiny_manifest, tiny_spec

pytestmark = pytest.mark.export


def test_levels_are_drawn_by_inverting_the_distribution_function() -> None:
    logits = torch.log(torch.tensor([[0.5, 0.25, 0.25]])).expand(5, 3)
    uniform = torch.tensor([0.1, 0.49, 0.51, 0.74, 1.0 - 2.0**-24])
    assert draw_level(logits, torch.ones(5), uniform).tolist() == [0, 0, 1, 1, 2]


def test_a_low_temperature_draws_the_likeliest_level() -> None:
    logits = torch.tensor([[0.0, 1.0, 0.5]]).expand(3, 3)
    assert draw_level(logits, torch.full((3,), 0.01), torch.tensor([0.01, 0.5, 0.99])).tolist() == [1, 1, 1]


def test_a_level_is_written_at_each_row_s_own_position() -> None:
    canvas = put_level(torch.zeros(2, 3, dtype=torch.int64), torch.tensor([0, 2]), torch.tensor([5, 6]))
    assert canvas.tolist() == [[5, 0, 0], [0, 0, 6]]


@pytest.mark.parametrize("given", [1, SIDE + 1, PIXELS])
def test_complete_keeps_the_given_pixels_in_reading_order(given: int) -> None:
    spec = tiny_spec("pixelrnn")
    manifest = tiny_manifest(spec)
    program = compile_program(manifest, "complete")
    graphs = {"step": TorchGraph("step", manifest.graphs["step"], spec.graphs["step"])}
    image = (np.arange(PIXELS) % 3).astype(np.uint8).reshape(1, SIDE, SIDE)
    params = complete_params(program.operation, {"label": 1, "given": given})
    outputs = [
        run_row(program, graphs, seed=1, index=index, params=params, inputs={"image": image})["image"].reshape(-1)
        for index in range(2)
    ]
    for output in outputs:
        np.testing.assert_array_equal(output[:given], image.reshape(-1)[:given])
    assert len({output.tobytes() for output in outputs}) == (1 if given == PIXELS else 2)


def test_complete_with_nothing_given_is_generate() -> None:
    spec = tiny_spec("pixelrnn")
    manifest = tiny_manifest(spec)
    graphs = {"step": TorchGraph("step", manifest.graphs["step"], spec.graphs["step"])}
    image = np.full((1, SIDE, SIDE), 2, np.uint8)
    generate, complete = (compile_program(manifest, name) for name in ("generate", "complete"))
    params = {"label": 2, "temperature": 1.0}
    free = run_row(generate, graphs, seed=9, index=5, params=params, inputs={})
    empty = run_row(complete, graphs, seed=9, index=5, params=params | {"given": 0}, inputs={"image": image})
    np.testing.assert_array_equal(free["image"], empty["image"])


@torch.no_grad()
def test_margin_is_the_distance_to_the_nearest_edge() -> None:
    spec = tiny_spec("pixelrnn")
    graph = spec.graphs["step"]
    assert graph.margin is not None
    canvas, cells = torch.zeros(2, 1, SIDE, SIDE, dtype=torch.uint8), torch.zeros(2, SIDE, 5)
    zero, one, half = torch.zeros(2, dtype=torch.int64), torch.ones(2), torch.full((2,), 0.5)
    uniform = torch.linspace(0.0, 1.0, 51)[1:-1]
    levels, margins = [], []
    for u in uniform:
        inputs = (canvas, cells, cells, zero, u.expand(2), half, zero, one, torch.tensor([0, 4]))
        levels.append(int(graph.module(*inputs)[0][0, 0, 0, 0]))
        margins.append(graph.margin(*inputs))
    assert all(margin[1] == 1.0 for margin in margins)  # a given pixel is no decision
    turns = [k for k in range(1, len(levels)) if levels[k] != levels[k - 1]]
    assert len(turns) == 2
    assert all(min(margins[k - 1][0], margins[k][0]) <= 0.01 + 1e-6 for k in turns)

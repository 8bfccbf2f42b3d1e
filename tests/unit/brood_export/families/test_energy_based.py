"""The families that anneal binary units: RBM and Boltzmann machine."""

import numpy as np
import pytest
import torch
from torch import Tensor

from brood.program import compile_program, run_row
from brood_export.families.base import complete_params
from brood_export.reference import TorchGraph
from brood_export.targets.base import draw_inputs, tensors
from brood_export.zoo.boltzmann import GlyphsBoltzmann
from brood_export.zoo.rbm import GlyphsRbm
from helpers.tiny_models import CLASSES, IMAGE, PIXELS, examples, tiny_manifest, tiny_model, tiny_spec

pytestmark = pytest.mark.export

families = pytest.mark.parametrize("family", ["rbm", "boltzmann"])


def inputs_of(family: str, rows: int) -> tuple[Tensor, ...]:
    graph = tiny_spec(family).graphs["sweep"]
    return tensors(graph, draw_inputs(graph, rows, seed=4))


@families
def test_clamped_pixels_stay_and_the_others_move(family: str) -> None:
    spec = tiny_spec(family)
    manifest = tiny_manifest(spec)
    program = compile_program(manifest, "complete")
    graphs = {"sweep": TorchGraph("sweep", manifest.graphs["sweep"], spec.graphs["sweep"])}
    mask = np.zeros(IMAGE, np.float32)
    mask[:, :2] = 1.0
    image = examples().images[1]
    params = complete_params(program.operation, {"label": 1})
    pictures = [
        run_row(program, graphs, seed=2, index=index, params=params, inputs={"image": image, "mask": mask})["image"]
        for index in range(3)
    ]
    for picture in pictures:
        np.testing.assert_array_equal(picture[:, :2], image[:, :2] >= 0.5)
    assert len({picture.tobytes() for picture in pictures}) > 1


@families
@torch.no_grad()
def test_label_units_are_clamped_one_hot(family: str) -> None:
    units, noise, label_noise, _, temperature, image, mask = inputs_of(family, CLASSES)
    label = torch.arange(CLASSES)
    module = tiny_spec(family).graphs["sweep"].module
    after, _, made, _ = module(units, noise, label_noise, label, temperature, image, mask)
    assert torch.equal(after[:, PIXELS : PIXELS + CLASSES], torch.eye(CLASSES))
    assert made.tolist() == label.tolist()


@families
def test_a_walk_begins_with_fair_coins(family: str) -> None:
    state = tiny_spec(family).operations["generate"].state["units"]
    assert state.noise is not None
    assert state.noise.distribution == "uniform"
    module = tiny_spec(family).graphs["sweep"].module
    inputs = inputs_of(family, 6)
    with torch.no_grad():
        grey, black_and_white = (module(units, *inputs[1:]) for units in (inputs[0], (inputs[0] >= 0.5).float()))
    assert torch.equal(grey[0], black_and_white[0])


@torch.no_grad()
def test_rbm_sweep_is_the_model_s_own() -> None:
    model = tiny_model("rbm")
    assert isinstance(model, GlyphsRbm)
    units, noise, label_noise, _, temperature, image, _ = inputs_of("rbm", 4)
    label, mask = torch.tensor([0, 1, 2, 0]), torch.zeros(4, *IMAGE)
    after, probability, _, _ = (
        tiny_spec("rbm").graphs["sweep"].module(units, noise, label_noise, label, temperature, image, mask)
    )
    v, _, mean = model.sweep((units >= 0.5).float(), temperature, noise, *model.label_units(label))
    torch.testing.assert_close(after, v)
    torch.testing.assert_close(probability.flatten(1), mean[:, :PIXELS])


@torch.no_grad()
def test_boltzmann_sweep_updates_one_unit_after_another() -> None:
    model = tiny_model("boltzmann")
    assert isinstance(model, GlyphsBoltzmann)
    units, noise, label_noise, _, temperature, image, _ = inputs_of("boltzmann", 5)
    label, mask = torch.tensor([0, 1, 2, 0, 1]), torch.zeros(5, *IMAGE)
    after, _, _, _ = (
        tiny_spec("boltzmann").graphs["sweep"].module(units, noise, label_noise, label, temperature, image, mask)
    )
    x, margin = (units >= 0.5).double(), torch.ones(5)
    couplings, bias = model.couplings().double(), model.bias.double()
    one_hot = torch.eye(CLASSES)[label]
    for i in range(x.shape[1]):
        probability = torch.sigmoid((x @ couplings[i] + bias[i]) / temperature)
        if PIXELS <= i < PIXELS + CLASSES:
            x[:, i] = one_hot[:, i - PIXELS]
        else:
            x[:, i] = (noise[:, i] < probability).double()
            margin = torch.minimum(margin, (noise[:, i] - probability).abs())
    torch.testing.assert_close(after.double(), x)
    graph = tiny_spec("boltzmann").graphs["sweep"]
    assert graph.margin is not None
    found = graph.margin(units, noise, label_noise, label, temperature, image, mask)
    torch.testing.assert_close(found.double(), margin.double(), atol=1e-6, rtol=0.0)


@torch.no_grad()
def test_rbm_margin_covers_both_layers() -> None:
    model = tiny_model("rbm")
    assert isinstance(model, GlyphsRbm)
    graph = tiny_spec("rbm").graphs["sweep"]
    assert graph.margin is not None
    units, noise, label_noise, label, temperature, image, mask = inputs_of("rbm", 3)
    label, mask = label.clamp(min=0), torch.zeros(3, *IMAGE)
    clamps = model.label_units(label)
    v = torch.where(clamps[0] > 0.5, clamps[1], (units >= 0.5).float())
    hidden = model.hidden_mean(v, temperature[:, None])
    visible_units = len(model.visible_bias)
    on_edge = noise.clone()
    on_edge[0, visible_units + 2] = hidden[0, 2]
    _, _, mean = model.sweep(v, temperature, noise, *clamps)
    on_edge[1, 7] = mean[1, 7]
    margin = graph.margin(units, on_edge, label_noise, label, temperature, image, mask)
    assert margin[0] == 0.0
    assert margin[1] == 0.0
    assert margin[2] > 0.0

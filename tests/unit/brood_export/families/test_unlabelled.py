"""A model without labels: nothing in its bundle is about them, and it makes what the model alone makes."""

import pytest
import torch
from torch import Tensor, nn

from brood.program import compile_program, run_row
from brood_export.errors import Misfit
from brood_export.families import FAMILIES, ExportSpec
from brood_export.families.base import complete_params
from brood_export.families.unlabelled import COLUMNS, Unlabelled
from brood_export.reference import TorchGraph
from brood_export.targets.base import draw_inputs, tensors
from brood_export.zoo.pixelrnn import GlyphsPixelRnn
from helpers.own_models import DcGan, OwnUnet, OwnVae
from helpers.tiny_models import tiny_manifest

pytestmark = pytest.mark.export


class Alone(nn.Module):
    """A pixel model whose cell takes no label."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = GlyphsPixelRnn(4, 3, 5, 1)
        self.side, self.levels, self.hidden, self.labels = 4, 3, 5, 0

    def cell(self, canvas: Tensor, h: Tensor, c: Tensor, position: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.inner.cell(canvas, h, c, position, torch.zeros(canvas.shape[0], dtype=torch.int64))


def spec_of(family: str) -> ExportSpec:
    models = {
        "gan": lambda: FAMILIES["gan"](DcGan().eval(), latent=(6, 1, 1)),
        "vae": lambda: FAMILIES["vae"](OwnVae(), image=(1, 8, 8)),
        "pixelrnn": lambda: FAMILIES["pixelrnn"](Alone()),
        "diffusion": lambda: FAMILIES["diffusion"](
            OwnUnet(), shape=(1, 8, 8), prediction="v", betas="cosine", train_steps=50
        ),
    }
    torch.manual_seed(1)
    return models[family]()


@pytest.mark.parametrize("family", ["gan", "vae", "pixelrnn", "diffusion"])
def test_golden_requests_run_and_nobody_speaks_of_labels(family: str) -> None:
    spec = spec_of(family)
    manifest = tiny_manifest(spec)
    assert {request.operation for request in spec.golden} == set(spec.operations)
    assert "step_guided" not in spec.graphs
    for request in spec.golden:
        program = compile_program(manifest, request.operation)
        graphs = {name: TorchGraph(name, manifest.graphs[name], graph) for name, graph in spec.graphs.items()}
        params = complete_params(program.operation, request.params)
        assert not set(params) & {"label", "guidance", "guidance_start"}
        made = run_row(program, graphs, seed=request.seed, index=0, params=params, inputs=request.inputs)
        assert set(made) == set(program.operation.outputs)
        assert "label" not in made


def test_it_makes_what_the_model_makes() -> None:
    model = OwnVae()
    graph = FAMILIES["vae"](model, image=(1, 8, 8)).graphs["decode"]
    assert list(graph.inputs) == ["latent", "sampled", "temperature"]
    inputs = draw_inputs(graph, 3, seed=1)
    inputs["temperature"][:] = 1.0
    with torch.no_grad():
        image, ok = graph.module(*tensors(graph, inputs))
        torch.testing.assert_close(image, model.decode(torch.from_numpy(inputs["latent"])))
    assert ok.all()


def test_the_sheet_is_as_wide_as_always() -> None:
    spec = spec_of("gan")
    assert (len(spec.preview), spec.preview_columns) == (3 * COLUMNS, COLUMNS)
    assert [request.index for request in spec.preview] == list(range(3 * COLUMNS))


def test_decisions_keep_their_margin() -> None:
    graph = spec_of("pixelrnn").graphs["step"]
    assert graph.margin is not None
    assert graph.margin(*tensors(graph, draw_inputs(graph, 3, seed=1))).shape == (3,)


def test_other_attributes_are_the_models_own() -> None:
    wrapped = Unlabelled(OwnVae())
    assert wrapped.down.kernel_size == (3, 3)
    with pytest.raises(Misfit, match=r"OwnUnet has no encode, decode"):
        FAMILIES["vae"](OwnUnet(), image=(1, 8, 8))

"""Denoisers: the solver row, guidance, completion, and the tables against the papers' samplers."""

from collections.abc import Mapping
from typing import get_args

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from brood.program import compile_program, run_row
from brood.protocol.manifest import Manifest
from brood.sampling.diffusion import DIFFUSION_PARAMS, SAMPLERS
from brood.sampling.solver import INEXPRESSIBLE
from brood_export.errors import Misfit
from brood_export.families import Examples, ExportSpec
from brood_export.families.base import Request, complete_params
from brood_export.families.denoiser import Preview, space_of, step_graph
from brood_export.families.diffusion import diffusion
from brood_export.families.textbook import Prediction
from brood_export.reference import TorchGraph, golden_run
from brood_export.targets.base import draw_inputs, tensors
from helpers.tiny_models import CLASSES, IMAGE, PIXELS, cosine_levels, examples, tiny_manifest, tiny_model, tiny_spec

pytestmark = pytest.mark.export

SPACE = space_of(IMAGE, CLASSES, 1.0)
POINT = (2,)
LABELS = np.arange(2, dtype=np.int64)
# Of levels where next to nothing is left of the data, float32 noise is no way to tell them.
LEVELS: Mapping[str, np.ndarray] = {
    "epsilon": np.cumprod(1.0 - np.linspace(1e-4, 0.02, 1000)),
    "v": cosine_levels(),
    "x0": cosine_levels(),
}


class Exact(nn.Module):
    """The best denoiser of Gaussian data: a mean for each class, one for all of them together."""

    def __init__(self, shape: tuple[int, ...], prediction: Prediction) -> None:
        super().__init__()
        self.prediction = prediction
        means = torch.linspace(-0.5, 0.5, (CLASSES + 1) * int(np.prod(shape)), dtype=torch.float64)
        self.register_buffer("means", means.reshape(-1, *shape))
        self.register_buffer("levels", torch.from_numpy(LEVELS[prediction]))

    def forward(self, x: Tensor, t: Tensor, label: Tensor) -> Tensor:
        level = self.get_buffer("levels")[t.long()].reshape(-1, *[1] * (x.dim() - 1))
        mean, spread = self.get_buffer("means")[label], 0.2
        alpha, sigma = level.sqrt(), (1.0 - level).sqrt()
        x0 = (alpha * spread**2 * x + sigma**2 * mean) / (level * spread**2 + sigma**2)
        epsilon = (x - alpha * x0) / sigma
        m = {"epsilon": epsilon, "v": alpha * epsilon - sigma * x0, "x0": x0}[self.prediction]
        return m.float()


def exact_spec(shape: tuple[int, ...] = IMAGE, prediction: Prediction = "v") -> ExportSpec:
    return diffusion(
        Exact(shape, prediction),
        shape=shape,
        classes=CLASSES,
        prediction=prediction,
        alphas_cumprod=LEVELS[prediction],
        betas="linear" if prediction == "epsilon" else "cosine",
        output="image" if shape == IMAGE else "point",
        examples=Examples(np.linspace(-0.9, 0.9, 2 * int(np.prod(shape)), dtype=np.float32).reshape(2, *shape), LABELS),
    )


def row(spec: ExportSpec, request: Request) -> tuple[dict[str, np.ndarray], list[str]]:
    """The sample that the graphs make of a request, and which graphs were called."""
    manifest = tiny_manifest(spec)
    graphs = {name: TorchGraph(name, manifest.graphs[name], graph) for name, graph in spec.graphs.items()}
    program = compile_program(manifest, request.operation)
    params = complete_params(program.operation, request.params)
    made = run_row(program, graphs, seed=request.seed, index=request.index, params=params, inputs=request.inputs)
    return made, [call.graph for graph in graphs.values() for call in graph.calls]


def formula(values: dict[str, np.ndarray], m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The universal linear solver row in float64."""
    x, x0_prev, noise, solver, known, mask = (
        values[name].astype(np.float64) for name in ("x", "x0", "noise", "solver", "known", "mask")
    )
    _, _, _, p, q, a, b, c, d, e, low, high = (number.reshape(-1, 1, 1, 1) for number in solver.T)
    x0 = np.clip(p * x + q * m, low, high)
    x0 = (1 - mask) * x0 + mask * known
    return a * x + b * x0 + c * x0_prev + d * m + e * noise, x0


@pytest.mark.parametrize("guided", [False, True])
@torch.no_grad()
def test_a_step_is_the_universal_linear_solver_row(guided: bool) -> None:
    model = tiny_model("diffusion")
    graph = step_graph(model, SPACE, guided=guided)
    values = draw_inputs(graph, 6, seed=3)
    next_x, next_x0, label, ok = graph.module(*tensors(graph, values))
    t, s, g = (torch.from_numpy(values["solver"][:, place]) for place in range(3))
    x = s.reshape(-1, 1, 1, 1) * torch.from_numpy(values["x"])
    c, u = (model(x, t, of).double().numpy() for of in (label, torch.full_like(label, CLASSES)))
    m = u + g.double().numpy().reshape(-1, 1, 1, 1) * (c - u) if guided else c
    meant_x, meant_x0 = formula(values, m)
    np.testing.assert_allclose(next_x.numpy(), meant_x, atol=2e-6)
    np.testing.assert_allclose(next_x0.numpy(), meant_x0, atol=2e-6)
    assert ok.all()


class Broken(nn.Module):
    """Not finite where the label is 1 or there is none."""

    def forward(self, x: Tensor, t: Tensor, label: Tensor) -> Tensor:
        wrong = (label == 1) | (label == CLASSES)
        return torch.where(wrong.reshape(-1, 1, 1, 1), torch.inf, x)


@torch.no_grad()
def test_ok_is_about_the_network_before_the_clamp() -> None:
    graph = step_graph(Broken(), SPACE, guided=False)
    values = draw_inputs(graph, 3, seed=1) | {"label": np.array([0, 1, 2])}
    _, next_x0, _, ok = graph.module(*tensors(graph, values))
    assert ok.tolist() == [True, False, True]
    assert next_x0.isfinite().all()
    *_, guided_ok = step_graph(Broken(), SPACE, guided=True).module(*tensors(graph, values))
    assert not guided_ok.any()


@pytest.mark.parametrize("prediction", get_args(Prediction))
@pytest.mark.parametrize("shape", [IMAGE, POINT], ids=["picture", "point"])
def test_tables_make_what_the_papers_samplers_make(prediction: Prediction, shape: tuple[int, ...]) -> None:
    spec = exact_spec(shape, prediction)
    manifest = tiny_manifest(spec)
    assert {str(request.params.get("sampler", "dpmpp-2m")) for request in spec.golden} == set(SAMPLERS)
    for request in spec.golden:
        original, _ = golden_run(spec, manifest, request)
        made, _ = row(spec, request)
        assert set(made) == set(original.outputs)
        assert made["label"] == original.outputs["label"]
        output = "image" if shape == IMAGE else "point"
        expected = original.outputs[output].astype(np.float64)
        np.testing.assert_allclose(made[output], expected, atol=1e-5, err_msg=request.id)
        assert 0.01 < made[output].std() < 0.9


@pytest.mark.parametrize("sampler", list(SAMPLERS))
def test_what_is_known_stays_exactly(sampler: str) -> None:
    mask = np.zeros(IMAGE, np.float32)
    mask[:, :2] = 1.0
    given = {"image": examples().images[1], "mask": mask}
    pictures = [
        row(exact_spec(), Request("r", "complete", 1, index, {"steps": 5, "sampler": sampler}, given))[0]["image"]
        for index in range(2)
    ]
    for picture in pictures:
        np.testing.assert_allclose(picture[:, :2], given["image"][:, :2], atol=1e-6)
    assert np.abs(pictures[0] - pictures[1])[:, 2:].max() > 0.01


def test_nothing_known_is_generate() -> None:
    nothing = {"image": examples().images[1], "mask": np.zeros(IMAGE, np.float32)}
    free, _ = row(exact_spec(), Request("r", "generate", 5, 2, {"steps": 4}))
    masked, _ = row(exact_spec(), Request("r", "complete", 5, 2, {"steps": 4}, nothing))
    np.testing.assert_array_equal(free["image"], masked["image"])


def test_a_little_strength_changes_little() -> None:
    given = {"image": examples().images[0]}
    changes = []
    for strength in (0.1, 0.5, 1.0):
        made, calls = row(exact_spec(), Request("r", "vary", 3, 0, {"steps": 10, "strength": strength}, given))
        assert len(calls) == 10 * strength
        changes.append(float(np.abs(made["image"] - given["image"]).mean()))
    assert changes == sorted(changes)
    assert 0.0 < changes[0] < 0.7 * changes[2]


@pytest.mark.parametrize(
    ("params", "guided"),
    [({}, 0), ({"guidance": 2.0}, 8), ({"guidance": 2.0, "guidance_start": 0.25, "guidance_stop": 0.75}, 4)],
)
def test_guidance_takes_the_guided_graph_and_only_where_there_is_some(params: dict[str, float], guided: int) -> None:
    _, calls = row(exact_spec(), Request("r", "generate", 1, 0, {"steps": 8, **params}))
    assert (calls.count("step_guided"), calls.count("step")) == (guided, 8 - guided)


def test_guidance_leads_away_from_what_all_classes_have_in_common() -> None:
    def mean(guidance: float) -> float:
        request = Request("r", "generate", 1, 0, {"steps": 20, "label": 0, "guidance": guidance})
        return float(row(exact_spec(), request)[0]["image"].mean())

    assert mean(2.0) < mean(1.0) < mean(0.0)


def test_a_preview_is_what_the_network_expects() -> None:
    program = compile_program(tiny_manifest(tiny_spec("diffusion")), "generate")
    assert program.preview is not None
    assert program.preview.to_caller == (("image", "image"),)
    x0 = torch.tensor([[0.5, -7.0], [torch.nan, 0.0]])
    image, ok = Preview(1.0)(x0)
    assert image[0].tolist() == [0.5, -1.0]
    assert ok.tolist() == [True, False]


def test_points_are_no_pictures() -> None:
    spec = exact_spec(POINT, "epsilon")
    manifest = tiny_manifest(spec)
    assert (manifest.modality, manifest.sample) == ("tensor", None)
    assert set(manifest.operations) == {"generate", "vary", "interpolate"}
    assert set(manifest.operations["vary"].inputs) == {"point"}
    assert not {"known", "mask"} & set(spec.graphs["step"].inputs)


def parameters(manifest: Manifest, operation: str) -> set[str]:
    return set(manifest.operations[operation].params)


def test_every_parameter_is_one_that_the_schedule_reads() -> None:
    manifest = tiny_manifest(tiny_spec("diffusion"))
    assert parameters(manifest, "vary") == {*DIFFUSION_PARAMS, "label"}
    assert (
        parameters(manifest, "generate")
        == parameters(manifest, "complete")
        == {*DIFFUSION_PARAMS, "label"} - {"strength"}
    )


def test_samplers_that_are_not_offered_have_an_alternative() -> None:
    sampler = tiny_manifest(tiny_spec("diffusion")).operations["generate"].params["sampler"]
    assert sampler.alternatives == INEXPRESSIBLE
    assert set(sampler.choices or ()) == set(SAMPLERS)


def test_words_that_make_other_noise_levels_are_refused() -> None:
    with pytest.raises(Misfit, match=r"betas 'linear' make ᾱ = 0\.\d+ at timestep \d+, where alphas_cumprod has 0\."):
        diffusion(
            tiny_model("diffusion"),
            shape=IMAGE,
            classes=CLASSES,
            prediction="v",
            alphas_cumprod=LEVELS["v"],
            betas="linear",
            examples=examples(),
        )


def test_a_picture_has_as_many_numbers_as_its_state() -> None:
    state = tiny_manifest(tiny_spec("diffusion")).operations["generate"].state
    assert {name: int(np.prod(spec.shape)) for name, spec in state.items()} == {
        "x": PIXELS,
        "x0": PIXELS,
        "label_noise": 1,
    }

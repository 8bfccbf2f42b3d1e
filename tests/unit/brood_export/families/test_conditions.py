"""A model of several conditions: each has its name everywhere, and what is made is what the label's model makes."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from brood.program import compile_program, run_row
from brood_export.errors import Misfit
from brood_export.families import FAMILIES, ExportSpec
from brood_export.families.base import complete_params
from brood_export.families.conditions import Conditions, label_of, values_of
from brood_export.options import checked_options, options_of
from brood_export.reference import TorchGraph, golden_run
from helpers.tiny_models import tiny_manifest

pytestmark = pytest.mark.export

TOLD = {"note": 3, "timbre": 2}


class Telling(nn.Module):
    """A generator whose picture shows its label, beside the latent."""

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        return torch.stack([z.sigmoid().mean(1), label / 6.0], 1)[:, None, None].expand(-1, 1, 4, 2)


class Velocity(nn.Module):
    def forward(self, x: Tensor, t: Tensor, label: Tensor) -> Tensor:
        return x * 0.1 + label[:, None, None, None] * 0.05 + t[:, None, None, None] * 0.001


def spec_of(family: str, classes: int | Conditions) -> ExportSpec:
    if family == "gan":
        return FAMILIES["gan"](Telling(), latent=3, classes=classes)
    return FAMILIES["flow-matching"](Velocity(), shape=(1, 4, 4), velocity="to_noise", classes=classes)


def run(spec: ExportSpec, index: int = 0, **params: Any) -> dict[str, Any]:
    manifest = tiny_manifest(spec)
    program = compile_program(manifest, "generate")
    graphs = {name: TorchGraph(name, manifest.graphs[name], graph) for name, graph in spec.graphs.items()}
    return run_row(program, graphs, seed=1, index=index, params=complete_params(program.operation, params), inputs={})


@pytest.mark.parametrize("family", ["gan", "flow-matching"])
def test_conditions_make_what_their_label_makes(family: str) -> None:
    named, plain = spec_of(family, TOLD), spec_of(family, 6)
    for label in range(6):
        values = values_of(label, TOLD)
        one, other = run(named, **values), run(plain, label=label)
        np.testing.assert_array_equal(one["image"], other["image"])
        assert {name: int(one[name]) for name in TOLD} == values
        assert "label" not in one


def test_what_is_not_said_is_drawn_whatever_is_said_of_the_others() -> None:
    spec = spec_of("gan", TOLD)
    anything = [run(spec, index) for index in range(60)]
    assert {(int(made["note"]), int(made["timbre"])) for made in anything} == {
        (a, b) for a in range(3) for b in range(2)
    }
    half = [run(spec, index, timbre=1) for index in range(30)]
    assert {int(made["timbre"]) for made in half} == {1}
    assert {int(made["note"]) for made in half} == {0, 1, 2}
    for made in half:
        assert float(made["image"][0, 0, 1]) == pytest.approx((2 * int(made["note"]) + 1) / 6)


@pytest.mark.parametrize("family", ["gan", "flow-matching"])
def test_nobody_speaks_of_a_label_and_every_golden_request_has_an_original(family: str) -> None:
    spec = spec_of(family, TOLD)
    for graph in spec.graphs.values():
        assert not {"label", "made_label"} & {*graph.inputs, *graph.outputs, *graph.ranges}
    manifest = tiny_manifest(spec)
    for request in spec.golden:
        operation = spec.operations[request.operation]
        assert "label" not in {*request.params, *operation.params, *operation.outputs}
        made, _ = golden_run(spec, manifest, request)
        assert set(made.outputs) == set(operation.outputs)
    assert spec.operations["generate"].params["note"].maximum == 2
    assert [dict(request.params) for request in spec.preview][:3] == [
        {"note": 0, "timbre": 0},
        {"note": 0, "timbre": 1},
        {"note": 1, "timbre": 0},
    ]


def test_a_label_is_its_values_and_back() -> None:
    told = {"a": 4, "b": 3, "c": 5}
    assert [label_of(values_of(label, told), told) for label in range(60)] == list(range(60))
    assert list(values_of(59, told)) == ["a", "b", "c"]
    assert label_of({"a": 0, "b": -1, "c": 2}, told) == -1


def test_the_command_line_tells_them_as_pairs() -> None:
    classes = options_of(FAMILIES["gan"])["classes"]
    assert "note=24,timbre=4" in classes.allowed
    assert classes.parse("10") == 10
    assert classes.parse("note=3,timbre=2") == TOLD
    assert checked_options("gan", FAMILIES["gan"], {"latent": 3, "classes": TOLD})["classes"] == TOLD
    with pytest.raises(
        Misfit, match=r"classes: \{'note': 2\.5\} is not allowed; allowed: a whole number or conditions"
    ):
        checked_options("gan", FAMILIES["gan"], {"latent": 3, "classes": {"note": 2.5}})


@pytest.mark.parametrize(
    ("classes", "words"),
    [
        ({"note": 0}, "'note' of 0 values is not allowed; allowed: names with 1 or more values"),
        ({"a b": 2}, "'a b' of 2 values is not allowed"),
        ({"truncation": 2}, "'truncation' is not allowed; allowed: names that the family does not use itself"),
    ],
)
def test_conditions_that_cannot_be_are_refused(classes: Conditions, words: str) -> None:
    with pytest.raises(Misfit, match=words):
        spec_of("gan", classes)

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from brood_export.families import ExportSpec, StepGraph
from brood_export.reference import EDGE, golden_run, make_reference
from helpers.tiny_models import PIXELS, tiny_manifest, tiny_spec

pytestmark = pytest.mark.export


def test_every_graph_is_recorded_at_every_number_of_rows() -> None:
    spec = tiny_spec("vae")
    manifest = tiny_manifest(spec)
    reference = make_reference(spec, manifest)
    random = [(call.graph, call.rows) for call in reference.calls if call.check == "random inputs"]
    assert sorted(random) == sorted((name, rows) for name, graph in manifest.graphs.items() for rows in graph.buckets)
    assert [run.request.id for run in reference.runs] == [request.id for request in spec.golden]


def test_a_trajectory_holds_every_step_in_order_with_the_original_s_state() -> None:
    spec = tiny_spec("pixelrnn")
    manifest = tiny_manifest(spec)
    _, calls = golden_run(spec, manifest, spec.golden[0])
    assert [int(call.inputs["position"][0]) for call in calls] == list(range(PIXELS))
    for before, after in itertools.pairwise(calls):
        np.testing.assert_array_equal(before.outputs["next_canvas"], after.inputs["canvas"])


def with_margin(spec: ExportSpec, margins: list[float]) -> ExportSpec:
    """The spec, its one graph's decisions this far from their edge, run after run."""
    left = iter(margins)
    (name, graph), *_ = spec.graphs.items()
    changed: StepGraph = replace(graph, margin=lambda *tensors: torch.full((len(tensors[0]),), next(left)))
    return replace(spec, graphs={name: changed})


def test_the_seed_of_a_golden_run_is_the_first_without_a_decision_on_edge() -> None:
    spec = tiny_spec("gan")
    request = spec.golden[0]
    run, _ = golden_run(with_margin(spec, [0.0, EDGE / 2, 2 * EDGE]), tiny_manifest(spec), request)
    assert run.request.seed == request.seed + 2


def test_a_model_that_is_always_on_edge_has_no_golden_run() -> None:
    spec = tiny_spec("gan")
    with pytest.raises(ValueError, match="golden 'generate_label'"):
        golden_run(with_margin(spec, [0.0] * 1000), tiny_manifest(spec), spec.golden[0])

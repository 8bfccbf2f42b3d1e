"""What holds for every family: names resolve, tensors are what is declared, and randomness comes from outside only."""

import numpy as np
import pytest
import torch

from brood.program import compile_program, run_row
from brood_export.families import FAMILIES, StepGraph
from brood_export.families.base import complete_params
from brood_export.reference import TorchGraph
from brood_export.targets.base import draw_inputs, tensors
from helpers.tiny_models import CLASSES, tiny_manifest, tiny_spec

pytestmark = pytest.mark.export

families = pytest.mark.parametrize("family", list(FAMILIES))


def call(graph: StepGraph, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    with torch.no_grad():
        results = graph.module(*tensors(graph, inputs))
    return {name: result.numpy() for name, result in zip(graph.outputs, results, strict=True)}


@families
def test_graphs_give_what_they_declare_at_any_number_of_rows(family: str) -> None:
    for graph in tiny_spec(family).graphs.values():
        for rows in (1, 2, 5):
            outputs = call(graph, draw_inputs(graph, rows, seed=1))
            for name, declared in graph.outputs.items():
                assert outputs[name].shape == (rows, *declared.shape), name
                assert outputs[name].dtype == declared.dtype, name


@families
def test_every_graph_says_whether_its_rows_are_finite(family: str) -> None:
    for graph in tiny_spec(family).graphs.values():
        assert graph.outputs["ok"].role == "ok"
        assert call(graph, draw_inputs(graph, 3, seed=1))["ok"].all()


@families
def test_inputs_and_outputs_share_no_name(family: str) -> None:
    for graph in tiny_spec(family).graphs.values():
        assert not set(graph.inputs) & set(graph.outputs)


@families
def test_rows_do_not_see_each_other(family: str) -> None:
    for graph in tiny_spec(family).graphs.values():
        together = draw_inputs(graph, 4, seed=2)
        alone = call(graph, {name: array[2:3] for name, array in together.items()})
        for name, array in call(graph, together).items():
            np.testing.assert_allclose(array[2:3], alone[name], atol=1e-6, err_msg=name)


@families
def test_golden_requests_run_and_repeat(family: str) -> None:
    spec = tiny_spec(family)
    manifest = tiny_manifest(spec)
    assert {request.operation for request in spec.golden} == set(spec.operations)
    for request in spec.golden:
        program = compile_program(manifest, request.operation)
        graphs = {name: TorchGraph(name, manifest.graphs[name], graph) for name, graph in spec.graphs.items()}
        params = complete_params(program.operation, request.params)
        first, again = (
            run_row(program, graphs, seed=request.seed, index=request.index, params=params, inputs=request.inputs)
            for _ in range(2)
        )
        for name, output in program.operation.outputs.items():
            assert first[name].shape == output.shape
            assert first[name].dtype == output.dtype
            np.testing.assert_array_equal(first[name], again[name])


@families
def test_any_label_is_resolved_and_reported(family: str) -> None:
    spec = tiny_spec(family)
    manifest = tiny_manifest(spec)
    program = compile_program(manifest, "generate")
    graphs = {name: TorchGraph(name, manifest.graphs[name], graph) for name, graph in spec.graphs.items()}
    short = {"steps": 2} if "steps" in program.operation.params else {}
    made = []
    for index in range(6):
        params = complete_params(program.operation, {"label": -1, **short})
        outputs = run_row(program, graphs, seed=4, index=index, params=params, inputs={})
        made.append(int(outputs["label"]))
    again = run_row(program, graphs, seed=4, index=5, params=params | {"label": made[-1]}, inputs={})
    np.testing.assert_array_equal(outputs["image"], again["image"])
    assert set(made) == set(range(CLASSES))

"""ONNX by torch's exporter (torch.export underneath), one file with the weights inside.

The classic fault is a rows axis that the exporter has taken for a constant: it is looked for in the file itself.
"""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import onnx
import torch
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto

from brood_export.families.base import StepGraph
from brood_export.targets.base import Target, example

OPSET = 20
ROWS = "rows"
Noted = GraphProto | NodeProto | TensorProto | ValueInfoProto


class StaticRows(RuntimeError):
    """The rows axis of a tensor came out as a constant."""


def export_onnx(graph: StepGraph, path: Path) -> None:
    """Write a graph.

    Raises:
        StaticRows: an input or output has lost its rows axis.
    """
    rows = torch.export.Dim(ROWS, min=1, max=2**16)
    with quiet():
        program = torch.onnx.export(
            graph.module.eval(),
            example(graph),
            input_names=list(graph.inputs),
            output_names=list(graph.outputs),
            dynamic_shapes=tuple({0: rows} for _ in graph.inputs),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    strip(model)
    check_rows(model)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString(deterministic=True))


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hold back what torch's exporter says about its own plans and about packages that are not installed."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def strip(model: ModelProto) -> None:
    """Remove what the exporter notes about the source code: stack traces hold paths of the machine that exported."""
    model.doc_string = ""
    del model.metadata_props[:]
    del model.functions[:]  # the graph is inlined; unused ones would bring their own notes
    graph = model.graph
    parts: list[Noted] = [graph, *graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer]
    for part in parts:
        part.doc_string = ""
        del part.metadata_props[:]


def check_rows(model: ModelProto) -> None:
    """Whether the first axis of every input and output is the symbol `rows`."""
    for value in [*model.graph.input, *model.graph.output]:
        if first_axis(value) != ROWS:
            raise StaticRows(f"{value.name}: the first axis is {first_axis(value)!r}, not {ROWS!r}")


def first_axis(value: ValueInfoProto) -> str | int:
    """Name or size of a tensor's first axis; 0 if it has none."""
    axes = value.type.tensor_type.shape.dim
    return (axes[0].dim_param or axes[0].dim_value) if axes else 0


def versions() -> dict[str, str]:
    return {"onnx": onnx.__version__, "onnx_opset": str(OPSET)}


ONNX = Target("onnx", ".onnx", export_onnx, versions)

"""ONNX by torch's exporter (torch.export underneath), one file with the weights inside.

The classic fault is a rows axis that the exporter has taken for a constant: it is looked for in the file itself.
"""

from __future__ import annotations

import contextlib
import inspect
import logging
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path

import onnx
import torch
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto
from torch import nn

from brood_export.blame import line_of, reason, root
from brood_export.errors import NotExportable, StaticRows
from brood_export.families.base import StepGraph
from brood_export.limits import FLOAT16
from brood_export.targets.base import Target, example
from brood_export.targets.folding import folded
from brood_export.targets.half import halved

OPSET = 20
INVERSES = "linalg"  # in the names of operations that ONNX lacks: of weights alone, they are constants
ROWS = "rows"
Noted = GraphProto | NodeProto | TensorProto | ValueInfoProto


def export_onnx(graph: StepGraph, path: Path) -> None:
    """Write a graph.

    Raises:
        StaticRows: an input or output has lost its rows axis.
        NotExportable: torch cannot export the module.
    """
    write(converted(graph, path.stem), path)


def export_onnx_half(graph: StepGraph, path: Path) -> None:
    """Write a graph whose network computes in float16; raises as `export_onnx` does."""
    write(halved(converted(graph, path.stem)), path)


def converted(graph: StepGraph, name: str) -> ModelProto:
    """The graph in ONNX, with the exporter's notes."""
    module = graph.source.eval()
    with quiet():
        try:
            try:
                return _exported(graph, module)
            except torch.onnx.OnnxExporterError as error:
                if INVERSES not in str(root(error)):
                    raise
            return _exported(graph, folded(module, example(graph), rows_of(module, graph)))
        except torch.onnx.OnnxExporterError as error:
            raise complaint(error, name) from error


def _exported(graph: StepGraph, module: nn.Module) -> ModelProto:
    program = torch.onnx.export(
        module,
        example(graph),
        input_names=list(graph.inputs),
        output_names=list(graph.outputs),
        dynamic_shapes=rows_of(module, graph),
        opset_version=OPSET,
        dynamo=True,
        verbose=False,
    )
    assert program is not None
    return program.model_proto


def write(model: ModelProto, path: Path) -> None:
    """Write a model without notes, if its rows are open."""
    strip(model)
    check_rows(model)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString(deterministic=True))


def rows_of(module: nn.Module, graph: StepGraph) -> tuple[object, ...]:
    """Which axis of every input is free, in the structure of the module's arguments."""
    axes = tuple({0: torch.export.Dim(ROWS, min=1, max=2**16)} for _ in graph.inputs)
    parameters = inspect.signature(module.forward).parameters.values()
    return (axes,) if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters) else axes


def complaint(error: Exception, name: str) -> NotExportable:
    """Why torch cannot export a module; with the line, and what to do where that is known."""
    cause = root(error)
    where = line_of(traceback.extract_tb(cause.__traceback__))
    if "specialized" in str(cause) or "Constraint" in type(cause).__name__ or ROWS in str(cause):
        return StaticRows(
            f"graph {name!r}: the number of rows is taken for a constant: {where}: {reason(cause)}; "
            "do not loop over rows, and take their number from the tensor (x.shape[0], or -1)"
        )
    return NotExportable(f"graph {name!r}: torch cannot export it: {where}: {reason(cause)}")


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


def half_versions() -> dict[str, str]:
    return {**versions(), "precision": "float16"}


ONNX = Target("onnx", ".onnx", export_onnx, versions)
ONNX_HALF = Target("onnx", ".onnx", export_onnx_half, half_versions, FLOAT16)

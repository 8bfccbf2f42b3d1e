"""Runs a graph on random rows: what its outputs are, and whether a row's results are its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from brood.runtimes.onnx_graph import reason_of
from brood.sampling.noise import noise
from brood_export.errors import NotImportable
from brood_export.function_graph import FunctionGraph, Tensor

CLOSE = 1e-3  # sums come out differently at other numbers of rows; mixing rows makes more of a difference
QUIET = 4  # errors are raised, and need no second telling

Array = NDArray[np.generic]


@dataclass(frozen=True, slots=True)
class Trial:
    """What random rows gave."""

    outputs: tuple[Tensor, ...]
    rows: int  # run together
    inputs: Mapping[str, Array]  # [rows, *shape]
    together: Mapping[str, Array]  # [rows, *shape]
    alone: Mapping[str, Array]  # [1, *shape], of the first row


def try_graph(graph: FunctionGraph, rows: int) -> Trial:
    """Run a graph, all rows together and each alone.

    Args:
        graph: as it was read.
        rows: how many to run together; 1 where more are not allowed.

    Raises:
        NotImportable: it does not run, an output has no rows, or a row's results depend on the others.
    """
    session = _session(graph)
    inputs = {tensor.name: _drawn(tensor, rows, stream) for stream, tensor in enumerate(graph.inputs)}
    together = _run(session, graph, inputs)
    for name, found in together.items():
        if found.shape[:1] != (rows,):
            text = f"output {name!r} is {list(found.shape)} for {rows} rows; allowed: an axis of rows in front"
            raise NotImportable(text)
    alone = [
        _run(session, graph, {name: array[row : row + 1] for name, array in inputs.items()}) for row in range(rows)
    ]
    for row, made in enumerate(alone):
        for name, found in made.items():
            _check_alike(name, found, together[name][row : row + 1])
    outputs = tuple(Tensor(name, dtype, together[name].shape[1:]) for name, dtype in graph.outputs.items())
    return Trial(outputs, rows, inputs, together, alone[0])


def _session(graph: FunctionGraph) -> onnxruntime.InferenceSession:
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = QUIET
    try:
        content = graph.model.SerializeToString()
        return onnxruntime.InferenceSession(content, settings, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's exceptions have no base of their own
        raise NotImportable(f"ONNX Runtime refuses the graph: {reason_of(error)}") from error


def _run(session: onnxruntime.InferenceSession, graph: FunctionGraph, inputs: Mapping[str, Array]) -> dict[str, Array]:
    try:
        found = session.run(list(graph.outputs), dict(inputs))
    except Exception as error:  # ONNX Runtime's exceptions have no base of their own
        rows = len(next(iter(inputs.values())))
        raise NotImportable(f"the graph does not run with {rows} rows: {reason_of(error)}") from error
    return dict(zip(graph.outputs, found, strict=True))


def _drawn(tensor: Tensor, rows: int, stream: int) -> Array:
    """Numbers of (-1, 1); of whole ones, 0 and 1, which are fine as an index nearly everywhere."""
    even = noise("uniform", seed=0, stream=stream, index=0, step=0, shape=(rows, *tensor.shape))
    values = even * 2 - 1 if np.dtype(tensor.dtype).kind == "f" else np.rint(even)
    return values.astype(tensor.dtype)


def _check_alike(name: str, alone: Array, together: Array) -> None:
    if alone.shape != together.shape:
        text = f"output {name!r} is {list(alone.shape)} for a row alone, {list(together.shape)} among others"
        raise NotImportable(f"{text}; allowed: fixed sizes")
    left, right = alone.astype(np.float64), together.astype(np.float64)
    if not np.allclose(left, right, rtol=CLOSE, atol=CLOSE, equal_nan=True):
        text = f"output {name!r}: a row's results depend on the other rows, so that requests cannot share a call"
        raise NotImportable(f"{text}; allowed: rows that are independent, or a first axis of size 1 (--dims)")

"""ONNX Runtime: runs ``.onnx`` graphs on the CPU or on a GPU, without torch and without the `onnx` package."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from brood.protocol.errors import BundleError
from brood.protocol.manifest import Graph, GraphInput, GraphOutput
from brood.runtimes.base import RuntimeOptions
from brood.runtimes.device import parse_device
from brood.runtimes.onnx_captured import OPTION, OnnxCapturedGraph
from brood.runtimes.onnx_external import external_tensors
from brood.runtimes.onnx_graph import DTYPES, OnnxDeviceGraph, OnnxGraph
from brood.runtimes.onnx_session import ON, Machine, open_session, this_machine


class _Node(Protocol):
    """An input or output as ONNX Runtime describes it."""

    name: str
    type: str
    shape: Sequence[int | str | None]


def load_onnx(path: Path, spec: Graph, options: RuntimeOptions) -> OnnxGraph:
    """Load an ONNX graph.

    The file is read once and handed over as bytes, and must be self-contained.

    Raises:
        BundleError: the file is unreadable, refers to other files, or has other inputs and outputs than ``spec``;
            ONNX Runtime is not installed, or does not run it on ``options.device`` (see `open_session`).
    """
    return load_on(this_machine(), path, spec, options)


def load_on(machine: Machine, path: Path, spec: Graph, options: RuntimeOptions) -> OnnxGraph:
    """The same with what a machine has."""
    content = path.read_bytes()
    _check_self_contained(path, content)
    try:
        session, placement = open_session(machine, content, spec, options)
    except BundleError as error:
        raise BundleError(f"{path.name}: {error.message}", field=error.field) from error
    alone = spec.buckets == (1,)
    _check_tensors(f"{path.name}: input", session.get_inputs(), spec.inputs, alone)
    _check_tensors(f"{path.name}: output", session.get_outputs(), spec.outputs, alone)
    if not spec.inputs:
        raise BundleError(f"{path.name}: a graph without inputs cannot know how many rows to make")
    device = parse_device(options.device)
    if not device.is_gpu:
        return OnnxGraph(spec, session, placement)
    if device.kind == "cuda" and options.provider_options.get(OPTION) in ON:
        return OnnxCapturedGraph(machine.ort, spec, session, placement, "cuda", device.number)
    # TensorRT's tensors lie in the memory that CUDA's lie in, and have its name.
    return OnnxDeviceGraph(spec, session, placement, "cuda", device.number)


def _check_self_contained(path: Path, content: bytes) -> None:
    try:
        external = external_tensors(content)
    except ValueError as error:
        raise BundleError(f"{path.name}: not an ONNX file: {error}") from error
    if external:
        raise BundleError(
            f"{path.name}: tensor {external[0]!r} has external data; weights must lie in the graph file itself"
        )


def _check_tensors(
    where: str, found: Sequence[_Node], declared: Mapping[str, GraphInput | GraphOutput], alone: bool
) -> None:
    """Hold tensors against the manifest; ``alone``: every call has one row, so that the rows axis may be fixed to 1."""
    names = [node.name for node in found]
    if set(names) != set(declared):
        raise BundleError(f"{where}s are {sorted(names)}, declared {sorted(declared)}")
    for node in found:
        spec, dims = declared[node.name], list(node.shape)
        dtype = DTYPES.get(node.type, node.type)
        if dtype != spec.dtype:
            raise BundleError(f"{where} {node.name!r} is {dtype}, declared {spec.dtype}")
        if not dims or (isinstance(dims[0], int) and not (alone and dims[0] == 1)):
            raise BundleError(f"{where} {node.name!r} is {dims}; its first axis must be rows, and dynamic")
        if dims[1:] != list(spec.shape):
            raise BundleError(f"{where} {node.name!r} is {dims}, declared ['rows', {str(list(spec.shape))[1:]}")

"""ONNX Runtime: runs ``.onnx`` graphs on the CPU or on CUDA, without torch and without the `onnx` package."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

from brood.protocol.errors import BundleError
from brood.protocol.manifest import Graph, GraphInput, GraphOutput
from brood.runtimes.base import RuntimeOptions
from brood.runtimes.onnx_external import external_tensors
from brood.runtimes.onnx_graph import DTYPES, OnnxDeviceGraph, OnnxGraph, reason_of

DISTRIBUTIONS = {"onnxruntime": "cpu", "onnxruntime-gpu": "gpu"}  # → our extra that brings it; they share one module
PROVIDERS: dict[str, tuple[str, dict[str, str]]] = {
    "cpu": ("CPUExecutionProvider", {}),
    # EXHAUSTIVE, the default, times algorithms at every new shape: slow, and another choice each time.
    "cuda": ("CUDAExecutionProvider", {"cudnn_conv_algo_search": "HEURISTIC", "use_tf32": "0"}),
}
LOG_FATAL_ONLY = 4  # errors are raised as exceptions and need no second telling on stderr


class _Node(Protocol):
    """An input or output as ONNX Runtime describes it."""

    name: str
    type: str
    shape: Sequence[int | str | None]


def load_onnx(path: Path, spec: Graph, options: RuntimeOptions) -> OnnxGraph:
    """Load an ONNX graph.

    The file is read once and handed over as bytes, and must be self-contained. Per call, ``options.threads`` threads
    compute; they sleep between calls instead of spinning, because the cores are shared with everything else here.

    Raises:
        BundleError: the file is unreadable, refers to other files, or has other inputs and outputs than ``spec``;
            ONNX Runtime is not installed, or has no support for ``options.device``.
    """
    content = path.read_bytes()
    _check_self_contained(path, content)
    session = _session(path, content, options)
    alone = spec.buckets == (1,)
    _check_tensors(f"{path.name}: input", session.get_inputs(), spec.inputs, alone)
    _check_tensors(f"{path.name}: output", session.get_outputs(), spec.outputs, alone)
    if not spec.inputs:
        raise BundleError(f"{path.name}: a graph without inputs cannot know how many rows to make")
    return OnnxGraph(spec, session) if options.device == "cpu" else OnnxDeviceGraph(spec, session, options.device)


def _check_self_contained(path: Path, content: bytes) -> None:
    try:
        external = external_tensors(content)
    except ValueError as error:
        raise BundleError(f"{path.name}: not an ONNX file: {error}") from error
    if external:
        raise BundleError(
            f"{path.name}: tensor {external[0]!r} has external data; weights must lie in the graph file itself"
        )


def _session(path: Path, content: bytes, options: RuntimeOptions) -> Any:
    _check_installed()
    import onnxruntime

    if options.device not in PROVIDERS:
        raise BundleError(f"device: {options.device!r} is not allowed; allowed: {', '.join(PROVIDERS)}")
    provider = PROVIDERS[options.device]
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.threads
    settings.inter_op_num_threads = 1
    settings.use_deterministic_compute = True
    settings.log_severity_level = LOG_FATAL_ONLY
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    _check_provider(options.device, onnxruntime.get_available_providers())
    try:
        session = onnxruntime.InferenceSession(content, settings, providers=[provider])
    except Exception as error:  # ONNX Runtime's exceptions have no base of their own
        raise BundleError(f"{path.name}: ONNX Runtime refuses it: {reason_of(error)}") from error
    # Without its libraries a provider is dropped with a warning, and after an error with a message: both are refused.
    session.disable_fallback()
    _check_provider(options.device, session.get_providers())
    return session


def _check_provider(device: str, available: Iterable[str]) -> None:
    provider = PROVIDERS[device][0]
    if provider not in available:
        raise BundleError(
            f"device {device!r} needs ONNX Runtime's {provider}, which does not work here; "
            f"there are: {', '.join(available)}"
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


@cache
def _check_installed() -> None:
    check_distributions([name for name in DISTRIBUTIONS if _present(name)])


def check_distributions(present: Sequence[str]) -> None:
    """Refuse a Python environment in which not exactly one distribution brings ONNX Runtime.

    Args:
        present: which of `DISTRIBUTIONS` are installed.

    Raises:
        BundleError: neither or both are.
    """
    if not present:
        extras = " or ".join(f"'brood[{extra}]'" for extra in DISTRIBUTIONS.values())
        raise BundleError(f"ONNX Runtime is not installed; install {extras}")
    if len(present) > 1:
        raise BundleError(f"both {' and '.join(present)} are installed and overwrite each other; uninstall one")


def _present(distribution: str) -> bool:
    try:
        metadata.distribution(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True

"""Opens ONNX Runtime sessions on the device that was asked for, or says why not: never silently on another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import metadata
from typing import Any

from brood.protocol.errors import BundleError
from brood.protocol.manifest import Graph
from brood.runtimes.base import Placement, RuntimeOptions
from brood.runtimes.device import parse_device
from brood.runtimes.gpus import Gpu, gpu_of, visible_gpus
from brood.runtimes.onnx_external import weights_dtype
from brood.runtimes.onnx_graph import reason_of
from brood.runtimes.onnx_providers import CUDA, PROVIDERS, TENSORRT, Providers, providers_for

DISTRIBUTIONS = {"onnxruntime": "cpu", "onnxruntime-gpu": "gpu"}  # → our extra that brings it; they share one module
LOG_FATAL_ONLY = 4  # errors are raised as exceptions and need no second telling on stderr
# A thread that waits for another one's part of an operator spins so long before it sleeps. Of a convolutional generator
# on 2 cores, 0 makes 5 % fewer samples a second beside busy callers (1,000 of 1,056), 40 and more as few: who spins is
# in the way of the event loop.
SPIN_US = 20
GROWS_BY_WHAT_IS_ASKED = 1  # arena_extend_strategy: kSameAsRequested
# Of numbers that are float32 in the file, the first option that is set decides in what they are computed.
LOWERED = (("trt_int8_enable", "int8"), ("trt_fp16_enable", "float16"), ("trt_bf16_enable", "bfloat16"))
ON = frozenset({"1", "true", "True"})


@dataclass(frozen=True, slots=True)
class Machine:
    """What sessions are opened with; a test has its own."""

    ort: Any  # the module `onnxruntime`
    gpus: Callable[[], Sequence[Gpu]] = visible_gpus
    budgets: dict[int, int] = field(default_factory=dict)  # GPU → bytes of the arena that its sessions share


@cache
def this_machine() -> Machine:
    """This process's.

    Raises:
        BundleError: ONNX Runtime is not installed, or twice.
    """
    check_distributions([name for name in DISTRIBUTIONS if _present(name)])
    import onnxruntime

    return Machine(onnxruntime)


def open_session(machine: Machine, content: bytes, spec: Graph, options: RuntimeOptions) -> tuple[Any, Placement]:
    """Open a session for a graph.

    Per call, ``options.threads`` threads compute; they sleep between calls instead of spinning, because the cores are
    shared with everything else here, and spin for moments within one. On a GPU, all sessions of a process allocate from
    one arena, of at most ``options.memory_bytes``, or its part if it has a part of the GPU: calls run one after
    another, so what one graph works in, the next can work in as well.

    Returns:
        The session, and what it says of who runs the graph's nodes.

    Raises:
        BundleError: the device is not there, its provider is not or does not start, an option is not allowed or
            unknown, or ONNX Runtime refuses the graph.
    """
    device = parse_device(options.device)
    _check_provider(options.device, PROVIDERS[device.kind], machine.ort.get_available_providers())
    if device.is_gpu:
        options = _with_budget(options, gpu_of(device, machine.gpus()))
    providers, settings = providers_for(options, spec, content), _settings(machine, options)
    asked = providers[0][0]
    if device.is_gpu:
        machine.ort.preload_dlls()  # the libraries of NVIDIA's own packages, where those are installed
        settings.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
        if options.memory_bytes is not None:
            _share_arena(machine, device.number, options.memory_bytes)
            settings.add_session_config_entry("session.use_env_allocators", "1")
    try:
        # Without enable_fallback=0, a provider that fails to start is dropped, and the CPU runs the graph.
        session = machine.ort.InferenceSession(content, settings, providers=providers, enable_fallback=0)
    except Exception as error:  # ONNX Runtime's exceptions have no base of their own
        raise BundleError(f"ONNX Runtime refuses it: {reason_of(error)}") from error
    _check_provider(options.device, asked, session.get_providers())  # one without its libraries is dropped all the same
    fallback = _fallback(session, asked) if device.is_gpu else {}
    return session, Placement(asked, precision(content, providers), fallback)


def precision(content: bytes, providers: Providers) -> str:
    """In which floating-point type a graph's numbers are computed: as in its file, unless an option lowers it.

    TensorRT takes TF32 for float32 wherever the GPU has it and it is quicker; there is no option against it.
    """
    name, options = providers[0]
    stored = weights_dtype(content) or "float32"
    lowered = next((word for key, word in LOWERED if options.get(key) in ON), "")
    if stored != "float32":
        return stored
    return lowered or ("tf32" if name == TENSORRT or options.get("use_tf32") in ON else stored)


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


def _settings(machine: Machine, options: RuntimeOptions) -> Any:
    settings = machine.ort.SessionOptions()
    settings.intra_op_num_threads = options.threads
    settings.inter_op_num_threads = 1
    settings.use_deterministic_compute = True
    settings.log_severity_level = LOG_FATAL_ONLY
    settings.add_session_config_entry("session.intra_op.spin_duration_us", str(SPIN_US))
    return settings


def _check_provider(device: str, provider: str, available: Sequence[str]) -> None:
    if provider not in available:
        extra = "" if provider not in (CUDA, TENSORRT) else "; on a machine with a GPU, install 'brood[gpu]'"
        raise BundleError(
            f"device {device!r} needs ONNX Runtime's {provider}, which does not work here; "
            f"there are: {', '.join(available)}{extra}",
            field="device",
        )


def _with_budget(options: RuntimeOptions, gpu: Gpu) -> RuntimeOptions:
    """Who has a part of a GPU takes no more of its memory, told or not: nothing else keeps processes apart there."""
    if options.memory_bytes is not None or options.gpu_share >= 1.0:
        return options
    return replace(options, memory_bytes=gpu.share_bytes(options.gpu_share))


def _share_arena(machine: Machine, number: int, limit_bytes: int) -> None:
    """Make the arena of a GPU, once in a process."""
    known = machine.budgets.get(number)
    if known not in (None, limit_bytes):
        raise BundleError(
            f"memory_bytes: {limit_bytes} is not allowed; this process has given GPU {number} {known} already",
            field="memory_bytes",
        )
    if known is None:
        ort = machine.ort
        where = ort.OrtMemoryInfo("Cuda", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, number, ort.OrtMemType.DEFAULT)
        arena = ort.OrtArenaCfg({"max_mem": limit_bytes, "arena_extend_strategy": GROWS_BY_WHAT_IS_ASKED})
        try:
            ort.create_and_register_allocator_v2(CUDA, where, {"device_id": str(number)}, arena)
        except Exception as error:  # ONNX Runtime's exceptions have no base of their own
            raise BundleError(f"ONNX Runtime refuses an arena on GPU {number}: {reason_of(error)}") from error
        machine.budgets[number] = limit_bytes


def _fallback(session: Any, asked: str) -> Mapping[str, int]:
    """Operator → nodes of it that are not run by the provider asked for."""
    parts = session.get_provider_graph_assignment_info()
    return Counter(node.op_type for part in parts if part.ep_name != asked for node in part.get_nodes())


def _present(distribution: str) -> bool:
    try:
        metadata.distribution(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True

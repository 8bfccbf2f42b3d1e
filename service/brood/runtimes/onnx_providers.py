"""Which of ONNX Runtime's providers run a graph on a device, and with which options.

Options and their defaults: ONNX Runtime's pages "CUDA Execution Provider" and "TensorRT Execution Provider".
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from brood.protocol.errors import BundleError
from brood.protocol.manifest import Graph
from brood.runtimes.base import RuntimeOptions
from brood.runtimes.device import Device, Kind, parse_device

CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"
PROVIDERS: Mapping[Kind, str] = {"cpu": CPU, "cuda": CUDA, "tensorrt": TENSORRT}
TENSORRT_PREFIX = "trt_"
OURS: Mapping[str, Mapping[str, str]] = {
    # EXHAUSTIVE, the default, times algorithms at every new shape: slow, and another choice each time. The arena grows
    # by what is asked for, not to the next power of two: with a budget, what it takes too much is missing elsewhere.
    CUDA: {
        "arena_extend_strategy": "kSameAsRequested",
        "cudnn_conv_algo_search": "HEURISTIC",
        "use_tf32": "0",
    },
    TENSORRT: {},
}
ELSEWHERE = {  # options that are made of what is said elsewhere
    "device_id": "device",
    "gpu_mem_limit": "memory_bytes",
    "trt_max_workspace_size": "memory_bytes",
    "trt_engine_cache_enable": "cache_dir",
    "trt_engine_cache_path": "cache_dir",
    "trt_timing_cache_enable": "cache_dir",
    "trt_timing_cache_path": "cache_dir",
    "trt_profile_min_shapes": "the manifest",
    "trt_profile_opt_shapes": "the manifest",
    "trt_profile_max_shapes": "the manifest",
}
POINTERS = frozenset({"has_user_compute_stream", "user_compute_stream"})  # addresses of this process's memory

Providers = list[tuple[str, dict[str, str]]]  # the first is the one asked for; each takes what those before leave


def providers_for(options: RuntimeOptions, spec: Graph, content: bytes) -> Providers:
    """The providers of one graph's session.

    Args:
        options: how graphs run here.
        spec: of the graph.
        content: its file.

    Raises:
        BundleError: there is no such device, or an option may not be set.
    """
    device = parse_device(options.device)
    if not device.is_gpu:
        _nothing_for_a_gpu(options)
        return [(CPU, {})]
    _check_options(device, options.provider_options)
    own = _own(device, options.provider_options)
    cuda = own[CUDA] | {"device_id": str(device.number)} | _limit("gpu_mem_limit", options)
    if device.kind == "cuda":
        return [(CUDA, cuda)]
    tensorrt = own[TENSORRT] | {"device_id": str(device.number)} | _limit("trt_max_workspace_size", options)
    return [(TENSORRT, tensorrt | _profile(spec) | _caches(options, content)), (CUDA, cuda)]


def numeric_options(options: RuntimeOptions) -> tuple[str, ...]:
    """The provider options that may change bits, as ``name=value``, in order; which device and memory does not."""
    device = parse_device(options.device)
    if not device.is_gpu:
        return ()
    own = _own(device, options.provider_options)
    used = own[CUDA] | (own[TENSORRT] if device.kind == "tensorrt" else {})
    return tuple(f"{name}={used[name]}" for name in sorted(used))


def _own(device: Device, given: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Ours, and over them what was given; on TensorRT, each option goes to the provider that knows it."""
    parts = {True: TENSORRT, False: CUDA}
    found = {provider: dict(ours) for provider, ours in OURS.items()}
    for name, value in given.items():
        found[parts[name.startswith(TENSORRT_PREFIX)]][name] = value
    return found


def _check_options(device: Device, given: Mapping[str, str]) -> None:
    for name in given:
        where = f"provider_options.{name}"
        if name in ELSEWHERE:
            raise BundleError(f"{where} is not allowed; it is made of {ELSEWHERE[name]}", field=where)
        if name in POINTERS:
            raise BundleError(f"{where} is not allowed; it is an address in this process", field=where)
        if name.startswith(TENSORRT_PREFIX) and device.kind != "tensorrt":
            raise BundleError(f"{where} is not allowed on {device.kind!r}; allowed: on tensorrt", field=where)


def _nothing_for_a_gpu(options: RuntimeOptions) -> None:
    for name in ("provider_options", "memory_bytes"):
        if getattr(options, name):
            raise BundleError(f"{name} is not allowed on 'cpu'; allowed: on cuda and tensorrt", field=name)


def _limit(name: str, options: RuntimeOptions) -> dict[str, str]:
    return {} if options.memory_bytes is None else {name: str(options.memory_bytes)}


def _profile(spec: Graph) -> dict[str, str]:
    """The shapes that TensorRT builds an engine for: from one row to the most. Else it builds again at each new one."""
    if spec.buckets == (1,):
        return {}
    ends = {"min": spec.buckets[0], "opt": spec.buckets[-1], "max": spec.buckets[-1]}
    return {f"trt_profile_{end}_shapes": _shapes(spec, rows) for end, rows in ends.items()}


def _shapes(spec: Graph, rows: int) -> str:
    return ",".join(f"{name}:{'x'.join(map(str, (rows, *found.shape)))}" for name, found in spec.inputs.items())


def _caches(options: RuntimeOptions, content: bytes) -> dict[str, str]:
    """Building an engine takes minutes, and each time other kernels may win: one that was built is kept."""
    if options.cache_dir is None:
        return {}
    folder = engine_folder(options.cache_dir, options, content)
    folder.mkdir(parents=True, exist_ok=True)
    kinds = ("engine", "timing")
    enabled = {f"trt_{kind}_cache_enable": "1" for kind in kinds}
    return enabled | {f"trt_{kind}_cache_path": str(folder) for kind in kinds}


def engine_folder(cache_dir: Path, options: RuntimeOptions, content: bytes) -> Path:
    """Where the engines of one graph lie: apart for each file and for options that change what is built."""
    digest = hashlib.sha256(content)
    for option in numeric_options(options):
        digest.update(b"\0" + option.encode())
    return cache_dir / "tensorrt" / digest.hexdigest()[:32]

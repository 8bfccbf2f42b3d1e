"""ONNX Runtime as it would be on a machine with GPUs: the real one on the CPU, that says it is on a GPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import onnxruntime

from brood.runtimes.gpus import Gpu
from brood.runtimes.onnx_providers import CPU, CUDA, TENSORRT
from brood.runtimes.onnx_session import Machine

A10 = Gpu("NVIDIA A10", 24 * 2**30, (8, 6))
ON_CPU = frozenset({"Greater"})  # operators that its GPU provider does not know


@dataclass
class Session:
    """A session on the CPU, that tells another story of itself."""

    real: Any
    providers: Sequence[str]

    def get_providers(self) -> list[str]:
        return [*self.providers, CPU]

    def get_provider_graph_assignment_info(self) -> list[Any]:
        return [Part(CPU if node.op_type in ON_CPU else self.providers[0], [node]) for node in self._nodes()]

    def _nodes(self) -> list[Any]:
        return [node for part in self.real.get_provider_graph_assignment_info() for node in part.get_nodes()]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


@dataclass
class Part:
    """Nodes that one provider runs."""

    ep_name: str
    nodes: list[Any]

    def get_nodes(self) -> list[Any]:
        return self.nodes


@dataclass
class GpuRuntime:
    """The module `onnxruntime` of such a machine. ``broken`` providers are there, and do not start."""

    available: Sequence[str] = (TENSORRT, CUDA, CPU)
    broken: frozenset[str] = frozenset()
    opened: list[Any] = field(default_factory=list)  # providers of each session
    entries: list[Any] = field(default_factory=list)  # session settings that were made
    arenas: list[Any] = field(default_factory=list)
    preloaded: int = 0

    OrtMemoryInfo = onnxruntime.OrtMemoryInfo
    OrtAllocatorType = onnxruntime.OrtAllocatorType
    OrtMemType = onnxruntime.OrtMemType
    OrtArenaCfg = onnxruntime.OrtArenaCfg

    def get_available_providers(self) -> list[str]:
        return list(self.available)

    def preload_dlls(self) -> None:
        self.preloaded += 1

    def create_and_register_allocator_v2(
        self, provider: str, where: Any, options: Mapping[str, str], arena: Any
    ) -> None:
        assert isinstance(arena, onnxruntime.OrtArenaCfg)
        self.arenas.append((provider, where.name, where.device_id, dict(options)))

    def SessionOptions(self) -> Any:  # noqa: N802
        return _Settings(onnxruntime.SessionOptions(), self.entries)

    def InferenceSession(  # noqa: N802
        self, content: bytes, settings: Any, providers: Any, enable_fallback: int
    ) -> Session:
        assert enable_fallback == 0
        self.opened.append(providers)
        for _, options in providers:
            if "nonsense" in options:
                raise RuntimeError("[ONNXRuntimeError] : 1 : FAIL : Unknown provider option: nonsense")
        real = onnxruntime.InferenceSession(content, settings.real, providers=[CPU])
        return Session(real, [name for name, _ in providers if name not in self.broken])


@dataclass
class _Settings:
    real: Any
    entries: list[Any]

    def add_session_config_entry(self, key: str, value: str) -> None:
        self.entries.append((key, value))
        if key == "session.use_env_allocators":
            return  # there is no arena to be shared here
        self.real.add_session_config_entry(key, value)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("real", "entries"):
            object.__setattr__(self, name, value)
        else:
            setattr(self.real, name, value)


def gpu_machine(ort: GpuRuntime | None = None, gpus: int = 2) -> Machine:
    """A machine with so many GPUs."""
    return Machine(ort or GpuRuntime(), lambda: [A10] * gpus)

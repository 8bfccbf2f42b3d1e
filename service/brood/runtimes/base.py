"""What a runtime is: a way to load a bundle's graph files and call them on rows.

A `LoadedGraph` is a pure function of rows. Tensors that persist between calls are kept by `brood.runtimes.slots`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np

from brood.protocol.errors import RuntimeFailed
from brood.protocol.manifest import Graph

Arrays = Mapping[str, np.ndarray]


class LoadedGraph(Protocol):
    """A graph, ready to be called."""

    spec: Graph

    def __call__(self, inputs: Arrays) -> dict[str, np.ndarray]:
        """Run once.

        Args:
            inputs: every input of the graph, C-contiguous, ``[rows, *shape]`` of its declared dtype. They may be
                read-only, and stay as they are.

        Returns:
            Every output of the graph, ``[rows, *shape]`` of its declared dtype, C-contiguous, each in memory of its
            own: it is the caller's to write to.

        Raises:
            RuntimeFailed: the runtime refused the arguments or failed to execute.
        """
        ...


class DeviceTensor(Protocol):
    """A tensor in a device's memory. It never changes."""

    @property
    def shape(self) -> tuple[int, ...]:
        """All dimensions, rows first."""
        ...

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Of its numbers."""
        ...

    def numpy(self) -> np.ndarray:
        """Its numbers in main memory, read-only; copied from the device once."""
        ...


Tensor = np.ndarray | DeviceTensor


@runtime_checkable
class DeviceGraph(LoadedGraph, Protocol):
    """A graph on a device with a memory of its own, which tensors need not leave between two calls."""

    def on_device(self, inputs: Mapping[str, Tensor], stay: Collection[str]) -> dict[str, Tensor]:
        """The same as a call; inputs may be on the device already, and the outputs named in ``stay`` are left there."""
        ...


@dataclass(frozen=True, slots=True)
class Placement:
    """What runs a graph, and how; known when it is loaded."""

    provider: str  # such as "CUDAExecutionProvider"
    precision: str  # of the floating-point numbers that it computes with, such as "float32"
    fallback: Mapping[str, int] = field(default_factory=dict)  # operator → nodes of it that another provider runs


@runtime_checkable
class PlacedGraph(LoadedGraph, Protocol):
    """A graph that tells what runs it."""

    placement: Placement


@dataclass(frozen=True, slots=True)
class RuntimeOptions:
    """How graphs run here."""

    threads: int  # within one graph call, of what runs on the CPU
    device: str = "cpu"  # see `brood.runtimes.device`
    provider_options: Mapping[str, str] = field(default_factory=dict)  # of ONNX Runtime's provider on a GPU, over ours
    memory_bytes: int | None = None  # of the GPU, for all graphs of this process together; None: its part of it
    gpu_share: float = 1.0  # the part of the GPU that this process has; of a whole one it may take all there is
    cache_dir: Path | None = None  # where TensorRT keeps the engines it has built; None: nowhere


AnyTensor = TypeVar("AnyTensor", bound=Tensor)


def checked(outputs: dict[str, AnyTensor], spec: Graph, rows: int) -> dict[str, AnyTensor]:
    """The outputs of a call, held against the declared shapes.

    Raises:
        RuntimeFailed: an output has another shape or dtype than declared.
    """
    for name, declared in spec.outputs.items():
        found = outputs[name]
        if found.shape != (rows, *declared.shape) or found.dtype != declared.dtype:
            raise RuntimeFailed(
                f"graph output {name!r} is {found.dtype}{list(found.shape)}, "
                f"declared {declared.dtype}{[rows, *declared.shape]}"
            )
    return outputs


def on_host(tensor: Tensor) -> np.ndarray:
    """A tensor's numbers in main memory; read-only if it lies on a device."""
    return tensor if isinstance(tensor, np.ndarray) else tensor.numpy()

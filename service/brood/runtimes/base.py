"""What a runtime is: a way to load a bundle's graph files and call them on rows.

A `LoadedGraph` is a pure function of rows. Tensors that persist between calls are kept by `brood.runtimes.slots`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

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
            inputs: every input of the graph, C-contiguous, ``[rows, *shape]`` of its declared dtype.

        Returns:
            Every output of the graph, ``[rows, *shape]`` of its declared dtype.

        Raises:
            RuntimeFailed: the runtime refused the arguments or failed to execute.
        """
        ...


@dataclass(frozen=True, slots=True)
class RuntimeOptions:
    """How graphs run here."""

    threads: int  # within one graph call
    device: str = "cpu"


def checked(outputs: dict[str, np.ndarray], spec: Graph, rows: int) -> dict[str, np.ndarray]:
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

"""What a target is, and the tensors a step graph is exported and checked with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from brood.protocol.manifest import GraphInput
from brood.sampling.noise import noise
from brood_export.families.base import Ranges, StepGraph
from brood_export.limits import FLOAT32, Limits

EXAMPLE_ROWS = 3  # at least two: exporters take a single row for a constant


@dataclass(frozen=True, slots=True)
class Target:
    """One file format."""

    runtime: Literal["onnx", "torchscript", "pt2"]
    suffix: str
    export: Callable[[StepGraph, Path], None]  # writes the graph to the path
    provenance: Callable[[], dict[str, str]]  # versions of the software that writes it
    limits: Limits = FLOAT32  # how far it may be from the original


def draw_inputs(graph: StepGraph, rows: int, *, seed: int) -> dict[str, NDArray[np.generic]]:
    """Random inputs [rows, ...] of a graph: noise as its words say, everything else evenly over its range."""
    return {
        name: _draw(spec, graph.ranges.get(name), rows, seed, stream)
        for stream, (name, spec) in enumerate(graph.inputs.items())
    }


def _draw(spec: GraphInput, span: Ranges | None, rows: int, seed: int, stream: int) -> NDArray[np.generic]:
    shape = (rows, *spec.shape)
    if spec.noise is not None:
        return noise(spec.noise.distribution, seed=seed, stream=stream, index=0, step=0, shape=shape)
    if span is None:
        raise ValueError("every input that is not noise needs a range to be checked with")
    low, high = (np.asarray(end, np.float64) for end in span)
    even = noise("uniform", seed=seed, stream=stream, index=0, step=0, shape=shape).astype(np.float64)
    if np.issubdtype(np.dtype(spec.dtype), np.integer):
        return np.floor(low + even * (high - low + 1)).astype(spec.dtype)
    return (low + even * (high - low)).astype(spec.dtype)


def tensors(graph: StepGraph, arrays: Mapping[str, NDArray[np.generic]]) -> tuple[Tensor, ...]:
    """The arrays as torch tensors, in the order of the graph's inputs."""
    return tuple(torch.from_numpy(np.ascontiguousarray(arrays[name])) for name in graph.inputs)


def example(graph: StepGraph) -> tuple[Tensor, ...]:
    """Tensors to trace a graph with."""
    return tensors(graph, draw_inputs(graph, EXAMPLE_ROWS, seed=0))

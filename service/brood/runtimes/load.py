"""From the graphs of a manifest to graphs that can be called, each by its own runtime."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from brood.protocol.errors import BundleError
from brood.protocol.manifest import Graph, Manifest
from brood.runtimes.base import LoadedGraph, RuntimeOptions

GraphLoader = Callable[[Path, Graph, RuntimeOptions], LoadedGraph]


def load_graphs(directory: Path, manifest: Manifest, options: RuntimeOptions) -> dict[str, LoadedGraph]:
    """Load all graphs of a bundle.

    Raises:
        BundleError: a graph cannot be loaded, or its tensors are not what the manifest says.
    """
    return {name: _load(directory, name, graph, options) for name, graph in manifest.graphs.items()}


def _load(directory: Path, name: str, graph: Graph, options: RuntimeOptions) -> LoadedGraph:
    try:
        return loader_of(graph.runtime)(directory / graph.file, graph, options)
    except BundleError as error:
        raise BundleError(f"graphs.{name}: {error.message}", field=f"graphs.{name}") from error


def loader_of(runtime: str) -> GraphLoader:
    """The loader of a runtime; imported on demand, so that a server of ONNX bundles never imports torch."""
    if runtime == "onnx":
        from brood.runtimes.onnx import load_onnx

        return load_onnx
    if runtime == "torchscript":
        from brood.runtimes.torchscript import load_torchscript

        return load_torchscript
    if runtime == "pt2":
        from brood.runtimes.pt2 import load_pt2

        return load_pt2
    from brood.runtimes.fake import load_fake

    return load_fake

"""The Open Inference Protocol v2 apart from any transport: tensors, what models look like through it, and calls."""

from brood.frontends.oip.calls import Asked, InferAnswer, InferCall, version_of
from brood.frontends.oip.inference import Inference
from brood.frontends.oip.metadata import SERVER, config, index, metadata
from brood.frontends.oip.repository import load, unload
from brood.frontends.oip.statistics import statistics
from brood.frontends.oip.tensors import Tensor

__all__ = [
    "SERVER",
    "Asked",
    "InferAnswer",
    "InferCall",
    "Inference",
    "Tensor",
    "config",
    "index",
    "load",
    "metadata",
    "statistics",
    "unload",
    "version_of",
]

"""Documents about models in the protocol's words: plain mappings, equal to its JSON bodies and protobuf messages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from brood import __version__
from brood.dataplane import DataPlane
from brood.dataplane.find import manifest_of
from brood.frontends.oip.datatypes import config_type
from brood.frontends.oip.specs import Spec, input_specs, output_specs
from brood.protocol.models import ModelStatus

Json = dict[str, Any]
PLATFORM = "brood"
EXTENSIONS = (
    "binary_tensor_data",
    "generate",
    "model_configuration",
    "model_repository",
    "parameters",
    "schedule_policy",
    "statistics",
)
SERVER: Json = {"name": "brood", "version": __version__, "extensions": list(EXTENSIONS)}
ROWS = -1  # as many as one likes


def metadata(plane: DataPlane, name: str, version: int | None) -> Json:
    """What a model takes and gives.

    Raises:
        BroodError: there is no such model, or it is not ready.
    """
    status = plane.model(name, version)
    manifest = manifest_of(status)
    ready = [str(other.version) for other in plane.models() if other.name == name and other.state == "ready"]
    return {
        "name": name,
        "versions": ready,
        "platform": PLATFORM,
        "inputs": _tensors(input_specs(manifest)),
        "outputs": _tensors(output_specs(manifest)),
    }


def config(plane: DataPlane, name: str, version: int | None) -> Json:
    """How a model is run, in the words of Triton's model configuration; clients that measure read it.

    Raises:
        BroodError: there is no such model, or it is not ready.
    """
    manifest = manifest_of(plane.model(name, version))
    return {
        "name": name,
        "platform": PLATFORM,
        "backend": PLATFORM,
        "max_batch_size": plane.limits.max_n,
        "input": [_declared(spec) | {"optional": spec.optional} for spec in input_specs(manifest)],
        "output": [_declared(spec) for spec in output_specs(manifest)],
        "dynamic_batching": {
            "preferred_batch_size": sorted({bucket for graph in manifest.graphs.values() for bucket in graph.buckets}),
            "max_queue_delay_microseconds": 0,
            "preserve_ordering": False,
            "priority_levels": 2,
            "default_priority_level": 1,
        },
        "model_transaction_policy": {"decoupled": False},
    }


def index(statuses: Iterable[ModelStatus], only_ready: bool) -> list[Json]:
    """What is in the repository, and in which state."""
    states = {"ready": "READY", "loading": "LOADING"}
    return [
        {
            "name": status.name,
            "version": str(status.version),
            "state": states.get(status.state, "UNAVAILABLE"),
            "reason": status.reason,
        }
        for status in statuses
        if status.state == "ready" or not only_ready
    ]


def _tensors(specs: Iterable[Spec]) -> list[Json]:
    return [{"name": spec.name, "datatype": spec.datatype, "shape": [ROWS, *spec.shape]} for spec in specs]


def _declared(spec: Spec) -> Json:
    """Rows are not among the dimensions of a configuration."""
    return {"name": spec.name, "data_type": config_type(spec.datatype), "dims": list(spec.shape)}

"""Which model a request means."""

from __future__ import annotations

from collections.abc import Sequence

from brood.dataplane.naming import unknown
from brood.protocol.errors import InvalidArgument, ModelNotFound, ModelUnavailable, NotReady
from brood.protocol.manifest import Manifest, Operation
from brood.protocol.models import ModelStatus


def find_model(statuses: Sequence[ModelStatus], name: str, version: int | None) -> ModelStatus:
    """A model in whatever state; without a version the newest that is ready, or else the newest.

    Raises:
        ModelNotFound: no such model, or no such version of it.
        NotReady: nothing is known of any model: the store has not been looked at, or no worker has been heard of.
    """
    if not statuses:
        raise NotReady("no model is known yet", field="model", retry_after_s=1.0)
    versions = [status for status in statuses if status.name == name]
    if not versions:
        names = sorted({status.name for status in statuses})
        raise ModelNotFound(unknown("model", name, names), field="model")
    if version is None:
        return max(versions, key=lambda status: (status.state == "ready", status.version))
    for status in versions:
        if status.version == version:
            return status
    offered = ", ".join(str(status.version) for status in versions)
    raise ModelNotFound(f"version: {name} has no version {version}; there are: {offered}", field="version")


def manifest_of(status: ModelStatus) -> Manifest:
    """The manifest of a model that can run.

    Raises:
        ModelUnavailable: it failed to load, and the message gives the reason; or it was unloaded.
        NotReady: it is loading.
    """
    named = f"model: {status.name} {status.version}"
    if status.state == "failed":
        raise ModelUnavailable(f"{named} failed to load: {status.reason}", field="model")
    if status.state == "unloaded":
        raise ModelUnavailable(f"{named} is not loaded", field="model")
    if status.state == "loading" or status.manifest is None:
        raise NotReady(f"{named} is loading", field="model", retry_after_s=1.0)
    return status.manifest


def find_operation(manifest: Manifest, name: str) -> Operation:
    """An operation of a model.

    Raises:
        InvalidArgument: the model does not offer it.
    """
    operation = manifest.operations.get(name)
    if operation is None:
        raise InvalidArgument(unknown("operation", name, manifest.operations), field="operation")
    return operation

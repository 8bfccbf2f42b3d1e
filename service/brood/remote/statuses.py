"""Statuses as messages: what has not changed is not said again, and manifests are said once."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

from pydantic import TypeAdapter, ValidationError

from brood.protocol.manifest import Manifest
from brood.protocol.models import ModelStatus
from brood.protocol.wire import worker_pb2 as pb
from brood.remote.status import ModelKey, OperationCost, WorkerStatus

log = logging.getLogger(__name__)
STATUS = TypeAdapter(ModelStatus)
COST_CHANGE = 0.1  # costs are told anew when one has changed by more than this part of it

Costs = Mapping[ModelKey, Mapping[str, OperationCost]]


class StatusWriter:
    """Makes the messages of one link, each of what has changed since the one before."""

    def __init__(self) -> None:
        self._last: WorkerStatus | None = None
        self._models: Sequence[ModelStatus] = ()
        self._costs: Costs = {}
        self._manifests: dict[ModelKey, Manifest] = {}

    def message(self, status: WorkerStatus, seen: int) -> pb.Status | None:
        """What there is to tell; None: nothing.

        Args:
            status: as it is now.
            seen: number of the last chunk that it contains.
        """
        last, self._last = self._last, status
        # By identity: statuses are values that are made anew when they change, and comparing manifests takes long.
        same = len(self._models) == len(status.models) and all(map(_is, self._models, status.models))
        message = pb.Status(
            seen=seen,
            worker_id=status.worker_id,
            interactive_s=status.interactive_s,
            bulk_s=status.bulk_s,
            max_backlog_s=status.max_backlog_s,
            occupancy=status.occupancy,
            draining=status.draining,
        )
        if last is None or not same:
            message.models.CopyFrom(pb.Models(models=[self._model(model) for model in status.models]))
            self._models = status.models
        if last is None or _moved(self._costs, status.costs):
            message.costs.CopyFrom(_costs_message(status.costs))
            self._costs = status.costs
        told_more = message.HasField("models") or message.HasField("costs")
        return message if told_more or last is None or _load(last) != _load(status) else None

    def _model(self, status: ModelStatus) -> pb.Model:
        key, manifest = (status.name, status.version), status.manifest
        message = pb.Model(status=STATUS.dump_json(replace(status, manifest=None)), has_manifest=manifest is not None)
        if manifest is not None and self._manifests.get(key) is not manifest:
            self._manifests[key] = manifest
            message.manifest = manifest.model_dump_json().encode()
        return message


class StatusReader:
    """Puts the messages of one link together again."""

    def __init__(self) -> None:
        self._models: tuple[ModelStatus, ...] = ()
        self._costs: Costs = {}
        self._manifests: dict[ModelKey, Manifest] = {}

    def status(self, message: pb.Status) -> WorkerStatus:
        """The worker's status after a message.

        Raises:
            ValueError: the message is not what `StatusWriter` makes.
        """
        if message.HasField("models"):
            self._models = tuple(self._model(model) for model in message.models.models)
        if message.HasField("costs"):
            self._costs = _costs_of(message.costs)
        return WorkerStatus(
            message.worker_id,
            self._models,
            self._costs,
            message.interactive_s,
            message.bulk_s,
            message.max_backlog_s,
            message.occupancy,
            message.draining,
        )

    def _model(self, message: pb.Model) -> ModelStatus:
        status = STATUS.validate_json(message.status)
        if not message.has_manifest:
            return status
        key = (status.name, status.version)
        try:
            if message.manifest:
                self._manifests[key] = Manifest.model_validate_json(message.manifest)
        except ValidationError:
            # In the middle of an upgrade a worker may have bundles of a newer form.
            log.exception("the manifest of %s %d is not understood here", *key)
            return replace(status, state="failed", reason="its manifest is not understood by this ingress")
        return replace(status, manifest=self._manifests[key])


def _is(one: object, other: object) -> bool:
    return one is other


def _load(status: WorkerStatus) -> tuple[object, ...]:
    return (status.interactive_s, status.bulk_s, status.max_backlog_s, status.occupancy, status.draining)


def _moved(before: Costs, now: Costs) -> bool:
    if before is now:
        return False
    if before.keys() != now.keys():
        return True
    return any(
        before[key].keys() != costs.keys() or any(_differ(before[key][name], cost) for name, cost in costs.items())
        for key, costs in now.items()
    )


def _differ(one: OperationCost, other: OperationCost) -> bool:
    change = max(abs(one.once_s - other.once_s), abs(one.step_s - other.step_s))
    return one.batch != other.batch or change > COST_CHANGE * (one.once_s + one.step_s)


def _costs_message(costs: Costs) -> pb.Costs:
    return pb.Costs(
        costs=[
            pb.Cost(
                model=name,
                version=version,
                operation=operation,
                once_s=cost.once_s,
                step_s=cost.step_s,
                batch=cost.batch,
            )
            for (name, version), operations in costs.items()
            for operation, cost in operations.items()
        ]
    )


def _costs_of(message: pb.Costs) -> Costs:
    costs: dict[ModelKey, dict[str, OperationCost]] = {}
    for cost in message.costs:
        found = costs.setdefault((cost.model, cost.version), {})
        found[cost.operation] = OperationCost(cost.once_s, cost.step_s, cost.batch)
    return costs

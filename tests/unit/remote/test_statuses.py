"""Statuses as messages."""

from __future__ import annotations

from dataclasses import replace

from brood.protocol.models import ModelStatus
from brood.protocol.wire import worker_pb2 as pb
from brood.remote.status import OperationCost, WorkerStatus
from brood.remote.statuses import StatusReader, StatusWriter
from helpers.backend import ready

FAILED = ModelStatus("broken", 1, "failed", "why")
COSTS = {("tiny", 1): {"generate": OperationCost(0.01, 0.002, 16), "score": OperationCost(0.5)}}
STATUS = WorkerStatus("a", (FAILED, ready()), COSTS, 1.0, 2.0, 30.0, 0.5)


class Wire:
    """Both ends of a link."""

    def __init__(self) -> None:
        self.writer, self.reader = StatusWriter(), StatusReader()

    def message(self, status: WorkerStatus, seen: int = 0) -> pb.Status | None:
        return self.writer.message(status, seen)

    def send(self, status: WorkerStatus) -> WorkerStatus:
        message = self.message(status)
        assert message is not None
        return self.reader.status(pb.Status.FromString(message.SerializeToString()))


def test_everything_arrives() -> None:
    assert Wire().send(STATUS) == STATUS
    assert STATUS.backlog_s == 3.0


def test_nothing_is_told_twice() -> None:
    wire = Wire()
    wire.send(STATUS)
    assert wire.message(replace(STATUS, models=(FAILED, STATUS.models[1]))) is None
    moved = wire.message(replace(STATUS, interactive_s=1.5), seen=9)
    assert moved is not None
    assert moved.seen == 9
    assert not moved.HasField("models")
    assert not moved.HasField("costs")
    assert wire.reader.status(moved) == replace(STATUS, interactive_s=1.5)


def test_draining_is_told() -> None:
    wire = Wire()
    wire.send(STATUS)
    assert wire.send(replace(STATUS, draining=True)).draining


def test_a_manifest_travels_once() -> None:
    wire = Wire()
    wire.send(STATUS)
    unloaded = replace(STATUS.models[1], state="unloaded")
    message = wire.message(replace(STATUS, models=(FAILED, unloaded)))
    assert message is not None
    assert len(message.SerializeToString()) < 1000
    assert wire.reader.status(message).models == (FAILED, unloaded)


def test_another_manifest_of_the_same_version_travels_too() -> None:
    wire = Wire()
    wire.send(STATUS)
    manifest = ready().manifest
    assert manifest is not None
    other = replace(ready(), manifest=manifest.model_copy(update={"description": "made anew"}))
    found = wire.send(replace(STATUS, models=(other,))).models[0]
    assert found.manifest is not None
    assert found.manifest.description == "made anew"


def test_a_manifest_of_tomorrow_fails_that_model_alone() -> None:
    wire = Wire()
    message = wire.message(STATUS)
    assert message is not None
    message.models.models[1].manifest = b'{"format": "brood/9"}'
    broken, tiny = wire.reader.status(message).models
    assert broken == FAILED
    assert (tiny.state, tiny.manifest) == ("failed", None)
    assert "not understood" in tiny.reason


def test_costs_are_told_when_they_have_moved() -> None:
    wire = Wire()
    wire.send(STATUS)
    for factor, told in ((1.05, False), (1.5, True)):
        cost = OperationCost(0.01 * factor, 0.002 * factor, 16)
        status = replace(STATUS, costs={("tiny", 1): {**COSTS["tiny", 1], "generate": cost}})
        message = wire.message(status)
        assert (message is not None and message.HasField("costs")) is told
    more = wire.message(replace(STATUS, costs={**COSTS, ("tiny", 2): {}}))
    assert more is not None
    assert more.HasField("costs")


def test_a_row_costs_what_its_steps_cost() -> None:
    assert OperationCost(0.01, 0.002).row_s(steps=50) == 0.01 + 50 * 0.002

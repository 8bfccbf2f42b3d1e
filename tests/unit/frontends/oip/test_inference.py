from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest

from brood.dataplane import DataPlane, Limits
from brood.frontends.oip import Asked, InferCall, Inference
from brood.frontends.oip.tensors import from_values
from brood.protocol.errors import InvalidArgument, Overloaded, RowFailed, Unsupported
from helpers.backend import FakeBackend, sample_of
from helpers.observer import FakeObserver


class Calls:
    """The verb over a fake backend."""

    def __init__(self) -> None:
        self.backend, self.observer = FakeBackend(), FakeObserver()
        self.plane = DataPlane(self.backend, Limits(), self.observer)
        self.inference = Inference(self.plane, "oip")


@pytest.fixture
async def calls() -> AsyncIterator[Calls]:
    calls = Calls()
    yield calls
    calls.plane.close()


SEEDS = from_values("seed", "INT64", [3, 1], [5, 6, 7])


async def test_rows_come_back_in_order_whatever_finishes_first(calls: Calls) -> None:
    answer = await calls.inference.infer(InferCall("tiny", id="mine", inputs=(SEEDS,)), "r")
    found = {tensor.name: tensor for tensor in answer.outputs}
    assert (answer.model, answer.version, answer.id) == ("tiny", 2, "mine")
    assert answer.parameters == {"operation": "generate", "determinism": "exact"}
    assert [(tensor.name, tensor.datatype, tensor.shape) for tensor in answer.outputs] == [
        ("sample", "FP32", (3, 1, 28, 28)),
        ("label", "INT64", (3, 1)),
        ("seed", "INT64", (3, 1)),
        ("index", "INT64", (3, 1)),
    ]
    assert found["seed"].array.ravel().tolist() == [5, 6, 7]
    for row, order in enumerate(calls.backend.submitted):
        np.testing.assert_array_equal(found["sample"].array[row], sample_of(order, 0).outputs["sample"])


async def test_rows_of_one_call_run_side_by_side_and_count_as_one(calls: Calls) -> None:
    calls.backend.held = asyncio.Event()
    running = asyncio.create_task(calls.inference.infer(InferCall("tiny", inputs=(SEEDS,)), "r"))
    assert {await calls.backend.started.get() for _ in range(3)} == {"r-0", "r-1", "r-2"}
    calls.backend.held.set()
    await running
    assert [(end.code, end.rows, end.protocol) for end in calls.observer.ended] == [("ok", 3, "oip")]
    counted = calls.plane.statistics.model("tiny", 2)
    assert (counted.rows, counted.success.count, counted.queue.count) == (3, 1, 1)


async def test_outputs_are_those_asked_for_in_their_order(calls: Calls) -> None:
    wanted = (Asked("seed"), Asked("sample"))
    answer = await calls.inference.infer(InferCall("tiny", parameters={"seed": 1}, outputs=wanted), "r")
    assert [tensor.name for tensor in answer.outputs] == ["seed", "sample"]


@pytest.mark.parametrize(
    ("asked", "kind"),
    [
        (Asked("colour"), InvalidArgument),
        (Asked("sample", {"classification": 3}), Unsupported),
        (Asked("sample", {"shared_memory_region": "r"}), Unsupported),
    ],
)
async def test_other_outputs_are_refused_and_counted(calls: Calls, asked: Asked, kind: type[Exception]) -> None:
    with pytest.raises(kind, match=r"outputs\."):
        await calls.inference.infer(InferCall("tiny", outputs=(asked,)), "r")
    with pytest.raises(InvalidArgument, match="every output once"):
        await calls.inference.infer(InferCall("tiny", outputs=(Asked("seed"), Asked("seed"))), "r")
    assert len(calls.observer.ended) == 2


async def test_one_bad_row_stops_all_before_any_begins(calls: Calls) -> None:
    labels = from_values("label", "INT64", [3, 1], [1, 2, 30])
    with pytest.raises(InvalidArgument, match=r"params\.label"):
        await calls.inference.infer(InferCall("tiny", inputs=(labels,)), "r")
    assert calls.backend.submitted == []


async def test_one_failed_row_ends_the_others(calls: Calls) -> None:
    calls.backend.failure = RowFailed("not finite", index=0)
    with pytest.raises(RowFailed):
        await calls.inference.infer(InferCall("tiny", inputs=(SEEDS,)), "r")
    assert calls.backend.running == {}
    assert calls.observer.ended[-1].code == "row_failed"


async def test_a_full_queue_is_told(calls: Calls) -> None:
    calls.backend.refusal = Overloaded("full", retry_after_s=2.0)
    with pytest.raises(Overloaded):
        await calls.inference.infer(InferCall("tiny", inputs=(SEEDS,)), "r")


async def test_leaving_a_call_ends_all_its_rows(calls: Calls) -> None:
    calls.backend.held = asyncio.Event()
    running = asyncio.create_task(calls.inference.infer(InferCall("tiny", inputs=(SEEDS,)), "r"))
    for _ in range(3):
        await calls.backend.started.get()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert calls.backend.running == {}
    assert calls.observer.ended[-1].code == "cancelled"


async def test_a_stream_answers_row_by_row(calls: Calls) -> None:
    call = InferCall("tiny", id="mine", parameters={"n": 3, "seed": 7}, outputs=(Asked("index"),))
    found = [answer async for answer in calls.inference.stream(call, "r")]
    assert [answer.parameters["row"] for answer in found] == [2, 1, 0]
    assert [answer.outputs[0].array.tolist() for answer in found] == [[[2]], [[1]], [[0]]]

"""Requests over workers that refuse, fail, drain, come and go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from brood.protocol.errors import (
    BroodError,
    Cancelled,
    DeadlineExceeded,
    DeadlineInfeasible,
    DeterminismUnavailable,
    Internal,
    InvalidArgument,
    ModelUnavailable,
    NotReady,
    Overloaded,
    RowFailed,
    RuntimeFailed,
    WorkersLost,
)
from brood.protocol.events import Accepted, Done, Event, Failed, Preview, Progress, Sample
from brood.protocol.manifest import Scalar
from brood.protocol.models import ModelStatus
from brood.protocol.requests import Generation
from brood.remote import OperationCost, RemoteBackend, RemoteOptions
from helpers.backend import GUARANTEES, FakeBackend, ready, sample_of
from helpers.ends import Gate
from helpers.workers import TOKEN, Worker, ingress, until, working

COSTS = {("tiny", 1): {name: OperationCost(1.0) for name in GUARANTEES}}
PARAMS: dict[str, Scalar] = {"label": 3, "temperature": 1.0, "flip": False, "style": "thin"}


def asked(request_id: str = "id", n: int = 1, **words: Any) -> Generation:
    plain = Generation(request_id, "tiny", 1, "generate", n, 7, 0, PARAMS, {}, None)
    return replace(plain, **words)


class Scene:
    """Workers of fake backends, which tests start and steer."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self.workers: list[Worker] = []
        self.backends: list[FakeBackend] = []
        self.woken: list[str] = []

    async def worker(self, backend: FakeBackend | None = None, **words: Any) -> Worker:
        backend = backend or FakeBackend([ready()])
        name = "abcdefgh"[len(self.workers)]
        worker = Worker(name, backend, backend.models, **({"costs": COSTS} | words))
        self.backends.append(backend)
        self.workers.append(await self._stack.enter_async_context(working(worker)))
        return worker

    async def ingress(self, workers: int = 2, **options: Any) -> RemoteBackend:
        while len(self.workers) < workers:
            await self.worker()
        chosen = RemoteOptions(**options)
        entered = ingress(*self.workers, options=chosen, wake=self.woken.append)
        return await self._stack.enter_async_context(entered)

    def kill(self, number: int) -> None:
        """End one of them."""
        self.workers[number].kill()

    def hold(self) -> list[Gate]:
        """All workers stop before their second sample."""
        gates = []
        for backend in self.backends:
            backend.held = Gate()
            gates.append(backend.held)
        return gates


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with AsyncExitStack() as stack:
        yield Scene(stack)


async def all_of(stream: AsyncGenerator[Event, None]) -> list[Event]:
    async with aclosing(stream):
        return [event async for event in stream]


async def all_or_error(stream: AsyncGenerator[Event, None]) -> list[Event]:
    """All events; raises what the last one failed with. (What fails early may come in place of the first.)"""
    events = await all_of(stream)
    if isinstance(events[-1], Failed):
        raise events[-1].error
    return events


def check(request: Generation, events: Sequence[Event]) -> None:
    """All samples, each once, as they should be."""
    assert isinstance(events[0], Accepted)
    assert (events[0].request_id, events[0].n) == (request.request_id, request.n)
    assert isinstance(events[-1], Done)
    assert events[-1].usage.rows == request.n
    samples = sorted((event for event in events if isinstance(event, Sample)), key=lambda sample: sample.index)
    assert [sample.index for sample in samples] == list(range(request.index, request.index + request.n))
    for row, sample in enumerate(samples):
        wanted = sample_of(request, row)
        assert list(sample.outputs) == list(wanted.outputs)
        assert all(np.array_equal(sample.outputs[name], array) for name, array in wanted.outputs.items())


def lost(backend: RemoteBackend, workers: int) -> bool:
    """Whether so many workers have been lost."""
    return backend.tally.lost_workers == workers


def ran(scene: Scene) -> list[int]:
    """How many chunks each worker was given."""
    return [len(backend.submitted) for backend in scene.backends]


# One stream.


async def test_parts_of_a_request_come_as_one(scene: Scene) -> None:
    backend, request = await scene.ingress(3), asked(n=12, index=5, progress_every=1, preview_every=1)
    events = await all_of(backend.submit(request))
    check(request, events)
    assert ran(scene) == [1, 1, 1]
    told = [event for event in events if isinstance(event, Progress)]
    assert [(each.of, each.n) for each in told] == [(36, 12)] * len(told)
    assert [each.steps for each in told] == sorted({each.steps for each in told})
    shown = [(event.index, event.step) for event in events if isinstance(event, Preview)]
    assert sorted(shown) == [(index, step) for index in range(5, 17) for step in (1, 2)]
    assert isinstance(events[-1], Done)
    assert events[-1].usage.steps == 36


async def test_messages_are_as_large_as_they_must_be(scene: Scene) -> None:
    backend = await scene.ingress(1)
    image = (
        np.random.default_rng(0).random((1400, 1, 28, 28), np.float32) * 2 - 1
    )  # more than 4 MiB, which gRPC takes by default
    request = asked(n=1400, operation="reconstruct", params={}, inputs={"image": image})
    check(request, await all_of(backend.submit(request)))


async def test_a_slow_reader_stops_nobody_else(scene: Scene) -> None:
    await scene.worker(costs={})
    backend = await scene.ingress(1)
    slow = asked("slow", n=1600)  # 5 MB: more than a window
    async with aclosing(backend.submit(slow)) as stream:
        seen = [await anext(stream)]
        quick = asked("quick", n=50)
        check(quick, await all_of(backend.submit(quick)))
        assert backend.workers()["a"].chunks == 1
        assert scene.workers[0].server.running == 1  # it waits for the reader
        check(slow, seen + [event async for event in stream])


# Refusals.


async def test_the_refusal_of_one_worker_is_tried_at_others(scene: Scene) -> None:
    backend = await scene.ingress(3)
    scene.backends[0].refusal = Overloaded("full", retry_after_s=5.0)
    scene.backends[1].refusal = NotReady("stopping")
    request = asked(n=9)
    check(request, await all_of(backend.submit(request)))


async def test_when_all_refuse_the_mildest_refusal_is_told(scene: Scene) -> None:
    backend = await scene.ingress(3)
    for fake, after_s in zip(scene.backends, (5.0, 2.0, 7.0), strict=True):
        fake.refusal = Overloaded(f"full for {after_s}", retry_after_s=after_s)
    with pytest.raises(Overloaded, match=r"full for 2\.0") as caught:
        await all_of(backend.submit(asked()))
    assert caught.value.retry_after_s == 2.0
    assert not backend.cancel("id")


@pytest.mark.parametrize("kind", [DeadlineInfeasible, DeterminismUnavailable, ModelUnavailable])
async def test_what_one_worker_cannot_another_may(scene: Scene, kind: type[BroodError]) -> None:
    backend = await scene.ingress(2)
    scene.backends[0].refusal = kind("not here")
    check(asked(), await all_of(backend.submit(asked())))


async def test_a_bad_request_is_refused_once(scene: Scene) -> None:
    backend = await scene.ingress(2)
    for fake in scene.backends:
        fake.refusal = InvalidArgument("n: too much memory", field="n")
    with pytest.raises(InvalidArgument) as caught:
        await all_of(backend.submit(asked()))
    assert caught.value.field == "n"
    assert backend.tally.chunks == 1


async def test_full_workers_are_not_asked(scene: Scene) -> None:
    await scene.worker(interactive_s=61.5)
    await scene.worker(interactive_s=60.5)
    backend = await scene.ingress()
    with pytest.raises(Overloaded, match="all workers") as caught:
        backend.submit(asked())
    assert caught.value.retry_after_s == pytest.approx(1.5)  # until the work of one row fits
    assert backend.tally.refused == 1
    assert ran(scene) == [0, 0]
    scene.workers[1].interactive_s = 0.0
    await until(lambda: backend.workers()["b"].backlog_s == 0.0)
    check(asked(), await all_of(backend.submit(asked())))


async def test_work_goes_to_whoever_ends_it_first(scene: Scene) -> None:
    await scene.worker(interactive_s=3.5)
    await scene.worker()
    backend = await scene.ingress()
    scene.hold()
    streams = [backend.submit(asked(str(number))) for number in range(5)]
    await until(lambda: ran(scene) == [1, 4])  # the fifth would wait 4 s there
    for stream in streams:
        await stream.aclose()


async def test_a_link_that_carries_too_much_already_is_full(scene: Scene) -> None:
    backend = await scene.ingress(1, max_unsent_bytes=1)
    first = backend.submit(asked("first"))
    with pytest.raises(Overloaded):
        backend.submit(asked("second"))  # the first has had no time to go
    check(asked("first"), await all_of(first))
    check(asked("second"), await all_of(backend.submit(asked("second"))))


# Ends.


async def test_closing_the_stream_cancels_all_parts(scene: Scene) -> None:
    backend = await scene.ingress(2)
    gates = scene.hold()
    async with aclosing(backend.submit(asked(n=8))) as stream:
        await anext(stream)
        for gate in gates:
            await gate.reached.wait()
    assert [await fake.ended.get() for fake in scene.backends]
    await until(lambda: sum(worker.server.running for worker in scene.workers) == 0)
    assert [view.chunks for view in backend.workers().values()] == [0, 0]


async def test_closing_before_anything_was_sent_starts_nothing(scene: Scene) -> None:
    backend = await scene.ingress(1)
    await backend.submit(asked()).aclose()
    check(asked("next"), await all_of(backend.submit(asked("next"))))
    assert scene.backends[0].running == {}


async def test_cancelling_ends_the_stream_at_once(scene: Scene) -> None:
    backend = await scene.ingress(2)
    gates = scene.hold()
    stream = backend.submit(asked(n=8))
    await anext(stream)
    await gates[0].reached.wait()
    assert backend.cancel("id")
    assert not backend.cancel("id")
    last = (await all_of(stream))[-1]
    assert isinstance(last, Failed)
    assert isinstance(last.error, Cancelled)


async def test_what_fails_in_one_part_fails_all(scene: Scene) -> None:
    backend = await scene.ingress(2)
    scene.backends[1].failure = RowFailed("sample 5 is not finite", index=5)
    with pytest.raises(RowFailed) as caught:
        await all_or_error(backend.submit(asked(n=8)))
    assert caught.value.index == 5
    await until(lambda: sum(worker.server.running for worker in scene.workers) == 0)


async def test_an_id_that_runs_is_refused(scene: Scene) -> None:
    backend = await scene.ingress(1)
    async with aclosing(backend.submit(asked())):
        with pytest.raises(Internal, match="'id' is running"):
            backend.submit(asked())


async def test_stopping_ends_what_runs(scene: Scene) -> None:
    backend = await scene.ingress(1)
    scene.hold()
    stream = backend.submit(asked(n=2))
    await anext(stream)
    await backend.stop()
    last = (await all_of(stream))[-1]
    assert isinstance(last, Failed)
    assert isinstance(last.error, NotReady)
    with pytest.raises(NotReady):
        backend.submit(asked())


async def test_deadlines_travel_as_what_is_left(scene: Scene) -> None:
    backend = await scene.ingress(1)
    request = asked(deadline=backend.now() + 50.0)
    check(request, await all_of(backend.submit(request)))
    deadline = scene.backends[0].submitted[0].deadline
    assert deadline is not None
    assert deadline == pytest.approx(150.0, abs=1.0)  # on the worker's own clock, which stands at 100


# Losses.


async def test_a_dead_workers_rows_are_made_by_others(scene: Scene) -> None:
    backend, request = await scene.ingress(2), asked(n=10, preview_every=1, progress_every=1)
    gates = scene.hold()
    stream = backend.submit(request)
    seen = [await anext(stream)]
    await gates[0].reached.wait()
    scene.workers[0].kill()
    await until(lambda: backend.tally.resubmitted_rows)
    gates[1].set()
    check(request, seen + await all_of(stream))
    assert backend.tally.lost_workers == 1
    assert "UNAVAILABLE" in backend.workers()["a"].reason


async def test_a_silent_worker_is_a_dead_one(scene: Scene) -> None:
    backend, request = await scene.ingress(2, keepalive_s=0.1, silence_s=0.2), asked(n=10)
    gates = scene.hold()
    stream = backend.submit(request)
    await gates[0].reached.wait()
    scene.workers[0].line.mute = True
    gates[1].set()
    check(request, await all_of(stream))
    assert backend.tally.lost_workers == 1


async def test_with_nobody_left_what_was_promised_waits(scene: Scene) -> None:
    backend, request = await scene.ingress(2), asked(n=10)
    scene.hold()
    stream = backend.submit(request)
    seen = [await anext(stream)]
    for worker in scene.workers:
        worker.kill()
    await until(backend.held)
    assert backend.held()["tiny"].requests == 1
    assert scene.woken == ["tiny"]
    for fake in scene.backends:
        fake.held = None
    scene.workers[1].revive()
    check(request, seen + await all_of(stream))
    assert backend.held() == {}


async def test_what_waits_too_long_ends(scene: Scene) -> None:
    backend = await scene.ingress(1, max_hold_s=0.05)
    scene.hold()
    stream = backend.submit(asked(n=2))
    await anext(stream)
    scene.workers[0].kill()
    last = (await all_of(stream))[-1]
    assert isinstance(last, Failed)
    assert isinstance(last.error, NotReady)
    assert last.error.retry_after_s == 1.0


async def test_what_waits_ends_with_its_deadline(scene: Scene) -> None:
    backend = await scene.ingress(1)
    scene.hold()
    stream = backend.submit(asked(n=2, deadline=backend.now() + 0.3))
    await anext(stream)
    scene.workers[0].kill()
    last = (await all_of(stream))[-1]
    assert isinstance(last, Failed)
    assert isinstance(last.error, DeadlineExceeded)


async def test_busy_survivors_are_waited_for(scene: Scene) -> None:
    backend, request = await scene.ingress(2), asked(n=4)
    gates = scene.hold()
    stream = backend.submit(request)
    seen = [await anext(stream)]
    await gates[0].reached.wait()
    scene.backends[1].refusal = Overloaded("full", retry_after_s=0.01)
    scene.workers[0].kill()
    await until(lambda: backend.tally.chunks == 3)
    scene.backends[1].refusal = None
    gates[1].set()
    check(request, seen + await all_of(stream))


async def test_a_failed_graph_call_is_made_elsewhere(scene: Scene) -> None:
    backend, request = await scene.ingress(2), asked(n=4)
    scene.backends[0].failure = RuntimeFailed("the device is lost")
    check(request, await all_of(backend.submit(request)))


async def test_a_graph_call_that_fails_everywhere_is_told(scene: Scene) -> None:
    backend = await scene.ingress(3)
    for fake in scene.backends:
        fake.failure = RuntimeFailed("out of memory")
    with pytest.raises(RuntimeFailed):
        await all_or_error(backend.submit(asked()))
    assert sum(ran(scene)) == 2


async def test_an_engine_that_stops_is_left(scene: Scene) -> None:
    backend, request = await scene.ingress(2), asked(n=4)
    scene.backends[0].failure = NotReady("the server is stopping")
    check(request, await all_of(backend.submit(request)))


class Poisoned(FakeBackend):
    """Some requests end the worker."""

    def __init__(self, kill: Callable[[], None]) -> None:
        super().__init__([ready()])
        self._kill = kill

    def submit(self, generation: Generation) -> AsyncGenerator[Event, None]:
        if generation.seed == 666:
            self._kill()
        return super().submit(generation)


async def test_a_poisonous_request_is_given_up_and_harms_no_other(scene: Scene) -> None:
    for number in range(5):
        await scene.worker(Poisoned(partial(scene.kill, number)))
    backend = await scene.ingress(5)
    gates = scene.hold()
    innocent = [asked(f"innocent {number}", n=5) for number in range(4)]
    reading = [asyncio.create_task(all_of(backend.submit(request))) for request in innocent]
    for gate in gates:
        await gate.reached.wait()
    poison = asyncio.create_task(all_of(backend.submit(asked("poison", seed=666))))
    with pytest.raises(WorkersLost):
        await poison
    for gate in gates:
        gate.set()
    for request, events in zip(innocent, await asyncio.gather(*reading), strict=True):
        check(request, events)
    assert (backend.tally.lost_workers, backend.tally.given_up) == (3, 1)


async def test_what_was_lost_with_two_workers_is_left_alone(scene: Scene) -> None:
    backend, suspicious = await scene.ingress(4), asked("suspicious")
    gates = scene.hold()
    stream = backend.submit(suspicious)
    for deaths in (1, 2):
        await scene.backends[deaths - 1].started.get()
        scene.kill(deaths - 1)
        await until(partial(lost, backend, deaths))
    await scene.backends[2].started.get()
    others = [backend.submit(asked(f"other {number}")) for number in range(3)]
    await until(lambda: ran(scene) == [1, 1, 1, 3])
    for gate in gates:
        gate.set()
    for number, other in enumerate(others):
        check(asked(f"other {number}"), await all_of(other))
    check(suspicious, await all_of(stream))


# Equal bits.


async def test_exact_samples_come_from_workers_of_one_kind(scene: Scene) -> None:
    for numerics_id in ("one", "other", "one"):
        await scene.worker(FakeBackend([replace(ready(), numerics_id=numerics_id)]))
    backend = await scene.ingress(3)
    gates, request = scene.hold(), asked(n=9)
    stream = backend.submit(request)
    seen = [await anext(stream)]
    assert ran(scene) == [1, 0, 1]
    scene.workers[0].kill()
    await until(lambda: backend.tally.lost_workers)
    scene.workers[2].kill()
    await until(backend.held)  # the other kind is of no use
    for gate in gates:
        gate.set()
    scene.workers[2].revive()
    check(request, seen + await all_of(stream))
    assert ran(scene)[1] == 0


async def test_before_anything_was_promised_any_kind_will_do(scene: Scene) -> None:
    for numerics_id in ("one", "other"):
        await scene.worker(FakeBackend([replace(ready(), numerics_id=numerics_id)]))
    backend = await scene.ingress(2)
    scene.backends[0].refusal = Overloaded("full", retry_after_s=1.0)
    check(asked(), await all_of(backend.submit(asked())))
    assert ran(scene) == [0, 1]


# Workers that come and go.


async def test_a_draining_worker_ends_what_it_has_and_gets_nothing_new(scene: Scene) -> None:
    backend, request = await scene.ingress(2), asked("old", n=8)
    gates = scene.hold()
    stream = backend.submit(request)
    await gates[0].reached.wait()
    stopping = asyncio.create_task(scene.workers[0].server.stop(10.0))
    await until(lambda: (status := backend.workers()["a"].status) is not None and status.draining)
    new = backend.submit(asked("new"))
    for gate in gates:
        gate.set()
    check(asked("new"), await all_of(new))
    check(request, await all_of(stream))
    await stopping
    assert ran(scene) == [1, 2]
    assert (backend.tally.resubmitted_rows, backend.tally.lost_workers) == (0, 0)


async def test_what_a_draining_worker_does_not_end_in_time_goes_elsewhere(scene: Scene) -> None:
    backend, request = await scene.ingress(2), asked(n=8)
    gates = scene.hold()
    stream = backend.submit(request)
    await gates[0].reached.wait()
    await scene.workers[0].server.stop(0.05)
    gates[1].set()
    check(request, await all_of(stream))
    assert (backend.tally.resubmitted_rows, backend.tally.lost_workers) == (3, 0)


async def test_workers_are_added_and_removed_while_requests_run(scene: Scene) -> None:
    backend, request = await scene.ingress(1), asked("old", n=4)
    gates = scene.hold()
    stream = backend.submit(request)
    await anext(stream)
    other = await scene.worker()
    await backend.set_workers({"b": other.address})
    await until(lambda: backend.workers()["b"].status is not None)
    check(asked("new"), await all_of(backend.submit(asked("new"))))
    gates[0].set()
    assert isinstance((await all_of(stream))[-1], Done)
    assert ran(scene) == [1, 1]
    await until(lambda: not scene.workers[0].line.busy)  # its link is closed when its last chunk has ended


async def test_a_worker_that_is_unknown_refuses_a_wrong_token(scene: Scene) -> None:
    worker = await scene.worker()

    async def no(name: str, version: int | None) -> None: ...

    stranger = RemoteBackend("wrong", RemoteOptions(), load=no, unload=no, reload=no)
    await stranger.set_workers({"a": worker.address})
    await until(lambda: "UNAUTHENTICATED" in stranger.workers()["a"].reason)
    assert "UNAUTHENTICATED" in stranger.problems()[0]
    assert TOKEN not in stranger.problems()[0]
    await stranger.stop()


# Models that no worker has.


async def test_what_no_worker_has_is_refused(scene: Scene) -> None:
    backend = await scene.ingress(1)
    with pytest.raises(NotReady, match="at no worker"):
        backend.submit(asked(model="other"))
    scene.backends[0].statuses = [ModelStatus("tiny", 1, "failed", "no memory")]
    await until(lambda: backend.models()[0].state == "failed")
    with pytest.raises(ModelUnavailable, match="no memory"):
        backend.submit(asked())


async def test_what_is_expected_is_waited_for(scene: Scene) -> None:
    backend = await scene.ingress(1, max_held=2)
    backend.expect([ModelStatus("tiny", 1, "ready")])
    scene.workers[0].kill()
    await until(lambda: backend.workers()["a"].status is None)
    assert [(status.name, status.state, status.reason) for status in backend.models()] == [("tiny", "ready", "")]
    first, second = asked("first", n=3), asked("second")
    reading = [asyncio.create_task(all_of(backend.submit(request))) for request in (first, second)]
    await until(lambda: backend.held() and backend.held()["tiny"].requests == 2)
    assert backend.held()["tiny"].rows == 4
    assert scene.woken == ["tiny"]
    with pytest.raises(Overloaded, match="2 requests wait"):
        backend.submit(asked("third"))
    scene.workers[0].revive()
    for request, events in zip((first, second), await asyncio.gather(*reading), strict=True):
        check(request, events)
    assert backend.held() == {}


async def test_held_requests_take_bounded_memory(scene: Scene) -> None:
    backend = await scene.ingress(0, max_held_bytes=10_000)
    backend.expect([ready()])
    image = np.zeros((4, 1, 28, 28), np.float32)
    with pytest.raises(Overloaded, match="12544 bytes"):
        backend.submit(asked(n=4, operation="reconstruct", inputs={"image": image}))
    shared = np.broadcast_to(image[:1], (100, 1, 28, 28))
    held = backend.submit(asked(n=100, operation="reconstruct", inputs={"image": shared}))
    assert backend.held()["tiny"].rows == 100
    await held.aclose()
    assert backend.held() == {}


async def test_a_held_request_can_be_cancelled(scene: Scene) -> None:
    backend = await scene.ingress(0)
    backend.expect([ready()])
    stream = backend.submit(asked())
    assert backend.cancel("id")
    with pytest.raises(Cancelled):
        await all_of(stream)
    assert backend.held() == {}


async def test_verbs_are_handed_on(scene: Scene) -> None:
    told: list[tuple[str, int | None]] = []

    async def change(name: str, version: int | None) -> None:
        told.append((name, version))

    async with ingress(change=change) as backend:
        await backend.load("tiny")
        await backend.unload("tiny", 1)
        await backend.reload("tiny", 2)
    assert told == [("tiny", None), ("tiny", 1), ("tiny", 2)]

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from brood.dataplane import Answer, DataPlane, Limits, ReplayLimits, Timing
from brood.dataplane.replays import SAMPLE_BYTES, Replays, check_key, fingerprint
from brood.dataplane.result import EncodedSample
from brood.media.encode import Encoded
from brood.protocol.errors import BroodError, DeadlineExceeded, IdempotencyConflict, InvalidArgument, RowFailed
from brood.protocol.events import Accepted, Usage
from brood.protocol.requests import GenerateRequest
from helpers.backend import FakeBackend
from helpers.ends import Ends

LIMITS = ReplayLimits(keep_s=10.0, max_count=3, max_bytes=10 * SAMPLE_BYTES)


@pytest.fixture
def backend() -> FakeBackend:
    return FakeBackend()


@pytest.fixture
def ends() -> Ends:
    return Ends()


@pytest.fixture
async def plane(backend: FakeBackend, ends: Ends) -> AsyncIterator[DataPlane]:
    plane = DataPlane(backend, Limits(), ends)
    yield plane
    plane.close()


async def ask(plane: DataPlane, key: str | None = "key", tenant: str = "", **words: Any) -> Answer:
    request = GenerateRequest.model_validate({"model": "tiny", **words})
    return await plane.answer(request, "id", "http", tenant=tenant, idempotency_key=key)


async def test_the_same_request_is_made_once(plane: DataPlane, backend: FakeBackend, ends: Ends) -> None:
    first, second = await ask(plane), await ask(plane)
    assert (first.replayed, second.replayed) == (False, True)
    assert second.samples == first.samples
    assert second.accepted == first.accepted
    assert len(backend.submitted) == 1
    assert ends.seen == [("tiny", "generate", "http", "ok", 1), ("tiny", "generate", "http", "ok", 0)]


async def test_without_a_key_it_is_made_again(plane: DataPlane, backend: FakeBackend) -> None:
    await ask(plane, None)
    await ask(plane, None)
    assert len(backend.submitted) == 2


async def test_the_second_waits_for_the_first(plane: DataPlane, backend: FakeBackend) -> None:
    backend.held = asyncio.Event()
    both = [asyncio.ensure_future(ask(plane)) for _ in range(2)]
    await backend.started.get()
    backend.held.set()
    first, second = await asyncio.gather(*both)
    assert first.samples == second.samples
    assert [first.replayed, second.replayed] == [False, True]
    assert len(backend.submitted) == 1


async def test_the_first_may_leave_while_the_second_waits(plane: DataPlane, backend: FakeBackend) -> None:
    backend.held = asyncio.Event()
    first, second = [asyncio.ensure_future(ask(plane)) for _ in range(2)]
    await backend.started.get()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert backend.closed == []
    backend.held.set()
    assert len((await second).samples) == 1
    assert len(backend.submitted) == 1


async def test_the_work_ends_when_the_last_has_left(plane: DataPlane, backend: FakeBackend, ends: Ends) -> None:
    backend.held = asyncio.Event()
    both = [asyncio.ensure_future(ask(plane)) for _ in range(2)]
    await backend.started.get()
    for task in both:
        task.cancel()
    await asyncio.wait(both)
    assert await asyncio.wait_for(backend.ended.get(), 5) == "id"
    backend.held.set()
    assert not (await ask(plane)).replayed


@pytest.mark.parametrize("words", [{"n": 2}, {"seed": 7}, {"params": {"label": 3}}, {"output": {"format": "npy"}}])
async def test_another_request_under_the_key_is_refused(
    plane: DataPlane, backend: FakeBackend, ends: Ends, words: dict[str, Any]
) -> None:
    await ask(plane)
    with pytest.raises(IdempotencyConflict, match="a new key, or the same body") as caught:
        await ask(plane, **words)
    assert caught.value.field == "Idempotency-Key"
    assert len(backend.submitted) == 1
    assert ends.seen[-1] == ("unknown", "unknown", "http", "idempotency_conflict", 0)


async def test_keys_belong_to_tenants(plane: DataPlane, backend: FakeBackend) -> None:
    await ask(plane, tenant="one")
    assert not (await ask(plane, tenant="two", n=2)).replayed
    assert [order.tenant for order in backend.submitted] == ["one", "two"]


async def test_errors_are_not_kept(plane: DataPlane, backend: FakeBackend) -> None:
    backend.failure = RowFailed("sample 0 is not finite")
    backend.held = asyncio.Event()
    both = [asyncio.ensure_future(ask(plane)) for _ in range(2)]
    await backend.started.get()
    backend.held.set()
    assert [type(error) for error in await asyncio.gather(*both, return_exceptions=True)] == [RowFailed, RowFailed]
    backend.failure = None
    assert not (await ask(plane)).replayed
    assert len(backend.submitted) == 2


async def test_deadlines_may_differ(plane: DataPlane, backend: FakeBackend) -> None:
    await ask(plane, deadline_ms=1000.0)
    assert (await ask(plane, deadline_ms=900.0)).replayed
    assert (await ask(plane)).replayed
    assert len(backend.submitted) == 1


async def test_who_waits_for_another_waits_no_longer_than_it_may(
    plane: DataPlane, backend: FakeBackend, ends: Ends
) -> None:
    backend.held = asyncio.Event()
    first = asyncio.ensure_future(ask(plane))
    await backend.started.get()
    with pytest.raises(DeadlineExceeded, match="an answer under the same Idempotency-Key is not finished"):
        await ask(plane, deadline_ms=1.0)
    assert ends.seen == [("unknown", "unknown", "http", "deadline_exceeded", 0)]
    backend.held.set()
    assert not (await first).replayed


async def test_nothing_is_kept_where_there_is_no_room(backend: FakeBackend, ends: Ends) -> None:
    plane = DataPlane(backend, Limits(replays=ReplayLimits(max_count=0)), ends)
    await ask(plane)
    assert not (await ask(plane)).replayed
    plane.close()


async def test_answers_expire(plane: DataPlane, backend: FakeBackend) -> None:
    await ask(plane)
    backend.clock += ReplayLimits().keep_s - 1
    assert (await ask(plane)).replayed
    backend.clock += 1
    assert not (await ask(plane)).replayed


@pytest.mark.parametrize("key", ["", "two words", "é", "x" * 256])
async def test_keys_that_are_not_fit(plane: DataPlane, ends: Ends, key: str) -> None:
    with pytest.raises(InvalidArgument, match="1 to 255 printable ASCII"):
        await ask(plane, key)
    assert ends.seen == [("unknown", "unknown", "http", "invalid_argument", 0)]


def test_fingerprints_tell_values_and_types_apart() -> None:
    words: list[dict[str, Any]] = [
        {},
        {"params": {"a": 1}},
        {"params": {"a": True}},
        {"params": {"a": 1.0}},
        {"params": {"a": "1"}},
        {"inputs": {"x": {"b64": b"\xff", "format": "raw"}}},
        {"inputs": {"x": {"b64": b"\xfe", "format": "raw"}}},
        {"inputs": {"x": {"data": [1]}}},
    ]
    prints = [fingerprint(GenerateRequest.model_validate({"model": "m", **fields})) for fields in words]
    assert len(set(prints)) == len(words)
    assert fingerprint(GenerateRequest(model="m")) == prints[0]
    assert check_key("a-1") == "a-1"


def answer_of(size: int) -> Answer:
    content = Encoded(bytes(size), "raw", "uint8", (size,))
    accepted = Accepted("id", "m", 1, "generate", 7, 1, "none")
    return Answer(accepted, (EncodedSample(0, 7, {"x": content}),), Timing(0, 0, 0), Usage(1, 1, 0, 0))


class Kept:
    """Answers of chosen sizes under chosen keys."""

    def __init__(self) -> None:
        self.replays = Replays(lambda: 0.0, LIMITS)

    async def put(self, key: str, size: int = 0, error: BroodError | None = None) -> None:
        async def make() -> Answer:
            if error is not None:
                raise error
            return answer_of(size)

        await self.replays.once(("", key), b"", make)

    def keys(self) -> str:
        return "".join(key for key in "abcdef" if self.replays.has(("", key)))


async def test_the_longest_unused_goes_first_when_there_are_too_many() -> None:
    kept = Kept()
    for key in "abcad":
        await kept.put(key)
    assert kept.keys() == "acd"


async def test_the_bytes_are_bounded() -> None:
    kept = Kept()
    for key in "ab":
        await kept.put(key, 3 * SAMPLE_BYTES)
    await kept.put("c", 5 * SAMPLE_BYTES)
    assert kept.keys() == "bc"
    await kept.put("d", 100 * SAMPLE_BYTES)  # larger than all that is kept
    assert kept.keys() == ""
    await kept.put("e", 5 * SAMPLE_BYTES)
    assert kept.keys() == "e"


async def test_failures_take_no_room() -> None:
    kept = Kept()
    with pytest.raises(RowFailed):
        await kept.put("a", error=RowFailed("no"))
    assert len(kept.replays) == 0

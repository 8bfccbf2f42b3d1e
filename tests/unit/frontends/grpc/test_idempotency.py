"""The key in the metadata of Generate means what the header means over HTTP."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import grpc
import pytest

from brood.dataplane import DataPlane
from brood.frontends.http.body import HttpGenerateRequest
from brood.protocol.wire.convert import request_message
from brood.protocol.wire.generator_pb2_grpc import GeneratorStub
from helpers.backend import FakeBackend
from helpers.ends import Ends

if TYPE_CHECKING:
    from brood.protocol.wire.generator_pb2_grpc import GeneratorAsyncStub

KEY = (("idempotency-key", "k"),)
ASKED = {"model": "tiny", "n": 2, "params": {"label": 3}}


@pytest.fixture
def stub(channel: grpc.aio.Channel) -> GeneratorAsyncStub:
    return GeneratorStub(channel)


async def ask(stub: GeneratorAsyncStub, metadata: Any = KEY, **words: Any) -> tuple[Any, bool]:
    """The answer, and whether it was there already."""
    call = stub.Generate(request_message({**ASKED, **words}), metadata=metadata, timeout=60)
    answer = await call
    trailers = dict(cast("Any", await call.trailing_metadata()))
    return answer, trailers.get("idempotent-replayed") == "true"


async def test_a_request_is_made_once(stub: GeneratorAsyncStub, backend: FakeBackend) -> None:
    first, second = await ask(stub), await ask(stub)
    assert (first[1], second[1]) == (False, True)
    assert first[0] == second[0]
    assert len(backend.submitted) == 1


async def test_the_second_waits_for_the_first(stub: GeneratorAsyncStub, backend: FakeBackend) -> None:
    backend.held = asyncio.Event()
    both = [asyncio.ensure_future(ask(stub)) for _ in range(2)]
    await backend.started.get()
    backend.held.set()
    assert sorted(replayed for _, replayed in await asyncio.gather(*both)) == [False, True]
    assert len(backend.submitted) == 1


async def test_without_a_key_it_is_made_again(stub: GeneratorAsyncStub, backend: FakeBackend) -> None:
    await ask(stub, ())
    await ask(stub, ())
    assert len(backend.submitted) == 2


async def test_one_key_over_both_transports(stub: GeneratorAsyncStub, plane: DataPlane, backend: FakeBackend) -> None:
    asked = HttpGenerateRequest.model_validate(ASKED)
    over_http = await plane.answer(asked, "other", "http", idempotency_key="k")
    answer, replayed = await ask(stub)
    assert replayed
    assert answer.seed == over_http.accepted.seed
    assert len(backend.submitted) == 1


@pytest.mark.parametrize(
    ("key", "words", "status", "code"),
    [
        ("k", {"n": 3}, grpc.StatusCode.FAILED_PRECONDITION, "idempotency_conflict"),
        ("two words", {}, grpc.StatusCode.INVALID_ARGUMENT, "invalid_argument"),
        ("", {}, grpc.StatusCode.INVALID_ARGUMENT, "invalid_argument"),
    ],
)
async def test_keys_that_are_refused(
    stub: GeneratorAsyncStub, key: str, words: dict[str, Any], status: grpc.StatusCode, code: str
) -> None:
    await ask(stub)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await ask(stub, (("idempotency-key", key),), **words)
    told = dict(cast("Any", caught.value.trailing_metadata()))
    assert (caught.value.code(), told["brood-error-code"], told["brood-error-field"]) == (
        status,
        code,
        "Idempotency-Key",
    )


async def test_streams_take_no_key(stub: GeneratorAsyncStub, backend: FakeBackend, ends: Ends) -> None:
    with pytest.raises(grpc.aio.AioRpcError, match="a stream is not kept") as caught:
        await anext(aiter(stub.GenerateStream(request_message(ASKED), metadata=KEY)))
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert backend.submitted == []
    assert ends.seen == [("unknown", "unknown", "grpc", "invalid_argument", 0)]

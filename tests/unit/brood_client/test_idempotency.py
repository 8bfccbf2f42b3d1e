"""Idempotency keys through the client, over either transport."""

from __future__ import annotations

from brood_client import IdempotencyConflict, InvalidArgument
from helpers.sdk import Service


async def test_the_same_request_under_a_key_is_made_once(service: Service) -> None:
    first = await service.call(lambda client: client.generate("tiny", n=2, idempotency_key="k"))
    again = await service.call(lambda client: client.generate("tiny", n=2, idempotency_key="k", timeout_s=30.0))
    assert (first.replayed, again.replayed) == (False, True)
    assert again.samples == first.samples
    assert len(service.backend.submitted) == 1


async def test_the_seed_is_made_of_the_key(service: Service) -> None:
    one = await service.call(lambda client: client.generate("tiny", idempotency_key="a"))
    other = await service.call(lambda client: client.generate("tiny", idempotency_key="b"))
    assert one.seed != other.seed
    given = await service.call(lambda client: client.generate("tiny", idempotency_key="c", seed=5))
    assert given.seed == 5


async def test_another_request_under_the_key_is_refused(service: Service) -> None:
    await service.call(lambda client: client.generate("tiny", idempotency_key="k"))
    error = await service.error(lambda client: client.generate("tiny", n=2, idempotency_key="k"))
    assert (type(error), error.field) == (IdempotencyConflict, "Idempotency-Key")


async def test_streams_take_no_key(service: Service) -> None:
    error = await service.error(lambda client: list(client.stream("tiny", idempotency_key="k")))
    assert (type(error), error.field) == (InvalidArgument, "Idempotency-Key")
    assert error.message == "Idempotency-Key: a stream is not kept; allowed: no key, or no stream"
    assert service.backend.submitted == []


async def test_keys_that_are_not_fit(service: Service) -> None:
    error = await service.error(lambda client: client.generate("tiny", idempotency_key="two words"))
    assert (type(error), error.field) == (InvalidArgument, "Idempotency-Key")

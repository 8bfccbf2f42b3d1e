"""What stands in front of the HTTP application: early, for as long as the answer lasts, and silent about keys."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.types import Message

from brood.frontends.http.app import HttpOptions, build_app
from helpers.access import UNKNOWN_KEY, Keys, Time
from helpers.ends import Gate as Barrier
from helpers.http import JSON, Service, error_of

TINY = b'{"model":"tiny"}'


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
async def service(keys: Keys, time: Time) -> AsyncIterator[Service]:
    service = Service(gate=keys.gate(time))
    yield service
    await service.close()


async def ask(service: Service, keys: Keys, name: str, content: bytes = TINY) -> tuple[int, str]:
    headers = JSON | {"authorization": keys.bearer(name)}
    answer = await service.client.post("/v1/generations", content=content, headers=headers)
    return answer.status_code, "ok" if answer.is_success else error_of(answer)["code"]


async def test_a_refusal_is_an_answer_like_any_other(service: Service) -> None:
    answer = await service.client.post("/v1/generations", content=TINY, headers=JSON | {"x-request-id": "mine"})
    error = error_of(answer)
    assert (answer.status_code, error["code"], error["request_id"]) == (401, "unauthenticated", "mine")
    assert answer.headers["www-authenticate"] == 'Bearer realm="brood"'
    assert [(end.protocol, end.code) for end in service.observer.ended] == [("http", "unauthenticated")]


async def test_the_other_header(service: Service, keys: Keys) -> None:
    for secret, status in ((keys.secrets["studio"], 200), (UNKNOWN_KEY, 401)):
        answer = await service.client.get("/v1/models", headers={"x-api-key": secret})
        assert answer.status_code == status


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/docs", "/openapi.json", "/v2/health/ready"])
async def test_probes_and_documents_are_open(service: Service, path: str) -> None:
    assert (await service.client.get(path)).status_code in (200, 503)


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/nothing"), ("POST", "/x"), ("OPTIONS", "/v1/generations")])
async def test_who_has_no_key_learns_not_even_what_there_is(service: Service, method: str, path: str) -> None:
    answer = await service.client.request(method, path)
    assert answer.status_code == 401
    assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_the_host_comes_before_the_key(keys: Keys, time: Time) -> None:
    service = Service(hosts=frozenset({"localhost"}), gate=keys.gate(time))
    headers = {"host": "evil.example", "authorization": keys.bearer("studio")}
    assert (await service.client.get("/v1/models", headers=headers)).status_code == 421
    await service.close()


async def test_nothing_of_the_body_is_read_before_the_key(service: Service, keys: Keys, time: Time) -> None:
    async def receive() -> Message:
        raise AssertionError("the body was asked for")

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    app = build_app(service.plane, HttpOptions(None, keys.gate(time)))
    scope = {"type": "http", "method": "POST", "path": "/v1/generations", "headers": [], "query_string": b""}
    await app(scope, receive, send)
    assert sent[0]["status"] == 401


async def test_too_fast_and_then_in_time(service: Service, keys: Keys, time: Time) -> None:
    headers = {"authorization": keys.bearer("slow")}
    statuses = [(await service.client.get("/v1/models", headers=headers)).status_code for _ in range(2)]
    time.seconds += 0.5
    refused = await service.client.get("/v1/models", headers=headers)
    assert (statuses, refused.status_code, refused.headers["retry-after"]) == ([200, 200], 429, "4")
    time.seconds += 4.0
    assert (await service.client.get("/v1/models", headers=headers)).status_code == 200


@pytest.mark.parametrize("content", [TINY, b'{"model":"tiny","stream":true}'], ids=["whole", "stream"])
async def test_too_many_at_once(service: Service, keys: Keys, content: bytes) -> None:
    held = service.backend.held = Barrier()
    first = asyncio.ensure_future(ask(service, keys, "single", content))
    await held.reached.wait()
    assert await ask(service, keys, "single") == (429, "rate_limited")
    held.set()
    assert (await first)[0] == 200
    assert await ask(service, keys, "single", content) == (200, "ok")


@pytest.mark.parametrize("content", [TINY, b'{"model":"tiny","stream":true}'], ids=["whole", "stream"])
async def test_who_leaves_gives_the_place_back(service: Service, keys: Keys, content: bytes) -> None:
    held = service.backend.held = Barrier()
    first = asyncio.ensure_future(ask(service, keys, "single", content))
    await held.reached.wait()
    first.cancel()
    await asyncio.wait([first])
    service.backend.held = None
    assert await ask(service, keys, "single") == (200, "ok")


async def test_a_request_that_fails_gives_the_place_back(service: Service, keys: Keys) -> None:
    for _ in range(2):
        assert await ask(service, keys, "single", b"{") == (400, "invalid_argument")
    assert await ask(service, keys, "single") == (200, "ok")


async def test_all_callers_share_the_places(keys: Keys, time: Time) -> None:
    service = Service(gate=keys.gate(time, max_concurrent=1))
    held = service.backend.held = Barrier()
    first = asyncio.ensure_future(ask(service, keys, "studio"))
    await held.reached.wait()
    assert await ask(service, keys, "narrow") == (429, "overloaded")
    held.set()
    assert await first == (200, "ok")
    await service.close()


async def test_one_tenant_does_not_cancel_what_another_began(service: Service, keys: Keys) -> None:
    held = service.backend.held = Barrier()
    headers = JSON | {"authorization": keys.bearer("studio"), "x-request-id": "mine"}
    first = asyncio.ensure_future(service.client.post("/v1/generations", content=TINY, headers=headers))
    await held.reached.wait()
    statuses = [
        (await service.client.delete("/v1/generations/mine", headers={"authorization": keys.bearer(name)})).status_code
        for name in ("narrow", "studio")
    ]
    assert statuses == [404, 204]
    assert (await first).status_code == 499


async def test_no_key_stands_in_the_log_or_in_an_answer(
    service: Service, keys: Keys, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(service.backend, "submit", broken)
    said = []
    with caplog.at_level(logging.DEBUG):
        for secret in (*keys.secrets.values(), UNKNOWN_KEY):
            for headers in ({"authorization": f"Bearer {secret}"}, {"x-api-key": secret}):
                answer = await service.client.post("/v1/generations", content=TINY, headers=JSON | headers)
                said.append(answer.text + str(answer.headers))
    assert "failed" in caplog.text
    for secret in (*keys.secrets.values(), UNKNOWN_KEY):
        assert secret.rpartition("_")[2] not in caplog.text + "".join(said)

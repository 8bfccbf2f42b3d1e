from __future__ import annotations

import asyncio
import logging
import re

import pytest
from starlette.types import Message, Receive, Scope, Send

from brood.frontends.http.border import PIECE_BYTES, Border, pieces
from helpers.http import JSON, Service, error_of


async def test_a_given_request_id_comes_back(service: Service) -> None:
    for path in ("/healthz", "/nowhere"):
        response = await service.client.get(path, headers={"x-request-id": "abc-123"})
        assert response.headers["x-request-id"] == "abc-123"


@pytest.mark.parametrize("given", ["two words", "x" * 129])
async def test_an_unfit_request_id_is_replaced(service: Service, given: str) -> None:
    response = await service.client.get("/healthz", headers={"x-request-id": given})
    assert response.headers["x-request-id"] not in ("", given)


TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


async def test_a_trace_is_followed_and_told_back(service: Service) -> None:
    for path in ("/healthz", "/nowhere"):
        told = (await service.client.get(path, headers={"traceparent": PARENT})).headers["traceresponse"]
        assert re.fullmatch(f"00-{TRACE}-[0-9a-f]{{16}}-01", told)
        assert told != PARENT
    assert "traceresponse" not in (await service.client.get("/healthz")).headers


@pytest.mark.parametrize("given", [["nonsense"], [PARENT, PARENT]])
async def test_an_invalid_trace_is_replaced(service: Service, given: list[str]) -> None:
    response = await service.client.get("/healthz", headers=[("traceparent", value) for value in given])
    assert re.fullmatch(f"00-(?!{TRACE})[0-9a-f]{{32}}-[0-9a-f]{{16}}-00", response.headers["traceresponse"])


async def test_unknown_addresses(service: Service) -> None:
    for path in ("/v1/nothing", "/v1/generations/", "/docs/../etc", "/v3"):
        response = await service.client.get(path)
        error = error_of(response)
        assert (response.status_code, error["code"]) == (404, "not_found")
        assert error["request_id"] == response.headers["x-request-id"]


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/v1/generations", {"POST"}),
        ("DELETE", "/v1/generations", {"POST"}),
        ("GET", "/v1/generations/some-id", {"DELETE"}),
        ("POST", "/v1/models", {"GET", "HEAD"}),
        ("PUT", "/healthz", {"GET", "HEAD"}),
    ],
)
async def test_wrong_methods(service: Service, method: str, path: str, allow: set[str]) -> None:
    response = await service.client.request(method, path)
    assert (response.status_code, error_of(response)["code"]) == (405, "method_not_allowed")
    assert set(response.headers["allow"].split(", ")) == allow


async def test_head_is_get_without_a_body(service: Service) -> None:
    assert (await service.client.head("/v1/models")).status_code == 200


async def test_other_origins_are_told_nothing(service: Service) -> None:
    origin = {"origin": "http://evil.example", "access-control-request-method": "POST"}
    preflight = await service.client.options("/v1/generations", headers=origin)
    assert preflight.status_code == 405
    answer = await service.client.get("/v1/models", headers=origin)
    for response in (preflight, answer):
        assert not [name for name in response.headers if name.startswith("access-control")]


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "LOCALHOST:1", "127.0.0.1:80", "[::1]:8000", "[::1]"])
async def test_own_names(host: str) -> None:
    service = Service(hosts=frozenset({"localhost", "127.0.0.1", "[::1]"}))
    assert (await service.client.get("/healthz", headers={"host": host})).status_code == 200
    await service.close()


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example:80", "127.0.0.1.evil.example", "localhost:x", ""]
)
async def test_foreign_names(host: str) -> None:
    service = Service(hosts=frozenset({"localhost"}))
    response = await service.client.post("/v1/generations", content=b'{"model":"tiny"}', headers=JSON | {"host": host})
    error = error_of(response)
    assert (response.status_code, error["code"], error["field"]) == (421, "host_refused", "Host")
    assert service.backend.submitted == []
    await service.close()


async def test_a_second_host_is_refused_whatever_it_says() -> None:
    service = Service(hosts=frozenset({"localhost"}))
    response = await service.client.get("/healthz", headers=[("host", "localhost"), ("host", "localhost")])
    assert response.status_code == 421
    assert error_of(response)["message"] == "Host: 2 sent; allowed: one of localhost"
    await service.close()


@pytest.mark.parametrize("origin", ["http://evil.example", "https://localhost.evil.example", "null", "", "localhost"])
async def test_pages_of_others_send_nothing_here(origin: str) -> None:
    service = Service(hosts=frozenset({"localhost"}))
    response = await service.client.post(
        "/v2/models/tiny/infer", content=b"{}", headers={"content-type": "text/plain", "origin": origin}
    )
    assert response.status_code == 421
    assert "Origin: " in response.json()["error"]
    assert service.backend.submitted == []
    await service.close()


@pytest.mark.parametrize("origin", ["http://localhost:3000", "https://LOCALHOST"])
async def test_own_pages_do(origin: str) -> None:
    service = Service(hosts=frozenset({"localhost"}))
    assert (await service.client.get("/v1/models", headers={"origin": origin})).status_code == 200
    await service.close()


async def test_any_name_where_none_is_configured(service: Service) -> None:
    assert (await service.client.get("/healthz", headers={"host": "brood.example"})).status_code == 200


async def test_unforeseen_errors_keep_their_details_in_the_log(
    service: Service, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: object) -> None:
        raise ZeroDivisionError("the secret")

    monkeypatch.setattr(service.backend, "submit", broken)
    with caplog.at_level(logging.ERROR):
        response = await service.generate({"model": "tiny"}, **{"x-request-id": "lost", "traceparent": PARENT})
    error = error_of(response)
    assert (response.status_code, error["code"], error["request_id"]) == (500, "internal", "lost")
    assert "secret" not in response.text
    assert "request lost failed" in caplog.text
    assert "the secret" in caplog.text
    assert [getattr(record, "trace_id", None) for record in caplog.records] == [TRACE]


async def test_long_names_are_cut_in_answers(service: Service) -> None:
    response = await service.generate({"model": "tiny", "params": {"x" * 10**5: 1}})
    assert response.status_code == 400
    assert len(response.content) < 4000


def scope_of(path: str = "/") -> Scope:
    return {"type": "http", "method": "GET", "path": path, "headers": []}


async def no_body() -> Message:
    return {"type": "http.request"}


async def test_an_error_after_the_answer_began_is_left_to_the_server() -> None:
    async def app(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ValueError("half-way")

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    with pytest.raises(ValueError, match="half-way"):
        await Border(app, None)(scope_of(), no_body, send)
    assert len(sent) == 1


async def test_a_request_cancelled_by_the_server_is_told_so() -> None:
    async def app(_: Scope, __: Receive, ___: Send) -> None:
        await asyncio.Event().wait()

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    task = asyncio.ensure_future(Border(app, None)(scope_of(), no_body, send))
    await asyncio.sleep(0)
    task.cancel()
    await task
    assert sent[0]["status"] == 503
    assert b'"not_ready"' in sent[1]["body"]


@pytest.mark.parametrize("size", [1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES])
@pytest.mark.parametrize("more", [False, True])
def test_large_answers_go_out_in_pieces(size: int, more: bool) -> None:
    body = bytes(number % 251 for number in range(size))
    sent = list(pieces({"type": "http.response.body", "body": body, "more_body": more}))
    assert b"".join(piece["body"] for piece in sent) == body
    assert all(len(piece["body"]) <= PIECE_BYTES for piece in sent)
    assert [piece["more_body"] for piece in sent] == [*[True] * (len(sent) - 1), more]

"""Every protocol against the real frontends, over a backend without an engine."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import numpy as np
import pytest

from brood.dataplane import DataPlane, Limits
from brood.frontends.servers import ServerOptions, Servers
from brood.loadgen.orders import Accept, Order, Scalar
from brood.loadgen.outcome import UNREACHABLE, Answer, Failed
from brood.loadgen.ways import Target, open_way
from brood.protocol.errors import InvalidArgument, Overloaded, RuntimeFailed
from helpers.backend import IMAGE, PAINTER, FakeBackend, ready
from helpers.observer import FakeObserver

RAW = 4 * int(np.prod(IMAGE))
WHOLE = [("http", "http"), ("http", "oip"), ("http", "openai"), ("grpc", "grpc"), ("grpc", "oip-grpc")]
STREAMS = [("http", "http"), ("http", "openai"), ("grpc", "grpc")]
ORDER = Order(PAINTER, n=1, params={"label": 3})


@dataclass(frozen=True)
class Running:
    """Both servers."""

    backend: FakeBackend
    servers: Servers

    async def ask(self, kind: str, protocol: str, order: Order, *, stream: bool = False, seed: int = 7) -> Answer:
        """One request."""
        port = self.servers.http_port if kind == "http" else self.servers.grpc_port
        way = open_way(Target(f"{kind}://127.0.0.1:{port}", protocol, stream, api_key="key"), time.monotonic)
        try:
            return await way.send(order, seed)
        finally:
            await way.aclose()


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    backend = FakeBackend((ready("tiny"), ready(PAINTER)))
    plane = DataPlane(backend, Limits(), FakeObserver())
    servers = Servers(plane, ServerOptions("127.0.0.1", 0, 0))
    await servers.start()
    yield Running(backend, servers)
    await servers.stop(0)
    plane.close()


@pytest.mark.parametrize(("kind", "protocol"), WHOLE)
async def test_a_right_answer_in_one_piece(running: Running, kind: str, protocol: str) -> None:
    answer = await running.ask(kind, protocol, replace(ORDER, n=3))
    assert answer.size > sum(len(content) for content in answer.contents) / 2 > 0
    assert (answer.first_at, answer.preview_at) == (None, None)
    (generation,) = running.backend.submitted
    assert (generation.n, generation.seed, generation.params["label"]) == (3, 7, 3)
    pictures = [content for content in answer.contents if len(content) == RAW]
    assert len(pictures) == {"http": 3, "grpc": 3}.get(protocol, 0)


@pytest.mark.parametrize(("kind", "protocol"), STREAMS)
async def test_a_stream_says_when_its_first_sample_and_preview_came(running: Running, kind: str, protocol: str) -> None:
    before = time.monotonic()
    answer = await running.ask(kind, protocol, replace(ORDER, common={"preview_every": 1}), stream=True)
    assert answer.preview_at is not None
    assert answer.first_at is not None
    assert before < answer.preview_at <= answer.first_at < time.monotonic()
    assert len(answer.contents) == (1 if protocol == "openai" else 2)  # the picture, and its label


@pytest.mark.parametrize(("kind", "protocol"), STREAMS)
async def test_streams_and_whole_answers_have_the_same_contents(running: Running, kind: str, protocol: str) -> None:
    whole = await running.ask(kind, protocol, replace(ORDER, n=3))
    stream = await running.ask(kind, protocol, replace(ORDER, n=3), stream=True)
    assert list(stream.contents) == list(whole.contents)
    other = await running.ask(kind, protocol, replace(ORDER, n=3), seed=8)
    assert list(other.contents) != list(whole.contents)


async def test_the_forms_of_an_answer_over_the_own_http(running: Running) -> None:
    raw, label = (await running.ask("http", "http", ORDER)).contents
    assert np.frombuffer(label).item() == 1  # version 1 and (3 + 4) / 8 of the parameters, as a whole number
    forms: tuple[tuple[Accept, int], ...] = (("npy", 1), ("png", 1), ("safetensors", 3))
    for accept, n in forms:
        assert len((await running.ask("http", "http", replace(ORDER, accept=accept, n=n))).contents) == 1
    file = (await running.ask("http", "http", replace(ORDER, accept="npy"))).contents[0]
    assert bytes(file).endswith(raw)
    for format in ("npy", "png"):
        assert len((await running.ask("http", "http", replace(ORDER, format=format))).contents) == 2


@pytest.mark.parametrize(("kind", "protocol"), [pair for pair in WHOLE if pair[1] != "openai"])
async def test_inputs_and_controls_arrive(running: Running, kind: str, protocol: str) -> None:
    known = np.arange(6, dtype=np.uint8).reshape(2, 3)
    common: dict[str, Scalar] = {"priority": "bulk", "deadline_ms": 5000.0, "determinism": "exact", "version": 1}
    order = Order("tiny", operation="complete", n=2, common=common, params={"steps": 4}, inputs={"known": known})
    await running.ask(kind, protocol, order)
    (generation,) = running.backend.submitted
    np.testing.assert_array_equal(generation.inputs["known"], [known, known])
    assert (generation.priority, generation.exact, generation.version) == ("bulk", True, 1)
    assert generation.deadline is not None
    assert generation.deadline <= running.backend.clock + 5.0


@pytest.mark.parametrize(("kind", "protocol"), WHOLE)
async def test_refusals_have_the_server_s_code(running: Running, kind: str, protocol: str) -> None:
    running.backend.refusal = Overloaded("the queue is full", retry_after_s=1.0)
    with pytest.raises(Failed) as caught:
        await running.ask(kind, protocol, ORDER)
    assert caught.value.code == ("http_429" if protocol == "oip" else "overloaded")
    assert "the queue is full" in caught.value.message


@pytest.mark.parametrize(("kind", "protocol"), STREAMS)
async def test_streams_that_fail_on_the_way_have_the_server_s_code(running: Running, kind: str, protocol: str) -> None:
    running.backend.failure = RuntimeFailed("the device is lost")
    with pytest.raises(Failed) as caught:
        await running.ask(kind, protocol, ORDER, stream=True)
    assert caught.value.code == "runtime_failed"


@pytest.mark.parametrize(("kind", "protocol"), WHOLE)
async def test_nobody_listens(kind: str, protocol: str) -> None:
    way = open_way(Target(f"{kind}://127.0.0.1:1", protocol), time.monotonic)
    with pytest.raises(Failed) as caught:
        await way.send(ORDER, 7)
    await way.aclose()
    assert caught.value.code == UNREACHABLE


@pytest.mark.parametrize(
    ("target", "complaint"),
    [
        (Target("127.0.0.1:8000"), 'url: "127.0.0.1:8000" is not allowed; allowed: http://HOST:PORT'),
        (Target("http://"), "url: "),
        (Target("grpc://a:1/path"), "url: "),
        (Target("grpc://a:1", "openai"), 'protocol: "openai" is not allowed; allowed: grpc, oip-grpc with grpc://'),
        (Target("https://a:1", "grpc"), "allowed: http, oip, openai with https://"),
        (Target("http://a:1", "oip", stream=True), "allowed: http, openai or grpc, with streams"),
    ],
)
async def test_a_wrong_address_is_refused(target: Target, complaint: str) -> None:
    with pytest.raises(InvalidArgument, match=complaint):
        open_way(target, time.monotonic)

"""Whoever leaves, by whatever transport, costs the engine no further step: counted over real connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import grpc
import httpx2
import pytest

from brood.dataplane import DataPlane, Limits
from brood.frontends.servers import ServerOptions, Servers
from brood.host.host import Host, HostOptions
from brood.protocol.requests import GenerateRequest
from brood.protocol.wire import inference_pb2 as oip
from brood.protocol.wire.convert import request_message
from brood.protocol.wire.generator_pb2_grpc import GeneratorStub
from brood.protocol.wire.inference_pb2_grpc import GRPCInferenceServiceStub
from brood_client import AsyncClient
from helpers.bundles import steps_bundle
from helpers.ends import Ends
from helpers.hanging import Hanging, hanging

STEPS, MADE = 50, 6  # of a generation; when its caller leaves, the last of these is being made
AFTER = 4  # steps of the next generation
WORDS = {"model": "steps", "params": {"steps": STEPS}}


class Counting(Ends):
    """Counts the steps that the engine makes."""

    steps = 0

    def stepped(self, model: str, graph: str, rows: int, bucket: int, calls: int, seconds: float, error: float) -> None:
        """See `EngineObserver.stepped`."""
        self.steps += calls * (graph == "step")

    def queued(self, rows: int, backlog_s: float) -> None:
        """See `EngineObserver.queued`."""

    def wasted(self, seconds: float) -> None:
        """See `EngineObserver.wasted`."""


@dataclass(frozen=True)
class Site:
    """A server with an engine whose device stops in the step number `MADE` of a generation, until it is let go."""

    http: str
    grpc: str
    plane: DataPlane
    counts: Counting
    device: Hanging


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    steps_bundle(tmp_path, hangs_on={"input": "count", "equals": MADE - 1})
    counts = Counting()
    with hanging() as device:
        host = Host(HostOptions(models=tmp_path), counts)
        await host.start()
        plane = DataPlane(host, Limits(), counts)
        servers = Servers(plane, ServerOptions("127.0.0.1", 0, 0))
        await servers.start()
        yield Site(f"127.0.0.1:{servers.http_port}", f"127.0.0.1:{servers.grpc_port}", plane, counts, device)
        device.let_go()
        await servers.stop(0)
        await host.stop()
        plane.close()


async def over_http(site: Site, path: str, body: object) -> None:
    async with httpx2.AsyncClient() as client:
        await client.post(f"http://{site.http}{path}", json=body)


async def whole(site: Site) -> None:
    await over_http(site, "/v1/generations", WORDS)


async def events(site: Site) -> None:
    async with httpx2.AsyncClient() as client:
        body = WORDS | {"stream": True}
        async with client.stream("POST", f"http://{site.http}/v1/generations", json=body) as response:
            async for _ in response.aiter_lines():
                pass


async def infer(site: Site) -> None:
    await over_http(site, "/v2/models/steps/infer", {"parameters": {"steps": STEPS}})


async def generate_stream(site: Site) -> None:
    await over_http(site, "/v2/models/steps/generate_stream", {"steps": STEPS})


async def call(site: Site) -> None:
    async with grpc.aio.insecure_channel(site.grpc) as channel:
        await GeneratorStub(channel).Generate(request_message(WORDS))


async def stream(site: Site) -> None:
    async with grpc.aio.insecure_channel(site.grpc) as channel:
        async for _ in GeneratorStub(channel).GenerateStream(request_message(WORDS)):
            pass


def model_infer() -> oip.ModelInferRequest:
    request = oip.ModelInferRequest(model_name="steps")
    request.parameters["steps"].int64_param = STEPS
    return request


async def oip_call(site: Site) -> None:
    async with grpc.aio.insecure_channel(site.grpc) as channel:
        await GRPCInferenceServiceStub(channel).ModelInfer(model_infer())


async def oip_stream(site: Site) -> None:
    async with grpc.aio.insecure_channel(site.grpc) as channel:
        async for _ in GRPCInferenceServiceStub(channel).ModelStreamInfer(iter([model_infer()])):
            pass


async def sdk_over_http(site: Site) -> None:
    async with AsyncClient(f"http://{site.http}") as client:
        await client.generate("steps", params={"steps": STEPS})


async def sdk_over_grpc(site: Site) -> None:
    async with AsyncClient(f"grpc://{site.grpc}") as client, client.stream("steps", params={"steps": STEPS}) as told:
        async for _ in told:
            pass


WAYS: list[Callable[[Site], Awaitable[None]]] = [
    *(whole, events, infer, generate_stream),
    *(call, stream, oip_call, oip_stream),
    *(sdk_over_http, sdk_over_grpc),
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_who_leaves_costs_no_further_step(site: Site, way: Callable[[Site], Awaitable[None]]) -> None:
    before = site.counts.steps
    caller = asyncio.ensure_future(way(site))
    await asyncio.to_thread(site.device.wait_for_call)
    caller.cancel()
    with suppress(asyncio.CancelledError):
        await caller
    assert (await site.counts.next())[3] == "cancelled"
    site.device.let_go()
    after = GenerateRequest(model="steps", params={"steps": AFTER})
    assert len((await site.plane.collect(after, "after")).samples) == 1
    assert site.counts.steps - before == MADE + AFTER

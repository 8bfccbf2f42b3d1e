"""The client against a server of either kind: the same answers and the same errors over either transport."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pytest

from brood.dataplane import DataPlane, Limits
from brood.frontends.servers import ServerOptions, Servers
from brood.protocol import errors
from brood_client import (
    BroodError,
    Client,
    DeadlineExceeded,
    DeadlineInfeasible,
    DeterminismUnavailable,
    InvalidArgument,
    ModelNotFound,
    ModelUnavailable,
    NotReady,
    Overloaded,
)
from helpers.backend import FakeBackend, sample_of
from helpers.ends import Ends
from helpers.grpc_server import grpc_server

T = TypeVar("T")


@dataclass(frozen=True)
class Service:
    """A server over a fake backend, and a client to it."""

    backend: FakeBackend
    client: Client

    async def call(self, verb: Callable[[Client], T]) -> T:
        """Use the client, which blocks, while the servers' loop runs."""
        return await asyncio.to_thread(verb, self.client)

    async def error(self, verb: Callable[[Client], object]) -> BroodError:
        """The error a use of the client raises."""
        with pytest.raises(BroodError) as caught:
            await self.call(verb)
        return caught.value


@asynccontextmanager
async def http_server(plane: DataPlane) -> AsyncGenerator[str, None]:
    """Serve a data plane; yields ``HOST:PORT``."""
    servers = Servers(plane, ServerOptions("127.0.0.1", 0, 0))
    await servers.start()
    try:
        yield f"127.0.0.1:{servers.http_port}"
    finally:
        await servers.stop(0)


SERVERS = {"http": http_server, "grpc": grpc_server}


@pytest.fixture(params=SERVERS)
async def service(request: pytest.FixtureRequest) -> AsyncIterator[Service]:
    backend = FakeBackend()
    plane = DataPlane(backend, Limits(), Ends())
    async with SERVERS[request.param](plane) as target:
        with Client(f"{request.param}://{target}") as client:
            yield Service(backend, client)
    plane.close()


async def test_samples_and_everything_about_them(service: Service) -> None:
    made = await service.call(lambda client: client.generate("tiny", n=3, seed=7, index=2, params={"label": 3}))
    head = (made.model, made.version, made.operation, made.seed, made.determinism)
    assert head == ("tiny", 2, "generate", 7, "exact")
    generation = service.backend.submitted[0]
    assert made.id == generation.request_id
    assert [(sample.index, sample.seed) for sample in made.samples] == [(2, 7), (3, 7), (4, 7)]
    for row, sample in enumerate(made.samples):
        expected = sample_of(generation, row).outputs
        assert list(sample.outputs) == ["label", "sample"]
        assert sample.outputs["label"] == expected["label"].item()
        np.testing.assert_array_equal(sample.outputs["sample"], expected["sample"])
    assert made.array.shape == (3, 1, 28, 28)
    assert made.array.dtype == np.float32


async def test_a_drawn_seed_makes_the_same_again(service: Service) -> None:
    first = await service.call(lambda client: client.generate("tiny"))
    again = await service.call(lambda client: client.generate("tiny", seed=first.seed))
    np.testing.assert_array_equal(first.array, again.array)


async def test_arrays_go_in(service: Service) -> None:
    pictures = np.linspace(-1, 1, 2 * 28 * 28).reshape(2, 1, 28, 28).astype(np.float32)
    made = await service.call(
        lambda client: client.generate("tiny", n=2, seed=7, operation="reconstruct", inputs={"image": pictures})
    )
    np.testing.assert_array_equal(service.backend.submitted[0].inputs["image"], pictures)
    assert made.operation == "reconstruct"


async def test_what_is_asked_for_reaches_the_engine(service: Service) -> None:
    await service.call(lambda client: client.generate("tiny", priority="bulk", determinism="exact"))
    await service.call(lambda client: client.generate("tiny"))
    orders = [(order.priority, order.exact) for order in service.backend.submitted]
    assert orders == [("bulk", True), ("interactive", False)]


async def test_numbers_come_out(service: Service) -> None:
    image = np.zeros((1, 28, 28), np.float32)
    made = await service.call(
        lambda client: client.generate("tiny", seed=7, operation="score", inputs={"image": image}, version=1)
    )
    assert made.version == 1
    assert made.samples[0].outputs == {"log_likelihood": 1.0}
    assert type(made.samples[0].outputs["log_likelihood"]) is float


async def test_models(service: Service) -> None:
    models = await service.call(lambda client: client.models())
    assert [(model.name, model.version, model.state) for model in models] == [
        ("broken", 1, "failed"),
        ("slow", 1, "loading"),
        ("tiny", 1, "ready"),
        ("tiny", 2, "ready"),
    ]
    assert models[0].reason == "graph.onnx: its sha256 is not the one in the manifest"
    assert models[3].operations == ("complete", "generate", "reconstruct", "score", "vary")


@pytest.mark.parametrize(
    ("verb", "kind", "field"),
    [
        (lambda client: client.generate("tiny", n=0), InvalidArgument, "n"),
        (lambda client: client.generate("tiny", seed=-1), InvalidArgument, "seed"),
        (lambda client: client.generate("tiny", seed=2**63), InvalidArgument, "seed"),
        (lambda client: client.generate("tiny", params={"label": 11}), InvalidArgument, "params.label"),
        (lambda client: client.generate("tiny", operation="dream"), InvalidArgument, "operation"),
        (
            lambda client: client.generate("tiny", operation="reconstruct", inputs={"image": np.zeros((2, 2), "f4")}),
            InvalidArgument,
            "inputs.image",
        ),
        (lambda client: client.generate("tinny"), ModelNotFound, "model"),
        (lambda client: client.generate("broken"), ModelUnavailable, "model"),
        (lambda client: client.generate("slow"), NotReady, "model"),
        (lambda client: client.generate("tiny", priority="urgent"), InvalidArgument, "priority"),
        (
            lambda client: client.generate(
                "tiny", operation="score", determinism="exact", inputs={"image": np.zeros((1, 28, 28), "f4")}
            ),
            DeterminismUnavailable,
            "determinism",
        ),
        (lambda client: client.generate("tiny", n=4000, timeout_s=0.9), DeadlineInfeasible, "deadline_ms"),
    ],
)
async def test_errors_are_typed_and_name_the_field(
    service: Service, verb: Callable[[Client], object], kind: type[BroodError], field: str
) -> None:
    error = await service.error(verb)
    assert type(error) is kind
    assert error.field == field
    assert error.message.startswith(f"{field}: ")


async def test_an_error_has_code_and_request_id(service: Service) -> None:
    error = await service.error(lambda client: client.generate("tiny", params={"label": 11}))
    assert error.code == "invalid_argument"
    assert error.request_id is not None
    assert str(error) == "params.label: 11 is not allowed; allowed: an integer from -1 to 9"


async def test_an_error_without_a_class_keeps_its_code(service: Service) -> None:
    service.backend.failure = errors.RowFailed("sample 0 is not finite", index=0)
    error = await service.error(lambda client: client.generate("tiny"))
    assert (type(error), error.code, error.message) == (BroodError, "row_failed", "sample 0 is not finite")


async def test_a_full_queue(service: Service) -> None:
    service.backend.refusal = errors.Overloaded("16384 rows are queued", retry_after_s=2.0)
    assert type(await service.error(lambda client: client.generate("tiny"))) is Overloaded


async def test_the_timeout_travels_as_the_deadline(service: Service) -> None:
    await service.call(lambda client: client.generate("tiny", timeout_s=30.0))
    await service.call(lambda client: client.generate("tiny", timeout_s=None))
    first, second = (generation.deadline for generation in service.backend.submitted)
    assert first is not None
    assert 0 < first - service.backend.clock <= 30
    assert second is None


async def test_the_server_says_that_the_deadline_passed(service: Service) -> None:
    service.backend.failure = errors.DeadlineExceeded("the deadline passed after 0 of 1 samples")
    error = await service.error(lambda client: client.generate("tiny", timeout_s=30.0))
    assert type(error) is DeadlineExceeded
    assert error.message == "the deadline passed after 0 of 1 samples"

"""One list of who asks for what, over HTTP and gRPC: the same are let in, and refused in the same words."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import grpc
import httpx2
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_health.v1.health_pb2_grpc import HealthStub

from brood.dataplane import DataPlane, Limits
from brood.frontends.http.app import HttpOptions, build_app
from brood.protocol.errors import TABLE
from brood.protocol.wire import generator_pb2 as pb
from brood.protocol.wire import inference_pb2 as inference
from brood.protocol.wire.generator_pb2_grpc import GeneratorStub
from brood.protocol.wire.inference_pb2_grpc import GRPCInferenceServiceStub
from helpers.access import UNKNOWN_KEY, Keys, Time
from helpers.backend import FakeBackend
from helpers.ends import Ends
from helpers.grpc_server import grpc_server

ROWS = {row.code: row for row in TABLE.values()}


@dataclass(frozen=True)
class Ask:
    """One question to the gate."""

    name: str
    key: str | None  # of helpers.access.GRANTS, or "unknown"
    verb: str  # live, models, generate, cancel, load
    code: str = "ok"  # what comes of it
    before: int = 0  # so often it has generated already, which went well
    retry_after_s: float | None = None


ASKS = (
    Ask("health needs no key", None, "live"),
    Ask("no key", None, "generate", "unauthenticated"),
    Ask("no key for the models", None, "models", "unauthenticated"),
    Ask("wrong key", "unknown", "generate", "unauthenticated"),
    Ask("revoked key", "revoked", "generate", "unauthenticated"),
    Ask("expired key", "expired", "generate", "unauthenticated"),
    Ask("a good key", "studio", "generate"),
    Ask("a good key for the models", "studio", "models"),
    Ask("a key that expires later", "lasting", "generate"),
    Ask("wrong scope", "scraper", "generate", "permission_denied"),
    Ask("wrong scope for the models", "scraper", "models", "permission_denied"),
    Ask("a key that does not generate", "operator", "generate", "permission_denied"),
    Ask("a key that does not manage", "studio", "load", "permission_denied"),
    Ask("no key to manage", None, "load", "unauthenticated"),
    Ask("a key that manages", "operator", "load"),
    Ask("a model that the key has", "narrow", "generate"),
    Ask("a model that the key has not", "elsewhere", "generate", "permission_denied"),
    Ask("not too fast", "slow", "generate", before=1),
    Ask("too fast", "slow", "generate", "rate_limited", before=2, retry_after_s=4.0),
    Ask("too fast for the models", "slow", "models", "rate_limited", before=2, retry_after_s=4.0),
    Ask("never too fast to cancel", "slow", "cancel", "generation_not_found", before=2),
    Ask("no key to cancel", None, "cancel", "unauthenticated"),
)


@dataclass(frozen=True)
class Outcome:
    """What came back, in the words that both transports have."""

    code: str
    message: str = ""
    retry_after_s: float | None = None


class Over:
    """A server behind keys, and a way to ask it."""

    def __init__(self, keys: Keys, time: Time) -> None:
        self.keys = keys
        self.backend = FakeBackend()
        self.ends = Ends()
        self.plane = DataPlane(self.backend, Limits(), self.ends, admin=True)
        self.gate = keys.gate(time)

    def secret(self, key: str | None) -> str | None:
        """The key to send."""
        return UNKNOWN_KEY if key == "unknown" else None if key is None else self.keys.secrets[key]


Asking = Callable[[Over, str, str | None], Awaitable[Outcome]]


async def http(over: Over, verb: str, key: str | None) -> Outcome:
    """Ask over HTTP."""
    app = build_app(over.plane, HttpOptions(None, over.gate))
    secret = over.secret(key)
    headers = {} if secret is None else {"authorization": f"Bearer {secret}"}
    method, path, body = {
        "live": ("GET", "/healthz", None),
        "models": ("GET", "/v1/models", None),
        "generate": ("POST", "/v1/generations", {"model": "tiny", "seed": 7}),
        "cancel": ("DELETE", "/v1/generations/nothing", None),
        "load": ("POST", "/v2/repository/models/tiny/load", {}),
    }[verb]
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://localhost") as client:
        answer = await client.request(method, path, json=body, headers=headers)
    if answer.is_success:
        return Outcome("ok")
    error = answer.json()["error"]
    if isinstance(error, str):  # where the protocol has no place for a code
        error = {"message": error, "code": next(code for code, row in ROWS.items() if row.http == answer.status_code)}
    assert answer.status_code == ROWS[error["code"]].http
    assert ("www-authenticate" in answer.headers) == (answer.status_code == 401)
    retry_after = answer.headers.get("retry-after")
    return Outcome(error["code"], error["message"], None if retry_after is None else float(retry_after))


async def over_grpc(over: Over, verb: str, key: str | None) -> Outcome:
    """Ask over gRPC."""
    secret = over.secret(key)
    metadata = () if secret is None else (("authorization", f"Bearer {secret}"),)
    async with grpc_server(over.plane, gate=over.gate) as target, grpc.aio.insecure_channel(target) as channel:
        own: Any = GeneratorStub(channel)
        other: Any = GRPCInferenceServiceStub(channel)
        method, message = {
            "live": (HealthStub(channel).Check, HealthCheckRequest()),
            "models": (own.ListModels, pb.ListModelsRequest()),
            "generate": (own.Generate, pb.GenerateRequest(model="tiny", seed=7)),
            "cancel": (own.Cancel, pb.CancelRequest(id="nothing")),
            "load": (other.RepositoryModelLoad, inference.RepositoryModelLoadRequest(model_name="tiny")),
        }[verb]
        try:
            answer = await method(message, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            return outcome_of(error)
        cancelled_nothing = isinstance(answer, pb.CancelResponse) and not answer.cancelled
        return Outcome("generation_not_found") if cancelled_nothing else Outcome("ok")


def outcome_of(error: grpc.aio.AioRpcError) -> Outcome:
    """A status in the words that both transports have."""
    words = dict(cast("Any", error.trailing_metadata()))
    assert error.code().name == ROWS[words["brood-error-code"]].grpc
    retry_after_s = retry_delay_s(words["grpc-status-details-bin"])
    return Outcome(words["brood-error-code"], error.details() or "", retry_after_s)


def retry_delay_s(content: bytes) -> float | None:
    """What RetryInfo says."""
    for part in Status.FromString(content).details:
        if part.Is(RetryInfo.DESCRIPTOR):
            info = RetryInfo()
            part.Unpack(info)
            return float(info.retry_delay.ToTimedelta().total_seconds())
    return None


@pytest.fixture
async def over(tmp_path: Path) -> AsyncIterator[Over]:
    over = Over(Keys(tmp_path), Time())
    yield over
    over.plane.close()


@pytest.mark.parametrize("ask", ASKS, ids=lambda ask: ask.name)
@pytest.mark.parametrize("asking", [http, over_grpc])
async def test_asked(over: Over, asking: Asking, ask: Ask) -> None:
    for _ in range(ask.before):
        assert (await asking(over, "generate", ask.key)).code == "ok"
    made = len(over.backend.submitted)
    outcome = await asking(over, ask.verb, ask.key)
    assert outcome.code == ask.code, outcome
    if ask.retry_after_s is not None:
        assert outcome.retry_after_s == pytest.approx(ask.retry_after_s)
    if ask.code != "ok":
        assert len(over.backend.submitted) == made


@pytest.mark.parametrize(
    "ask", [ask for ask in ASKS if ask.code not in ("ok", "generation_not_found")], ids=lambda ask: ask.name
)
async def test_both_transports_say_the_same(tmp_path: Path, ask: Ask) -> None:
    keys = Keys(tmp_path)
    said = set()
    for asking in (http, over_grpc):
        over = Over(keys, Time())
        for _ in range(ask.before):
            await asking(over, "generate", ask.key)
        said.add(await asking(over, ask.verb, ask.key))
        over.plane.close()
    assert len(said) == 1, said


@pytest.mark.parametrize("asking", [http, over_grpc])
async def test_the_name_of_the_key_is_the_tenant(over: Over, asking: Asking) -> None:
    for name in ("studio", "narrow"):
        await asking(over, "generate", name)
    assert [order.tenant for order in over.backend.submitted] == ["studio", "narrow"]

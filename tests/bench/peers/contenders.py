"""Every way that is measured: a server, and the protocol in which it is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import grpc
import numpy as np

from bench.peers.processes import Kind, Server
from brood.loadgen.checks import check_size
from brood.loadgen.http.connection import Response
from brood.loadgen.http.oip import OipHttp
from brood.loadgen.http.own import OwnHttp
from brood.loadgen.http.pool import Pool
from brood.loadgen.http.way import Codec, HttpWay
from brood.loadgen.orders import Accept, Order
from brood.loadgen.outcome import Answer, Content, Failed, wrong
from brood.loadgen.rpc.oip import OipGrpc
from brood.loadgen.rpc.own import OwnGrpc
from brood.loadgen.rpc.way import OPTIONS, GrpcWay
from brood.loadgen.ways import Way

Clock = Callable[[], float]
COMPARED = 2  # answers to each order that are held against the bare session's, number by number
NEAR = 1e-4  # largest difference: batches of other sizes round otherwise


@dataclass(frozen=True)
class RawPost:
    """A `Codec` of servers that take and give bytes.

    Args:
        path: of the address.
        row_bytes: of one image.
    """

    path: str
    row_bytes: int

    def message(self, order: Order, seed: int) -> tuple[str, Mapping[str, str], bytes]:
        return self.path, {"Content-Type": "application/octet-stream"}, order.inputs["z"].tobytes()

    def marks(self) -> None:
        return

    def contents(self, order: Order, response: Response) -> Sequence[Content]:
        check_size("body", order.n * self.row_bytes, response.body)
        return (response.body,)

    def error(self, response: Response) -> Failed:
        return Failed(f"http_{response.status}", response.body[:200].decode("utf-8", "replace"))


@dataclass
class Same:
    """A `Check`: the first answers to each order are what the bare session makes of its latents."""

    expected: Sequence[np.ndarray]  # by order
    seen: dict[int, int] = field(default_factory=dict)

    def __call__(self, order: int, seed: int, answer: Answer) -> None:
        self.seen[order] = self.seen.get(order, 0) + 1
        if self.seen[order] > COMPARED:
            return
        wanted = self.expected[order]
        found = np.frombuffer(answer.contents[0], np.float32)
        if found.size != wanted.size:
            raise wrong(f"{found.size} numbers instead of {wanted.size}")
        distance = float(np.abs(found.reshape(wanted.shape) - wanted).max())
        if not distance <= NEAR:
            raise wrong(f"max |Δ| {distance:.3g} to the bare session; allowed: {NEAR}")


@dataclass(frozen=True)
class Contender:
    """One line of a table."""

    name: str
    kind: Kind
    own_latents: bool = False  # the server draws them: its answers cannot be compared with the bare session's

    def order(self, order: Order) -> Order:
        """An order in this server's words."""
        graph = order.model
        if self.own_latents:
            accept: Accept = "npy" if order.n == 1 else "safetensors"
            return replace(order, model=f"{graph}-gan", inputs={}, accept=accept)
        return replace(order, model="generator") if self.kind == "triton" else order

    def way(self, server: Server, row_bytes: int, now: Clock) -> Way:
        """To a server that runs."""
        if self.name.endswith("grpc"):
            channel = grpc.aio.insecure_channel(f"127.0.0.1:{server.grpc_port}", options=OPTIONS)
            return GrpcWay(channel, OwnGrpc(channel, ()) if self.own_latents else OipGrpc(channel, (), bare=True))
        pool = Pool("127.0.0.1", server.port, None, 512)
        return HttpWay(pool, f"127.0.0.1:{server.port}", {}, self._codec(row_bytes), now)

    def _codec(self, row_bytes: int) -> Codec:
        if self.own_latents:
            return OwnHttp()
        if self.kind in ("triton", "brood"):
            return OipHttp(bare=True)
        return RawPost("/predict" if self.kind == "litserve" else "/inference", row_bytes)


CONTENDERS = (
    Contender("mosec", "mosec"),
    Contender("triton http", "triton"),
    Contender("triton grpc", "triton"),
    Contender("litserve", "litserve"),
    Contender("bentoml", "bentoml"),
    Contender("ray serve", "ray"),
    Contender("brood http", "brood", own_latents=True),
    Contender("brood grpc", "brood", own_latents=True),
    Contender("brood oip http", "brood"),
    Contender("brood oip grpc", "brood"),
)

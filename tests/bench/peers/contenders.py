"""Every way that is measured: a server, and the protocol in which it is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import grpc
import numpy as np

from bench.peers.processes import Kind, Server
from bench.peers.workloads import Asked
from brood.loadgen.checks import check_size
from brood.loadgen.http.connection import Response
from brood.loadgen.http.oip import OipHttp
from brood.loadgen.http.own import OwnHttp
from brood.loadgen.http.pool import Pool
from brood.loadgen.http.way import Codec, HttpWay
from brood.loadgen.orders import Order
from brood.loadgen.outcome import Answer, Content, Failed, wrong
from brood.loadgen.rpc.oip import OipGrpc
from brood.loadgen.rpc.own import OwnGrpc
from brood.loadgen.rpc.way import OPTIONS, GrpcWay
from brood.loadgen.ways import Way

Clock = Callable[[], float]
COMPARED = 2  # answers to each request that are held against the bare session's, number by number


@dataclass(frozen=True)
class RawPost:
    """A `Codec` of servers that take and give bytes.

    Args:
        path: of the address; what stands for the route is filled in.
        row_bytes: route → bytes of one sample.
    """

    path: str
    row_bytes: Mapping[str, int]

    def message(self, order: Order, seed: int) -> tuple[str, Mapping[str, str], bytes]:
        (array,) = order.inputs.values()
        path = self.path.format(route=order.model)
        return path, {"Content-Type": "application/octet-stream"}, array.tobytes()

    def marks(self) -> None:
        return

    def contents(self, order: Order, response: Response) -> Sequence[Content]:
        check_size("body", order.n * self.row_bytes[order.model], response.body)
        return (response.body,)

    def error(self, response: Response) -> Failed:
        return Failed(f"http_{response.status}", response.body[:200].decode("utf-8", "replace"))


@dataclass
class Same:
    """A `Check`: the first answers to each request are what the bare session makes of what came with it."""

    expected: Sequence[np.ndarray]  # by order
    near: float  # largest difference
    seen: dict[int, int] = field(default_factory=dict)

    def __call__(self, order: int, seed: int, answer: Answer) -> None:
        self.seen[order] = self.seen.get(order, 0) + 1
        if self.seen[order] <= COMPARED:
            check_near(self.expected[order], answer.contents[0], self.near)


def check_near(wanted: np.ndarray, content: Content, near: float) -> None:
    """Samples are those that are wanted.

    Raises:
        Failed: there are others, or another number of them.
    """
    check_size("samples", wanted.nbytes, content)
    found = np.frombuffer(content, wanted.dtype).reshape(wanted.shape)
    distance = float(np.abs(found.astype(np.float64) - wanted).max())
    if not distance <= near:
        raise wrong(f"max |Δ| {distance:.3g} to the bare session; allowed: {near}")


@dataclass(frozen=True)
class Contender:
    """One line of a table."""

    name: str
    kind: Kind
    own_latents: bool = False  # the server draws them: its answers cannot be compared with the bare session's
    png: bool = False  # pictures rather than numbers

    @property
    def grpc(self) -> bool:
        """Rather than HTTP."""
        return "grpc" in self.name

    def order(self, asked: Asked) -> Order:
        """A request in this server's words."""
        if self.own_latents:
            return replace(asked.own, accept="png") if self.png else asked.own
        return replace(asked.same, model=asked.keyed) if self.kind.endswith("keyed") else asked.same

    def way(self, server: Server, row_bytes: Mapping[str, int], now: Clock) -> Way:
        """To a server that runs."""
        if self.grpc:
            channel = grpc.aio.insecure_channel(f"127.0.0.1:{server.grpc_port}", options=OPTIONS)
            return GrpcWay(channel, OwnGrpc(channel, ()) if self.own_latents else OipGrpc(channel, (), bare=True))
        pool = Pool("127.0.0.1", server.port, None, 512)
        return HttpWay(pool, f"127.0.0.1:{server.port}", {}, self._codec(row_bytes), now)

    def _codec(self, row_bytes: Mapping[str, int]) -> Codec:
        if self.own_latents:
            return OwnHttp()
        if self.kind.startswith(("triton", "brood")):
            return OipHttp(bare=True)
        return RawPost(PATHS.get(self.kind, "/inference"), row_bytes)


PATHS = {"litserve": "/predict"} | dict.fromkeys(("mosec", "mosec-keyed", "mosec-two"), "/inference/{route}")
CONTENDERS = (
    Contender("mosec", "mosec"),
    Contender("mosec, keyed", "mosec-keyed"),
    Contender("mosec, two workers", "mosec-two"),
    Contender("triton http", "triton"),
    Contender("triton grpc", "triton"),
    Contender("triton grpc, keyed", "triton-keyed"),
    Contender("litserve", "litserve"),
    Contender("bentoml", "bentoml"),
    Contender("mlserver grpc", "mlserver"),
    Contender("ray serve", "ray"),
    Contender("brood http", "brood", own_latents=True),
    Contender("brood http, PNG", "brood", own_latents=True, png=True),
    Contender("brood grpc", "brood", own_latents=True),
    Contender("brood oip http", "brood"),
    Contender("brood oip grpc", "brood"),
    Contender("brood split http", "brood-split", own_latents=True),
    Contender("brood http, two lanes", "brood-two", own_latents=True),
)

"""What is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from bench.peers.environments import KEPT
from bench.peers.graphs import LATENT
from bench.peers.processes import Setting
from brood.loadgen.orders import Order
from brood.protocol.manifest import Scalar

REQUESTS, FEW_REQUESTS, MANY = 8, 2, 100  # different ones; the same, where they have many samples
SIZES = (1, 2, 4, 8, 16, 32, 64, 128)


@dataclass(frozen=True)
class Asked:
    """One request, in the words of all."""

    same: Order  # what it takes comes with it
    own: Order  # brood draws latents and noise from a seed
    keyed: str = ""  # route of a server that keeps kinds of requests apart


class Source(Protocol):
    """What makes samples."""

    @property
    def name(self) -> str:
        """For tables."""
        ...

    @property
    def routes(self) -> Mapping[str, Path]:
        """Of the servers of others: name → file."""
        ...

    @property
    def keyed(self) -> Mapping[str, Path]:
        """The same, with a route for each kind of request."""
        ...

    @property
    def models(self) -> Sequence[str]:
        """What brood serves of it."""
        ...

    def asked(self, n: int) -> Sequence[Asked]:
        """Requests of ``n`` samples, equally often."""
        ...


@dataclass(frozen=True)
class Graphs:
    """Networks of one call; requests bring their latents."""

    names: tuple[str, ...]
    title: str = ""

    @property
    def name(self) -> str:
        return self.title or self.names[0]

    @property
    def routes(self) -> Mapping[str, Path]:
        return {name: KEPT / "graphs" / f"{name}.onnx" for name in self.names}

    @property
    def keyed(self) -> Mapping[str, Path]:
        return self.routes

    @property
    def models(self) -> Sequence[str]:
        return [each for name in self.names for each in (name, f"{name}-gan")]

    def asked(self, n: int) -> Sequence[Asked]:
        """See `Source`."""
        rng = np.random.default_rng(0)
        found = []
        count = FEW_REQUESTS if n >= MANY else REQUESTS
        for number in range(count):
            name = self.names[number % len(self.names)]
            order = Order(name, share=1 / count, label=str(number), n=n)
            same = replace(order, inputs={"z": rng.standard_normal((n, LATENT), np.float32)})
            own = replace(order, model=f"{name}-gan", accept="npy" if n == 1 else "safetensors")
            found.append(Asked(same, own, name))
        return found


@dataclass(frozen=True)
class Walks:
    """A step generator; requests say of which kind they are, a seed and a label."""

    model: str
    kinds: tuple[Mapping[str, Scalar], ...]
    name: str

    @property
    def file(self) -> Path:
        """Of what the others run."""
        return KEPT / "walks" / f"{self.name.replace(' ', '-')}.json"

    @property
    def routes(self) -> Mapping[str, Path]:
        return {"walk": self.file}

    @property
    def keyed(self) -> Mapping[str, Path]:
        return {f"walk-{kind}": self.file for kind in range(len(self.kinds))}

    @property
    def models(self) -> Sequence[str]:
        return [self.model]

    def asked(self, n: int) -> Sequence[Asked]:
        """See `Source`."""
        return [self._asked(number, n) for number in range(REQUESTS)]

    def _asked(self, number: int, n: int) -> Asked:
        kind, label = number % len(self.kinds), number // len(self.kinds) % 4
        order = Order("walk", share=1 / REQUESTS, label=str(number), n=n)
        seeds = [(kind, 1000 * number + row, label) for row in range(n)]
        own = replace(order, model=self.model, accept="npy", params={**self.kinds[kind], "label": label})
        return Asked(replace(order, inputs={"request": np.array(seeds, np.int64)}), own, f"walk-{kind}")


@dataclass(frozen=True)
class Workload:
    """Requests that are alike."""

    source: Graphs | Walks
    n: int  # samples of a request
    clients: int  # of the closed loop
    who: Sequence[str]  # contenders
    stretch: float = 1.0  # times as long as the others: requests are few
    near: float = 1e-4  # largest difference to the bare session: batches of other sizes round otherwise
    sizes: Sequence[int] = SIZES  # rows of a call that the bare session tries

    @property
    def name(self) -> str:
        """What tables call it."""
        return f"{self.source.name} n={self.n} clients={self.clients}"

    def asked(self) -> Sequence[Asked]:
        """All requests, equally often."""
        return self.source.asked(self.n)

    def setting(self, threads: int, rows: int) -> Setting:
        """For the servers."""
        source = self.source
        return Setting(
            source.name,
            tuple(source.routes.items()),
            tuple(source.keyed.items()),
            tuple(source.models),
            threads,
            rows,
            max(1, -(-rows // self.n)),
        )


FUNCTIONS = ("mosec", "triton grpc", "litserve", "bentoml", "mlserver grpc", "ray serve", "brood http", "brood grpc")
MORE = ("triton http", "brood oip http", "brood oip grpc")  # other protocols to the same servers
TWO = ("mosec, two workers", "brood http, two lanes")  # two calls at once, each with half of the threads
BEST = ("mosec", "triton grpc", "brood http", "brood grpc", *TWO)  # the two best of the others
KEYED = ("mosec, keyed", "triton grpc, keyed")
Kinds = tuple[Mapping[str, Scalar], ...]
EQUAL: Kinds = ({"steps": 20, "sampler": "dpmpp-2m", "guidance": 1.0},)
MIXED: Kinds = (
    {"steps": 4, "sampler": "dpmpp-2m", "guidance": 1.0},
    {"steps": 50, "sampler": "euler-ancestral", "guidance": 1.0},
)
FOUR = ("mlp", "dcgan-small", "mlp-wide", "dcgan")
WALK_SIZES = (1, 4, 8, 16, 32)
WORKLOADS = (
    Workload(Graphs(("dcgan",)), 1, 32, (*FUNCTIONS, *MORE, *TWO, "brood http, PNG", "brood split http")),
    Workload(Graphs(("dcgan",)), 16, 32, (*FUNCTIONS, *MORE, *TWO)),
    Workload(Graphs(("dcgan",)), 500, 4, (*FUNCTIONS, *TWO), stretch=3),
    Workload(Graphs(("mlp",)), 1, 1, FUNCTIONS),
    Workload(Graphs(("mlp",)), 1, 32, (*FUNCTIONS, *MORE, *TWO, "brood split http")),
    Workload(Graphs(("mlp",)), 1, 256, FUNCTIONS),
    Workload(Graphs(("vae256",)), 1, 8, (*FUNCTIONS, *TWO, "brood http, PNG"), sizes=(1, 2, 4, 8)),
    Workload(Graphs(FOUR, "four models"), 1, 32, BEST),
    # A denoiser bound by reading its weights, untrained: batching pays for it, as it does on accelerators. On few cores
    # the shipped one costs nearly as much a row in a batch as alone, so that no way of batching makes a difference.
    Workload(Walks("wide", EQUAL, "diffusion 20 steps"), 1, 32, BEST, stretch=2, near=1e-3, sizes=WALK_SIZES),
    Workload(Walks("wide", MIXED, "diffusion half 4 half 50 steps"), 1, 32, (*BEST, *KEYED), 3, 1e-3, WALK_SIZES),
    Workload(Walks("glyphs-pixelrnn", ({},), "pixelrnn"), 1, 32, BEST, stretch=2, near=0, sizes=(8, 16, 32)),
    Workload(Walks("glyphs-rbm", ({"steps": 1000},), "rbm 1000 sweeps"), 1, 32, BEST, stretch=4, sizes=(8, 32)),
)

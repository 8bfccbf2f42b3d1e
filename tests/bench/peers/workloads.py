"""What is asked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnxruntime

from bench.peers.graphs import LATENT
from bench.peers.processes import Setting
from brood.loadgen.orders import Order

LATENTS = 8  # different requests


@dataclass(frozen=True)
class Workload:
    """Requests that are alike."""

    graph: str
    n: int  # samples of a request
    clients: int  # of the closed loop
    stretch: int = 1  # times as long as the others: requests are few

    @property
    def name(self) -> str:
        """What tables call it."""
        return f"{self.graph} n={self.n} clients={self.clients}"

    def setting(self, threads: int, rows: int) -> Setting:
        """For the servers."""
        return Setting(self.graph, threads, rows, max(1, -(-rows // self.n)))

    def orders(self) -> tuple[Order, ...]:
        """Requests with latents of their own; those who draw latents themselves leave them out."""
        rng = np.random.default_rng(0)
        return tuple(
            Order(
                self.graph,
                share=1 / LATENTS,
                label=str(number),
                n=self.n,
                inputs={"z": rng.standard_normal((self.n, LATENT), np.float32)},
            )
            for number in range(LATENTS)
        )

    def expected(self, setting: Setting) -> list[np.ndarray]:
        """What the bare session makes of the orders, row by row."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(setting.file), options, providers=["CPUExecutionProvider"])
        return [np.concatenate([_run(session, z) for z in _rows(order)]) for order in self.orders()]


def _rows(order: Order) -> list[np.ndarray]:
    return np.split(order.inputs["z"], order.n)


def _run(session: onnxruntime.InferenceSession, z: np.ndarray) -> np.ndarray:
    image: np.ndarray = session.run(None, {"z": z})[0]
    return image


WORKLOADS = (
    Workload("dcgan", 1, 32),
    Workload("dcgan", 16, 32),
    Workload("dcgan", 500, 4, stretch=3),
    Workload("mlp", 1, 1),
    Workload("mlp", 1, 32),
    Workload("mlp", 1, 256),
)

"""The hot paths, without clocks, threads and networks: each a function that does the same work at every call."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

Once = Callable[[], None]  # once
Prepared = Callable[[], Once]
ROWS, STEPS, CALLS = 32, 1000, 16
BUCKETS = (1, 2, 4, 8, 16, 32)
BODY = json.dumps({"model": "tiny", "seed": 7, "params": {"label": 3}}).encode()
REQUEST = (
    b"POST /v1/generations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Accept: application/x-safetensors\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
)


class Planned:
    """32 rows of a denoiser-like program, each of a request of its own, at different steps."""

    def __init__(self) -> None:
        from brood.engine.cost import CostModel
        from brood.engine.executor import Executor
        from brood.engine.model import EngineModel
        from brood.engine.rows import make_job
        from brood.engine.scheduler import Scheduler
        from helpers.bundles import steps_bundle
        from helpers.engine import engine_model, generation

        with tempfile.TemporaryDirectory() as room:
            loaded = engine_model(steps_bundle(Path(room)), capacity=2 * ROWS)
        graphs = {stage.graph for program in loaded.programs.values() for stage in program.stages}
        costs = CostModel({name: {bucket: 0.001 * (1 + bucket / 64) for bucket in BUCKETS} for name in graphs})
        model = EngineModel(loaded.name, 1, loaded.programs, Still(loaded.runtime), costs)
        self._scheduler, self._executor = Scheduler(), Executor(clock=lambda: 0.0)
        for number in range(ROWS):
            job = make_job(generation(model, str(number), steps=STEPS + number, seed=number), model, 0.0)
            self._scheduler.add(job)
        self._step()

    def plan_and_commit(self) -> None:
        """What the scheduler does for a call of 32 rows."""
        plan = self._scheduler.plan(0.0)
        if plan is None or len(plan.rows) != ROWS:
            raise RuntimeError(f"expected a call of {ROWS} rows")
        self._scheduler.commit(plan, self._report)

    def execute(self) -> None:
        """What the executor does for it, beside the graph."""
        self._executor.execute(self._plan)

    def run(self) -> None:
        """What the executor does for a run of such calls."""
        run = replace(self._plan, steps=CALLS)
        if self._executor.execute(run).steps != CALLS:
            raise RuntimeError("the run ended early")
        for row in run.rows:
            row.pass_by(1 - CALLS)

    def _step(self) -> None:
        plan = self._scheduler.plan(0.0)
        if plan is None:
            raise RuntimeError("nothing to do")
        plan = replace(plan, steps=1)
        self._plan, self._report = plan, self._executor.execute(plan)
        self._scheduler.commit(plan, self._report)


class Still:
    """A runtime that does nothing: every row stays finite."""

    def __init__(self, runtime: Any) -> None:
        self.capacity, self.state_bytes = runtime.capacity, runtime.state_bytes
        self.write, self.read = runtime.write, runtime.read

    def run(self, graph: str, slots: Any, *rest: Any) -> dict[str, np.ndarray]:
        """As `SlotRuntime.run`."""
        return {"ok": np.ones(len(slots), bool)}


class Transport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()

    def write(self, data: Any) -> None:
        self.written += data

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 80)}.get(name, default)

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        return

    def pause_reading(self) -> None:
        return

    def resume_reading(self) -> None:
        return


class Answered:
    """One MLP-like sample over a data plane whose backend answers at once."""

    def __init__(self) -> None:
        from bench.bare_calls import generate, message
        from brood.frontends.servers import ServerOptions, _config
        from helpers.http import Service

        self._loop = asyncio.new_event_loop()
        self._service = Service()
        config = _config(self._service.plane, ServerOptions("127.0.0.1", 0, 0))
        config.load()
        self._config = config
        self._generate, self._message = generate(self._service.plane), message("tiny", 7)
        self._loop.run_until_complete(self._connected())

    async def _connected(self) -> None:
        from uvicorn.server import ServerState

        from brood.frontends.http.connections import PatientProtocol

        self._transport = Transport()
        self._protocol = PatientProtocol(self._config, ServerState(), {})
        self._protocol.connection_made(self._transport)

    def http(self) -> None:
        """From the bytes of a request to those of its answer, as uvicorn is used."""
        self._loop.run_until_complete(self._answered())
        if not self._transport.written.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(bytes(self._transport.written[:200]).decode("latin-1"))
        self._transport.written.clear()

    async def _answered(self) -> None:
        self._protocol.data_received(REQUEST)
        while (cycle := self._protocol.cycle) is None or not cycle.response_complete:  # noqa: ASYNC110
            await asyncio.sleep(0)

    def grpc(self) -> None:
        """From a message's bytes to its answer's."""
        if not self._loop.run_until_complete(self._generate(self._message)):
            raise RuntimeError("an empty answer")


def noise() -> Once:
    """32 rows of 784 normal numbers, fresh for each call."""
    from brood.sampling.noise import TRANSFORMS, NoiseStream

    streams = [NoiseStream(seed=seed, stream=0, index=0, count=784) for seed in range(ROWS)]

    def once() -> None:
        TRANSFORMS["normal"](np.concatenate([stream.raw() for stream in streams]))

    return once


def png() -> Once:
    """A picture of 64×64 in colour."""
    from brood.media.png import write_png

    rows, columns = np.mgrid[:64, :64]
    pixels = np.stack([rows * 4, columns * 4, rows ^ columns], -1).astype(np.uint8)

    def once() -> None:
        write_png(pixels)

    return once


def paths() -> dict[str, Prepared]:
    """All, by name."""
    return {
        "scheduler: plan and commit, 32 rows": lambda: Planned().plan_and_commit,
        "executor: inputs, 32 rows": lambda: Planned().execute,
        f"executor: a run of {CALLS} calls, 32 rows": lambda: Planned().run,
        "noise: 32 x 784 normal numbers": noise,
        "PNG: 64 x 64 in colour": png,
        "HTTP: bytes to bytes, one sample": lambda: Answered().http,
        "gRPC: bytes to bytes, one sample": lambda: Answered().grpc,
    }

"""Two request-level servers in this process, on the same graphs as brood, as fair as they can be made.

Both run whole batches from the first step to the last: state stays in arrays of the whole batch, noise is drawn for all
rows together and only where the sampler uses any, and the largest batch is the one that makes most rows a second.

- *keyed*: only requests of equal parameters (steps, sampler, guided or not) share a batch; the oldest request's turn.
- *padded*: all requests share batches that are as long as their longest; a row that is finished is carried along. Only
  whether guidance is used keeps requests apart, because it doubles the cost of a step.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from brood.program.compile import Program
from brood.program.initial import mixed
from brood.protocol.requests import Generation
from brood.runtimes.base import LoadedGraph
from brood.sampling.noise import TRANSFORMS, NoiseStream
from brood.sampling.schedules import Schedule

LATENT, LABEL, STEP = 0, 1, 3  # streams


@dataclass
class Denoiser:
    """A denoiser bundle as a plain function of whole requests."""

    program: Program
    graphs: dict[str, LoadedGraph]

    def schedule(self, request: Generation) -> Schedule:
        """Its table."""
        return self.program.schedule(request.params)

    def guided(self, request: Generation) -> bool:
        """Whether any of its steps is guided."""
        return bool((self.schedule(request).columns["guidance"] != 1.0).any())

    def run(self, requests: Sequence[Generation], bucket: int) -> list[np.ndarray]:
        """All samples of one batch; rows beyond the requests repeat the first."""
        rows = [*requests, *[requests[0]] * (bucket - len(requests))]
        schedules = [self.schedule(request) for request in rows]
        shape = self.program.operation.state["x"].shape
        streams = [_stream(request, STEP, shape) for request in rows]
        x = np.stack([_initial(request, schedule, shape) for request, schedule in zip(rows, schedules, strict=True)])
        state = {"x": x.astype(np.float32), "x0": np.zeros_like(x, np.float32)}
        fixed = _fixed(self.program, rows)
        name = "step_guided" if self.guided(requests[0]) else "step"
        graph = self.graphs[name]
        outputs: list[np.ndarray] = [np.empty(0)] * len(requests)
        for step in range(max(schedule.steps for schedule in schedules)):
            at = [min(step, schedule.steps - 1) for schedule in schedules]
            numbers = np.stack([table.columns["solver"][k] for table, k in zip(schedules, at, strict=True)])
            noise = _noise(streams, [table.columns["noise"][k] for table, k in zip(schedules, at, strict=True)], shape)
            found = graph({**fixed, **state, "noise": noise, "solver": numbers.astype(np.float32)})
            state = {"x": found["next_x"], "x0": found["next_x0"]}
            for place, schedule in enumerate(schedules[: len(requests)]):
                if step + 1 == schedule.steps:
                    outputs[place] = np.array(state["x"][place])
        return outputs


def _stream(request: Generation, stream: int, shape: tuple[int, ...]) -> NoiseStream:
    return NoiseStream(seed=request.seed, stream=stream, index=request.index, count=int(np.prod(shape)))


def _initial(request: Generation, schedule: Schedule, shape: tuple[int, ...]) -> np.ndarray:
    return mixed(schedule, TRANSFORMS["normal"](_stream(request, LATENT, shape).raw()).reshape(shape), None)


def _fixed(program: Program, rows: Sequence[Generation]) -> dict[str, np.ndarray]:
    """What is the same in all steps: the label, and nothing to complete."""
    feeds = {feed.name: feed for feed in program.stages[0].feeds}
    given = {"label": [request.params["label"] for request in rows], "label_noise": [0.5] * len(rows)}
    fixed = {name: np.asarray(values, feeds[name].dtype) for name, values in given.items()}
    zeros = [name for name in ("known", "mask") if name in feeds]
    return fixed | {name: np.zeros((len(rows), *feeds[name].shape), np.float32) for name in zeros}


def _noise(streams: Sequence[NoiseStream], scales: Sequence[float], shape: tuple[int, ...]) -> np.ndarray:
    noise = np.zeros((len(streams), *shape), np.float32)
    wanted = [place for place, scale in enumerate(scales) if scale != 0]
    if wanted:
        raw = np.concatenate([streams[place].raw() for place in wanted])
        noise[wanted] = TRANSFORMS["normal"](raw).reshape(-1, *shape)
    return noise


@dataclass
class RequestLevel:
    """A server that batches whole requests.

    Args:
        run: makes the samples of a batch, on the device's thread.
        key: requests share a batch if they have the same.
        buckets: row counts a batch may have, ascending; the largest is the most.
    """

    run: Callable[[Sequence[Generation], int], list[np.ndarray]]
    key: Callable[[Generation], Hashable]
    buckets: Sequence[int]
    _queue: deque[tuple[Generation, asyncio.Future[np.ndarray]]] = field(default_factory=deque)
    _work: asyncio.Event = field(default_factory=asyncio.Event)
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))

    def start(self) -> None:
        """Begin to work, on the running event loop."""
        self._task = asyncio.create_task(self._loop())

    async def stop(self) -> None:
        """End."""
        self._task.cancel()
        await asyncio.wait([self._task])
        self._thread.shutdown()

    async def make(self, request: Generation) -> np.ndarray:
        """The sample of a request."""
        done: asyncio.Future[np.ndarray] = asyncio.get_running_loop().create_future()
        self._queue.append((request, done))
        self._work.set()
        return await done

    async def _loop(self) -> None:
        while True:
            while not self._queue:
                self._work.clear()
                await self._work.wait()
            batch = self._take()
            bucket = min(bucket for bucket in self.buckets if bucket >= len(batch))
            requests = [request for request, _ in batch]
            loop = asyncio.get_running_loop()
            samples = await loop.run_in_executor(self._thread, self.run, requests, bucket)
            for (_, done), sample in zip(batch, samples, strict=True):
                if not done.done():
                    done.set_result(sample)

    def _take(self) -> list[tuple[Generation, asyncio.Future[np.ndarray]]]:
        """The oldest request and those that may share its batch, in order of arrival."""
        key, most = self.key(self._queue[0][0]), self.buckets[-1]
        batch = list[tuple[Generation, asyncio.Future[np.ndarray]]]()
        left = deque[tuple[Generation, asyncio.Future[np.ndarray]]]()
        while self._queue:
            entry = self._queue.popleft()
            (batch if len(batch) < most and self.key(entry[0]) == key else left).append(entry)
        self._queue = left
        return batch

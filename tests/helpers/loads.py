"""A server in a test's words, for the load generator."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from brood.loadgen.firsts import Check
from brood.loadgen.orders import Order
from brood.loadgen.outcome import Answer
from brood.loadgen.run import Plan, Run, Runner
from brood.loadgen.stages import Stage
from brood.loadgen.timer import LoopTimer
from helpers.virtual_time import run_virtually

Serve = Callable[[Order, int], Awaitable[Answer]]
GOOD = Answer((b"sample",), 6)


@dataclass
class FakeWay:
    """A `Way` to a function."""

    serve: Serve
    asked: list[tuple[float, Order, int]] = field(default_factory=list)  # when, what, seed

    async def send(self, order: Order, seed: int) -> Answer:
        self.asked.append((asyncio.get_running_loop().time(), order, seed))
        return await self.serve(order, seed)

    async def aclose(self) -> None:
        pass


def one_at_a_time(seconds: float) -> Serve:
    """A server that takes requests one after another, each for so long."""
    turn = asyncio.Lock()

    async def serve(order: Order, seed: int) -> Answer:
        async with turn:
            await asyncio.sleep(seconds)
        return GOOD

    return serve


def pressed(serve: Serve, plan: Plan, stage: Stage, check: Check | None = None) -> tuple[Run, FakeWay]:
    """A stage on a virtual clock; its processor time stands still."""
    way = FakeWay(serve)

    async def work() -> Run:
        return await Runner(way, plan, LoopTimer(), check, cpu=lambda: 0.0).run(stage)

    return run_virtually(work()), way

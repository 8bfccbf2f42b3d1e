"""All stages against one server."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import aclosing, closing
from typing import Any, TypeVar

from brood.loadgen.firsts import FirstAnswers
from brood.loadgen.measures import Summary, summarize
from brood.loadgen.run import Plan, Runner
from brood.loadgen.stages import Stage
from brood.loadgen.timer import Timer, best_timer
from brood.loadgen.ways import Target, Way, open_way

T = TypeVar("T")
Told = Callable[[Summary], None]


def measure(target: Target, plan: Plan, stages: Sequence[Stage], slo_s: float | None, told: Told) -> list[Summary]:
    """Press a server, stage after stage.

    Args:
        target: the server.
        plan: what is asked for, and how long.
        stages: how hard.
        slo_s: as in `summarize`.
        told: is given each stage's figures when it is over.

    Raises:
        InvalidArgument: the address or the protocol is none.
    """
    return run_quickly(lambda timer: _measured(open_way(target, timer.now), plan, timer, stages, slo_s, told))


def run_quickly(work: Callable[[Timer], Coroutine[Any, Any, T]]) -> T:
    """Run on the quickest event loop there is, with the most exact timer: 12 µs a request rather than 24, measured."""
    import uvloop

    async def timed() -> T:
        with closing(best_timer(time.monotonic)) as timer:
            gc.collect()
            gc.freeze()  # what is there by now needs not be looked at again and again
            return await work(timer)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(timed())


async def _measured(
    way: Way, plan: Plan, timer: Timer, stages: Sequence[Stage], slo_s: float | None, told: Told
) -> list[Summary]:
    found = []
    async with aclosing(way):
        runner = Runner(way, plan, timer, FirstAnswers() if plan.repeat else None)
        for stage in stages:
            found.append(summarize(await runner.run(stage), slo_s))
            told(found[-1])
    return found

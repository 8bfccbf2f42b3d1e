"""A stage from its begin to its end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from brood.loadgen.firsts import Check
from brood.loadgen.orders import Order
from brood.loadgen.outcome import OK, TIMEOUT, WRONG, Answer, Failed, Outcome
from brood.loadgen.stages import Closed, Open, Stage
from brood.loadgen.timer import Timer
from brood.loadgen.ways import Way

PAUSE_S = 0.05  # of a client of a closed loop whose request failed: a server that is down is not to be asked in a rush
DRAWN = 4096  # orders at a time
SEED_LIMIT = 2**53


@dataclass(frozen=True, slots=True)
class Plan:
    """What all stages have in common."""

    orders: Sequence[Order]  # whose shares make 1
    seconds: float  # of a stage, that count
    warm_up_s: float = 0.0  # of a stage before, that do not
    timeout_s: float = 60.0  # of a request, from when it is sent
    seed: int = 0  # of what is drawn here, and of samples
    repeat: int | None = None  # so many seeds of samples, again and again; None: ever new ones


@dataclass(frozen=True, slots=True)
class Run:
    """What a stage was like."""

    stage: Stage
    plan: Plan
    outcomes: Sequence[Outcome]  # of all requests, in order of their ends
    own_cpu_s: float  # processor time of this process meanwhile
    span_s: float  # from begin to the last answer

    def counted(self, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """Those of some that were due after the warm-up."""
        return [outcome for outcome in outcomes if outcome.due >= self.plan.warm_up_s]


class Runner:
    """Sends requests along a way.

    Args:
        way: to the server.
        plan: for all stages.
        timer: tells and waits.
        check: looks at good answers once more.
        cpu: processor seconds of this process so far.
    """

    def __init__(
        self,
        way: Way,
        plan: Plan,
        timer: Timer,
        check: Check | None = None,
        cpu: Callable[[], float] = time.process_time,
    ) -> None:
        self._way, self._plan, self._timer, self._check, self._cpu = way, plan, timer, check, cpu
        self._rng = np.random.default_rng(plan.seed)
        self._requests = self._drawn()
        self._outcomes: list[Outcome] = []
        self._begin = 0.0

    async def run(self, stage: Stage) -> Run:
        """One stage; it ends when its last request is answered."""
        self._outcomes, cpu_s = [], self._cpu()
        self._begin = self._timer.now()
        await (self._open(stage) if isinstance(stage, Open) else self._closed(stage))
        return Run(stage, self._plan, self._outcomes, self._cpu() - cpu_s, self._now())

    async def _open(self, stage: Open) -> None:
        running = set[asyncio.Task[Outcome]]()
        for due in stage.times(self._plan.warm_up_s, self._plan.seconds, self._rng).tolist():
            await self._timer.until(self._begin + due)
            task = asyncio.create_task(self._one(due))
            running.add(task)
            task.add_done_callback(running.discard)
        await asyncio.gather(*running)

    async def _closed(self, stage: Closed) -> None:
        lives = stage.lives(self._plan.warm_up_s, self._plan.seconds)
        await asyncio.gather(*[self._client(begin, end) for begin, end in lives])

    async def _client(self, begin: float, end: float) -> None:
        await asyncio.sleep(begin)
        while (due := self._now()) < end:
            outcome = await self._one(due)
            if not outcome.ok:
                await asyncio.sleep(PAUSE_S)

    async def _one(self, due: float) -> Outcome:
        number, seed = next(self._requests)
        woken, order, answer, code, message = self._now(), self._plan.orders[number], None, OK, ""
        try:
            async with asyncio.timeout(self._plan.timeout_s):
                answer = await self._way.send(order, seed)
            if self._check is not None:
                self._check(number, seed, answer)
        except TimeoutError:
            code, message = TIMEOUT, f"no answer within {self._plan.timeout_s:g} s"
        except Failed as failed:
            code, message = failed.code, failed.message
        except Exception as error:  # bytes can be wrong in ways that nobody has thought of: that must not end the stage
            code, message = WRONG, repr(error)
        outcome = self._outcome(number, due, woken, code, message, answer)
        self._outcomes.append(outcome)
        return outcome

    def _outcome(
        self, number: int, due: float, woken: float, code: str, message: str, answer: Answer | None
    ) -> Outcome:
        end = self._now()
        if answer is None:
            return Outcome(number, due, woken, end, code, message)
        first, preview = (None if at is None else at - self._begin for at in (answer.first_at, answer.preview_at))
        return Outcome(number, due, woken, end, code, message, first, preview, answer.size)

    def _now(self) -> float:
        return self._timer.now() - self._begin

    def _drawn(self) -> Iterator[tuple[int, int]]:
        """Number of an order, and seed, of one request after another."""
        plan, count = self._plan, 0
        shares = np.array([order.share for order in plan.orders])
        first = int(self._rng.integers(SEED_LIMIT))
        while True:
            for number in self._rng.choice(len(shares), DRAWN, p=shares / shares.sum()).tolist():
                own = plan.orders[number].seed
                place = count if plan.repeat is None else count % plan.repeat
                yield number, (first + place) % SEED_LIMIT if own is None else own
                count += 1

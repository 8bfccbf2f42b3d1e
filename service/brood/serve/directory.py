"""Who knows where the workers are: one small process that ingresses and workers ask, and no request passes through.

While it is gone, everything goes on: links are not its affair. What was wanted and which models there were, the next
one hears from those who ask it (see `brood.serve.register`).
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from brood.protocol.errors import ModelNotFound, show
from brood.serve.register import SILENCE_S, Memory, Orders, Register, Report, View
from brood.store.wanted import Change, Wanted

ANSWER_S = 1.0  # after so long an answer is given, whether or not there is news: silence means death
LOOK_S = 3.0  # between two looks for what is wrong with whole groups
LISTEN_S = 2.5  # so long a new directory listens before it changes anything: others may remember what it does not


@dataclass(frozen=True, slots=True)
class Glance:
    """What an ingress says to the directory, again and again."""

    ingress_id: str
    incarnation: str  # of the directory that it heard last; empty: of none
    revision: int  # of the view that it was given last
    running: int  # requests that are not at their end
    memory: Memory | None = None  # for a directory that has changed


def base_of(wanted: Wanted) -> str:
    """A name for what the settings want: changes are changes of this, and mean nothing to other settings."""
    return hashlib.sha256(wanted.to_json().encode()).hexdigest()[:16]


class Directory:
    """The deployment; also works without Ray.

    Args:
        wanted: as the settings say it.
        troubles: tells what is wrong with whole groups; asked on another thread.
        clock: in seconds.
    """

    def __init__(
        self, wanted: Wanted, troubles: Callable[[], Mapping[str, str]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock, self._began = clock, clock()
        self._register = Register(base_of(wanted), wanted, secrets.token_hex(8))
        self._news = asyncio.Event()
        self._troubles = troubles
        self._looking: asyncio.Task[None] | None = None
        self._running: dict[str, tuple[int, float]] = {}  # ingress → requests, and when it said so

    async def report(self, report: Report) -> Orders:
        """A worker says how it is; answers when something else is wanted, or after a moment."""
        self._tell(lambda: self._register.report(report, self._clock()))
        await self._until(lambda: self._has_orders(report))
        return self._register.orders(report)

    async def leave(self, worker_id: str) -> None:
        """A worker says goodbye."""
        self._tell(lambda: self._register.leave(worker_id))

    async def watch(self, glance: Glance) -> View:
        """An ingress asks what there is; answers when that has changed, or after a moment."""
        self._running[glance.ingress_id] = (glance.running, self._clock())
        self._tell(lambda: self._register.adopt(glance.memory))
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look(), name="brood-troubles")
        register = self._register
        await self._until(
            lambda: (
                register.stopping or (glance.incarnation, glance.revision) != (register.incarnation, register.revision)
            )
        )
        return self._register.view()

    async def change(self, change: Change, name: str, version: int | None, within_s: float) -> None:
        """Change which models are wanted, and wait until all workers have done it.

        Raises:
            ModelNotFound: there is no such model, or no such version of it; nothing has changed.
        """
        await asyncio.sleep(max(0.0, self._began + LISTEN_S - self._clock()))
        if change != "load" and not self._register.has(name):
            raise ModelNotFound(f"model: there is no {show(name)} here", field="model")
        before = self._register.wanted
        revision = self._register.change(change, name, version)
        self._tell(lambda: None)
        until = self._clock() + within_s
        while self._register.behind(revision) and self._clock() < until:
            await self._until(lambda: not self._register.behind(revision))
        if change != "unload" and (reason := self._register.absent(name, version)):
            self._tell(lambda: self._register.take_back(name, before))
            raise ModelNotFound(f"model: {show(name)}: {reason}", field="model")

    async def drain(self, within_s: float) -> None:
        """Have all ingresses take no more requests, and wait until those that run have ended."""
        self._tell(self._register.stop)
        asked = self._clock()
        while self._clock() < asked + within_s and not self._drained(asked):
            await self._until(lambda: self._drained(asked))

    def _drained(self, asked: float) -> bool:
        """Whether all ingresses have said since then that nothing runs; those that say nothing are dead."""
        now = self._clock()
        return all(when > asked and not running for running, when in self._running.values() if now - when <= SILENCE_S)

    async def _look(self) -> None:
        found = await asyncio.to_thread(self._troubles)
        self._tell(lambda: self._register.trouble(found))
        await asyncio.sleep(LOOK_S)

    def _has_orders(self, report: Report) -> bool:
        other = report.incarnation != self._register.incarnation
        return other or (report.base == self._register.base and report.revision != self._register.wanted.revision)

    def _tell(self, change: Callable[[], None]) -> None:
        """Change something and wake those who wait for news."""
        change()
        self._register.expire(self._clock())
        self._news.set()
        self._news = asyncio.Event()

    async def _until(self, there: Callable[[], bool]) -> None:
        """Wait for something to be true, for a moment at most."""
        until = asyncio.get_running_loop().time() + ANSWER_S
        try:
            async with asyncio.timeout_at(until):
                while not there():
                    await self._news.wait()
        except TimeoutError:
            self._register.expire(self._clock())

"""One workload after another on the same servers."""

from __future__ import annotations

import argparse
import asyncio
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import aclosing, contextmanager
from functools import partial
from typing import Any

import numpy as np

from bench.peers.contenders import CONTENDERS, Contender, Same
from bench.peers.oracle import check_made
from bench.peers.processes import Kind, Server, Setting
from bench.peers.raw import Raw, expected
from bench.peers.workloads import Walks, Workload
from brood.loadgen.measures import Summary, summarize
from brood.loadgen.outcome import Failed
from brood.loadgen.run import Plan, Run, Runner
from brood.loadgen.session import Quick
from brood.loadgen.stages import Closed, Open
from brood.loadgen.timer import Timer

START_S, FIRST_S = 120.0, 60.0
IDLE_S = 2.0
PART, MOST = 0.4, 400.0  # the open loop's rate: this part of the bare session's, and at most so many requests a second
TIMEOUT_S, OPEN_TIMEOUT_S = 60.0, 5.0
QUIET_CORES, QUIET_S, LOOK_S = 0.25, 30.0, 0.2  # a server that was given too much first has to come to rest
FIRST_SEED = 7
Found = dict[str, dict[str, Any]]


class Stand:
    """The servers of a setting.

    Args:
        setting: what they have in common.
    """

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self._servers: dict[Kind, Server] = {}
        self._began: dict[Kind, float] = {}
        self._started_s: dict[Kind, float] = {}  # until the first answer

    def server(self, kind: Kind) -> Server:
        """One that has been started, or is now."""
        if kind not in self._servers:
            self._began[kind] = time.monotonic()
            self._servers[kind] = Server(kind, self.setting)
        return self._servers[kind]

    def close(self) -> None:
        """End them, all at once."""
        for server in self._servers.values():
            server.ask_to_end()
        for server in self._servers.values():
            server.end()

    def waits(self, kind: Kind) -> bool:
        """Whether a server may still come to answer."""
        patient = time.monotonic() < self._began[kind] + START_S or kind in self._started_s
        return self._servers[kind].runs and patient

    def answered(self, kind: Kind) -> float:
        """Call it when a server has answered; seconds that its first answer took."""
        return self._started_s.setdefault(kind, round(time.monotonic() - self._began[kind], 1))

    @contextmanager
    def only(self, kind: Kind | None) -> Iterator[None]:
        """Meanwhile, all others are halted: what some take while idle would be measured with whoever works."""
        others = [server for each, server in self._servers.items() if each != kind]
        for server in others:
            server.halt()
        try:
            yield
        finally:
            for server in others:
                server.go_on()

    def idle_cores(self) -> dict[Kind, float]:
        """What each takes when nobody asks."""
        before = {kind: server.cpu_s() for kind, server in self._servers.items()}
        time.sleep(IDLE_S)
        return {kind: round((self._servers[kind].cpu_s() - cpu_s) / IDLE_S, 4) for kind, cpu_s in before.items()}


class Bench:
    """One workload: who answers it, and what was measured.

    Args:
        workload: what is asked for.
        raw: the bare session.
        stand: the servers.
        given: the options.
        quick: where requests are made.

    Attributes:
        found: by contender; as it is reported.
    """

    def __init__(self, workload: Workload, raw: Raw, stand: Stand, given: argparse.Namespace, quick: Quick) -> None:
        self._workload, self._raw, self._stand, self._given, self._quick = workload, raw, stand, given, quick
        self._asked, self._expected = workload.asked(), expected(workload)
        self.found: Found = {}

    def run(self, kinds: Sequence[Kind]) -> None:
        """Start what is missing, and measure all in turn, again and again."""
        wanted = [each for each in CONTENDERS if each.kind in kinds and each.name in self._workload.who]
        for contender in wanted:
            self.found[contender.name] = self._first(contender)
        answering = [each for each in wanted if "failed" not in self.found[each.name]]
        idle = self._stand.idle_cores()
        for contender in answering:
            self.found[contender.name]["idle_cores"] = idle[contender.kind]
        for number in range(self._given.rounds):
            with self._stand.only(None):
                self._raw.measure()
            for contender in answering:
                with self._stand.only(contender.kind):
                    self._measure(contender, number)

    def _first(self, contender: Contender) -> dict[str, Any]:
        """Until the first right answer."""
        self._stand.server(contender.kind)
        message, until = "", time.monotonic() + FIRST_S
        while self._stand.waits(contender.kind):
            try:
                self._quick(partial(self._one, contender))
            except Failed as error:
                message = str(error)
            except TimeoutError:
                message = f"no answer within {FIRST_S:g} s"
            else:
                started_s = self._stand.answered(contender.kind)
                self._say(f"{contender.name} answers; its server took {started_s} s to its first answer")
                return {"started_s": started_s, "closed": [], "open": []}
            if time.monotonic() > until and message.startswith("wrong"):
                break
            time.sleep(LOOK_S)
        self._say(f"{contender.name} does not answer: {message or 'it ended'}")
        return {"failed": message or "it ended"}

    async def _one(self, contender: Contender, timer: Timer) -> None:
        """A request, whose answer must be right."""
        order = contender.order(self._asked[0])
        server = self._stand.server(contender.kind)
        async with aclosing(contender.way(server, self._row_bytes, timer.now)) as way:
            async with asyncio.timeout(FIRST_S):
                answer = await way.send(order, FIRST_SEED)
        if contender.own_latents:
            check_made(order, FIRST_SEED, answer, self._workload.near)
        else:
            Same(self._expected, self._workload.near)(0, FIRST_SEED, answer)

    def _measure(self, contender: Contender, number: int) -> None:
        workload, server = self._workload, self._stand.server(contender.kind)
        rate = min(MOST, PART * self._raw.samples_per_s / workload.n)
        idle_cores = self.found[contender.name]["idle_cores"]
        _settle(server, idle_cores)  # some have much to make up for after they were halted
        for name, stage in (("closed", Closed(workload.clients, workload.clients)), ("open", Open(rate, rate))):
            before = server.cpu_s()
            run = self._quick(partial(self._pressed, contender, stage, number))
            words = {**_words(summarize(run)), "cpu_s_per_1000": _cpu(server.cpu_s() - before, run)}
            words["kinds"] = _by_kind(workload, run)
            self.found[contender.name][name].append(words)
            self._say(f"{contender.name}, {stage.label}: {_line(words)}")
            _settle(server, idle_cores)
        self.found[contender.name]["pss_mb"] = round(server.pss_mb())

    async def _pressed(self, contender: Contender, stage: Closed | Open, number: int, timer: Timer) -> Run:
        orders = [contender.order(asked) for asked in self._asked]
        check = None if contender.own_latents else Same(self._expected, self._workload.near)
        stretch = self._workload.stretch
        patience_s = TIMEOUT_S if isinstance(stage, Closed) else OPEN_TIMEOUT_S * stretch
        plan = Plan(orders, self._given.seconds * stretch, self._given.warm_up_s * stretch, patience_s, seed=number)
        server = self._stand.server(contender.kind)
        async with aclosing(contender.way(server, self._row_bytes, timer.now)) as way:
            return await Runner(way, plan, timer, check).run(stage)

    @property
    def _row_bytes(self) -> dict[str, int]:
        """Route → bytes of one sample."""
        pairs = zip(self._asked, self._expected, strict=True)
        return {route: int(made[0].nbytes) for asked, made in pairs for route in (asked.same.model, asked.keyed)}

    def _say(self, text: str) -> None:
        print(f"{self._workload.name}: {text}", flush=True)


def _words(summary: Summary) -> dict[str, Any]:
    words = summary.words()
    total = words["total"]
    kept = ("samples_per_s", "requests", "right", "errors", "examples", "latency_ms")
    own = {"own_cpu_us": words["own"]["cpu_us"], "own_delay_ms": words["own"]["delay_ms"]}
    return {"stage": words["stage"], **{name: total[name] for name in kept}, **own}


def _by_kind(workload: Workload, run: Run) -> dict[str, dict[str, Any]]:
    """Latencies of requests of several lengths; what failed never ends."""
    kinds = workload.source.kinds if isinstance(workload.source, Walks) else ()
    found = {}
    for number, kind in enumerate(kinds if len(kinds) > 1 else ()):
        outcomes = [each for each in run.counted(run.outcomes) if each.order % len(kinds) == number]
        times = [1e3 * each.latency_s if each.ok else math.inf for each in outcomes] or [math.inf]
        p50, p95 = np.percentile(times, (50, 95), method="inverted_cdf").tolist()
        name = ", ".join(f"{value} {word}" for word, value in kind.items() if word == "steps")
        found[name] = {"p50": _or_never(p50), "p95": _or_never(p95)}
    return found


def _or_never(milliseconds: float) -> float | str:
    return round(milliseconds, 3) if math.isfinite(milliseconds) else "never"


def _line(words: dict[str, Any]) -> str:
    latency = words["latency_ms"] or {}
    errors = f", errors {words['errors']} {words['examples']}" if words["errors"] else ""
    times = f"p50 {latency.get('p50')} ms, p99 {latency.get('p99')} ms"
    return f"{words['samples_per_s']:,} samples/s, {times}, {words['cpu_s_per_1000']} CPU s per 1,000{errors}"


def _cpu(cpu_s: float, run: Run) -> float | None:
    """Of the server, for 1,000 samples; None if there were none."""
    samples = sum(run.plan.orders[outcome.order].n for outcome in run.outcomes if outcome.ok)
    return round(1000 * cpu_s / samples, 4) if samples else None


def _settle(server: Server, idle_cores: float) -> None:
    """Until the server takes what it always does: some work on what nobody waits for any more."""
    until, before = time.monotonic() + QUIET_S, server.cpu_s()
    while time.monotonic() < until:
        time.sleep(LOOK_S)
        now = server.cpu_s()
        if now - before < LOOK_S * (idle_cores + QUIET_CORES):
            return
        before = now

"""Workers that come and go: a trace that happens to as many of them as a policy of scaling asks for."""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from brood.protocol.errors import BroodError, Overloaded
from brood.simulation.policies import MakeServer
from brood.simulation.servers import Outcomes, Server
from brood.simulation.setting import Setting
from brood.simulation.traces import Arrival

NOTHING_S = 1e-6  # of backlog: what is left of adding and taking away floating-point numbers
LOAD_WINDOW_S = 10.0  # over which a worker's load is an average, with older work counting less


@dataclass(frozen=True, slots=True)
class Reading:
    """What a worker reports."""

    backlog_s: float  # predicted seconds of what waits there
    load: float  # part of what full calls would do that was done lately, 0 … 1
    idle_s: float  # for how long it has had nothing to do


@dataclass(frozen=True, slots=True)
class Sight:
    """What a policy of scaling is shown."""

    target: int  # workers that there should be by its last word
    workers: Sequence[Reading]  # of those that run
    silent: int  # run, and have not reported yet
    held: bool  # requests wait for a worker


Scaler = Callable[[Sight, float], int]  # what is seen, and when → workers that there should be


@dataclass(frozen=True, slots=True)
class Elastic:
    """How workers come and go. All in seconds but the number of places."""

    start_s: float = 20.0  # from a worker's being wanted to its being ready
    look_s: float = 1.0  # between two questions to the policy
    report_s: float = 2.0  # between two reports of a worker
    hold: int = 256  # requests that may wait while there is no worker; more are refused


@dataclass(frozen=True, slots=True)
class Moment:
    """What was so when the policy was asked."""

    at: float
    arrived: int  # requests, until now
    target: int
    running: int
    backlog_s: float  # of all workers together
    held: int


@dataclass(frozen=True, slots=True)
class FleetRun:
    """What happened."""

    outcomes: Outcomes
    moments: Sequence[Moment]


@dataclass(slots=True, eq=False)
class _Worker:
    server: Server
    ready_at: float
    load: float = 0.0
    leaving: bool = False
    idle: bool = True  # its device
    worked_at: float = 0.0
    reported_at: float = -math.inf
    reading: Reading | None = None
    counted: tuple[float, int, int] = (0.0, 0, 0)

    def look(self, now: float, passed_s: float, report_s: float) -> None:
        """Time has passed."""
        tally, (busy_s, steps, places) = self.server.tally, self.counted
        full = (tally.steps - steps) / max(1, tally.places - places)
        self.counted = (tally.busy_s, tally.steps, tally.places)
        self.load += (full * (tally.busy_s - busy_s) / passed_s - self.load) * -math.expm1(-passed_s / LOAD_WINDOW_S)
        if self.server.backlog_s > NOTHING_S:
            self.worked_at = now
        if now - self.reported_at >= report_s:
            self.reported_at = now
            self.reading = Reading(self.server.backlog_s, min(1.0, self.load), now - self.worked_at)


def simulate_fleet(
    policy: MakeServer, trace: Sequence[Arrival], setting: Setting, scaler: Scaler, elastic: Elastic, until: float
) -> FleetRun:
    """Let a trace happen, beginning with no worker.

    Args:
        policy: of each device.
        trace: arrivals in the order of time.
        setting: the devices; its number of replicas does not count.
        scaler: how many there should be.
        elastic: how long they take.
        until: seconds; when it ends, whatever is left.
    """
    fleet = _Fleet(policy, setting, scaler, elastic, Outcomes(trace))
    looks = 1
    for number, arrival in enumerate(trace):
        while looks * elastic.look_s <= arrival.at:
            fleet.look(looks * elastic.look_s, number)
            looks += 1
        fleet.submit(number, arrival)
    while looks * elastic.look_s <= until:
        fleet.look(looks * elastic.look_s, len(trace))
        looks += 1
    fleet.outcomes.until = until
    return FleetRun(fleet.outcomes, fleet.moments)


@dataclass(slots=True)
class _Fleet:
    policy: MakeServer
    setting: Setting
    scaler: Scaler
    elastic: Elastic
    outcomes: Outcomes
    moments: list[Moment] = field(default_factory=list)
    workers: list[_Worker] = field(default_factory=list)
    held: deque[int] = field(default_factory=deque)
    events: list[tuple[float, int, _Worker, bool]] = field(default_factory=list)  # when, order, whose, a call's end
    made: int = 0

    def submit(self, number: int, arrival: Arrival) -> None:
        """A request comes."""
        self.run_until(arrival.at)
        if self.held or not self._running(arrival.at):
            self._hold(number)
        else:
            self._give(number, arrival)

    def look(self, now: float, arrived: int) -> None:
        """The policy is asked, and done its will."""
        self.run_until(now)
        running = self._running(now)
        while self.held and running:
            number = self.held.popleft()
            self._give(number, replace(self.outcomes.trace[number], at=now))
        for worker in running:
            worker.look(now, self.elastic.look_s, self.elastic.report_s)
        wanted = self.scaler(self._sight(running), now)
        self._change(wanted, now)
        backlog_s = sum(worker.server.backlog_s for worker in self.workers)
        self.moments.append(Moment(now, arrived, wanted, len(running), backlog_s, len(self.held)))

    def run_until(self, end: float) -> None:
        """Let happen all that happens until then."""
        while self.events and self.events[0][0] <= end:
            now, _, worker, ends = heapq.heappop(self.events)
            if ends:
                worker.server.end(now)
                worker.idle, worker.worked_at = True, now
            self._begin(worker, now)

    def _running(self, now: float) -> list[_Worker]:
        return [worker for worker in self.workers if worker.ready_at <= now and not worker.leaving]

    def _sight(self, running: Sequence[_Worker]) -> Sight:
        readings = [worker.reading for worker in running if worker.reading is not None]
        target = sum(not worker.leaving for worker in self.workers)
        return Sight(target, readings, len(running) - len(readings), bool(self.held))

    def _hold(self, number: int) -> None:
        if len(self.held) >= self.elastic.hold:
            self.outcomes.fail(number, Overloaded("too many requests wait for a worker"))
        else:
            self.held.append(number)

    def _give(self, number: int, arrival: Arrival) -> None:
        """To the worker with the least to do."""
        chosen = min(self._running(arrival.at), key=lambda worker: (worker.server.backlog_s, not worker.idle))
        try:
            chosen.server.submit(number, arrival)
        except BroodError as error:
            self.outcomes.fail(number, error)
        self._begin(chosen, arrival.at)

    def _begin(self, worker: _Worker, now: float) -> None:
        seconds = worker.server.begin(now) if worker.idle else None
        if seconds is not None:
            worker.idle = False
            heapq.heappush(self.events, (now + seconds, self._order(), worker, True))
        elif worker.idle and worker.server.wake_at is not None:
            heapq.heappush(self.events, (worker.server.wake_at, self._order(), worker, False))

    def _order(self) -> int:
        self.made += 1
        return self.made

    def _change(self, wanted: int, now: float) -> None:
        """New workers start; of those too many, what has least to do takes nothing new, and goes when it is done."""
        here = [worker for worker in self.workers if not worker.leaving]
        for _ in range(wanted - len(here)):
            server = self.policy(self.setting, self.outcomes, self.setting.seed + self._order())
            self.workers.append(_Worker(server, now + self.elastic.start_s, worked_at=now + self.elastic.start_s))
        least = sorted(here, key=lambda worker: (worker.ready_at <= now, worker.server.backlog_s))
        for worker in least[: max(0, len(here) - wanted)]:
            worker.leaving = True
        self.workers = [worker for worker in self.workers if not worker.leaving or worker.server.backlog_s > NOTHING_S]

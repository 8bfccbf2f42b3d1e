"""The event loop: arrivals and ends of calls, in the order of a virtual clock."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass

from brood.protocol.errors import BroodError
from brood.simulation.policies import MakeServer
from brood.simulation.servers import Outcomes, Server
from brood.simulation.setting import Setting
from brood.simulation.traces import Arrival


@dataclass(frozen=True, slots=True)
class Run:
    """What happened."""

    setting: Setting
    outcomes: Outcomes
    servers: Sequence[Server]


def simulate(policy: MakeServer, trace: Sequence[Arrival], setting: Setting) -> Run:
    """Let a trace happen to devices under a policy, until everything is finished.

    Args:
        policy: of each device.
        trace: arrivals in the order of time.
        setting: the devices.

    Raises:
        InvalidArgument: a kind of request names a graph that is not there.
    """
    for kind in {arrival.kind for arrival in trace}:
        setting.calls(kind)
    outcomes = Outcomes(trace)
    servers = [policy(setting, outcomes, setting.seed + number) for number in range(setting.replicas)]
    devices = _Devices(servers)
    for number, arrival in enumerate(trace):
        devices.run_until(arrival.at)
        try:
            devices.submit(number, arrival)
        except BroodError as error:
            outcomes.fail(number, error)
    devices.run_until(math.inf)
    outcomes.until = max(devices.now, trace[-1].at)
    return Run(setting, outcomes, servers)


class _Devices:
    """All servers, and what will happen to them next."""

    def __init__(self, servers: Sequence[Server]) -> None:
        self.now = 0.0  # when the last call ended
        self._servers = servers
        self._idle = [True] * len(servers)
        self._events: list[tuple[float, int, bool]] = []  # when, which server, whether its call ends

    def submit(self, number: int, arrival: Arrival) -> None:
        """Give a request to the server with the least to do; of equal ones, to one that is idle."""
        servers = self._servers
        chosen = min(range(len(servers)), key=lambda each: (servers[each].backlog_s, not self._idle[each]))
        servers[chosen].submit(number, arrival)
        self._begin(chosen, arrival.at)

    def run_until(self, end: float) -> None:
        """Let happen all that happens until then."""
        while self._events and self._events[0][0] <= end:
            now, which, ends = heapq.heappop(self._events)
            if ends:
                self._servers[which].end(now)
                self._idle[which], self.now = True, now
            self._begin(which, now)

    def _begin(self, which: int, now: float) -> None:
        """Give a server's device its next call, if it is idle and there is one."""
        server = self._servers[which]
        if not self._idle[which]:
            return
        seconds = server.begin(now)
        if seconds is not None:
            self._idle[which] = False
            heapq.heappush(self._events, (now + seconds, which, True))
        elif server.wake_at is not None:
            heapq.heappush(self._events, (server.wake_at, which, False))

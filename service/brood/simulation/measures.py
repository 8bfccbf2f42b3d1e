"""What a run was like, in numbers: for each kind of request, and in all."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from brood.protocol.errors import DeadlineInfeasible, Overloaded
from brood.simulation.simulate import Run
from brood.simulation.step_level import StepLevel

REFUSALS = (Overloaded.__name__, DeadlineInfeasible.__name__)
MOST_KINDS = 12  # told one by one; more are told by their priority
STANDING = 0.05  # saturated: the last requests waited for longer than this part of the trace
LAST = 0.1  # of the requests are the last


@dataclass(frozen=True, slots=True)
class Spread:
    """Of times, in seconds; not a number if there are none."""

    mean: float
    p50: float
    p95: float
    p99: float


@dataclass(frozen=True, slots=True)
class Figures:
    """Of some requests."""

    requests: int
    done: int  # in time
    refused: int  # at once, for whatever reason
    late: int  # let in, and finished after their deadline or not at all
    throughput: float  # requests done in time, a second
    latency: Spread  # from arrival to the last sample, of those finished
    wait: Spread  # from arrival to the first step, of those finished
    p95_of_all: float  # the latency within which 95 % of all were finished; infinite if more were refused or late


@dataclass(frozen=True, slots=True)
class Summary:
    """Of a run."""

    total: Figures
    kinds: dict[str, Figures]
    saturated: bool  # requests came faster than they were served
    occupancy: float  # steps of rows, of those there would have been had every call been full
    busy: float  # part of the time that devices were in use
    prediction_error_p95: float | None  # |observed / predicted − 1| of calls, if anybody predicted them


def summarize(run: Run) -> Summary:
    """The figures of a run."""
    outcomes, servers = run.outcomes, run.servers
    tallies, span_s = [server.tally for server in servers], outcomes.until - outcomes.trace[0].at
    errors = [server.model.costs.prediction_error().p95 for server in servers if isinstance(server, StepLevel)]
    return Summary(
        _figures(run, range(len(outcomes.trace))),
        {label: _figures(run, numbers) for label, numbers in _labels(run).items()},
        _saturated(run),
        sum(tally.steps for tally in tallies) / max(1, sum(tally.places for tally in tallies)),
        sum(tally.busy_s for tally in tallies) / max(1e-9, len(servers) * span_s),
        max(errors, default=None),
    )


def _saturated(run: Run) -> bool:
    trace, started = run.outcomes.trace, run.outcomes.started
    last = range(len(trace) - max(1, round(LAST * len(trace))), len(trace))
    waits = [started[number] - trace[number].at for number in last if math.isfinite(started[number])]
    return bool(waits) and float(np.median(waits)) > STANDING * (trace[-1].at - trace[0].at)


def _labels(run: Run) -> dict[str, list[int]]:
    """Numbers of requests by what their kind is called, those of few steps first."""
    trace = run.outcomes.trace
    kinds = sorted({arrival.kind for arrival in trace}, key=lambda kind: (kind.steps, kind.n, kind.label))
    names = {kind: kind.label if len(kinds) <= MOST_KINDS else kind.priority for kind in kinds}
    found: dict[str, list[int]] = {name: [] for name in names.values()}
    for number, arrival in enumerate(trace):
        found[names[arrival.kind]].append(number)
    return found


def _figures(run: Run, numbers: Sequence[int]) -> Figures:
    outcomes, trace = run.outcomes, run.outcomes.trace
    arrived = np.array([trace[number].at for number in numbers])
    latency = np.array([outcomes.ended[number] for number in numbers]) - arrived
    wait = np.array([outcomes.started[number] for number in numbers]) - arrived
    allowed = np.array([trace[number].kind.deadline_s or math.inf for number in numbers])
    in_time = latency <= allowed
    failed = Counter(outcomes.failed[number] for number in numbers if number in outcomes.failed)
    done, refused = int(in_time.sum()), sum(failed[name] for name in REFUSALS)
    return Figures(
        len(numbers),
        done,
        refused,
        len(numbers) - done - refused,
        done / max(1e-9, outcomes.until - trace[0].at),
        _spread(latency),
        _spread(wait),
        float(np.quantile(np.where(in_time, latency, math.inf), 0.95, method="higher")),
    )


def _spread(times: NDArray[np.float64]) -> Spread:
    times = times[np.isfinite(times)]
    if not len(times):
        return Spread(*[math.nan] * 4)
    p50, p95, p99 = np.quantile(times, (0.5, 0.95, 0.99)).tolist()
    return Spread(float(times.mean()), p50, p95, p99)

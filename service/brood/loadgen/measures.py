"""A stage in numbers: in all, and for each order of the mix."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from brood.loadgen.outcome import BAD_BYTES, Outcome
from brood.loadgen.run import Run

PERCENTS = (50, 90, 95, 99, 99.9)
NEVER = float("inf")
MS = 1e3


@dataclass(frozen=True, slots=True)
class Spread:
    """Percentiles of times, in milliseconds; infinite where so many requests were never answered right."""

    p50: float
    p90: float
    p95: float
    p99: float
    p999: float
    mean: float | None  # None: some were never answered, so that there is none
    worst: float


@dataclass(frozen=True, slots=True)
class Figures:
    """Of some requests that were due within a stage."""

    requests: int
    right: int  # answered, and with what was asked for
    errors: dict[str, int]  # code → requests
    examples: dict[str, str]  # code → what one of them said
    done_per_s: float  # right answers that were complete within the stage, whenever they were due, a second
    samples_per_s: float
    bytes_per_s: float
    latency_ms: Spread | None  # from when they were due, of all: failed ones never end; None: there were none
    latency_of_right_ms: Spread | None  # of right ones alone
    first_sample_ms: Spread | None  # of streams that were right: from when they were due
    first_preview_ms: Spread | None
    good_per_s: float | None  # right, and within the SLO, a second; None: there is no SLO

    @property
    def bad_bytes(self) -> int:
        """Answers that were not what was asked for."""
        return sum(self.errors.get(code, 0) for code in BAD_BYTES)


@dataclass(frozen=True, slots=True)
class Own:
    """What the load generator itself took."""

    requests: int  # that were sent, those of the warm-up too
    cpu_us: float  # processor time of a request, with everything that is done for it
    cores: float  # processor time in units of the stage's length
    delay_ms: Spread | None  # from when requests were due until they were sent, of an open loop: part of the latency


@dataclass(frozen=True, slots=True)
class Summary:
    """Of a stage."""

    stage: str
    size: float  # requests a second, or clients
    total: Figures
    kinds: dict[str, Figures]  # by the order's label, where there are several
    own: Own

    def words(self) -> dict[str, Any]:
        """As JSON: what is infinite is the word "never"."""
        told: dict[str, Any] = _plain(asdict(self))
        return told


def summarize(run: Run, slo_s: float | None = None) -> Summary:
    """The figures of a stage.

    Args:
        run: what was.
        slo_s: seconds from when a request was due to its whole answer.
    """
    orders = run.plan.orders
    kinds = {
        order.label: _figures(run, [each for each in run.outcomes if each.order == number], slo_s)
        for number, order in enumerate(orders)
        if len(orders) > 1
    }
    return Summary(run.stage.label, run.stage.size, _figures(run, run.outcomes, slo_s), kinds, _own(run))


def _figures(run: Run, sent: Sequence[Outcome], slo_s: float | None) -> Figures:
    seconds, begin = run.plan.seconds, run.plan.warm_up_s
    done = [each for each in sent if each.ok and begin <= each.end <= begin + seconds]
    outcomes = run.counted(sent)
    right = [each for each in outcomes if each.ok]
    failed = [each for each in outcomes if not each.ok]
    good = None if slo_s is None else sum(each.latency_s <= slo_s for each in right) / seconds
    return Figures(
        requests=len(outcomes),
        right=len(right),
        errors=dict(Counter(each.code for each in failed).most_common()),
        examples={each.code: each.message for each in reversed(failed)},
        done_per_s=len(done) / seconds,
        samples_per_s=sum(run.plan.orders[each.order].n for each in done) / seconds,
        bytes_per_s=sum(each.size for each in done) / seconds,
        latency_ms=_spread(each.latency_s if each.ok else NEVER for each in outcomes),
        latency_of_right_ms=_spread(each.latency_s for each in right),
        first_sample_ms=_spread(each.first - each.due for each in right if each.first is not None),
        first_preview_ms=_spread(each.preview - each.due for each in right if each.preview is not None),
        good_per_s=good,
    )


def _own(run: Run) -> Own:
    requests = len(run.outcomes)
    cpu_us = 1e6 * run.own_cpu_s / max(1, requests)
    return Own(
        requests,
        cpu_us,
        run.own_cpu_s / run.span_s,
        _spread(each.woken - each.due for each in run.counted(run.outcomes)),
    )


def _spread(seconds: Iterable[float]) -> Spread | None:
    """Percentiles that are one of the values each: the least that so many do not exceed."""
    values = MS * np.array(list(seconds))
    if not len(values):
        return None
    p50, p90, p95, p99, p999 = np.percentile(values, PERCENTS, method="inverted_cdf").tolist()
    mean = float(values.mean()) if np.isfinite(values).all() else None
    return Spread(p50, p90, p95, p99, p999, mean, float(values.max()))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, float):
        return "never" if value == NEVER else float(f"{value:.5g}")
    return value

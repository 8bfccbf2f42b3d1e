"""What is counted, with `prometheus_client` in multi-process mode: each process writes a file, the exporter sums them.

`prometheus_client` decides when it is imported, by the variable ``PROMETHEUS_MULTIPROC_DIR``, where numbers live: in
files of that directory if it is set, else in this process alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from threading import Lock
from typing import Any, TypeVar

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Metric
from prometheus_client.registry import Collector

from brood import __version__
from brood.observe import catalogue
from brood.observe.catalogue import PARTS, Part, Spec
from brood.observe.tally import Amount, BulkHistogram, Level, Spread
from brood.protocol.models import ModelStatus

MISSED = "deadline_exceeded"
Tally = TypeVar("Tally", Amount, Level, Spread)


class Metrics:
    """Counts requests and graph calls; observes the data plane and the engine.

    What happens often is counted here within a microsecond, and written when `write` is called or the registry is read;
    what happens seldom is written at once. May be told of requests on one thread and of graph calls on another.

    Args:
        registry: where the metrics are listed; only tests need their own.
    """

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        registry.register(_Before(self))  # reads come past it first
        self._metrics = {spec.name: make(spec, registry) for spec in catalogue.COUNTED}
        self._children: dict[tuple[str, ...], Any] = {}
        self._lock = Lock()  # of the tallies
        self._tallies: dict[tuple[str, ...], Amount | Level | Spread] = {}
        self._ends: dict[tuple[str, str, str, str], tuple[Amount, Spread]] = {}
        self._made: dict[tuple[str, str], Amount] = {}
        self._parts: dict[tuple[Part, str, str], Spread] = {}
        self._graphs: dict[tuple[str, str], tuple[Amount, Spread, Spread, Spread, Amount]] = {}
        self._infos: dict[tuple[str, str], tuple[str, ...]] = {}
        self._totals: dict[str, int] = {}
        self._queue, self._backlog = self._level(catalogue.QUEUED_ROWS), self._level(catalogue.BACKLOG)
        self._child(catalogue.BUILD, __version__).set(1)

    def write(self) -> None:
        """Hand on what has been counted since the last time."""
        with self._lock:
            for tally in self._tallies.values():
                tally.write()

    def finished(self, model: str, operation: str, protocol: str, code: str, seconds: float, rows: int) -> None:
        """A request has ended; ``rows`` samples of it were made."""
        key = (model, operation, protocol, code)
        with self._lock:
            requests, duration = self._ends.get(key) or self._end(key)
            requests.add(1)
            duration.observe(seconds)
            if rows:
                (self._made.get(key[:2]) or self._samples(model, operation)).add(rows)
        if code == MISSED:
            self._child(catalogue.DEADLINE_MISSES, model, operation).inc()

    def rejected(self, model: str, operation: str, protocol: str, reason: str) -> None:
        """A request was refused before any work on it was begun, with the error of this code."""
        self._child(catalogue.REJECTIONS, model, operation, protocol, reason).inc()

    def timed(self, model: str, operation: str, part: Part, seconds: float) -> None:
        """A part of a request took so long."""
        key = (part, model, operation)
        with self._lock:
            spread = self._parts.get(key)
            if spread is None:
                spread = self._parts[key] = self._spread(PARTS[part], model, operation)
            spread.observe(seconds)

    def stepped(self, model: str, graph: str, rows: int, bucket: int, calls: int, seconds: float, error: float) -> None:
        """A graph was called with ``rows`` rows, filled up to ``bucket``, so often; a call took so many seconds.

        The time of these calls was predicted together, with this error.
        """
        key = (model, graph)
        with self._lock:
            row_steps, batch, step, errors, padding = self._graphs.get(key) or self._graph(key)
            row_steps.add(rows * calls)
            batch.observe(rows, calls)
            step.observe(seconds, calls)
            errors.observe(error)
            padding.add((bucket - rows) * calls)

    def queued(self, rows: int, backlog_s: float) -> None:
        """So many samples have not begun; all that is accepted takes so many predicted seconds."""
        with self._lock:
            self._queue.set(rows)
            self._backlog.set(max(0.0, backlog_s))  # sums of predictions may end just below

    def wasted(self, seconds: float) -> None:
        """So much predicted device time was wasted."""
        self._child(catalogue.WASTED).inc(seconds)

    def started(self, part: str, backlog_limit_s: float) -> None:
        """This process begins to serve.

        Args:
            part: what it is: "ingress" or "generator".
            backlog_limit_s: predicted seconds of work over which its engine refuses more; 0: it has no engine.
        """
        self._child(catalogue.STARTS, part).inc()
        self._child(catalogue.BACKLOG_LIMIT).set(backlog_limit_s)

    def models(self, models: Iterable[ModelStatus]) -> None:
        """What has become of some models."""
        for model in models:
            version = (model.name, str(model.version))
            self._child(catalogue.READY, *version).set(model.state == "ready")
            self._child(catalogue.FAILED, *version).set(model.state == "failed")
            self._child(catalogue.STATE, *version).set(model.state_bytes)
            self._tell_bundle(model, version)

    def linked(self, links: int, held: int, *, lost: int, resubmitted: int, duplicates: int, given_up: int) -> None:
        """How an ingress stands with its workers.

        Args:
            links: to workers, that work.
            held: requests that wait for a model that no worker has ready.
            lost, resubmitted, duplicates, given_up: workers, samples, samples and requests, since the process began.
        """
        self._child(catalogue.LINKS).set(links)
        self._child(catalogue.HELD).set(held)
        totals = {
            catalogue.LOST: lost,
            catalogue.RESUBMITTED: resubmitted,
            catalogue.DUPLICATES: duplicates,
            catalogue.GIVEN_UP: given_up,
        }
        for spec, total in totals.items():
            self._child(spec).inc(total - self._totals.get(spec.name, 0))
            self._totals[spec.name] = total

    def drifted(self, model: str, version: int, ratio: float) -> None:
        """Golden samples made here differ from the recorded ones by this part of what they may."""
        self._child(catalogue.PARITY, model, str(version)).set(ratio)

    def _child(self, spec: Spec, *labels: str) -> Any:
        key = (spec.name, *labels)
        child = self._children.get(key)
        if child is None:
            metric = self._metrics[spec.name]
            child = self._children[key] = metric.labels(*labels) if labels else metric
        return child

    def _amount(self, spec: Spec, *labels: str) -> Amount:
        return self._kept(Amount(self._child(spec, *labels)), spec, *labels)

    def _level(self, spec: Spec) -> Level:
        return self._kept(Level(self._child(spec)), spec)

    def _spread(self, spec: Spec, *labels: str) -> Spread:
        return self._kept(Spread(self._child(spec, *labels), spec.buckets), spec, *labels)

    def _kept(self, tally: Tally, spec: Spec, *labels: str) -> Tally:
        """It, or the one that was there: several outcomes share a number."""
        there = self._tallies.setdefault((spec.name, *labels), tally)
        assert isinstance(there, type(tally))
        return there

    def _samples(self, model: str, operation: str) -> Amount:
        found = self._made[model, operation] = self._amount(catalogue.SAMPLES, model, operation)
        return found

    def _end(self, key: tuple[str, str, str, str]) -> tuple[Amount, Spread]:
        model, operation, protocol, code = key
        found = self._ends[key] = (
            self._amount(catalogue.REQUESTS, model, operation, protocol, code),
            self._spread(catalogue.DURATION, model, operation, protocol),
        )
        return found

    def _graph(self, key: tuple[str, str]) -> tuple[Amount, Spread, Spread, Spread, Amount]:
        found = self._graphs[key] = (
            self._amount(catalogue.ROW_STEPS, *key),
            self._spread(catalogue.BATCH, *key),
            self._spread(catalogue.STEP, *key),
            self._spread(catalogue.ERROR, *key),
            self._amount(catalogue.PADDING, *key),
        )
        return found

    def _tell_bundle(self, model: ModelStatus, version: tuple[str, str]) -> None:
        before = self._infos.pop(version, None)
        if before is not None:
            self._child(catalogue.BUNDLE, *before).set(0)
        if model.state == "ready":
            family = model.manifest.family if model.manifest is not None else ""
            labels = (*version, family, model.device, model.numerics_id)
            self._child(catalogue.BUNDLE, *labels).set(1)
            self._infos[version] = labels


class _Before(Collector):
    """Has counts written before a registry tells them; it has none itself."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def describe(self) -> Iterable[Metric]:
        """Nothing."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Nothing, but what comes after it is up to date."""
        self._metrics.write()
        return ()


def make(spec: Spec, registry: CollectorRegistry) -> Counter | Gauge | BulkHistogram:
    """A metric of `prometheus_client`."""
    match spec.kind:
        case "counter":
            return Counter(spec.name, spec.help, spec.labels, registry=registry)
        case "gauge":
            return Gauge(spec.name, spec.help, spec.labels, multiprocess_mode=spec.over, registry=registry)
        case "histogram":
            return BulkHistogram(spec.name, spec.help, spec.labels, buckets=spec.buckets, registry=registry)

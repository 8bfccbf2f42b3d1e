"""What is counted, with `prometheus_client` in multi-process mode: each process writes a file, the exporter sums them.

`prometheus_client` decides when it is imported, by the variable ``PROMETHEUS_MULTIPROC_DIR``, where numbers live: in
files of that directory if it is set, else in this process alone.
"""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from brood import __version__
from brood.protocol.models import ModelStatus

# From a cached answer of a small network on the CPU to a video.
REQUEST_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
STEP_SECONDS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
PREDICTION_ERRORS = (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
BATCH_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class Metrics:
    """Counts requests and graph calls; observes the data plane and the engine.

    An event costs microseconds: the child of each combination of labels is looked up once and kept.

    Args:
        registry: where the metrics are listed; only tests need their own.
    """

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        request = ("model", "operation", "protocol")
        self._requests = Counter(
            "brood_requests",
            "Requests ended, by outcome: ok, or the error's code.",
            (*request, "code"),
            registry=registry,
        )
        self._latency = Histogram(
            "brood_request_duration_seconds",
            "From arrival to the last byte handed to the transport.",
            request,
            buckets=REQUEST_SECONDS,
            registry=registry,
        )
        self._samples = Counter("brood_samples", "Samples made.", ("model", "operation"), registry=registry)
        self._engine_metrics(registry)
        self._ready = Gauge(
            "brood_model_ready",
            "Processes in which the model is ready.",
            ("model", "version"),
            multiprocess_mode="livesum",
            registry=registry,
        )
        build = Gauge(
            "brood_build_info", "Always 1.", ("version",), multiprocess_mode="livemostrecent", registry=registry
        )
        build.labels(__version__).set(1)
        self._outcomes: dict[tuple[str, str, str, str], Counter] = {}
        self._of_request: dict[tuple[str, str, str], tuple[Histogram, Counter]] = {}
        self._of_graph: dict[tuple[str, str], tuple[Histogram, Histogram, Histogram, Counter]] = {}

    def _engine_metrics(self, registry: CollectorRegistry) -> None:
        self._rows = Histogram(
            "brood_batch_rows", "Rows in a graph call.", ("model", "graph"), buckets=BATCH_ROWS, registry=registry
        )
        self._padding = Counter(
            "brood_padding_rows", "Rows computed only to fill a bucket.", ("model", "graph"), registry=registry
        )
        self._steps = Histogram(
            "brood_step_duration_seconds",
            "Duration of a graph call.",
            ("model", "graph"),
            buckets=STEP_SECONDS,
            registry=registry,
        )
        self._errors = Histogram(
            "brood_step_prediction_error_ratio",
            "Error of the predicted duration of a graph call: |observed / predicted - 1|.",
            ("model", "graph"),
            buckets=PREDICTION_ERRORS,
            registry=registry,
        )
        self._queue = Gauge(
            "brood_queued_rows", "Samples that have not begun.", multiprocess_mode="livesum", registry=registry
        )
        self._backlog = Gauge(
            "brood_backlog_seconds",
            "Predicted device time of all that is accepted and not yet made.",
            multiprocess_mode="livesum",
            registry=registry,
        )
        self._wasted = Counter(
            "brood_wasted_seconds",
            "Predicted device time that went into samples of requests that then failed or were given up.",
            registry=registry,
        )

    def finished(self, model: str, operation: str, protocol: str, code: str, seconds: float, rows: int) -> None:
        """A request has ended; ``rows`` samples of it were made."""
        outcome = self._outcomes.get((model, operation, protocol, code))
        if outcome is None:
            outcome = self._requests.labels(model, operation, protocol, code)
            self._outcomes[model, operation, protocol, code] = outcome
        children = self._of_request.get((model, operation, protocol))
        if children is None:
            children = (self._latency.labels(model, operation, protocol), self._samples.labels(model, operation))
            self._of_request[model, operation, protocol] = children
        outcome.inc()
        children[0].observe(seconds)
        children[1].inc(rows)

    def stepped(self, model: str, graph: str, rows: int, bucket: int, seconds: float, error: float) -> None:
        """A graph was called with ``rows`` rows, filled up to ``bucket``; its time was predicted with this error."""
        children = self._of_graph.get((model, graph))
        if children is None:
            labels = (model, graph)
            histograms = (self._rows.labels(*labels), self._steps.labels(*labels), self._errors.labels(*labels))
            children = (*histograms, self._padding.labels(*labels))
            self._of_graph[labels] = children
        children[0].observe(rows)
        children[1].observe(seconds)
        children[2].observe(error)
        if bucket > rows:
            children[3].inc(bucket - rows)

    def queued(self, rows: int, backlog_s: float) -> None:
        """So many samples have not begun; all that is accepted takes so many predicted seconds."""
        self._queue.set(rows)
        self._backlog.set(backlog_s)

    def wasted(self, seconds: float) -> None:
        """So much predicted device time was wasted."""
        self._wasted.inc(seconds)

    def models(self, models: Iterable[ModelStatus]) -> None:
        """Which models are ready."""
        for model in models:
            self._ready.labels(model.name, str(model.version)).set(model.state == "ready")

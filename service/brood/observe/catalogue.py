"""Every metric there is: its name, its labels, what it tells. Documents, dashboards and alerts are held against it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["counter", "gauge", "histogram"]
Part = Literal["queue", "run", "first_sample", "first_preview", "encode"]  # of a request's time

# From a cached answer of a small network on the CPU to a video.
REQUEST_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
STEP_SECONDS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
PREDICTION_ERRORS = (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
BATCH_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)

REQUEST = ("model", "operation", "protocol")
OPERATION = ("model", "operation")
GRAPH = ("model", "graph")
VERSION = ("model", "version")
DEVICE = ("device",)


@dataclass(frozen=True, slots=True)
class Spec:
    """One metric. Values of all labels are bounded: names that callers make up are counted as "unknown"."""

    name: str  # as the exporter tells it
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()  # upper bounds, of a histogram
    # Of a gauge, over the processes of a node: those that have died never count.
    over: Literal["livesum", "livemax", "livemostrecent"] = "livesum"

    @property
    def series(self) -> tuple[str, ...]:
        """Names of its time series."""
        return tuple(f"{self.name}_{part}" for part in ("bucket", "sum", "count")) if self.buckets else (self.name,)


def _counter(name: str, text: str, labels: tuple[str, ...] = ()) -> Spec:
    return Spec(name, "counter", text, labels)


def _seconds(name: str, text: str, labels: tuple[str, ...]) -> Spec:
    return Spec(name, "histogram", text, labels, REQUEST_SECONDS)


REQUESTS = _counter("brood_requests_total", "Requests ended, by outcome: ok, or the error's code.", (*REQUEST, "code"))
DURATION = _seconds("brood_request_duration_seconds", "From arrival to the last byte handed to the transport.", REQUEST)
REJECTIONS = _counter(
    "brood_rejections_total", "Requests refused before any work was begun, by the error's code.", (*REQUEST, "reason")
)
DEADLINE_MISSES = _counter("brood_deadline_misses_total", "Requests taken in whose deadline passed.", OPERATION)
SAMPLES = _counter("brood_samples_total", "Samples made.", OPERATION)
QUEUE = _seconds("brood_queue_duration_seconds", "From admission until the first sample began.", OPERATION)
RUN = _seconds("brood_run_duration_seconds", "From when the first sample began until the last one ended.", OPERATION)
FIRST_SAMPLE = _seconds("brood_first_sample_seconds", "From arrival to the first finished sample.", OPERATION)
FIRST_PREVIEW = _seconds("brood_first_preview_seconds", "From arrival to the first preview.", OPERATION)
ENCODE = _seconds("brood_encode_duration_seconds", "Time to encode the samples of an answer or event.", OPERATION)
PARTS: dict[Part, Spec] = {
    "queue": QUEUE,
    "run": RUN,
    "first_sample": FIRST_SAMPLE,
    "first_preview": FIRST_PREVIEW,
    "encode": ENCODE,
}

ROW_STEPS = _counter("brood_row_steps_total", "Rows in graph calls, those that fill a bucket up not counted.", GRAPH)
PADDING = _counter("brood_padding_rows_total", "Rows computed only to fill a bucket.", GRAPH)
BATCH = Spec("brood_batch_rows", "histogram", "Rows in a graph call.", GRAPH, BATCH_ROWS)
STEP = Spec("brood_step_duration_seconds", "histogram", "Duration of a graph call.", GRAPH, STEP_SECONDS)
ERROR = Spec(
    "brood_step_prediction_error_ratio",
    "histogram",
    "Error of the predicted duration of a graph call: |observed / predicted - 1|.",
    GRAPH,
    PREDICTION_ERRORS,
)
QUEUED_ROWS = Spec("brood_queued_rows", "gauge", "Samples that have not begun.")
BACKLOG = Spec("brood_backlog_seconds", "gauge", "Predicted device time of all that is accepted and not yet made.")
BACKLOG_LIMIT = Spec("brood_backlog_limit_seconds", "gauge", "Backlog over which requests are refused.")
WASTED = _counter(
    "brood_wasted_seconds_total",
    "Predicted device time that went into samples of requests that then failed or were given up.",
)

LINKS = Spec("brood_worker_links", "gauge", "Links from ingresses to workers.")
HELD = Spec("brood_held_requests", "gauge", "Requests that wait for a model that no worker has ready.")
LOST = _counter("brood_lost_workers_total", "Links of ingresses that broke though their worker was not leaving.")
RESUBMITTED = _counter("brood_resubmitted_samples_total", "Samples sent to another worker after theirs was lost.")
DUPLICATES = _counter("brood_duplicate_samples_total", "Samples that came a second time, and were dropped.")
GIVEN_UP = _counter("brood_given_up_requests_total", "Requests that failed because one worker after another was lost.")

READY = Spec("brood_model_ready", "gauge", "Processes in which the model is ready.", VERSION)
FAILED = Spec("brood_model_failed", "gauge", "Processes in which the model could not be loaded.", VERSION)
STATE = Spec("brood_state_bytes", "gauge", "Memory set aside for the state of unfinished samples.", VERSION)
PARITY = Spec(
    "brood_parity_drift_ratio",
    "gauge",
    "Largest difference of a golden sample made here from the recorded one, in parts of its tolerance.",
    VERSION,
    over="livemax",
)
BUNDLE = Spec(
    "brood_bundle_info",
    "gauge",
    "Always 1 while the bundle is loaded.",
    (*VERSION, "family", "device", "numerics_id"),
    over="livemax",
)
STARTS = _counter("brood_process_starts_total", "Processes started, by their part.", ("part",))
BUILD = Spec("brood_build_info", "gauge", "Always 1.", ("version",), over="livemostrecent")

PROCESSES = Spec("brood_processes", "gauge", "Living processes of this node that count.")
DEVICE_USED = Spec("brood_device_memory_used_bytes", "gauge", "Memory in use on the device, by anybody.", DEVICE)
DEVICE_TOTAL = Spec("brood_device_memory_bytes", "gauge", "Memory of the device.", DEVICE)
DEVICE_BUSY = Spec(
    "brood_device_utilisation_ratio", "gauge", "Part of the last moments in which the device was at work.", DEVICE
)

COUNTED = (  # by the processes that serve
    REQUESTS,
    DURATION,
    REJECTIONS,
    DEADLINE_MISSES,
    SAMPLES,
    QUEUE,
    RUN,
    FIRST_SAMPLE,
    FIRST_PREVIEW,
    ENCODE,
    ROW_STEPS,
    PADDING,
    BATCH,
    STEP,
    ERROR,
    QUEUED_ROWS,
    BACKLOG,
    BACKLOG_LIMIT,
    WASTED,
    LINKS,
    HELD,
    LOST,
    RESUBMITTED,
    DUPLICATES,
    GIVEN_UP,
    READY,
    FAILED,
    STATE,
    PARITY,
    BUNDLE,
    STARTS,
    BUILD,
)
LOOKED_UP = (PROCESSES, DEVICE_USED, DEVICE_TOTAL, DEVICE_BUSY)  # by the exporter, when it is asked
CATALOGUE = (*COUNTED, *LOOKED_UP)

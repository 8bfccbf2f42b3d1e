"""Our counts under the names that Triton Inference Server gives them, so that its dashboards and alerts go on working.

https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/user_guide/metrics.html

They are made of our own when they are asked for: nothing is counted twice. There is no label ``version``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import Metric

from brood.observe import catalogue

US_PER_S = 1e6
REASONS = {
    "cancelled": "CANCELED",
    "overloaded": "REJECTED",
    "rate_limited": "REJECTED",
    "not_ready": "REJECTED",
    "deadline_infeasible": "REJECTED",
    "runtime_failed": "BACKEND",
}  # code → Triton's reason; all others are OTHER


@dataclass(frozen=True, slots=True)
class Alias:
    """One of Triton's names."""

    name: str
    of: str  # our series
    help: str
    factor: float = 1.0
    ok: bool | None = None  # only requests that succeeded (True) or failed (False)


ALIASES = (
    Alias("nv_inference_request_success", catalogue.REQUESTS.name, "Requests that succeeded.", ok=True),
    Alias("nv_inference_request_failure", catalogue.REQUESTS.name, "Requests that failed, by reason.", ok=False),
    Alias("nv_inference_count", catalogue.SAMPLES.name, "Samples made."),
    Alias("nv_inference_exec_count", f"{catalogue.STEP.name}_count", "Graph calls."),
    Alias("nv_inference_request_duration_us", f"{catalogue.DURATION.name}_sum", "Time of requests.", US_PER_S),
    Alias("nv_inference_queue_duration_us", f"{catalogue.QUEUE.name}_sum", "Time in the queue.", US_PER_S),
    Alias("nv_inference_compute_infer_duration_us", f"{catalogue.STEP.name}_sum", "Time of graph calls.", US_PER_S),
    Alias("nv_inference_compute_output_duration_us", f"{catalogue.ENCODE.name}_sum", "Time of encoding.", US_PER_S),
)


def aliases(families: Iterable[Metric]) -> Iterator[Metric]:
    """Triton's metrics, made of ours."""
    wanted = {alias.of for alias in ALIASES}
    found: dict[str, list[tuple[Mapping[str, str], float]]] = defaultdict(list)
    for family in families:
        for sample in family.samples:
            if sample.name in wanted:
                found[sample.name].append((sample.labels, sample.value))
    for alias in ALIASES:
        if alias.of in found:
            yield _summed(alias, found[alias.of])


def _summed(alias: Alias, samples: Iterable[tuple[Mapping[str, str], float]]) -> Metric:
    sums: dict[tuple[tuple[str, str], ...], float] = defaultdict(float)
    for labels, value in samples:
        code = labels.get("code", "")
        if alias.ok is None or alias.ok == (code == "ok"):
            reason = (("reason", REASONS.get(code, "OTHER")),) if alias.ok is False else ()
            sums[("model", labels["model"]), *reason] += value * alias.factor
    metric = Metric(alias.name, f"{alias.help} The same as {alias.of}.", "unknown")
    for own, value in sums.items():
        metric.add_sample(alias.name, dict(own), value)
    return metric

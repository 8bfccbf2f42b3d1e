"""Triton's names for our counts."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from brood.observe.metrics import Metrics
from brood.observe.triton import ALIASES, aliases


def told(registry: CollectorRegistry) -> dict[tuple[str, str, str], float]:
    return {
        (sample.name, sample.labels["model"], sample.labels.get("reason", "")): sample.value
        for family in aliases(registry.collect())
        for sample in family.samples
    }


def test_requests_are_summed_over_operations_and_protocols() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    metrics.finished("vae", "generate", "http", "ok", 0.25, 3)
    metrics.finished("vae", "reconstruct", "grpc", "ok", 0.5, 2)
    metrics.finished("gan", "generate", "http", "overloaded", 0.0, 0)
    metrics.finished("gan", "generate", "http", "cancelled", 0.0, 0)
    metrics.finished("gan", "generate", "http", "internal", 0.0, 0)
    found = told(registry)
    assert found["nv_inference_request_success", "vae", ""] == 2
    assert found["nv_inference_count", "vae", ""] == 5
    assert found["nv_inference_request_duration_us", "vae", ""] == 750_000
    failures = {key[2]: value for key, value in found.items() if key[0] == "nv_inference_request_failure"}
    assert failures == {"REJECTED": 1, "CANCELED": 1, "OTHER": 1}


def test_graph_calls_queue_and_encoding_have_their_names() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    metrics.stepped("vae", "decode", 3, 4, 1, 0.5, 0.1)
    metrics.stepped("vae", "encode", 3, 4, 1, 0.25, 0.1)
    metrics.timed("vae", "generate", "queue", 0.125)
    metrics.timed("vae", "generate", "encode", 0.0625)
    assert told(registry) == {
        ("nv_inference_exec_count", "vae", ""): 2,
        ("nv_inference_compute_infer_duration_us", "vae", ""): 750_000,
        ("nv_inference_queue_duration_us", "vae", ""): 125_000,
        ("nv_inference_compute_output_duration_us", "vae", ""): 62_500,
    }


def test_names_are_different() -> None:
    assert len({alias.name for alias in ALIASES}) == len(ALIASES)

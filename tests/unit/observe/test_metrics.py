"""What is counted, under which names and labels."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry

from brood import __version__
from brood.observe.metrics import Metrics
from brood.protocol.models import ModelStatus


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def metrics(registry: CollectorRegistry) -> Metrics:
    return Metrics(registry)


def test_a_request_counts_by_outcome_with_its_time_and_samples(registry: CollectorRegistry, metrics: Metrics) -> None:
    metrics.finished("vae", "generate", "http", "ok", 0.02, 4)
    metrics.finished("vae", "generate", "http", "ok", 0.2, 3)
    metrics.finished("vae", "generate", "http", "invalid_argument", 0.0, 0)
    labels = {"model": "vae", "operation": "generate", "protocol": "http"}
    assert registry.get_sample_value("brood_requests_total", {**labels, "code": "ok"}) == 2
    assert registry.get_sample_value("brood_requests_total", {**labels, "code": "invalid_argument"}) == 1
    assert registry.get_sample_value("brood_request_duration_seconds_count", labels) == 3
    assert registry.get_sample_value("brood_request_duration_seconds_sum", labels) == pytest.approx(0.22)
    assert registry.get_sample_value("brood_request_duration_seconds_bucket", {**labels, "le": "0.025"}) == 2
    assert registry.get_sample_value("brood_samples_total", {"model": "vae", "operation": "generate"}) == 7


def test_a_graph_call_counts_rows_padding_and_time(registry: CollectorRegistry, metrics: Metrics) -> None:
    metrics.stepped("vae", "decode", 5, 8, 0.003, 0.04)
    metrics.stepped("vae", "decode", 8, 8, 0.004, 0.3)
    labels = {"model": "vae", "graph": "decode"}
    assert registry.get_sample_value("brood_batch_rows_sum", labels) == 13
    assert registry.get_sample_value("brood_batch_rows_bucket", {**labels, "le": "8.0"}) == 2
    assert registry.get_sample_value("brood_padding_rows_total", labels) == 3
    assert registry.get_sample_value("brood_step_duration_seconds_sum", labels) == pytest.approx(0.007)
    assert registry.get_sample_value("brood_step_prediction_error_ratio_bucket", {**labels, "le": "0.05"}) == 1


def test_the_queue_is_what_it_was_last(registry: CollectorRegistry, metrics: Metrics) -> None:
    metrics.queued(500, 2.5)
    metrics.queued(3, 0.125)
    assert registry.get_sample_value("brood_queued_rows") == 3
    assert registry.get_sample_value("brood_backlog_seconds") == 0.125


def test_wasted_time_adds_up(registry: CollectorRegistry, metrics: Metrics) -> None:
    metrics.wasted(0.5)
    metrics.wasted(0.25)
    assert registry.get_sample_value("brood_wasted_seconds_total") == 0.75


def test_a_model_is_ready_or_not(registry: CollectorRegistry, metrics: Metrics) -> None:
    metrics.models([ModelStatus("vae", 1, "loading"), ModelStatus("gan", 2, "failed", "why")])
    metrics.models([ModelStatus("vae", 1, "ready")])
    assert registry.get_sample_value("brood_model_ready", {"model": "vae", "version": "1"}) == 1
    assert registry.get_sample_value("brood_model_ready", {"model": "gan", "version": "2"}) == 0


def test_the_version_is_told(registry: CollectorRegistry, metrics: Metrics) -> None:
    assert registry.get_sample_value("brood_build_info", {"version": __version__}) == 1

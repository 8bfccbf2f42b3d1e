"""What is counted, under which names and labels."""

from __future__ import annotations

from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry

from brood import __version__
from brood.observe.catalogue import COUNTED, PARTS, Part
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


def test_a_missed_deadline_counts(registry: CollectorRegistry, metrics: Metrics) -> None:
    metrics.finished("vae", "generate", "http", "deadline_exceeded", 1.0, 3)
    labels = {"model": "vae", "operation": "generate"}
    assert registry.get_sample_value("brood_deadline_misses_total", labels) == 1


def test_a_refusal_counts_by_reason(registry: CollectorRegistry, metrics: Metrics) -> None:
    metrics.rejected("vae", "generate", "grpc", "overloaded")
    labels = {"model": "vae", "operation": "generate", "protocol": "grpc", "reason": "overloaded"}
    assert registry.get_sample_value("brood_rejections_total", labels) == 1


@pytest.mark.parametrize("part", PARTS)
def test_parts_of_a_request_have_their_own_times(registry: CollectorRegistry, metrics: Metrics, part: Part) -> None:
    metrics.timed("vae", "generate", part, 0.25)
    labels = {"model": "vae", "operation": "generate"}
    found = {each: registry.get_sample_value(f"{spec.name}_sum", labels) for each, spec in PARTS.items()}
    assert found == {each: 0.25 if each == part else None for each in PARTS}


def test_a_graph_call_counts_rows_padding_and_time(registry: CollectorRegistry, metrics: Metrics) -> None:
    metrics.stepped("vae", "decode", 5, 8, 1, 0.003, 0.04)
    metrics.stepped("vae", "decode", 8, 8, 1, 0.004, 0.3)
    labels = {"model": "vae", "graph": "decode"}
    assert registry.get_sample_value("brood_batch_rows_sum", labels) == 13
    assert registry.get_sample_value("brood_batch_rows_bucket", {**labels, "le": "8.0"}) == 2
    assert registry.get_sample_value("brood_row_steps_total", labels) == 13
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


def test_what_happens_between_an_ingress_and_its_workers_is_counted(
    registry: CollectorRegistry, metrics: Metrics
) -> None:
    metrics.linked(2, 0, lost=0, resubmitted=0, duplicates=0, given_up=0)
    metrics.linked(1, 3, lost=1, resubmitted=40, duplicates=2, given_up=0)
    metrics.linked(2, 0, lost=2, resubmitted=50, duplicates=2, given_up=1)
    found = {
        name: registry.get_sample_value(f"brood_{name}")
        for name in (
            "worker_links",
            "held_requests",
            "lost_workers_total",
            "resubmitted_samples_total",
            "duplicate_samples_total",
            "given_up_requests_total",
        )
    }
    assert list(found.values()) == [2, 0, 2, 50, 2, 1]


def test_a_model_is_ready_or_not(registry: CollectorRegistry, metrics: Metrics) -> None:
    metrics.models([ModelStatus("vae", 1, "loading"), ModelStatus("gan", 2, "failed", "why")])
    metrics.models([ModelStatus("vae", 1, "ready")])
    assert registry.get_sample_value("brood_model_ready", {"model": "vae", "version": "1"}) == 1
    assert registry.get_sample_value("brood_model_ready", {"model": "gan", "version": "2"}) == 0
    assert registry.get_sample_value("brood_model_failed", {"model": "vae", "version": "1"}) == 0
    assert registry.get_sample_value("brood_model_failed", {"model": "gan", "version": "2"}) == 1


def test_of_a_bundle_is_told_what_is_loaded_now(registry: CollectorRegistry, metrics: Metrics) -> None:
    first = ModelStatus("vae", 1, "ready", numerics_id="aa", device="cpu", state_bytes=64)
    metrics.models([first])
    metrics.models([replace(first, numerics_id="bb")])
    labels = {"model": "vae", "version": "1", "family": "", "device": "cpu"}
    assert registry.get_sample_value("brood_bundle_info", {**labels, "numerics_id": "aa"}) == 0
    assert registry.get_sample_value("brood_bundle_info", {**labels, "numerics_id": "bb"}) == 1
    assert registry.get_sample_value("brood_state_bytes", {"model": "vae", "version": "1"}) == 64


def test_drift_is_told_by_version(registry: CollectorRegistry, metrics: Metrics) -> None:
    metrics.drifted("vae", 3, 0.125)
    assert registry.get_sample_value("brood_parity_drift_ratio", {"model": "vae", "version": "3"}) == 0.125


def test_starts_count_by_part(registry: CollectorRegistry, metrics: Metrics) -> None:
    metrics.started("ingress", 60)
    assert registry.get_sample_value("brood_process_starts_total", {"part": "ingress"}) == 1
    assert registry.get_sample_value("brood_backlog_limit_seconds") == 60


def test_every_metric_of_the_catalogue_is_made_under_its_name(registry: CollectorRegistry, metrics: Metrics) -> None:
    made = {f"{family.name}_total" if family.type == "counter" else family.name for family in registry.collect()}
    assert made == {spec.name for spec in COUNTED}


def test_the_version_is_told(registry: CollectorRegistry, metrics: Metrics) -> None:
    assert registry.get_sample_value("brood_build_info", {"version": __version__}) == 1

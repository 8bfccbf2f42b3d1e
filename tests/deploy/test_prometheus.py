"""A real Prometheus scrapes a real server under load: every query of every dashboard, and every rule, gives data."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from brood.observe.catalogue import CATALOGUE, Spec
from helpers.load import some_load
from helpers.prometheus import Prometheus
from helpers.served import Served, eventually

pytestmark = [pytest.mark.tools, pytest.mark.ray]
OBSERVABILITY = Path(__file__).parents[2] / "deploy" / "observability"
LOAD_S = 12.0
PATIENCE_S = 20.0
NO_GPU = "devices.json"  # a machine for tests need not have one


def queries() -> list[Any]:
    return [
        pytest.param(target["expr"], id=f"{path.stem}: {panel['title']} {target['refId']}")
        for path in sorted((OBSERVABILITY / "dashboards").glob("*.json"))
        if path.name != NO_GPU
        for panel in json.loads(path.read_text())["panels"]
        for target in panel["targets"]
    ]


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    models = [word for name in ("glyphs-vae", "glyphs-diffusion") for word in ("--model", name)]
    server = Served(*models, "--threads", "1", "--parity-every-s", "1")
    try:
        watch = Prometheus(tmp_path_factory.mktemp("prometheus"), OBSERVABILITY / "rules.yaml", server.metrics_port)
        try:
            some_load(server.http_port, server.grpc_port, LOAD_S)
            yield watch
        finally:
            watch.end()
    finally:
        server.end()


@pytest.mark.parametrize("expression", queries())
def test_every_query_of_every_dashboard_gives_data(prometheus: Prometheus, expression: str) -> None:
    asked = expression.replace("$__rate_interval", "1m").replace("$model", ".*")
    assert eventually(lambda: prometheus.values(asked), PATIENCE_S)


SEEN = [spec for spec in CATALOGUE if not spec.name.startswith("brood_device_")]


@pytest.mark.parametrize("spec", SEEN, ids=lambda spec: spec.name)
def test_every_metric_is_told(prometheus: Prometheus, spec: Spec) -> None:
    for series in spec.series:
        assert eventually(partial(prometheus.values, series), PATIENCE_S)


def test_all_rules_can_be_evaluated(prometheus: Prometheus) -> None:
    def healthy() -> bool:
        return all(rule["health"] == "ok" for rule in prometheus.rules())

    assert eventually(healthy, PATIENCE_S)


def test_a_server_that_works_wakes_nobody(prometheus: Prometheus) -> None:
    assert prometheus.values('ALERTS{alertstate="firing", severity="page"}') == []

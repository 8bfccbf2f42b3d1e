"""The compose file hangs together: files that are mounted are there, names that are called are those of services."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import urlopen

import pytest
import yaml

from brood_client import Client
from helpers.served import eventually

HOME = Path(__file__).parents[2] / "deploy" / "compose"


def read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((HOME / name).read_text())
    return found


def test_what_is_mounted_is_there() -> None:
    compose = read("compose.yaml")
    sources = [
        volume.split(":")[0] for service in compose["services"].values() for volume in service.get("volumes", [])
    ]
    for source in sources:
        assert (HOME / source).exists() if source.startswith(".") else source in compose["volumes"], source


def test_ports_are_those_of_this_machine_only() -> None:
    ports = [port for service in read("compose.yaml")["services"].values() for port in service["ports"]]
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_prometheus_and_grafana_ask_services_that_are_there() -> None:
    services = read("compose.yaml")["services"]
    (job,) = read("prometheus.yaml")["scrape_configs"]
    assert (job["job_name"], job["static_configs"][0]["targets"]) == ("brood", ["brood:9464"])
    (source,) = read("grafana/datasources/prometheus.yaml")["datasources"]
    assert source["url"].removeprefix("http://").split(":")[0] in services
    (provider,) = read("grafana/dashboards/brood.yaml")["providers"]
    assert any(volume.split(":")[1] == provider["options"]["path"] for volume in services["grafana"]["volumes"])


def test_the_server_may_write_nowhere_but_in_memory() -> None:
    brood = read("compose.yaml")["services"]["brood"]
    assert brood["read_only"]
    assert brood["cap_drop"] == ["ALL"]
    assert [place.split(":")[0] for place in brood["tmpfs"]] == ["/tmp"]


IMAGE = os.environ.get("IMAGE", "brood:test")
START_S = 120.0


def compose(*words: str) -> None:
    """Say something to Compose, as a plug-in of Docker or on its own."""
    plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0
    command = ["docker", "compose"] if plugin else ["docker-compose"]
    env = {**os.environ, "BROOD_VERSION": IMAGE.rpartition(":")[2]}
    words = ("-p", "brood-test", "-f", str(HOME / "compose.yaml"), *words)
    done = subprocess.run([*command, *words], env=env, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def running() -> Iterator[None]:
    """All but Grafana, which has nothing to do with the others."""
    try:
        compose("up", "--detach", "brood", "prometheus")
        yield
    finally:
        compose("down", "--volumes", "--timeout", "40")


def asked(path: str) -> Any:
    with urlopen(f"http://127.0.0.1:9090/api/v1/{path}", timeout=5) as answer:
        return json.load(answer)["data"]


@pytest.mark.docker
@pytest.mark.usefixtures("running")
def test_one_command_starts_a_server_that_is_watched() -> None:
    eventually(lambda: urlopen("http://127.0.0.1:8000/readyz", timeout=5).status == 200, START_S)
    for url in ("http://127.0.0.1:8000", "grpc://127.0.0.1:9000"):
        with Client(url) as client:
            assert len(client.generate("glyphs-vae", n=2, seed=7).samples) == 2
    counted = quote('brood_samples_total{job="brood", model="glyphs-vae"}')
    found = eventually(lambda: asked(f"query?query={counted}")["result"], START_S)
    assert found[0]["value"][1] == "4"
    rules = [rule for group in asked("rules")["groups"] for rule in group["rules"]]
    assert {rule["name"] for rule in rules} >= {"BroodExporterDown", "brood:requests:rate5m"}

"""The compose file hangs together: files that are mounted are there, names that are called are those of services."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

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

"""What the chart renders runs: the command line of a pod, and the application on a Ray cluster with its groups."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from brood_client import Client
from helpers.chart import OPEN, merged, only, rendered
from helpers.cluster import Cluster
from helpers.served import Served, eventually, free_port

pytestmark = pytest.mark.ray
READY_S = 200.0  # until nodes have joined and replicas have started, on a machine with few cores
FIVE = {"model": "glyphs-vae", "n": 5}
NAMES = {"models": {"names": ["glyphs-vae"]}}
FROM_POD = ("BROOD_METRICS_DIR", "BROOD_CACHE_DIR", "BROOD_HTTP_PORT", "BROOD_GRPC_PORT", "BROOD_METRICS_PORT")


def test_the_command_line_of_a_pod_serves(tmp_path: Path) -> None:
    values = merged(OPEN, merged(NAMES, {"single": {"resources": {"limits": {"cpu": 1}}}}))
    (container,) = only(rendered(values), "Deployment")["spec"]["template"]["spec"]["containers"]
    words = {each["name"]: each["value"] for each in container["env"] if each["name"] not in FROM_POD}
    assert container["args"][0] == "serve"
    flags = [
        word
        for name, value in words.items()
        if name.startswith("BROOD_") and name != "BROOD_NAMES"
        for word in ([f"--{name[6:].lower().replace('_', '-')}"] + ([] if value == "true" else [value]))
    ]
    server = Served(*container["args"][1:], *flags, "--model", words["BROOD_NAMES"], "--metrics-dir", str(tmp_path))
    try:
        with Client(f"http://127.0.0.1:{server.http_port}") as client:
            assert len(client.generate("glyphs-vae", n=2, seed=1).samples) == 2
        metrics = f"http://127.0.0.1:{server.metrics_port}/metrics"
        line = 'brood_samples_total{model="glyphs-vae",operation="generate"} 2.0'
        eventually(lambda: line in httpx2.get(metrics).text, READY_S)
    finally:
        server.end()


def answers(url: str) -> bool:
    try:
        return httpx2.get(url).status_code == 200
    except httpx2.HTTPError:
        return False


def refused(url: str) -> bool:
    try:  # while the one worker is replaced, requests wait
        return httpx2.post(url, json=FIVE, timeout=READY_S).status_code == 400
    except httpx2.HTTPError:
        return False


@pytest.fixture
def service() -> dict[str, Any]:
    group = {"name": "default", "resources": {"limits": {"cpu": 1, "memory": "1Gi"}}}
    cluster = {"frontends": {"replicas": 1}, "generators": [group]}
    values = merged(NAMES, {"mode": "cluster", "cluster": cluster})
    found: dict[str, Any] = only(rendered(merged(OPEN, values)), "RayService")["spec"]
    return found


@pytest.fixture
def nodes(service: dict[str, Any]) -> Iterator[tuple[Cluster, dict[str, str]]]:
    """A node for the head, and one for each group, with its resources."""
    net = f"127.{secrets.randbelow(200) + 20}.{secrets.randbelow(250)}"
    with Cluster(f"{net}.1") as cluster:
        addresses = {}
        for number, group in enumerate(service["rayClusterConfig"]["workerGroupSpecs"], start=2):
            addresses[group["groupName"]] = f"{net}.{number}"
            resources = group["rayStartParams"]["resources"].strip("'")
            probed = free_port(f"{net}.{number}")
            cluster.add(f"{net}.{number}", f"--resources={resources}", f"--dashboard-agent-listen-port={probed}")
            (container,) = group["template"]["spec"]["containers"]
            probe = f"http://{net}.{number}:{probed}{container['livenessProbe']['httpGet']['path']}"
            eventually(partial(answers, probe), READY_S)
        yield cluster, addresses


def test_the_application_is_deployed_and_answers(
    service: dict[str, Any], nodes: tuple[Cluster, dict[str, str]], tmp_path: Path
) -> None:
    cluster, addresses = nodes
    config = yaml.safe_load(service["serveConfigV2"])
    (application,) = config["applications"]
    # Each pod has its own ports and files; here all nodes are one machine.
    ports = {name: free_port(addresses["frontends"]) for name in ("http_port", "grpc_port", "metrics_port")}
    own = {"metrics_dir": str(tmp_path / "metrics"), "cache_dir": os.environ["BROOD_CACHE_DIR"]}
    application["args"] |= {**ports, **own, "host": "node"}
    cluster.ask("deploy", json.dumps(config))
    url = f"http://{addresses['frontends']}:{ports['http_port']}"
    eventually(lambda: answers(f"{url}/readyz"), READY_S)
    with Client(url) as client:
        assert len(client.generate("glyphs-vae", n=5, seed=1).samples) == 5
    with Client(f"grpc://{addresses['frontends']}:{ports['grpc_port']}") as client:
        assert len(client.generate("glyphs-vae", n=5, seed=1).samples) == 5
    metrics = f"http://{addresses['frontends']}:{ports['metrics_port']}/metrics"

    def told() -> bool:
        text = httpx2.get(metrics).text
        return 'brood_samples_total{model="glyphs-vae",operation="generate"} 10.0' in text

    eventually(told, READY_S)

    # A change of settings finds room on the same nodes.
    application["args"]["max_n"] = 3
    cluster.ask("deploy", json.dumps(config))
    eventually(lambda: refused(f"{url}/v1/generations"), READY_S)
    eventually(lambda: cluster.ask("status")["brood"]["status"] == "RUNNING", READY_S)

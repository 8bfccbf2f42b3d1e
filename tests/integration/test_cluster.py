"""Two nodes: both topologies, with kills of a worker, an ingress and a node, and an upgrade, all under load."""

from __future__ import annotations

import secrets
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from brood.serve.render import render
from brood.settings import Settings
from helpers.cluster import BIN, Cluster, alive
from helpers.pressure import Pressure
from helpers.served import eventually, free_port

pytestmark = pytest.mark.ray
READY_S = 180.0  # a node starts many processes, and a machine may have few cores


@dataclass
class Site:
    """A cluster, and what is to run on it."""

    cluster: Cluster
    nodes: tuple[str, str]  # addresses
    ports: dict[str, int]
    words: dict[str, Any]  # settings

    def deploy(self, **words: Any) -> None:
        """Have Serve change to these settings; returns before it has."""
        self.cluster.ask("deploy", render(Settings(**self.words | words)))

    def url(self, node: int, kind: str = "http") -> str:
        return f"{kind}://{self.nodes[node]}:{self.ports[f'{kind}_port']}"

    def ready(self, *nodes: int) -> None:
        """Wait until the replicas with ports on these nodes are."""
        eventually(lambda: all(_status(self.url(node)) == 200 for node in nodes), READY_S)

    def running(self) -> bool:
        """Whether Serve has come to what it was told."""
        return bool(self.cluster.ask("status")["brood"]["status"] == "RUNNING")


@pytest.fixture(scope="module")
def site(store: Path) -> Iterator[Site]:
    net = f"127.{secrets.randbelow(200) + 20}.{secrets.randbelow(250)}"
    nodes = (f"{net}.1", f"{net}.2")
    ports = {name: free_port(nodes[0]) for name in ("http_port", "grpc_port", "metrics_port")}
    common = {"models": store, "names": ("steps", "once"), "host": "node", "insecure": True, "ingresses": 2}
    with Cluster(*nodes) as cluster:
        yield Site(cluster, nodes, ports, {**common, **ports, "threads": 1, "shutdown_grace_s": 5.0})


SPLIT = {"topology": "split", "generators": [{"name": "workers", "replicas": 2}]}


def test_brood_serve_joins_a_cluster_and_leaves_it_as_it_was(site: Site) -> None:
    words = {**site.ports, "address": site.cluster.address, "models": site.words["models"], "host": site.nodes[0]}
    flags = [word for name, value in words.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    command = [str(BIN / "brood"), "serve", *flags, "--topology", "split", "--model", "once"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=site.cluster.env) as served:
        assert served.stdout is not None
        told = iter(served.stdout.readline, "")
        assert any("curl" in line for line in told)
        assert _status(site.url(0)) == 200
        second = subprocess.run(command, capture_output=True, text=True, env=site.cluster.env, timeout=60, check=False)
        assert second.returncode == 1
        assert "runs on this cluster already" in second.stderr
        served.send_signal(signal.SIGTERM)
        assert [line.strip() for line in told][-2:] == ["stopping", "stopped"]
    assert served.returncode == 0
    assert site.cluster.ask("status") == {}
    assert len(site.cluster.ask("nodes")) == 2


def test_colocated_on_two_nodes(site: Site) -> None:
    cluster = site.cluster
    site.deploy(topology="colocated")
    site.ready(0, 1)
    with Pressure([site.url(0), site.url(1), site.url(1, "grpc")], callers=3) as pressure:
        pressure.wait_for(6)
        _kill(_on(cluster, 1, "ingress"))
        pressure.wait_for(6)
        site.ready(0, 1)
    assert (pressure.tally.failures, pressure.tally.differences) == ([], [])
    cluster.ask("delete")


def test_split_survives_what_dies(site: Site) -> None:
    cluster = site.cluster
    site.deploy(**SPLIT)
    site.ready(0, 1)
    eventually(lambda: len(cluster.replicas("generator")) == 2, READY_S)
    urls = [site.url(0), site.url(1), site.url(0, "grpc"), site.url(1, "grpc")]
    with Pressure(urls, callers=4) as pressure:
        pressure.wait_for(8)
        _kill(cluster.replicas("generator")[0])
        pressure.wait_for(8)
        _kill(cluster.replicas("directory")[0])
        _kill(_on(cluster, 1, "ingress"))
        pressure.wait_for(8)
        site.ready(0, 1)
        eventually(lambda: len(cluster.replicas("generator")) == 2, READY_S)
        pressure.wait_for(8)
    assert (pressure.tally.failures, pressure.tally.differences) == ([], [])


def test_split_is_upgraded_under_load_without_a_failure(site: Site) -> None:
    cluster = site.cluster
    eventually(site.running, READY_S)
    before = {process.pid for name in ("generator", "ingress") for process in cluster.replicas(name)}
    with Pressure([site.url(0), site.url(1, "grpc")], callers=4) as pressure:
        pressure.wait_for(4)
        site.deploy(**SPLIT, max_wait_ms=1)
        eventually(lambda: not _pids(cluster) & before and site.running(), READY_S)
        site.ready(0, 1)
        pressure.wait_for(4)
    assert (pressure.tally.failures, pressure.tally.differences) == ([], [])


def test_split_survives_the_loss_of_a_node(site: Site) -> None:
    cluster = site.cluster
    with Pressure([site.url(0), site.url(0, "grpc")], callers=3) as pressure:
        pressure.wait_for(4)
        cluster.nodes.pop().kill()
        pressure.wait_for(12)
    assert (pressure.tally.failures, pressure.tally.differences) == ([], [])


def _status(url: str) -> int:
    try:
        return httpx2.get(f"{url}/readyz", timeout=2).status_code
    except httpx2.TransportError:
        return 0


def _kill(process: psutil.Process) -> None:
    process.kill()
    eventually(lambda: not alive(process), 10)


def _on(cluster: Cluster, node: int, deployment: str) -> psutil.Process:
    return next(iter(cluster.nodes[node].processes(f"ServeReplica:brood:{deployment}")))


def _pids(cluster: Cluster) -> set[int]:
    return {process.pid for name in ("generator", "ingress") for process in cluster.replicas(name)}

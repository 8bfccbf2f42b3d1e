"""What is deployed at once, or cannot be served: one whole configuration serves, and what serves goes on meanwhile."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from brood.serve.render import render
from brood.settings import Settings
from helpers.cluster import BIN, Cluster
from helpers.pressure import Pressure
from helpers.served import eventually, free_port

pytestmark = [pytest.mark.ray, pytest.mark.timeout(400)]
CHANGE_S = 120.0
FIRST = {"names": ("steps",), "max_n": 100}
OTHERS = ({"names": ("steps", "once"), "max_n": 200}, {"names": ("steps",), "max_n": 300})
BROKEN = {"names": ("changed-byte",), "max_n": 400}


@dataclass
class Site:
    """A cluster of one node, and what is to run on it."""

    cluster: Cluster
    words: dict[str, Any]  # settings

    def text(self, **words: Any) -> str:
        return render(Settings(**self.words | words))

    @property
    def url(self) -> str:
        return f"http://{self.words['host']}:{self.words['http_port']}"

    def serving(self, asks: int = 10) -> set[tuple[tuple[str, ...], int]]:
        """Ready models and the most samples of a request, as they are told on so many connections of their own."""
        return {self._once() for _ in range(asks)}

    def _once(self) -> tuple[tuple[str, ...], int]:
        with httpx2.Client(base_url=self.url, timeout=10) as client:
            models = client.get("/v1/models").json()["models"]
            refusal = client.post("/v1/generations", json={"model": "steps", "n": 10**6}).json()["error"]["message"]
        return tuple(model["name"] for model in models if model["state"] == "ready"), int(refusal.rpartition(" ")[2])

    def begin(self, **words: Any) -> None:
        """Have this served, whatever was."""
        self.cluster.ask("deploy", self.text(**FIRST, **words))
        eventually(self.running, CHANGE_S)
        assert self.serving() == {whole(FIRST)}

    def running(self) -> bool:
        return bool(self.cluster.ask("status").get("brood", {}).get("status") == "RUNNING")

    def told(self, app: str, words: str) -> str:
        """What Serve says about the replica with ports, if these words are in it."""
        ingress = self.cluster.ask("status")[app]["deployments"].get("ingress")
        return str(ingress[2]) if ingress and words in ingress[2] else ""


def whole(words: dict[str, Any]) -> tuple[tuple[str, ...], int]:
    """See `Site.serving`."""
    return tuple(sorted(words["names"])), words["max_n"]


@pytest.fixture(scope="module")
def site(store: Path) -> Iterator[Site]:
    host = f"127.{secrets.randbelow(200) + 20}.{secrets.randbelow(250)}.1"
    ports = {name: free_port(host) for name in ("http_port", "grpc_port", "metrics_port")}
    with Cluster(host) as cluster:
        yield Site(cluster, {"models": store, "host": host, **ports, "threads": 1, "shutdown_grace_s": 2.0})


@pytest.mark.parametrize("topology", ["colocated", "split"])
def test_of_two_that_are_deployed_at_once_one_serves_as_a_whole(site: Site, topology: str) -> None:
    site.begin(topology=topology)
    with Pressure([site.url], callers=2, n=4, steps=100) as pressure:
        pressure.wait_for(4)
        site.cluster.ask("together", *(site.text(topology=topology, **words) for words in OTHERS))
        asked = site.cluster.ask("asked")
        assert whole(asked) in {whole(words) for words in OTHERS}
        eventually(lambda: site.running() and site.serving() == {whole(asked)}, CHANGE_S)
        pressure.wait_for(4)
    assert (pressure.tally.failures, pressure.tally.differences) == ([], [])


@pytest.mark.parametrize("topology", ["split", "colocated"])
def test_what_cannot_be_served_takes_nothing_away_and_says_why(site: Site, topology: str) -> None:
    site.begin(topology=topology)
    with Pressure([site.url], callers=2, n=4, steps=100) as pressure:
        pressure.wait_for(4)
        site.cluster.ask("deploy", site.text(topology=topology, **BROKEN))
        told = eventually(
            lambda: site.told("brood", "nothing to serve") if topology == "colocated" else _failed(site.url), CHANGE_S
        )
        assert "bytes are not those listed" in told
        assert site.serving() == {whole(FIRST)}
        assert httpx2.get(f"{site.url}/readyz").status_code == 200
        pressure.wait_for(4)
    assert (pressure.tally.failures, pressure.tally.differences) == ([], [])


def test_of_two_applications_with_the_same_ports_the_first_serves(site: Site) -> None:
    site.begin(topology="colocated")
    words = yaml.safe_load(site.text(topology="colocated", **FIRST))
    other = yaml.safe_load(site.text(topology="colocated", **OTHERS[0]))["applications"][0]
    words["applications"].append(other | {"name": "other"})
    with Pressure([site.url], callers=2, n=4, steps=100) as pressure:
        pressure.wait_for(4)
        site.cluster.ask("deploy", yaml.safe_dump(words))
        in_use = f"port {site.words['http_port']} is in use by the application 'brood'"
        eventually(lambda: site.told("other", in_use), CHANGE_S)
        assert site.serving(40) == {whole(FIRST)}
        pressure.wait_for(4)
    assert (pressure.tally.failures, pressure.tally.differences) == ([], [])


def test_serve_deploy_takes_over_from_brood_serve_which_says_so_and_goes(site: Site, tmp_path: Path) -> None:
    site.begin(topology="colocated")
    site.cluster.ask("delete")
    words = {name: value for name, value in site.words.items() if name != "shutdown_grace_s"}
    words |= {"address": site.cluster.address, "max_n": FIRST["max_n"], "model": "steps"}
    flags = [word for name, value in words.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    command, said = [str(BIN / "brood"), "serve", *flags, "--insecure"], tmp_path / "said"
    with (
        said.open("w") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=site.cluster.env) as served,
    ):
        assert served.stdout is not None
        assert any("curl" in line for line in served.stdout)
        assert site.serving() == {whole(FIRST)}
        with Pressure([site.url], callers=2, n=4, steps=100) as pressure:
            pressure.wait_for(4)
            site.cluster.ask("deploy", site.text(topology="colocated", **OTHERS[0]))
            assert served.wait(CHANGE_S) == 1
            eventually(lambda: site.running() and site.serving() == {whole(OTHERS[0])}, CHANGE_S)
            pressure.wait_for(4)
    assert "`serve deploy` has replaced the application 'brood'" in said.read_text()
    assert (pressure.tally.failures, pressure.tally.differences) == ([], [])


def _failed(url: str) -> str:
    """Why the first model that has failed has, in words of ``/readyz``."""
    models = httpx2.get(f"{url}/readyz", timeout=10).json()["models"]
    return next((str(model["reason"]) for model in models if model["state"] == "failed"), "")

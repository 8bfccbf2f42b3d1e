"""The image, run as it is meant to be: not root, nothing but memory to write to, stopped in peace."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from urllib.request import urlopen

import pytest

from brood_client import Client
from helpers.served import eventually

pytestmark = pytest.mark.docker
IMAGE = os.environ.get("IMAGE", "brood:test")
START_S = 90.0


def docker(*words: str) -> str:
    found = subprocess.run(["docker", *words], capture_output=True, text=True, check=True, timeout=120)
    return found.stdout.strip()


@pytest.fixture(scope="module")
def container() -> Iterator[str]:
    found = docker(
        *("run", "--detach", "--read-only", "--tmpfs", "/tmp:size=1g", "--shm-size", "256m", "--cap-drop", "ALL"),
        *("--security-opt", "no-new-privileges", "-p", "127.0.0.1::8000", "-p", "127.0.0.1::9464", IMAGE),
        *("serve", "--host", "0.0.0.0", "--insecure", "--model", "glyphs-vae", "--threads", "1"),
    )
    yield found
    docker("rm", "--force", found)


def at(container: str, port: int) -> str:
    return f"http://{docker('port', container, str(port)).splitlines()[0]}"


def asked(url: str) -> str:
    with urlopen(url, timeout=5) as answer:
        return bytes(answer.read()).decode()


def inside(container: str, code: str) -> subprocess.CompletedProcess[str]:
    command = ["docker", "exec", container, "sh", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_it_serves_and_is_scraped(container: str) -> None:
    eventually(lambda: asked(f"{at(container, 8000)}/readyz"), START_S)
    with Client(at(container, 8000)) as client:
        assert len(client.generate("glyphs-vae", n=3, seed=7).samples) == 3
    line = 'brood_samples_total{model="glyphs-vae",operation="generate"} 3.0'
    eventually(lambda: line in asked(f"{at(container, 9464)}/metrics"), START_S)


def test_it_is_nobody_and_has_no_tools(container: str) -> None:
    assert inside(container, "id -u").stdout == "10001\n"
    assert "Read-only file system" in inside(container, "touch /opt/x").stderr
    assert inside(container, "command -v gcc cc pip make").stdout == ""
    assert inside(container, "python3 -c 'import torch'").returncode == 1


def test_its_health_is_looked_at(container: str) -> None:
    def healthy() -> bool:
        return docker("inspect", container, "--format", "{{.State.Health.Status}}") == "healthy"

    assert eventually(healthy, START_S)


def test_it_stops_in_peace(container: str) -> None:
    docker("stop", container)
    assert docker("inspect", container, "--format", "{{.State.ExitCode}}") == "0"

"""A split server whose store comes and goes, whose models change as it serves, and a request that hangs its workers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

from brood_client import BroodError, Client
from helpers.bundles import steps_bundle
from helpers.served import Served, eventually, free_port
from helpers.stores import served_over_http

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]
WAIT_S = 120.0
WORKERS = 2
POISON = 9.5  # the temperature that hangs a graph call


@dataclass
class Shop:
    """A store behind HTTP that can be closed and opened again under the same address."""

    root: Path
    port: int = field(default_factory=free_port)
    _served: ExitStack = field(default_factory=ExitStack)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def open(self) -> None:
        self._served.enter_context(served_over_http(self.root, self.port))

    def close(self) -> None:
        self._served.close()


@dataclass
class Scene:
    """The server and its store."""

    shop: Shop
    url: str
    served: Served

    def ready(self) -> dict[str, Any]:
        """What ``/readyz`` says."""
        found: dict[str, Any] = httpx2.get(f"{self.url}/readyz", timeout=5).json()
        return found

    def models(self) -> dict[int, tuple[str, str]]:
        """Version → state and reason, of the model `steps`."""
        with Client(self.url) as client:
            return {model.version: (model.state, model.reason) for model in client.models() if model.name == "steps"}

    def states(self) -> dict[int, str]:
        return {version: state for version, (state, _) in self.models().items()}

    def brood(self, *words: str) -> str:
        """The command line."""
        command = [str(Path(sys.executable).with_name("brood")), "models", *words, "--url", self.url]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=WAIT_S).stdout

    def made(self, version: int, seeds: int = 8) -> None:
        """Requests of a version are answered, wherever they come to."""
        with Client(self.url, retries=0) as client:
            for seed in range(seeds):
                assert len(client.generate("steps", version=version, n=16, seed=seed).samples) == 16


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A server that starts while its store cannot be reached."""
    shop, port = Shop(tmp_path_factory.mktemp("shop")), free_port()
    steps_bundle(shop.root, hangs_on={"input": "temperature", "equals": POISON})
    generators = json.dumps([{"name": "workers", "replicas": WORKERS}])
    words = ["--models", shop.url, "--cache-dir", str(tmp_path_factory.mktemp("cache")), "--topology", "split"]
    words += ["--generators", generators, "--http-port", str(port), "--admin", "--poll-s", "1", "--hang-s", "2"]
    url = f"http://127.0.0.1:{port}"
    with ThreadPoolExecutor(1) as other:
        starting = other.submit(Served, *words, "--threads", "1")
        try:
            answer = eventually(lambda: _told(url, f"store: {shop.url}"), WAIT_S)
            assert answer is not None
            assert answer.status_code == 503
            assert not starting.done()
        finally:
            shop.open()
        served = starting.result()
    yield Scene(shop, url, served)
    served.end()
    shop.close()


def test_what_was_loaded_serves_while_the_store_is_away(scene: Scene) -> None:
    assert scene.states() == {1: "ready"}
    eventually(lambda: not scene.ready().get("problems"), WAIT_S)  # each worker looks again on its own
    scene.shop.close()
    eventually(lambda: any(f"store: {scene.shop.url}" in each for each in scene.ready().get("problems", [])), WAIT_S)
    assert httpx2.get(f"{scene.url}/readyz").status_code == 200
    scene.made(1)
    scene.shop.open()
    eventually(lambda: not scene.ready().get("problems"), WAIT_S)


def test_a_bundle_that_is_half_there_waits_for_the_rest_and_the_old_version_serves(scene: Scene) -> None:
    directory = steps_bundle(scene.shop.root.parent / "draft", version=2)
    target = scene.shop.root / "steps" / "2"
    target.mkdir()
    files = sorted(directory.iterdir())
    for file in files:
        content = file.read_bytes()
        (target / file.name).write_bytes(content[: len(content) // 2] if file.name == "step.json" else content)
    eventually(lambda: scene.states().get(2) == "failed", WAIT_S)
    assert "step.json" in scene.models()[2][1]
    assert scene.states()[1] == "ready"
    scene.made(1)
    (target / "step.json").write_bytes((directory / "step.json").read_bytes())
    eventually(lambda: scene.states() == {1: "ready", 2: "ready"}, WAIT_S)
    scene.made(2)


def test_the_command_and_oip_change_models_on_all_workers(scene: Scene) -> None:
    scene.brood("unload", "steps", "--version", "1")
    assert scene.states() == {1: "unloaded", 2: "ready"}
    with Client(scene.url, retries=0) as client, pytest.raises(BroodError, match="not loaded"):
        client.generate("steps", version=1)
    loaded = httpx2.post(
        f"{scene.url}/v2/repository/models/steps/load", json={"parameters": {"version": 1}}, timeout=WAIT_S
    )
    assert loaded.status_code == 200, loaded.text
    assert scene.states() == {1: "ready", 2: "ready"}
    assert _workers_with(scene, 1) == WORKERS
    scene.made(1)
    gone = httpx2.post(
        f"{scene.url}/v2/repository/models/steps/unload", json={"parameters": {"version": 2}}, timeout=WAIT_S
    )
    assert gone.status_code == 200, gone.text
    assert _workers_with(scene, 2) == 0
    assert "steps" in scene.brood("load", "steps", "--version", "2")
    assert _workers_with(scene, 2) == WORKERS
    assert "steps" in scene.brood("reload", "steps")


def test_what_is_too_much_for_all_workers_together_is_refused_with_the_time_to_come_back(scene: Scene) -> None:
    much: dict[str, Any] = {"version": 1, "n": 4096, "params": {"steps": 10_000}, "priority": "bulk", "timeout_s": None}
    with Client(scene.url, retries=0) as client:
        with client.stream("steps", seed=1, progress_every=1, **much) as events:
            next(iter(events))
            with pytest.raises(BroodError) as caught:
                client.generate("steps", seed=2, **much)
            assert caught.value.code == "overloaded"
            assert (caught.value.retry_after_s or 0.0) > 1.0
            client.generate("steps", version=1, n=2, seed=3)  # nobody who is in a hurry waits for it
        client.generate("steps", version=1, n=64, seed=4)


def test_a_request_that_hangs_its_workers_is_given_up_and_harms_no_other(scene: Scene) -> None:
    """Each worker that it hangs is replaced; others are served meanwhile, and the workers are there again after it."""
    with ThreadPoolExecutor(1) as other, Client(scene.url, retries=0) as client:
        words: dict[str, Any] = {"params": {"temperature": POISON}, "timeout_s": WAIT_S}
        poison = other.submit(client.generate, "steps", version=1, n=1, seed=1, **words)
        made = 0
        with Client(scene.url, retries=4) as innocent:
            while not poison.done():
                innocent.generate("steps", version=2, n=2, seed=made)
                made += 1
        assert made > 0
        with pytest.raises(BroodError) as caught:
            poison.result()
    assert caught.value.code in ("workers_lost", "runtime_failed")
    eventually(lambda: _workers_with(scene, 1) == WORKERS, WAIT_S)
    scene.made(1)


def _told(url: str, problem: str) -> httpx2.Response | None:
    """What ``/readyz`` answers, once it tells of a problem."""
    try:
        answer = httpx2.get(f"{url}/readyz", timeout=5)
    except httpx2.TransportError:
        return None  # it has not opened its ports yet
    return answer if any(problem in each for each in answer.json().get("problems", [])) else None


def _workers_with(scene: Scene, version: int) -> float:
    """How many workers have a version ready, by their own count."""
    text = httpx2.get(f"http://127.0.0.1:{scene.served.metrics_port}/metrics").text
    name = f'brood_model_ready{{model="steps",version="{version}"}} '
    return sum(float(line.removeprefix(name)) for line in text.splitlines() if line.startswith(name))

"""The composition for one machine, without Ray around it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry

from brood.frontends.servers import PortInUse
from brood.observe.metrics import Metrics
from brood.serve import colocated as module
from brood.serve.colocated import Colocated
from brood.serve.errors import Unhealthy
from brood.serve.ports import find_ports
from brood.settings import Settings
from helpers.access import Keys
from helpers.bundles import flip_byte, once_bundle, steps_bundle
from helpers.certificates import Authority
from helpers.served import eventually


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    once_bundle(tmp_path)
    flip_byte(steps_bundle(tmp_path), "step.json")
    ports = find_ports("127.0.0.1", {"http": 0, "grpc": 0})
    return Settings(models=tmp_path, http_port=ports["http"], grpc_port=ports["grpc"], shutdown_grace_s=1)


async def _loaded(node: Colocated) -> None:
    await asyncio.to_thread(eventually, lambda: node.status().loaded, within_s=10)


@pytest_asyncio.fixture
async def node(settings: Settings, registry: CollectorRegistry) -> AsyncIterator[Colocated]:
    node = Colocated(settings, Metrics(registry))
    await node.start()
    await _loaded(node)
    yield node
    await node.stop()


async def test_the_status_tells_each_models_fate(node: Colocated) -> None:
    status = node.status()
    assert [(model.name, model.state) for model in status.models] == [("once", "ready"), ("steps", "failed")]
    assert "step.json" in status.models[1].reason
    assert all(model.manifest is None for model in status.models)


async def test_a_working_node_is_healthy_and_serves_and_counts(
    node: Colocated, settings: Settings, registry: CollectorRegistry
) -> None:
    await node.check()
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{settings.http_port}") as client:
        answer = await client.post("/v1/generations", json={"model": "once", "n": 3, "seed": 7})
    assert len(answer.json()["samples"]) == 3
    labels = {"model": "once", "operation": "generate", "protocol": "http", "code": "ok"}
    assert registry.get_sample_value("brood_requests_total", labels) == 1
    assert registry.get_sample_value("brood_batch_rows_sum", {"model": "once", "graph": "generate"}) == 3
    assert registry.get_sample_value("brood_model_ready", {"model": "steps", "version": "1"}) == 0


async def test_after_the_stop_it_is_unhealthy_and_its_ports_are_free(
    settings: Settings, registry: CollectorRegistry
) -> None:
    node = Colocated(settings, Metrics(registry))
    await node.start()
    await node.stop()
    with pytest.raises(Unhealthy, match="engine has stopped"):
        await node.check()
    ports = {"http": settings.http_port, "grpc": settings.grpc_port}
    assert find_ports("127.0.0.1", ports) == ports


async def test_a_taken_port_fails_the_start(node: Colocated, settings: Settings) -> None:
    second = Colocated(settings, Metrics(CollectorRegistry()))
    with pytest.raises(PortInUse, match=str(settings.http_port)):
        await second.start()
    await second.stop()


async def test_a_replica_that_takes_over_listens_when_its_models_are_ready(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = Colocated(settings, Metrics(CollectorRegistry()), shared=True)
    await old.start()  # at once: nobody is there whom it could replace
    await _loaded(old)
    broken = settings.model_copy(update={"names": ("steps",)})
    waiting = Colocated(broken, Metrics(CollectorRegistry()), shared=True)
    starting = asyncio.create_task(waiting.start())
    await _loaded(waiting)
    url = f"http://127.0.0.1:{settings.http_port}"
    async with httpx2.AsyncClient(base_url=url, headers={"connection": "close"}) as client:
        assert {(await client.get("/readyz")).status_code for _ in range(20)} == {200}
        assert not starting.done()
        monkeypatch.setattr(module, "USELESS_S", 0.0)
        with pytest.raises(Unhealthy, match=r"serves on: required but not ready: steps; steps 1: .*step\.json"):
            await asyncio.wait_for(starting, 10)
        await waiting.stop()
        monkeypatch.undo()
        alone = Colocated(broken, Metrics(CollectorRegistry()), shared=True)
        starting = asyncio.create_task(alone.start())
        await _loaded(alone)
        await old.stop()
        await asyncio.wait_for(starting, 10)  # better to tell why than to be away
        assert (await client.get("/readyz")).status_code == 503
        await alone.stop()


async def test_a_directory_that_vanished_is_waited_for_and_told(
    settings: Settings, tmp_path: Path, registry: CollectorRegistry
) -> None:
    node = Colocated(settings.model_copy(update={"models": tmp_path / "gone"}), Metrics(registry))
    await node.start()
    problems = await asyncio.to_thread(eventually, lambda: node.status().problems, within_s=10)
    assert "no such directory" in problems[0]
    assert not node.status().loaded
    await node.check()
    await node.stop()


async def test_a_node_with_keys_and_tls_is_healthy(
    settings: Settings, tmp_path: Path, registry: CollectorRegistry
) -> None:
    pair = Authority(tmp_path).sign("server")
    files = {"tls_cert": pair.cert, "tls_key": pair.key, "keys_file": Keys(tmp_path).path}
    node = Colocated(settings.model_copy(update=files), Metrics(registry))
    await node.start()
    await _loaded(node)
    await node.check()
    await node.stop()
    with pytest.raises(Unhealthy):
        await node.check()

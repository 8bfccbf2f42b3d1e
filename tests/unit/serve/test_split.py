"""An ingress, two workers and a directory in this process, without Ray between them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry

from brood.generators import GeneratorSettings
from brood.observe.metrics import Metrics
from brood.serve import directory as module
from brood.serve import split as split_module
from brood.serve.directory import Directory, base_of
from brood.serve.errors import Unhealthy
from brood.serve.follow import Reporter
from brood.serve.hosting import edition_of, wanted_of
from brood.serve.ports import find_ports
from brood.serve.register import Place
from brood.serve.split import Split
from brood.serve.worker import Worker
from brood.settings import Settings
from helpers.bundles import flip_byte, once_bundle, steps_bundle
from helpers.served import eventually

HOST = "127.0.0.1"


class Town:
    """One ingress, any number of workers."""

    def __init__(self, settings: Settings, *, shared: bool = False) -> None:
        self.settings = settings
        self.woken: list[str] = []
        self.troubles: dict[str, str] = {}
        self.directory = Directory(wanted_of(settings), lambda: self.troubles)
        self.registry = CollectorRegistry()
        self.split = self.ingress(settings, self.registry, shared=shared)
        self.workers: dict[str, tuple[Worker, Reporter]] = {}
        self.http = httpx2.AsyncClient(base_url=f"http://{HOST}:{settings.http_port}", timeout=20)

    def ingress(self, settings: Settings, registry: CollectorRegistry, *, shared: bool) -> Split:
        return Split(
            "ingress",
            settings,
            "token",
            self.directory,
            self.woken.append,
            Metrics(registry),
            edition=edition_of(settings),
            shared=shared,
        )

    async def add(self, name: str, group: GeneratorSettings) -> None:
        worker = Worker(name, self.settings, group, Metrics(CollectorRegistry()), "token")
        place = Place(name, group.name, await worker.start(HOST), HOST, edition_of(self.settings))
        reporter = Reporter(place, base_of(wanted_of(self.settings)), worker, self.directory.report)
        worker.on_done = reporter.tell
        reporter.start()
        self.workers[name] = worker, reporter
        await worker.useful()

    async def end(self, name: str) -> None:
        worker, reporter = self.workers.pop(name)
        await reporter.stop()
        await self.directory.leave(name)
        await worker.stop()

    async def readiness(self) -> dict[str, Any]:
        found: dict[str, Any] = (await self.http.get("/readyz")).json()
        return found

    async def ready(self) -> None:
        await self.until(lambda found: bool(found["ready"]))

    async def until(self, there: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first readiness that is as it should be."""
        async with asyncio.timeout(20):
            while True:
                found = await self.readiness()
                if there(found):
                    return found
                await asyncio.sleep(0.02)

    async def states(self) -> dict[str, str]:
        models = (await self.http.get("/v1/models")).json()["models"]
        return {model["name"]: model["state"] for model in models}

    async def generate(self, model: str, **words: Any) -> httpx2.Response:
        return await self.http.post("/v1/generations", json={"model": model, "seed": 7, **words})

    async def close(self) -> None:
        for name in list(self.workers):
            await self.end(name)
        await self.split.stop()
        await self.http.aclose()


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_S", 0.1)
    monkeypatch.setattr(module, "LISTEN_S", 0.0)
    monkeypatch.setattr(module, "LOOK_S", 0.05)
    monkeypatch.setattr(split_module, "COUNT_S", 0.01)


@pytest_asyncio.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    once_bundle(tmp_path)
    steps_bundle(tmp_path)
    ports = find_ports(HOST, {"http_port": 0, "grpc_port": 0})
    groups = (GeneratorSettings(name="a", models=("once",)), GeneratorSettings(name="b", models=("steps",)))
    settings = Settings(
        models=tmp_path, topology="split", generators=groups, shutdown_grace_s=2, admin=True, threads=1
    ).model_copy(update=dict(ports))
    town = Town(settings)
    await town.split.start()
    yield town
    await town.close()


async def test_it_says_what_is_missing_until_all_groups_are_there(town: Town) -> None:
    found = await town.readiness()
    assert not found["ready"]
    assert found["problems"] == ["generator a: no worker yet", "generator b: no worker yet"]
    assert await town.states() == {"once": "loading", "steps": "loading"}
    before = town.split.useful
    await town.add("a1", town.settings.groups[0])
    await town.add("b1", town.settings.groups[1])
    await town.ready()
    assert (before, town.split.useful) == (False, True)
    assert await town.states() == {"once": "ready", "steps": "ready"}
    assert (await town.generate("steps", n=3)).status_code == 200
    await town.split.check()
    status = town.split.status()
    assert status.loaded
    assert all(model.manifest is None for model in status.models)


async def test_a_group_that_cannot_start_says_why_and_the_others_serve(town: Town) -> None:
    await town.add("a1", town.settings.groups[0])
    town.troubles = {"b": "no room for a GPU"}
    await town.ready()
    assert await town.states() == {"once": "ready", "steps": "failed"}
    assert (await town.readiness())["problems"] == ["generator b: no room for a GPU"]
    assert (await town.generate("once")).status_code == 200
    refused = await town.generate("steps")
    assert (refused.status_code, "no room for a GPU" in refused.text) == (503, True)


async def test_a_worker_that_leaves_is_replaced_and_requests_wait_for_it(town: Town) -> None:
    await town.add("a1", town.settings.groups[0])
    await town.add("b1", town.settings.groups[1])
    await town.ready()
    meant = (await town.generate("once", n=3)).json()["samples"]
    await town.end("a1")
    waiting = asyncio.create_task(town.generate("once", n=3))
    await asyncio.to_thread(eventually, lambda: town.woken, within_s=10)
    assert town.woken[0] == "a"
    held, links = "brood_held_requests", "brood_worker_links"
    await asyncio.to_thread(eventually, lambda: town.registry.get_sample_value(held) == 1, within_s=10)
    await town.add("a2", town.settings.groups[0])
    assert (await waiting).json()["samples"] == meant
    await asyncio.to_thread(eventually, lambda: town.registry.get_sample_value(held) == 0, within_s=10)
    await asyncio.to_thread(eventually, lambda: town.registry.get_sample_value(links) == 2, within_s=10)
    assert town.registry.get_sample_value("brood_lost_workers_total") == 0


async def test_models_are_loaded_and_unloaded_on_all_workers(town: Town) -> None:
    group = town.settings.groups[0]
    await town.add("a1", group)
    await town.add("a2", group)
    await town.add("b1", town.settings.groups[1])
    await town.ready()
    assert (await town.http.post("/v1/models/once/unload")).status_code == 200
    assert (await town.states())["once"] == "unloaded"
    assert [model.state for worker in ("a1", "a2") for model in town.workers[worker][0].models()] == ["unloaded"] * 2
    await town.add("a3", group)
    await asyncio.to_thread(eventually, lambda: town.workers["a3"][0].done == 1, within_s=10)
    assert [model.state for model in town.workers["a3"][0].models()] == ["unloaded"]
    assert (await town.http.post("/v1/models/once/load")).status_code == 200
    assert (await town.states())["once"] == "ready"
    missing = await town.http.post("/v1/models/nobody/unload")
    assert missing.status_code == 404


async def test_a_model_that_fails_on_one_node_is_ready_with_the_failure_told(town: Town, tmp_path: Path) -> None:
    await town.add("a1", town.settings.groups[0])
    await town.add("b1", town.settings.groups[1])
    flip_byte(tmp_path / "once" / "1", "keep.json")
    worker = Worker("a2", town.settings, town.settings.groups[0], Metrics(CollectorRegistry()), "token")
    place = Place("a2", "a", await worker.start(HOST), HOST, edition_of(town.settings))
    reporter = Reporter(place, base_of(wanted_of(town.settings)), worker, town.directory.report)
    reporter.start()
    town.workers["a2"] = worker, reporter

    def told(found: dict[str, Any]) -> str:
        return next(str(model["reason"]) for model in found["models"] if model["name"] == "once")

    found = await town.until(lambda found: "a2: " in told(found))
    assert "keep.json" in told(found)
    assert found["ready"]
    assert (await town.states())["once"] == "ready"
    worker.check()


async def test_while_all_is_stopped_requests_are_refused(town: Town) -> None:
    await town.add("a1", town.settings.groups[0])
    await town.add("b1", town.settings.groups[1])
    await town.ready()
    await town.directory.drain(5.0)
    assert (await town.readiness())["reason"] == "stopping"
    assert (await town.generate("once")).status_code == 503


async def test_a_worker_whose_engine_has_stopped_is_unhealthy(town: Town) -> None:
    worker = Worker("x", town.settings, town.settings.groups[0], Metrics(CollectorRegistry()), "token")
    await worker.start(HOST)
    await worker.useful()
    worker.check()
    await worker.stop()
    with pytest.raises(Unhealthy, match="engine has stopped"):
        worker.check()


async def test_an_ingress_with_other_settings_takes_over_when_workers_have_them_too(tmp_path: Path) -> None:
    once_bundle(tmp_path)
    ports = find_ports(HOST, {"http_port": 0, "grpc_port": 0})
    old = Settings(models=tmp_path, topology="split", threads=1, max_n=10).model_copy(update=dict(ports))
    town = Town(old, shared=True)
    await town.split.start()
    await town.add("old", old.groups[0])
    await town.ready()
    town.settings = old.model_copy(update={"max_n": 20})
    other = town.ingress(town.settings, CollectorRegistry(), shared=True)
    starting = asyncio.create_task(other.start())
    await asyncio.to_thread(eventually, lambda: other.status().models, within_s=10)
    assert (other.status().models[0].state, other.useful, starting.done()) == ("ready", False, False)
    assert (await town.generate("once", n=11)).status_code == 400
    await town.add("new", town.settings.groups[0])
    await asyncio.wait_for(starting, 10)
    assert other.useful
    await town.split.stop()
    town.split = other
    await town.http.aclose()
    town.http = httpx2.AsyncClient(base_url=f"http://{HOST}:{ports['http_port']}", timeout=20)
    assert (await town.generate("once", n=11)).status_code == 200
    await town.close()


async def test_an_ingress_is_of_no_use_before_it_has_heard_a_worker(tmp_path: Path) -> None:
    """What a model looks like it knows from the directory: that one is expected does not say at whose settings."""
    once_bundle(tmp_path)
    ports = find_ports(HOST, {"http_port": 0, "grpc_port": 0})
    settings = Settings(models=tmp_path, topology="split", threads=1).model_copy(update=dict(ports))
    town = Town(settings, shared=True)
    await town.split.start()
    await town.add("old", settings.groups[0])
    await town.ready()
    view = town.directory._register.view()
    other = town.ingress(settings.model_copy(update={"max_n": 20}), CollectorRegistry(), shared=True)
    await other._take(view)
    assert [worker.status for worker in other._backend.workers().values()] == [None]
    assert (other.status().models[0].state, other.useful) == ("ready", False)
    await other._backend.stop()
    other._front.close()
    await town.close()

"""``brood models``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from brood.cli import main
from brood.dataplane import DataPlane, Limits
from brood.frontends.servers import ServerOptions, Servers
from brood.host.host import Host, HostOptions
from helpers.bundles import edit_manifest, once_bundle, steps_bundle
from helpers.observer import FakeObserver
from helpers.quiet import Quiet


def test_models_are_listed_and_a_broken_one_says_why(tmp_path: Path) -> None:
    once_bundle(tmp_path)
    edit_manifest(steps_bundle(tmp_path), lambda words: words.update({"format": "brood/2"}))
    result = CliRunner(env={"COLUMNS": "200"}).invoke(main, ["models", "--models", str(tmp_path)])
    assert result.exit_code == 0
    told = " ".join(result.output.split())
    assert "once 1 function generate, reconstruct, score 0.0 A model for tests." in told
    assert '"brood/2"' in told


def test_an_empty_directory_is_an_error(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["models", "--models", str(tmp_path)])
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")


@dataclass(frozen=True)
class Running:
    """A server over a directory of bundles whose models may be changed."""

    store: Path
    servers: Servers

    async def run(self, kind: str, *arguments: str) -> Result:
        """Run ``brood models`` against it."""
        port = self.servers.http_port if kind == "http" else self.servers.grpc_port
        words = ["models", *arguments, "--url", f"{kind}://127.0.0.1:{port}"]
        return await asyncio.to_thread(CliRunner(env={"COLUMNS": "200"}).invoke, main, words)


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    once_bundle(tmp_path)
    host = Host(HostOptions(models=tmp_path), Quiet())
    await host.start()
    plane = DataPlane(host, Limits(), FakeObserver(), admin=True)
    servers = Servers(plane, ServerOptions("127.0.0.1", 0, 0))
    await servers.start()
    yield Running(tmp_path, servers)
    await servers.stop(0)
    await host.stop()
    plane.close()


def rows(result: Result) -> list[str]:
    """What was printed below the heading, spaces evened."""
    assert result.exit_code == 0, result.output
    return [" ".join(line.split()) for line in result.output.splitlines()[1:]]


@pytest.mark.parametrize("kind", ["http", "grpc"])
async def test_models_of_a_server_are_listed_and_changed(running: Running, kind: str) -> None:
    (listed,) = rows(await running.run(kind))
    assert listed.startswith("once 1 ready cpu")
    once_bundle(running.store, version=2)
    assert len(rows(await running.run(kind, "load", "once"))) == 2
    first, second = rows(await running.run(kind, "unload", "once", "--version", "1"))
    assert (first.startswith("once 1 unloaded"), second.startswith("once 2 ready")) == (True, True)
    edit_manifest(running.store / "once" / "2", lambda words: words.update(colour=1))
    result = await running.run(kind, "reload", "once", "--version", "2")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: model: once 2: reload failed, and what was loaded before serves on: ")
    assert "colour: unknown key" in result.stderr
    result = await running.run(kind, "load", "nobody")
    assert (result.exit_code, 'there is no "nobody" in the store' in result.stderr) == (1, True)


def test_a_directory_and_a_server_are_two_questions(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["models", "--models", str(tmp_path), "--url", "http://127.0.0.1:1"])
    assert (result.exit_code, "leave it out with --url" in result.stderr) == (2, True)

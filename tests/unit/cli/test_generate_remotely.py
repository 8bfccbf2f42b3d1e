"""``brood generate --url``."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from brood.cli import main
from brood.cli.generate import generate
from brood.dataplane import DataPlane, Limits
from brood.frontends.servers import ServerOptions, Servers
from brood.host.host import Host, HostOptions
from brood.settings import CALLERS_KEY
from helpers.access import Keys, Time
from helpers.bundles import once_bundle, picture
from helpers.observer import FakeObserver, RequestsOnly


@dataclass(frozen=True)
class Running:
    """A server of one bundle that wants keys."""

    store: Path
    servers: Servers
    keys: Keys

    async def generate(self, kind: str, *arguments: str, key: str = "studio") -> Result:
        """Run the command against it."""
        port = self.servers.http_port if kind == "http" else self.servers.grpc_port
        words = ["generate", "once", "--url", f"{kind}://127.0.0.1:{port}", *arguments]
        secret = {CALLERS_KEY: self.keys.secrets[key]}
        return await asyncio.to_thread(CliRunner().invoke, main, words, env=secret)


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    once_bundle(tmp_path / "store")
    host = Host(HostOptions(models=tmp_path / "store"), RequestsOnly())
    await host.start()
    plane, keys = DataPlane(host, Limits(), FakeObserver()), Keys(tmp_path)
    servers = Servers(plane, ServerOptions("127.0.0.1", 0, 0, gate=keys.gate(Time())))
    await servers.start()
    yield Running(tmp_path / "store", servers, keys)
    await servers.stop(0)
    await host.stop()
    plane.close()


@pytest.mark.parametrize("kind", ["http", "grpc"])
async def test_files_are_those_made_here(running: Running, kind: str, tmp_path: Path) -> None:
    words = ("-n", "5", "--seed", "7", "--index", "2", "--param", "label=3", "-o")
    result = await running.generate(kind, *words, str(tmp_path / "there"))
    assert result.exit_code == 0, result.output
    assert result.stdout == f"7 files in {tmp_path / 'there'}; seed 7\n"
    here = CliRunner().invoke(
        main, ["generate", "once", "--models", str(running.store), *words, str(tmp_path / "here")]
    )
    assert here.exit_code == 0, here.output
    pictures = sorted(path.name for path in (tmp_path / "here").glob("0*.png"))
    assert len(pictures) == 5
    for name in pictures:
        assert (tmp_path / "there" / name).read_bytes() == (tmp_path / "here" / name).read_bytes()
    told = [json.loads((tmp_path / place / "samples.json").read_text()) for place in ("here", "there")]
    assert told[0] == told[1]
    assert (tmp_path / "there" / "sheet.png").exists()


async def test_an_input_comes_from_a_file(running: Running, tmp_path: Path) -> None:
    np.save(tmp_path / "given.npy", picture(0.5))
    words = ("--operation", "score", "--param", "weight=1.5", "--input", f"image={tmp_path / 'given.npy'}")
    result = await running.generate("http", *words, "-o", str(tmp_path / "out"))
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "out" / "samples.json").read_text())["samples"][0]["score"] == 3.0


@pytest.mark.parametrize(
    ("arguments", "key", "message"),
    [
        (["--param", "label=11"], "studio", "params.label: 11 is not allowed"),
        (["--param", "label=x"], "studio", 'params.label: "x" is not allowed; allowed: a value of type int'),
        (["--operation", "dream"], "studio", 'operation: there is no "dream" here'),
        (["--operation", "score", "--input", "image=nowhere.png"], "studio", "No such file"),
        ([], "revoked", "key"),
    ],
)
async def test_what_is_wrong_is_one_line_and_exit_code_1(
    running: Running, arguments: list[str], key: str, message: str
) -> None:
    result = await running.generate("http", *arguments, key=key)
    assert result.exit_code == 1, result.output
    assert message in result.stderr
    assert result.stderr.strip().splitlines()[-1].startswith("Error: ")


def test_urls_and_bundles_do_not_go_together(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["generate", "once", "--url", "http://h:1", "--models", str(tmp_path)])
    assert result.exit_code == 2
    assert "leave them out with --url" in result.stderr
    wrong = CliRunner().invoke(main, ["generate", "once", "--url", "h:1"])
    assert wrong.exit_code == 1
    assert "url: 'h:1' is not allowed; allowed: http://HOST:PORT" in wrong.stderr


def test_the_variable_with_the_key_is_no_setting() -> None:
    assert CALLERS_KEY in {option.envvar for option in generate.params}

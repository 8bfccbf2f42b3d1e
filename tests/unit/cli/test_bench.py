"""``brood bench``."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from brood.cli import main
from brood.cli.bench import PROTOCOLS as NAMES
from brood.dataplane import DataPlane, Limits
from brood.frontends.servers import ServerOptions, Servers
from brood.loadgen.ways import PROTOCOLS
from brood.protocol.errors import Overloaded
from helpers.backend import FakeBackend
from helpers.observer import FakeObserver

QUICK = ("--seconds", "0.2", "--warm-up-s", "0.05")
MIX = ("--requests", "100% model=tiny")
DEAD = "http://127.0.0.1:1"


def run(*words: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(main, ["bench", *words])


class Running:
    """A server in this process, and the command against it."""

    def __init__(self, backend: FakeBackend, servers: Servers) -> None:
        self.backend, self._servers = backend, servers

    async def bench(self, kind: str, *words: str) -> Result:
        port = self._servers.http_port if kind == "http" else self._servers.grpc_port
        return await asyncio.to_thread(run, f"{kind}://127.0.0.1:{port}", *QUICK, *words)


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    backend = FakeBackend()
    plane = DataPlane(backend, Limits(), FakeObserver())
    servers = Servers(plane, ServerOptions("127.0.0.1", 0, 0))
    await servers.start()
    yield Running(backend, servers)
    await servers.stop(0)
    plane.close()


def test_the_protocols_are_those_there_are() -> None:
    assert {name for names in PROTOCOLS.values() for name in names} == set(NAMES)


@pytest.mark.parametrize("kind", ["http", "grpc"])
async def test_a_table_and_what_the_load_took(running: Running, kind: str) -> None:
    result = await running.bench(kind, *MIX, "--rate", "50", "--rate", "50:100", "--slo-ms", "1000")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].split()[:3] == ["load", "requests", "right"]
    assert [line.split()[0] for line in lines[1:3]] == ["50/s", "50"]
    assert lines[3].startswith("50/s: the load itself took")
    assert "50/s: done" in result.stderr


async def test_json_and_a_plot(running: Running, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    picture = tmp_path / "load.svg"
    mix = ("--requests", "50% model=tiny n=2", "--requests", "50% model=tiny label=3")
    words = ("--clients", "1", "--clients", "2", "--json", "--plot", str(picture), "--repeat-seeds", "2")
    result = await running.bench("http", *mix, *words)
    assert result.exit_code == 0, result.output
    told: dict[str, Any] = json.loads(result.stdout)
    assert [stage["stage"] for stage in told["stages"]] == ["1 client", "2 clients"]
    assert set(told["stages"][0]["kinds"]) == {"model=tiny n=2", "model=tiny label=3"}
    assert told["machine"]["cores"] >= 1
    assert picture.read_text().lstrip().startswith("<?xml")


async def test_refusals_are_counted_and_nothing_right_is_exit_code_1(running: Running) -> None:
    running.backend.refusal = Overloaded("the queue is full")
    result = await running.bench("http", *MIX, "--clients", "2", "--json")
    total = json.loads(result.stdout)["stages"][0]["total"]
    assert result.exit_code == 1
    assert (total["right"], list(total["errors"])) == (0, ["overloaded"])
    assert total["errors"]["overloaded"] == total["requests"] > 0


async def test_refusals_beside_right_answers_are_no_failure_of_the_bench(running: Running) -> None:
    mix = ("--requests", "50% model=tiny", "--requests", "50% model=nothing")
    result = await running.bench("http", *mix, "--rate", "100")
    assert result.exit_code == 0, result.output
    assert "model_not_found" in result.stdout


def test_a_server_that_is_down_is_told_and_counted() -> None:
    result = run(DEAD, *MIX, *QUICK, "--rate", "100")
    assert result.exit_code == 1
    assert "(100.0%) unreachable: 127.0.0.1:1" in result.stdout
    assert "never" in result.stdout


def test_the_commands_of_the_page_are_understood() -> None:
    page = (Path(__file__).parents[3] / "docs" / "bench.md").read_text()
    (block,) = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    commands = block.replace("\\\n", " ").splitlines()
    assert len(commands) == 3
    for command in commands:
        words = shlex.split(command.partition(" --plot")[0])
        url = words[2].split("://")[0] + "://127.0.0.1:1"
        result = run(url, *words[3:], "--seconds", "0.5", "--warm-up-s", "0", "--json")
        assert all(set(stage["total"]["errors"]) == {"unreachable"} for stage in json.loads(result.stdout)["stages"])


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ((DEAD, *MIX), "give one of --rate and --clients"),
        ((DEAD, *MIX, "--rate", "1", "--clients", "1"), "give one of --rate and --clients"),
        ((DEAD, *MIX, "--clients", "1", "--burst", "4"), "--burst goes with --rate"),
        ((DEAD, *MIX, "--rate", "0"), 'rate: "0" is not allowed'),
        ((DEAD, *MIX, "--rate", "1:2", "--burst", "4"), "one number, where requests come in bursts"),
        ((DEAD, "--requests", "1% model=a", "--rate", "1"), 'requests: "1% in all" is not allowed'),
        (("tcp://a", *MIX, "--rate", "1"), 'url: "tcp://a" is not allowed; allowed: http://HOST:PORT'),
        ((DEAD, *MIX, "--rate", "1", "--protocol", "grpc"), 'protocol: "grpc" is not allowed'),
        (("https://a", *MIX, "--rate", "1", "--tls-roots", "nowhere.pem"), "No such file"),
        ((DEAD, "--rate", "1"), "Missing option '--requests'"),
    ],
)
def test_options_that_make_no_sense_are_refused(words: tuple[str, ...], complaint: str) -> None:
    result = run(*words)
    assert result.exit_code != 0
    assert complaint in result.stderr

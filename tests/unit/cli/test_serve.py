"""``brood serve`` as far as it goes without Ray: options, and what is refused before anything starts."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from brood.cli import main
from brood.runtimes import gpus
from brood.settings import PREFIX, Settings
from helpers.bundles import once_bundle


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def serve(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["serve", *arguments])


def test_every_setting_has_an_option() -> None:
    told = serve("--help").output
    for name in set(Settings.model_fields) - {"names"}:
        assert f"--{name.replace('_', '-')} " in told
    assert "--model NAME" in told
    assert "--http-port PORT" in told


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--http-port", "x"], "setting 'http_port': 'x' is not allowed"),
        (["--threads", "0"], "setting 'threads': '0' is not allowed; input should be greater than or equal to 1"),
        (["--colour", "red"], "No such option"),
    ],
)
def test_a_wrong_option_is_a_usage_error(arguments: list[str], message: str) -> None:
    result = serve(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["--device", "cuda"],
        ["--topology", "split", "--generators", '[{"name": "fast", "device": "cuda", "num_gpus": 0.5}]'],
    ],
)
def test_a_gpu_that_is_not_there_is_one_line_and_exit_code_1(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpus, "LIBRARY", "libcuda-of-a-machine-without.so")
    result = serve(*arguments)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr == "Error: device 'cuda': this process sees no such GPU; it sees: none\n"


def test_a_taken_port_is_one_line_and_exit_code_1(tmp_path: Path, taken: int) -> None:
    once_bundle(tmp_path)
    result = serve("--models", str(tmp_path), "--http-port", "0", "--grpc-port", str(taken), "--metrics-port", "0")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert str(taken) in result.stderr


def test_a_directory_without_bundles_is_one_line_and_exit_code_1(tmp_path: Path) -> None:
    result = serve("--models", str(tmp_path))
    assert result.exit_code == 1
    assert result.stderr == f"Error: {tmp_path}: no bundles here; expected NAME/VERSION/manifest.json below it\n"


def test_a_name_that_is_no_bundle_is_one_line_and_exit_code_1(tmp_path: Path) -> None:
    once_bundle(tmp_path)
    result = serve("--models", str(tmp_path), "--model", "twice")
    assert result.exit_code == 1
    assert result.stderr == 'Error: model: there is no "twice" here; there are: once\n'


def test_an_address_that_others_reach_is_refused_with_the_three_ways_out(tmp_path: Path) -> None:
    once_bundle(tmp_path)
    result = serve("--models", str(tmp_path), "--host", "0.0.0.0")
    assert result.exit_code == 2
    for way in ("brood keys create", "--keys-file FILE", "--host 127.0.0.1", "--insecure"):
        assert way in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--keys-file", "{}/none"],
            "Error: keys file {}/none: No such file or directory; `brood keys create` makes one",
        ),
        (["--tls-cert", "{}/c", "--tls-key", "{}/k"], "Error: tls: {}/c with {}/k: No such file or directory"),
    ],
)
def test_keys_and_certificates_that_cannot_be_read_are_one_line_and_exit_code_1(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    once_bundle(tmp_path)
    result = serve("--models", str(tmp_path), *(word.format(tmp_path) for word in arguments))
    assert result.exit_code == 1
    assert result.stderr == message.format(tmp_path, tmp_path) + "\n"

"""The code on docs/clients.md runs, against a server as a new user starts it; that with clients of others is run by
tests/compat."""

from __future__ import annotations

import io
import re
import runpy
import shlex
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from brood.cli import main
from helpers.served import Served

pytestmark = pytest.mark.ray

PAGE = (Path(__file__).parents[2] / "docs" / "clients.md").read_text()
PYTHON = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def commands(word: str) -> list[str]:
    """The shell commands of the page that start with a word, each on one line."""
    lines = "\n".join(re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)).replace("\\\n", " ").splitlines()
    return [line for line in lines if line.startswith(word)]


def here(text: str, server: Served) -> str:
    """With the ports of the server."""
    return text.replace(":8000", f":{server.http_port}").replace(":9000", f":{server.grpc_port}")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the code runs."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def python(containing: str, server: Served) -> dict[str, Any]:
    """The names that the one block with some text leaves behind."""
    [code] = [block for block in PYTHON if containing in block and "brood_client" in block]
    Path("example.py").write_text(here(code, server))
    return runpy.run_path("example.py", run_name="__main__")


def test_the_first_steps(shipped: Served, folder: Path) -> None:
    left = python("result.images[0]", shipped)
    assert left["result"].array.shape == (4, 1, 28, 28)
    assert left["result"].seed == 7
    assert len(list((folder / "digits").glob("0*.png"))) == 4
    assert left["result"]._repr_html_().count("<img") == 4


def test_what_a_model_can_do(shipped: Served, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    python("client.models()", shipped)
    told = capsys.readouterr().out
    assert "glyphs-vae 1 ready cross, decode, encode, generate, interpolate, reconstruct, vary" in told
    assert "int -1 -1" in told


def test_other_operations(shipped: Served, folder: Path) -> None:
    left = python("client.reconstruct", shipped)
    assert left["again"].array.shape == (1, 1, 28, 28)
    assert left["latent"].shape == (1, 12)
    assert left["likely"].shape == (1,)
    assert len(left["offspring"]) == 4


def test_as_it_happens(shipped: Served, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    left = python("case Preview", shipped)
    out, err = capsys.readouterr()
    assert re.search(r"sample \d after 5 of 20 steps", out)
    assert re.search(r"[0-9.]+ s left", out)
    assert err != ""
    assert len(list(folder.glob("digit-*.png"))) == 4
    assert len(left["result"]) == 4


def test_asyncio(shipped: Served, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    python("asyncio.run", shipped)
    assert capsys.readouterr().out.strip() == "10 (2, 1, 28, 28)"


def test_once_for_sure(shipped: Served, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    python("idempotency_key", shipped)
    assert capsys.readouterr().out == "True True\n"


def test_errors(shipped: Served, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    python("InvalidArgument", shipped)
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("params.label ")
    assert second == "params.label: 11 is not allowed; allowed: an integer from -1 to 9"


def test_curl(shipped: Served, folder: Path) -> None:
    outputs = [
        subprocess.run(shlex.split(here(command, shipped)), check=True, capture_output=True).stdout.decode()
        for command in commands("curl")
    ]
    picture, archive, events, cancelled = outputs
    assert (picture, archive) == ("", "")
    assert (folder / "sample.png").read_bytes().startswith(b"\x89PNG")
    with zipfile.ZipFile(io.BytesIO((folder / "samples.zip").read_bytes())) as files:
        assert len([name for name in files.namelist() if name.endswith(".png")]) == 4
    assert [name for name in re.findall(r"^event: (\w+)$", events, re.MULTILINE) if name != "progress"] == [
        "accepted",
        "sample",
        "sample",
        "done",
    ]
    assert "generation_not_found" in cancelled


def test_the_command(shipped: Served, folder: Path) -> None:
    [command] = commands("brood")
    result = CliRunner().invoke(main, shlex.split(here(command, shipped))[1:])
    assert result.exit_code == 0, result.output
    assert len(list((folder / "samples").glob("0*.png"))) == 16

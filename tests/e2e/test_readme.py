"""Every command and every piece of code in the README does what it says."""

from __future__ import annotations

import json
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from brood.cli import main
from brood_client import Client
from helpers.served import Served

pytestmark = pytest.mark.ray

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def commands(word: str) -> list[str]:
    """The shell commands of the README that start with a word, each on one line."""
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line.partition("  #")[0].strip() for line in lines if line.startswith(word)]


def test_make_knows_its_targets() -> None:
    targets = [command.split()[1] for command in commands("make")]
    assert targets == ["serve", "test"]
    subprocess.run(["make", "--dry-run", *targets], cwd=ROOT, check=True, capture_output=True)


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert target.startswith("https://") or (ROOT / target).exists(), target


def test_the_three_ways_give_the_same_samples(
    shipped: Served, http: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    [curl] = commands("curl")
    subprocess.run(shlex.split(curl.replace(":8000", f":{shipped.http_port}")), check=True)
    picture = Path("sample.png").read_bytes()
    assert picture.startswith(b"\x89PNG")

    [generate] = commands(".venv/bin/brood generate")
    result = CliRunner().invoke(main, shlex.split(generate)[1:])
    assert result.exit_code == 0, result.output
    assert Path("samples", "000000-image.png").read_bytes() == picture
    assert len(list(Path("samples").glob("0*.png"))) == 64

    [code] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    Path("example.py").write_text(code)
    local = runpy.run_path("example.py")["result"].array
    answer = http.generate("glyphs-vae", n=4, seed=7, params={"label": 3})
    np.testing.assert_array_equal(answer.array, local)


def test_the_call_over_grpc(grpc: Client) -> None:
    [command] = commands("grpcurl")
    words = shlex.split(command)
    assert words[-1] == "brood.v1.Generator/Generate"
    answer = grpc.generate(**json.loads(words[words.index("-d") + 1]))
    assert [sample.index for sample in answer.samples] == [0, 1, 2, 3]


def test_help_has_every_command_it_names() -> None:
    for command in re.findall(r"`brood ([a-z]+)", README):
        assert CliRunner().invoke(main, [command, "--help"]).exit_code == 0
    assert Path(sys.executable).with_name("brood").exists()

"""The code on docs/export.md runs: from a checkpoint to a served model."""

from __future__ import annotations

import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from brood.cli import main as brood_main
from brood_export.cli import main as export_main
from helpers.markdown import blocks, commands
from helpers.served import Served

pytestmark = [pytest.mark.ray, pytest.mark.export]

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "export.md").read_text()


def run(line: str) -> str:
    """What a command of the page prints."""
    program, *arguments = shlex.split(line)
    result = CliRunner().invoke({"brood": brood_main, "brood-export": export_main}[program], arguments)
    assert result.exit_code == 0, result.output
    return result.output


def test_from_a_checkpoint_to_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for title, code in re.findall(r"```python title=(\S+)\n(.*?)```", PAGE, re.DOTALL):
        Path(title).write_text(code)
    runpy.run_path("checkpoint.py")
    export, imports = commands(PAGE, "brood-export", containing="--name")
    told = run(export)
    assert "| generate | random inputs | image |" in told
    assert "samples: models/my-gan/1/preview.png" in told
    inspected, verified = (run(line) for line in commands(PAGE, "brood-export", containing="models/my-gan/1"))
    assert "operation vary: blend once, then generate once" in inspected
    assert "FAILS" not in verified
    [generate] = commands(PAGE, "brood generate")
    assert run(generate).endswith("18 files in samples; seed 7\n")

    [python] = [code for code in blocks(PAGE, "python") if "my-own-gan" in code]
    Path("again.py").write_text(python)
    assert runpy.run_path("again.py")["picture"].shape == (1, 16, 16)

    gan = sys.modules["my_gan"].Generator().eval()
    torch.onnx.export(
        gan,
        (torch.zeros(2, 16, 1, 1),),
        "generator.onnx",
        dynamic_shapes=({0: torch.export.Dim("rows")},),
        dynamo=True,
        verbose=False,
    )
    run(imports)

    [serve], [curl] = commands(PAGE, "brood serve"), commands(PAGE, "curl")
    server = Served(*shlex.split(serve)[2:])
    try:
        subprocess.run(shlex.split(curl.replace(":8000", f":{server.http_port}")), check=True)
    finally:
        server.end()
    assert Path("sample.png").read_bytes() == Path("samples/000000-image.png").read_bytes()


def test_links_lead_somewhere() -> None:
    pages = [DOCS / "export.md", *(DOCS / "families").glob("*.md")]
    for page in pages:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            assert target.startswith("https://") or (page.parent / target).exists(), (page.name, target)
    assert len(pages) == 12

"""The pages of docs/families: their code runs as it stands, and their tables are what the code gives."""

import runpy
from pathlib import Path

import numpy as np
import pytest

from brood_export.families import FAMILIES
from helpers.markdown import blocks

pytestmark = pytest.mark.export

PAGES = Path(__file__).parents[4] / "docs" / "families"


@pytest.mark.parametrize("family", list(FAMILIES))
def test_the_example_exports_a_model_and_uses_it(
    family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    model, use = blocks((PAGES / f"{family}.md").read_text(), "python")
    Path("example.py").write_text(model + use)
    left = runpy.run_path("example.py")
    assert left["done"].directory.is_dir()
    assert "| whole run |" in capsys.readouterr().out
    made = [left[name] for name in ("samples", "points", "one") if name in left]
    assert made
    assert np.isfinite(made[0]).all()

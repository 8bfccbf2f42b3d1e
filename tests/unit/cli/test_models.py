"""``brood models``."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from brood.cli import main
from helpers.bundles import edit_manifest, once_bundle, steps_bundle


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

"""``brood verify``."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result

from brood.cli import main
from helpers.bundles import flip_byte, once_bundle, relist


def verify(bundle: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["verify", str(bundle), *options])


def test_a_good_bundle(tmp_path: Path) -> None:
    result = verify(once_bundle(tmp_path))
    assert result.exit_code == 0
    assert "once 1: 4 files as listed" in result.output
    assert ["generate", "generate", "0", "0", "ok"] in [line.split() for line in result.output.splitlines()]


def test_a_changed_file(tmp_path: Path) -> None:
    result = verify(flip_byte(once_bundle(tmp_path), "keep.json"))
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: once/1: keep.json:")
    assert result.stderr.count("\n") == 1


def test_other_samples_than_the_original_gave(tmp_path: Path) -> None:
    bundle = once_bundle(tmp_path)
    content = (bundle / "generate.json").read_bytes().replace(b"0.01", b"0.02")
    result = verify(relist(bundle, "generate.json", content))
    assert result.exit_code == 1
    assert result.stderr == "Error: 1 of 1 golden samples differ\n"
    assert "off by 0.03, tolerance 0" in " ".join(result.stdout.split())


def test_certifying_tells_where_samples_are_exact(tmp_path: Path) -> None:
    result = verify(once_bundle(tmp_path, bucket_dependent=True, bucket_dependent_from=8), "--certify")
    assert result.exit_code == 0
    words = [line.split() for line in result.output.splitlines()]
    assert any(line[:5] == ["once", "1", "1", "generate", "all"] and "8" in line for line in words)

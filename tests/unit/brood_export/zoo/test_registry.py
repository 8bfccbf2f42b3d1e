from pathlib import Path

import pytest
from click.testing import CliRunner

from brood.store.store import read_bundle, zoo_root
from brood_export.cli import main
from brood_export.families import FAMILIES
from brood_export.zoo import training
from brood_export.zoo.registry import ENTRIES, export_zoo, share_held

pytestmark = pytest.mark.export


def test_every_generator_is_of_a_family_and_can_be_trained() -> None:
    assert {entry.family for entry in ENTRIES.values()} <= set(FAMILIES)
    assert set(ENTRIES) <= set(training.MODULES)


def test_the_share_of_sweeps_at_the_last_temperature() -> None:
    assert share_held([4.0, 2.0, 1.0, 1.0]) == 0.5


def test_what_is_not_trained_is_not_exported(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"glyphs-gan\.safetensors"):
        export_zoo("glyphs-gan", tmp_path / "store", checkpoints=tmp_path)
    result = CliRunner().invoke(main, ["zoo", "export", "glyphs-gan", "--checkpoints", str(tmp_path)])
    assert result.exit_code == 1
    assert "train glyphs-gan first" in result.output


def test_unknown_names_list_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="glyphs-vae"):
        export_zoo("glyphs-rnn", tmp_path)
    result = CliRunner().invoke(main, ["zoo", "train", "glyphs-rnn"])
    assert result.exit_code == 2
    assert "glyphs-vae" in result.output


@pytest.mark.parametrize("name", list(ENTRIES))
def test_shipped_bundles_are_of_the_shipped_checkpoints(name: str) -> None:
    manifest = read_bundle(zoo_root() / name / "1").manifest
    entry, report = ENTRIES[name], training.report(name)
    assert (manifest.name, manifest.family, manifest.description) == (name, entry.family, entry.description)
    assert manifest.provenance["training_data"] == report["data"]
    assert manifest.provenance["checkpoint_sha256"] == training_hash(name)


def training_hash(name: str) -> str:
    from brood.store.files import hash_file

    return hash_file(training.CHECKPOINTS / f"{name}.safetensors")


def test_the_shipped_bundles_are_small() -> None:
    assert sum(path.stat().st_size for path in zoo_root().rglob("*") if path.is_file()) <= 25e6

"""``brood certify``."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from brood.cli import main
from brood.host.certificate import Certificate
from brood.host.certificates import FOLDER, Certificates
from brood.host.conditions import conditions
from brood.host.loading import load_model
from brood.host.opened import open_bundle
from brood.runtimes.base import RuntimeOptions
from brood.store.store import read_bundle
from helpers.bundles import once_bundle, steps_bundle


def certify(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["certify", *map(str, arguments)])


def test_certificates_are_made_told_and_written_where_servers_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROOD_CACHE_DIR", str(tmp_path / "cache"))
    directory = once_bundle(tmp_path / "store", bucket_dependent=True)
    steps_bundle(tmp_path / "store")
    result = certify("once", "--models", tmp_path / "store")
    assert result.exit_code == 0
    assert "once/1, threads: 1 ..." in result.stderr
    assert f"1 certificates in {tmp_path / 'cache' / FOLDER}" in " ".join(result.stdout.split())
    certificates = Certificates(tmp_path / "cache", tmp_path)
    opened = open_bundle(read_bundle(directory), RuntimeOptions(1))
    (found,) = certificates.find(conditions(opened, RuntimeOptions(1)))
    assert load_model(read_bundle(directory), RuntimeOptions(1), certificates).certificate == found
    assert found.processes == 2
    rows = [line.split()[:-1] for line in result.stdout.splitlines()]
    assert ["once", "1", "1", "generate", "none", found.numerics_id] in rows
    assert ["once", "1", "1", "keep", "all", found.numerics_id] in rows


def test_all_models_with_several_threads(tmp_path: Path) -> None:
    once_bundle(tmp_path / "store")
    result = certify("--models", tmp_path / "store", "--threads", 1, "--threads", 2, "--out", tmp_path / "out")
    assert result.exit_code == 0
    made = [Certificate.model_validate_json(path.read_bytes()) for path in (tmp_path / "out").iterdir()]
    assert {certificate.conditions.threads for certificate in made} == {1, 2}


def test_an_unknown_model_is_one_line(tmp_path: Path) -> None:
    once_bundle(tmp_path)
    result = certify("twice", "--models", tmp_path)
    assert result.exit_code == 1
    assert result.stderr == 'Error: model: there is no "twice" here; there are: once\n'


def test_a_device_that_is_none_is_one_line(tmp_path: Path) -> None:
    once_bundle(tmp_path)
    result = certify("--models", tmp_path, "--device", "tpu", "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].startswith("Error: device: 'tpu' is not allowed; allowed: cpu, cuda, cuda:N")


def test_a_directory_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    once_bundle(tmp_path / "store")
    (tmp_path / "file").write_text("")
    result = certify("--models", tmp_path / "store", "--out", tmp_path / "file" / "out")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].startswith("Error: [Errno")

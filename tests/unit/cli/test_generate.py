"""``brood generate``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from brood import load
from brood.cli import main
from helpers.bundles import IMAGE, once_bundle, picture


@pytest.fixture
def store(tmp_path: Path) -> Path:
    once_bundle(tmp_path / "store")
    return tmp_path / "store"


def generate(store: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["generate", "once", "--models", str(store), *arguments])


def test_images_scalars_and_a_sheet_are_written(store: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = generate(store, "-n", "5", "--seed", "7", "--index", "2", "--param", "label=3", "-o", str(out))
    assert result.exit_code == 0, result.output
    assert result.stdout == f"7 files in {out}; seed 7\n"
    assert sorted(path.name for path in out.glob("0*")) == [f"{index:06d}-image.png" for index in range(2, 7)]
    with Image.open(out / "000002-image.png") as image:
        assert image.size == IMAGE[1:]
    told = json.loads((out / "samples.json").read_text())
    assert [(row["index"], row["label"]) for row in told["samples"]] == [(index, 3) for index in range(2, 7)]
    with Image.open(out / "sheet.png") as sheet:
        assert sheet.size[0] >= 3 * IMAGE[2]


def test_files_are_those_of_the_library(store: Path, tmp_path: Path) -> None:
    generate(store, "--seed", "7", "-o", str(tmp_path / "command"))
    with load("once", models=str(store)) as model:
        model.generate(seed=7).save(tmp_path / "library")
    for path in (tmp_path / "library").iterdir():
        assert (tmp_path / "command" / path.name).read_bytes() == path.read_bytes()


def test_an_input_comes_from_a_file(store: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "given.npy", picture(0.5))
    arguments = ("--operation", "score", "--param", "weight=1.5", "-o", str(tmp_path / "out"))
    result = generate(store, *arguments, "--input", f"image={tmp_path / 'given.npy'}")
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "out" / "samples.json").read_text())["samples"][0]["score"] == 3.0
    assert not (tmp_path / "out" / "sheet.png").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--param", "label=11"], "params.label: 11 is not allowed"),
        (["--param", "label=x"], 'params.label: "x" is not allowed; allowed: a value of type int'),
        (["--param", "colour=x"], 'params.colour: there is no "colour" here'),
        (["--operation", "dream"], 'operation: there is no "dream" here'),
        (["--operation", "score", "--input", "image=a.gif"], "files that end in .png, .npy, .wav, .flac"),
        (["--operation", "score", "--input", "image=nowhere.png"], "No such file"),
    ],
)
def test_what_is_wrong_is_one_line_and_exit_code_1(store: Path, arguments: list[str], message: str) -> None:
    result = generate(store, *arguments)
    assert result.exit_code == 1
    assert message in result.stderr
    assert result.stderr.strip().splitlines()[-1].startswith("Error: ")


def test_a_parameter_without_a_value_is_a_usage_error(store: Path) -> None:
    result = generate(store, "--param", "label")
    assert result.exit_code == 2
    assert "'label' is not NAME=VALUE" in result.stderr


def test_an_unknown_model_names_those_there_are(store: Path) -> None:
    result = CliRunner().invoke(main, ["generate", "ones", "--models", str(store)])
    assert result.exit_code == 1
    assert 'did you mean "once"?' in result.stderr

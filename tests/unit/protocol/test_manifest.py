"""What a manifest may say: unknown keys, paths that leave, and references to nothing are refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from brood.protocol.manifest import Manifest
from helpers.bundles import steps_bundle


@pytest.fixture
def words(tmp_path: Path) -> dict[str, Any]:
    """A good manifest as plain JSON."""
    read: dict[str, Any] = json.loads((steps_bundle(tmp_path) / "manifest.json").read_text())
    return read


def refused(words: dict[str, Any]) -> str:
    with pytest.raises(ValidationError) as raised:
        Manifest.model_validate(words)
    return str(raised.value)


def test_a_good_one_is_understood_and_immutable(words: dict[str, Any]) -> None:
    manifest = Manifest.model_validate(words)
    assert manifest.operations["generate"].state["x"].init == "noise"
    with pytest.raises(ValidationError, match="frozen"):
        manifest.name = "other"


PARTS: list[Callable[[dict[str, Any]], dict[str, Any]]] = [
    lambda words: words,
    lambda words: words["graphs"]["step"],
    lambda words: words["graphs"]["step"]["inputs"]["noise"],
    lambda words: words["graphs"]["step"]["inputs"]["noise"]["noise"],
    lambda words: words["graphs"]["step"]["outputs"]["x"],
    lambda words: words["operations"]["complete"],
    lambda words: words["operations"]["complete"]["inputs"]["image"],
    lambda words: words["operations"]["complete"]["params"]["steps"],
    lambda words: words["operations"]["complete"]["state"]["x"],
    lambda words: words["operations"]["complete"]["stages"][0],
    lambda words: words["operations"]["complete"]["outputs"]["image"],
    lambda words: words["schedule"],
    lambda words: words["sample"],
    lambda words: words["golden"][0],
    lambda words: words["golden"][0]["parity"],
]


@pytest.mark.parametrize("part", PARTS, ids=range(len(PARTS)))
def test_an_unknown_key_is_refused_everywhere(
    words: dict[str, Any], part: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    part(words)["colour"] = "red"
    assert "colour\n  Extra inputs are not permitted" in refused(words)


@pytest.mark.parametrize(
    "path", ["../x", "a/../../x", "/x", "a\\x", "", ".", "a//x", "./x", "a/", "..", "C:\\x", "a/./x"]
)
def test_a_path_that_could_leave_is_refused(words: dict[str, Any], path: str) -> None:
    words["files"][path] = "0" * 64
    assert f"{path!r} is not a plain relative path inside the bundle" in refused(words)


@pytest.mark.parametrize("path", ["x", "a/x.onnx", "a/b/c", "..x", "x.."])
def test_a_path_that_stays_is_allowed(words: dict[str, Any], path: str) -> None:
    words["files"][path] = "0" * 64
    assert path in Manifest.model_validate(words).files


TEXT = {"kind": "text", "dtype": "int64", "shape": [4], "tokenizer": "t.json", "description": "What to draw."}
EDITS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "graph file": (
        lambda words: words["graphs"]["step"].update(file="other.json"),
        "graphs.step.file: 'other.json' is not listed in 'files'",
    ),
    "stage graph": (
        lambda words: words["operations"]["generate"]["stages"][0].update(graph="other"),
        "operations.generate.stages.0.graph: no graph 'other'",
    ),
    "schedule": (lambda words: words.pop("schedule"), "stages.0.repeat: the manifest has no schedule"),
    "golden": (lambda words: words["golden"][0].update(operation="other"), "golden.generate.operation: no operation"),
    "noise source": (
        lambda words: words["graphs"]["step"]["inputs"]["noise"].pop("noise"),
        "'noise' must be given for role 'noise', and only there",
    ),
    "state source": (
        lambda words: words["operations"]["generate"]["state"]["x"].update(init="input"),
        "init 'input' needs exactly its own source",
    ),
    "buckets": (lambda words: words["graphs"]["step"].update(buckets=[1, 4, 2]), "must ascend from 1"),
    "first bucket": (lambda words: words["graphs"]["step"].update(buckets=[2, 4]), "must ascend from 1"),
    "range": (lambda words: words["sample"].update(range=[1, -1]), "must ascend"),
    "sound without a rate": (lambda words: words["sample"].update(layout="CT"), "'sample_rate_hz' must be given"),
    "picture with a rate": (lambda words: words["sample"].update(sample_rate_hz=16000), "'sample_rate_hz' must be"),
    "video without a rate": (
        lambda words: words["sample"].update(layout="TCHW"),
        "'fps' must be given for layout TCHW",
    ),
    "picture with frames": (
        lambda words: words["sample"].update(fps=8),
        "'fps' must be given for layout TCHW, and only",
    ),
    "no frames": (lambda words: words["sample"].update(layout="TCHW", fps=0), "greater than or equal to 0.01"),
    "silent rate": (lambda words: words["sample"].update(layout="CT", sample_rate_hz=0), "greater than or equal to 1"),
    "shape of sound": (
        lambda words: words["operations"]["complete"]["outputs"]["image"].update(kind="audio"),
        "of kind 'audio' must have 2 dimensions: CT",
    ),
    "shape of video": (
        lambda words: words["operations"]["complete"]["inputs"]["image"].update(kind="video"),
        "of kind 'video' must have 4 dimensions: TCHW",
    ),
    "dtype of sound": (
        lambda words: words["operations"]["complete"]["outputs"]["image"].update(
            kind="audio", shape=[1, 4], dtype="int16"
        ),
        "dtype 'int16' of kind 'audio' must be float32",
    ),
    "sound of pictures": (
        lambda words: words["operations"]["complete"]["outputs"]["image"].update(kind="audio", shape=[1, 4]),
        "operations.complete.outputs.image.kind: 'audio' needs a sample of layout CT",
    ),
    "video of nothing": (
        lambda words: (
            words.pop("sample"),
            words["operations"]["complete"]["inputs"]["image"].update(kind="video", shape=[2, 1, 4, 4]),
        ),
        "operations.complete.inputs.image.kind: 'video' needs a sample of layout TCHW",
    ),
    "shape": (lambda words: words["graphs"]["step"]["inputs"]["x"].update(shape=[0]), "greater than or equal to 1"),
    "done of many": (
        lambda words: words["graphs"]["step"]["outputs"]["ok"].update(role="done", shape=[2]),
        "role 'done' is for bool [], not bool [2]",
    ),
    "ok of a number": (
        lambda words: words["graphs"]["step"]["outputs"]["ok"].update(dtype="float32"),
        "role 'ok' is for bool [], not float32 []",
    ),
    "variant once": (
        lambda words: words["operations"]["generate"]["stages"][0].update(
            repeat="per_request", variant={"graph": "step", "column": "temperature", "unless": 1}
        ),
        "'variant' needs repeat 'schedule'",
    ),
    "text without a tokenizer": (
        lambda words: words["operations"]["complete"]["inputs"]["image"].update(kind="text"),
        "'tokenizer' must be given for kind 'text', and only there",
    ),
    "tokenizer that is not listed": (
        lambda words: words["operations"]["complete"]["inputs"].update(prompt=TEXT),
        "operations.complete.inputs.prompt.tokenizer: 't.json' is not listed in 'files'",
    ),
    "text of another shape": (
        lambda words: words["operations"]["complete"]["inputs"].update(prompt=TEXT | {"shape": [2, 3]}),
        "a text is int32 or int64 [length], not int64 [2, 3]",
    ),
    "default of a picture": (
        lambda words: words["operations"]["complete"]["inputs"]["image"].update(default="a cat"),
        "'pad', 'mask' and 'default' are for kind 'text' only",
    ),
    "mask of another name": (
        lambda words: words["operations"]["complete"]["inputs"].update(prompt=TEXT | {"mask": "image"}),
        "mask 'image': another input is called so",
    ),
    "format": (lambda words: words.update(format="brood/2"), "'brood/1'"),
    "name": (lambda words: words.update(name="Big Name"), "pattern"),
}


@pytest.mark.parametrize("case", EDITS)
def test_what_contradicts_itself_is_refused(words: dict[str, Any], case: str) -> None:
    edit, reason = EDITS[case]
    edit(words)
    assert reason in refused(words)


@pytest.mark.parametrize("name", ["x", "Input:0", "input.1", "495", "head/logits", "onnx::MatMul_5", "a-b"])
def test_tensors_are_called_as_graphs_call_them(words: dict[str, Any], name: str) -> None:
    words["graphs"]["begin"]["inputs"][name] = words["graphs"]["begin"]["inputs"].pop("image")
    words["operations"]["complete"]["stages"][0]["bind"] = {name: "image"}
    manifest = Manifest.model_validate(words)
    assert list(manifest.graphs["begin"].inputs) == [name]
    assert manifest.operations["complete"].stages[0].bind == {name: "image"}


@pytest.mark.parametrize("name", ["", "/x", "x/", "../x", "a/../x", "a//x", "a b", "é", "x\n", "a\\b", "x" * 129])
def test_names_of_tensors_that_could_be_other_files_are_refused(words: dict[str, Any], name: str) -> None:
    words["graphs"]["begin"]["inputs"][name] = words["graphs"]["begin"]["inputs"].pop("image")
    assert "graphs.begin.inputs" in refused(words)

"""What a stage that runs once for all samples of a request may be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from brood.program import compile_program
from brood.program.shared import shared_inputs
from brood.protocol.errors import BundleError
from brood.store.store import read_bundle
from helpers.bundles import edit_manifest
from helpers.prompted import prompted_bundle

Words = dict[str, Any]


def stages(words: Words) -> list[Words]:
    found: list[Words] = words["operations"]["generate"]["stages"]
    return found


def test_what_such_stages_read_and_make(tmp_path: Path) -> None:
    manifest = read_bundle(prompted_bundle(tmp_path)).manifest
    program = compile_program(manifest, "generate")
    assert [stage.shared for stage in program.stages] == [True, False, False]
    assert program.shared == {"context"}
    assert shared_inputs(manifest, manifest.operations["generate"]) == {"prompt"}


def last(words: Words) -> None:
    stages(words).append(stages(words).pop(0))


def all_of_them(words: Words) -> None:
    del stages(words)[1:]
    words["operations"]["generate"]["outputs"] = {"total": {"dtype": "float32", "kind": "scalar"}}


def of_one_row(words: Words) -> None:
    words["graphs"]["encode"]["inputs"]["x"] = {"dtype": "float32", "shape": (3,), "role": "state"}


def noise(words: Words) -> None:
    drawn = {"distribution": "normal", "stream": 9}
    words["graphs"]["encode"]["inputs"]["z"] = {"dtype": "float32", "role": "noise", "noise": drawn}


def for_the_caller(words: Words) -> None:
    words["graphs"]["encode"]["outputs"]["y"] = {"dtype": "float32", "role": "output"}


def growing(words: Words) -> None:
    words["graphs"]["encode"]["outputs"]["read"] |= {"role": "append", "axis": 0}


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (last, r"stages\.2: repeat per_request is for the first stages, and others must follow"),
        (all_of_them, r"stages\.0: repeat per_request is for the first stages, and others must follow"),
        (of_one_row, r"stages\.0: repeat per_request reads 'x', which is of one row alone"),
        (noise, r"stages\.0: repeat per_request reads 'z', which is of one row alone"),
        (for_the_caller, r"stages\.0: repeat per_request makes 'y'; allowed: what replaces a state"),
        (growing, r"stages\.0: repeat per_request makes 'read'; allowed: what replaces a state"),
    ],
)
def test_what_would_differ_between_rows_is_refused(
    tmp_path: Path, edit: Callable[[Words], object], reason: str
) -> None:
    manifest = read_bundle(edit_manifest(prompted_bundle(tmp_path), edit)).manifest
    with pytest.raises(BundleError, match=reason):
        compile_program(manifest, "generate")

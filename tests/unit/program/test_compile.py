"""How names resolve."""

from pathlib import Path

import pytest

from brood.program import Constant, FromInput, FromNoise, FromParam, FromSchedule, FromState, compile_program
from brood.protocol.errors import BundleError
from brood.protocol.manifest import Manifest
from brood.store.store import read_bundle
from helpers.bundles import edit_manifest, once_bundle, steps_bundle


def manifest_of(directory: Path) -> Manifest:
    return read_bundle(directory).manifest


def test_every_source_is_found_by_role_and_name(tmp_path: Path) -> None:
    program = compile_program(manifest_of(steps_bundle(tmp_path)), "complete")
    begin, step, finish = program.stages
    assert [type(feed.source) for feed in begin.feeds] == [FromInput]
    kinds = {feed.name: feed.source for feed in step.feeds}
    assert kinds["x"] == FromState("x")
    assert kinds["temperature"] == FromSchedule("temperature")
    assert isinstance(kinds["noise"], FromNoise)
    assert kinds["noise"].noise.stream == 1
    assert (begin.per_step, step.per_step, finish.per_step) == (False, True, False)
    assert step.to_state == (("x", "x"), ("count", "count"))
    assert step.ok == "ok"
    assert finish.to_caller == (("image", "image"),)
    assert program.outputs == (("image", "image", False), ("count", "count", True))


def test_bind_renames_outputs_and_params_come_by_name(tmp_path: Path) -> None:
    manifest = manifest_of(once_bundle(tmp_path))
    assert compile_program(manifest, "reconstruct").stages[0].to_caller == (("kept", "image"),)
    feeds = {feed.name: feed.source for feed in compile_program(manifest, "generate").stages[0].feeds}
    assert feeds["label"] == FromParam("label")


def test_a_number_binds_a_constant(tmp_path: Path) -> None:
    directory = edit_manifest(
        once_bundle(tmp_path), lambda words: words["operations"]["generate"]["stages"][0].update(bind={"label": 3})
    )
    feeds = {feed.name: feed.source for feed in compile_program(manifest_of(directory), "generate").stages[0].feeds}
    assert feeds["label"] == Constant(3.0)


def test_a_program_without_steps_needs_no_schedule_parameters(tmp_path: Path) -> None:
    manifest = manifest_of(once_bundle(tmp_path))
    assert compile_program(manifest, "reconstruct").schedule({}).steps == 1


@pytest.mark.parametrize(
    ("bind", "complaint"),
    [
        (
            {"label": "lable"},
            r"0\.bind\.label \(role param\): nothing is called 'lable' here; there are: label",
        ),
        ({"nothing": "label"}, r"stages\.0\.bind: nothing is called 'nothing' here; there are: noise"),
        ({"image": "elsewhere"}, r"outputs\.image\.value: nothing is called 'image' here"),
    ],
)
def test_a_name_that_leads_nowhere_is_refused(tmp_path: Path, bind: dict[str, str], complaint: str) -> None:
    directory = edit_manifest(
        once_bundle(tmp_path), lambda words: words["operations"]["generate"]["stages"][0].update(bind=bind)
    )
    with pytest.raises(BundleError, match=complaint):
        compile_program(manifest_of(directory), "generate")


def test_an_unknown_schedule_is_refused(tmp_path: Path) -> None:
    directory = edit_manifest(steps_bundle(tmp_path), lambda words: words["schedule"].update(kind="cubic"))
    with pytest.raises(BundleError, match=r"schedule\.kind: .*'cubic' here; there are: raster, annealing"):
        compile_program(manifest_of(directory), "generate")

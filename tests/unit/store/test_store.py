"""Bundles are found, verified, read; what is wrong with one is said by name."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from brood.protocol.errors import BundleError
from brood.protocol.manifest import Manifest
from brood.store import store
from brood.store.files import MANIFEST, MANIFEST_LIMIT, hash_file
from brood.store.store import find_bundles, read_bundle, write_manifest, zoo_root
from helpers.bundles import broken_bundles, edit_manifest, once_bundle, relist, steps_bundle


def test_a_bundle_is_read_with_its_digest(tmp_path: Path) -> None:
    directory = once_bundle(tmp_path)
    bundle = read_bundle(directory)
    assert (bundle.manifest.name, bundle.manifest.version, bundle.directory) == ("once", 1, directory)
    assert bundle.digest == hash_file(directory / MANIFEST)


def test_a_relative_directory_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(once_bundle(tmp_path))
    assert read_bundle(Path()).manifest.name == "once"


def test_a_bundle_may_be_reached_through_links(tmp_path: Path) -> None:
    """As when a volume is mounted: the files are links to a hidden directory beside them."""
    directory = once_bundle(tmp_path)
    data = directory / "..data"
    data.mkdir()
    for path in list(directory.iterdir()):
        if path != data:
            path.rename(data / path.name)
            path.symlink_to(Path("..data") / path.name)
    assert read_bundle(directory).manifest.name == "once"


@pytest.mark.parametrize(
    "kind",
    ["changed-byte", "missing-file", "linked-file", "leaving-path", "unknown-key", "other-format", "unlisted-graph"],
)
def test_a_broken_bundle_is_refused_by_name(tmp_path: Path, kind: str) -> None:
    directory, reason = broken_bundles(tmp_path)[kind]
    with pytest.raises(BundleError) as raised:
        read_bundle(directory)
    assert raised.value.message.startswith(f"{kind}/1: ")
    assert reason in raised.value.message
    assert str(tmp_path) not in raised.value.message


EDITS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "format missing": (lambda words: words.pop("format"), 'format: null is not supported; supported: "brood/1"'),
    "key missing": (lambda words: words.pop("license"), "license: missing key"),
    "version text": (lambda words: words.update(version="1"), 'version: "1" is not allowed'),
    "version zero": (lambda words: words.update(version=0), "version: 0 is not allowed"),
    "name": (lambda words: words.update(name="../x"), 'name: "../x" is not allowed'),
    "other name": (lambda words: words.update(name="twice"), "name: 'twice', but it lies in 'once'"),
    "other version": (lambda words: words.update(version=2), "version: 2, but it lies in '1'"),
    "absolute": (lambda words: words["files"].update({"/etc/hostname": "0" * 64}), "'/etc/hostname' is not a plain"),
    "backslash": (lambda words: words["files"].update({"a\\b": "0" * 64}), "is not a plain relative path"),
    "hash": (lambda words: words["files"].update({"keep.json": "xyz"}), "files.keep.json"),
    "graph path": (
        lambda words: words["graphs"]["keep"].update(file="../keep.json"),
        "graphs.keep.file: '../keep.json' is not a plain relative path inside the bundle",
    ),
    "nested key": (lambda words: words["graphs"]["keep"].update(speed=1), "graphs.keep.speed: unknown key"),
    "runtime": (lambda words: words["graphs"]["keep"].update(runtime="tf"), 'graphs.keep.runtime: "tf" is not allowed'),
    "stage": (
        lambda words: words["operations"]["score"]["stages"][0].update(graph="nowhere"),
        "operations.score.stages.0.graph: no graph 'nowhere'",
    ),
    "golden": (lambda words: words["files"].pop("golden.npz"), "files.golden.npz: missing key"),
    "native": (
        lambda words: words["graphs"]["keep"].update(runtime="torchscript"),
        "graphs.keep.runtime: 'torchscript' files are native code",
    ),
    "range": (lambda words: words["sample"].update(range=[1, 1]), "sample: range [1.0, 1.0] must ascend"),
}


@pytest.mark.parametrize("case", EDITS)
def test_a_manifest_that_says_what_it_must_not_is_refused(tmp_path: Path, case: str) -> None:
    edit, reason = EDITS[case]
    with pytest.raises(BundleError) as raised:
        read_bundle(edit_manifest(once_bundle(tmp_path), edit))
    assert raised.value.message.startswith("once/1: ")
    assert reason in raised.value.message


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "once/1: manifest.json: not JSON"),
        (b"\xff\xfe", "once/1: manifest.json: not JSON"),
        (b'{"format": "brood/1", "version": NaN}', "once/1: manifest.json: not JSON: NaN"),
        (b"[" * 100_000, "once/1: manifest.json: not JSON"),
        (b"[]", "once/1: format: null is not supported"),
        (b" " * (MANIFEST_LIMIT + 1), "once/1: manifest.json: larger than 1048576 bytes"),
    ],
    ids=["cut", "bytes", "nan", "deep", "list", "large"],
)
def test_a_manifest_that_is_none_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    directory = once_bundle(tmp_path)
    (directory / MANIFEST).write_bytes(content)
    with pytest.raises(BundleError) as raised:
        read_bundle(directory)
    assert raised.value.message.startswith(reason)


def test_a_missing_manifest_is_refused(tmp_path: Path) -> None:
    directory = once_bundle(tmp_path)
    (directory / MANIFEST).unlink()
    with pytest.raises(BundleError, match=r"once/1: manifest\.json: the file is missing"):
        read_bundle(directory)


def test_native_code_is_read_if_allowed_or_shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = edit_manifest(
        once_bundle(tmp_path), lambda words: words["graphs"]["keep"].update(runtime="torchscript")
    )
    assert read_bundle(directory, allow_native=True).manifest.name == "once"
    monkeypatch.setattr(store, "zoo_root", lambda: tmp_path)
    assert read_bundle(directory).manifest.name == "once"


def test_a_link_in_the_shipped_store_does_not_make_foreign_code_shipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = edit_manifest(
        once_bundle(tmp_path / "foreign"), lambda words: words["graphs"]["keep"].update(runtime="torchscript")
    )
    zoo = tmp_path / "zoo"
    zoo.mkdir()
    (zoo / "once").symlink_to(directory.parent)
    monkeypatch.setattr(store, "zoo_root", lambda: zoo)
    with pytest.raises(BundleError, match="native code"):
        read_bundle(zoo / "once" / "1")


def test_a_listed_directory_is_not_a_file(tmp_path: Path) -> None:
    directory = once_bundle(tmp_path)
    (directory / "keep.json").unlink()
    (directory / "keep.json").mkdir()
    with pytest.raises(BundleError, match=r"once/1: keep\.json: listed in the manifest, but missing"):
        read_bundle(directory)


def test_found_in_order_from_a_store_a_model_or_a_bundle(tmp_path: Path) -> None:
    steps = steps_bundle(tmp_path)
    once = {version: once_bundle(tmp_path, version=version) for version in (10, 2, 1)}
    for noise in (".git", "__pycache__"):
        (tmp_path / noise / "1").mkdir(parents=True)
    (tmp_path / "README").write_text("no bundle")
    assert [ref.directory for ref in find_bundles(tmp_path)] == [once[1], once[2], once[10], steps]
    assert [(ref.name, ref.version) for ref in find_bundles(tmp_path / "once")] == [("once", v) for v in (1, 2, 10)]
    assert [(ref.name, ref.version) for ref in find_bundles(steps)] == [("steps", 1)]


def test_a_bundle_in_the_wrong_place_is_found_and_refused_by_name(tmp_path: Path) -> None:
    directory = once_bundle(tmp_path)
    directory.rename(directory.with_name("v1"))
    (tmp_path / "bare").mkdir()
    os.link(directory.with_name("v1") / MANIFEST, tmp_path / "bare" / MANIFEST)
    (tmp_path / "empty" / "3").mkdir(parents=True)
    found = find_bundles(tmp_path)
    assert [(ref.name, ref.version) for ref in found] == [("bare", 0), ("empty", 3), ("once", 0)]
    reasons = []
    for ref in found:
        with pytest.raises(BundleError) as raised:
            read_bundle(ref.directory)
        reasons.append(raised.value.message)
    assert reasons[0].endswith(f"bare: name: 'once', but it lies in '{tmp_path.name}'")
    assert reasons[1] == "empty/3: manifest.json: the file is missing"
    assert reasons[2] == "once/v1: version: 1, but it lies in 'v1'"


def test_an_empty_or_absent_store_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"no bundles here; expected NAME/VERSION/manifest\.json below it"):
        find_bundles(tmp_path)
    with pytest.raises(BundleError, match="no such directory"):
        find_bundles(tmp_path / "nowhere")


def test_a_manifest_is_written_in_one_form_and_read_back_equal(tmp_path: Path) -> None:
    directory = steps_bundle(tmp_path)
    content = (directory / MANIFEST).read_bytes()
    manifest = read_bundle(directory).manifest
    assert list(json.loads(content)["graphs"]["step"]["inputs"]) == ["x", "count", "noise", "temperature"]
    write_manifest(directory, Manifest.model_validate_json(manifest.model_dump_json()))
    assert (directory / MANIFEST).read_bytes() == content
    assert read_bundle(directory).manifest == manifest


def test_golden_samples_are_read_as_recorded(tmp_path: Path) -> None:
    (run,) = read_bundle(once_bundle(tmp_path)).golden()
    assert (run.words.seed, run.words.index, run.words.params) == (7, 2, {"label": 3})
    assert run.outputs["image"].shape == (1, 4, 4)
    assert run.outputs["label"] == 3
    assert run.inputs == {}


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"generate/outputs/label": np.array(3)}, r"golden\.npz:generate/outputs/image: the array is missing"),
        ({"generate/outputs/image": np.array([{}]), "generate/outputs/label": np.array(3)}, "not a readable .npz file"),
        (None, "not a readable .npz file"),
    ],
    ids=["missing", "pickled", "damaged"],
)
def test_golden_samples_that_cannot_be_read_are_named(
    tmp_path: Path, arrays: dict[str, np.ndarray] | None, reason: str
) -> None:
    path = tmp_path / "other.npz"
    if arrays is None:
        path.write_bytes(b"nothing of the kind")
    else:
        np.savez(path, **arrays)  # type: ignore[arg-type]
    bundle = read_bundle(relist(once_bundle(tmp_path / "store"), "golden.npz", path.read_bytes()))
    with pytest.raises(BundleError, match=f"once/1: .*{reason}"):
        bundle.golden()


def test_equal_bundles_have_equal_bytes(tmp_path: Path) -> None:
    one, other = once_bundle(tmp_path / "a"), once_bundle(tmp_path / "b")
    assert read_bundle(one).digest == read_bundle(other).digest


def test_the_shipped_store_is_package_data() -> None:
    assert zoo_root().parent == Path(store.__file__).parents[1]

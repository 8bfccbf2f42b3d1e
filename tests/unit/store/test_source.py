"""A directory as a store."""

import os
from pathlib import Path

import pytest

from brood.protocol.errors import BundleError
from brood.store.files import MANIFEST, hash_file
from brood.store.source import Directory, StoreUnreachable, open_store
from brood.store.store import zoo_root
from helpers.bundles import edit_manifest, flip_byte, once_bundle


def test_bundles_are_found_with_a_stamp_that_follows_their_files(tmp_path: Path) -> None:
    directory, store = once_bundle(tmp_path), Directory(tmp_path)
    once_bundle(tmp_path, version=2)
    first, second = store.look()
    assert (first.key, second.key) == (("once", 1), ("once", 2))
    assert store.look() == [first, second]
    assert store.digest(first) == hash_file(directory / MANIFEST) == store.open(first, allow_native=False).digest
    edit_manifest(directory, lambda words: words.update(description="another"))
    changed, same = store.look()
    assert changed.stamp != first.stamp
    assert same == second
    assert store.digest(changed) != store.digest(second)


def test_a_file_that_comes_later_changes_the_stamp(tmp_path: Path) -> None:
    directory, store = once_bundle(tmp_path), Directory(tmp_path)
    content = (directory / "keep.json").read_bytes()
    (directory / "keep.json").unlink()
    (half,) = store.look()
    with pytest.raises(BundleError, match=r"keep\.json: listed in the manifest, but missing"):
        store.open(half, allow_native=False)
    (directory / "keep.json").write_bytes(content)
    (whole,) = store.look()
    assert whole.stamp != half.stamp
    assert store.open(whole, allow_native=False).manifest.name == "once"


def test_a_store_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreUnreachable, match="nowhere: no such directory"):
        Directory(tmp_path / "nowhere").look()
    with pytest.raises(StoreUnreachable, match="no bundles here"):
        Directory(tmp_path).look()


def test_places_lead_to_stores(tmp_path: Path) -> None:
    assert open_store(None, None).where == str(zoo_root())
    assert open_store(tmp_path, None).where == str(tmp_path)
    assert open_store(f"file://{tmp_path}", None).where == str(tmp_path)
    remote = open_store("memory://user:secret@host/bundles?key=1", tmp_path)
    assert (remote.where, remote.distant) == ("memory://host/bundles", True)
    with pytest.raises(BundleError, match=r"memory://bundles: .* set cache_dir"):
        open_store("memory://bundles", None)


def test_touching_a_file_is_no_other_bundle(tmp_path: Path) -> None:
    directory, store = once_bundle(tmp_path), Directory(tmp_path)
    (before,) = store.look()
    os.utime(directory / MANIFEST, (1, 1))
    (after,) = store.look()
    assert after.stamp != before.stamp
    assert store.digest(after) == store.digest(before)
    flip_byte(directory, "keep.json")
    assert store.digest(after) == store.digest(before), "what is listed is verified when it is opened"

"""A store behind a URL: bundles are brought here whole, or not at all."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from brood.protocol.errors import BundleError
from brood.store.files import MANIFEST, hash_file
from brood.store.remote import UNUSED_S, Remote, shown
from brood.store.source import StoreUnreachable
from helpers.bundles import edit_manifest, flip_byte, once_bundle, relist, steps_bundle
from helpers.stores import served_over_http

ROOT = "memory://bundles"


@pytest.fixture
def memory() -> Iterator[Any]:
    """The file system in memory, empty."""
    system = fsspec.filesystem("memory")
    yield system
    system.store.clear()
    system.pseudo_dirs[:] = [""]


def put(system: Any, directory: Path, root: str = "/bundles") -> None:
    """A bundle of this machine in the store."""
    target = f"{root}/{directory.parent.name}/{directory.name}"
    for path in directory.rglob("*"):
        if path.is_file():
            system.pipe_file(f"{target}/{path.relative_to(directory)}", path.read_bytes())


def files(directory: Path) -> list[str]:
    """All files below a directory, hidden ones too."""
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file())


def test_a_bundle_is_found_and_brought_here(tmp_path: Path, memory: Any) -> None:
    once, steps = once_bundle(tmp_path / "a"), steps_bundle(tmp_path / "a", version=3)
    put(memory, once)
    put(memory, steps)
    memory.pipe_file("/bundles/README.md", b"nothing to load")
    memory.pipe_file("/bundles/once/.tmp-2/manifest.json", b"{}")
    memory.pipe_file("/bundles/_hidden/1/manifest.json", b"{}")
    store = Remote(ROOT, tmp_path / "cache")
    found = store.look()
    assert [each.key for each in found] == [("once", 1), ("steps", 3)]
    digest = hash_file(once / MANIFEST)
    assert store.digest(found[0]) == digest
    bundle = store.open(found[0], allow_native=False)
    assert (bundle.digest, bundle.directory) == (digest, tmp_path / "cache" / digest / "once" / "1")
    assert files(bundle.directory) == files(once)
    assert len(bundle.golden()) == 1
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [digest], "nothing of the download is left"


def test_a_bundle_that_is_here_is_not_brought_again(tmp_path: Path) -> None:
    once_bundle(tmp_path / "root")
    with served_over_http(tmp_path / "root") as (url, asked):
        store = Remote(url, tmp_path / "cache")
        (found,) = store.look()
        store.open(found, allow_native=False)
        assert any(path.endswith("generate.json") for path in asked)
        asked.clear()
        bundle = Remote(url, tmp_path / "cache").open(found, allow_native=False)
        assert [path for path in asked if path.endswith(".json")] == ["/once/1/manifest.json"]
        flip_byte(bundle.directory, "keep.json")
        again = store.open(found, allow_native=False)
        assert hash_file(again.directory / "keep.json") == again.manifest.files["keep.json"]
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [bundle.digest]


def test_a_changed_bundle_has_another_stamp_and_another_place(tmp_path: Path) -> None:
    directory = once_bundle(tmp_path / "root")
    with served_over_http(tmp_path / "root") as (url, _):
        store = Remote(url, tmp_path / "cache")
        (before,) = store.look()
        assert store.look() == [before]
        old = store.open(before, allow_native=False)
        edit_manifest(directory, lambda words: words.update(description="another"))
        (after,) = store.look()
        assert after.stamp != before.stamp
        new = store.open(after, allow_native=False)
    assert old.directory != new.directory
    assert old.directory.is_dir()
    assert (old.manifest.description, new.manifest.description) == ("A model for tests.", "another")


def test_what_is_not_whole_is_never_loaded(tmp_path: Path, memory: Any) -> None:
    directory = once_bundle(tmp_path / "a")
    put(memory, directory)
    store = Remote(ROOT, tmp_path / "cache")
    (found,) = store.look()
    memory.pipe_file("/bundles/once/1/keep.json", b"{")
    with pytest.raises(BundleError, match=r"once/1: keep\.json: its bytes are not those listed"):
        store.open(found, allow_native=False)
    memory.rm_file("/bundles/once/1/keep.json")
    with pytest.raises(BundleError, match=r"once/1: keep\.json: listed in the manifest, but missing in the store"):
        store.open(found, allow_native=False)
    memory.rm_file("/bundles/once/1/manifest.json")
    with pytest.raises(BundleError, match=r"once/1: manifest\.json: the file is missing"):
        store.open(found, allow_native=False)
    assert files(tmp_path / "cache") == []


def test_files_of_a_manifest_cannot_leave_the_download(tmp_path: Path, memory: Any) -> None:
    directory = edit_manifest(
        once_bundle(tmp_path / "a"), lambda words: words["files"].update({"../../../evil.json": "0" * 64})
    )
    put(memory, directory)
    memory.pipe_file("/bundles/evil.json", b"{}")
    store = Remote(ROOT, tmp_path / "cache")
    with pytest.raises(BundleError, match="evil"):
        store.open(store.look()[0], allow_native=False)
    assert files(tmp_path) == files(tmp_path / "a") or not list(tmp_path.rglob("evil.json"))


def test_a_bundle_under_another_name_is_refused(tmp_path: Path, memory: Any) -> None:
    directory = once_bundle(tmp_path / "a")
    shutil.copytree(directory, tmp_path / "a" / "other" / "1")
    put(memory, tmp_path / "a" / "other" / "1")
    store = Remote(ROOT, tmp_path / "cache")
    with pytest.raises(BundleError, match=r"name: 'once', but it lies in 'other'"):
        store.open(store.look()[0], allow_native=False)


def test_a_store_that_cannot_be_read_says_so_without_secrets(tmp_path: Path, memory: Any) -> None:
    with pytest.raises(StoreUnreachable, match="memory://bundles: FileNotFoundError"):
        Remote(ROOT, tmp_path).look()
    memory.pipe_file("/bundles/README.md", b"")
    with pytest.raises(StoreUnreachable, match="no bundles here; expected NAME/VERSION"):
        Remote(ROOT, tmp_path).look()
    with pytest.raises(StoreUnreachable, match="Protocol not known: nonsense"):
        Remote("nonsense://there", tmp_path).look()
    assert shown("https://user:secret@host:8080/a/b?token=x#y") == "https://host:8080/a/b"
    with served_over_http(tmp_path) as (url, _):
        gone = url.replace("http://", "http://user:secret@")
    with pytest.raises(StoreUnreachable) as caught:
        Remote(f"{gone}/b?token=hidden", tmp_path).look()
    assert "secret" not in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_a_listing_that_fails_half_way_is_no_smaller_store(tmp_path: Path, memory: Any) -> None:
    for name in ("one", "two"):
        put(memory, once_bundle(tmp_path / "a", name=name))
    store = Remote(ROOT, tmp_path / "cache")
    system = store._system[0]
    whole = system.ls

    def ls(path: str, **options: Any) -> Any:
        if path.endswith("two"):
            raise OSError("connection reset")
        return whole(path, **options)

    system.ls = ls
    with pytest.raises(StoreUnreachable, match="connection reset"):
        store.look()


def test_the_cache_is_tidied(tmp_path: Path, memory: Any) -> None:
    cache = tmp_path / "cache"
    for name in (".partial-old", ".partial-new", "unused"):
        (cache / name / "once").mkdir(parents=True)
    os.utime(cache / ".partial-old", (1, 1))
    os.utime(cache / "unused", (1, 1))
    put(memory, relisted(once_bundle(tmp_path / "a")))
    store = Remote(ROOT, cache)
    (found,) = store.look()
    bundle = store.open(found, allow_native=False)
    assert {path.name for path in cache.iterdir()} == {".partial-new", bundle.digest}
    kept = cache / bundle.digest
    long_ago = kept.stat().st_mtime - UNUSED_S / 2
    os.utime(kept, (long_ago, long_ago))
    store.open(found, allow_native=False)
    assert kept.stat().st_mtime > long_ago + 1, "it counts from the last use"


def relisted(directory: Path) -> Path:
    """The same bundle with another file below a folder."""
    (directory / "more").mkdir()
    return relist(directory, "more/words.txt", b"words")

"""The file of keys: for its owner alone, replaced as a whole, and refused where it cannot be trusted."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from brood.access.file import KeysFileError, changed_keys, read_keys
from brood.access.keys import Grant, make_key
from helpers.access import NOON, Keys


def add(path: Path, name: str) -> None:
    with changed_keys(path, create=True) as keys:
        keys.append(make_key(name, Grant(), NOON).key)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    assert {key.name: key.id for key in read_keys(keys.path)} == keys.ids


def test_nobody_else_may_read_it_whatever_it_was_before(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    add(path, "one")
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    add(path, "two")
    assert path.stat().st_mode & 0o777 == 0o600


def test_no_secret_stands_in_it(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    content = keys.path.read_text()
    for secret in keys.secrets.values():
        assert secret.rpartition("_")[2] not in content


def test_it_is_replaced_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    add(path, "one")
    before, inode = path.read_bytes(), path.stat().st_ino

    def fail_half_way() -> None:
        with changed_keys(path) as keys:
            keys.clear()
            raise RuntimeError("half-way")

    with pytest.raises(RuntimeError, match="half-way"):
        fail_half_way()
    assert path.read_bytes() == before
    add(path, "two")
    assert path.stat().st_ino != inode
    assert [file.name for file in tmp_path.iterdir()] == ["keys"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "keys"
    add(tmp_path / "real" / "keys", "one")
    link.symlink_to(tmp_path / "real" / "keys")
    add(link, "two")
    assert link.is_symlink()
    assert [key.name for key in read_keys(tmp_path / "real" / "keys")] == ["one", "two"]


def test_writers_do_not_lose_each_others_keys(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    writers = [threading.Thread(target=add, args=(path, f"n{number}")) for number in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert {key.name for key in read_keys(path)} == {f"n{number}" for number in range(8)}


def test_a_file_that_everybody_may_write_is_refused(tmp_path: Path) -> None:
    path = Keys(tmp_path).path
    path.chmod(0o602)
    with pytest.raises(KeysFileError, match="everybody may write it; allowed: chmod 600"):
        read_keys(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file or directory; `brood keys create` makes one"),
        ("", "Invalid JSON"),
        ('{"format": "brood-keys/2"}', "format: "),
        ('{"keys": [{}]}', "keys.0.id: Field required"),
        ('{"keys": [], "more": 1}', "more: Extra inputs"),
    ],
)
def test_what_cannot_be_understood_is_refused(tmp_path: Path, content: str | None, message: str) -> None:
    path = tmp_path / "keys"
    if content is not None:
        path.write_text(content)
    with pytest.raises(KeysFileError, match=message) as caught:
        read_keys(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_complaint_does_not_show_what_is_there(tmp_path: Path) -> None:
    path = Keys(tmp_path).path
    content = json.loads(path.read_text())
    content["keys"][0]["digest"] = "a secret that somebody put there"
    path.write_text(json.dumps(content))
    with pytest.raises(KeysFileError, match=r"keys\.0\.digest") as caught:
        read_keys(path)
    assert "somebody" not in str(caught.value)


def test_two_keys_of_one_id_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    add(path, "one")
    with changed_keys(path) as keys:
        keys.append(keys[0])
    with pytest.raises(KeysFileError, match="same id"):
        read_keys(path)


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(KeysFileError, match="No such file or directory"):
        add(tmp_path / "nowhere" / "keys", "one")

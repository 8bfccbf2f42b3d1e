"""Keys are recognised, and a change of their file is noticed."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from brood.access import keyring
from brood.access.file import KeysFileError, changed_keys
from brood.access.keyring import LOOK_EVERY_S, WRONG, Keyring
from brood.access.keys import Grant, Key, fits, make_key
from brood.protocol.errors import Unauthenticated
from helpers.access import NOON, UNKNOWN_KEY, Keys, Time


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path)


@pytest.fixture
def ring(keys: Keys, time: Time) -> Keyring:
    return Keyring(keys.path, time.clock)


def test_a_key_is_recognised(ring: Keyring, keys: Keys) -> None:
    assert ring.recognise(keys.secrets["studio"], NOON).id == keys.ids["studio"]


def test_expiry_begins_at_its_moment(ring: Keyring, keys: Keys) -> None:
    key = ring.recognise(keys.secrets["lasting"], NOON)
    assert key.expires is not None
    with pytest.raises(Unauthenticated, match=r"expired at 2026-07-02 12:00 UTC"):
        ring.recognise(keys.secrets["lasting"], key.expires)


@pytest.mark.parametrize(
    ("name", "words"), [("expired", "expired at 2026-06-30"), ("revoked", "revoked at 2026-06-30")]
)
def test_who_has_the_secret_is_told_why(ring: Keyring, keys: Keys, name: str, words: str) -> None:
    with pytest.raises(Unauthenticated, match=words):
        ring.recognise(keys.secrets[name], NOON)


def test_who_has_only_the_id_is_told_nothing(ring: Keyring, keys: Keys) -> None:
    wrong = [f"brood_{keys.ids[name]}_{UNKNOWN_KEY.rpartition('_')[2]}" for name in ("studio", "expired", "revoked")]
    for secret in (*wrong, UNKNOWN_KEY, "nonsense", "", "é"):
        with pytest.raises(Unauthenticated) as caught:
            ring.recognise(secret, NOON)
        assert caught.value.message == WRONG


def test_unknown_keys_take_the_same_way_as_known_ones(
    ring: Keyring, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[str] = []

    def counting(secret: str, key: Key) -> bool:
        compared.append(key.id)
        return fits(secret, key)

    monkeypatch.setattr(keyring, "fits", counting)
    ring.recognise(keys.secrets["studio"], NOON)
    for secret in (UNKNOWN_KEY, "nonsense"):
        with pytest.raises(Unauthenticated):
            ring.recognise(secret, NOON)
    assert compared == [keys.ids["studio"], "0" * 12, "0" * 12]


def test_a_change_is_noticed_after_a_second(ring: Keyring, keys: Keys, time: Time) -> None:
    new = make_key("late", Grant(), NOON)
    with changed_keys(keys.path) as known:
        known.append(new.key)
    keys.revoke("studio")
    with pytest.raises(Unauthenticated):
        ring.recognise(new.secret, NOON)
    assert ring.recognise(keys.secrets["studio"], NOON)
    time.seconds += LOOK_EVERY_S
    assert ring.recognise(new.secret, NOON).name == "late"
    with pytest.raises(Unauthenticated, match="revoked"):
        ring.recognise(keys.secrets["studio"], NOON)


def test_a_link_that_leads_elsewhere_is_a_change(keys: Keys, time: Time, tmp_path: Path) -> None:
    """As Kubernetes gives a mounted secret a new content."""
    (tmp_path / "second").mkdir()
    second = Keys(tmp_path / "second")
    link = tmp_path / "link"
    link.symlink_to(keys.path)
    ring = Keyring(link, time.clock)
    link.unlink()
    link.symlink_to(second.path)
    time.seconds += LOOK_EVERY_S
    assert ring.recognise(second.secrets["studio"], NOON).id == second.ids["studio"]


@pytest.mark.parametrize("content", [None, "{"])
def test_a_file_that_breaks_changes_nothing_and_is_told_once(
    ring: Keyring, keys: Keys, time: Time, content: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    whole = keys.path.read_text()
    keys.path.unlink()
    if content is not None:
        keys.path.write_text(content)
    for _ in range(3):
        time.seconds += LOOK_EVERY_S
        assert ring.recognise(keys.secrets["studio"], NOON)
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "the keys read before go on" in caplog.text
    keys.path.write_text(whole.replace("studio", "atelier"))
    time.seconds += LOOK_EVERY_S
    assert ring.recognise(keys.secrets["studio"], NOON).name == "atelier"


def test_without_a_file_there_is_no_keyring(tmp_path: Path, time: Time) -> None:
    with pytest.raises(KeysFileError, match="No such file"):
        Keyring(tmp_path / "none", time.clock)

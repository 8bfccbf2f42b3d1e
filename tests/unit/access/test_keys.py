"""Keys: hard to guess, recognised without haste, and never told twice."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime

import pytest
from pydantic import ValidationError

from brood.access.keys import Grant, Key, digest_of, fits, id_of, make_key
from helpers.access import NOON, UNKNOWN_KEY


def test_a_key_has_an_id_and_a_secret_of_256_bits() -> None:
    new = make_key("studio", Grant(), NOON)
    prefix, key_id, random = new.secret.split("_")
    assert (prefix, key_id) == ("brood", new.key.id)
    assert len(random) * 5 >= 256
    assert id_of(new.secret) == new.key.id


def test_no_two_keys_are_alike() -> None:
    made = [make_key("studio", Grant(), NOON) for _ in range(50)]
    for values in ({new.secret for new in made}, {new.key.id for new in made}, {new.key.salt for new in made}):
        assert len(values) == 50


def test_what_is_kept_and_shown_has_not_the_secret() -> None:
    new = make_key("studio", Grant(), NOON)
    random = new.secret.rpartition("_")[2]
    for text in (repr(new), str(new), new.key.model_dump_json(), repr(new.key)):
        assert random not in text


def test_the_digest_is_hmac_sha256() -> None:
    new = make_key("studio", Grant(), NOON)
    expected = hmac.digest(bytes.fromhex(new.key.salt), new.secret.encode(), hashlib.sha256).hex()
    assert new.key.digest == expected == digest_of(new.secret, new.key.salt)


def test_only_the_whole_secret_fits() -> None:
    new = make_key("studio", Grant(), NOON)
    other = make_key("studio", Grant(), NOON)
    assert fits(new.secret, new.key)
    for wrong in (other.secret, new.secret[:-1], new.secret + "a", new.secret.upper(), "", "é"):
        assert not fits(wrong, new.key)


class NeverEqual(str):
    """Text that may be looked at only as a whole: comparing it as text is an error."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        raise AssertionError("a digest was compared with ==, which ends at the first difference")

    def __ne__(self, other: object) -> bool:
        raise AssertionError("a digest was compared with !=, which ends at the first difference")


def test_digests_are_compared_in_constant_time() -> None:
    new = make_key("studio", Grant(), NOON)
    key = Key.model_construct(**{**dict(new.key), "digest": NeverEqual(new.key.digest)})
    assert fits(new.secret, key)
    assert not fits(UNKNOWN_KEY, key)


@pytest.mark.parametrize(
    "text", ["", "brood", "brood__", "Bearer x", "sk-123", "brood_0123456789ab_short", "brood_é_x"]
)
def test_what_has_not_the_form_of_a_key(text: str) -> None:
    assert id_of(text) is None


@pytest.mark.parametrize("name", ["", "two words", "-x", "a" * 65, "line\nbreak", "é"])
def test_names_that_are_not_allowed(name: str) -> None:
    with pytest.raises(ValidationError):
        make_key(name, Grant(), NOON)


@pytest.mark.parametrize(
    "words",
    [
        {"scopes": ()},
        {"scopes": ("root",)},
        {"models": ()},
        {"models": ("a b",)},
        {"rate_per_s": 0},
        {"rate_per_s": float("nan")},
        {"rate_per_s": float("inf")},
        {"burst": 0},
        {"concurrency": 0},
        {"expires": datetime(2026, 1, 1)},
        {"colour": "red"},
    ],
)
def test_grants_that_are_not_allowed(words: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Grant.model_validate(words)

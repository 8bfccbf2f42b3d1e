"""Keys of every kind in a file, a gate over them, and a time that stands still."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from brood.access.file import changed_keys
from brood.access.gate import Gate
from brood.access.keyring import Keyring
from brood.access.keys import Grant, make_key

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
UNKNOWN_KEY = make_key("nobody", Grant(), NOON).secret  # has the form of a key
GRANTS = {
    "studio": Grant(),
    "scraper": Grant(scopes=("metrics",)),
    "operator": Grant(scopes=("admin",)),
    "narrow": Grant(models=("glyphs-*", "tin?")),
    "elsewhere": Grant(models=("glyphs-*",)),
    "slow": Grant(rate_per_s=0.25, burst=2),
    "single": Grant(concurrency=1),
    "expired": Grant(expires=NOON - DAY),
    "lasting": Grant(expires=NOON + DAY),
    "revoked": Grant(),
}


class Time:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def clock(self) -> float:
        """Seconds from anywhere."""
        return self.seconds

    def wall(self) -> datetime:
        """The time of day."""
        return NOON + timedelta(seconds=self.seconds - 1000.0)


class Keys:
    """A file with a key for each of `GRANTS`.

    Attributes:
        path: the file.
        secrets: name → key, as a caller sends it.
        ids: name → id.
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory / "keys.json"
        made = {name: make_key(name, grant, NOON - 2 * DAY) for name, grant in GRANTS.items()}
        self.secrets = {name: new.secret for name, new in made.items()}
        self.ids = {name: new.key.id for name, new in made.items()}
        with changed_keys(self.path, create=True) as keys:
            keys += [new.key for new in made.values()]
        self.revoke("revoked")

    def revoke(self, name: str) -> None:
        """As `brood keys revoke` does."""
        with changed_keys(self.path) as keys:
            keys[:] = [key.model_copy(update={"revoked": NOON - DAY}) if key.name == name else key for key in keys]

    def gate(self, time: Time, max_concurrent: int = 100) -> Gate:
        """A gate that asks for these keys."""
        return Gate(Keyring(self.path, time.clock), max_concurrent, time.clock, time.wall)

    def bearer(self, name: str) -> str:
        """The header ``Authorization`` with one of the keys."""
        return f"Bearer {self.secrets[name]}"

"""Keys: how they are made, what is kept of them, and how one is recognised.

A key is ``brood_ID_SECRET``. The id is public: it finds the record, and stands in lists. The secret has 256 random bits
and is shown once; what is kept is HMAC-SHA256 (RFC 2104) of the whole key under a random salt of its own. A slow hash
such as scrypt is for passwords, which can be guessed; of 2²⁵⁶ secrets none can, so it would protect nothing and would
cost every request tens of milliseconds.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from base64 import b32encode
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from brood.access.verbs import Scope

SECRET_BYTES = 32
KEY = re.compile(r"brood_([0-9a-f]{12})_[a-z2-7]{52}")

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$")]
Pattern = Annotated[str, Field(pattern=r"^[A-Za-z0-9._*?\[\]!-]{1,128}$")]


class Grant(BaseModel):
    """What a key allows; the limits hold for each key alone."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scopes: tuple[Scope, ...] = Field(default=("generate",), min_length=1)
    models: tuple[Pattern, ...] = Field(default=("*",), min_length=1, description="patterns of the models it may use")
    rate_per_s: float | None = Field(default=None, gt=0, le=1e6, description="requests a second; none: any")
    burst: int = Field(default=1, ge=1, le=10**6, description="requests at once after a rest; only with a rate")
    concurrency: int | None = Field(default=None, ge=1, description="generations at the same time; none: any")
    expires: AwareDatetime | None = None


class Key(Grant):
    """What is kept of a key."""

    id: str = Field(pattern=r"^[0-9a-f]{12}$")
    name: Name  # whose it is; several keys may have the same, so that one can replace another
    salt: str = Field(pattern=r"^[0-9a-f]{32}$")
    digest: str = Field(pattern=r"^[0-9a-f]{64}$")
    created: AwareDatetime
    revoked: AwareDatetime | None = None


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key at the only moment when its secret is known."""

    key: Key
    secret: str = field(repr=False)  # the whole of it, as callers send it


def make_key(name: str, grant: Grant, now: datetime) -> NewKey:
    """A new key.

    Raises:
        ValidationError: the name is not allowed.
    """
    key_id, salt = secrets.token_hex(6), secrets.token_hex(16)
    random = b32encode(secrets.token_bytes(SECRET_BYTES)).decode().rstrip("=").lower()
    secret = f"brood_{key_id}_{random}"
    words = {"id": key_id, "name": name, "salt": salt, "digest": digest_of(secret, salt), "created": now}
    return NewKey(Key.model_validate({**grant.model_dump(), **words}), secret)


def id_of(secret: str) -> str | None:
    """The id within a key as callers send it; None: it has not the form of a key."""
    match = KEY.fullmatch(secret)
    return match[1] if match else None


def digest_of(secret: str, salt: str) -> str:
    """HMAC-SHA256 under the salt (hexadecimal), as 64 hexadecimal digits."""
    return hmac.new(bytes.fromhex(salt), secret.encode(), hashlib.sha256).hexdigest()


def fits(secret: str, key: Key) -> bool:
    """Whether it is this key; takes as long wherever the two differ."""
    return hmac.compare_digest(digest_of(secret, key.salt), key.digest)

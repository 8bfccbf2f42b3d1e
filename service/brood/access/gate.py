"""The gate that every request passes: who is it, may it, not too often, not too many at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from brood.access.bucket import TokenBucket
from brood.access.caller import ANYONE, Caller, set_caller, take_back
from brood.access.keyring import Keyring
from brood.access.keys import Key
from brood.access.verbs import RULES, Verb
from brood.protocol.errors import Overloaded, PermissionDenied, RateLimited, Unauthenticated

MISSING = "a key is needed; send it as 'Authorization: Bearer KEY' or 'X-API-Key: KEY'"
# Places become free when generations end, which nobody can tell; whoever asks once a second is no burden.
TRY_AGAIN_S = 1.0
MAX_CONCURRENT = 1024


def open_gate() -> Gate:
    """Asks for no keys."""
    return Gate(None, MAX_CONCURRENT)


def utc_now() -> datetime:
    """The time of day."""
    return datetime.now(UTC)


class Gate:
    """Lets requests pass, or says why not. Used by one event loop or thread.

    Args:
        keys: those that hold; None: no key is asked for.
        max_concurrent: most generations at the same time, of all callers.
        clock: seconds from anywhere, never going back.
        wall: the time of day, for expiry.
    """

    def __init__(
        self,
        keys: Keyring | None,
        max_concurrent: int,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], datetime] = utc_now,
    ) -> None:
        self._keys, self._most, self._clock, self._wall = keys, max_concurrent, clock, wall
        self._buckets: dict[str, TokenBucket] = {}
        self._limits: dict[str, int] = {}  # key id → most at once
        self._running: dict[str, int] = {}  # key id → generations now
        self._total = 0

    @property
    def running(self) -> int:
        """Generations at this moment."""
        return self._total

    def admitted(self, verb: Verb, authorization: str | None, api_key: str | None) -> Pass:
        """Let one request pass; see `place`.

        Raises:
            BroodError: as `enter` and `place` raise.
        """
        return self.place(verb, self.enter(verb, authorization, api_key))

    def enter(self, verb: Verb, authorization: str | None, api_key: str | None) -> Caller:
        """Find out who it is, and count the request against that key's rate.

        Args:
            verb: what is to be done.
            authorization: the header ``Authorization``; wins over the other.
            api_key: the header ``X-API-Key``.

        Raises:
            Unauthenticated: no key, or none that holds.
            PermissionDenied: the key lacks the scope.
            RateLimited: too often; says when to come back.
        """
        rule = RULES[verb]
        if self._keys is None or not rule.scopes:
            return ANYONE
        key = self._keys.recognise(_secret(authorization, api_key), self._wall())
        if rule.scopes.isdisjoint(key.scopes):
            needed = " or ".join(sorted(rule.scopes))
            raise PermissionDenied(f"the key {key.id} has the scope {', '.join(key.scopes)}; needed: {needed}")
        self._note(key)
        caller = Caller(key.name, frozenset(key.scopes), key.models, key.id)
        if rule.counted:
            self.count(caller)
        return caller

    def count(self, caller: Caller) -> None:
        """Count one request against the rate of the caller's key.

        Raises:
            RateLimited: too often; says when to come back.
        """
        bucket = self._buckets.get(caller.key_id)
        if bucket is None:
            return
        wait_s = bucket.take(self._clock())
        if wait_s > 0:
            text = f"too many requests with the key {caller.key_id}; allowed: {bucket.rate_per_s:g} a second"
            raise RateLimited(f"{text}, {bucket.burst} at once", retry_after_s=wait_s)

    def place(self, verb: Verb, caller: Caller) -> Pass:
        """``with`` what this gives, the task works for its caller, and holds one of the places for generations, if the
        verb needs one, until the block ends, however it ends.

        Raises (on entering):
            RateLimited: so many with this key run already.
            Overloaded: so many of all callers run already.
        """
        return Pass(self, RULES[verb].held, caller)

    def take_place(self, caller: Caller) -> None:
        """Hold a place; `leave_place` must follow. Raises as `place` does."""
        self._check_places(caller.key_id)
        self._running[caller.key_id] = self._running.get(caller.key_id, 0) + 1
        self._total += 1

    def leave_place(self, caller: Caller) -> None:
        """Give it back."""
        self._total -= 1
        left = self._running[caller.key_id] - 1
        if left:
            self._running[caller.key_id] = left
        else:
            del self._running[caller.key_id]

    def _check_places(self, key_id: str) -> None:
        limit = self._limits.get(key_id)
        if limit is not None and self._running.get(key_id, 0) >= limit:
            text = f"as many generations with the key {key_id} run already as may; allowed: {limit} at once"
            raise RateLimited(text, retry_after_s=TRY_AGAIN_S)
        if self._total >= self._most:
            text = f"{self._most} generations run already, which is all that this server takes at once"
            raise Overloaded(text, retry_after_s=TRY_AGAIN_S)

    def _note(self, key: Key) -> None:
        """Remember the key's limits; a bucket stays as full as it is unless its numbers have changed."""
        if key.concurrency is None:
            self._limits.pop(key.id, None)
        else:
            self._limits[key.id] = key.concurrency
        bucket = self._buckets.get(key.id)
        if key.rate_per_s is None:
            self._buckets.pop(key.id, None)
        elif bucket is None or (bucket.rate_per_s, bucket.burst) != (key.rate_per_s, key.burst):
            self._buckets[key.id] = TokenBucket(key.rate_per_s, key.burst, self._clock())


class Pass:
    """One request inside the gate; what every request goes through is no generator, which would take four times longer.

    Args:
        gate: that lets it pass.
        held: whether it needs a place.
        caller: on whose behalf.
    """

    __slots__ = ("_before", "_caller", "_gate", "_held")

    def __init__(self, gate: Gate, held: bool, caller: Caller) -> None:
        self._gate, self._held, self._caller = gate, held, caller

    def __enter__(self) -> Caller:
        if self._held:
            self._gate.take_place(self._caller)
        self._before = set_caller(self._caller)
        return self._caller

    def __exit__(self, *_: object) -> None:
        take_back(self._before)
        if self._held:
            self._gate.leave_place(self._caller)


def _secret(authorization: str | None, api_key: str | None) -> str:
    """The key in the headers (RFC 6750 section 2.1).

    Raises:
        Unauthenticated: there is none.
    """
    if authorization is None:
        if not api_key:
            raise Unauthenticated(MISSING)
        return api_key.strip()
    scheme, _, secret = authorization.strip().partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise Unauthenticated(MISSING)
    return secret.strip()

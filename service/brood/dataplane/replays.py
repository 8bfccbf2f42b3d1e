"""Idempotency keys: who asks twice under one key gets one answer, made once.

A caller that cannot tell whether its request arrived sends it again with the same ``Idempotency-Key``. If the first is
still being made, the second waits for it; if it is finished, the second gets what the first got, for as long as it is
kept. Errors are not kept: the next request under the key tries again.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from pydantic_core import to_json

from brood.dataplane.limits import ReplayLimits
from brood.dataplane.result import Answer
from brood.protocol.errors import DeadlineExceeded, IdempotencyConflict, InvalidArgument, show
from brood.protocol.requests import GenerateRequest

FIELD = "Idempotency-Key"
PATTERN = re.compile(r"[!-~]{1,255}")  # printable ASCII, no spaces
SAMPLE_BYTES = 512  # of an answer beside its content, roughly
PER_BYTE_S = 4e-9  # of `fingerprint`: base64 and SHA-256, measured

Key = tuple[str, str]  # tenant, idempotency key


@dataclass(slots=True)
class _Entry:
    """One key: its answer is being made, or is here."""

    fingerprint: bytes  # of the request
    work: asyncio.Task[Answer]
    waiting: int = 0  # callers
    size: int = 0  # bytes; 0 while it is being made
    until: float = float("inf")


def check_key(key: str) -> str:
    """The key, if it is fit to be one.

    Raises:
        InvalidArgument: it is empty, too long, or has other characters.
    """
    if PATTERN.fullmatch(key):
        return key
    text = f"{FIELD}: {show(key)} is not allowed; allowed: 1 to 255 printable ASCII characters without spaces"
    raise InvalidArgument(text, field=FIELD)


def refuse_key(key: str | None) -> None:
    """Hold the idempotency key of a request that streams against what there is.

    Raises:
        InvalidArgument: there is one.
    """
    if key is not None:
        raise InvalidArgument(f"{FIELD}: a stream is not kept; allowed: no key, or no stream", field=FIELD)


def fingerprint(request: GenerateRequest) -> bytes:
    """Equal for requests for the same samples in the same form, whichever transport they came by, and for no others.

    Not of the deadline: with each try there is less time left.
    """
    words = request.model_dump(include=GenerateRequest.model_fields.keys() - {"deadline_ms"})
    return sha256(to_json(words, bytes_mode="base64", inf_nan_mode="constants")).digest()


class Replays:
    """The answers of the last while, by key.

    Args:
        now: a clock, in seconds.
        limits: bounds.
    """

    def __init__(self, now: Callable[[], float], limits: ReplayLimits) -> None:
        self._now, self._limits = now, limits
        self._entries: OrderedDict[Key, _Entry] = OrderedDict()  # in order of the last use
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def has(self, key: Key) -> bool:
        """Whether a request under this key would not be made anew."""
        self._expire()
        return key in self._entries

    async def once(
        self,
        key: Key,
        request: bytes,
        make: Callable[[], Coroutine[Any, Any, Answer]],
        within_s: float | None = None,
    ) -> Answer:
        """The answer under a key; ``make`` is called if there is none yet.

        The work goes on while anyone waits for it, and is cancelled when the last has left.

        Args:
            key: whose.
            request: its `fingerprint`.
            make: makes the answer.
            within_s: how long to wait for an answer that is being made for somebody else; None: to its end.

        Raises:
            IdempotencyConflict: the key belongs to another request.
            DeadlineExceeded: it was not there within ``within_s``.
            BroodError: making it failed, for all who wait.
        """
        self._expire()
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = _Entry(request, asyncio.ensure_future(make()))
            entry.work.add_done_callback(lambda _: self._finished(key, entry))
        if entry.fingerprint != request:
            text = f"{FIELD}: {show(key[1])} was used for another request; allowed: a new key, or the same body"
            raise IdempotencyConflict(text, field=FIELD)
        self._entries.move_to_end(key)
        entry.waiting += 1
        try:
            async with asyncio.timeout(within_s) as timer:
                return await asyncio.shield(entry.work)
        except TimeoutError as error:
            if not timer.expired():
                raise
            text = f"the deadline passed: an answer under the same {FIELD} is not finished after {within_s:g} s"
            raise DeadlineExceeded(text) from error
        finally:
            entry.waiting -= 1
            if not entry.waiting and not entry.work.done():
                self._forget(key, entry)
                entry.work.cancel()

    def _finished(self, key: Key, entry: _Entry) -> None:
        if entry.work.cancelled() or entry.work.exception() is not None:
            self._forget(key, entry)
            return
        answer = entry.work.result()
        entry.size = answer.size + SAMPLE_BYTES * len(answer.samples)
        entry.until = self._now() + self._limits.keep_s
        self._bytes += entry.size
        self._shrink()

    def _expire(self) -> None:
        now = self._now()
        for key in [key for key, entry in self._entries.items() if entry.until <= now]:
            self._forget(key, self._entries[key])

    def _shrink(self) -> None:
        """Let go of the longest unused until the bounds hold; what is being made stays."""
        finished = [(key, entry) for key, entry in self._entries.items() if entry.size]
        count = len(finished)
        for key, entry in finished:
            if self._bytes <= self._limits.max_bytes and count <= self._limits.max_count:
                return
            self._forget(key, entry)
            count -= 1

    def _forget(self, key: Key, entry: _Entry) -> None:
        if self._entries.get(key) is entry:
            del self._entries[key]
            self._bytes -= entry.size
